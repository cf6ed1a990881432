"""Triangles of cohorts as a workbook with live formulas.

Sheets `NRR`, `GRR` and `Logos` have a triangle each, `Ages` the accounts behind them, `Ahead` the cells to come where
they were asked for (in italics in the triangles), `Checks` what must be equal, `Definition` what each figure means.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from features.tables.spreadsheet_text import write_text
from serving.kpis.cohort_report import TOTAL, CohortReport, Row
from serving.retention.sheets import Check, Formats, letter, write_checks, write_definitions, write_heads, written_whole

_OF_AHEAD = ("cohort", "age_quarters", "accounts", "starting_arr")
_SUMS = (  # figure, what is known, what it is a share of
    ("nrr", "known_arr", "starting_arr"),
    ("grr", "known_kept", "starting_arr"),
    ("logo_retention", "known_customers", "accounts"),
)


def write_cohort_workbook(report: CohortReport, file: Path) -> None:
    """Write the triangles of the total as live formulas over a sheet of accounts and ages."""
    cells = [row for row in report.rows if row["cut"] == TOTAL]
    names = ("NRR", "GRR", "Logos", "Ages", *(("Ahead",) if report.ahead else ()), "Checks", "Definition")
    with written_whole(file, names) as (sheets, formats):
        numbers = {cohort: number for number, cohort in enumerate(dict.fromkeys(row["cohort"] for row in cells), 1)}
        ranges = _ages_sheet(sheets["Ages"], report, numbers, formats)
        checks: list[Check] = _ahead_sheet(sheets["Ahead"], report, formats) if report.ahead else []
        for sheet, figure, over, under in (
            ("NRR", "nrr", "arr", "starting_arr"),
            ("GRR", "grr", "kept_arr", "starting_arr"),
            ("Logos", "logo_retention", "customer", "one"),
        ):
            checks += _triangle_sheet(
                sheets[sheet], sheet, cells, figure, (ranges[over], ranges[under]), ranges, formats
            )
            _complete(sheets[sheet], cells, report.ahead, figure, formats)
        write_checks(sheets["Checks"], checks, formats, within=1e-9)
        write_definitions(sheets["Definition"], [("definition", report.definition)], formats)


def _ages_sheet(sheet: Any, report: CohortReport, numbers: dict[str, int], formats: Formats) -> dict[str, str]:
    """A row an account and age; gives the range of each column."""
    ages = report.ages
    frame = pd.DataFrame({
        "cohort_number": ages["cohort"].map(numbers).fillna(0),
        "age_quarters": ages["age_quarters"],
        "starting_arr": ages["starting_arr"],
        "arr": ages["arr"],
        "kept_arr": ages[["starting_arr", "arr"]].min(axis=1),
        "customer": ages["customer"].astype("int64"),
        "one": 1,
    })  # fmt: skip
    write_heads(sheet, ["account_id", *map(str, frame.columns)], formats)
    for line, (account, cells) in enumerate(zip(ages["account_id"], frame.to_numpy().tolist(), strict=True), start=1):
        write_text(sheet, line, 0, account, formats["text"])
        for place, cell in enumerate(cells, start=1):
            sheet.write_number(line, place, cell)
    last = len(frame) + 1
    return {
        str(name): f"Ages!${letter(place)}$2:${letter(place)}${last}"
        for place, name in enumerate(frame.columns, start=1)
    }


def _triangle_sheet(
    sheet: Any,
    name: str,
    cells: list[Row],
    figure: str,
    columns: tuple[str, str],
    ranges: dict[str, str],
    formats: Formats,
) -> list[Check]:
    """Cohorts down, ages across, as formulas; gives what each must be equal to."""
    oldest = max(row["age_quarters"] for row in cells)
    write_heads(sheet, ["cohort", "accounts", "number", *(f"{age}" for age in range(oldest + 1))], formats)
    lines = {cohort: line for line, cohort in enumerate(dict.fromkeys(row["cohort"] for row in cells), start=2)}
    checks: list[Check] = []
    for row in cells:
        line, place = lines[row["cohort"]], 3 + row["age_quarters"]
        write_text(sheet, line - 1, 0, row["cohort"], formats["text"])
        sheet.write_number(line - 1, 1, row["accounts"], formats["count"])
        sheet.write_number(line - 1, 2, line - 1, formats["count"])
        only = f"{ranges['cohort_number']},$C{line},{ranges['age_quarters']},{row['age_quarters']}"
        over, under = (f"SUMIFS({column},{only})" for column in columns)
        sheet.write_formula(line - 1, place, f"={over}/{under}", formats["share"], row[figure])
        what = (
            f"{figure} of {row['cohort']} at {row['age_quarters']} quarters is what was worked out without the workbook"
        )
        checks.append((what, (f"{name}!{letter(place)}{line}", row[figure]), (repr(float(row[figure])), row[figure])))
    return checks


def _ahead_sheet(sheet: Any, report: CohortReport, formats: Formats) -> list[Check]:
    """A row a cell to come: of each figure what is known, what is expected beside it, and the share of both."""
    heads = [f"{name}{part}" for name, *_ in _SUMS for part in ("_known", "_expected", "", "_low", "_high")]
    write_heads(sheet, [*_OF_AHEAD, *heads], formats)
    checks: list[Check] = []
    for line, row in enumerate(report.ahead, start=2):
        write_text(sheet, line - 1, 0, row["cohort"], formats["text"])
        for place, name in enumerate(_OF_AHEAD[1:], start=1):
            sheet.write_number(line - 1, place, row[name], formats["money" if name == "starting_arr" else "count"])
        for number, (name, known, whole) in enumerate(_SUMS):
            checks += _ahead_figure(sheet, line, len(_OF_AHEAD) + 5 * number, (name, known, whole), row, formats)
    return checks


def _ahead_figure(
    sheet: Any, line: int, place: int, figure: tuple[str, str, str], row: Row, formats: Formats
) -> list[Check]:
    name, known, whole = figure
    expected = row[name] * row[whole] - row[known]
    sheet.write_number(line - 1, place, row[known], formats["number"])
    sheet.write_number(line - 1, place + 1, expected, formats["number"])
    under = f"{letter(_OF_AHEAD.index(whole))}{line}"
    formula = f"=({letter(place)}{line}+{letter(place + 1)}{line})/{under}"
    sheet.write_formula(line - 1, place + 2, formula, formats["ahead"], row[name])
    for step, side in enumerate(("low", "high"), start=3):
        sheet.write_number(line - 1, place + step, row[f"{name}_{side}"], formats["ahead"])
    what = f"{name} of {row['cohort']} at {row['age_quarters']} quarters is what was forecast without the workbook"
    cell = f"Ahead!{letter(place + 2)}{line}"
    return [(what, (cell, row[name]), (repr(float(row[name])), row[name]))]


def _complete(sheet: Any, cells: list[Row], ahead: Sequence[Row], figure: str, formats: Formats) -> None:
    """The cells to come, to the right of those that are there, taken from `Ahead`."""
    lines = {cohort: line for line, cohort in enumerate(dict.fromkeys(row["cohort"] for row in cells), start=2)}
    column = letter(len(_OF_AHEAD) + 5 * [name for name, *_ in _SUMS].index(figure) + 2)
    oldest = max((row["age_quarters"] for row in cells), default=0)
    for line, row in enumerate(ahead, start=2):
        age = row["age_quarters"]
        if age > oldest:
            write_text(sheet, 0, 3 + age, f"{age}", formats["head"])
        sheet.write_formula(lines[row["cohort"]] - 1, 3 + age, f"=Ahead!{column}{line}", formats["ahead"], row[figure])
