"""The check: what may not be in the input, what can be lived with, and what is said about both.

Every rule is a condition in SQL on a staged row (see `features.inputs.columns`). A rule has one of three levels:

error
    The input cannot be used. All rules of `accounts`, `contracts` and `fx_rates` are errors: a line or a rate that
    is left out would change the revenue itself.
row
    The row is left out and goes to the quarantine, with a warning. If such rows are more than
    `source.max_bad_share` of their table, they are errors instead.
value
    The value is emptied, with a warning.
kept
    Nothing, but for the warning.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from features.inputs.columns import raw
from features.inputs.staged import STRICT, Staged, is_lines, key_columns, may_be_unread, whose, with_key
from features.tables.contract import Column, Type
from features.tables.sql import named, quoted
from params import Source

TIMES = (Type.DATE, Type.TS)
LARGEST = 1_000_000_000

KINDS = {
    Type.DATE: "date",
    Type.TS: "date and time",
    Type.MONEY: "amount",
    Type.NUMBER: "number",
    Type.INTEGER: "whole number",
    Type.BOOL: "true or false",
}


class Level(StrEnum):
    """What becomes of a row that breaks a rule."""

    ERROR = "error"
    ROW = "row"
    VALUE = "value"
    KEPT = "kept"


@dataclass(frozen=True)
class Rule:
    """One thing that may not be: `bad` is true on a staged row that breaks it, `shown` is the example's text.

    `name` is the rule's lasting name.
    """

    column: str
    what: str
    todo: str
    bad: str
    shown: str
    level: Level
    is_missing: bool = False
    name: str = ""


def row_level_of(staged: Staged) -> Level:
    """What becomes of a row that cannot be used."""
    return Level.ERROR if staged.table.name in STRICT else Level.ROW


def rules_of(staged: Staged, source: Source, currency: str, keyed: Mapping[str, float]) -> Iterator[Rule]:
    """All rules of a table, those about single values first."""
    row_level = row_level_of(staged)
    for column in staged.declared:
        yield from _value_rules(staged, column, row_level)
        if column.type in TIMES:
            yield _far(staged, column, source)
    if staged.has(*key_columns(staged)) and staged.table.key:
        yield _repeated(staged, row_level)
    if staged.table.name != "accounts" and staged.has("account_id") and keyed.get("accounts"):
        yield _orphan(row_level)
    if staged.table.name == "contracts":
        yield from _contract_rules(staged, currency, keyed)
    if staged.table.name == "fx_rates":
        yield _rate_not_positive()


def _value_rules(staged: Staged, column: Column, row_level: Level) -> Iterator[Rule]:
    """Values that are missing, unreadable or not allowed."""
    name = named(column.name)
    if column.required:
        missing = f"{name} IS NULL" + (f" AND {raw(column.name)} IS NULL" if may_be_unread(column) else "")
        todo = f"Every row needs one; map another column in source.tables.{staged.table.name}.columns if it is there."
        row = whose(staged, column.name)
        yield Rule(column.name, "without a value", todo, missing, row, row_level, True, "missing_value")
    if not may_be_unread(column):
        return
    yield from _unread(staged, column, row_level)
    if column.type is Type.NUMBER:
        yield _too_large(staged, column, row_level)


def _unread(staged: Staged, column: Column, row_level: Level) -> Iterator[Rule]:
    """Text that is no value of the column."""
    unread, example = f"{raw(column.name)} IS NOT NULL", with_key(staged, column.name, raw(column.name))
    if column.allowed:
        level = row_level if column.blank else Level.VALUE
        todo = f"Allowed are {', '.join(column.allowed)}" + ("." if column.blank else "; it is read as empty.")
        what = "with a value that is not allowed"
        yield Rule(column.name, what, todo, unread, example, level, name="value_not_allowed")
        return
    if column.type is Type.MONEY:
        infinite = f"lower(ltrim({raw(column.name)}, '+-')) IN ('nan', 'inf', 'infinity')"
        what, todo = "with an amount that is not finite", "Give a finite amount."
        yield Rule(column.name, what, todo, infinite, example, row_level, name="not_finite")
        unread += f" AND NOT {infinite}"
    what = f"with a value that is no {KINDS[column.type]}"
    yield Rule(column.name, what, _readable(column), unread, example, row_level, name="unreadable")


def _too_large(staged: Staged, column: Column, row_level: Level) -> Rule:
    name = named(column.name)
    what = f"with a number beyond {LARGEST:,}, which sums cannot hold exactly"
    large = with_key(staged, column.name, f"CAST({name} AS VARCHAR)")
    bad = f"abs({name}) > {LARGEST}"
    return Rule(column.name, what, "Give it in a larger unit.", bad, large, row_level, name="too_large")


def _readable(column: Column) -> str:
    """How a value of the column's type is written."""
    times = "Write it as YYYY-MM-DD; with days first, such as 31-12-2024, set source.day_first."
    return {
        Type.DATE: times,
        Type.TS: times.replace("YYYY-MM-DD;", "YYYY-MM-DD HH:MM:SS, in UTC or with a zone;"),
        Type.MONEY: "Write it as 1234.56, without a currency sign or thousands separators.",
        Type.NUMBER: "Write it as 1234.56.",
        Type.INTEGER: "Write it as 1234.",
        Type.BOOL: "Write it as true or false.",
    }[column.type]


def _far(staged: Staged, column: Column, source: Source) -> Rule:
    return Rule(
        column.name,
        f"with a date before {source.earliest} or from {source.latest} on",
        "Correct it (years have four digits), or leave it empty if it stands for an open end; source.earliest and "
        "source.latest set the limits.",
        f"({_is_far(column, source)})",
        with_key(staged, column.name, f"CAST(CAST({named(column.name)} AS DATE) AS VARCHAR)"),
        Level.ERROR,
        name="far_date",
    )


def _is_far(column: Column, source: Source) -> str:
    day = f"CAST({named(column.name)} AS DATE)"
    return f"{day} < DATE '{source.earliest}' OR {day} >= DATE '{source.latest}'"


def any_far(staged: Staged, source: Source) -> str:
    """SQL condition of a row with a date outside the limits of the settings."""
    far = " OR ".join(_is_far(column, source) for column in staged.declared if column.type in TIMES) or "FALSE"
    return f"COALESCE({far}, FALSE)"


def _repeated(staged: Staged, level: Level) -> Rule:
    key = key_columns(staged)
    todo = f"A row is known by {', '.join(key)}: keep one of each."
    if level is Level.ROW:
        todo = f"A row is known by {', '.join(key)}: the first of each is kept."
    example = " || ' ' || ".join(f"COALESCE(CAST({named(column)} AS VARCHAR), '-')" for column in key)
    bad = f"rowid IN (SELECT repeat FROM repeats_{staged.table.name})"
    return Rule(staged.table.key[0], "repeating an earlier one", todo, bad, example, level, name="repeated")


def _orphan(level: Level) -> Rule:
    bad = "account_id NOT IN (SELECT account_id FROM stage_accounts WHERE account_id IS NOT NULL)"
    todo = "Add the account, or remove them."
    return Rule("account_id", "of an account that accounts lacks", todo, bad, "account_id", level, name="orphan")


def _contract_rules(staged: Staged, currency: str, keyed: Mapping[str, float]) -> Iterator[Rule]:
    for money in ("mrr", "list_mrr"):
        if staged.has(money):
            example = with_key(staged, money, f"CAST({money} AS VARCHAR)")
            todo = "Recurring revenue cannot be negative: correct it, and leave credits and refunds out."
            yield Rule(money, "with a negative amount", todo, f"{money} < 0", example, Level.ERROR, name="negative")
    for end in ("ends_on", "ended_on"):
        if staged.has("starts_on", end):
            example = with_key(staged, end, f"concat(starts_on, ' after ', {end})")
            todo = f"A line cannot start after it ends: correct starts_on or {end}."
            bad = f"starts_on > {end}"
            yield Rule("starts_on", f"starting after {end}", todo, bad, example, Level.ERROR, name="starts_after_end")
    if is_lines(staged):
        yield _overlap(staged)
        yield _unnamed_overlap(staged)
    if staged.has("currency") and keyed.get("fx_rates", 1.0):
        yield _no_rate(currency, has_rates="fx_rates" in keyed)


def _overlap(staged: Staged) -> Rule:
    parts = [part for part in ("account_id", "product", "buying_center") if staged.has(part)]
    return Rule(
        "starts_on",
        f"overlapping an earlier line of the same {', '.join(parts)}",
        "Revenue would count twice: end the earlier line (ended_on), or tell them apart by product or buying_center.",
        "rowid IN (SELECT overlap FROM overlapping WHERE has_product)",
        with_key(staged, "starts_on", "CAST(starts_on AS VARCHAR)"),
        Level.ERROR,
        name="overlap",
    )


def _unnamed_overlap(staged: Staged) -> Rule:
    """Lines that name no product cannot be told apart, so that it is not known whether they may overlap."""
    return Rule(
        "product",
        "overlapping an earlier line of the account, and naming no product to tell them apart by",
        "Their revenue adds up; give product to have overlaps checked.",
        "rowid IN (SELECT overlap FROM overlapping WHERE NOT has_product)",
        with_key(staged, "starts_on", "CAST(starts_on AS VARCHAR)"),
        Level.KEPT,
        name="overlap_without_product",
    )


def _no_rate(currency: str, *, has_rates: bool) -> Rule:
    bad = f"currency <> {quoted(currency.upper())}"
    if has_rates:
        bad += " AND currency NOT IN (SELECT currency FROM stage_fx_rates WHERE currency IS NOT NULL)"
    todo = f"Add its rates to fx_rates, or set revenue.currency if it is not {currency}."
    return Rule("currency", "in a currency that has no rate", todo, bad, "currency", Level.ERROR, name="no_rate")


def _rate_not_positive() -> Rule:
    todo = "A rate is the reporting currency per unit, above 0."
    example = "concat(currency, ' ', month, ': ', rate)"
    return Rule("rate", "with a rate of 0 or less", todo, "rate <= 0", example, Level.ERROR, name="rate_not_positive")
