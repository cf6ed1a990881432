"""Realised retention as a workbook with live formulas: change an account's figures, and all others follow.

Sheet `NRR` has the figures, `Accounts` a row an account, `Paused` those that may come back, `Checks` what must be
equal, `Definition` what it means.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.revenue import MOVEMENTS
from features.tables.spreadsheet_text import write_text
from serving.retention.realised_nrr import TOTAL, RealisedNrr
from serving.retention.sheets import Check, letter, write_checks, write_definitions, write_heads, written_whole

ACCOUNTS, CHECKS, DEFINITION, FIGURES, PAUSED = "Accounts", "Checks", "Definition", "NRR", "Paused"
TEXTS = ("account_id", "name", "value")
NUMBER = "value_number"  # keys the rows of a value: as criteria, texts such as <12k, >250k or a* are conditions
AMOUNTS = ("starting_arr", "ending_arr", "gross_losses", *MOVEMENTS)
OUTSIDE = ("new", "reactivation", "resume", "currency")  # movements that are no change of the cohort's ARR
INSIDE = tuple(name for name in MOVEMENTS if name not in OUTSIDE)


def write_workbook(result: RealisedNrr, file: Path) -> None:
    """Write the workbook under another name first, and rename it once it is whole."""
    with written_whole(file, (FIGURES, ACCOUNTS, PAUSED, CHECKS, DEFINITION)) as (sheets, formats):
        columns = _accounts_sheet(sheets[ACCOUNTS], result, formats)
        _figures_sheet(sheets[FIGURES], result, columns, formats)
        _paused_sheet(sheets[PAUSED], result, formats)
        write_checks(sheets[CHECKS], _checks(result, columns), formats)
        _definition_sheet(sheets[DEFINITION], result, formats)


def _accounts_sheet(sheet: Any, result: RealisedNrr, formats: Mapping[str, Any]) -> dict[str, str]:
    """A row an account; gives the range of each column, to point formulas at."""
    names = [*TEXTS, NUMBER, "cohort", "customer", *AMOUNTS, "kept_arr"]
    numbers = {row["value"]: number for number, row in enumerate(result.rows)}
    last = len(result.accounts) + 1
    write_heads(sheet, names, formats)
    sheet.set_column(0, 2, 24, formats["text"])
    sheet.set_column(3, len(names) - 1, 14, formats["money"])
    place_of = {name: place for place, name in enumerate(names)}
    letters = {name: letter(place) for name, place in place_of.items()}
    for number, account in enumerate(result.accounts.to_dict("records"), start=1):
        for name in TEXTS:
            write_text(sheet, number, place_of[name], str(account[name]), formats["text"])
        counts = {
            NUMBER: numbers.get(str(account["value"]), 0),
            "cohort": account["cohort"],
            "customer": account["customer"],
        }
        for name, count in counts.items():
            sheet.write_number(number, place_of[name], int(count), formats["count"])
        for name in AMOUNTS:
            sheet.write_number(number, place_of[name], account[name], formats["money"])
        kept = f"=MIN({letters['starting_arr']}{number + 1},{letters['ending_arr']}{number + 1})"
        value = min(account["starting_arr"], account["ending_arr"])
        sheet.write_formula(number, place_of["kept_arr"], kept, formats["money"], value)
    sheet.freeze_panes(1, 1)
    return {name: f"{ACCOUNTS}!${letter}$2:${letter}${last}" for name, letter in letters.items()}


def _paused_sheet(sheet: Any, result: RealisedNrr, formats: Mapping[str, Any]) -> None:
    write_heads(sheet, list(result.paused.columns), formats)
    sheet.set_column(0, len(result.paused.columns) - 1, 24, formats["text"])
    for number, row in enumerate(result.paused_rows(), start=1):
        for place, text in enumerate(row.values()):
            write_text(sheet, number, place, text, formats["text"])


def _figures_sheet(sheet: Any, result: RealisedNrr, columns: Mapping[str, str], formats: Mapping[str, Any]) -> None:
    heads = [
        result.cut if result.cut != TOTAL else "cut", "accounts", "starting_arr", "ending_arr", "nrr", "grr",
        "logo_retention", *MOVEMENTS, "gross_losses", "netted_within_accounts", NUMBER,
    ]  # fmt: skip
    write_heads(sheet, heads, formats)
    sheet.set_column(0, 0, 24, formats["text"])
    sheet.set_column(1, len(heads) - 1, 15)
    for number, row in enumerate(result.rows, start=1):
        write_text(sheet, number, 0, row["value"], formats["text"])
        for place, (formula, value, kind) in enumerate(_formulas(result, row, number + 1, columns), start=1):
            sheet.write_formula(number, place, formula, formats[kind], "" if value is None else value)
        sheet.write_number(number, len(heads) - 1, number - 1, formats["count"])
    sheet.freeze_panes(1, 1)


def _formulas(
    result: RealisedNrr, row: Mapping[str, Any], line: int, columns: Mapping[str, str]
) -> list[tuple[str, Any, str]]:
    """Formula, value and format of each figure of a row of sheet `NRR`."""
    key = f"${letter(9 + len(MOVEMENTS))}{line}"
    only = "" if row["cut"] == TOTAL else f",{columns[NUMBER]},{key}"

    def added(name: str) -> str:
        return f'SUMIFS({columns[name]},{columns["cohort"]},"<2"{only})'

    def ratio(over: str, under: str) -> str:
        return f'=IF({under}=0,"",{over}/{under})'

    shares = [ratio(f"D{line}", f"C{line}"), ratio(added("kept_arr"), f"C{line}")]
    if result.weight == "account":
        alike = "1" if row["cut"] == TOTAL else f"({columns[NUMBER]}={key})"
        per_account = f"SUMPRODUCT({alike}*{{}}/({columns['starting_arr']}+({columns['starting_arr']}=0)))"
        shares = [ratio(per_account.format(columns[name]), f"B{line}") for name in ("ending_arr", "kept_arr")]
    lost = letter(7 + len(MOVEMENTS))
    return [
        (f"={added('cohort')}", row["accounts"], "count"),
        (f"={added('starting_arr')}", row["starting_arr"], "money"),
        (f"={added('ending_arr')}", row["ending_arr"], "money"),
        (shares[0], row["nrr"], "share"),
        (shares[1], row["grr"], "share"),
        (ratio(added("customer"), f"B{line}"), row["logo_retention"], "share"),
        *((f"={added(name)}", row["movements"][name], "money") for name in MOVEMENTS),
        (f"={added('gross_losses')}", row["gross_losses"], "money"),
        (f"={lost}{line}-(C{line}-{added('kept_arr')})", row["netted_within_accounts"], "money"),
    ]


def _checks(result: RealisedNrr, columns: Mapping[str, str]) -> list[Check]:
    """What must be equal: in words, and of either side its formula and value, which come from different figures."""
    total, *parts = result.rows
    accounts = result.accounts[result.accounts["cohort"]]
    cohort = f"{columns['cohort']},1"
    inside = "+".join(f"SUMIFS({columns[name]},{cohort})" for name in INSIDE)
    net = f"({'+'.join(columns[name] for name in INSIDE)})"
    lost = f"SUMPRODUCT({columns['cohort']}*({net}<0)*(0-{net}))"
    moved = accounts[list(INSIDE)].sum(axis="columns")
    kept = float(accounts[["starting_arr", "ending_arr"]].min(axis="columns").sum())
    checks = [
        ("Starting ARR and the cohort's movements add up to its ending ARR",
         (f"{FIGURES}!C2+{inside}", total["starting_arr"] + float(moved.sum())),
         (f"{FIGURES}!D2", total["ending_arr"])),
        ("What GRR loses is what each account of the cohort lost beyond its gains",
         (f"{FIGURES}!C2-SUMIFS({columns['kept_arr']},{cohort})", total["starting_arr"] - kept),
         (lost, -float(moved.clip(upper=0).sum()))),
    ]  # fmt: skip
    if parts:
        checks += [
            (f"{name} by {result.cut} adds up to the total",
             (f"SUM({FIGURES}!{letter}3:{letter}{len(parts) + 2})", sum(row[name] for row in parts)),
             (f"{FIGURES}!{letter}2", total[name]))
            for letter, name in (("B", "accounts"), ("C", "starting_arr"), ("D", "ending_arr"))
        ]  # fmt: skip
    return checks


def _definition_sheet(sheet: Any, result: RealisedNrr, formats: Mapping[str, Any]) -> None:
    about = result.to_json()
    names = ("definition", "from", "to", "known_by", "by", "weight", "currency")
    write_definitions(sheet, [(name, str(about[name])) for name in names], formats)
