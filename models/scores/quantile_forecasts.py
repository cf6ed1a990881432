"""Scores of forecasts of which a few quantiles are kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRID = 200  # points of the quantile function that a score is summed over


def crps_of_quantiles(levels: Sequence[float], quantiles: Array, actual: Array) -> Array:
    """Continuous ranked probability score of each forecast, in the unit of its quantiles; 0 is best.

    Between the quantiles the forecast is taken to be even, and beyond the outermost as even as just within: their lines
    are drawn on. The score is that of 200 evenly spaced points of this quantile function, see `evaluation.crps`.

    Parameters
    ----------
    levels
        Of the quantiles, in ascending order, each between 0 and 1.
    quantiles
        Shape (forecasts, levels).
    actual
        Shape (forecasts,).
    """
    points = _quantile_function(np.asarray(levels), quantiles, (np.arange(GRID) + 0.5) / GRID)
    weights = (2 * np.arange(1, GRID + 1) - GRID - 1) / GRID**2
    return np.asarray(np.abs(points - actual[:, None]).mean(axis=1) - points @ weights)


def pit_of_quantiles(levels: Sequence[float], quantiles: Array, actual: Array) -> Array:
    """At which level of its forecast each actual lies (probability integral transform): even from 0 to 1 is best.

    By the same quantile function; where several levels have the actual's value, their mean.
    """
    ends = np.array([0.0, *levels, 1.0])
    knots = _quantile_function(np.asarray(levels), quantiles, ends)
    below = np.array([_level(row, ends, value, "left") for row, value in zip(knots, actual, strict=True)])
    above = np.array([_level(row, ends, value, "right") for row, value in zip(knots, actual, strict=True)])
    return np.asarray((below + above) / 2)


def _quantile_function(levels: Array, quantiles: Array, at: Array) -> Array:
    """Values at some levels, shape (forecasts, at)."""
    place = np.clip(np.searchsorted(levels, at, side="right") - 1, 0, len(levels) - 2)
    share = (at - levels[place]) / (levels[place + 1] - levels[place])
    return np.asarray(quantiles[:, place] * (1 - share) + quantiles[:, place + 1] * share)


def _level(knots: Array, levels: Array, value: float, side: str) -> float:
    """The least (left) or the greatest (right) level at which a quantile function has a value."""
    if value < knots[0] or value > knots[-1]:
        return 0.0 if value < knots[0] else 1.0
    equal = np.flatnonzero(knots == value)
    if equal.size:
        return float(levels[equal[0] if side == "left" else equal[-1]])
    place = int(np.searchsorted(knots, value)) - 1
    share = (value - knots[place]) / (knots[place + 1] - knots[place])
    return float(levels[place] + share * (levels[place + 1] - levels[place]))
