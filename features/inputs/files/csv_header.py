"""The first lines of a CSV file: its delimiter and its columns, so that nothing is guessed from the rows."""

import csv
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from features.inputs.files.text_encoding import advice, likely_encoding, opened
from features.tables.problems import CannotOpen, Finding

DELIMITERS = ",;\t|"
LONGEST_HEADER = 1 << 20  # bytes
LINES_COMPARED = 20  # with the header, where it leaves open what the delimiter is
TODO = "Give CSV in UTF-8 whose first line names each column once."
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"?')


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in UTF-8: what it takes to read it.

    `columns` names every column; the names of those in `unnamed` are made up, since the header has none. `skipped`
    counts the lines before the header.
    """

    path: Path
    delimiter: str
    columns: tuple[str, ...]
    unnamed: tuple[str, ...] = ()
    skipped: int = 0


def csv_file(table: str, path: Path) -> CsvFile:
    """Read the header of a file of a table.

    Raises
    ------
    CannotOpen
        There is no header that names each column once.
    """
    lines = _first_lines(table, path)
    separator = _SEPARATOR_LINE.fullmatch(lines[0].rstrip("\r\n")) if lines else None
    header, *rest = lines[1:] or [""] if separator else lines or [""]
    first = header.rstrip("\r\n")
    delimiter = separator[1] if separator else _delimiter(first, rest)
    try:
        cells = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        why = "its lines end with CR alone: save it with LF or CRLF" if "\r" in first else str(error)
        raise CannotOpen(Finding(table, f"{path.name} cannot be read: {why}", TODO)) from None
    columns = tuple(cell.strip() for cell in cells)
    if fault := _fault(header, columns):
        raise CannotOpen(Finding(table, f"{path.name} {fault}", TODO))
    names = tuple(name or f"column {place} without a name" for place, name in enumerate(columns, start=1))
    unnamed = tuple(name for name, given in zip(names, columns, strict=True) if not given)
    return CsvFile(path, delimiter, names, unnamed, skipped=1 if separator else 0)


def _first_lines(table: str, path: Path) -> list[str]:
    """The first lines of a file, as text."""
    try:
        with opened(path) as content:
            lines = [content.readline(LONGEST_HEADER)]
            header = lines[0].decode("utf-8-sig")
            lines += islice(iter(lambda: content.readline(LONGEST_HEADER), b""), LINES_COMPARED)
    except UnicodeDecodeError as error:
        encoding = likely_encoding(path)
        todo = advice(encoding) if encoding else TODO
        raise CannotOpen(Finding(table, f"{path.name} cannot be read: {error}", todo)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise CannotOpen(Finding(table, f"{path.name} cannot be read: {error}", TODO)) from None
    if "\0" in header and (encoding := likely_encoding(path)) and encoding.startswith("utf-16"):
        raise CannotOpen(Finding(table, f"{path.name} cannot be read: it is not in UTF-8", advice(encoding)))
    return [header, *(line.decode("utf-8", errors="replace") for line in lines[1:])] if header else []


def _delimiter(header: str, lines: Sequence[str]) -> str:
    """What parts the names outside of quotes and, where several could, the lines below into as many fields."""
    counts = {delimiter: _number(header, delimiter) for delimiter in DELIMITERS}
    there = [delimiter for delimiter in DELIMITERS if counts[delimiter]] or [DELIMITERS[0]]
    if len(there) == 1:
        return there[0]
    fitting = {delimiter: sum(_number(line, delimiter) == counts[delimiter] for line in lines) for delimiter in there}
    return max(there, key=lambda delimiter: (fitting[delimiter], counts[delimiter]))


def _number(line: str, delimiter: str) -> int:
    return _QUOTED.sub("", line).count(delimiter)


def _fault(header: str, columns: Sequence[str]) -> str:
    """What is wrong with a first line that does not name each column once."""
    repeated = sorted({column for column in columns if column and columns.count(column) > 1})
    if not header:
        return "is empty"
    if repeated:
        return f"names {', '.join(repeated)} more than once"
    return "" if any(columns) else "has no column names in its first line"
