"""Names from outside in the files that people open by double click."""

import re
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd

from features.tables.spreadsheet_text import neutral
from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.export import write_csv
from serving.forecast.forecast_workbook import write_table

HOSTILE = (
    "=1+1",
    "\t=1+1",
    "\r=1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
    "@SUM(1)",
    'a","=1+1',
    "a\r\n=1+1",
    "nothing\x00there",
    "\u202etxt.exe",
    "_x000D_=1",
    "https://h.example/x",
)
COLUMNS = (OutColumn("name", Kind.TEXT, "", "Name"), OutColumn("arr", Kind.MONEY, "", "ARR"))
LIST = OutTable("accounts", "Accounts", (), COLUMNS)
FRAME = pd.DataFrame({"name": pd.Series(HOSTILE, dtype="str"), "arr": [1.0] * len(HOSTILE)})
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]")


def test_a_csv_file_holds_nothing_that_is_run_or_breaks_out_of_its_cell(tmp_path: Path) -> None:
    write_csv(LIST, FRAME, tmp_path / "accounts.csv")
    lines = (tmp_path / "accounts.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(HOSTILE) + 1
    for line in lines[1:]:
        cell = re.fullmatch(r'"((?:[^"]|"")*)",1.0', line)
        assert cell is not None, line
        assert not cell[1].startswith(STARTS)
        assert not CONTROLS.search(cell[1])


def test_a_workbook_holds_text_that_stays_text_when_it_is_edited(tmp_path: Path) -> None:
    with (tmp_path / "accounts.xlsx").open("wb") as file:
        write_table(LIST, FRAME, file, {"note": "=1+1"})
    require_plain(tmp_path / "accounts.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "accounts.xlsx")["accounts"]
    assert [sheet.cell(row, 1).value for row in range(2, len(HOSTILE) + 2)] == [neutral(text) for text in HOSTILE]


def require_plain(file: Path) -> None:
    """No formula, no link, no control character, and each cell of text below the head quoted."""
    for sheet in openpyxl.load_workbook(file):
        for row in sheet.iter_rows(min_row=2):
            for cell in row:
                assert cell.data_type != "f", (sheet.title, cell.coordinate)
                assert cell.hyperlink is None
                if cell.data_type == "s":
                    assert cell.quotePrefix, (sheet.title, cell.coordinate)
                    assert not CONTROLS.search(str(cell.value))
    with zipfile.ZipFile(file) as parts:
        assert not [name for name in parts.namelist() if "externalLink" in name]


def test_cells_of_text_are_written_in_one_place() -> None:
    """So that a new sheet, or a new file, cannot forget it."""
    root = Path(__file__).parents[2]
    rooms = ("features", "models", "training", "serving", "holdfast")
    texts = {file: file.read_text(encoding="utf-8") for room in rooms for file in (root / room).rglob("*.py")}
    for call in (".write_string(", ".to_csv("):
        assert [file.name for file, text in texts.items() if call in text] == ["spreadsheet_text.py"], call
