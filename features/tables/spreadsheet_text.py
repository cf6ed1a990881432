"""Text as spreadsheets may be given it: none of it is run as a formula, moves what stands beside it, or hides itself.

Names of accounts come from outside, and a list is opened by double click. In CSV nothing but the text itself says that
it is none, so it is quoted, and what a spreadsheet would run begins with an apostrophe (OWASP, "CSV Injection"). In
XLSX a cell of text is one; it says so when it is edited, too, see `QUOTED`.
"""

import csv
import re
from pathlib import Path
from typing import IO, Any

import pandas as pd

QUOTED = {"num_format": "@", "quote_prefix": True}  # of a cell of text, as xlsxwriter takes it
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
_FORMULA = re.compile(r"[\t\r\n]|[\s\x00-\x1f\x7f]*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # the last four in full width
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_PICTURES = {**{chr(code): chr(0x2400 + code) for code in range(0x20)}, "\x7f": "\u2421"}
_REPLACEMENT = "\ufffd"


def neutral(text: str) -> str:
    """Text with a picture of each control character in its place, such as ␉ of a tab, and � of those that have none.

    Among them are the marks that turn the direction of what follows.
    """
    return _CONTROL.sub(lambda match: _PICTURES.get(match[0], _REPLACEMENT), text)


def safe(text: str) -> str:
    """The same, and with an apostrophe before what a spreadsheet would run; a plain number such as -3.5 is none."""
    is_formula = _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None
    return neutral(f"'{text}" if is_formula else text)


def write_text(sheet: Any, row: int, column: int, text: str, style: Any = None) -> None:
    """Write a cell of text of a workbook; whatever writes one does it here."""
    sheet.write_string(row, column, neutral(text), style)


def write_csv(frame: pd.DataFrame, file: Path | IO[str] | None = None) -> str | None:
    """Write a table as CSV, all its text `safe` and quoted; where no file is given, give it back."""
    cells = frame.copy()
    for name in cells.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in cells.dtypes]]:
        cells[name] = cells[name].map(_safe_cell)
    text: str | None = cells.to_csv(file, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text


def _safe_cell(cell: Any) -> Any:
    return safe(cell) if isinstance(cell, str) else cell
