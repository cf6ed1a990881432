"""Holds the rules against one staged table: what breaks them, which rows are left out, and what is said of both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import duckdb

from features.inputs.checks.line_overlaps import mark_overlaps
from features.inputs.checks.lookalikes import mark_lookalikes
from features.inputs.checks.rule import Level, Rule
from features.inputs.checks.rules import row_level_of, rules_of
from features.inputs.checks.team_rules import mark_circles
from features.inputs.files.csv_files import LONGEST_LINE, lines_without
from features.inputs.files.text_encoding import advice, likely_encoding
from features.inputs.reading.columns import is_blank
from features.inputs.staged import Staged, is_lines, key_columns
from features.tables.contract import Table
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import named, quoted
from params import Revenue, Source

UNREAD = {  # what is wrong with lines of a CSV file (`features.inputs.files.csv_files.FAULTS`), and what to do
    "encoding": ("not in UTF-8", "Save the file in UTF-8, or set source.encoding."),
    "quotes": (
        "with quotes that do not match",
        'Write a quote within a quoted value twice (""), and close each value that begins with one: what is not closed '
        "takes in the lines below.",
    ),
    "fields": (
        "with more or fewer fields than the header has columns",
        "Correct these lines: a value that holds the delimiter belongs in quotes.",
    ),
    "long": (
        f"of a line of more than {LONGEST_LINE:,} bytes",
        "Shorten the value, or leave out its column; a quote that is not closed takes in the lines below, too.",
    ),
    "cast": (  # DuckDB reads a column as the type that a query casts it to
        "with a cell that the query of source.tables cannot convert",
        "Correct the query or these cells: TRY_CAST in place of CAST leaves a cell empty that is no such value.",
    ),
    "other": ("of a CSV file that cannot be read", "Correct these lines."),
}
MOSTLY = 0.95  # where more of the ids are unknown, they are those of something else


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
    connection: duckdb.DuckDBPyConnection, staged: Staged, source: Source, revenue: Revenue, keyed: Mapping[str, float]
) -> Checked:
    """Hold every rule against one staged table, and set aside the rows that are left out.

    Parameters
    ----------
    revenue
        The reporting currency, and what replaces what.
    keyed
        Of the tables that the source has, the `keyed_share` of accounts and rates at least: accounts and currencies
        that one lacks because part of it cannot be read (0) are no problem of this table's.
    """
    _mark_repeats(connection, staged)
    mark_circles(connection, staged)
    overlaps = mark_overlaps(connection, staged, revenue) if is_lines(staged) else {}
    look_alike = mark_lookalikes(connection, staged) if keyed.get("accounts") else False
    rules = list(rules_of(staged, source, revenue, keyed, look_alike=look_alike, overlaps=overlaps))
    rows, counts = _counts(connection, staged, rules)
    left_out = staged.unread_lines + _set_aside(connection, staged, rules)
    silent = sum(count for rule, count in zip(rules, counts, strict=True) if rule.is_silent)
    too_many = left_out - silent > source.max_bad_share * rows
    problems = {Level.ERROR, Level.ROW} if too_many else {Level.ERROR}
    findings = [
        (rule.level, _finding(connection, staged, source, rule, count, rows, by_line=rule.level in problems))
        for rule, count in zip(rules, counts, strict=True)
        if count
    ]
    if staged.unread_lines:
        findings[:0] = _unread_lines(connection, staged, rows)
    findings += [(Level.KEPT, note) for note in staged.notes]
    limit = source.max_bad_share if too_many else None
    return _judged(staged.table, findings, rows, left_out, limit)


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


def _judged(
    table: Table, findings: Sequence[tuple[Level, Finding]], rows: int, left_out: int, limit: float | None
) -> Checked:
    """Which findings are errors, and which can be lived with; `limit` is the share of bad rows that was passed."""
    errors = [finding for level, finding in findings if level is Level.ERROR]
    lived_with = [(level, finding) for level, finding in findings if level is not Level.ERROR]
    if not rows:
        errors.append(_empty(table))
    elif limit is not None:
        errors += [_too_many(finding, left_out, rows, limit) for level, finding in lived_with if level is Level.ROW]
        lived_with = [(level, finding) for level, finding in lived_with if level is not Level.ROW]
    return Checked(rows, left_out, tuple(errors), tuple(lived_with))


def _left_out(finding: Finding, written: bool) -> Finding:
    left_out = f"Left out, see quarantine/{finding.table}.parquet." if written else "Such rows are left out."
    return replace(finding, todo=f"{left_out} {finding.todo}")


def _unread_lines(connection: duckdb.DuckDBPyConnection, staged: Staged, rows: int) -> Iterator[tuple[Level, Finding]]:
    """A finding a fault, with the first lines of it."""
    for fault, (what, todo) in UNREAD.items():
        lines = f"FROM unread_{staged.table.name} WHERE fault = {quoted(fault)}"
        result = connection.execute(
            f"SELECT shown, count(*) OVER (), path, file {lines} ORDER BY file, line LIMIT {EXAMPLES}"
        )
        if examples := result.fetchall():
            texts = tuple(str(row[0]) for row in examples)
            where = "" if staged.csv_files else f" in {examples[0][3]}, which its query reads"
            rule = f"unread_lines_{fault}"
            finding = Finding(staged.table.name, what + where, todo, "", examples[0][1], rows, texts, rule)
            encoding = likely_encoding(Path(str(examples[0][2]))) if fault == "encoding" else None
            yield (
                (Level.ERROR, replace(finding, todo=advice(encoding))) if encoding else (row_level_of(staged), finding)
            )


def _counts(connection: duckdb.DuckDBPyConnection, staged: Staged, rules: Sequence[Rule]) -> tuple[int, list[int]]:
    """Number of rows, and of those that break each rule."""
    counted = "".join(f", count(*) FILTER (WHERE {rule.bad})" for rule in rules)
    row = connection.execute(f"SELECT count(*){counted} FROM {staged.name}").fetchone()
    rows, *counts = row or (0,)
    return rows + staged.unread_lines, counts


def _finding(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    source: Source,
    rule: Rule,
    count: int,
    of: int,
    *,
    by_line: bool,
) -> Finding:
    """The finding for a broken rule, with examples: `by_line`, of values that are missing, the lines found."""
    examples: tuple[str, ...] = ()
    if by_line and rule.is_missing:
        examples = tuple(islice(_lines_without(staged, rule.column, source), min(EXAMPLES, count)))
    examples = examples or _commonest(connection, staged, rule)
    if rule.is_orphan and count >= MOSTLY * of:
        return _wrong_key(connection, staged, count, of, examples)
    return Finding(staged.table.name, rule.what, rule.todo, rule.column, count, of, examples, rule.name)


def _wrong_key(
    connection: duckdb.DuckDBPyConnection, staged: Staged, count: int, of: int, examples: tuple[str, ...]
) -> Finding:
    """The finding for ids of which next to none is in accounts: it is not the accounts that are missing."""
    ids = "SELECT DISTINCT account_id FROM stage_accounts WHERE account_id IS NOT NULL ORDER BY 1 LIMIT 3"
    theirs = ", ".join(str(row[0])[:60] for row in connection.execute(ids).fetchall())
    name, source_name = staged.table.name, staged.theirs.get("account_id", "account_id")
    none = "none of them is" if count == of else "next to none of them is"
    what = f"of an account that accounts lacks: {none} there, so {source_name} seems to be the wrong column"
    todo = f"Accounts are called {theirs}. Map the column that holds such ids: source.tables.{name}.columns.account_id."
    return Finding(name, what, todo, "account_id", count, of, examples)


def _commonest(connection: duckdb.DuckDBPyConnection, staged: Staged, rule: Rule) -> tuple[str, ...]:
    rows = connection.execute(
        f"SELECT {rule.shown} AS shown FROM {staged.name} WHERE {rule.bad} AND shown IS NOT NULL "
        f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {EXAMPLES}"
    ).fetchall()
    return tuple(str(row[0])[:60] for row in rows)


def _lines_without(staged: Staged, name: str, source: Source) -> Iterator[str]:
    """Where in the CSV files a value of a column is missing."""
    column = staged.table.column(name)
    return lines_without(staged.csv_files, staged.theirs[name], lambda text: is_blank(text, column, source))


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
