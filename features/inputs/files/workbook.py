"""Workbooks (.xlsx): one sheet is a table. It is copied to CSV, with days and numbers as their types say."""

import csv
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from features.tables.database import is_disk_full
from features.tables.problems import CannotOpen, Finding

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

SHEETS_NAMED = 5
WHOLE_UNTIL = 1e15  # floats beyond this are not written as whole numbers


def sheet_as_csv(table: str, path: Path, copies: Path, *, decimal_comma: bool) -> tuple[Path, list[Finding]]:
    """Copy the sheet of a table: the one that is called like it, else the first.

    Parameters
    ----------
    copies
        A folder for the copy.
    decimal_comma
        How numbers will be read.

    Returns
    -------
    tuple
        The copy, and what to tell of the workbook.

    Raises
    ------
    CannotOpen
        It is no workbook that can be read.
    """
    copies.mkdir(parents=True, exist_ok=True)
    copy = copies / path.name
    try:
        with warnings.catch_warnings(), closing(_workbook(path)) as book:
            warnings.simplefilter("ignore")  # of styles and the like, which do not matter here
            sheet, notes = _sheet(table, path, book)
            with copy.open("w", encoding="utf-8", newline="") as out:
                writer = csv.writer(out, lineterminator="\n")
                writer.writerows(_records(sheet.iter_rows(values_only=True), decimal_comma=decimal_comma))
    except OSError as error:
        if is_disk_full(error):
            raise
        raise CannotOpen(_unreadable(table, path, error)) from None
    except (BadZipFile, KeyError, ValueError, TypeError, SyntaxError, EOFError) as error:
        raise CannotOpen(_unreadable(table, path, error)) from None
    return copy, notes


def _unreadable(table: str, path: Path, error: Exception) -> Finding:
    why = f"{path.name} cannot be read as a workbook: {error}"
    return Finding(table, why, "Save it again as .xlsx without a password, or export the sheet as CSV.")


def _workbook(path: Path) -> "Workbook":
    from openpyxl import load_workbook  # heavy, and needed here only

    return load_workbook(path, read_only=True, data_only=True, keep_links=False)


def _sheet(table: str, path: Path, book: "Workbook") -> tuple[Any, list[Finding]]:
    """The sheet of a table, and a note where it was taken only because it is the first of several."""
    sheets = book.worksheets
    if not sheets:
        raise ValueError("it has no sheet of cells")
    named = next((sheet for sheet in sheets if sheet.title.strip().lower() == table), None)
    sheet: Any = named or sheets[0]
    sheet.reset_dimensions()  # what some programs write there is wrong
    if named is not None or len(sheets) == 1:
        return sheet, []
    titles = ", ".join(sheet.title for sheet in sheets[:SHEETS_NAMED])
    what = f"is read from {sheet.title}, the first of {len(sheets)} sheets of {path.name} ({titles})"
    return sheet, [Finding(table, what, f"If it is another one, call that {table}.")]


def _records(rows: Iterator[Sequence[Any]], *, decimal_comma: bool) -> Iterator[list[str]]:
    """Rows as texts, as wide as the header or wider; those without any value are blank lines, which are not read."""
    width = 0
    for row in rows:
        cells = [_text(cell, decimal_comma=decimal_comma) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        width = width or len(cells)
        if cells:
            yield cells + [""] * (width - len(cells))
        elif width != 1:  # the only cell of a line that is blank would be a value that is missing
            yield []


def _text(cell: Any, *, decimal_comma: bool) -> str:
    """A cell as the CSV reader takes it; one of midnight sharp is a day."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, float):
        text = str(int(cell)) if cell.is_integer() and abs(cell) < WHOLE_UNTIL else repr(cell)
        return text.replace(".", ",") if decimal_comma else text
    return str(cell)
