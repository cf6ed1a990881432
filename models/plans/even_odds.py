"""How far something must move until a target is as likely to be reached as not, and which accounts decide it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
EVEN = 0.5


def smallest_shift(probability: Callable[[float], float], *, furthest: float, steps: int) -> float | None:
    """The shift nearest to 0 at which the odds are even, by halving.

    Parameters
    ----------
    probability
        Of reaching the target at a shift, which must grow with it.
    furthest
        How far it may be moved to either side.
    steps
        How often the range is halved.

    Returns
    -------
    float or None
        Below 0 where the target is reached more often than not already; None where no shift so far does.
    """
    now = probability(0.0)
    low, high = (0.0, furthest) if now < EVEN else (-furthest, 0.0)
    if probability(high) < EVEN or (now >= EVEN and probability(low) >= EVEN):
        return None
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if probability(middle) >= EVEN else (middle, high)
    return high if now < EVEN else low


def fewest(probability: Callable[[int], float], most: int) -> int | None:
    """How many of some things, the best first, it takes until the odds are even; None where all do not.

    `probability` of a number must grow with it.
    """
    if probability(most) < EVEN:
        return None
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if probability(middle) >= EVEN else (middle + 1, high)
    return low


def over_represented(ends: NDArray[np.float32], reached: NDArray[np.bool_]) -> tuple[Array, Array]:
    """What each account has more at the end in the futures that reach a target than in all, and how often it stays.

    Parameters
    ----------
    ends
        ARR at the end, shape (accounts, draws).
    reached
        Which futures reach it, shape (draws,).

    Returns
    -------
    tuple of ndarray
        ARR more, and the share of those futures in which it is there less the share of all; each (accounts,).
    """
    there = ends > 0
    more = ends[:, reached].mean(axis=1, dtype=float) - ends.mean(axis=1, dtype=float)
    stays = there[:, reached].mean(axis=1) - there.mean(axis=1)
    return more, stays
