"""DuckDB inside the process, over the checked tables in the store: the default."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import pyarrow as pa

from features.engines.engine import Frames
from features.tables import Tables


class Embedded:
    """A session of DuckDB with the checked tables attached as schema `raw`."""

    def __init__(self, tables: Tables, *, threads: int, memory_gb: float) -> None:
        self._connection = tables.connect(threads=threads, memory_gb=memory_gb)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def load(self, frames: Frames) -> None:
        """Make temporary tables of small tables, in place of any of the same name."""
        for name, frame in frames.items():
            self._connection.register("incoming", frame)
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
            self._connection.unregister("incoming")

    def make(self, statements: Sequence[str]) -> None:
        """Run statements that make and drop temporary tables."""
        for statement in statements:
            self._connection.execute(statement)

    def fetch(self, select: str) -> pa.Table:
        """The rows of a SELECT."""
        return self._connection.sql(select).to_arrow_table()
