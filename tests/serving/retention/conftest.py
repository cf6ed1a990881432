"""A workbook worked out anew, as a spreadsheet would: no cached result is believed."""

import fnmatch
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

_TERM = re.compile(
    r'(?P<text>"[^"]*")'
    r"|(?:(?P<sheet>[A-Za-z]+)!)?\$?(?P<first>[A-Z]+)\$?(?P<top>[0-9]+)(?::\$?(?P<last>[A-Z]+)\$?(?P<end>[0-9]+))?"
    r"|(?P<equal>(?<![<>])=)"
)


COMPARED = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


class Spreadsheet:
    """Works out the formulas of a workbook: of functions, those that the product writes."""

    def __init__(self, file: Path) -> None:
        self._book = openpyxl.load_workbook(file)
        self._values: dict[tuple[str, str], Any] = {}
        functions = (
            *(self.SUMIFS, self.SUM, self.MIN, self.IF, self.ABS, self.SUMPRODUCT),
            *(self.POWER, self.ROUND),
        )
        self._names = {function.__name__: function for function in functions} | {"cells": self.cells}

    def rows(self, sheet: str) -> list[list[Any]]:
        """What is seen below the headings of a sheet."""
        return [[self._at(sheet, cell.coordinate) for cell in row] for row in self._book[sheet].iter_rows(min_row=2)]

    def cells(self, sheet: str, place: str) -> Any:
        found = self._book[sheet][place]
        if ":" not in place:
            return self._at(sheet, place)
        return np.array([self._at(sheet, cell.coordinate) for row in found for cell in row], dtype=object)

    def _at(self, sheet: str, place: str) -> Any:
        if (sheet, place) not in self._values:
            content = self._book[sheet][place].value
            is_formula = self._book[sheet][place].data_type == "f"
            content = self._worked_out(sheet, content[1:]) if is_formula else content
            is_number = isinstance(content, int | float) and not isinstance(content, bool | np.bool_)
            self._values[sheet, place] = np.float64(content) if is_number else content
        return self._values[sheet, place]

    def _worked_out(self, sheet: str, formula: str) -> Any:
        def written(term: re.Match[str]) -> str:
            if term["text"] or term["equal"]:
                return term["text"] or "=="
            end = f":{term['last']}{term['end']}" if term["last"] else ""
            place = f"{term['first']}{term['top']}{end}"
            return f"cells({term['sheet'] or sheet!r}, {place!r})"

        with np.errstate(all="ignore"):
            return eval(_TERM.sub(written, formula), {"__builtins__": {}}, self._names)

    def SUMIFS(self, amounts: Any, *conditions: Any) -> Any:
        hits = np.ones(len(amounts), dtype=bool)
        for values, criterion in zip(conditions[::2], conditions[1::2], strict=True):
            hits &= [_fits(value, criterion) for value in values]
        return np.float64(sum(amounts[hits]))

    def SUM(self, amounts: Any) -> Any:
        return np.float64(sum(amounts))

    def SUMPRODUCT(self, amounts: Any) -> Any:
        return np.float64(sum(amounts))

    def MIN(self, *amounts: Any) -> Any:
        return min(amounts)

    def ABS(self, amount: Any) -> Any:
        return abs(amount)

    def POWER(self, base: Any, exponent: Any) -> Any:
        return base**exponent

    def ROUND(self, amount: Any, digits: Any) -> Any:
        return round(amount, int(digits))

    def IF(self, condition: Any, then: Any, otherwise: Any) -> Any:
        return then if condition else otherwise


def _fits(value: Any, criterion: Any) -> bool:
    """Whether a spreadsheet counts a value: a text may be a condition, may hold wildcards, and has no case."""
    if not isinstance(criterion, str):
        return bool(value == criterion)
    sign, limit = re.fullmatch("(<>|<=|>=|<|>|=|)(.*)", criterion, re.DOTALL).groups()  # type: ignore[union-attr]
    if sign in COMPARED and re.fullmatch("[0-9.]+", limit) and not isinstance(value, str):
        return bool(COMPARED[sign](value, float(limit)))
    fits = sign in ("", "=") and fnmatch.fnmatchcase(str(value).lower(), limit.lower())
    return fits or (sign == "<>" and str(value).lower() != limit.lower())


@pytest.fixture
def spreadsheet() -> Callable[[Path], Spreadsheet]:
    """Opens a workbook without its cached results."""
    return Spreadsheet
