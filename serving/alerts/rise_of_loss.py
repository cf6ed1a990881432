"""How much more ARR is expected to be lost than a month ago, against the rises of the months before it.

Expected loss is ARR times churn probability over the longest horizon, as a share of ARR, as the official forecasts of
month starts said it then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from scipy.stats import t as student

from features.revenue import add_months
from params import Params
from serving.alerts.escalating import EXPECTED_LOSS_ROSE, TOTAL, Measure, largest_of
from serving.ledger import whole_numbers
from serving.ledger.past import scores_between
from serving.ledger.record import Record
from serving.ledger.record_tables import FIGURE, OFFICIAL, RUN
from serving.ledger.withdrawals import WITHDRAWN

METRIC = "churned_arr"
FEWEST, ENOUGH = 5, 19  # rises: for any limit, and for one that takes no distribution
QUANTILE = 0.95
LEAST = 0.001  # of ARR: a smaller rise is none, however steady the months were


@dataclass(frozen=True)
class Rise:
    """A rise of expected loss within a month.

    Attributes
    ----------
    by_account
        ARR times probability, today's less the month start's, by `account_id`; of whoever is a customer today.
    measure
        The rise as a share of ARR, against what 95 % of the months stay below.
    """

    by_account: "pd.Series[float]"
    measure: Measure


def rise_of_loss(record: Record, probabilities: pd.DataFrame, as_of: date, params: Params) -> Rise | None:
    """The rise since the start of the month of the day before `as_of`; None where too little is on record.

    On the first day of a month the month before it is whole, and only then can the measure come back. Until then the
    limit is that of whole months, so that it is raised too late rather than too early.

    Parameters
    ----------
    probabilities
        The forecast of the date: `account_id`, `arr`, `churn_probability` over the longest horizon.
    """
    if not params.alerts.escalate.loss_rose or probabilities.empty:
        return None
    start = (as_of - timedelta(days=1)).replace(day=1)
    shares = _loss_shares(record)
    limit = usual_rise([rise for month, rise in _rises(shares).items() if add_months(month, 1) <= start])
    if start not in shares or limit is None:
        return None
    at_risk = (probabilities["arr"] * probabilities["churn_probability"]).set_axis(probabilities["account_id"])
    rise = float(at_risk.sum()) / float(probabilities["arr"].sum()) - shares[start]
    is_whole = as_of == add_months(start, 1)
    measure = Measure(EXPECTED_LOSS_ROSE, TOTAL, TOTAL, rise, limit, is_whole=is_whole)
    return Rise(at_risk - _at_risk(record, start).reindex(at_risk.index).fillna(0.0), measure)


def usual_rise(rises: Sequence[float]) -> float | None:
    """What the rise of one more month stays below in 95 of 100 cases; None for fewer than `FEWEST` months.

    From `ENOUGH` on it is the rise of that rank, which takes nothing but that months are alike. Of fewer it is the
    one-sided prediction limit of a normal distribution, which is wider the fewer they are.
    """
    known = np.sort(np.asarray(rises, dtype=float))
    if len(known) < FEWEST:
        return None
    rank = math.ceil(QUANTILE * (len(known) + 1))
    if len(known) >= ENOUGH:
        return max(float(known[rank - 1]), LEAST)
    spread = float(known.std(ddof=1)) * math.sqrt(1 + 1 / len(known))
    return max(float(known.mean()) + float(student.ppf(QUANTILE, len(known) - 1)) * spread, LEAST)


def most_risen(rise: Rise | None, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The accounts whose expected loss rose most."""
    return [] if rise is None else largest_of(rise.by_account[rise.by_account > 0], "arr_at_risk_rise", names)


def _loss_shares(record: Record) -> dict[date, float]:
    """Expected loss over ARR, by the date of each official forecast that counts."""
    query = (
        sa.select(RUN.c.as_of, FIGURE.c.mean, FIGURE.c.unit, FIGURE.c.starting_arr_cents)
        .join(RUN, RUN.c.number == FIGURE.c.run_number)
        .where(
            RUN.c.kind == OFFICIAL,
            RUN.c.number.not_in(WITHDRAWN),
            FIGURE.c.cut == TOTAL,
            FIGURE.c.metric == METRIC,
            FIGURE.c.horizon_months == RUN.c.horizon_months,
            FIGURE.c.starting_arr_cents > 0,
        )
    )
    with record.reading() as connection:
        rows = connection.execute(query).all()
    per_cent = whole_numbers.PER_UNIT[whole_numbers.CENTS]
    return {
        date.fromisoformat(row.as_of): float(whole_numbers.figures(row.mean, row.unit))
        / (row.starting_arr_cents / per_cent)
        for row in rows
    }


def _rises(shares: Mapping[date, float]) -> dict[date, float]:
    """The rise within each month, by its first day, where the forecasts of both its ends are known."""
    return {
        start: shares[add_months(start, 1)] - share for start, share in shares.items() if add_months(start, 1) in shares
    }


def _at_risk(record: Record, day: date) -> "pd.Series[float]":
    """ARR times probability of each account as of a date, by `account_id`."""
    scores = scores_between(record, day, day)
    if scores.empty:
        return pd.Series(dtype=float)
    return (scores["arr"] * scores["churn_probability"]).set_axis(scores["account_id"]).astype(float)
