"""The split as tasks per file equals the split of one machine; the tasks run in this process."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process_spark import Here
from test_split import X4, given_files

from mutualctr.config import SplitConfig
from mutualctr.data import split as one_machine
from mutualctr.data.contract_file import load_contract
from mutualctr.data.event_files import FILES_RECORD, file_name
from mutualctr.data.on_spark import ranks, split
from mutualctr.errors import DataError

AVAZU, CRITEO = load_contract("avazu"), load_contract("criteo")


def write_files(folder, hours_N, spoilt_N):
    """Events of several source files, each with malformed rows in front."""
    files, record, row = folder / "files", [], 1
    files.mkdir()
    for number, (hours, spoilt) in enumerate(zip(hours_N, spoilt_N, strict=True)):
        rows = np.arange(row + spoilt, row + spoilt + len(hours))
        table = pa.table({"row": rows, "hour": pa.array(hours, pa.int64())})
        pq.write_table(table, files / file_name(number), row_group_size=7)
        record.append(
            {"file": f"{number}", "first_row": row, "rows": len(hours), "malformed": spoilt}
        )
        row += len(hours) + spoilt
    (folder / FILES_RECORD).write_text(json.dumps(record))
    return files


NUMBER = st.integers(-(10**12), 10**12)
HOURS = np.array([14102100, 14102101, 14102110, 14102301, 14102302, 14110100, 13010100])
SPLITS = [
    {"by": "hash"},
    {"by": "hash", "id": "hour"},
    {"by": "random", "seed": 3},
    {"by": "time"},
    {"by": "time", "gap": 3},
    {"by": "time", "gap": 2},
]


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) > 9),
    spoilt_N=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    aside=st.sets(st.integers(0, 99), max_size=8),
    config=st.sampled_from(SPLITS),
    contract=st.sampled_from([AVAZU, CRITEO]),
    seed=st.integers(0, 99),
)
def test_equals_one_machine(sizes, spoilt_N, aside, config, contract, seed, tmp_path_factory):
    random = np.random.default_rng(seed)
    hours_N = [HOURS[random.integers(len(HOURS), size=size)] for size in sizes]
    folder = tmp_path_factory.mktemp("split")
    files = write_files(folder, hours_N, spoilt_N[: len(hours_N)])
    row_R = np.concatenate([pq.read_table(f)["row"].to_numpy() for f in sorted(files.iterdir())])
    aside = np.array(sorted(row_R[position] for position in aside if position < len(row_R)), int)
    outcomes = []
    for name, run in (("one", one_machine.split), ("tasks", split.split)):
        (folder / name).mkdir()
        session = () if name == "one" else (Here(),)
        try:
            run(*session, files, contract, SplitConfig(**config), folder / name, aside)
            outcomes.append((folder / name / "parts.npy").read_bytes())
        except DataError as error:
            outcomes.append(str(error))
        leftover = {path.name for path in (folder / name).iterdir()} - {"parts.npy"}
        assert not leftover
    assert outcomes[0] == outcomes[1]


@given(
    values_N=st.lists(st.lists(NUMBER, max_size=20), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_rank_is_found_by_counting(values_N, data):
    values = sorted(value for values in values_N for value in values)
    if not values:
        return
    rank = data.draw(st.integers(0, len(values) - 1))
    arrays = [np.array(values, np.int64) for values in values_N]
    (found,) = ranks.value_at(Here(), lambda array: array, arrays, [rank])
    assert found == ranks.Boundary(values[rank], sum(value < values[rank] for value in values))


def test_no_task_imports_what_it_does_not_need():
    """A gigabyte an executor, and seconds of every first task."""
    modules = ("values", "encode", "split", "history", "ingest", "ranks", "files", "tasks")
    names = ", ".join(f"mutualctr.data.on_spark.{module}" for module in modules)
    heavy = "{'torch', 'great_expectations', 'mlflow', 'pyspark'}"
    code = f"import sys, {names}, mutualctr.data.offenders; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_given_files_are_the_parts_here_too(tmp_path):
    events, config = given_files(tmp_path, X4)
    aside = np.array([2])
    outcomes = []
    for name, run, session in (
        ("one", one_machine.split, ()),
        ("tasks", split.split, (Here(),)),
    ):
        (tmp_path / name).mkdir()
        rows = run(*session, events, CRITEO, config, tmp_path / name, aside)
        outcomes.append((rows, (tmp_path / name / "parts.npy").read_bytes()))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0]["set_aside"] == 1
    events, config = given_files(tmp_path / "wrong", X4, wrong_md5="dev")
    with pytest.raises(DataError, match="the dev file of the split has md5"):
        split.split(Here(), events, CRITEO, config, tmp_path / "tasks", aside)


def test_a_row_without_a_time_is_named_by_its_number(tmp_path):
    files = write_files(tmp_path, [[14102100] * 12, [14102101, None]], [0, 2])
    for run, session in ((one_machine.split, ()), (split.split, (Here(),))):
        with pytest.raises(DataError, match="Row 16 has no hour"):
            run(*session, files, AVAZU, SplitConfig(by="time"), tmp_path, np.empty(0, int))
