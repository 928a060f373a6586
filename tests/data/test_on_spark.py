"""The whole road on Spark's local[2] beside this machine: the same folders, to the last byte."""

import gzip
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written import write_events

from mutualctr.config import DataConfig, FeatureConfig, SplitConfig
from mutualctr.data import prepare, rules
from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import load_contract
from mutualctr.data.engine import ThisMachine
from mutualctr.data.events import ingest
from mutualctr.data.layout import MISSING, RARE
from mutualctr.data.on_spark import session as sessions
from mutualctr.data.on_spark.spark import Spark
from mutualctr.data.on_spark.tasks import result_of_each, rows_of_each
from mutualctr.data.synthetic import generate_criteo
from mutualctr.errors import DataError, EngineError

pytest.importorskip("pyspark", reason="pyspark is not here: pip install 'mutualctr[spark]'")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java, which is not on the PATH", allow_module_level=True)

SUBMIT = (
    "--master local[2] --driver-memory 1g --conf spark.eventLog.enabled=false "
    "--driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"
)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """One session for all tests; its Java ends with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", SUBMIT)
        patch.setenv("SPARK_LOCAL_DIRS", str(tmp_path_factory.mktemp("spark")))
        from pyspark import SparkContext

        with sessions.spark_session() as session:
            yield session
        gateway = SparkContext._gateway
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)
        SparkContext._gateway = SparkContext._jvm = None


def road(engine, data, contract, split, min_count, folder):
    """Ingest, validation, split and blocks, as the four steps call them."""
    data = data.model_copy(update={"engine": engine})
    folders = {name: folder / engine / name for name in ("events", "checked", "split", "blocks")}
    for path in folders.values():
        path.mkdir(parents=True)
    seen = prepare.source_fingerprint(data)
    events = prepare.ingest_source(data, contract, seen, folders["events"], folder / "kept", engine)
    checked = prepare.validate_events(
        events, contract, data, folders["checked"], folder / engine / "rejected"
    )
    parts = prepare.split_events(events, checked, contract, split, engine, folders["split"])
    features = FeatureConfig(min_count=min_count)
    blocks = prepare.encode_events(
        events, parts, contract, data.feature_set, features, engine, folders["blocks"]
    )
    return events, checked, parts, blocks


def both_roads(monkeypatch, data, contract, split, min_count, folder):
    """What this machine gave, after Spark has given the same."""
    monkeypatch.setattr(prepare, "load_contract", lambda name: contract)
    ours = road("local", data, contract, split, min_count, folder)
    theirs = road("spark", data, contract, split, min_count, folder)
    for one, other in zip(ours, theirs, strict=True):
        assert files_below(one.folder) == files_below(other.folder)
        assert one.model_dump(exclude={"folder"}) == other.model_dump(exclude={"folder"})
    return ours


def files_below(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def one_rule_of_each_kind(contract):
    """The contract with fewer expectations; Spark takes a tenth of a second to plan each."""
    chosen = {(rule.rule, rule.severity): rule for rule in contract.expectations}
    return contract.model_copy(update={"expectations": tuple(chosen.values())})


def write_criteo(folder):
    """Four days: one compressed, one of malformed rows only, two with rows that break rules."""
    folder.mkdir()
    for day, (rows, spoilt) in enumerate(((700, (3, 5)), (400, (0,)), (500, (7,)))):
        path = folder / f"day-{day}.tsv"
        generate_criteo(path, rows, seed=day)
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        for at in spoilt:
            rows[at] = ["a column", "too few"]
        if day != 1:
            rows[11][0], rows[12][-1] = "7", "NOT-HEX!"
        text = "".join("\t".join(row) + "\n" for row in rows)
        path.write_text(text)
        if day == 1:
            path.with_suffix(".tsv.gz").write_bytes(gzip.compress(text.encode()))
            path.unlink()
    (folder / "day-3.tsv").write_text("nothing\nof\nuse\n")


def test_criteo_is_the_same_to_the_last_byte(session, tmp_path, monkeypatch):
    write_criteo(tmp_path / "days")
    contract = one_rule_of_each_kind(load_contract("criteo"))
    data = DataConfig(contract="criteo", source=str(tmp_path / "days"), quarantine_percent=1)
    events, checked, parts, blocks = both_roads(
        monkeypatch, data, contract, SplitConfig(by="hash"), 2, tmp_path
    )
    assert (events.rows, events.quarantined) == (1600 - 4, 4 + 3)
    assert checked.set_aside == parts.set_aside_rows == 4
    first_F = np.array([f.offset for f in fields_of(blocks)])
    seen_R = np.load(blocks.folder / "test" / "ids.npy") - first_F
    assert {MISSING, RARE, RARE + 1} <= set(np.unique(seen_R))

    # The same code finds the finished files and reads none.
    seen = prepare.source_fingerprint(data)
    data = data.model_copy(update={"engine": "spark"})
    (tmp_path / "again").mkdir()
    again = prepare.ingest_source(
        data, contract, seen, tmp_path / "again", tmp_path / "kept", "spark"
    )
    assert again.digest == events.digest
    spark = tmp_path / "spark" / "events" / "files"
    for path in spark.iterdir():
        assert path.samefile(again.files / path.name)


def fields_of(blocks):
    described = json.loads((blocks.folder / "features" / "features.json").read_text())
    return [SimpleNamespace(**field) for field in described["fields"]]


SHOP = Contract(
    name="shop",
    description="",
    format={"kind": "parquet", "missing": ""},
    time="hour",
    columns=(
        {"name": "click", "type": "integer", "role": "label"},
        {"name": "hour", "type": "integer", "role": "time"},
        {"name": "age", "type": "integer", "role": "number"},
        *({"name": n, "type": "text", "role": "category"} for n in ("word", "past1", "past2")),
    ),
    expectations=(
        rules.NotMissing(rule="not_missing", column="click", severity="critical"),
        rules.CalendarHour(rule="calendar_hour", column="hour", severity="critical"),
        rules.Between(rule="between", column="age", min=-2, severity="warning"),
    ),
    common_features=(
        {"name": "word", "column": "word", "transform": "category"},
        {"name": "age", "column": "age", "transform": "quantile", "buckets": 4},
        {"name": "clock", "column": "hour", "transform": "hour_of_day"},
        {"name": "past", "transform": "sequence", "of": "word", "length": 2,
         "columns": ("past1", "past2"), "padding": "none"},
    ),
    alternatives={
        "own": ({"name": "clicked", "transform": "sequence", "of": "word", "length": 2,
                 "user": "past1"},),
    },
    drift={"psi": {"info": 0.001}, "unseen_share": {"info": 0.001}, "click_rate": {"info": 0.001}},
)  # fmt: skip


def write_shop(folder, sizes=(300, 200, 1, 250)):
    """Hours that come again in later files, words beyond ASCII, values that are missing."""
    folder.mkdir()
    random = np.random.default_rng(5)
    words = np.array(["", "none", "ä", "日本", "a\rb", 'say "x"', *"bcdefgh"], dtype=object)
    for number, size in enumerate(sizes):
        age = random.integers(-3, 60, size)
        columns = {
            "click": random.integers(0, 2, size),
            "hour": 14102100 + 100 * random.integers(0, 9, size) + random.integers(0, 24, size),
            "age": pa.array(age, pa.int64(), mask=age == 7),
        }
        for name in ("word", "past1", "past2"):
            columns[name] = words[random.zipf(1.6, size) % len(words)]
        pq.write_table(pa.table(columns), folder / f"part-{number}.parquet")


def test_times_numbers_and_sequences_are_the_same(session, tmp_path, monkeypatch):
    write_shop(tmp_path / "before", sizes=(400,))
    write_shop(tmp_path / "shop")
    before = ingest(tmp_path / "before" / "part-0.parquet", SHOP, tmp_path / "reference")
    ThisMachine().take_snapshot(before.files, None, SHOP, None).save(tmp_path)
    data = DataConfig(
        contract="shop",
        source=str(tmp_path / "shop"),
        reference=str(tmp_path / "snapshot.json"),
        feature_set="own",
    )
    split = SplitConfig(by="time", gap=2)
    *_, blocks = both_roads(monkeypatch, data, SHOP, split, 3, tmp_path)
    clicked = blocks.sequences[1]
    ids_RL = np.load(blocks.folder / "test" / "ids.npy")[:, clicked.start :]
    assert (ids_RL != clicked.padding_id).any(axis=0).all()
    assert json.loads((tmp_path / "spark" / "checked" / "validation.json").read_text())["drift"]
    split = SplitConfig(by="random", seed=4)
    files = tmp_path / "spark" / "events" / "files"
    aside, parts = np.array([1, 300, 301]), []
    for engine in (ThisMachine(), Spark(session)):
        folder = tmp_path / type(engine).__name__
        folder.mkdir()
        engine.split(files, SHOP, split, folder, aside)
        parts.append((folder / "parts.npy").read_bytes())
    assert parts[0] == parts[1]


TEXTS = ["ab", "AB", "äB", "ÄB", "a\nb", "ab\n", "ab\r", "ab\u2028", "\u2028", "", None, "1:2", "'"]
PATTERNS = ["ab", "(?i)äb", "a.b", "[^b]*", "ab.?", "(ab|.)+", "[0-9]:[0-9]", "\\W+", "(?s)a.*"]


def test_verdicts_and_counts_are_the_same(session, tmp_path):
    table = pa.table({
        "row": np.arange(5, 5 + len(TEXTS)),
        "click": pa.array([0, 1, 2, None] * 3 + [1], pa.int64()),
        "hour": pa.array([14102100, 14022900, 1, None] * 3 + [16022923], pa.int64()),
        "age": pa.array([None] * len(TEXTS), pa.int64()),
        "word": pa.array(TEXTS, pa.string()),
    })  # fmt: skip
    files = write_events(tmp_path, table)
    record = [{"file": "a", "first_row": 1, "rows": len(TEXTS), "malformed": 4}]
    (tmp_path / "files.json").write_text(json.dumps(record))
    kinds = [
        {"rule": "row_count", "at_least": 14},
        {"rule": "not_missing", "column": "click"},
        {"rule": "one_of", "column": "click", "values": [0, 1]},
        {"rule": "one_of", "column": "word", "values": ["ab", "1:2", "'"]},
        {"rule": "all_present", "column": "click", "values": [0, 1, 5, 6]},
        {"rule": "between", "column": "hour", "min": 2, "max": 14102100},
        {"rule": "between", "column": "age", "max": 3},
        {"rule": "not_missing", "column": "age"},
        {"rule": "mean", "column": "age", "min": 0, "max": 1},
        {"rule": "mean", "column": "click", "min": 0.9, "max": 0.95},
        {"rule": "missing_share", "column": "word", "at_most": 1 / 13},
        {"rule": "missing_share", "column": "word", "at_most": 0.07},
        {"rule": "calendar_hour", "column": "hour"},
        *({"rule": "pattern", "column": "word", "pattern": pattern} for pattern in PATTERNS),
    ]
    expectations = [rules.RULES[k["rule"]](**k, severity="critical") for k in kinds]
    columns = tuple(c for c in SHOP.columns if c.name in table.column_names)
    contract = SHOP.model_copy(update={"expectations": tuple(expectations), "columns": columns})
    here, there = ThisMachine(), Spark(session)
    report = here.validate(files, contract, None)
    assert there.validate(files, contract, None) == report
    assert {result.success for result in report.results} == {True, False}
    broken = [engine.set_aside(files, contract, tmp_path / "aside") for engine in (here, there)]
    assert broken == [len(TEXTS)] * 2
    some = contract.model_copy(update={"expectations": tuple(expectations[1:3])})
    here.set_aside(files, some, tmp_path / "aside")
    assert there.validate(files, contract, tmp_path / "aside") == here.validate(
        files, contract, tmp_path / "aside"
    )


def test_a_real_sample_is_the_same(session, data_folder, tmp_path, monkeypatch):
    source = data_folder / "avazu_dev.csv.gz"
    contract = one_rule_of_each_kind(load_contract("avazu"))
    data = DataConfig(contract="avazu", source=str(source), feature_set="derived")
    *_, blocks = both_roads(monkeypatch, data, contract, SplitConfig(by="time"), 3, tmp_path)
    assert blocks.num_ids > 1000


def test_the_first_bad_file_speaks_and_in_the_same_words(session, tmp_path):
    write_criteo(tmp_path / "days")
    contract, said = load_contract("criteo"), []
    data = DataConfig(contract="criteo", source=str(tmp_path / "days"))
    for engine in ("local", "spark"):
        chosen = data.model_copy(update={"engine": engine})
        with pytest.raises(DataError) as error:
            prepare.ingest_source(chosen, contract, "", tmp_path / engine, tmp_path / "kept", "")
        said.append(str(error.value))
    assert said[0] == said[1]
    assert "day-0.tsv: line 4" in said[0]


def test_what_fails_in_an_executor_is_one_sentence(session, capfd):
    def refuse(item):
        raise DataError(f"{item} is no good; mend it.")

    with pytest.raises(DataError, match=r"^word is no good; mend it\.$"), sessions.spark_session():
        rows_of_each(session, refuse, ["word"], "a bigint").collect()
    with pytest.raises(EngineError) as error, sessions.spark_session() as same:
        result_of_each(same, lambda item: 1 // item, [1, 0])
    assert "ZeroDivisionError" in str(error.value)
    assert "\n" not in str(error.value)
    said = capfd.readouterr()
    assert "\tat org.apache.spark" not in said.out + said.err
    assert session.range(3).count() == 3  # a session that was there before stays


def test_java_must_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(EngineError, match="needs Java 17 or newer and no `java` is on the PATH"):
        sessions.check_installed()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"there is no .*/bin/java \(\$JAVA_HOME\); install it"):
        sessions.check_installed()
