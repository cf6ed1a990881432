"""Triangles of cohorts: logos kept, GRR and NRR of the accounts that began in a quarter, by their age in quarters."""

import difflib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from features.kpis.cohorts import cohorts, triangle
from features.revenue.cut_labels import NO_LABEL, in_order, labels_in_force
from features.tables.checked import Tables
from features.tables.spreadsheet_text import write_text
from params import Params
from serving.forecast.refusals import BadRequest
from serving.retention.sheets import Check, Formats, letter, write_checks, write_definitions, write_heads, written_whole

TOTAL = "total"
FIGURES = ("logo_retention", "grr", "nrr")
Row = dict[str, Any]


@dataclass(frozen=True)
class CohortReport:
    """The cells of the triangles as `rows`, in total and by value; `ages` the accounts behind the total."""

    as_of: date
    cut: str
    currency: str
    definition: str
    rows: tuple[Row, ...]
    ages: pd.DataFrame
    left_out: int

    def triangles(self) -> dict[str, dict[str, list[float]]]:
        """The total as triangles: of each figure, by cohort, its values at ages 0, 1, 2, ... quarters."""
        shapes: dict[str, dict[str, list[float]]] = {name: {} for name in FIGURES}
        for row in self.rows:
            if row["cut"] == TOTAL:
                for name in FIGURES:
                    shapes[name].setdefault(row["cohort"], []).append(row[name])
        return shapes

    def to_json(self) -> Row:
        """The same as plain data."""
        return {
            "as_of": self.as_of.isoformat(),
            "by": None if self.cut == TOTAL else self.cut,
            "currency": self.currency,
            "rows": [row | {"as_of": self.as_of.isoformat()} for row in self.rows],
            "triangles": self.triangles(),
            "left_out": self.left_out,
            "definition": self.definition,
        }


def cohort_report(tables: Tables, *, as_of: date, params: Params, by: str | None = None) -> CohortReport:
    """Work out the triangles from what was known before `as_of`.

    Parameters
    ----------
    by
        A column of `accounts`, as known at `as_of`.

    Raises
    ------
    BadRequest
        The date lies outside the data, or there is no such column.
    """
    _require(tables, as_of, by)
    history = cohorts(tables, as_of=as_of, rules=params.revenue, budget=params.budget)
    words = _definition(as_of, params)
    rows = _rows(history.ages, as_of, TOTAL, TOTAL, words)
    if by:
        labels = labels_in_force(tables, as_of, (by,), params.budget, params.forecast)[by]
        values = history.ages["account_id"].map(labels).fillna(NO_LABEL).astype("str")
        parts = {str(value): part for value, part in history.ages.groupby(values)}
        for value in in_order(parts):
            rows += _rows(parts[value], as_of, by, value, words)
    if not rows:
        raise BadRequest(
            f"--as-of {as_of}: no account began in a quarter that is over by then. Ask for a later day, up to "
            f"{tables.data_until}, where the data end."
        )
    return CohortReport(as_of, by or TOTAL, params.revenue.currency, words, tuple(rows), history.ages, history.left_out)


def _rows(ages: pd.DataFrame, as_of: date, cut: str, value: str, definition: str) -> list[Row]:
    if ages.empty:
        return []
    named = {"cut": cut, "value": value, "as_of": as_of, "definition": definition}
    return [{str(name): cell for name, cell in row.items()} | named for row in triangle(ages, as_of).to_dict("records")]


def _definition(as_of: date, params: Params) -> str:
    back = "counts 0" if params.revenue.reactivation == "exclude" else "counts with the ARR it came back with"
    return (
        f"Accounts by the quarter in which they began; age in quarters from each one's own first day, as known before "
        f"{as_of}. NRR: ARR at that age over ARR on the first day; GRR: each account capped at it; logo retention: "
        f"share that are customers. One that left and came back {back}; ARR in {params.revenue.currency} at the rates "
        f"of {as_of:%Y-%m}. A cell is there once all of its accounts are so old."
    )


def _require(tables: Tables, as_of: date, by: str | None) -> None:
    if as_of > tables.data_until:
        raise BadRequest(
            f"--as-of {as_of} lies after {tables.data_until}, where the data end. Ask for a day up to then, or, if the "
            "source is complete further on, set source.data_until."
        )
    columns = tables.attribute_columns
    if by is not None and by not in columns:
        near = difflib.get_close_matches(by, columns, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise BadRequest(f"--by {by}: accounts has no such column. The columns are {', '.join(columns)}.{hint}")


def write_cohort_workbook(report: CohortReport, file: Path) -> None:
    """Write the triangles of the total as live formulas over a sheet of accounts and ages."""
    cells = [row for row in report.rows if row["cut"] == TOTAL]
    with written_whole(file, ("NRR", "GRR", "Logos", "Ages", "Checks", "Definition")) as (sheets, formats):
        numbers = {cohort: number for number, cohort in enumerate(dict.fromkeys(row["cohort"] for row in cells), 1)}
        ranges = _ages_sheet(sheets["Ages"], report, numbers, formats)
        checks: list[Check] = []
        for sheet, figure, over, under in (
            ("NRR", "nrr", "arr", "starting_arr"),
            ("GRR", "grr", "kept_arr", "starting_arr"),
            ("Logos", "logo_retention", "customer", "one"),
        ):
            checks += _triangle_sheet(
                sheets[sheet], sheet, cells, figure, (ranges[over], ranges[under]), ranges, formats
            )
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
