"""Holds the rules against one staged table: what breaks them, which rows are left out, and what is said of both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import duckdb

from features.inputs.columns import is_blank
from features.inputs.csv_files import lines_without
from features.inputs.rules import Level, Rule, row_level_of, rules_of
from features.inputs.staged import Staged, is_lines, key_columns
from features.tables import contract
from features.tables.contract import Table
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import named, quoted
from params import Source

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
NOTHING_MATCHES = (
    "Nothing matches: wrong id column, or an id that is written in another way? Map the column that holds the ids of "
    "accounts in source.tables.{}.columns."
)


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
        return [_left_out(finding, written) if level is Level.ROW else finding for level, finding in self.lived_with]


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
    if is_lines(staged):
        _mark_overlaps(connection, staged)
    rules = list(rules_of(staged, source, currency, keyed))
    rows, counts = _counts(connection, staged, rules)
    left_out = staged.unread_lines + _set_aside(connection, staged, rules)
    problems = {Level.ERROR, Level.ROW} if left_out > source.max_bad_share * rows else {Level.ERROR}
    findings = [
        (rule.level, _finding(connection, staged, rule, count, rows, by_line=rule.level in problems))
        for rule, count in zip(rules, counts, strict=True)
        if count
    ]
    if staged.unread_lines:
        findings[:0] = [(row_level_of(staged), finding) for finding in _unread_lines(connection, staged, rows)]
    return _judged(staged.table, findings, rows, left_out, source.max_bad_share)


def _mark_repeats(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Make `repeats_<table>`: the rows that share their key with an earlier one, in the order of their values."""
    if not staged.table.key or not staged.has(*staged.table.key):
        return
    names = [named(column) for column in key_columns(staged)]
    key, same = ", ".join(names), " AND ".join(f"s.{name} IS NOT DISTINCT FROM r.{name}" for name in names)
    has_key = " AND ".join(f"{named(column)} IS NOT NULL" for column in staged.table.key)
    ordered = ", ".join(named(column) for column in staged.columns)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE repeats_{staged.table.name} AS
        SELECT repeat FROM (
            SELECT s.rowid AS repeat, row_number() OVER (PARTITION BY {key} ORDER BY {ordered}) AS nth
            FROM {staged.name} s SEMI JOIN (
                SELECT {key} FROM {staged.name} WHERE {has_key} GROUP BY ALL HAVING count(*) > 1) r
            ON {same})
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


def _unread_lines(connection: duckdb.DuckDBPyConnection, staged: Staged, rows: int) -> Iterator[Finding]:
    """A finding a fault, with the first lines of it."""
    for fault, (what, todo) in UNREAD.items():
        lines = f"FROM unread_{staged.table.name} WHERE fault = {quoted(fault)}"
        result = connection.execute(f"SELECT shown, count(*) OVER () {lines} ORDER BY file, line LIMIT {EXAMPLES}")
        if examples := result.fetchall():
            texts = tuple(str(row[0]) for row in examples)
            yield Finding(staged.table.name, what, todo, "", examples[0][1], rows, texts, f"unread_lines_{fault}")


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
    todo = NOTHING_MATCHES.format(staged.table.name) if rule.name == "orphan" and 1 < count == of else rule.todo
    return Finding(staged.table.name, rule.what, todo, rule.column, count, of, examples, rule.name)


def _commonest(connection: duckdb.DuckDBPyConnection, staged: Staged, rule: Rule) -> tuple[str, ...]:
    rows = connection.execute(
        f"SELECT {rule.shown} AS shown FROM {staged.name} WHERE {rule.bad} AND shown IS NOT NULL "
        f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {EXAMPLES}"
    ).fetchall()
    return tuple(str(row[0])[:60] for row in rows)


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
    return Finding(table.name, "is empty", todo, rule="empty_table")


def _too_many(finding: Finding, left_out: int, rows: int, limit: float) -> Finding:
    todo = (
        f"{left_out:,} of {rows:,} rows of {finding.table} are bad, over the limit of {limit:.1%}: "
        f"correct them, or raise source.max_bad_share. {finding.todo}"
    )
    return replace(finding, todo=todo)
