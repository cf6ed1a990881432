"""Scores of forecasts of which a few quantiles are kept: straight lines between and beyond them are the forecast."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def crps_of_quantiles(levels: Sequence[float], quantiles: Array, actual: Array) -> Array:
    """Continuous ranked probability score of each forecast, in the unit of its quantiles; 0 is best.

    Twice the integral of the quantile loss over all levels (Gneiting and Raftery 2007), exact for straight lines: on
    each side of the actual it is a parabola, which Simpson's rule integrates.

    Parameters
    ----------
    levels
        Of the quantiles, in ascending order, each between 0 and 1.
    quantiles
        Shape (forecasts, levels).
    actual
        Shape (forecasts,).
    """
    ends, knots = _drawn_on(levels, quantiles)
    score = np.zeros(len(actual))
    for place in range(len(ends) - 1):
        first, last, low, high = ends[place], ends[place + 1], knots[:, place], knots[:, place + 1]
        rise = np.where(high > low, high - low, 1.0)
        share = np.where(high > low, np.clip((actual - low) / rise, 0, 1), actual > low)
        crossing = first + share * (last - first)
        at_crossing = low + share * (high - low)
        score += _simpson(first, crossing, 2 * first * (actual - low), crossing * 2 * (actual - at_crossing),
                          (first + crossing) * (actual - (low + at_crossing) / 2))  # fmt: skip
        score += _simpson(crossing, last, 2 * (1 - crossing) * (at_crossing - actual), 2 * (1 - last) * (high - actual),
                          (2 - crossing - last) * ((at_crossing + high) / 2 - actual))  # fmt: skip
    return score


def pit_of_quantiles(levels: Sequence[float], quantiles: Array, actual: Array) -> Array:
    """At which level of its forecast each actual lies (probability integral transform): even from 0 to 1 is best.

    Where several levels have the actual's value, their mean.
    """
    ends, knots = _drawn_on(levels, quantiles)
    below = _level(ends, knots, actual, (knots < actual[:, None]).sum(axis=1))
    above = _level(ends, knots, actual, (knots <= actual[:, None]).sum(axis=1))
    return np.asarray((below + above) / 2)


def _drawn_on(levels: Sequence[float], quantiles: Array) -> tuple[Array, Array]:
    """The levels from 0 to 1, and the values there, as even beyond the outermost quantiles as just within."""
    inner = np.asarray(levels, dtype=float)
    slopes = np.diff(quantiles, axis=1)[:, [0, -1]] / np.diff(inner)[[0, -1]]
    least = quantiles[:, 0] - slopes[:, 0] * inner[0]
    most = quantiles[:, -1] + slopes[:, 1] * (1 - inner[-1])
    return np.array([0.0, *inner, 1.0]), np.column_stack([least, quantiles, most])


def _simpson(start: Array, end: Array, at_start: Array, at_end: Array, between: Array) -> Array:
    return np.asarray((end - start) / 6 * (at_start + 4 * between + at_end))


def _level(ends: Array, knots: Array, actual: Array, place: NDArray[np.int64]) -> Array:
    """Levels on the lines that lead to the knots at some places; 0 before the first, 1 after the last."""
    last = np.clip(place, 1, len(ends) - 1)
    rows = np.arange(len(actual))
    low, high = knots[rows, last - 1], knots[rows, last]
    share = np.where(high > low, (actual - low) / np.where(high > low, high - low, 1.0), 1.0)
    level = ends[last - 1] + np.clip(share, 0, 1) * (ends[last] - ends[last - 1])
    return np.asarray(np.where(place == 0, 0.0, np.where(place == len(ends), 1.0, level)))
