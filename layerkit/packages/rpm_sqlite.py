"""rpm's database in SQLite. In: the file's bytes. Out: the packages' headers.

The bytes are an image author's, so that SQLite may do no more than read the rows of one table: no functions, views, virtual
tables or extensions, no more than a bounded number of steps, nothing larger than the file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from layerkit.packages.rpm_database import MAX_HEADERS, DatabaseError

_BEGINS = b"SQLite format 3\0"
_TABLE = "Packages"
_SCHEMA_STEPS = 20_000
"""Instructions of SQLite's machine to learn of the tables: about 10 for each, and rpm's has 50, with indexes."""
_ROW_STEPS = 1_000_000
"""Instructions to read the rows: 3 for each."""
_BETWEEN = 1000
"""Instructions between two times that SQLite asks whether to go on."""
_MAX_COLUMNS, _MAX_SQL = 16, 4096
"""Of a table, and characters that define one: rpm's have three columns at most."""
_WRITE_AHEAD = b"\2\2"
"""Versions of a file that has a write-ahead log, which bytes in memory can't have."""


def headers(data: bytes) -> Iterator[bytes]:
    """Raises DatabaseError, also after some of them."""
    if not data.startswith(_BEGINS):
        raise DatabaseError(f"expected {_BEGINS!r} at its beginning, found {data[: len(_BEGINS)]!r}")
    if data[18:20] == _WRITE_AHEAD:
        data = data[:18] + b"\1\1" + data[20:]
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            _confine(database, len(data))
            database.deserialize(data)
            _allow_steps(database, _SCHEMA_STEPS)
            database.execute("SELECT 1 FROM sqlite_master LIMIT 0")  # reads the schema
            database.set_authorizer(_allowed)
            _allow_steps(database, _ROW_STEPS)
            for number, (blob,) in enumerate(database.execute(f"SELECT blob FROM {_TABLE}")):  # noqa: S608 - a constant
                if number >= MAX_HEADERS:
                    raise DatabaseError(f"more than {MAX_HEADERS:,} packages")
                if isinstance(blob, bytes):
                    yield blob
        except (sqlite3.Error, MemoryError, UnicodeError, AttributeError) as error:
            # Errors of memory and text are how Python tells of damage; it may be built without deserialize.
            raise DatabaseError(f"SQLite can't read it: {error}") from None


def _confine(database: sqlite3.Connection, size: int) -> None:
    database.text_factory = bytes
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(size, 1 << 20))
    database.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, _MAX_COLUMNS)
    database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MAX_SQL)
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
        database.execute(f"PRAGMA {pragma}")


def _allow_steps(database: sqlite3.Connection, steps: int) -> None:
    calls = iter(range(steps // _BETWEEN))
    database.set_progress_handler(lambda: next(calls, None) is None, _BETWEEN)


def _allowed(action: int, table: str | None, column: str | None, database: str | None, view: str | None) -> int:
    reads = action == sqlite3.SQLITE_READ and table == _TABLE and view is None
    return sqlite3.SQLITE_OK if reads or action == sqlite3.SQLITE_SELECT else sqlite3.SQLITE_DENY
