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
    overall = float(event.mean())
    known = cell.assign(event=event).groupby(["segment", "due"])["event"]
    rates = (known.sum() + FEWEST * overall) / (known.size() + FEWEST)

    def of(ends: bool) -> Array:
        place = pd.MultiIndex.from_arrays([cell_now["segment"], np.full(len(cell_now), ends)])
        return rates.reindex(place).fillna(overall).to_numpy(dtype=float)

    first = np.where(cell_now["due"], of(True), of(False))
    return np.asarray(1 - (1 - first) * (1 - of(False)) ** (horizon_months / window_months - 1))
