"""People's calls that were written here, put among those that the company brings.

They become known when they were written, and those on or after the day where the data end are left out: writing a call
moves that day no more than it adds to what was known before.
"""

import hashlib
from dataclasses import replace

import duckdb
import pandas as pd

from features.tables import contract
from features.tables.checked import KEYS, Tables, write_table
from features.tables.sql import named, quoted

TABLE = contract.TABLES["calls"]
COLUMNS = (*(name for name in TABLE.names if name not in ("reason", "superseded_by", "recorded_at")), "recorded_at")
_ROWS = "written_calls"


def calls_digest(calls: pd.DataFrame) -> str:
    """Identifies calls by what they say."""
    return hashlib.sha256(calls.to_json(orient="split", date_format="iso").encode()).hexdigest()[:16]


def with_written_calls(connection: duckdb.DuckDBPyConnection, tables: Tables, calls: pd.DataFrame | None) -> Tables:
    """Add calls to the stored table `calls`, or make it; gives the tables with its columns.

    Where tables stay in a warehouse, or accounts are rolled up by hierarchies that changed, none are added.

    Parameters
    ----------
    connection
        An in-memory database.
    tables
        As stored, with the day where they end.
    calls
        `COLUMNS`, in the contract's units; of accounts that the tables do not have, none are added.
    """
    if calls is None or calls.empty or tables.hierarchies or tables.warehouse is not None:
        return tables
    connection.execute(f"ATTACH {quoted(str(tables.database))} AS made")
    connection.register(_ROWS, calls)
    columns = _merge(connection, tables)
    if columns:
        connection.execute("DROP TABLE IF EXISTS made.calls")
        write_table(connection, "calls", columns, "SELECT * FROM all_calls")
    connection.execute("DROP TABLE all_calls")
    connection.unregister(_ROWS)
    connection.execute("DETACH made")
    return replace(tables, columns={**tables.columns, "calls": columns}) if columns else tables


def _merge(connection: duckdb.DuckDBPyConnection, tables: Tables) -> tuple[str, ...]:
    """Put brought and written calls together in `all_calls`; gives its columns, none where nothing is added."""
    cells = ", ".join(f"CAST({named(name)} AS {TABLE.column(name).type.sql}) AS {named(name)}" for name in COLUMNS)
    written = f"""
        SELECT {cells} FROM {_ROWS} w
        WHERE account_id IN (SELECT account_id FROM made.{KEYS})
          AND CAST(called_on AS DATE) < DATE {quoted(tables.data_until.isoformat())}"""
    brought = tables.columns.get("calls", ())
    both = f"SELECT {', '.join(map(named, brought))} FROM made.calls UNION ALL BY NAME {written}"
    select = both if brought else written
    connection.execute(f"CREATE OR REPLACE TEMP TABLE all_calls AS {select}")
    if not connection.execute(f"SELECT count(*) FROM ({written})").fetchall()[0][0]:
        return ()
    return (*brought, *(name for name in COLUMNS if name not in brought))
