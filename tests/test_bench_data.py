"""The benchmarks' own parts: rows in the right shape, answers merged and not lost."""

import json

import pyarrow.parquet as pq

from benchmarks import data
from benchmarks.criteo_rows import write_criteo
from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest


def test_generated_rows_have_criteo_s_shape_and_depend_on_the_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_criteo(tmp_path / name, 3000, seed)
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]
    table = pq.read_table(ingest(tmp_path / "a", load_contract("criteo"), tmp_path).files)
    assert table.num_rows == 3000
    assert len(table["C3"].unique()) > 2000
    assert len(table["C9"].unique()) <= 3
    assert {len(token) for token in table["C3"].unique().to_pylist() if token} == {8}


def test_scale_has_one_entry_a_size_and_other_answers_stay(tmp_path, monkeypatch):
    output = tmp_path / "data.json"
    output.write_text(
        json.dumps(
            {"prepare": {"rows": 1}, "contract": {"rows": 2}, "scale": [{"rows": 7, "minutes": 9}]}
        )
    )
    monkeypatch.setattr(data, "OUTPUT", output)
    for rows in (7, 5):
        monkeypatch.setattr("sys.argv", ["data", "--scale-rows", str(rows)])
        monkeypatch.setattr("benchmarks.bench_scale.measure", lambda rows, _: {"rows": rows})
        data.main()
    answers = json.loads(output.read_text())
    assert answers["prepare"] == {"rows": 1}
    assert answers["contract"] == {"rows": 2}
    assert [entry["rows"] for entry in answers["scale"]] == [5, 7]
    assert all("minutes" not in entry and "hardware" in entry for entry in answers["scale"])
