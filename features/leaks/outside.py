"""Events outside the time in which the account was a customer: what the check counted, and what they do."""

import re
from collections.abc import Iterator, Sequence

import duckdb

from features.leaks.finding import Leak
from features.tables.checked import Tables
from features.tables.problems import EXAMPLES, Finding

BEFORE = re.compile(r"before the account's first contract")
AFTER = re.compile(r"after the account's last contract")
EARLY = re.compile(r"^recorded before the event")
CUSTOMERS_ONLY = (("tickets", "opened_at"), ("surveys", "responded_on"))


def outside(warnings: Sequence[Finding]) -> Iterator[Leak]:
    """The warnings of the check that bear on what a backtest sees."""
    for warning in warnings:
        if BEFORE.search(warning.what) and warning.table != "churn_events":
            yield _leak(
                warning,
                "They count as history in the account's first snapshots. If the start is wrong, tenure, the first "
                "term and the months at risk are too.",
                "Correct starts_on or the account the rows belong to; a trial is a line with mrr 0.",
            )
        elif AFTER.search(warning.what):
            yield _leak(
                warning,
                "No snapshot sees them, as the account has no revenue by then. If it was still a customer, its churn "
                "is a label that never happened.",
                "Look the accounts up: add the contract that is missing, or close the access of those that left.",
            )
        elif EARLY.search(warning.what):
            yield _leak(
                warning,
                "Nothing: they count from the day they happened. But recorded_at is not what it says, so other rows "
                "may be known too early.",
                "See what writes recorded_at.",
                kind_early=True,
            )


def _leak(warning: Finding, backtest: str, todo: str, *, kind_early: bool = False) -> Leak:
    return Leak(
        kind="recorded before it happened" if kind_early else "outside the contract",
        grade="risk",
        table=warning.table,
        column=warning.column,
        what=warning.what,
        backtest=backtest,
        todo=todo,
        rows=warning.rows,
        of=warning.of,
        examples=warning.examples,
    )


def before_the_start(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """Tickets and answers to surveys from before the account's first line started, which the check does not count."""
    first = "(SELECT account_id, min(starts_on) AS first_start FROM raw.contracts GROUP BY account_id)"
    for table, day in CUSTOMERS_ONLY:
        if tables.has(table):
            rows = f"raw.{table} JOIN {first} USING (account_id) WHERE CAST({day} AS DATE) < first_start"
            example = f"concat(account_id, ': ', CAST({day} AS DATE), ' before ', first_start)"
            examples = connection.execute(
                f"SELECT {example} AS shown, sum(count(*)) OVER () FROM {rows} GROUP BY 1 "
                f"ORDER BY count(*) DESC, 1 LIMIT {EXAMPLES}"
            ).fetchall()
            of = connection.execute(f"SELECT count(*) FROM raw.{table}").fetchone()
            if examples and of:
                what = "before the account's first contract starts"
                yield Finding(table, what, "", day, int(examples[0][1]), int(of[0]), tuple(row[0] for row in examples))
