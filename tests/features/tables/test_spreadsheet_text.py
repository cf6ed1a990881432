"""Text in CSV: a hostile one stays in its cell, shows what it holds, and is not run."""

import csv
import io

import pandas as pd
import pytest

from features.tables.spreadsheet_text import safe, write_csv


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=2+5", "'=2+5"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("@risk", "'@risk"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\t=1", "'\u2409=1"),
        ("\r=1", "'\u240d=1"),
        ("\n=1", "'\u240a=1"),
        (" =1", "' =1"),
        ("\xa0\x00=1", "'\xa0\u2400=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("-3.5", "-3.5"),
        ("+12", "+12"),
        ("1e-5", "1e-5"),
        ("plain", "plain"),
        ("a=b", "a=b"),
        ("a\tb\r\nc\x7f", "a\u2409b\u240d\u240ac\u2421"),
        ("a\x85b\u2028c\u202ed\u2066e\ufeff", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd"),
        ("na\u00efve \u200d \u65e5\u672c", "na\u00efve \u200d \u65e5\u672c"),
        ("", ""),
    ],
)
def test_text_is_written_so_that_a_spreadsheet_runs_none_of_it(text: str, written: str) -> None:
    assert safe(text) == written


HOSTILE = ['a","=1+1', 'x"\n=1+1,"', '=HYPERLINK("http://h")', "one\r\ntwo", "; =1", "plain"]


def test_all_text_is_quoted_and_a_row_stays_a_row() -> None:
    frame = pd.DataFrame({"name": HOSTILE, "arr": [1.5, 2.0, -3.0, 0.0, 1.0, 2.0], "is_new": [True] * 6})
    content = write_csv(frame) or ""
    lines = content.splitlines()
    assert lines[0] == '"name","arr","is_new"'
    assert len(lines) == len(HOSTILE) + 1, "no line break is left within a cell"
    assert all(line.startswith('"') for line in lines)
    cells = [row[0] for row in csv.reader(io.StringIO(content))][1:]
    assert cells == [safe(text) for text in HOSTILE]
    assert lines[3].endswith('",-3.0,True'), "numbers are not quoted"
    assert frame["name"].tolist() == HOSTILE, "what was given stays as it is"
