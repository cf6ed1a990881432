"""Looks at what lies in a folder or a database: each file or table with its columns, and a sample of its rows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.inputs.files.locate import SUFFIXES, query_text
from features.inputs.files.source_reader import DATABASE, SourceReader
from features.tables.problems import BadInput, CannotOpen, Finding
from features.tables.sql import named
from params import Source, load

DATABASES = (".duckdb", ".db")
PREFIX = "property_"  # of HubSpot's columns in a warehouse
SAMPLED_ROWS = 200_000


@dataclass(frozen=True)
class Sheet:
    """A file or a table: how a query names it, its columns with their types, and the table that holds its sample.

    `others` are further files that are read together with it.
    """

    name: str
    relation: str
    types: Mapping[str, str]
    sample: str
    rows: int
    others: tuple[str, ...] = ()

    @property
    def spelled(self) -> dict[str, str]:
        """The columns by their plain names."""
        names = {plain(column): column for column in reversed(list(self.types))}
        prefixed = [column for column in self.types if column.lower().startswith(PREFIX)]
        return names | ({f"with_{PREFIX}prefix": prefixed[0]} if prefixed else {})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files that are read as this one."""
        return (self.name, *self.others)

    @property
    def stem(self) -> str:
        """Its plain name without suffixes and folders."""
        return plain(re.split(r"[\\/]", self.name)[-1].split(".csv")[0].split(".parquet")[0].split(".xlsx")[0])


@dataclass(frozen=True)
class Survey:
    """What is there, how the settings name the place, and what could not be read."""

    kind: str
    path: Path
    sheets: tuple[Sheet, ...]
    unread: tuple[str, ...]


def plain(column: str) -> str:
    """A column's name as recipes spell it: lower case, words joined by underscores, no unit of time, no prefix."""
    name = re.sub(r"\s*\((UTC|GMT)\)\s*$", "", column.strip())
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    name = re.sub(r"[^0-9a-zA-Z]+", "_", name).strip("_").lower()
    return re.sub(r"^(property|properties)_(?=.)", "", name)


def source_in(folder: Path) -> Source:
    """A folder or a database as a source, whose queries may read all files that lie there.

    Raises
    ------
    BadInput
        There is no such folder or database.
    """
    if not folder.exists():
        raise BadInput([Finding("FOLDER", f"{folder} does not exist", "Give the folder with the exported files.")])
    kind, path = _place(folder)
    beside = (folder if folder.is_dir() else folder.parent,)
    return load().source.model_copy(update={"kind": kind, "path": path, "outside": beside})


def survey(
    folder: Path, source: Source, connection: duckdb.DuckDBPyConnection, reader: SourceReader, copies: Path
) -> Survey:
    """Look at every CSV, Parquet or XLSX file below a folder, or at every table of a DuckDB database.

    Parameters
    ----------
    source
        The folder or database, see `source_in`.
    connection
        Where samples are kept.
    reader
        What the source is read by.
    copies
        A folder for copies of files that DuckDB does not read as they are.

    Raises
    ------
    BadInput
        The database cannot be opened, or nothing can be read.
    """
    kind, path = source.kind, source.path or folder
    connection.execute("ATTACH ':memory:' AS samples")
    try:
        sheets = _tables(connection, reader) if kind == "duckdb" else []
    except CannotOpen as error:
        raise BadInput([error.finding]) from None
    unread = []
    for relation, name in _files(folder if folder.is_dir() else folder.parent, path, kind):
        try:
            select = query_text(connection, source, f"sheet{len(sheets)}", relation, copies)
            sheets.append(_sampled(connection, reader, name, relation, select, len(sheets)))
        except (CannotOpen, duckdb.Error) as error:
            unread.append(f"{name}: {str(error).splitlines()[0]}")
    if not sheets:
        what = f"{folder} holds no CSV, Parquet or XLSX file and no table that can be read"
        raise BadInput([Finding("FOLDER", what, "Give the folder with the exported files.", examples=tuple(unread))])
    return Survey(kind, path, tuple(sheets), tuple(unread))


def _place(folder: Path) -> tuple[str, Path]:
    """The kind of source and its path: a folder with one database is read through that."""
    if folder.is_file():
        return "duckdb", folder
    databases = sorted(file for file in folder.iterdir() if file.suffix in DATABASES)
    return ("duckdb", databases[0]) if len(databases) == 1 else ("files", folder)


def _files(folder: Path, path: Path, kind: str) -> list[tuple[str, str]]:
    """Of each data file how a query names it, and its name."""
    if kind == "duckdb" and not path.parent.samefile(folder):
        return []
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name.lower().endswith(SUFFIXES)]
    names = [file.relative_to(folder).as_posix() for file in files]
    names = [name for name in names if not any(part.startswith((".", "~")) for part in name.split("/"))]
    return [(f"{{file:{name}}}", name) for name in names]


def _tables(connection: duckdb.DuckDBPyConnection, reader: SourceReader) -> list[Sheet]:
    """Every table and view of the database, in every schema."""
    rows = reader.connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        f"WHERE table_catalog = '{DATABASE}' ORDER BY ALL"
    ).fetchall()
    sheets: list[Sheet] = []
    for schema, table in rows:
        name = table if schema == "main" else f"{schema}.{table}"
        relation = named(table) if schema == "main" else f"{named(schema)}.{named(table)}"
        sheets.append(_sampled(connection, reader, name, relation, relation, len(sheets)))
    return sheets


def _sampled(
    connection: duckdb.DuckDBPyConnection, reader: SourceReader, name: str, relation: str, select: str, number: int
) -> Sheet:
    """The sheet, its first rows kept under a name of their own."""
    sample = f"samples.main.sheet_{number}"
    reader.rows(f"SELECT * FROM {select} LIMIT {SAMPLED_ROWS}").show_in(connection, "sheet")
    connection.execute(f"CREATE TABLE {sample} AS SELECT * FROM sheet")
    types = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE {sample}").fetchall()}
    row = connection.execute(f"SELECT count(*) FROM {sample}").fetchone()
    return Sheet(name, relation, types, sample, int(row[0]) if row else 0)


def values(connection: duckdb.DuckDBPyConnection, sheet: Sheet, column: str, limit: int = 50_000) -> list[str]:
    """Values of a column as text, without the empty ones."""
    text = f"NULLIF(TRIM(CAST({named(column)} AS VARCHAR)), '')"
    rows = connection.execute(
        f"SELECT DISTINCT {text} FROM {sheet.sample} WHERE {text} IS NOT NULL ORDER BY 1 LIMIT {limit}"
    )
    return [str(row[0]) for row in rows.fetchall()]
