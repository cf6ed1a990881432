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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

import duckdb

from features.inputs.columns import is_blank, raw
from features.inputs.csv_files import lines_without
from features.tables import contract
from features.tables.contract import Column, Table, Type
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import named, quoted
from params import Source

TIMES = (Type.DATE, Type.TS)
LARGEST = 1_000_000_000
STRICT = ("accounts", "contracts", "fx_rates")
UNREAD = {  # what is wrong with lines of a CSV file (`features.inputs.csv_files.FAULTS`), and what to do
    "encoding": ("not in UTF-8", "Save the file in UTF-8."),
    "quotes": (
        "with quotes that do not match",
        'Write a quote within a quoted value twice (""), and close each value that begins with one: what is not closed '
        "takes in the lines below.",
    ),
    "fields": (
        "with more or fewer fields than the header has columns",
        "Correct these lines: a value that holds the delimiter belongs in quotes.",
    ),
    "other": ("of a CSV file that cannot be read", "Correct these lines."),
}

KINDS = {
    Type.DATE: "date",
    Type.TS: "date and time",
    Type.MONEY: "amount",
    Type.NUMBER: "number",
    Type.INTEGER: "whole number",
    Type.BOOL: "true or false",
}


def stage(table: str) -> str:
    """Name of a staged table in the database."""
    return f"stage_{table}"


class Level(StrEnum):
    """What becomes of a row that breaks a rule."""

    ERROR = "error"
    ROW = "row"
    VALUE = "value"
    KEPT = "kept"


@dataclass(frozen=True)
class Rule:
    """One thing that may not be: `bad` is true on a staged row that breaks it, `shown` is the example's text."""

    column: str
    what: str
    todo: str
    bad: str
    shown: str
    level: Level
    is_missing: bool = False


@dataclass(frozen=True)
class Staged:
    """A staged table: its declaration, and the columns that are there.

    `unread_lines` counts the lines of its CSV files that do not fit their header; `unread_<table>` holds them. `theirs`
    are the source's names of the columns, `csv_files` what it was read from, if from such files.
    """

    table: Table
    columns: tuple[str, ...]
    extra: tuple[str, ...] = ()
    unread_lines: int = 0
    theirs: Mapping[str, str] = field(default_factory=dict)
    csv_files: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """Name of the staged table in the database."""
        return stage(self.table.name)

    @property
    def declared(self) -> list[Column]:
        """Declarations of the columns that are there, without the extra ones."""
        return [column for column in self.table if column.name in self.columns]

    @property
    def unread(self) -> list[Column]:
        """Declarations of the columns that also hold, as `raw:<column>`, the text that could not be read."""
        return [column for column in self.declared if _may_be_unread(column)]

    def has(self, *columns: str) -> bool:
        """Whether all these columns are there."""
        return set(columns) <= set(self.columns)


@dataclass(frozen=True)
class Checked:
    """What the rules found in one table; rows left out are in `bad_<table>` with their `reason`.

    `lived_with` holds what is no error, each with what becomes of its rows.
    """

    rows: int
    left_out: int
    errors: tuple[Finding, ...]
    lived_with: tuple[tuple[Level, Finding], ...]

    def warnings(self, *, written: bool) -> list[Finding]:
        """What can be lived with, in words; where rows are left out, and where they are if the tables are written."""
        return [_left_out(found, written) if level is Level.ROW else found for level, found in self.lived_with]


def keyed_share(connection: duckdb.DuckDBPyConnection, staged: Staged, key: str) -> float:
    """Share of the rows that have their key; 0 unless the table was read to the last line.

    Above 0, others can be held against the keys that are there.
    """
    if staged.unread_lines or not staged.has(key):
        return 0.0
    row = connection.execute(f"SELECT count({named(key)}) / greatest(count(*), 1) FROM {staged.name}").fetchone()
    return float(row[0]) if row else 0.0


def check_table(
    connection: duckdb.DuckDBPyConnection, staged: Staged, source: Source, currency: str, keyed: Mapping[str, float]
) -> Checked:
    """Hold every rule against one staged table, and set aside the rows that are left out.

    Parameters
    ----------
    currency
        The reporting currency.
    keyed
        Of the tables that the source has, the `keyed_share` of accounts and rates at least: accounts and currencies
        that one lacks because part of it cannot be read (0) are no problem of this table's.
    """
    _mark_repeats(connection, staged)
    if _is_lines(staged):
        _mark_overlaps(connection, staged)
    rules = list(_rules(staged, source, currency, keyed))
    rows, counts = _counts(connection, staged, rules)
    left_out = staged.unread_lines + _set_aside(connection, staged, rules)
    problems = {Level.ERROR, Level.ROW} if left_out > source.max_bad_share * rows else {Level.ERROR}
    findings = [
        (rule.level, _finding(connection, staged, rule, count, rows, by_line=rule.level in problems))
        for rule, count in zip(rules, counts, strict=True)
        if count
    ]
    if staged.unread_lines:
        findings[:0] = [(_row_level(staged), found) for found in _unread_lines(connection, staged, rows)]
    return _judged(staged.table, findings, rows, left_out, source.max_bad_share)


def _judged(table: Table, findings: Sequence[tuple[Level, Finding]], rows: int, left_out: int, limit: float) -> Checked:
    """Which findings are errors, and which can be lived with."""
    errors = [finding for level, finding in findings if level is Level.ERROR]
    lived_with = [(level, finding) for level, finding in findings if level is not Level.ERROR]
    if not rows:
        errors.append(_empty(table))
    elif left_out > limit * rows:
        errors += [_too_many(finding, left_out, rows, limit) for level, finding in lived_with if level is Level.ROW]
        lived_with = [(level, finding) for level, finding in lived_with if level is not Level.ROW]
    return Checked(rows, left_out, tuple(errors), tuple(lived_with))


def _left_out(finding: Finding, written: bool) -> Finding:
    left_out = f"Left out, see quarantine/{finding.table}.parquet." if written else "Such rows are left out."
    return replace(finding, todo=f"{left_out} {finding.todo}")


def _row_level(staged: Staged) -> Level:
    """What becomes of a row that cannot be used."""
    return Level.ERROR if staged.table.name in STRICT else Level.ROW


def _unread_lines(connection: duckdb.DuckDBPyConnection, staged: Staged, rows: int) -> Iterator[Finding]:
    """A finding a fault, with the first lines of it."""
    for fault, (what, todo) in UNREAD.items():
        lines = f"FROM unread_{staged.table.name} WHERE fault = {quoted(fault)}"
        found = connection.execute(f"SELECT shown, count(*) OVER () {lines} ORDER BY file, line LIMIT {EXAMPLES}")
        if examples := found.fetchall():
            shown = tuple(str(row[0]) for row in examples)
            yield Finding(staged.table.name, what, todo, "", examples[0][1], rows, shown)


def _rules(staged: Staged, source: Source, currency: str, keyed: Mapping[str, float]) -> Iterator[Rule]:
    """All rules of a table, those about single values first."""
    row_level = _row_level(staged)
    for column in staged.declared:
        yield from _value_rules(staged, column, row_level)
        if column.type in TIMES:
            yield _far(staged, column, source)
    if staged.has(*_key(staged)) and staged.table.key:
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
        missing = f"{name} IS NULL" + (f" AND {raw(column.name)} IS NULL" if _may_be_unread(column) else "")
        todo = f"Every row needs one; map another column in source.tables.{staged.table.name}.columns if it is there."
        whose = _whose(staged, column.name)
        yield Rule(column.name, "without a value", todo, missing, whose, row_level, is_missing=True)
    if not _may_be_unread(column):
        return
    unread, shown = f"{raw(column.name)} IS NOT NULL", _with_key(staged, column.name, raw(column.name))
    if column.allowed:
        level = row_level if column.blank else Level.VALUE
        todo = f"Allowed are {', '.join(column.allowed)}" + ("." if column.blank else "; it is read as empty.")
        yield Rule(column.name, "with a value that is not allowed", todo, unread, shown, level)
    elif column.type is Type.MONEY:
        infinite = f"lower(ltrim({raw(column.name)}, '+-')) IN ('nan', 'inf', 'infinity')"
        todo = "Give a finite amount."
        yield Rule(column.name, "with an amount that is not finite", todo, infinite, shown, row_level)
        unread += f" AND NOT {infinite}"
        yield Rule(column.name, "with a value that is no amount", _readable(column), unread, shown, row_level)
    else:
        what = f"with a value that is no {KINDS[column.type]}"
        yield Rule(column.name, what, _readable(column), unread, shown, row_level)
    if column.type is Type.NUMBER:
        what = f"with a number beyond {LARGEST:,}, which sums cannot hold exactly"
        large = _with_key(staged, column.name, f"CAST({name} AS VARCHAR)")
        yield Rule(column.name, what, "Give it in a larger unit.", f"abs({name}) > {LARGEST}", large, row_level)


def _may_be_unread(column: Column) -> bool:
    return column.type not in (Type.ID, Type.TEXT) or bool(column.allowed)


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
        _with_key(staged, column.name, f"CAST(CAST({named(column.name)} AS DATE) AS VARCHAR)"),
        Level.ERROR,
    )


def _is_far(column: Column, source: Source) -> str:
    day = f"CAST({named(column.name)} AS DATE)"
    return f"{day} < DATE '{source.earliest}' OR {day} >= DATE '{source.latest}'"


def any_far(staged: Staged, source: Source) -> str:
    """SQL condition of a row with a date outside the limits of the settings."""
    far = " OR ".join(_is_far(column, source) for column in staged.declared if column.type in TIMES) or "FALSE"
    return f"COALESCE({far}, FALSE)"


def _repeated(staged: Staged, level: Level) -> Rule:
    key = _key(staged)
    todo = f"A row is known by {', '.join(key)}: keep one of each."
    if level is Level.ROW:
        todo = f"A row is known by {', '.join(key)}: the first of each is kept."
    shown = " || ' ' || ".join(f"COALESCE(CAST({named(column)} AS VARCHAR), '-')" for column in key)
    bad = f"rowid IN (SELECT repeat FROM repeats_{staged.table.name})"
    return Rule(staged.table.key[0], "repeating an earlier one", todo, bad, shown, level)


def _orphan(level: Level) -> Rule:
    bad = "account_id NOT IN (SELECT account_id FROM stage_accounts WHERE account_id IS NOT NULL)"
    return Rule(
        "account_id", "of an account that accounts lacks", "Add the account, or remove them.", bad, "account_id", level
    )


def _contract_rules(staged: Staged, currency: str, keyed: Mapping[str, float]) -> Iterator[Rule]:
    for money in ("mrr", "list_mrr"):
        if staged.has(money):
            shown = _with_key(staged, money, f"CAST({money} AS VARCHAR)")
            todo = "Recurring revenue cannot be negative: correct it, and leave credits and refunds out."
            yield Rule(money, "with a negative amount", todo, f"{money} < 0", shown, Level.ERROR)
    for end in ("ends_on", "ended_on"):
        if staged.has("starts_on", end):
            shown = _with_key(staged, end, f"concat(starts_on, ' after ', {end})")
            todo = f"A line cannot start after it ends: correct starts_on or {end}."
            yield Rule("starts_on", f"starting after {end}", todo, f"starts_on > {end}", shown, Level.ERROR)
    if _is_lines(staged):
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
        _with_key(staged, "starts_on", "CAST(starts_on AS VARCHAR)"),
        Level.ERROR,
    )


def _unnamed_overlap(staged: Staged) -> Rule:
    """Lines that name no product cannot be told apart, so that it is not known whether they may overlap."""
    return Rule(
        "product",
        "overlapping an earlier line of the account, and naming no product to tell them apart by",
        "Their revenue adds up; give product to have overlaps checked.",
        "rowid IN (SELECT overlap FROM overlapping WHERE NOT has_product)",
        _with_key(staged, "starts_on", "CAST(starts_on AS VARCHAR)"),
        Level.KEPT,
    )


def _no_rate(currency: str, *, has_rates: bool) -> Rule:
    bad = f"currency <> {quoted(currency.upper())}"
    if has_rates:
        bad += " AND currency NOT IN (SELECT currency FROM stage_fx_rates WHERE currency IS NOT NULL)"
    todo = f"Add its rates to fx_rates, or set revenue.currency if it is not {currency}."
    return Rule("currency", "in a currency that has no rate", todo, bad, "currency", Level.ERROR)


def _rate_not_positive() -> Rule:
    todo = "A rate is the reporting currency per unit, above 0."
    return Rule(
        "rate", "with a rate of 0 or less", todo, "rate <= 0", "concat(currency, ' ', month, ': ', rate)", Level.ERROR
    )


def _key(staged: Staged) -> tuple[str, ...]:
    """The columns that tell rows apart: key, version, and when a correction was recorded."""
    table = staged.table
    versions = (table.version, "recorded_at") if table.version else ()
    return table.key + tuple(dict.fromkeys(name for name in versions if name in staged.columns))


def _whose(staged: Staged, column: str) -> str:
    """SQL of the text that says whose row it is, by a column other than `column`."""
    names = [*staged.table.key[:1], "account_id", staged.table.event_day or ""]
    other = next((name for name in names if name != column and name in staged.columns), None)
    return f"COALESCE(CAST({named(other)} AS VARCHAR), '-')" if other else "'-'"


def _with_key(staged: Staged, column: str, value: str) -> str:
    """SQL of an example: `id: value` in tables whose rows have an id, else the value alone."""
    has_key = staged.table.name in STRICT and staged.has(staged.table.key[0])
    return f"concat({_whose(staged, column)}, ': ', {value})" if has_key else value


def _is_lines(staged: Staged) -> bool:
    """Whether the table is contracts with all that it takes to tell lines apart."""
    return staged.table.name == "contracts" and staged.has("contract_id", "account_id", "starts_on")


def _mark_repeats(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Make `repeats_<table>`: the rows that share their key with an earlier one, in the order of their values."""
    if not staged.table.key or not staged.has(*staged.table.key):
        return
    key = ", ".join(named(column) for column in _key(staged))
    known = " AND ".join(f"{named(column)} IS NOT NULL" for column in staged.table.key)
    ordered = ", ".join(named(column) for column in staged.columns)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE repeats_{staged.table.name} AS
        SELECT repeat FROM (
            SELECT s.rowid AS repeat, row_number() OVER (PARTITION BY {key} ORDER BY {ordered}) AS nth
            FROM {staged.name} s SEMI JOIN (
                SELECT {key} FROM {staged.name} WHERE {known} GROUP BY ALL HAVING count(*) > 1) r
            ON {" AND ".join(f"s.{named(column)} IS NOT DISTINCT FROM r.{named(column)}" for column in _key(staged))})
        WHERE nth > 1""")


def _mark_overlaps(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Make `overlapping`: lines that start while an earlier one of the same product runs; newest versions only.

    Lines without a product are compared with each other, and marked as such.
    """
    get = {name: name if staged.has(name) else "NULL" for name in contract.CONTRACTS.names}
    end = f"COALESCE({get['ended_on']}, {get['ends_on']}, DATE '9999-12-31')"
    newest = "recorded_at DESC NULLS LAST" if staged.has("recorded_at") else "starts_on"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE overlapping AS
        WITH newest AS (
            SELECT rowid AS line, contract_id, account_id, {get["product"]} AS product,
                   {get["buying_center"]} AS buying_center, starts_on, {end} AS end_on
            FROM {staged.name}
            QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY {newest}) = 1)
        SELECT line AS overlap, product IS NOT NULL AS has_product FROM newest
        WHERE starts_on < end_on
        QUALIFY starts_on < max(end_on) OVER (
            PARTITION BY account_id, product, buying_center ORDER BY starts_on, contract_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)""")


def _counts(connection: duckdb.DuckDBPyConnection, staged: Staged, rules: Sequence[Rule]) -> tuple[int, list[int]]:
    """Number of rows, and of those that break each rule."""
    counted = "".join(f", count(*) FILTER (WHERE {rule.bad})" for rule in rules)
    row = connection.execute(f"SELECT count(*){counted} FROM {staged.name}").fetchone()
    rows, *counts = row or (0,)
    return rows + staged.unread_lines, counts


def _finding(
    connection: duckdb.DuckDBPyConnection, staged: Staged, rule: Rule, count: int, of: int, *, by_line: bool
) -> Finding:
    """The finding for a broken rule, with examples: `by_line`, of values that are missing, the lines found."""
    examples: tuple[str, ...] = ()
    if by_line and rule.is_missing:
        examples = tuple(islice(_lines_without(staged, rule.column), min(EXAMPLES, count)))
    examples = examples or _commonest(connection, staged, rule)
    return Finding(staged.table.name, rule.what, rule.todo, rule.column, count, of, examples)


def _commonest(connection: duckdb.DuckDBPyConnection, staged: Staged, rule: Rule) -> tuple[str, ...]:
    found = connection.execute(
        f"SELECT {rule.shown} AS shown FROM {staged.name} WHERE {rule.bad} AND shown IS NOT NULL "
        f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {EXAMPLES}"
    ).fetchall()
    return tuple(str(row[0])[:60] for row in found)


def _lines_without(staged: Staged, name: str) -> Iterator[str]:
    """Where in the CSV files a value of a column is missing."""
    column = staged.table.column(name)
    return lines_without(staged.csv_files, staged.theirs[name], lambda text: is_blank(text, column))


def _set_aside(connection: duckdb.DuckDBPyConnection, staged: Staged, rules: Sequence[Rule]) -> int:
    """Make `bad_<table>`: the rows to leave out, with all their reasons; return how many."""
    rules = [rule for rule in rules if rule.level is Level.ROW]
    reasons = ", ".join(f"CASE WHEN {rule.bad} THEN {quoted(f'{rule.column}: {rule.what}')} END" for rule in rules)
    any_bad = " OR ".join(f"({rule.bad})" for rule in rules) or "FALSE"
    reason = f"concat_ws('; ', {reasons})" if rules else "''"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE bad_{staged.table.name} AS
        SELECT rowid AS bad, {reason} AS reason FROM {staged.name} WHERE {any_bad}""")
    row = connection.execute(f"SELECT count(*) FROM bad_{staged.table.name}").fetchone()
    return int(row[0]) if row else 0


def _empty(table: Table) -> Finding:
    todo = "Give its rows." if table.required else "Give its rows, or remove it: the table is optional."
    return Finding(table.name, "is empty", todo)


def _too_many(finding: Finding, left_out: int, rows: int, limit: float) -> Finding:
    todo = (
        f"{left_out:,} of {rows:,} rows of {finding.table} are bad, over the limit of {limit:.1%}: "
        f"correct them, or raise source.max_bad_share. {finding.todo}"
    )
    return replace(finding, todo=todo)
