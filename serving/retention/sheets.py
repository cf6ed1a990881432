"""What workbooks with live formulas share: written whole, formats, ranges of columns, and a sheet of what is equal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from features.tables.spreadsheet_text import QUOTED, write_text

CENT = 0.005
FORMS = {"money": "#,##0.00", "share": "0.0%", "count": "#,##0", "number": "#,##0.00"}
Formats = Mapping[str, Any]
Side = tuple[str, float]
Check = tuple[str, Side, Side]


class Book(NamedTuple):
    """The sheets of a workbook by name, and its formats: those of `FORMS`, `ahead`, `text` and `head`."""

    sheets: Mapping[str, Any]
    formats: Formats


@contextmanager
def written_whole(file: Path, names: Sequence[str]) -> Iterator[Book]:
    """A workbook with these sheets, under another name until it is whole; texts never become formulas or links."""
    import xlsxwriter

    part = file.with_name(f".{file.name}.part")
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(part), options) as workbook:
        formats = {name: workbook.add_format({"num_format": code}) for name, code in FORMS.items()}
        formats["ahead"] = workbook.add_format({"num_format": FORMS["share"], "italic": True})
        formats["text"] = workbook.add_format(QUOTED)
        formats["head"] = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        yield Book({name: workbook.add_worksheet(name) for name in names}, formats)
    part.replace(file)


def letter(place: int) -> str:
    """The letter of a column, the first of which is 0."""
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(place))


def write_heads(sheet: Any, names: Sequence[str], formats: Formats) -> None:
    """The first row of a sheet."""
    for place, name in enumerate(names):
        write_text(sheet, 0, place, name, formats["head"])


def write_checks(sheet: Any, checks: Sequence[Check], formats: Formats, within: float = CENT) -> None:
    """A row a check: what must be equal in words, and of either side its formula and value."""
    for place, (name, width) in enumerate((("check", 70), ("left", 18), ("right", 18), ("equal", 10))):
        write_text(sheet, 0, place, name, formats["head"])
        sheet.set_column(place, place, width)
    for number, (what, *sides) in enumerate(checks, start=1):
        write_text(sheet, number, 0, what, formats["text"])
        for place, (formula, value) in enumerate(sides, start=1):
            sheet.write_formula(number, place, f"={formula}", formats["money"], value)
        (_, left), (_, right) = sides
        equal = bool(abs(left - right) < within)
        sheet.write_formula(number, 3, f"=ABS(B{number + 1}-C{number + 1})<{within}", None, equal)


def write_definitions(sheet: Any, rows: Sequence[tuple[str, str]], formats: Formats) -> None:
    """A row a thing and what it means."""
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 120)
    for number, (name, text) in enumerate(rows):
        write_text(sheet, number, 0, name, formats["head"])
        write_text(sheet, number, 1, text, formats["text"])
