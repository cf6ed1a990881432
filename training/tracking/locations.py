"""Where the embedded store says that artifacts lie: relative to the data folder, so that it may be moved and copied.

MLflow writes down whole addresses. They are made relative in its database as soon as it is opened, those of folders
made before included. Whoever opens the database with MLflow itself does so from within the data folder.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

ARTIFACTS = "mlflow-artifacts"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
# `mlruns/0` is where MLflow would put the artifacts of the experiment that it makes itself, beside where a command ran
_OURS = re.compile(rf"(?:file:)?/.*/({ARTIFACTS}(?:/.*)?|mlruns/0)", re.DOTALL)
_PATIENCE_SECONDS = 20.0
_CANNOT_WRITE = ("SQLITE_READONLY", "SQLITE_CANTOPEN")


def relative(location: str) -> str:
    """A location below the data folder, relative to it, wherever it was when that was written; others as they are."""
    below = _OURS.fullmatch(location)
    return below.group(1) if below else location


def resolve(location: str, data_dir: Path) -> str:
    """Where a location of the embedded store lies now, as a path; a location elsewhere as it is."""
    path = relative(location)
    inside = not urlsplit(path).scheme and not path.startswith("/")
    return str(data_dir.resolve() / path) if inside else location


def make_relative(database: Path) -> None:
    """Make all locations in the embedded store's database relative, in one step; a read-only copy is left as it is."""
    with closing(sqlite3.connect(database, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
        connection.create_function("relative", 1, relative, deterministic=True)
        if not any(connection.execute(f"SELECT 1 FROM {_absolute(*place)}").fetchone() for place in _COLUMNS):
            return
        connection.execute("PRAGMA secure_delete = ON")  # else free pages still say where the folder lay
        try:
            connection.execute("BEGIN IMMEDIATE")
            for table, column in _COLUMNS:
                changed = f"SELECT rowid FROM {_absolute(table, column)}"
                connection.execute(f"UPDATE {table} SET {column} = relative({column}) WHERE rowid IN ({changed})")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith(_CANNOT_WRITE):
                raise


def _absolute(table: str, column: str) -> str:
    """The rows whose location is to be made relative; those that are need no second look."""
    whole = f"({column} GLOB '/*' OR {column} GLOB 'file:*')"
    return f"{table} WHERE {whole} AND relative({column}) <> {column}"
