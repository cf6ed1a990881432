"""What became of each account between two dates: its ARR at both, its movements, and what it lost on the way."""

from datetime import date
from typing import NamedTuple

import duckdb
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import lines_known
from features.revenue.movements import MOVEMENTS, check_window, movements_of_lines
from features.revenue.retention import retention_of_lines
from features.tables.checked import Tables
from params import Budget, Revenue

LOSSES = ("churn", "pause", "contraction", "price_change")  # of the last only where it is negative


class Changes(NamedTuple):
    """What became of accounts, by `account_id`; all amounts in the reporting currency.

    Attributes
    ----------
    accounts
        Those with ARR at the start or a movement since: `account_id`; `starting_arr` and `ending_arr` as
        `account_retention` gives them, 0 for accounts without ARR at the start; `cohort`, whether it had any;
        `customer`, whether the cohort's is one at the end; `gross_losses`, its churn, pauses, contractions and price
        cuts, as a positive amount (of the cohort); a column each of `MOVEMENTS`.
    paused
        Those paused at the end: `account_id`, `paused_from`, and `runs_out_on`, the day on which it has left unless it
        pays again before (dates).
    """

    accounts: pd.DataFrame
    paused: pd.DataFrame


def account_changes(
    tables: Tables, *, start: date, end: date, known_by: date, rules: Revenue, budget: Budget
) -> Changes:
    """What became of the accounts between two dates.

    Raises
    ------
    ValueError
        `start` is not before `end`, or `end` lies after `known_by`.
    """
    check_window(start, end, known_by)
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget, rolled_up_at=end) as connection:
        accounts = retention_of_lines(connection, tables, start=start, end=end, rules=rules).assign(cohort=True)
        moved = movements_of_lines(connection, tables, start=start, end=end, rules=rules)
        paused = _paused(connection, end, rules)
    return Changes(_wide(accounts, moved), paused)


def _paused(connection: duckdb.DuckDBPyConnection, end: date, rules: Revenue) -> pd.DataFrame:
    """The accounts paused on a day, whose pause may be over by what became known later."""
    days = ("paused_from", f"paused_from + {rules.pause_days}")
    first, last = (f"DATE '1970-01-01' + CAST({day} AS INTEGER)" for day in days)
    return connection.execute(f"""
        SELECT account_id, CAST({first} AS DATE) AS paused_from, CAST({last} AS DATE) AS runs_out_on FROM pauses
        WHERE paused_from <= {day_number(end)} AND {day_number(end)} < paused_until ORDER BY account_id""").df()


def _wide(accounts: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """A row an account, with a column a movement."""
    wide = moved.pivot_table(index="account_id", columns="movement", values="amount", aggfunc="sum")
    lost = moved[moved["movement"].isin(LOSSES) & (moved["amount"] < 0)].groupby("account_id")["amount"].sum()
    changes = accounts.set_index("account_id").join(wide.reindex(columns=list(MOVEMENTS)), how="outer")
    changes["cohort"] = changes["cohort"].notna()
    changes["customer"] = changes["customer"].eq(True)
    changes["gross_losses"] = -lost.reindex(changes.index).fillna(0.0) * changes["cohort"]
    amounts = ["starting_arr", "ending_arr", "gross_losses", *MOVEMENTS]
    changes[amounts] = changes[amounts].fillna(0.0).round(2)
    return changes.rename_axis("account_id").sort_index().reset_index()
