"""CSV files as text: the header and the delimiter are read here, so that nothing about them is guessed from the rows.

DuckDB reads the rows. Lines that do not fit the header are set aside by it in `rejects_<table>`, not lost.
"""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import duckdb

from features.problems import CannotOpen, Finding
from features.sql import named, quoted

DELIMITERS = ",;\t|"


def csv_relation(name: str, files: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """What to select a table from, and its columns, all of them text; files may differ in their columns."""
    by_header: dict[tuple[str, tuple[str, ...]], list[Path]] = {}
    for file in files:
        by_header.setdefault(_header(name, file), []).append(file)
    readers = [f"SELECT * FROM {_reader(name, paths, *header)}" for header, paths in by_header.items()]
    columns = dict.fromkeys(column for _, header in by_header for column in header)
    return f"({' UNION ALL BY NAME '.join(readers)})", dict.fromkeys(columns, "VARCHAR")


def rejected(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Make `unread_<table>` of the lines that did not fit: a `place` and what is wrong with it; return how many."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE unread_{name} (place VARCHAR, reason VARCHAR)")
    if not connection.execute(f"FROM duckdb_tables() WHERE table_name = 'rejects_{name}'").fetchall():
        return 0
    connection.execute(f"""
        INSERT INTO unread_{name}
        SELECT concat(parse_filename(file_path), ' line ', line) AS place,
               concat(place, ': ', lower(first(CAST(error_type AS VARCHAR) ORDER BY error_type)), ': ',
                      trim(first(csv_line ORDER BY error_type), chr(10) || chr(13) || ' '))
        FROM rejects_{name} JOIN scans_{name} USING (scan_id, file_id) GROUP BY file_path, line""")
    row = connection.execute(f"SELECT count(*) FROM unread_{name}").fetchone()
    return int(row[0]) if row else 0


def _header(name: str, file: Path) -> tuple[str, tuple[str, ...]]:
    """Delimiter and column names of a file's first line."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            first = lines.readline().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotOpen(_unreadable(name, f"{file.name} cannot be read: {error}")) from None
    delimiter = max(DELIMITERS, key=first.count)
    columns = tuple(column.strip() for column in next(csv.reader([first], delimiter=delimiter), []))
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if not columns or repeated or "" in columns:
        what = f"names {', '.join(repeated)} more than once" if repeated else "has no column names in its first line"
        raise CannotOpen(_unreadable(name, f"{file.name} {what}"))
    return delimiter, columns


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
