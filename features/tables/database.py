"""DuckDB as every part of the project opens it: within a budget, and with nothing left to the machine it runs on."""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from features.tables.problems import DiskFull
from features.tables.sql import quoted
from params import Budget

_NO_SPACE = ("No space left on device", "Disk quota exceeded", "max_temp_directory_size", "database or disk is full")
_CONFINED = {
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "arrow_lossless_conversion": "true",
    "disabled_optimizers": "top_n_window_elimination",  # see `features.inputs.load`
}


def open_duckdb(
    budget: Budget,
    database: Path | None = None,
    *,
    spill: Path | None = None,
    config: Mapping[str, str] | None = None,
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
    config
        Further settings, which hold from the start.
    """
    connection = duckdb.connect(str(database or ":memory:"), config=dict(config or {}))
    connection.execute(f"SET threads = {budget.threads}")
    connection.execute(f"SET memory_limit = '{budget.memory_gb}GB'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    if spill is not None:
        connection.execute(f"SET temp_directory = {quoted(str(spill))}")
    return connection


def open_confined(
    budget: Budget, readable: Sequence[Path], spill: Path, *, database: Path | None = None, name: str = ""
) -> duckdb.DuckDBPyConnection:
    """Open a database in memory for others' SQL: it sees some files, and no statement can change that.

    That alone does not keep it from writing where it may read; what is run on it must be looked at first.

    Parameters
    ----------
    budget
        Threads and memory that it may use.
    readable
        The files and folders that it sees.
    spill
        The folder for what does not fit into memory.
    database, name
        A database file to attach, read-only, and the name that it goes by.
    """
    connection = open_duckdb(budget, spill=spill, config=_CONFINED)
    if database is not None:
        connection.execute(f"ATTACH {quoted(str(database))} AS {name} (READ_ONLY)")
        connection.execute(f"USE {name}")
    places = {os.path.abspath(place): place.is_dir() for place in readable}  # noqa: PTH100, links stay as they are
    for setting, is_folder in (("allowed_directories", True), ("allowed_paths", False)):
        chosen = ", ".join(quoted(place) for place, folder in places.items() if folder is is_folder)
        connection.execute(f"SET {setting} = [{chosen}]")
    for setting in ("explain_output = 'all'", "enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that there is no space left where it was writing.

    DuckDB, SQLite and those who pass on what these said tell it in words alone.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if not isinstance(error, OSError) and any(sign in str(error) for sign in _NO_SPACE):
            return True
        error = error.__cause__ or error.__context__
    return False


def require_space(error: duckdb.Error) -> None:
    """Raise where an error of DuckDB is none of the input, but of a disk that is full.

    Raises
    ------
    DiskFull
        There is no space left on the disk.
    """
    if is_disk_full(error):
        raise DiskFull(str(error).splitlines()[0]) from None
