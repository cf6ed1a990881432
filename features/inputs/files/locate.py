"""Finds where each table of the contract is: files, folders of files, a database's tables, queries."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import escape, glob, has_magic
from hashlib import sha256
from pathlib import Path
from typing import Self

import duckdb

from features.inputs.files.csv_files import csv_relation, nameless_columns
from features.inputs.files.csv_header import CsvFile, csv_file
from features.inputs.files.query_parts import parts_of, require_columns_once, with_parts
from features.inputs.files.source_reader import DATABASE, Rows, SourceReader, is_within
from features.inputs.files.suggestions import listed, near
from features.inputs.files.text_encoding import in_utf8, is_text_encoding, with_one_line_end
from features.inputs.files.unreadable import outside_of_source, unreadable
from features.inputs.files.workbook import sheet_as_csv
from features.tables import contract
from features.tables.problems import CannotOpen, Finding
from features.tables.sql import named, quoted
from params import Source, TableSource

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".csv.zst", ".xlsx")  # in any case
FILE = re.compile(r"\{file:([^}]+)\}")


@dataclass(frozen=True)
class Opened:
    """A table as the source has it.

    `relation` is what to select from, `types` are its columns' types in their order, `csv_files` the files that it is
    read from if they are such, and `notes` what to tell of how they were read. `rows` are what `relation` shows, if it
    is a query or a table of a database.
    """

    relation: str
    types: Mapping[str, str]
    query: str = ""
    csv_files: tuple[CsvFile, ...] = ()
    notes: tuple[Finding, ...] = ()
    rows: Rows | None = None

    def only(self, connection: duckdb.DuckDBPyConnection, columns: Iterable[str]) -> Self:
        """The same with some of its columns, so that the others are not brought over."""
        if self.rows is None:
            return self
        rows = self.rows.only(columns)
        rows.show_in(connection, self.relation)
        return replace(self, rows=rows)


def open_source(
    connection: duckdb.DuckDBPyConnection, source: Source, copies: Path, reader: SourceReader
) -> tuple[dict[str, Opened], list[Finding]]:
    """Every table of the contract that the source has, and what is wrong with where they are.

    Parameters
    ----------
    copies
        A folder for copies of files that DuckDB does not read as they are; it must outlive what is opened.
    reader
        What queries and a database are read by; it must outlive what is opened, too.
    """
    problems = [*_unusable_settings(connection, source), *_unknown_tables(source)]
    if any(problem.table in ("source.encoding", "source.timezone") for problem in problems):
        return {}, problems
    if source.path is None or not source.path.exists() or (source.kind == "files" and not source.path.is_dir()):
        return {}, [*problems, _no_path(source)]
    opened: dict[str, Opened] = {}
    for name in contract.TABLES:
        try:
            if source.kind == "duckdb":
                _ = reader.connection  # that it cannot be opened is said once
            table = _opened(connection, source, source.path, name, copies, reader)
            if table is not None:
                opened[name] = table
        except CannotOpen as error:
            problems.append(error.finding)
            if error.finding.table == "source.path":
                break
    return opened, problems


def readable_by_queries(source: Source, copies: Path) -> list[Path]:
    """What queries may read besides `source.path`: the files that they name, and copies of them."""
    readable = [copies]
    for name, setting in source.tables.items() if source.path is not None and source.path.exists() else ():
        for file in files_in_query(source, setting.query or ""):
            with suppress(CannotOpen):  # said when the query is read
                readable += _files_named(source, name, file)
    return readable


def files_of(path: Path, name: str, setting: TableSource) -> list[Path]:
    """The files of one table, sorted: those that `file` names, else `<name>.parquet`, `<name>.csv` or `<name>/`."""
    if setting.file is None:
        looked_for = {name, *(f"{name}{suffix}" for suffix in SUFFIXES)}
        places = sorted((place for place in _base(path).iterdir() if place.name.lower() in looked_for), key=_by_suffix)
    elif has_magic(setting.file):
        pattern = str(_base(path) / setting.file)  # Path.glob takes no absolute pattern
        places = [Path(match) for match in glob(pattern, recursive=True)]  # noqa: PTH207
    else:
        places = [_base(path) / setting.file]
    if setting.file is None and len(places) > 1:
        raise CannotOpen(_several(name, places))
    files = [file for place in places for file in _files_in(place)]
    if not files and (places or setting.file):
        raise CannotOpen(_no_files(name, places or [Path(str(setting.file))]))
    return sorted(files)


def _by_suffix(place: Path) -> tuple[int, str]:
    """Those without one first, then in the order of `SUFFIXES`."""
    _, _, suffix = place.name.lower().partition(".")
    return SUFFIXES.index(f".{suffix}") if suffix else -1, place.name


def _base(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _files_in(place: Path) -> list[Path]:
    """The file itself, or the data files anywhere below the folder."""
    if place.is_dir():
        return [file for file in place.rglob("*") if file.is_file() and file.name.lower().endswith(SUFFIXES)]
    return [place] if place.exists() else []


def _opened(
    connection: duckdb.DuckDBPyConnection, source: Source, path: Path, name: str, copies: Path, reader: SourceReader
) -> Opened | None:
    """The table; None if an optional one is absent."""
    setting = source.tables.get(name, TableSource())
    if setting.query is not None and setting.file is not None:
        raise CannotOpen(Finding(name, "has both a file and a query", f"Keep one in source.tables.{name}."))
    if setting.query is not None:
        return _queried(connection, reader, source, name, setting.query, copies)
    opened, there = _found(connection, source, path, name, copies, reader)
    if opened is None and contract.TABLES[name].required:
        raise CannotOpen(_missing(name, there))
    if opened is None and name in source.tables:
        raise CannotOpen(_mapped_in_vain(name, there))
    return opened


def _queried(
    connection: duckdb.DuckDBPyConnection, reader: SourceReader, source: Source, name: str, query: str, copies: Path
) -> Opened:
    """The table that a query gives; no column of it, nor of a part that it names, may come more than once."""
    relations = _relations(connection, source, name, query, copies)
    for part in parts_of(query, source.parts):
        text = _as_it_runs(source.parts[part], relations, source)
        require_columns_once(reader.connection, f"source.parts.{part}", text)
    text = _as_it_runs(query, relations, source)
    opened = _by_reader(connection, reader, name, text, query=text)
    require_columns_once(reader.connection, f"source.tables.{name}.query", text)
    return opened


def query_text(connection: duckdb.DuckDBPyConnection, source: Source, name: str, query: str, copies: Path) -> str:
    """A query of the settings as it runs.

    `{part}` stands for a query of `source.parts`, `{file:NAME}` for a file beside the source, read as the product reads
    it (CSV as text), and `{path}` for the source's path.
    """
    return _as_it_runs(query, _relations(connection, source, name, query, copies), source)


def _relations(
    connection: duckdb.DuckDBPyConnection, source: Source, name: str, query: str, copies: Path
) -> dict[str, str]:
    """Of each file that a query and its parts name, what to select its rows from."""
    parts_of(query, source.parts)
    return {
        file: _file_read(connection, source, name, file, copies)
        for file in dict.fromkeys(files_in_query(source, query))
    }


def _as_it_runs(query: str, relations: Mapping[str, str], source: Source) -> str:
    text = with_parts(query.strip().rstrip(";"), source.parts)
    text = FILE.sub(lambda match: relations[match[1]], text)
    return text.replace("{path}", str(source.path or Path()).replace("'", "''"))


def files_in_query(source: Source, query: str) -> list[str]:
    """The files that a query names."""
    return FILE.findall(with_parts(query, source.parts))


def _file_read(connection: duckdb.DuckDBPyConnection, source: Source, name: str, file: str, copies: Path) -> str:
    """What to select a file's rows from."""
    files = _files_named(source, name, file)
    folder = copies / name / sha256(file.encode()).hexdigest()[:16]
    opened = _read_files(connection, name, files, source, folder)
    if opened is None:
        raise CannotOpen(_no_files(name, [Path(file)]))
    return opened.relation


def _files_named(source: Source, name: str, file: str) -> list[Path]:
    """The files that a query names, which must belong to the source."""
    path = source.path or Path()
    exact = escape(file) if (_base(path) / file).exists() else file
    files = files_of(path, name, TableSource(file=exact))
    if outside := [one for one in files if not is_within(one, (_base(path), *source.outside))]:
        raise CannotOpen(outside_of_source(name, str(outside[0])))
    return files


def _found(
    connection: duckdb.DuckDBPyConnection, source: Source, path: Path, name: str, copies: Path, reader: SourceReader
) -> tuple[Opened | None, list[str]]:
    """The table where it is looked for, and the names of all that is there."""
    setting = source.tables.get(name, TableSource())
    if source.kind == "duckdb" and setting.file is None:
        there = _tables_of(reader.connection)
        table = next((table for table in there if table.lower() == name), None)
        select = f"SELECT * FROM {DATABASE}.{named(table or '')}"
        return _by_reader(connection, reader, name, select) if table else None, there
    there = sorted(file.name for file in _base(path).iterdir())
    return _read_files(connection, name, files_of(path, name, setting), source, copies / name), there


def _tables_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        f"WHERE table_catalog = '{DATABASE}' AND table_schema = current_schema() ORDER BY 1"
    ).fetchall()
    return [str(row[0]) for row in rows]


def _read_files(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], source: Source, copies: Path
) -> Opened | None:
    """DuckDB's reader of these files; CSV is read as text, so that what cannot be read is seen and counted."""
    if not files:
        return None
    parquet = {file.name.lower().endswith(".parquet") for file in files}
    if len(parquet) > 1:
        raise CannotOpen(
            Finding(name, "has Parquet and CSV files in one folder", "Keep one kind, or name one in `file`.")
        )
    if parquet == {False}:
        return _read_texts(connection, name, files, source, copies)
    paths = ", ".join(quoted(str(file)) for file in files)
    # that a column holds NaN is not told by its statistics, by which DuckDB would fold the test for it away
    how = "union_by_name = true, binary_as_string = true, can_have_nan = true"
    return _described(connection, name, f"read_parquet([{paths}], {how})")


def _read_texts(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], source: Source, copies: Path
) -> Opened:
    """CSV files and sheets of workbooks, in UTF-8 if need be by a copy."""
    texts, notes = [], []
    for number, file in enumerate(files):
        folder = copies / str(number)
        if file.name.lower().endswith(".xlsx"):
            text, more = sheet_as_csv(name, file, folder, decimal_comma=source.decimal_comma)
            notes += more
        else:
            text = with_one_line_end(in_utf8(name, file, source.encoding, folder), folder / "lines")
        texts.append(csv_file(name, text))
    notes += nameless_columns(connection, name, texts)
    return Opened(*csv_relation(name, texts), csv_files=tuple(texts), notes=tuple(notes))


def _described(connection: duckdb.DuckDBPyConnection, name: str, relation: str) -> Opened:
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as error:
        raise CannotOpen(unreadable(name, error)) from None
    return Opened(relation, {str(row[0]): str(row[1]) for row in rows})


def _by_reader(
    connection: duckdb.DuckDBPyConnection, reader: SourceReader, name: str, select: str, *, query: str = ""
) -> Opened:
    """What the source's own connection shows, under a name of this one."""
    relation = f"source_{name}"
    try:
        rows = reader.rows(select)
        rows.show_in(connection, relation)
        opened = _described(connection, name, relation)
    except duckdb.Error as error:
        raise CannotOpen(unreadable(name, error, query, reader.connection)) from None
    return replace(opened, query=query, rows=rows)


def _unusable_settings(connection: duckdb.DuckDBPyConnection, source: Source) -> Iterator[Finding]:
    """An encoding or a time zone that there is not."""
    if source.encoding is not None and not is_text_encoding(source.encoding):
        what = f"{source.encoding} is no encoding of text"
        yield Finding("source.encoding", what, "Give one such as cp1252, latin-1 or utf-16.")
    zone = "SELECT 1 FROM pg_timezone_names() WHERE name = ?"
    if source.timezone is not None and not connection.execute(zone, [source.timezone]).fetchone():
        what = f"{source.timezone} is no time zone"
        yield Finding("source.timezone", what, "Give one such as Europe/Berlin or America/New_York.")


def _unknown_tables(source: Source) -> list[Finding]:
    table_names = list(contract.TABLES)
    return [
        Finding(
            f"source.tables.{name}",
            "is no table of the contract",
            f"The tables are {listed(table_names)}.{near(name, table_names)}",
        )
        for name in source.tables
        if name not in contract.TABLES
    ]


def _no_path(source: Source) -> Finding:
    what = "a DuckDB database file" if source.kind == "duckdb" else "a folder with the tables"
    if source.path is None:
        return Finding("source.path", "is not set", f"Give {what}: --set source.path=PATH.")
    wrong = "is no folder" if source.path.exists() else "does not exist"
    return Finding("source.path", f"{source.path} {wrong}", f"Give {what}.")


def _missing(name: str, present: Sequence[str]) -> Finding:
    stems = [stem for stem in (file.split(".")[0] for file in present) if stem.lower() not in contract.TABLES]
    there = f"There are: {listed(present)}." if present else "Nothing is there."
    other = next((file for file in present if file.lower().startswith(f"{name}.")), None)
    kind = f" {other} is not read: export it as Parquet, CSV or .xlsx." if other else near(name, stems)
    todo = f"Add {name}.parquet, {name}.csv or a folder {name}/, or map it in source.tables.{name}. {there}{kind}"
    return Finding(name, "is missing, and the table is required", todo)


def _mapped_in_vain(name: str, present: Sequence[str]) -> Finding:
    todo = "Give the table, or remove the mapping." + near(name, [file.split(".")[0] for file in present])
    return Finding(name, f"is mapped in source.tables.{name}, and is not there", todo)


def _several(name: str, places: Sequence[Path]) -> Finding:
    return Finding(
        name,
        f"is there more than once: {listed([place.name for place in places])}",
        f"Keep one, or name one in source.tables.{name}.file.",
    )


def _no_files(name: str, places: Sequence[Path]) -> Finding:
    return Finding(
        name,
        f"{listed([str(place) for place in places])} does not exist or holds no Parquet or CSV file",
        f"Correct source.tables.{name}.file, or put the files there.",
    )
