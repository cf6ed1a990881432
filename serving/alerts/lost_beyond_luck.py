"""ARR lost in a quarter, against what the simulated futures of its official forecast lose in all but one of twenty.

Quarters do not overlap, so that one in twenty is one in twenty quarters; and what is measured within one has the same
start and the same limit throughout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from features.revenue import add_months
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from params import Params
from serving.alerts.escalating import LOST_BEYOND_LUCK, TOTAL, Measure, largest_of
from serving.health.panel import customers_at
from serving.ledger import whole_numbers
from serving.ledger.record import Record
from serving.ledger.record_tables import FIGURE
from serving.ledger.withdrawals import official_of

MONTHS = 3
NOTICE = ("notice_share", "term_ends_on")


@dataclass(frozen=True)
class Losses:
    """What was lost, or is under notice to end, within a quarter.

    Attributes
    ----------
    by_account
        ARR, by `account_id`, of those that had any at the quarter's start.
    measure
        The share of all their ARR, against the 95 % quantile of what the forecast's draws lose.
    """

    by_account: "pd.Series[float]"
    measure: Measure


def lost_beyond_luck(record: Record, tables: Tables, as_of: date, params: Params) -> Losses | None:
    """What was lost from the start of a quarter until `as_of`; None without an official forecast of that start.

    The quarter is the one of the day before: on the first day of a quarter the one before it is whole, and only then
    can the measure come back. Before, it may be raised, too late rather than too early: hardly anything that was lost
    returns. The limit has the luck that accounts share in it.
    """
    start = pd.Period(as_of - timedelta(days=1), freq="Q").start_time.date()
    low_grr = _low_grr(record, start) if params.alerts.escalate.lost_beyond_luck else None
    if low_grr is None:
        return None
    accounts = account_retention(
        tables, start=start, end=as_of, known_by=as_of, rules=params.revenue, budget=params.budget
    ).set_index("account_id")
    if accounts.empty:
        return None
    end = add_months(start, MONTHS)
    kept = accounts[["starting_arr", "ending_arr"]].min(axis=1)
    notice = _notice_share(tables, as_of, end, params)
    lost = accounts["starting_arr"] - kept + kept * notice.reindex(kept.index).fillna(0.0)
    share = float(lost.sum()) / float(accounts["starting_arr"].sum())
    measure = Measure(LOST_BEYOND_LUCK, TOTAL, TOTAL, share, 1 - low_grr, is_whole=as_of == end)
    return Losses(lost, measure)


def most_lost(losses: Losses | None, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The accounts that make most of what was lost, those that left among them."""
    if losses is None:
        return []
    return largest_of(losses.by_account[losses.by_account > 0], "arr_lost", names)


def _low_grr(record: Record, start: date) -> float | None:
    """The GRR over `MONTHS` that 95 % of the futures of a date's official forecast lie above."""
    with record.reading() as connection:
        query = sa.select(FIGURE.c.p05, FIGURE.c.unit).where(
            FIGURE.c.run_number == official_of(connection, start.isoformat()),
            FIGURE.c.metric == "grr",
            FIGURE.c.cut == TOTAL,
            FIGURE.c.horizon_months == MONTHS,
        )
        row: Any = connection.execute(query).first()
    return None if row is None or row.p05 is None else float(whole_numbers.figures(row.p05, row.unit))


def _notice_share(tables: Tables, as_of: date, until: date, params: Params) -> "pd.Series[float]":
    """Of each account, the share of its ARR whose lines end by notice within the time; by `account_id`."""
    today = customers_at(tables, [as_of], NOTICE, params).set_index("account_id")
    if not {*NOTICE} <= set(today.columns):
        return pd.Series(0.0, index=today.index)
    ends = pd.to_datetime(today["term_ends_on"]) <= pd.Timestamp(until)
    return pd.Series(np.where(ends, today["notice_share"].fillna(0.0), 0.0), index=today.index)
