"""CSV files as text: what to select their rows from, and what of them could not be read.

DuckDB reads the rows. Lines that do not fit the header are set aside by it in `rejects_<table>`, not lost.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import duckdb
import pyarrow as pa

from features.inputs.files.csv_header import CsvFile
from features.inputs.files.text_encoding import CHUNK_BYTES, opened, packing
from features.tables.problems import EXAMPLES, CannotOpen, Finding
from features.tables.sql import named, quoted

MOST_SEARCHED = 1_000_000  # records, a second or so
LONGEST_LINE, BUFFER = 16_000_000, 32_000_000  # bytes
FAULTS = ("encoding", "quotes", "fields", "long", "cast", "other")  # of several in a line, the first is what to mend
_RANK = (
    "CASE error_type WHEN 'INVALID ENCODING' THEN 1 WHEN 'UNQUOTED VALUE' THEN 2 WHEN 'TOO MANY COLUMNS' THEN 3 "
    "WHEN 'MISSING COLUMNS' THEN 3 WHEN 'LINE SIZE OVER MAXIMUM' THEN 4 WHEN 'CAST' THEN 5 ELSE 6 END"
)


def csv_relation(table: str, files: Sequence[CsvFile]) -> tuple[str, dict[str, str]]:
    """What to select a table from, and its columns, all of them text; files may differ in their columns."""
    rejects = f"store_rejects = true, rejects_table = 'rejects_{table}', rejects_scan = 'scans_{table}'"
    columns = dict.fromkeys(column for file in files for column in _given(file))
    return _union(files, rejects), dict.fromkeys(columns, "VARCHAR")


def readable_rows(files: Sequence[CsvFile]) -> str:
    """What to select the same rows from without setting aside anew what does not fit."""
    return _union(files, "ignore_errors = true")


def nameless_columns(connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[CsvFile]) -> list[Finding]:
    """A note of the columns without a name that hold nothing, and are left out.

    Raises
    ------
    CannotOpen
        One holds values.
    """
    notes = []
    for file in (file for file in files if file.unnamed):
        for column in file.unnamed:
            _require_empty(connection, table, file, column)
        places = ", ".join(str(file.columns.index(column) + 1) for column in file.unnamed)
        many = "columns" if len(file.unnamed) > 1 else "column"
        what = f"has no name for {many} {places} of {file.path.name}, and no value there"
        notes.append(Finding(table, what, f"The {many} {'are' if len(file.unnamed) > 1 else 'is'} left out."))
    return notes


def _require_empty(connection: duckdb.DuckDBPyConnection, table: str, file: CsvFile, column: str) -> None:
    values = f"FROM {_reader([file], 'ignore_errors = true')} WHERE trim({named(column)}) <> ''"
    rows = connection.execute(f"SELECT DISTINCT {named(column)} {values} ORDER BY 1 LIMIT {EXAMPLES}").fetchall()
    if rows:
        place = file.columns.index(column) + 1
        what = f"has values in column {place} of {file.path.name}, which the first line does not name"
        todo = "Name it there, or remove the column."
        raise CannotOpen(Finding(table, what, todo, examples=tuple(str(row[0])[:60] for row in rows)))


def empty_records(connection: duckdb.DuckDBPyConnection, files: Sequence[CsvFile]) -> int:
    """How many records of several fields hold no value at all: what spreadsheets leave below a table."""
    count = 0
    for alike in _alike([file for file in files if len(file.columns) > 1]):
        cells = ", ".join(f"NULLIF(trim({named(column)}), '')" for column in alike[0].columns)
        select = f"SELECT count(*) FROM {_reader(alike, 'ignore_errors = true')} WHERE COALESCE({cells}) IS NULL"
        row = connection.execute(select).fetchone()
        count += int(row[0]) if row else 0
    return count


def _union(files: Sequence[CsvFile], rejects: str) -> str:
    readers = [
        f"SELECT {', '.join(map(named, _given(alike[0])))} FROM {_reader(alike, rejects)}" for alike in _alike(files)
    ]
    return f"({' UNION ALL BY NAME '.join(readers)})"


def _given(file: CsvFile) -> list[str]:
    """The columns that have a name."""
    return [column for column in file.columns if column not in file.unnamed]


def _alike(files: Sequence[CsvFile]) -> list[list[CsvFile]]:
    """Files that one reader can read."""
    groups: dict[tuple[object, ...], list[CsvFile]] = {}
    for file in files:
        look = (file.delimiter, file.columns, file.unnamed, file.skipped, packing(file.path))
        groups.setdefault(look, []).append(file)
    return list(groups.values())


def _reader(files: Sequence[CsvFile], rejects: str) -> str:
    file, paths = files[0], ", ".join(quoted(str(file.path)) for file in files)
    types = ", ".join(f"{named(column)}: 'VARCHAR'" for column in file.columns)
    return (
        f"read_csv([{paths}], auto_detect = false, header = true, delim = {quoted(file.delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{types}}}, compression = {quoted(packing(file.path))}, skip = {file.skipped}, "
        f"max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER}, {rejects})"
    )


def rejected(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Make `unread_<table>` of the lines that did not fit, and return how many.

    Its columns: `fault` (one of `FAULTS`), `path`, `file` (its name), `line`, `shown` (where it is, and how many fields
    came for how many columns) and `reason`, which also holds the line itself.
    """
    columns = "fault VARCHAR, path VARCHAR, file VARCHAR, line INTEGER, shown VARCHAR, reason VARCHAR"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE unread_{name} ({columns})")
    if not connection.execute(f"FROM duckdb_tables() WHERE table_name = 'rejects_{name}'").fetchall():
        return 0
    connection.register("line_numbers", _line_numbers(connection, name))
    connection.execute(f"INSERT INTO unread_{name} {_told(name)}")
    connection.unregister("line_numbers")
    row = connection.execute(f"SELECT count(*) FROM unread_{name}").fetchone()
    return int(row[0]) if row else 0


def _told(name: str) -> str:
    """SELECT of the rejected lines, each with what is wrong with it, first of all."""
    return f"""
        WITH faults AS (
            SELECT file_path, line_number, csv_line, column_name, {_RANK} AS rank,
                   TRY_CAST(regexp_extract(error_message, 'Columns: ([0-9]+)', 1) AS INTEGER) AS columns,
                   TRY_CAST(regexp_extract(error_message, 'Found: ([0-9]+)', 1) AS INTEGER) AS fields,
                   error_type = 'MISSING COLUMNS' AS too_few
            FROM rejects_{name} JOIN scans_{name} USING (scan_id, file_id)
            JOIN line_numbers USING (file_path, line_byte_position)),
        lines AS (
            SELECT {list(FAULTS)}[min(rank)] AS fault, file_path AS path,
                   parse_filename(file_path) AS file, line_number AS line,
                   concat(file, ' line ', line) AS place, arg_min(column_name, rank) AS column_name,
                   CASE WHEN bool_or(too_few) THEN min(fields) ELSE max(fields) END AS fields,
                   max(columns) AS columns, trim(any_value(csv_line), chr(10) || chr(13) || ' ') AS text
            FROM faults GROUP BY file_path, line_number)
        SELECT fault, path, file, line, CASE fault
                   WHEN 'fields' THEN concat(place, ': ', {_number("fields")}, ' for ', {_number("columns")})
                   WHEN 'quotes' THEN concat(place, ', ', column_name)
                   WHEN 'cast' THEN concat(place, ', ', column_name) ELSE place END AS shown,
               concat_ws(': ', shown, CASE fault WHEN 'quotes' THEN 'quotes that do not match'
                                                 WHEN 'cast' THEN 'a cell that the query cannot convert'
                                                 WHEN 'encoding' THEN 'not UTF-8' END, text) AS reason
        FROM lines"""


def _number(many: str) -> str:
    """SQL of a number and what it is of: `1 field`, `2 fields`."""
    return f"CASE {many} WHEN 1 THEN '1 {many.removesuffix('s')}' ELSE concat({many}, ' {many}') END"


def _line_numbers(connection: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """Of each rejected record the number of its first line: DuckDB counts records, and one may hold line breaks."""
    rows = connection.execute(f"""
        SELECT DISTINCT file_path, CAST(line_byte_position AS BIGINT)
        FROM rejects_{name} JOIN scans_{name} USING (scan_id, file_id) ORDER BY ALL""").fetchall()
    numbers = [number for file, places in groupby(rows, itemgetter(0)) for number in _lines_at(Path(file), places)]
    columns = {"file_path": [file for file, _ in rows], "line_byte_position": [place for _, place in rows]}
    return pa.table(columns | {"line_number": numbers})


def _lines_at(file: Path, places: Iterable[tuple[str, int]]) -> Iterator[int]:
    """The line that each place of a file lies in; places by position."""
    with opened(file) as content:
        line, at = 1, 0
        for _, place in places:
            while at < place:
                read = content.read(min(place - at, CHUNK_BYTES))
                line, at = line + read.count(b"\n"), at + len(read)
            yield line


def lines_without(files: Iterable[CsvFile], column: str, is_blank: Callable[[str], bool]) -> Iterator[str]:
    """Where the cell of a column is blank, as file and line: as far as the search goes, see `MOST_SEARCHED`."""
    cells = ((file, line, cell) for file in files for line, cell in _cells(file, column))
    for file, line, cell in islice(cells, MOST_SEARCHED):
        if is_blank(cell):
            yield f"{file.path.name} line {line}"


def _cells(file: CsvFile, column: str) -> Iterator[tuple[int, str]]:
    """Of each record its first line and its cell of a column, up to the first record that Python cannot read."""
    place = file.columns.index(column) if column in file.columns else None
    with opened(file.path) as content, suppress(csv.Error):
        text = TextIOWrapper(content, "utf-8-sig", errors="replace", newline="")
        records = csv.reader(text, delimiter=file.delimiter, strict=True)
        line = 1
        for record in records:
            cells = record or [""]  # a blank line is a record where there is one column
            if line > 1 + file.skipped and len(cells) == len(file.columns):
                yield line, "" if place is None else cells[place]
            line = records.line_num + 1
