"""An SQLAlchemy dialect for DuckDB whose results outlive their connection.

Great Expectations gives the connection back before it reads the result, and DuckDB drops the rows
with it. So each result is fetched as soon as its statement has run. Great Expectations reads a
few hundred rows at most, so a bounded buffer is enough; whoever reads past it gets an error and
never a result cut short in silence.

    create_engine("duckdb+buffered:///:memory:")    after `register()`
"""

from typing import Any

from duckdb_sqlalchemy import Dialect
from sqlalchemy.dialects import registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.exc import InvalidRequestError

BUFFERED_ROWS = 10_000

URL = "duckdb+buffered:///:memory:"

READ_METADATA_ONCE = "SET parquet_metadata_cache = true"
"""A file of 45 million rows has 20 ms of them, and a validation asks a hundred questions."""


def register() -> None:
    """Make `duckdb+buffered` known to SQLAlchemy. May be called again."""
    registry.register("duckdb.buffered", __name__, "BufferedDialect")


class _BoundedBuffer(FullyBufferedCursorFetchStrategy):
    """Hands out the buffered rows; raises when asked for one that was left in DuckDB."""

    __slots__ = ("_more",)

    def __init__(self, rows: list[tuple], more: bool) -> None:
        super().__init__(None, initial_buffer=rows)
        self._more = more

    def _must_hold(self, rows: int) -> None:
        if self._more and len(self._rowbuffer) < rows:
            raise InvalidRequestError(
                f"The result has more rows than the {BUFFERED_ROWS:,} that are buffered."
            )

    def fetchone(self, result: Any, dbapi_cursor: Any, hard_close: bool = False) -> Any:
        self._must_hold(1)
        return super().fetchone(result, dbapi_cursor, hard_close)

    def fetchmany(self, result: Any, dbapi_cursor: Any, size: int | None = None) -> Any:
        self._must_hold(BUFFERED_ROWS + 1 if size is None else size)
        return super().fetchmany(result, dbapi_cursor, size)

    def fetchall(self, result: Any, dbapi_cursor: Any) -> Any:
        self._must_hold(BUFFERED_ROWS + 1)
        return super().fetchall(result, dbapi_cursor)


class BufferedExecutionContext(Dialect.execution_ctx_cls):
    def post_exec(self) -> None:
        super().post_exec()
        if self.cursor.description:
            rows = self.cursor.fetchmany(BUFFERED_ROWS + 1)
            more = len(rows) > BUFFERED_ROWS
            self.cursor.close()  # its description stays; the rows not fetched are let go
            self.cursor_fetch_strategy = _BoundedBuffer(rows[:BUFFERED_ROWS], more)


class BufferedDialect(Dialect):
    execution_ctx_cls = BufferedExecutionContext
    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        connection = super().connect(*arguments, **options)
        connection.execute(READ_METADATA_ONCE)
        return connection
