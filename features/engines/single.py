"""One account after another, each by the statements that make the snapshots of all.

A step of DuckDB takes about a tenth of a millisecond, however few the rows, and there are some seven hundred. So the
work tables of an account are made in SQLite, of the rows that DuckDB reads for it; what is computed of them, with last
divisions and numbers of more than 64 bits, DuckDB does in a single step. An account with very many rows, or with sums
that outgrow 64 bits, is left to DuckDB altogether.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pyarrow as pa
from sqlglot import exp

from features.engines import dialects
from features.engines.embedded import Embedded
from features.engines.engine import Frames
from features.engines.lite import Lite, as_table
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget

MANY_ROWS = 30_000  # with about so many DuckDB is faster, though it plans every statement anew


@dataclass(frozen=True)
class Steps:
    """What makes a snapshot, in the SQL of the core.

    Parameters
    ----------
    frames
        Small tables that are the same for all accounts.
    statements
        What makes the work tables.
    parts
        The work tables whose columns a snapshot is computed of.
    joined
        FROM clause that joins them; but for `account_id` and `k`, no two of their columns have the same name.
    computed
        SELECT of the snapshot from `parts`, a table with all those columns.
    """

    frames: Frames
    statements: Sequence[str]
    parts: Sequence[str]
    joined: str
    computed: str


class Single:
    """A session in which the statements run anew for each account; all is planned once, when it begins.

    Parameters
    ----------
    tables
        The checked tables.
    steps
        What makes a snapshot.
    budget
        What DuckDB may use.
    """

    def __init__(self, tables: Tables, steps: Steps, *, budget: Budget) -> None:
        self._tables, self._steps = tables, steps
        self._duck = Embedded(tables, budget=replace(budget, threads=1))
        self._duck.load(steps.frames)
        self._lite = Lite()
        self._lite.load(steps.frames)
        self._statements = [dialects.parse(statement) for statement in steps.statements]
        self._prepare_reads()
        self._all_by_duckdb(0)
        self._prepare_snapshot()
        self._lite.make(self._statements)

    def close(self) -> None:
        """End the session."""
        self._duck.connection.close()
        self._lite.close()

    def show(self, account_id: str) -> None:
        """Make the work tables of one account; they are empty where there is no such account."""
        key, _ = self._tables.account_keys(self._duck.connection, account_id)
        rows = {name: self._read(f"{name}({key})") for name in self._own}
        few = all(len(account_rows) <= MANY_ROWS for account_rows in rows.values())
        self._in_sqlite = few and self._all_by_sqlite(rows)
        if not self._in_sqlite:
            self._all_by_duckdb(key)

    def fetch(self, select: str) -> pa.Table:
        """The rows of a SELECT over the work tables."""
        return self._lite.fetch(select) if self._in_sqlite else self._duck.fetch(select)

    def snapshot(self) -> pa.Table:
        """The rows of the snapshot."""
        if not self._in_sqlite:
            return self._duck.fetch(f"WITH parts AS ({self._parts}) {self._steps.computed}")
        self._given.table = self._lite.fetch(self._parts, self._given.table.schema.types)
        rows = self._duck.connection.execute("EXECUTE snapshot").fetchall()  # as Arrow it would take twice as long
        return as_table(rows, self._schema.names, self._schema.types)

    def _all_by_sqlite(self, rows: Mapping[str, list[tuple[Any, ...]]]) -> bool:
        """Make the work tables of an account's rows in SQLite; False where a sum outgrows its 64 bits."""
        for name, account_rows in rows.items():
            self._lite.fill(f"raw_{name}", account_rows)
        try:
            self._lite.make(self._statements)
        except OverflowError:
            return False
        return True

    def _all_by_duckdb(self, key: int) -> None:
        """Make the work tables of an account in DuckDB."""
        self._tables.show_accounts(self._duck.connection, key, key)
        self._duck.make(
            [f"DROP TABLE IF EXISTS {statement.makes}" for statement in self._statements if statement.makes]
        )
        self._duck.make(self._steps.statements)

    def _prepare_reads(self) -> None:
        """Make the tables of an account's rows in SQLite, plan what is read of each, and read those of no account."""
        conditions, read_columns = _seen(self._statements), _named_columns(self._statements)
        self._own = [name for name in conditions if self._tables.has(name, "account_id")]
        for name, condition in conditions.items():
            kinds = self._kinds(self._tables.rows(name, "0"))
            kinds = {column: kind for column, kind in kinds.items() if column in read_columns}
            columns = ", ".join(_plain(column, kind) for column, kind in kinds.items())
            rows = f"({self._tables.rows(name, '$1')}) account_rows WHERE {condition}"
            self._duck.connection.execute(f"PREPARE read_{name} AS SELECT {columns} FROM {rows}")
            self._lite.declare(f"raw_{name}", list(kinds))
            if name not in self._own:
                self._lite.fill(f"raw_{name}", self._duck.connection.execute(f"EXECUTE read_{name}").fetchall())

    def _prepare_snapshot(self) -> None:
        """Plan what is computed of the parts; they come as Arrow, since no plan with a stored table in it is kept."""
        there = {
            name: (table, kind)
            for table in reversed(self._steps.parts)
            for name, kind in self._kinds(f"FROM {table}").items()
        }
        columns = ", ".join(f"{table}.{named(name)} AS {named(name)}" for name, (table, _) in there.items())
        self._parts = f"SELECT {columns} FROM {self._steps.joined}"
        self._given = _Rows(pa.schema([(name, _transport(kind)) for name, (_, kind) in there.items()]).empty_table())
        self._duck.connection.register("given_parts", self._given)
        typed = ", ".join(f"{_typed(name, kind)} AS {named(name)}" for name, (_, kind) in there.items())
        computed = f"WITH parts AS (SELECT {typed} FROM given_parts) {self._steps.computed}"
        self._duck.connection.execute(f"PREPARE snapshot AS {computed}")
        self._schema = self._duck.fetch("EXECUTE snapshot").schema

    def _kinds(self, select: str) -> dict[str, str]:
        """Columns of a SELECT and their types in DuckDB."""
        rows = self._duck.connection.execute(f"DESCRIBE {select}").fetchall()
        return {name: kind for name, kind, *_ in rows}

    def _read(self, table: str) -> list[tuple[Any, ...]]:
        """The account's rows, but not many more than `MANY_ROWS`."""
        return self._duck.connection.execute(f"EXECUTE read_{table}").fetchmany(MANY_ROWS + 1)


class _Rows:
    """An Arrow table that can be exchanged for another of the same columns after a query over it was planned."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()


def _seen(statements: Iterable[dialects.Statement]) -> dict[str, str]:
    """For each raw table that some of the statements read, the condition on a row that one of them can see."""
    conditions: dict[str, dict[str, None]] = defaultdict(dict)
    for table in chain.from_iterable(
        statement.select.find_all(exp.Table) for statement in statements if statement.select
    ):
        if table.db == "raw":
            conditions[table.name][_condition(table)] = None
    return {name: " OR ".join(f"({condition})" for condition in choices) for name, choices in conditions.items()}


def _named_columns(statements: Iterable[dialects.Statement]) -> set[str]:
    """All columns that some statements name; no other is read."""
    columns = (statement.select.find_all(exp.Column) for statement in statements if statement.select)
    return {column.name for column in chain.from_iterable(columns)}


def _condition(table: exp.Table) -> str:
    """The condition of the SELECT that reads a table, if it reads that alone."""
    reading = table.find_ancestor(exp.Select)
    if reading is None or reading.args.get("joins") or reading.args.get("where") is None:
        return "TRUE"
    return str(reading.args["where"].this.sql(dialect=dialects.CORE))


def _plain(column: str, kind: str) -> str:
    """A column of the checked tables as SQLite takes it."""
    if kind in ("DATE", "TIMESTAMP"):
        return f"epoch_us({named(column)})"
    return f"CAST({named(column)} AS DOUBLE)" if kind.startswith("DECIMAL") else named(column)


def _transport(kind: str) -> pa.DataType:
    """In what type the values of a column of DuckDB's come back from SQLite."""
    if kind == "VARCHAR":
        return pa.string()
    return pa.float64() if kind == "DOUBLE" or kind.startswith("DECIMAL") else pa.int64()


def _typed(column: str, kind: str) -> str:
    """A column that came back from SQLite, in its type."""
    moment = kind in ("DATE", "TIMESTAMP")
    return f"CAST({f'make_timestamp({named(column)})' if moment else named(column)} AS {kind})"
