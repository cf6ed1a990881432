"""DuckDB inside the process, over the checked tables in the store: the default."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from features.engines.engine import Frames, by_date_and_account
from features.tables.checked import KEYS, Tables
from params import Budget

ALL_ROWS_SEEN = 12  # so many snapshots, a month apart, see about all rows between them
ROWS_A_GB = 30_000_000  # rows of events whose accounts are made at once, for each GB the engine may use


class Embedded:
    """A session of DuckDB with the checked tables as schema `raw`, accounts and users told by whole numbers."""

    def __init__(self, tables: Tables, *, budget: Budget) -> None:
        self._tables = tables
        self._memory_gb = budget.memory_gb
        self._parsed: dict[str, duckdb.Statement] = {}
        self.connection: duckdb.DuckDBPyConnection = tables.connect_keyed(budget=budget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.connection.close()

    def load(self, frames: Frames) -> None:
        """Make temporary tables of small tables, in place of any of the same name."""
        for name, frame in frames.items():
            self.connection.register("incoming", frame)
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
            self.connection.unregister("incoming")

    def ranges(self, snapshots: int) -> Iterator[None]:
        """Show one range of accounts after another, so that memory stays flat and hash tables small.

        A few snapshots see only the rows of their own windows, and planning every statement once more for each range
        would then cost more than the work itself.
        """
        _, accounts = self._tables.account_keys(self.connection)
        rows = sum(self._count(name) for name in self._tables.kept)
        seen = min(1.0, snapshots / ALL_ROWS_SEEN)
        ranges = 1 + int(rows * seen / (ROWS_A_GB * self._memory_gb))
        size = max(1, -(-accounts // ranges))
        for first in range(1, max(accounts, 1) + 1, size):
            self._tables.show_accounts(self.connection, first, first + size - 1)
            yield

    def make(self, statements: Sequence[str]) -> None:
        """Run statements that make and drop temporary tables; each text is parsed once, for however many ranges."""
        for text in statements:
            if text not in self._parsed:
                (self._parsed[text],) = self.connection.extract_statements(text)
            self.connection.execute(self._parsed[text])

    def fetch(self, select: str) -> pa.Table:
        """The rows of a SELECT."""
        return self.connection.sql(select).to_arrow_table()

    def snapshots(self, select: str) -> pa.Table:
        """The rows of a SELECT with accounts by their ids, sorted; keys are in the order of the ids, from 1 on."""
        made = by_date_and_account(self.fetch(select))
        return made.set_column(0, "account_id", self._ids.take(pa.compute.subtract(made["account_id"], 1)))

    @cached_property
    def _ids(self) -> pa.ChunkedArray:
        return self.fetch(f"SELECT account_id FROM stored.{KEYS} ORDER BY account_key")["account_id"]

    def _count(self, table: str) -> int:
        row = self.connection.execute(f"SELECT COUNT(*) FROM stored.{table}").fetchone()
        return int(row[0]) if row else 0
