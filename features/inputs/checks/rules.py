"""The check: what may not be in the input, what can be lived with, and what is said about both.

Every rule is a condition in SQL on a staged row (see `features.inputs.reading.columns`), of one of these levels:

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

from features.inputs.checks.line_overlaps import discount_rules, overlap_rules
from features.inputs.checks.rule import Level, Rule
from features.inputs.checks.team_rules import team_rules
from features.inputs.reading.columns import raw
from features.inputs.staged import STRICT, Staged, key_columns, may_be_unread, whose, with_key
from features.tables.contract import Column, Type
from features.tables.sql import named, quoted
from params import Revenue, Source

TIMES = (Type.DATE, Type.TS)
NUMBERS = (Type.MONEY, Type.NUMBER, Type.INTEGER)
# Rows that say nothing, rather than something wrong: as good as not there, however many they are.
SILENT = {
    ("fx_rates", "rate"): "The rate of the month before goes on.",
    ("surveys", "score"): "A survey without a score was not answered.",
}
DECIMAL_COMMA = "[+-]?([0-9]+|[0-9]{1,3}([. ][0-9]{3})+),[0-9]{1,2}|[+-]?[0-9]{1,3}([. ][0-9]{3})+,[0-9]+"
LARGEST = 1_000_000_000

KINDS = {
    Type.DATE: "date",
    Type.TS: "date and time",
    Type.MONEY: "amount",
    Type.NUMBER: "number",
    Type.INTEGER: "whole number",
    Type.BOOL: "true or false",
}


def row_level_of(staged: Staged) -> Level:
    """What becomes of a row that cannot be used."""
    return Level.ERROR if staged.table.name in STRICT else Level.ROW


def rules_of(
    staged: Staged,
    source: Source,
    revenue: Revenue,
    keyed: Mapping[str, float],
    *,
    look_alike: bool = False,
    overlaps: Mapping[str, str] | None = None,
) -> Iterator[Rule]:
    """All rules of a table, those about single values first.

    Parameters
    ----------
    look_alike
        Whether `lookalike_<table>` holds anything.
    overlaps
        What `features.inputs.checks.line_overlaps.mark_overlaps` gave.
    """
    row_level = row_level_of(staged)
    for column in staged.declared:
        yield from _value_rules(staged, column, row_level, decimal_comma=source.decimal_comma)
        if column.type in TIMES:
            yield _far(staged, column, source)
    if staged.has(*key_columns(staged)) and staged.table.key:
        yield _repeated(staged, row_level)
    if look_alike:
        yield _lookalike(staged, row_level)
    if staged.table.name != "accounts" and staged.has("account_id") and keyed.get("accounts"):
        yield _orphan(row_level, but=f" AND NOT {_is_lookalike(staged)}" if look_alike else "")
    if staged.table.name == "contracts":
        yield from _contract_rules(staged, revenue, keyed, overlaps or {})
    if staged.table.name == "fx_rates":
        yield _rate_not_positive()
    yield from team_rules(staged)


def _value_rules(staged: Staged, column: Column, row_level: Level, *, decimal_comma: bool) -> Iterator[Rule]:
    """Values that are missing, unreadable or not allowed."""
    name = named(column.name)
    if column.required:
        yield _missing(staged, column, row_level)
    if not may_be_unread(column):
        return
    if column.allowed:
        unread, example = f"{raw(column.name)} IS NOT NULL", with_key(staged, column.name, raw(column.name))
        level = row_level if column.blank else Level.VALUE
        todo = f"Allowed are {', '.join(column.allowed)}" + ("." if column.blank else "; it is read as empty.")
        what = "with a value that is not allowed"
        yield Rule(column.name, what, todo, unread, example, level, name="value_not_allowed")
        return
    yield from _unreadable_rules(staged, column, row_level, decimal_comma=decimal_comma)
    if column.type is Type.NUMBER:
        what = f"with a number beyond {LARGEST:,}, which sums cannot hold exactly"
        large = with_key(staged, column.name, f"CAST({name} AS VARCHAR)")
        bad = f"abs({name}) > {LARGEST}"
        yield Rule(column.name, what, "Give it in a larger unit.", bad, large, row_level, name="too_large")


def _unreadable_rules(staged: Staged, column: Column, row_level: Level, *, decimal_comma: bool) -> Iterator[Rule]:
    """Texts that are no value of the column's type; the first that says why is the only one that speaks."""
    unread, example = f"{raw(column.name)} IS NOT NULL", with_key(staged, column.name, raw(column.name))
    if column.type in NUMBERS and not decimal_comma:
        comma = f"COALESCE(regexp_full_match({raw(column.name)}, '{DECIMAL_COMMA}'), FALSE)"
        todo = "Set source.decimal_comma: true, if all files write numbers that way; else write 12.50."
        yield Rule(column.name, "with a decimal comma", todo, comma, example, row_level, name="decimal_comma")
        unread += f" AND NOT {comma}"
    what = f"with a value that is no {KINDS[column.type]}"
    if column.type is Type.MONEY:
        infinite = f"lower(ltrim({raw(column.name)}, '+-')) IN ('nan', 'inf', 'infinity')"
        todo = "Give a finite amount."
        not_finite = "with an amount that is not finite"
        yield Rule(column.name, not_finite, todo, infinite, example, row_level, name="not_finite")
        unread += f" AND NOT {infinite}"
    todo = _readable(column)
    if (staged.table.name, column.name) == ("fx_rates", "month"):
        what, todo = "with a value that is no month", "Write it as YYYY-MM, such as 2024-01, or as its first day."
    yield Rule(column.name, what, todo, unread, example, row_level, name="unreadable")


def _missing(staged: Staged, column: Column, row_level: Level) -> Rule:
    """A value that is required and not there."""
    bad = f"{named(column.name)} IS NULL" + (f" AND {raw(column.name)} IS NULL" if may_be_unread(column) else "")
    if column.name in staged.table.answer and staged.table.opened_by in staged.columns:
        bad += f" AND NOT ({staged.table.is_open({name: named(name) for name in staged.columns})})"
    silent = SILENT.get((staged.table.name, column.name))
    todo = silent or (
        f"Every row needs one; map another column in source.tables.{staged.table.name}.columns if it is there."
    )
    return Rule(
        column.name,
        "without a value",
        todo,
        bad,
        whose(staged, column.name),
        Level.ROW if silent else row_level,
        is_missing=True,
        is_silent=bool(silent),
        name="missing_value",
    )


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


def _orphan(level: Level, but: str) -> Rule:
    bad = f"account_id NOT IN (SELECT account_id FROM stage_accounts WHERE account_id IS NOT NULL){but}"
    what, todo = "of an account that accounts lacks", "Add the account, or remove them."
    return Rule("account_id", what, todo, bad, "account_id", level, is_orphan=True, name="orphan")


def _is_lookalike(staged: Staged) -> str:
    return f"COALESCE(account_id IN (SELECT id FROM lookalike_{staged.table.name}), FALSE)"


def _lookalike(staged: Staged, level: Level) -> Rule:
    """Ids that print as another one does, and are not the same."""
    shown = f"(SELECT any_value(shown) FROM lookalike_{staged.table.name} WHERE id = account_id)"
    what = "with an id that only looks like one of accounts: its letters are coded in another way"
    todo = "Write it alike in both, such as in Unicode form NFC and without invisible characters."
    if staged.table.name == "accounts":
        what, level = "with an id that looks like another account's: its letters are coded in another way", Level.KEPT
        todo = "They count as two accounts: if they are one, keep one of them."
    return Rule("account_id", what, todo, _is_lookalike(staged), shown, level, name="lookalike_id")


def _contract_rules(
    staged: Staged, revenue: Revenue, keyed: Mapping[str, float], overlaps: Mapping[str, str]
) -> Iterator[Rule]:
    yield from discount_rules(staged)
    for end in ("ends_on", "ended_on"):
        if staged.has("starts_on", end):
            example = with_key(staged, end, f"concat(starts_on, ' after ', {end})")
            todo = f"A line cannot start after it ends: correct starts_on or {end}."
            bad = f"starts_on > {end}"
            yield Rule("starts_on", f"starting after {end}", todo, bad, example, Level.ERROR, name="starts_after_end")
    yield from overlap_rules(staged, overlaps, revenue)
    if staged.has("currency") and keyed.get("fx_rates", 1.0):
        yield _no_rate(revenue.currency, has_rates="fx_rates" in keyed)


def _no_rate(currency: str, *, has_rates: bool) -> Rule:
    bad = f"currency <> {quoted(currency.upper())}"
    if has_rates:
        bad += " AND currency NOT IN (SELECT currency FROM stage_fx_rates WHERE currency IS NOT NULL)"
    todo = f"Add its rates to fx_rates, or set revenue.currency if it is not {currency}."
    return Rule("currency", "in a currency that has no rate", todo, bad, "currency", Level.ERROR, name="no_rate")


def _rate_not_positive() -> Rule:
    todo = "A rate is the reporting currency per unit, above 0."
    return Rule(
        "rate",
        "with a rate of 0 or less",
        todo,
        "rate <= 0",
        "concat(currency, ' ', month, ': ', rate)",
        Level.ERROR,
        name="rate_not_positive",
    )
