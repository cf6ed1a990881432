"""Whether something goes with staying: chosen on older accounts, confirmed on newer ones, within strata.

Who leaves is compared day by day of their age with who could have (log-rank test, stratified), so that every account
counts for as long as it has been followed. A difference is one of shares kept, within strata (Mantel and Haenszel).
Both say what goes together, never what causes what. Of many tried, as many are confirmed as keep the share of false
ones under a tenth (Benjamini and Hochberg).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FALSE_SHARE = 0.1
FEWEST = 10  # accounts on either side
Z95 = 1.959964
Z80 = 0.841621  # of the chance of four in five to find what is there
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Following(NamedTuple):
    """Accounts and how long each was followed, all of shape (n,).

    `entered` and `until` are days of an account's age between which it was followed, `left` whether it left at the
    end, and `strata` among whom it is compared.
    """

    entered: Ints
    until: Ints
    left: Flags
    strata: Ints

    def of(self, rows: Flags) -> "Following":
        """Those of some rows."""
        return Following(self.entered[rows], self.until[rows], self.left[rows], self.strata[rows])


class Leaving(NamedTuple):
    """Who left of those above and of the others, day by day of their age.

    `z` is above 0 where those above left less; `leavings` are the accounts that left, `variance` what they tell of.
    """

    z: float
    leavings: int
    variance: float


class Difference(NamedTuple):
    """Shares kept of those above and below, their difference within strata, its 95 % interval, and z of none."""

    above: float
    below: float
    points: float
    low: float
    high: float
    z: float


def difference(kept: Flags, above: Flags, strata: npt.NDArray[np.generic]) -> Difference | None:
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


def leaving(accounts: Following, above: Flags) -> Leaving | None:
    """The stratified log-rank test of those above against the others; None where one side is too few, or nobody left.

    At each day of age on which somebody of a stratum left, those above among them are held against their share of the
    accounts that were there (Mantel 1966); the variance is that of drawing without replacement.
    """
    if min(int(above.sum()), int((~above).sum())) < FEWEST:
        return None
    rows = [_stratum_left(accounts.of(accounts.strata == name), above[accounts.strata == name])
            for name in np.unique(accounts.strata)]  # fmt: skip
    surplus, variance = (math.fsum(column) for column in zip(*rows, strict=True))
    if variance <= 0:
        return None
    return Leaving(-surplus / math.sqrt(variance), int(accounts.left.sum()), variance)


def detectable_ratio(variance: float, tried: int, false_share: float = FALSE_SHARE) -> float:
    """The ratio of rates of leaving, below 1, that is found in four of five companies like this one.

    z of a ratio is about its logarithm times the root of the log-rank test's variance (Schoenfeld 1981); `tried` are
    the behaviours, of which one alone must reach the first of the limits of Benjamini and Hochberg.
    """
    limit = NormalDist().inv_cdf(1 - false_share / max(tried, 1))
    return math.exp(-(limit + Z80) / math.sqrt(variance))


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


def _stratum_left(accounts: Following, above: Flags) -> tuple[float, float]:
    """Of a stratum: how many above left beyond their share of those there, and the variance of that."""
    days, place = np.unique(accounts.until[accounts.left], return_inverse=True)
    left = np.bincount(place, minlength=len(days))
    left_above = np.bincount(place[above[accounts.left]], minlength=len(days))
    there, there_above = (_there(accounts, rows, days) for rows in (np.ones(len(above), np.bool_), above))
    share = there_above / np.maximum(there, 1)
    rest = np.where(there > 1, (there - left) / np.maximum(there - 1, 1), 0.0)
    return float((left_above - left * share).sum()), float((left * share * (1 - share) * rest).sum())


def _there(accounts: Following, rows: Flags, days: Ints) -> Ints:
    """How many were followed on each of these days: those that entered before it and had not left before it."""
    entered = np.searchsorted(np.sort(accounts.entered[rows]), days, side="left")
    gone = np.searchsorted(np.sort(accounts.until[rows]), days, side="left")
    return np.asarray(entered - gone, dtype=np.int64)


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
