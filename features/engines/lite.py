"""SQLite in memory, for a few rows: a step over them takes microseconds there, and many times that elsewhere."""

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from features.engines import dialects
from features.engines.engine import Frames, as_arrow
from features.tables.sql import named

CACHED_STATEMENTS = 1_000  # more than there are
ALL_BITS = (1 << 64) - 1


class Lite:
    """A session of SQLite; days and moments are microseconds since 1970, flags 0 or 1.

    Tables stay from one account to the next and are filled anew, so that every statement is planned once.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
        )
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA secure_delete = OFF")
        self._connection.create_aggregate("BIT_OR", 1, _BitOr)  # type: ignore[arg-type]
        for name, function in (("BIT_COUNT", _bit_count), ("FLOOR", math.floor), ("LOWER", str.lower)):
            self._connection.create_function(name, 1, _of_known(function), deterministic=True)
        self._filling: dict[str, str] = {}
        self._selects: dict[str, str] = {}

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def load(self, frames: Frames) -> None:
        """Make small tables that stay as they are."""
        for name, frame in frames.items():
            table = as_arrow(frame)
            self.declare(name, table.schema.names)
            self.fill(name, zip(*(column.to_pylist() for column in table.columns), strict=True))
            columns = ", ".join(map(named, table.schema.names))
            self._connection.execute(f"CREATE INDEX {name}_by_all ON {named(name)} ({columns})")

    def declare(self, name: str, columns: Sequence[str]) -> None:
        """Make a table for `fill`; its columns have no types, so that values stay as they are given."""
        self._connection.execute(f"CREATE TABLE {named(name)} ({', '.join(map(named, columns))})")
        self._filling[name] = f"VALUES ({', '.join('?' * len(columns))})"

    def fill(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Let a table hold these rows only."""
        self._connection.execute(f"DELETE FROM {named(name)}")
        self._connection.executemany(f"INSERT INTO {named(name)} {self._filling[name]}", rows)

    def make(self, statements: Iterable[dialects.Statement]) -> None:
        """Run statements of the core; what one of them drops stays, to be filled anew.

        Raises
        ------
        OverflowError
            A sum of whole numbers has more than 64 bits.
        """
        for name, select in ((statement.makes, statement.select) for statement in statements):
            if select is None:
                continue
            if name not in self._filling:
                translated = dialects.translate(select, dialects.LITE)
                self.declare(name, _columns(self._connection.execute(f"{translated} LIMIT 0")))
                self._filling[name] = translated
            self._refill(name)

    def _refill(self, name: str) -> None:
        self._connection.execute(f"DELETE FROM {named(name)}")
        try:
            self._connection.execute(f"INSERT INTO {named(name)} {self._filling[name]}")
        except sqlite3.OperationalError as error:
            if "overflow" in str(error):
                raise OverflowError(f"a sum in {name} has more than 64 bits") from None
            raise

    def fetch(self, select: str, types: Sequence[pa.DataType] | None = None) -> pa.Table:
        """The rows of a SELECT of the core, in these types or else in those of the values."""
        if select not in self._selects:
            self._selects[select] = dialects.translate(select, dialects.LITE)
        cursor = self._connection.execute(self._selects[select])
        columns = _columns(cursor)
        return as_table(cursor.fetchall(), columns, types or [None] * len(columns))


def as_table(rows: Sequence[tuple[Any, ...]], names: Sequence[str], types: Sequence[pa.DataType | None]) -> pa.Table:
    """Rows as Arrow."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(cells, kind) for cells, kind in zip(columns, types, strict=True)], names=list(names))


def _columns(cursor: sqlite3.Cursor) -> list[str]:
    return [column[0] for column in cursor.description]


class _BitOr:
    """The aggregate that SQLite lacks; NULL where there is nothing known."""

    def __init__(self) -> None:
        self._bits: int | None = None

    def step(self, bits: int | None) -> None:
        """Take one more value."""
        if bits is not None:
            self._bits = bits if self._bits is None else self._bits | bits

    def finalize(self) -> int | None:
        """What all values make."""
        return self._bits


def _bit_count(bits: int) -> int:
    return (bits & ALL_BITS).bit_count()


def _of_known(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, but NULL of NULL."""
    return lambda value: None if value is None else function(value)
