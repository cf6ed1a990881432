"""CSV files as text: the header and the delimiter are read here, so that nothing about them is guessed from the rows.

DuckDB reads the rows. Lines that do not fit the header are set aside by it in `rejects_<table>`, not lost.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from features.tables.problems import CannotOpen, Finding
from features.tables.sql import named, quoted

DELIMITERS = ",;\t|"
CHUNK_BYTES = 1 << 20
LONGEST_HEADER = 1 << 20  # bytes
MOST_SEARCHED = 1_000_000  # records, a second or so
FAULTS = ("encoding", "quotes", "fields", "other")  # of several in a line, the first is what to mend
_RANK = (
    "CASE error_type WHEN 'INVALID ENCODING' THEN 1 WHEN 'UNQUOTED VALUE' THEN 2 WHEN 'TOO MANY COLUMNS' THEN 3 "
    "WHEN 'MISSING COLUMNS' THEN 3 ELSE 4 END"
)


def csv_relation(name: str, files: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """What to select a table from, and its columns, all of them text; files may differ in their columns."""
    by_header: dict[tuple[str, tuple[str, ...]], list[Path]] = {}
    for file in files:
        by_header.setdefault(_header(name, file), []).append(file)
    readers = [f"SELECT * FROM {_reader(name, paths, *header)}" for header, paths in by_header.items()]
    columns = dict.fromkeys(column for _, header in by_header for column in header)
    return f"({' UNION ALL BY NAME '.join(readers)})", dict.fromkeys(columns, "VARCHAR")


def rejected(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Make `unread_<table>` of the lines that did not fit, and return how many.

    Its columns: `fault` (one of `FAULTS`), `file`, `line`, `shown` (where it is, and how many fields came for how many
    columns) and `reason`, which also holds the line itself.
    """
    columns = "fault VARCHAR, file VARCHAR, line INTEGER, shown VARCHAR, reason VARCHAR"
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
            SELECT {list(FAULTS)}[min(rank)] AS fault, parse_filename(file_path) AS file, line_number AS line,
                   concat(file, ' line ', line) AS place, arg_min(column_name, rank) AS column_name,
                   CASE WHEN bool_or(too_few) THEN min(fields) ELSE max(fields) END AS fields,
                   max(columns) AS columns, trim(any_value(csv_line), chr(10) || chr(13) || ' ') AS text
            FROM faults GROUP BY file_path, line_number)
        SELECT fault, file, line, CASE fault
                   WHEN 'fields' THEN concat(place, ': ', {_number("fields")}, ' for ', {_number("columns")})
                   WHEN 'quotes' THEN concat(place, ', ', column_name) ELSE place END AS shown,
               concat_ws(': ', shown, CASE fault WHEN 'quotes' THEN 'quotes that do not match'
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
    with _opened(file) as content:
        line, at = 1, 0
        for _, place in places:
            while at < place:
                read = content.read(min(place - at, CHUNK_BYTES))
                line, at = line + read.count(b"\n"), at + len(read)
            yield line


def lines_without(files: Iterable[Path], column: str, is_blank: Callable[[str], bool]) -> Iterator[str]:
    """Where the cell of a column is blank, as file and line: as far as the search goes, see `MOST_SEARCHED`."""
    cells = ((file, line, cell) for file in files for line, cell in _cells(file, column))
    for file, line, cell in islice(cells, MOST_SEARCHED):
        if is_blank(cell):
            yield f"{file.name} line {line}"


def _cells(file: Path, column: str) -> Iterator[tuple[int, str]]:
    """Of each record its first line and its cell of a column, up to the first record that Python cannot read."""
    delimiter, columns = _header("", file)
    place = columns.index(column) if column in columns else None
    with _opened(file) as content, suppress(csv.Error):
        text = TextIOWrapper(content, "utf-8-sig", errors="replace", newline="")
        records = csv.reader(text, delimiter=delimiter, strict=True)
        line = 1
        for record in records:
            cells = record or [""]  # a blank line is a record where there is one column
            if line > 1 and len(cells) == len(columns):
                yield line, "" if place is None else cells[place]
            line = records.line_num + 1


def _opened(file: Path) -> BinaryIO:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _header(name: str, file: Path) -> tuple[str, tuple[str, ...]]:
    """Delimiter and column names of a file's first line."""
    line = first = ""
    try:
        with _opened(file) as lines:
            line = lines.readline(LONGEST_HEADER).decode("utf-8-sig")
        first = line.rstrip("\r\n")
        delimiter = max(DELIMITERS, key=first.count)
        cells = next(csv.reader([first], delimiter=delimiter), [])
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        why = "its lines end with CR alone: save it with LF or CRLF" if "\r" in first else str(error)
        raise CannotOpen(_unreadable(name, f"{file.name} cannot be read: {why}")) from None
    columns = tuple(column.strip() for column in cells)
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if not columns or repeated or "" in columns:
        raise CannotOpen(_unreadable(name, f"{file.name} {_no_header(line, repeated)}"))
    return delimiter, columns


def _no_header(line: str, repeated: Sequence[str]) -> str:
    """What is wrong with a file whose first line does not name each column once."""
    if not line:
        return "is empty"
    return f"names {', '.join(repeated)} more than once" if repeated else "has no column names in its first line"


def _unreadable(name: str, what: str) -> Finding:
    return Finding(name, what, "Give CSV in UTF-8 whose first line names each column once.")


def _reader(name: str, files: Sequence[Path], delimiter: str, columns: Sequence[str]) -> str:
    paths = "[" + ", ".join(quoted(str(file)) for file in files) + "]"
    types = ", ".join(f"{named(column)}: 'VARCHAR'" for column in columns)
    return (
        f"read_csv({paths}, auto_detect = false, header = true, delim = {quoted(delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{types}}}, store_rejects = true, "
        f"rejects_table = 'rejects_{name}', rejects_scan = 'scans_{name}')"
    )
