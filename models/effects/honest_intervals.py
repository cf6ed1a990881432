"""Intervals that hold an allowance for hidden confounding, pooling, and how many rows an effect would take to be seen.

Hidden confounding moves an estimate by a bias that does not shrink with the data. Where it is at most `allowance`, the
shortest interval around the estimate that holds the truth in 95 % of samples has a half-width of se * c, with c the
95th percentile of |N(allowance / se, 1)| (Armstrong & Kolesar 2018): 1.96 se without allowance, allowance + 1.64 se
with much of it.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ncx2, norm

from models.effects.orthogonal import Estimate

Array = NDArray[np.float64]
LEVEL = 0.95
POWER = 0.8
_LARGE = 8.0  # allowances of so many standard errors: one tail is all there is
_ONE_TAIL, _BOTH_TAILS = float(norm.ppf(LEVEL)), float(norm.ppf((1 + LEVEL) / 2))
_SEEN = _ONE_TAIL + float(norm.ppf(POWER))


def half_width(se: float, allowance: float) -> float:
    """Half of the width of the 95 % interval of an estimate with this standard error and this allowance."""
    if se <= 0:
        return allowance
    ratio = allowance / se
    if ratio > _LARGE:
        return allowance + _ONE_TAIL * se
    return se * math.sqrt(float(ncx2.ppf(LEVEL, 1, ratio**2))) if ratio else _BOTH_TAILS * se


def within_sample(shift: float, se: float) -> bool:
    """Whether the sample alone cannot tell a shift from none."""
    return abs(shift) <= _BOTH_TAILS * se


def smallest_seen(se: float, allowance: float) -> float:
    """The smallest shift whose interval would exclude 0 in 4 of 5 samples."""
    return half_width(se, allowance) + float(norm.ppf(POWER)) * se


def rows_to_see(rows: int, se: float, allowance: float) -> int | None:
    """Treated rows at which a shift of twice the allowance would be seen in 4 of 5 samples; None without allowance."""
    if allowance <= 0:
        return None
    return math.ceil(rows * (_SEEN * se / allowance) ** 2)


def pooled(estimate: Estimate, spread: float) -> Estimate:
    """Shifts drawn towards their mean, as far as their own standard errors ask for.

    Parameters
    ----------
    estimate
        The shifts of all kinds.
    spread
        Standard deviation of the true shifts around their mean.
    """
    kinds = len(estimate.shift)
    total = estimate.covariance + spread**2 * np.eye(kinds)
    weight = np.linalg.solve(total, np.ones(kinds))
    mean = weight @ estimate.shift / weight.sum()
    kept = np.linalg.solve(total, spread**2 * np.eye(kinds)).T
    shift = mean + kept @ (estimate.shift - mean)
    covariance = spread**2 * (np.eye(kinds) - kept)
    drawn = (np.eye(kinds) - kept) @ np.ones(kinds)
    return Estimate(shift, covariance + np.outer(drawn, drawn) / weight.sum())
