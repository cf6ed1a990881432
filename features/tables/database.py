"""DuckDB as every part of the project opens it: within a budget, and with nothing left to the machine it runs on."""

import errno
from pathlib import Path

import duckdb

from features.tables.problems import DiskFull
from features.tables.sql import quoted
from params import Budget

_NO_SPACE = ("No space left on device", "Disk quota exceeded", "max_temp_directory_size")


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


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, DuckDB's or Python's, says that there is no space left where it was writing."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, duckdb.Error) and any(sign in str(error) for sign in _NO_SPACE)


def require_space(error: duckdb.Error) -> None:
    """Raise where an error of DuckDB is none of the input, but of a disk that is full.

    Raises
    ------
    DiskFull
        There is no space left on the disk.
    """
    if is_disk_full(error):
        raise DiskFull(str(error).splitlines()[0]) from None
