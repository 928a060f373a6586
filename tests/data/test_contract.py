"""Contracts: every file in data_contracts/ loads, and a broken one says where and what."""

import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import CONTRACTS, expand, load_contract
from mutualctr.errors import ConfigError

SMALL = {
    "name": "small",
    "description": "three columns",
    "format": {"delimiter": "comma", "header": True, "missing": ""},
    "time": "hour",
    "columns": [
        {"name": "click", "type": "integer", "role": "label"},
        {"name": "hour", "type": "integer", "role": "time"},
        {"name": "X1..X2", "type": "text", "role": "category"},
    ],
    "expectations": [
        {"rule": "one_of", "column": "click", "values": [0, 1], "severity": "critical"},
        {"rule": "pattern", "column": "X1..X2", "pattern": "[a-z]+", "severity": "warning"},
    ],
    "common_features": [{"column": "X1..X2", "transform": "category"}],
}


def write(folder, **changes):
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL | changes), encoding="utf-8")
    return str(path)


def test_every_contract_loads():
    names = [path.stem for path in sorted(CONTRACTS.glob("*.yaml"))]
    assert {"avazu", "criteo", "criteo_1tb", "flights", "frappe", "movielens_100k"} <= set(names)
    for name in names:
        contract = load_contract(name)
        assert contract.name == name
        assert {rule.severity for rule in contract.expectations} >= {"critical", "warning"}
        guarded = {r.rule for r in contract.expectations if r.column == contract.label}
        assert guarded >= {"not_missing", "one_of", "all_present"}


def test_criteo_has_the_published_shape():
    contract = load_contract("criteo")
    # label, 13 numbers, 26 categories
    assert [len([c for c in contract.columns if c.role == role]) for role in
            ("label", "number", "category")] == [1, 13, 26]  # fmt: skip
    assert contract.label == "label"
    assert contract.time == "row"
    features = contract.features(None)
    assert [f.name for f in features] == [c.name for c in contract.columns[1:]]
    assert [f.transform for f in features] == ["log_squared"] * 13 + ["category"] * 26


def test_avazu_reads_the_hour_in_two_ways():
    contract = load_contract("avazu")
    assert (contract.label, contract.time) == ("click", "hour")
    common = 24 - 3  # all columns but id, click, hour
    derived = contract.features("derived")
    assert contract.features(None) == derived
    assert [f.name for f in derived[common:]] == ["hour_of_day", "weekday", "weekend"]
    assert {f.column for f in derived[common:]} == {"hour"}
    assert [f.name for f in contract.features("raw_hour")[common:]] == ["hour"]


def test_ranges_and_lists_stand_for_one_entry_each(tmp_path):
    contract = load_contract(write(tmp_path))
    assert [c.name for c in contract.columns] == ["click", "hour", "X1", "X2"]
    assert [r.column for r in contract.expectations] == ["click", "X1", "X2"]
    assert expand(["hour", "C9..C11"]) == ["hour", "C9", "C10", "C11"]


@given(first=st.integers(0, 50), length=st.integers(1, 50))
def test_a_range_has_all_its_members_in_order(first, length):
    names = expand(f"C{first}..C{first + length - 1}")
    assert names == [f"C{first + i}" for i in range(length)]


@pytest.mark.parametrize("span", ["I3..I1", "I1..C3", "..", "I1..I2..I3"])
def test_a_range_must_ascend_with_one_prefix(span, tmp_path):
    columns = [*SMALL["columns"], {"name": span, "type": "text", "role": "category"}]
    with pytest.raises(ConfigError, match=r"small\.yaml: columns, entry 4: .*ascending range"):
        load_contract(write(tmp_path, columns=columns))


def sequence(**keys):
    entry = {"name": "before", "transform": "sequence"} | keys
    return {"common_features": [*SMALL["common_features"], entry]}


def test_sequences_stand_apart_from_plain_features(tmp_path):
    contract = load_contract(
        write(tmp_path, **sequence(of="X1", length=2, columns="X1..X2", padding="0"))
    )
    assert [feature.name for feature in contract.features(None)] == ["X1", "X2"]
    (found,) = contract.sequences(None)
    assert (found.name, found.of, found.columns, found.length) == ("before", "X1", ("X1", "X2"), 2)
    assert type(contract).model_validate(contract.model_dump(mode="json")) == contract


def rule(**keys):
    return {"expectations": [{"severity": "critical", **keys}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colums": []}, r"`colums` is not a known key; did you mean `columns`"),
        ({"time": "when"}, r"`time` names the column `when`"),
        ({"time": "X1"}, r"`time` names X1, no integer column of role time"),
        ({"format": {"delimiter": "pipe", "header": True, "missing": ""}}, r"format\.delimiter"),
        (rule(rule="betwen", column="hour"), r"entry 1: there is no rule `betwen`.*`between`"),
        (rule(rule="between", column="hour", mim=0), r"entry 1: `mim` is not a known.*`min`"),
        (rule(rule="between", column="hour"), r"needs min, max or both"),
        (rule(rule="between", column="X1", min=0), r"between needs an integer column, X1 is text"),
        (
            rule(rule="not_missing", column="Y1"),
            r"an expectation names the column `Y1`; did you mean `X1`",
        ),
        (rule(rule="not_missing"), r"`column` is missing"),
        ({"common_features": [{"column": "click", "transform": "category"}]}, r"role label"),
        ({"common_features": [{"column": "X1", "transform": "weekday"}]}, r"integer column"),
        ({"common_features": [{"column": "X1", "transform": "loga"}]}, r"transform"),
        ({"common_features": [{"column": "X1", "transform": "log"}]}, r"integer column, X1 is"),
        (
            {"common_features": [{"column": "hour", "transform": "quantile"}]},
            r"quantile needs `buckets`",
        ),
        (
            {"common_features": [{"column": "hour", "transform": "log", "buckets": 3}]},
            r"log takes no `buckets`",
        ),
        (sequence(of="X1", length=2), r"either `columns` .* or `user`"),
        (sequence(of="X1", length=2, user="X2", padding="0"), r"`padding` is a text in `columns`"),
        (sequence(of="X1", length=3, columns="X1..X2"), r"2 columns cannot fill a length of 3"),
        (sequence(of="X3", length=1, user="X2"), r"vocabulary of `X3`, which is no category"),
        (sequence(of="X1", length=1, columns=["hour"]), r"hour and X1 share a vocabulary but not"),
        (sequence(of="X1", length=1, user="who"), r"names the column `who`"),
        (sequence(of="X1", length=1, user="X2", name="X1"), r"two features are called X1"),
        (sequence(of="X1", length=1, use="X2"), r"`use` is not a known key.*`user`"),
        ({"alternatives": {"a": [{"column": "X1", "transform": "category"}]}}, r"called X1"),
        ({"columns": SMALL["columns"][1:]}, r"role label"),
        ({"columns": [*SMALL["columns"], SMALL["columns"][0]]}, r"click is listed twice"),
        ({"columns": "X1"}, r"`columns` must be a list"),
        (
            {"columns": [*SMALL["columns"], {**SMALL["columns"][2], "name": "CLICK"}]},
            r"click has a namesake in other capitals",
        ),
        (
            {"columns": [*SMALL["columns"], {**SMALL["columns"][2], "name": "Row"}]},
            r"no column may be called row",
        ),
        (rule(rule="one_of", column="X1", values=[1]), r"X1 integer values.* column of texts"),
        (rule(rule="one_of", column="hour", values=["a"]), r"hour text values.* of integers"),
        (rule(rule="mean", column="X1", min=0, max=1), r"mean needs an integer column"),
        ({"drift": {"pis": {"warning": 0.1}}}, r"`drift\.pis` is not a known.*`psi`"),
        ({"drift": {"psi": {"warning": 0}}}, r"greater than 0"),
    ],
)
def test_a_broken_contract_says_where_and_what(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught:
        load_contract(write(tmp_path, **changes))
    assert "small.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_contract_or_alternative_lists_those_that_exist():
    with pytest.raises(ConfigError, match=r"no data contract `kriteo`; .* has .*avazu.*criteo"):
        load_contract("kriteo")
    with pytest.raises(ConfigError, match=r"no feature alternative `raw`; it has: derived, raw_h"):
        load_contract("avazu").features("raw")
    with pytest.raises(ConfigError, match="it has: none"):
        load_contract("criteo").features("raw_hour")


def test_without_its_label_a_contract_expects_nothing_of_it():
    contract = load_contract("avazu")
    bare = contract.without_label()
    assert [c.name for c in bare.columns] == [c.name for c in contract.columns if c.name != "click"]
    assert {r.column for r in contract.expectations} - {r.column for r in bare.expectations} == {
        "click"
    }
    assert Contract.model_validate(bare.model_dump(mode="json")) == bare  # as a step reads it


def test_one_column_may_name_the_rows(tmp_path):
    assert load_contract("avazu").row_id == "id"
    assert load_contract("criteo").row_id is None
    named = [{"name": name, "type": "text", "role": "id"} for name in ("a", "b")]
    with pytest.raises(ConfigError, match="two columns have the role id"):
        load_contract(write(tmp_path, columns=[*SMALL["columns"], *named]))
    with pytest.raises(ConfigError, match="a has the role id: it cannot be a feature"):
        load_contract(
            write(
                tmp_path,
                columns=[*SMALL["columns"], named[0]],
                common_features=[{"column": "a", "transform": "category"}],
            )
        )


def test_reading_a_contract_loads_no_engine():
    heavy = "{'duckdb', 'great_expectations', 'pandas', 'pyarrow', 'torch'}"
    code = f"import sys, mutualctr.data.contract_file; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
