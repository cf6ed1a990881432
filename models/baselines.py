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
