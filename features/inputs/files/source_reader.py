"""Users' SQL: it runs on a connection of its own, which sees the source alone and writes nothing.

Queries of the settings and views of a database are code that others wrote. Three things are asked of each before it
runs. It is one statement of DuckDB's type SELECT. It stands within another SELECT, where DuckDB takes none that
changes data: `WITH x AS (COPY ... TO ...) SELECT` is of type SELECT, too. And no step of its plan is one of `REFUSED`,
which sees into views and macros. What it gives crosses to other connections as a stream of Arrow.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from features.tables.database import open_confined
from features.tables.problems import CannotOpen, Finding
from features.tables.sql import named, quoted
from params import Budget, Source

DATABASE = "source_database"
BATCH_ROWS = 100_000
REFUSED = frozenset({
    *("JSON_EXECUTE_SERIALIZED_SQL",),  # runs any statement, on a connection of its own
    *("COPY_TO_FILE", "BATCH_COPY_TO_FILE", "COPY_DATABASE"),
    *("INSERT", "BATCH_INSERT", "UPDATE", "DELETE", "MERGE_INTO"),
    *("CREATE_EXTERNAL_RESOURCE", "REGISTER_EXTERNAL_RESOURCE", "REGISTER_EXTERNAL_RESOURCE_TYPE"),
    *("DEREGISTER_EXTERNAL_RESOURCE", "DESTROY_EXTERNAL_RESOURCE", "CHECKPOINT", "FORCE_CHECKPOINT"),
    *("ENABLE_LOGGING", "DISABLE_LOGGING", "ENABLE_PROFILING", "DISABLE_PROFILING", "TRUNCATE_DUCKDB_LOGS"),
    *("ARROW_SCAN", "ARROW_SCAN_DUMB", "PANDAS_SCAN", "PYTHON_ARROW_SCAN", "PYTHON_MAP_FUNCTION"),  # of raw memory
})  # fmt: skip


class NotOneSelect(duckdb.Error):
    """SQL that is more, or else, than one SELECT; the message says what it is."""


@dataclass(frozen=True)
class Rows:
    """The rows of a SELECT that was found harmless, read anew as often as they are asked for.

    DuckDB's `register` takes it; the rows cross in batches, so that memory does not grow with them.
    """

    connection: duckdb.DuckDBPyConnection
    select: str

    def only(self, columns: Iterable[str]) -> Self:
        """The same rows with some of their columns."""
        return replace(self, select=f"SELECT {', '.join(map(named, columns))} FROM ({self.select})")

    def show_in(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Let another connection read them under a name, in place of any that it had."""
        connection.complete()  # DuckDB registers nothing while a row of the last statement has not been asked for
        connection.register(name, self)

    def __arrow_c_schema__(self) -> object:
        return self._stream(f"{self.select} LIMIT 0").schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._stream(self.select).__arrow_c_stream__(requested_schema)

    def _stream(self, select: str) -> pa.RecordBatchReader:
        stream: pa.RecordBatchReader = self.connection.sql(select).to_arrow_reader(BATCH_ROWS)
        return stream


class SourceReader:
    """What a source's queries and views run on; opened when it is first needed.

    Parameters
    ----------
    source
        Where it is, and what else it may see (`source.outside`).
    budget
        Threads and memory of it and of the connection that it is read for: it takes its `share`.
    working
        A folder for what does not fit into memory.
    readable
        Further files and folders that it may see.
    """

    def __init__(self, source: Source, budget: Budget, working: Path, readable: Sequence[Path] = ()) -> None:
        self._source, self._budget, self._working = source, share(budget, source), working
        folder = [source.path] if source.path is not None and source.kind != "duckdb" else []
        self._readable = [*folder, *source.outside, *readable]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what `rows` gave cannot be read any more."""
        opened = self.__dict__.pop("connection", None)
        if opened is not None:
            opened.close()

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection, with the source's database attached, if it is one, and its tables named as they are."""
        database = self._source.path if self._source.kind == "duckdb" else None
        spill = self._working / "source.spill"
        try:
            return open_confined(self._budget, self._readable, spill, database=database, name=DATABASE)
        except duckdb.Error as error:
            what = f"{database} cannot be opened as a DuckDB database: {str(error).strip().splitlines()[0].rstrip('.')}"
            todo = "Give a database file, or source.kind: files for a folder."
            raise CannotOpen(Finding("source.path", what, todo)) from None

    def rows(self, query: str) -> Rows:
        """The rows of a query of the settings, or of a SELECT from a view.

        Raises
        ------
        duckdb.Error
            It is not one SELECT, or cannot be run, or would do more than read.
        """
        return harmless(self.connection, query)


def share(budget: Budget, source: Source) -> Budget:
    """What each of two connections may use, where a source's own SQL runs on one of its own."""
    has_sql = source.kind == "duckdb" or any(setting.query for setting in source.tables.values())
    return replace(budget, memory_gb=budget.memory_gb / 2) if has_sql and source.engine == "duckdb" else budget


def harmless(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    """The rows of a query once all that is asked of one has been asked; nothing of it has run.

    Raises
    ------
    duckdb.Error
        It is not one SELECT, or cannot be run, or would do more than read.
    """
    require_one_select(connection, query)
    select = f"SELECT * FROM ({query}\n)"  # it may end with a comment
    require_one_select(connection, select)
    plans = connection.execute(f"EXPLAIN (FORMAT json) {select}").fetchall()
    steps = {step for _, plan in plans for step in _steps(json.loads(plan))}
    if refused := sorted(steps & REFUSED):
        raise NotOneSelect(f"it does more than read ({', '.join(refused).lower()})")
    return Rows(connection, select)


def require_one_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise where a text is not one statement of DuckDB's type SELECT.

    Raises
    ------
    duckdb.Error
        It is none, or cannot be parsed.
    """
    kinds = [statement.type.name for statement in connection.extract_statements(query)]
    if kinds != ["SELECT"]:
        what = f"it is {kinds[0]}" if len(kinds) == 1 else f"it holds {len(kinds)} statements"
        more = ": give the values of a PIVOT after IN" if kinds == ["MULTI"] else ""
        raise NotOneSelect(f"{what}, not one SELECT{more}")


def bring_rejects(rows: Rows, connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Copy what DuckDB set aside of the CSV files that a query names, for `csv_files.rejected`."""
    for name in (f"rejects_{table}", f"scans_{table}"):
        if rows.connection.execute(f"FROM duckdb_tables() WHERE table_name = {quoted(name)}").fetchall():
            connection.complete()
            connection.register("set_aside", rows.connection.sql(f"FROM {name}").to_arrow_table())
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM set_aside")
            connection.unregister("set_aside")


def is_within(file: Path, places: Iterable[Path]) -> bool:
    """Whether a file is one of some files, or lies below one of some folders; links are not followed."""
    there = Path(os.path.abspath(file))  # noqa: PTH100, `resolve` would follow links
    return any(there.is_relative_to(os.path.abspath(place)) for place in places)  # noqa: PTH100


def _steps(plan: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The names of all steps of a plan."""
    for step in plan:
        yield str(step["name"]).strip()
        yield from _steps(step["children"])
