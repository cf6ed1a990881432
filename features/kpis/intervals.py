"""Figures with their 95 % interval: means, shares, ratios of sums, and the day by which half have reached something."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Z95 = 1.959964
Floats = npt.NDArray[np.float64]


class Between(NamedTuple):
    """A figure and the ends of its interval; None where there is nothing to say, or an end lies beyond all that is."""

    figure: float | None
    low: float | None
    high: float | None


NONE = Between(None, None, None)


def mean_of(shares: "pd.Series[float]") -> Between:
    """The mean of shares between 0 and 1."""
    if len(shares) < 2:
        return NONE
    mean, spread = float(shares.mean()), Z95 * float(shares.std(ddof=1)) / math.sqrt(len(shares))
    return Between(mean, max(mean - spread, 0.0), min(mean + spread, 1.0))


def share_of(count: int, n: int) -> Between:
    """A share, by Wilson's interval."""
    if not n:
        return NONE
    share, square = count / n, Z95**2 / n
    middle, spread = share + square / 2, Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n))
    return Between(share, max(middle - spread, 0.0) / (1 + square), (middle + spread) / (1 + square))


def ratio_of(over: "pd.Series[float]", under: "pd.Series[float]") -> Between:
    """A sum over another, by account: its error is that of what is left of each by the ratio (linearised)."""
    total, n = float(under.sum()), len(under)
    if n < 2 or total <= 0:
        return NONE
    ratio = float(over.sum()) / total
    rest = (over - ratio * under).to_numpy(dtype=np.float64)
    spread = Z95 * math.sqrt(n / (n - 1) * float((rest**2).sum())) / total
    return Between(ratio, max(ratio - spread, 0.0), ratio + spread)


def median_day(days: Floats) -> Between:
    """The day by which half have reached something, `inf` of those that did not; its interval by order statistics."""
    n, ranked = len(days), np.sort(days)
    if not n:
        return NONE
    reach = Z95 * math.sqrt(n) / 2
    places = (n + 1) // 2, max(math.floor(n / 2 - reach), 1), math.ceil(n / 2 + 1 + reach)
    return Between(*(_finite(ranked[place - 1]) if place <= n else None for place in places))


def _finite(day: float) -> float | None:
    return float(day) if math.isfinite(day) else None
