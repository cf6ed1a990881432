"""Whether something goes with staying: chosen on older accounts, confirmed on newer ones, within strata.

A difference is one of shares kept, within strata (Mantel and Haenszel); it says what goes together, never what causes
what. Of many tried, as many are confirmed as keep the share of false ones under a tenth (Benjamini and Hochberg).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FALSE_SHARE = 0.1
FEWEST = 10  # accounts on either side
Z95 = 1.959964
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Difference(NamedTuple):
    """Shares kept of those above and below, their difference within strata, its 95 % interval, and z of none."""

    above: float
    below: float
    points: float
    low: float
    high: float
    z: float


def difference(kept: Flags, above: Flags, strata: npt.NDArray[np.str_]) -> Difference | None:
    """The difference between those above and the others; None where one side is too few.

    Parameters
    ----------
    kept, above, strata
        (n,) of each account, whether it stayed, whether it did the thing, and among whom it is compared.
    """
    if min(int(above.sum()), int((~above).sum())) < FEWEST:
        return None
    rows = [_stratum(kept[strata == name], above[strata == name]) for name in np.unique(strata)]
    excess, variance, weights, gaps, spreads = (np.array(column) for column in zip(*rows, strict=True))
    if not variance.sum() or not weights.sum():
        return None
    points = float((weights * gaps).sum() / weights.sum())
    error = math.sqrt(float((weights**2 * spreads).sum())) / float(weights.sum())
    surplus = float(excess.sum())
    z = math.copysign(max(abs(surplus) - 0.5, 0.0), surplus) / math.sqrt(float(variance.sum()))
    return Difference(
        float(kept[above].mean()), float(kept[~above].mean()), points, points - Z95 * error, points + Z95 * error, z
    )


def one_sided(z: float) -> float:
    """The chance of so large a z or larger, where there is nothing."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def confirmed(p_values: Sequence[float], false_share: float = FALSE_SHARE) -> list[bool]:
    """Which of several stand, so that the share of false ones among them is at most so large (Benjamini, Hochberg)."""
    order = np.argsort(p_values, kind="stable")
    limits = false_share * np.arange(1, len(order) + 1) / max(len(order), 1)
    below = np.flatnonzero(np.asarray(p_values)[order] <= limits)
    standing = set(order[: below[-1] + 1].tolist()) if len(below) else set()
    return [place in standing for place in range(len(order))]


def _stratum(kept: Flags, above: Flags) -> tuple[float, float, float, float, float]:
    """Of a stratum: kept above beyond what is expected, its variance, weight, gap of shares, variance of that."""
    n, n_above, n_kept = len(kept), int(above.sum()), int(kept.sum())
    n_below = n - n_above
    if n < 2 or not n_above or not n_below:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    stayed = int((kept & above).sum())
    variance = n_above * n_below * n_kept * (n - n_kept) / (n**2 * (n - 1))
    shares = [(part + 0.5) / (size + 1) for part, size in ((stayed, n_above), (n_kept - stayed, n_below))]
    spread = sum(share * (1 - share) / size for share, size in zip(shares, (n_above, n_below), strict=True))
    gap = stayed / n_above - (n_kept - stayed) / n_below
    return stayed - n_above * n_kept / n, variance, n_above * n_below / n, gap, spread
