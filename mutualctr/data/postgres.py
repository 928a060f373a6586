"""A PostgreSQL table as a stream of Arrow batches, through ADBC.

    postgresql://user@host:port/database?table=schema.clicks&order_by=id

The password comes from PGPASSWORD or ~/.pgpass and stands in no configuration. Count and rows are
read in one snapshot of the database, so they agree although others write.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from mutualctr.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SCHEME = "postgresql"
BATCH_BYTES = 16 << 20
"""About as many bytes come at once."""


@dataclass(frozen=True)
class Table:
    """A table, and the column whose order its rows are read in (a stored table has none)."""

    server: str
    """Address of the database, without a password."""
    table: str
    order_by: str

    @property
    def name(self) -> str:
        return f"{self.server}?table={self.table}"


def holds_password(address: str) -> bool:
    """Whether an address gives a secret away to everybody who sees it."""
    if "://" not in address:
        return False
    parts = urlsplit(address)
    return parts.password is not None or "password" in parse_qs(parts.query, True)


def parse_table(address: str) -> Table:
    """Read the address; DataError says what is missing and never repeats a password.

    Raises it as well where the driver is not installed.
    """
    parts = urlsplit(address)
    shown = f"{SCHEME}://…@{parts.hostname or ''}{parts.path}"
    options = parse_qs(parts.query, keep_blank_values=True)
    if holds_password(address):
        raise DataError(
            f"{shown}: the address holds a password; take it out and set PGPASSWORD or ~/.pgpass."
        )
    for option in ("table", "order_by"):
        if len(options.get(option, [])) != 1 or not options[option][0]:
            raise DataError(
                f"{shown}: the address must end in ?table=NAME&order_by=COLUMN; give `{option}` "
                "once (the column that numbers the rows or tells their time)."
            )
    strange = sorted(set(options) - {"table", "order_by"})
    if strange:
        raise DataError(
            f"{shown}: `{strange[0]}` is not an option of the address (table, order_by); settings "
            "of the connection go into the environment, such as PGSSLMODE."
        )
    if find_spec("adbc_driver_postgresql") is None:
        raise DataError(
            f"{shown} needs the package adbc-driver-postgresql; run "
            "`pip install 'mutualctr[postgresql]'`."
        )
    server = urlunsplit((SCHEME, parts.netloc, parts.path, "", ""))
    return Table(server, options["table"][0], options["order_by"][0])


@contextmanager
def reading(table: Table, columns: list[str]) -> "Iterator[tuple[int, Iterator[pa.RecordBatch]]]":
    """(number of rows, batches of the named columns in the table's order), of one snapshot.

    Raises DataError: the server refuses, there is no such table or column.
    """
    import adbc_driver_postgresql.dbapi as driver
    import pyarrow as pa
    from adbc_driver_postgresql import StatementOptions

    chosen = ", ".join(_quoted(name) for name in columns)
    place = ".".join(_quoted(part) for part in table.table.split("."))
    order = _quoted(table.order_by)
    try:
        with driver.connect(table.server) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SELECT count(*), count({order}) FROM {place}")
            rows, ordered = cursor.fetchone()
            if ordered != rows:
                raise DataError(
                    f"{table.name}: {rows - ordered:,} rows have no {table.order_by}, so their "
                    "order is not known; order by a column that is never missing."
                )
            cursor.adbc_statement.set_options(
                **{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
            )
            cursor.execute(f"SELECT {chosen} FROM {place} ORDER BY {order}")
            yield rows, iter(cursor.fetch_record_batch())
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise DataError(
            f"{table.name}: the database refuses ({_reason(error)}); check the address, "
            "PGPASSWORD or ~/.pgpass, and that the table has the contract's columns."
        ) from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _reason(error: Any) -> str:
    text = " ".join(str(error).split())[:300].rstrip(".")
    secret = os.environ.get("PGPASSWORD")
    return text.replace(secret, "…") if secret else text
