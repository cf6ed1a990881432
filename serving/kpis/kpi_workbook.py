"""KPIs as a workbook with live formulas: change an account's facts, and the figures follow.

Sheet `KPIs` has the figures of the newest date, `OverTime` all dates, `Accounts` the facts, `FirstValue` how many have
reached it by which day, `Checks` what must be equal, `Definition` what each figure means.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.kpis.declared_kpis import ANNUALISED, FIRST_VALUE, RATIOS, SHARE_DAYS
from features.kpis.figures import MONTHS, added, first_value_times
from features.kpis.incidence import LEFT, REACHED
from features.tables.spreadsheet_text import write_text
from serving.kpis.kpi_report import TOTAL, KpiReport, Row
from serving.retention.sheets import Check, Formats, letter, write_checks, write_definitions, write_heads, written_whole

KPIS, TIME, ACCOUNTS, FIRST, CHECKS, DEFINITION = "KPIs", "OverTime", "Accounts", "FirstValue", "Checks", "Definition"
NUMBER = "value_number"  # keys the rows of a value, which as a criterion could be read as a condition
TEXTS = ("account_id", "name", "value")
HEADS = ("kpi", "cut", "value", "figure", "n", "unit", "target", "reached", "note", NUMBER)
RATIO_OF = {ratio.name: ratio for ratio in RATIOS}
SHARES = dict(zip(FIRST_VALUE, SHARE_DAYS, strict=True))
CLOSE = 1e-6


def write_kpi_workbook(report: KpiReport, file: Path) -> None:
    """Write the workbook under another name first, and rename it once it is whole."""
    newest = [row for row in report.rows if row["as_of"] == report.window.as_of]
    with written_whole(file, (KPIS, TIME, ACCOUNTS, FIRST, CHECKS, DEFINITION)) as (sheets, formats):
        columns = _accounts_sheet(sheets[ACCOUNTS], report, _numbers(report, newest), formats)
        curve = _first_value_sheet(sheets[FIRST], report, formats)
        _figures_sheet(sheets[KPIS], report, newest, columns, formats)
        _time_sheet(sheets[TIME], report.rows, formats)
        write_checks(sheets[CHECKS], list(_checks(report, newest, columns, curve)), formats, within=CLOSE)
        words = {row["kpi"]: row["definition"] for row in newest}
        write_definitions(sheets[DEFINITION], list(words.items()), formats)


def _numbers(report: KpiReport, rows: Sequence[Row]) -> dict[str, int]:
    """A number for each value of the cut; 0 is all of them."""
    values = dict.fromkeys(row["value"] for row in rows if row["cut"] == report.cut != TOTAL)
    return {value: number for number, value in enumerate(values, start=1)}


def _accounts_sheet(sheet: Any, report: KpiReport, numbers: Mapping[str, int], formats: Formats) -> dict[str, str]:
    """A row an account; gives the range of each column, to point formulas at."""
    facts = report.accounts.drop(columns="began").reset_index()
    facts.insert(3, NUMBER, [numbers.get(value, 0) for value in facts["value"]])
    order = [*TEXTS, NUMBER, *(str(name) for name in facts if name not in (*TEXTS, NUMBER))]
    write_heads(sheet, order, formats)
    sheet.set_column(0, 2, 24, formats["text"])
    sheet.set_column(3, len(order) - 1, 14)
    for number, account in enumerate(facts[order].itertuples(index=False), start=1):
        for place, cell in enumerate(account):
            if place < len(TEXTS):
                write_text(sheet, number, place, str(cell), formats["text"])
            elif not np.isnan(cell):
                form = "money" if order[place].endswith("arr") else "count"
                sheet.write_number(number, place, float(cell), formats[form])
    sheet.freeze_panes(1, 1)
    last = len(facts) + 1
    return {name: f"{ACCOUNTS}!${letter(place)}$2:${letter(place)}${last}" for place, name in enumerate(order)}


def _figures_sheet(
    sheet: Any, report: KpiReport, rows: Sequence[Row], columns: Mapping[str, str], formats: Formats
) -> None:
    write_heads(sheet, HEADS, formats)
    sheet.set_column(0, 2, 24)
    numbers = _numbers(report, rows)
    for number, row in enumerate(rows, start=1):
        formula = _formula(report, row, number + 1, columns)
        form = formats[{"share": "share"}.get(row["unit"], "number")]
        for place, name in enumerate(HEADS[:-1]):
            cell = row[name]
            if name == "figure" and formula is not None:
                sheet.write_formula(number, place, f"={formula}", form, "" if cell is None else cell)
            elif isinstance(cell, bool):
                write_text(sheet, number, place, "yes" if cell else "no", formats["text"])
            elif isinstance(cell, int | float):
                sheet.write_number(number, place, cell, formats["count"] if name == "n" else form)
            elif cell is not None:
                write_text(sheet, number, place, str(cell), formats["text"])
        sheet.write_number(number, len(HEADS) - 1, numbers.get(row["value"], 0), formats["count"])
    sheet.freeze_panes(1, 1)


def _formula(report: KpiReport, row: Row, line: int, columns: Mapping[str, str]) -> str | None:
    """The formula of a figure; None of one that is worked out elsewhere and shown as it is."""
    if row["kpi"] in SHARES and row["cut"] == TOTAL and row["figure"] is not None:
        days, shares = (f"{FIRST}!${column}$2:${column}${len(_curve(report)) + 1}" for column in "AG")
        return f'SUMIFS({shares},{days},"<={SHARES[row["kpi"]]}")'
    ratio = RATIO_OF.get(row["kpi"].removesuffix(ANNUALISED))
    if ratio is None or row["cut"] not in (TOTAL, report.cut):
        return None
    only = f",{columns[NUMBER]},${letter(len(HEADS) - 1)}{line}" if row["cut"] != TOTAL else ""
    sums = [f"SUM{'IFS' * bool(only)}({columns[name]}{only})" for name in (ratio.over, ratio.under) if name]
    if not ratio.under:
        return sums[0]
    over, under = sums
    rate = f"{over}/{under}"
    if row["kpi"].endswith(ANNUALISED):
        rate = f"1-POWER(1-{rate},{MONTHS}/{report.window.months})"
    return f'IF({under}=0,"",{rate})'


def _time_sheet(sheet: Any, rows: Sequence[Row], formats: Formats) -> None:
    """A row a KPI, cut and value, a column a date."""
    days = sorted({row["as_of"] for row in rows})
    keys = list(dict.fromkeys((row["kpi"], row["cut"], row["value"], row["unit"]) for row in rows))
    figures = {(row["kpi"], row["cut"], row["value"], row["as_of"]): row["figure"] for row in rows}
    write_heads(sheet, ["kpi", "cut", "value", *map(str, days)], formats)
    sheet.set_column(0, 2, 24)
    for number, (*key, unit) in enumerate(keys, start=1):
        for place, text in enumerate(key):
            write_text(sheet, number, place, text, formats["text"])
        for place, day in enumerate(days, start=3):
            figure = figures.get((*key, day))
            if figure is not None:
                sheet.write_number(number, place, figure, formats["share" if unit == "share" else "number"])


def _curve(report: KpiReport) -> pd.DataFrame:
    """The days on which somebody reached first value, left or was last seen, with how many did."""
    times = first_value_times(report.accounts, report.window)
    groups = times.groupby("days")["outcome"]
    return pd.DataFrame({
        "reached": groups.agg(lambda outcomes: int((outcomes == REACHED).sum())),
        "left": groups.agg(lambda outcomes: int((outcomes == LEFT).sum())),
        "seen": groups.size(),
    }).reset_index()  # fmt: skip


def _first_value_sheet(sheet: Any, report: KpiReport, formats: Formats) -> int:
    """Aalen and Johansen's estimator, day by day, as formulas; gives its last row."""
    write_heads(sheet, ["day", "reached", "left", "seen", "still_there", "stay", "share_of_day", "share"], formats)
    if "first_value" not in report.accounts:
        return 1
    curve = _curve(report)
    there, stay, share = float(curve["seen"].sum()), 1.0, 0.0
    for line, cells in enumerate(curve.to_numpy(dtype="int64").tolist(), start=2):
        for place, cell in enumerate(cells):
            sheet.write_number(line - 1, place, cell, formats["count"])
        _, reached, left, seen = cells
        of_day = stay * reached / there
        before, stay, share = there, stay * (1 - (reached + left) / there), share + of_day
        staying = "1" if line == 2 else f"F{line - 1}"
        sheet.write_formula(line - 1, 4, f"=SUM(D{line}:D{len(curve) + 1})", formats["count"], before)
        sheet.write_formula(line - 1, 5, f"={staying}*(1-(B{line}+C{line})/E{line})", formats["share"], stay)
        sheet.write_formula(line - 1, 6, f"={staying}*B{line}/E{line}", formats["share"], of_day)
        sheet.write_formula(line - 1, 7, f"=SUM(G$2:G{line})", formats["share"], share)
        there -= seen
    return len(curve) + 1


def _checks(report: KpiReport, rows: Sequence[Row], columns: Mapping[str, str], last: int) -> Iterator[Check]:
    """What must be equal: the formulas to the engine's figures, parts to the whole, and the rates to NRR."""
    for line, row in enumerate(rows, start=2):
        if _formula(report, row, line, columns) is not None and row["figure"] is not None:
            what = f"{row['kpi']} of {row['value']} is what was worked out without the workbook"
            yield what, (f"{KPIS}!D{line}", row["figure"]), (repr(row["figure"]), row["figure"])
    moved = "".join(f"{sign}SUM({columns[name]})" for name, sign in _STEPS.items())
    change = sum(float(f"{sign}1") * added(report.accounts, name) for name, sign in _STEPS.items())
    start, end = (added(report.accounts, name) for name in ("starting_arr", "ending_arr"))
    yield (
        "Churn, contraction, pauses, upsell, cross-sell and prices lead from starting to ending ARR",
        (f"ROUND(SUM({columns['starting_arr']}){moved},2)", round(start + change, 2)),
        (f"ROUND(SUM({columns['ending_arr']}),2)", end),
    )
    parts = [(line, row) for line, row in enumerate(rows, start=2) if row["kpi"] == "nrr" and row["cut"] != TOTAL]
    if parts:
        sums = "+".join(f"{KPIS}!E{line}" for line, _ in parts)
        cohort = added(report.accounts, "cohort")
        yield (
            f"Accounts by {report.cut} add up",
            (sums, float(sum(row["n"] for _, row in parts))),
            (f"SUM({columns['cohort']})", cohort),
        )
    if last > 1:
        seen = float(_curve(report)["seen"].sum())
        yield "Every new customer is on the curve once", (f"SUM({FIRST}!D2:D{last})", seen), (f"{FIRST}!E2", seen)


_LOST, _WON = ("churned_arr", "contracted_arr", "paused_arr"), ("upsold_arr", "cross_sold_arr", "price_arr")
_STEPS = dict.fromkeys(_LOST, "-") | dict.fromkeys(_WON, "+")
