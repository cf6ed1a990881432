"""Checked tables: one DuckDB file in the contract's names and types, with what is known about them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from features import contract

MANIFEST = "holdfast_manifest"


@dataclass(frozen=True)
class Warehouse:
    """Where the tables are that are not kept here.

    `engine` and `url` say how to reach them; `selects` gives for each such table the SELECT, in that engine's SQL, of
    the contract's columns in the contract's types; `first_days` the first day (ISO) that something happened in it.
    """

    engine: str
    url: str
    selects: Mapping[str, str]
    first_days: Mapping[str, str]


@dataclass(frozen=True)
class Tables:
    """Input tables that passed the check.

    `columns` lists, for each table that is there, the columns that are there; `lag_days` how long after its
    event a row without `recorded_at` became known; `data_until` the first day the data do not cover;
    `digest` identifies the content; `fingerprint` identifies the files and settings it was read from;
    `warehouse` tells where the tables are that are not in `database`, if some are not.
    """

    database: Path
    columns: Mapping[str, tuple[str, ...]]
    lag_days: Mapping[str, int]
    data_until: date
    digest: str
    fingerprint: str
    warehouse: Warehouse | None = None

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there with all these columns."""
        return table in self.columns and set(columns) <= set(self.columns[table])

    def connect(self, *, threads: int, memory_gb: float) -> duckdb.DuckDBPyConnection:
        """An in-memory database with these tables attached, read-only, as schema `raw`."""
        connection = duckdb.connect()
        connection.execute(f"SET threads = {threads}")
        connection.execute(f"SET memory_limit = '{memory_gb}GB'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        spill = str(self.database.with_suffix(".spill")).replace("'", "''")
        connection.execute(f"SET temp_directory = '{spill}'")
        connection.execute(f"ATTACH '{str(self.database).replace(chr(39), chr(39) * 2)}' AS raw (READ_ONLY)")
        return connection


def write_manifest(connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
    """Store what is known about the tables in the same database."""
    content = asdict(tables) | {"database": "", "data_until": tables.data_until.isoformat()}
    connection.execute(f"CREATE OR REPLACE TABLE {MANIFEST} (content VARCHAR)")
    connection.execute(f"INSERT INTO {MANIFEST} VALUES (?)", [json.dumps(content, sort_keys=True)])


def open_tables(database: Path) -> Tables:
    """The tables stored in a database file written by `write_manifest`."""
    with duckdb.connect(str(database), read_only=True) as connection:
        row = connection.execute(f"SELECT content FROM {MANIFEST}").fetchone()
    if row is None:
        raise ValueError(f"{database} holds no manifest")
    content = json.loads(row[0])
    return Tables(
        database=database,
        columns={table: tuple(columns) for table, columns in content["columns"].items()},
        lag_days=content["lag_days"],
        data_until=date.fromisoformat(content["data_until"]),
        digest=content["digest"],
        fingerprint=content["fingerprint"],
        warehouse=Warehouse(**content["warehouse"]) if content.get("warehouse") else None,
    )


def content_digest(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, tuple[str, ...]]) -> str:
    """A digest of all rows, whatever their order: the sum of the rows' hashes and their number, per table."""
    parts = []
    for table in sorted(columns):
        row = connection.execute(
            f'SELECT count(*), coalesce(sum(hash("{table}")::HUGEINT), 0) FROM "{table}"'
        ).fetchone()
        parts.append(f"{table}:{','.join(columns[table])}:{row}")
    digest = connection.execute("SELECT sha256(?)", ["\n".join(parts)]).fetchone()
    assert digest is not None
    return str(digest[0])[:16]


def tables_from_frames(
    frames: Mapping[str, pd.DataFrame],
    database: Path,
    *,
    data_until: date,
    lag_days: Mapping[str, int] | None = None,
) -> Tables:
    """Store data frames that already follow the contract, unchecked; `features.source` is the checked way in."""
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        for name, frame in frames.items():
            connection.register("frame", frame)
            connection.execute(f'CREATE TABLE "{name}" AS SELECT {_typed(name, frame)} FROM frame')
            connection.unregister("frame")
        columns = {name: tuple(frame.columns) for name, frame in frames.items()}
        tables = Tables(database, columns, dict(lag_days or {}), data_until, "", "")
        tables = replace(tables, digest=content_digest(connection, columns))
        write_manifest(connection, tables)
    return tables


def _typed(name: str, frame: pd.DataFrame) -> str:
    types = {column.name: column.type.sql for column in contract.TABLES[name]}
    return ", ".join(f'CAST("{column}" AS {types.get(column, "VARCHAR")}) AS "{column}"' for column in frame.columns)
