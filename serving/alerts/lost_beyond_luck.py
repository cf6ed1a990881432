"""ARR lost since an official forecast, against what its simulated futures lose in all but one of twenty."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from features.revenue import add_months
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from params import Params
from serving.alerts.escalating import LOST_BEYOND_LUCK, TOTAL, Measure
from serving.health.panel import customers_at
from serving.ledger import whole_numbers
from serving.ledger.record import Record
from serving.ledger.record_tables import FIGURE, OFFICIAL, RUN
from serving.ledger.withdrawals import WITHDRAWN

MONTHS = 3
NOTICE = ("notice_share", "term_ends_on")


@dataclass(frozen=True)
class Yardstick:
    """An official forecast's date, and the GRR over `MONTHS` that 95 % of its futures lie above."""

    start: date
    low_grr: float


def lost_beyond_luck(record: Record, tables: Tables, as_of: date, params: Params) -> list[Measure]:
    """The share of ARR lost, or under notice to end, within three months of an official forecast; none without one.

    The forecast is the oldest of the last three months, and the limit the 95 % quantile of what its draws lose in three
    months, luck that accounts share included. What was lost can only grow, so it is passed late rather than early.
    """
    yardstick = _yardstick(record, as_of) if params.alerts.escalate.lost_beyond_luck else None
    if yardstick is None:
        return []
    accounts = account_retention(
        tables, start=yardstick.start, end=as_of, known_by=as_of, rules=params.revenue, budget=params.budget
    ).set_index("account_id")
    if accounts.empty:
        return []
    kept = accounts[["starting_arr", "ending_arr"]].min(axis=1)
    notice = _notice_share(tables, as_of, add_months(yardstick.start, MONTHS), params)
    leaving = kept * notice.reindex(kept.index).fillna(0.0)
    whole = float(accounts["starting_arr"].sum())
    lost = 1 - float((kept - leaving).sum()) / whole
    return [Measure(LOST_BEYOND_LUCK, TOTAL, TOTAL, lost, 1 - yardstick.low_grr)]


def _yardstick(record: Record, as_of: date) -> Yardstick | None:
    since = add_months(as_of, -MONTHS).isoformat()
    official = sa.and_(RUN.c.kind == OFFICIAL, RUN.c.number.not_in(WITHDRAWN))
    query = (
        sa.select(RUN.c.as_of, FIGURE.c.p05, FIGURE.c.unit)
        .join(RUN, RUN.c.number == FIGURE.c.run_number)
        .where(official, RUN.c.as_of >= since, RUN.c.as_of < as_of.isoformat())
        .where(FIGURE.c.metric == "grr", FIGURE.c.cut == TOTAL, FIGURE.c.horizon_months == MONTHS)
        .order_by(RUN.c.as_of, RUN.c.number)
    )
    with record.reading() as connection:
        row: Any = connection.execute(query.limit(1)).first()
    if row is None or row.p05 is None:
        return None
    return Yardstick(date.fromisoformat(row.as_of), float(whole_numbers.figures(row.p05, row.unit)))


def _notice_share(tables: Tables, as_of: date, until: date, params: Params) -> "pd.Series[float]":
    """Of each account, the share of its ARR whose lines end by notice within the time; by `account_id`."""
    today = customers_at(tables, [as_of], NOTICE, params).set_index("account_id")
    if not {*NOTICE} <= set(today.columns):
        return pd.Series(0.0, index=today.index)
    ends = pd.to_datetime(today["term_ends_on"]) <= pd.Timestamp(until)
    return pd.Series(np.where(ends, today["notice_share"].fillna(0.0), 0.0), index=today.index)
