"""Writing a forecast's tables back into a warehouse: rows are added run by run, and a view shows the newest run.

All of a run is written in one transaction, or nothing. A run that is there already is not written again; one that was
made anew takes the place of what it wrote before.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from features.tables.sql import named
from params import SettingsError
from params_outlets import WarehouseOutlet
from serving.forecast.declared.column import Kind, OutTable
from serving.forecast.refusals import BadRequest

RUNS = "holdfast_run"
CURRENT = "_current"
_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.MONEY: "DOUBLE PRECISION",
    Kind.SHARE: "DOUBLE PRECISION",
    Kind.NUMBER: "DOUBLE PRECISION",
    Kind.DATE: "DATE",
    Kind.TIME: "TIMESTAMP WITH TIME ZONE",
}
RUN_COLUMNS = ("run_id", "as_of", "model_version", "made_at")


@dataclass(frozen=True)
class Tables:
    """The tables of one run: how they are declared, their rows, and the run."""

    declared: Mapping[str, OutTable]
    frames: Mapping[str, pd.DataFrame]
    run: Mapping[str, str]


class Session(Protocol):
    """A transaction in a warehouse."""

    def execute(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement; values stand for `?`."""

    def add(self, table: str, columns: list[str], frame: pd.DataFrame) -> None:
        """Add rows to a table."""


def write_back(outlet: WarehouseOutlet, name: str, tables: Tables, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Write the tables of a run; gives a row a table: `target`, `table`, `rows`, `state`.

    `state` is written, there already, or of a dry run: would be written.

    Parameters
    ----------
    outlet
        Where to.
    name
        How the settings name it.
    tables
        What.
    dry_run
        Look, and change nothing.

    Raises
    ------
    SettingsError
        Its environment variable is empty.
    BadRequest
        The warehouse refuses; nothing was written.
    """
    with _session(outlet, name, read_only=dry_run) as session:
        there = _is_there(session, outlet.schema_name, tables.run)
        state = "there already" if there else "would be written" if dry_run else "written"
        if not there and not dry_run:
            _write(session, outlet.schema_name, tables)
    return [
        {"target": name, "table": table, "rows": len(frame), "state": state} for table, frame in tables.frames.items()
    ]


def _write(session: Session, schema: str, tables: Tables) -> None:
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {named(schema)}")
    runs = f"{named(schema)}.{RUNS}"
    columns = ", ".join(f"{column} VARCHAR" for column in RUN_COLUMNS)
    session.execute(f"CREATE TABLE IF NOT EXISTS {runs} ({columns})")
    for name, frame in tables.frames.items():
        _write_table(session, schema, tables.declared[name], frame, tables.run["run_id"])
    session.execute(f"DELETE FROM {runs} WHERE run_id = ?", (tables.run["run_id"],))
    session.execute(f"INSERT INTO {runs} VALUES (?, ?, ?, ?)", tuple(tables.run[name] for name in RUN_COLUMNS))


def _write_table(session: Session, schema: str, declared: OutTable, frame: pd.DataFrame, run_id: str) -> None:
    table, names = f"{named(schema)}.{named(declared.name)}", list(declared.names)
    types = {column.name: _TYPES[column.kind] for column in declared}
    columns = ", ".join(f"{named(name)} {types[name]}" for name in names)
    session.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    for name in names:  # a figure that was declared since
        session.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {named(name)} {types[name]}")
    session.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
    session.add(table, names, frame[names])
    newest = f"SELECT run_id FROM {named(schema)}.{RUNS} ORDER BY as_of DESC, made_at DESC LIMIT 1"
    view = f"{named(schema)}.{named(declared.name + CURRENT)}"
    session.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {table} WHERE run_id = ({newest})")


def _is_there(session: Session, schema: str, run: Mapping[str, str]) -> bool:
    """Whether this run was written, as it was made last."""
    query = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
    if not session.execute(query, (schema, RUNS)):
        return False
    rows = session.execute(f"SELECT made_at FROM {named(schema)}.{RUNS} WHERE run_id = ?", (run["run_id"],))
    return rows == [(run["made_at"],)]


def _session(outlet: WarehouseOutlet, name: str, *, read_only: bool) -> Any:
    address = os.environ.get(outlet.url, "")
    if not address:
        raise SettingsError(f"write_back.{name}: the environment variable {outlet.url} is empty. Nothing was written.")
    return (_duckdb if outlet.kind == "duckdb" else _postgresql)(address, name, read_only=read_only)


class _DuckDB:
    """A transaction of DuckDB."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        rows: list[tuple[Any, ...]] = self._connection.execute(statement, list(values)).fetchall()
        return rows

    def add(self, table: str, columns: list[str], frame: pd.DataFrame) -> None:
        """Add rows."""
        self._connection.register("added_rows", frame)
        listed = ", ".join(map(named, columns))
        self._connection.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM added_rows")
        self._connection.unregister("added_rows")


class _Postgres:
    """A transaction of PostgreSQL."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        cursor = self._connection.execute(statement.replace("?", "%s"), values or None)
        return cursor.fetchall() if cursor.description else []

    def add(self, table: str, columns: list[str], frame: pd.DataFrame) -> None:
        """Add rows; an empty cell is NULL."""
        rows = frame.astype(object).where(frame.notna(), None)
        listed = ", ".join(map(named, columns))
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} ({listed}) FROM STDIN") as copy:
            for row in rows.itertuples(index=False, name=None):
                copy.write_row(row)


@contextmanager
def _duckdb(address: str, name: str, *, read_only: bool) -> Iterator[Session]:
    import duckdb

    from_nothing = read_only and not Path(address).exists()
    try:
        with duckdb.connect(
            ":memory:" if from_nothing else address, read_only=read_only and not from_nothing
        ) as opened:
            opened.execute("BEGIN")
            yield _DuckDB(opened)
            opened.execute("COMMIT")
    except duckdb.Error as error:
        raise _refused(name, error, address) from None


@contextmanager
def _postgresql(address: str, name: str, *, read_only: bool) -> Iterator[Session]:
    import psycopg

    try:
        with psycopg.connect(address, connect_timeout=10) as connection:
            connection.read_only = read_only
            yield _Postgres(connection)
    except psycopg.Error as error:
        raise _refused(name, error, address) from None


def _refused(name: str, error: Exception, address: str) -> BadRequest:
    """What the warehouse says, without its address."""
    words = str(error).replace(address, "(its address)").splitlines()
    return BadRequest(f"write_back.{name}: the warehouse refuses: {words[0] if words else type(error).__name__}. "
                      "Nothing was written.")  # fmt: skip
