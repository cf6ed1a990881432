"""DuckDB as every part of the project opens it: within a budget, and with nothing left to the machine it runs on."""

from pathlib import Path

import duckdb

from features.tables.sql import quoted
from params import Budget


def open_duckdb(
    budget: Budget, database: Path | None = None, *, spill: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a database within a budget.

    Parameters
    ----------
    budget
        Threads and memory that it may use; results do not depend on them.
    database
        The file; None for a database in memory.
    spill
        The folder for what does not fit into memory; None for DuckDB's own choice.
    """
    connection = duckdb.connect(str(database or ":memory:"))
    connection.execute(f"SET threads = {budget.threads}")
    connection.execute(f"SET memory_limit = '{budget.memory_gb}GB'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    if spill is not None:
        connection.execute(f"SET temp_directory = {quoted(str(spill))}")
    return connection
