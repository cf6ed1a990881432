"""Columns filled in later on rows that were there already: who would see them too early, and a copy that does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from features.leaks.arrival import happened, month_starts_between
from features.leaks.finding import Leak
from features.leaks.rank import share_low
from features.tables.checked import Tables, write_table
from features.tables.problems import EXAMPLES
from features.tables.sql import named, quoted
from params import Budget
from params import Leaks as Settings

COPIED = ("accounts", "contracts", "fx_rates")
ODD_AT_MOST, IRREGULAR_GAP = 0.2, 0.3


@dataclass(frozen=True)
class Later:
    """A column that is filled in on a row that was there before; `key` is the SQL that names the row."""

    table: str
    column: str
    key: str
    effect: str


LATER = (
    Later("contracts", "ended_on", "contract_id", "an end"),
    Later("tickets", "first_response_at", "account_id", "an answer"),
    Later("tickets", "resolved_at", "account_id", "a solution"),
    Later("goals", "achieved_on", "account_id", "a success"),
    Later("contacts", "left_on", "contact_id", "a departure"),
)


def overwritten(connection: duckdb.DuckDBPyConnection, tables: Tables, first: date) -> Iterator[Leak]:
    """Each column filled in later, with how many rows a cut by the row's own day would show it in too early.

    `first` is the first snapshot.
    """
    for later in LATER:
        if tables.has(later.table, later.column) and happened(tables, later.table) is not None:
            yield from _filled_in(connection, tables, later, first)


def _filled_in(connection: duckdb.DuckDBPyConnection, tables: Tables, later: Later, first: date) -> Iterator[Leak]:
    """Rows that at some month start were there and did not have the value yet that they have now."""
    known, value = happened(tables, later.table), f"CAST({later.column} AS DATE)"
    rows = f"""SELECT {later.key} AS key, {known} AS known, {value} AS value
               FROM raw.{later.table} WHERE {_only_version(tables, later)}"""
    examples = connection.execute(f"""
        SELECT key, known, value, months, value - known AS days, count(*) OVER (),
               sum(months) OVER (), median(days) OVER (), quantile_cont(days, 0.9) OVER ()
        FROM (SELECT *, {month_starts_between("known", "value", first)} AS months FROM ({rows}))
        WHERE months > 0 ORDER BY value DESC, key LIMIT {EXAMPLES}""").fetchall()
    of = connection.execute(f"SELECT count(*) FROM raw.{later.table}").fetchone()
    if not examples:
        return
    count, views, median, p90 = (float(number) for number in examples[0][5:9])
    yield Leak(
        kind="filled in place",
        grade="cut",
        table=later.table,
        column=later.column,
        what=f"were there before they got {later.effect}: {median:.0f} days at the median, {p90:.0f} at the 90th "
        "percentile",
        backtest=f"A cut by the row's own day would show {later.effect} {views:,.0f} times at a month start before it "
        "happened.",
        todo=f"Nothing: {later.column} counts in snapshots only once it has passed.",
        rows=int(count),
        of=int(of[0]) if of else 0,
        examples=tuple(f"{key}: there from {known}, filled in {value}" for key, known, value, *_ in examples),
        figures={"early_views": views, "median_days": median, "p90_days": p90},
    )


def _only_version(tables: Tables, later: Later) -> str:
    """Rows that say nothing of when they got the value: no notice, no version of before, no time of recording."""
    conditions = [f"{later.column} IS NOT NULL", f"CAST({later.column} AS DATE) < DATE '{tables.data_until}'"]
    if later.table == "contracts":
        conditions.append("notice_on IS NULL" if tables.has("contracts", "notice_on") else "TRUE")
        conditions.append(
            "contract_id IN (SELECT contract_id FROM raw.contracts GROUP BY contract_id HAVING count(*) = 1)"
        )
    elif tables.has(later.table, "recorded_at"):
        conditions.append("recorded_at IS NULL")
    return " AND ".join(conditions)


def with_ends_let_through(tables: Tables, database: Path) -> Tables | None:
    """A copy of the tables that snapshots of contracts need, on which each line that stopped had it scheduled so.

    It is what a careless export looks like: the day of leaving stands on the old row as the end of its term. The
    as-of cut is the same as ever; it is the copy that gives the end away. None where no line stopped early.
    """
    if not tables.has("contracts", "ended_on"):
        return None
    columns = {name: tables.columns[name] for name in COPIED if tables.has(name)}
    columns["contracts"] = (*(c for c in columns["contracts"] if c not in ("ended_on", "ends_on")), "ends_on")
    with tables.connect(budget=Budget(1, 1.0)) as connection:
        stopped = connection.execute("SELECT count(*) FROM raw.contracts WHERE ended_on IS NOT NULL").fetchone()
        if not stopped or not stopped[0]:
            return None
        connection.execute(f"ATTACH {quoted(str(database))} AS made")
        for name in columns:
            items = ", ".join(_copied(tables, name, column) for column in columns[name])
            write_table(connection, name, columns[name], f"SELECT {items} FROM raw.{name}")
    return replace(
        tables, database=database, columns=columns, hierarchies=(), digest=f"{tables.digest}-ends-let-through"
    )


def _copied(tables: Tables, table: str, column: str) -> str:
    if (table, column) != ("contracts", "ends_on"):
        return named(column)
    ends = "COALESCE(ended_on, ends_on)" if tables.has("contracts", "ends_on") else "ended_on"
    return f"{ends} AS ends_on"


def odd_ends(connection: duckdb.DuckDBPyConnection, tables: Tables, settings: Settings) -> Iterator[Leak]:
    """Scheduled ends that are whole months for those that stayed, and any day for those that left.

    What was scheduled does not know who will leave: where the last terms of leavers end on odd days much more often
    than terms that were followed by another, their end is the day of leaving. Reads `fates`.
    """
    if not tables.has("contracts", "ends_on"):
        return
    row = connection.execute(f"""
        SELECT count(*) FILTER (last), count(*) FILTER (last AND odd), count(*) FILTER (NOT last),
               count(*) FILTER (NOT last AND odd) FROM ({_terms(tables)})""").fetchone()
    last, last_odd, others, others_odd = (int(n) for n in row or (0, 0, 0, 0))
    if last_odd < settings.min_churned or not others:
        return
    share, usual = last_odd / last, others_odd / others
    if usual > ODD_AT_MOST or share_low(last_odd, last) < usual + IRREGULAR_GAP:
        return
    examples = connection.execute(f"""
        SELECT concat(contract_id, ': ', starts_on, ' to ', ends_on) FROM ({_terms(tables)}) WHERE last AND odd
        ORDER BY ends_on DESC, contract_id LIMIT {EXAMPLES}""").fetchall()
    yield _odd(last_odd, last, usual, tuple(text for (text,) in examples), share)


def _terms(tables: Tables) -> str:
    """SELECT of the terms that ran out: whether it was the `last` of an account that left, and an `odd` length."""
    stopped = "AND ended_on IS NULL" if tables.has("contracts", "ended_on") else ""
    whole = "starts_on + to_months(datediff('month', starts_on, {0}))"
    regular = " OR ".join(f"{end} = {whole.format(end)}" for end in ("ends_on", "(ends_on + 1)"))
    return f"""
        SELECT contract_id, starts_on, ends_on, NOT ({regular}) AS odd, gone AND ends_on = last_end AS last
        FROM (SELECT c.*, f.gone, max(c.ends_on) OVER (PARTITION BY c.account_id) AS last_end
              FROM raw.contracts c JOIN fates f ON f.account_id = c.account_id)
        WHERE ends_on < DATE '{tables.data_until}' {stopped}"""


def _odd(rows: int, of: int, usual: float, examples: tuple[str, ...], share: float) -> Leak:
    return Leak(
        kind="scheduled end filled in later",
        grade="leak",
        table="contracts",
        column="ends_on",
        what=f"of accounts that left do not end a whole number of months after their start; of other terms only "
        f"{usual:.0%} do so: the day of leaving seems to stand in for the scheduled end",
        backtest="Days to the term's end, and the term's length, give away from the first day on who will leave and "
        "when.",
        todo="Map the day of leaving to ended_on, and to ends_on only the end that was agreed.",
        rows=rows,
        of=of,
        unit="last terms",
        examples=examples,
        figures={"odd_share": share, "odd_share_of_others": usual},
    )
