"""The forecasts anyone can make without a model: what a model has to beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
FEWEST = 10
BASE_RATE = "base"
ACCOUNT_RIVALS = {
    BASE_RATE: "the base rate",
    "segments": "past rates by segment and term end",
    "health": "the 60/40 health score",
    "logistic": "logistic regression",
}
NRR_RIVALS = {
    "everything_renews": "everything renews",
    "trailing_nrr": "trailing NRR",
    "segment_rates": "segment rates",
    "time_series": "exponential smoothing",
    "logistic": "logistic regression",
}


def everything_renews(horizon_months: int) -> float:
    """NRR if nothing changes."""
    return 1.0


def trailing_nrr(start: Array, end: Array, horizon_months: int, *, window_months: int = 12) -> float:
    """The past window's NRR, scaled to the horizon as a constant monthly rate.

    `start` and `end` are the ARR, at both ends of the window, of the accounts there at its start.
    """
    return float((end.sum() / start.sum()) ** (horizon_months / window_months))


def segment_nrr(
    start: Array,
    end: Array,
    segment: "pd.Series[str]",
    arr_now: Array,
    segment_now: "pd.Series[str]",
    horizon_months: int,
    *,
    window_months: int = 12,
) -> float:
    """Each segment's past NRR, scaled to the horizon and weighted by today's ARR.

    A segment that had fewer than 10 accounts takes the whole portfolio's rate.
    """
    overall = trailing_nrr(start, end, horizon_months, window_months=window_months)
    by_segment = pd.DataFrame({"segment": segment.to_numpy(), "start": start, "end": end}).groupby("segment")
    sums, counts = by_segment[["start", "end"]].sum(), by_segment.size()
    rates = (sums["end"] / sums["start"]) ** (horizon_months / window_months)
    rates = rates.where(counts >= FEWEST, overall)
    now = segment_now.map(rates).fillna(overall).to_numpy(dtype=float)
    return float(np.average(now, weights=arr_now))


def segment_term_rates(
    event: Array, cell: pd.DataFrame, cell_now: pd.DataFrame, *, horizon_months: int, window_months: int
) -> Array:
    """Probability of an event by segment and by whether a term ends in the window, shrunk to the overall rate.

    Each cell counts as if it held 10 more accounts with the overall rate. Where the past window is shorter than the
    horizon, an account whose term ends has one such window ahead of it, and else windows without a term end.

    Parameters
    ----------
    event
        0/1 what came within the past window, shape (rows,).
    cell, cell_now
        `segment` and `due` (a term ends within the window, or the horizon) of those rows and of today's accounts.

    Returns
    -------
    ndarray of shape (accounts today,)
    """
    past_cells = pd.MultiIndex.from_frame(cell[["segment", "due"]])

    def of(ends: bool) -> Array:
        current_cells = pd.MultiIndex.from_arrays([cell_now["segment"], np.full(len(cell_now), ends)])
        return _shrunk_rates(event, past_cells, current_cells)

    first = np.where(cell_now["due"], of(True), of(False))
    return np.asarray(1 - (1 - first) * (1 - of(False)) ** (horizon_months / window_months - 1))


@dataclass(frozen=True)
class Sign:
    """One snapshot column of the health score: `better` is +1 where more of it is healthy, -1 where less is.

    `absent` is the place among the accounts, 0 worst and 1 best, of one whose value is missing.
    """

    column: str
    better: int
    absent: float = 0.5


CSM_SIGNS = (
    Sign("csm_actions_90d", +1),
    Sign("days_since_csm_action", -1, absent=0.0),
    Sign("csm_delivered_share_180d", +1),
    Sign("csm_missed_90d", -1),
    Sign("csm_success_plan_180d", +1),
    Sign("goals_reached_share", +1),
    Sign("goals_overdue", -1),
)
CUSTOMER_SIGNS = (
    Sign("active_users_28d", +1),
    Sign("seat_utilisation_28d", +1),
    Sign("features_used_28d", +1),
    Sign("usage_vs_baseline_28d", +1),
    Sign("engagement_90d", +1),
    Sign("nps_last", +1),
    Sign("severe_tickets_90d", -1),
    Sign("sponsors_left_180d", -1),
)
CSM_WEIGHT = 0.6


def health_score(frame: pd.DataFrame) -> Array:
    """The health score as a business sets it by rule: 60 % what the team did, 40 % what the customer did.

    Each side is the mean of its columns' percentiles among the accounts of the same date; columns that are absent are
    left out, and where a whole side is, the other stands alone.

    Parameters
    ----------
    frame
        Snapshot rows with `as_of`.

    Returns
    -------
    ndarray of shape (rows,)
        0 worst to 1 best; 0.5 for all where no column is there.
    """
    csm_side, customer_side = (_side(frame, signs) for signs in (CSM_SIGNS, CUSTOMER_SIGNS))
    if csm_side is None or customer_side is None:
        only_side = customer_side if csm_side is None else csm_side
        return np.full(len(frame), 0.5) if only_side is None else only_side
    return np.asarray(CSM_WEIGHT * csm_side + (1 - CSM_WEIGHT) * customer_side)


def _side(frame: pd.DataFrame, signs: Sequence[Sign]) -> Array | None:
    """Mean percentile within the date of one side's columns; None where none of them is there."""
    ranks = []
    for sign in signs:
        if sign.column in frame.columns:
            values = sign.better * frame[sign.column].astype(float)
            rank = values.groupby(frame["as_of"]).rank(pct=True)
            ranks.append(rank.fillna(sign.absent).to_numpy(float))
    return np.asarray(np.mean(ranks, axis=0)) if ranks else None


def bands(score: Array, as_of: "pd.Series[pd.Timestamp]") -> NDArray[np.object_]:
    """The bands A (the best quarter of the accounts of a date) to D, shape (rows,)."""
    place = pd.Series(score).groupby(as_of.to_numpy()).rank(pct=True, method="average").to_numpy(float)
    return np.asarray(np.array(list("DCBA"), dtype=object)[np.minimum((place * 4).astype(int), 3)])


def cell_rates(
    event: Array,
    cell: NDArray[np.object_],
    cell_now: NDArray[np.object_],
    *,
    horizon_months: int,
    window_months: int,
) -> Array:
    """Probability of an event within the horizon by cell, from what came within a past window.

    Each cell counts as if it held 10 more accounts with the overall rate; a cell not seen before has that rate.

    Returns
    -------
    ndarray of shape (accounts today,)
    """
    here = _shrunk_rates(event, pd.Index(cell), pd.Index(cell_now))
    return np.asarray(1 - (1 - here) ** (horizon_months / window_months))


def _shrunk_rates(event: Array, cell: "pd.Index[Any]", cell_now: "pd.Index[Any]") -> Array:
    """Each cell's rate as if it held 10 more rows with the overall rate, which a cell not seen before has too."""
    overall = float(event.mean())
    by_cell = pd.Series(event, index=cell).groupby(level=list(range(cell.nlevels)))
    rates = (by_cell.sum() + FEWEST * overall) / (by_cell.size() + FEWEST)
    return np.asarray(rates.reindex(cell_now).fillna(overall), dtype=float)
