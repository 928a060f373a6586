"""Drafted contracts: each loads, and the file it came from keeps it, whatever the shape."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutualctr.data.contract_file import load_contract
from mutualctr.data.draft import draft_contract
from mutualctr.data.events import ingest
from mutualctr.data.synthetic import generate_criteo
from mutualctr.data.validation import validate
from mutualctr.errors import DataError


def drafted(path, label=None):
    """The draft as text and as a contract, after the file was held against it."""
    text = draft_contract(path, "new", label)
    written = path.with_name("new.yaml")
    written.write_text(text, encoding="utf-8")
    contract = load_contract(str(written))
    events = ingest(path, contract, path.parent / "events").files
    report = validate(events, contract)
    assert report.verdict == "accepted", [r for r in report.results if not r.success]
    return text, contract


def write(folder, lines):
    path = folder / "clicks.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_file_in_the_shape_of_criteo(tmp_path):
    generate_criteo(tmp_path / "clicks.tsv", rows=2000, seed=1)
    text, contract = drafted(tmp_path / "clicks.tsv")
    assert (contract.format.delimiter, contract.format.header) == ("tab", False)
    assert contract.label == "label"
    assert [c.type for c in contract.columns] == ["integer"] * 14 + ["text"] * 26
    patterns = {r.column: r.pattern for r in contract.expectations if r.rule == "pattern"}
    assert patterns == {f"column_{n}": "[0-9a-f]{8}" for n in range(15, 41)}
    assert "{name: column_15..column_40, type: text, role: category}" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    for decision in ("Roles", "Severity", "Bounds", "Time"):
        assert decision in text


def test_guesses_by_hand(tmp_path):
    lines = ["click,hour,user_id,price,code,hash,share,constant"]
    lines += [
        f"{n % 4 // 3},141021{n % 24:02d},{7 * n},{n if n % 9 else 'NA'},{'AB' if n % 2 else 'CD'},"
        f"{n * 2654435761 % 2**32:08x},{n / 7:.2f},x"
        for n in range(400)
    ]
    text, contract = drafted(write(tmp_path, lines))
    assert {c.name: (c.type, c.role) for c in contract.columns} == {
        "click": ("integer", "label"),
        "hour": ("integer", "time"),
        "user_id": ("integer", "ignored"),  # one a row
        "price": ("integer", "number"),
        "code": ("text", "category"),
        "hash": ("text", "ignored"),  # one a row
        "share": ("text", "ignored"),
        "constant": ("text", "ignored"),
    }
    assert contract.format.missing == "NA"
    assert contract.time == "hour"
    rules = {(r.column, r.rule): r for r in contract.expectations}
    assert rules["code", "one_of"].values == ["AB", "CD"]
    assert rules["price", "missing_share"].at_most == 0.2  # 45 of 400, half as much again
    assert (rules["click", "mean"].min, rules["click", "mean"].max) == (0.12, 0.5)
    assert ("hour", "calendar_hour") in rules
    assert {f.name for f in contract.features(None)} == {"hour_of_day", "weekday", "price", "code"}
    assert "decimal numbers" in text


def test_what_has_no_draft_says_why(tmp_path):
    with pytest.raises(DataError, match=r"no tab or comma equally often"):
        draft_contract(write(tmp_path, ["one", "two"]), "new", None)
    with pytest.raises(DataError, match=r"--label \(a\)"):
        draft_contract(write(tmp_path, ["a,b", "1,2", "0,3"]), "new", None)
    with pytest.raises(DataError, match=r"the label b must be 0 or 1 in every row"):
        draft_contract(write(tmp_path, ["a,b", "1,2", "0,3"]), "new", "b")
    with pytest.raises(DataError, match=r"the label a .* it is missing in some"):
        draft_contract(write(tmp_path, ["a,b", "1,2", ",3"]), "new", "a")
    with pytest.raises(DataError, match=r"there is no column c; it has a, b"):
        draft_contract(write(tmp_path, ["a,b", "1,2"]), "new", "c")
    with pytest.raises(DataError, match=r"two columns are called A .*; rename it in line 1"):
        draft_contract(write(tmp_path, ["a,A", "1,2"]), "new", None)


NAMES = st.lists(
    st.sampled_from(
        ["C1", "C2", "C3", "C5", "user id", "yes", "x:y", "it's", '"q"', "ä", "#", "{a}", "- b"]
    ),
    min_size=1,
    max_size=6,
    unique=True,
)  # fmt: skip
CELLS = {
    "counts": st.integers(-5, 300).map(str) | st.just(""),
    "codes": st.sampled_from(["1", "2", "7", ""]),
    "big": st.integers(10**17, 10**19).map(str),
    "zeros": st.sampled_from(["007", "7", "0", "-0", "+1"]),
    "hex": st.integers(0, 2**32 - 1).map(lambda n: f"{n:08x}"),
    "words": st.sampled_from(["null", "yes", "a b", "it's", "{x}", "a: b", "%s", "NA", "", "#"]),
    "decimals": st.floats(-9, 9).map(lambda x: f"{x:.2f}"),
    "holes": st.sampled_from(["NA", "3", "44"]),
    "hours": st.integers(0, 23).map(lambda h: f"141021{h:02d}"),
    "nothing": st.just(""),
}


@settings(max_examples=25, deadline=None)
@given(data=st.data(), names=NAMES, header=st.booleans(), rows=st.integers(2, 40))
def test_the_file_keeps_the_draft_it_gave(data, names, header, rows, tmp_path_factory):
    kinds = [data.draw(st.sampled_from(list(CELLS))) for _ in names]
    separator = data.draw(st.sampled_from([",", "\t"]))
    lines = [separator.join(["click", *names])] if header else []
    for number in range(rows):
        label = "0" if number == 0 else data.draw(st.sampled_from("01"))
        lines.append(separator.join([label, *(data.draw(CELLS[kind]) for kind in kinds)]))
    _, contract = drafted(write(tmp_path_factory.mktemp("draft"), lines))
    assert contract.format.header is header
    assert len(contract.columns) == len(names) + 1
