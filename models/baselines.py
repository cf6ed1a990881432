"""The forecasts anyone can make without a model: what a model has to beat."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
FEWEST = 10


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
    known = pd.DataFrame({"segment": segment.to_numpy(), "start": start, "end": end}).groupby("segment")
    sums, counts = known[["start", "end"]].sum(), known.size()
    rates = (sums["end"] / sums["start"]) ** (horizon_months / window_months)
    rates = rates.where(counts >= FEWEST, overall)
    now = segment_now.map(rates).fillna(overall).to_numpy(dtype=float)
    return float(np.average(now, weights=arr_now))


def segment_rate(
    event: Array, segment: "pd.Series[str]", segment_now: "pd.Series[str]", *, prior_rows: float = 20.0
) -> Array:
    """Each account's segment's past share of events, shrunk towards the portfolio's as by 20 more accounts.

    Returns shape (accounts now,).
    """
    overall = (event.sum() + 0.5) / (event.size + 1)
    known = pd.DataFrame({"segment": segment.to_numpy(), "event": event}).groupby("segment")["event"]
    rates = (known.sum() + prior_rows * overall) / (known.size() + prior_rows)
    return segment_now.map(rates).fillna(overall).to_numpy(dtype=float)
