"""DuckDB over the rows of one account after another: one query, planned once, since planning costs most of it."""

import re
from collections.abc import Mapping

import pyarrow as pa

from features.engines.engine import Frames, as_arrow
from features.tables import Tables


class Single:
    """A session in which queries over temporary tables run anew for each account, by the plans made when it began.

    DuckDB keeps the plan of a prepared query only if no stored table is in it. So the account's rows and the calendar
    come in as Arrow, each read once, and what would be temporary tables are common table expressions.

    Parameters
    ----------
    tables
        The checked tables.
    frames
        Small tables that are the same for all accounts.
    made
        The SELECT of each temporary table, in their order.
    queries
        SELECTs over them, by name.
    """

    def __init__(
        self,
        tables: Tables,
        frames: Frames,
        made: Mapping[str, str],
        queries: Mapping[str, str],
        *,
        memory_gb: float,
    ) -> None:
        self._tables = tables
        self._connection = tables.connect_keyed(threads=1, memory_gb=memory_gb)
        self._rows = {f"raw_{name}": _Rows(self._read(name, 0)) for name in tables.columns}
        given = self._rows | {name: _Rows(as_arrow(frame)) for name, frame in frames.items()}
        for name, rows in given.items():
            self._connection.register(f"given_{name}", rows)
        selects = {name: f"SELECT * FROM given_{name}" for name in given} | dict(made)
        tables_made = ", ".join(f"{name} AS MATERIALIZED ({select})" for name, select in selects.items())
        for name, select in queries.items():
            of_one = re.sub(r"\braw\.", "raw_", f"WITH {tables_made} {select}")
            self._connection.execute(f"PREPARE {name} AS {of_one}")

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def show(self, account_id: str) -> None:
        """Let `raw` show the rows of one account; none where there is no such account."""
        key, _ = self._tables.account_keys(self._connection, account_id)
        for name in self._tables.columns:
            self._rows[f"raw_{name}"].table = self._read(name, key)

    def run(self, query: str) -> pa.Table:
        """The rows of one of the queries."""
        return self._connection.sql(f"EXECUTE {query}").to_arrow_table()

    def _read(self, table: str, key: int) -> pa.Table:
        return self._connection.sql(self._tables.of_account(table, key)).to_arrow_table()


class _Rows:
    """An Arrow table that can be exchanged for another of the same columns after a query over it was planned."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()
