"""The luck that all accounts of a month share: market, prices, outages.

Intervals that treat accounts as independent are too narrow. How far each past month's count of events lay from what
was predicted, beyond what independent accounts explain, gives the spread of a shared shift of the log-odds: the method
of moments of DerSimonian and Laird (1986) for a random effect. How alike neighbouring months are gives its persistence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LARGEST_SD = 1.0
LARGEST_PERSISTENCE = 0.95
_NONE = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class MonthlyShock:
    """A shift of all accounts' log-odds, for churn, contraction and expansion.

    Attributes
    ----------
    sd
        Standard deviation of the shift in a month.
    persistence
        Correlation of a month's shift with the month before.
    level_sd
        Standard deviation of a further shift, the same in all months: how well the level itself is known.
    """

    sd: tuple[float, float, float]
    persistence: tuple[float, float, float] = _NONE
    level_sd: tuple[float, float, float] = _NONE

    @property
    def variance(self) -> Array:
        """Variance of the whole shift in a month, shape (3,)."""
        return np.square(self.sd) + np.square(self.level_sd)

    def draw(self, months: int, draws: int, generator: np.random.Generator) -> Array:
        """Shifts of the months ahead, shape (months, 3, draws): a stationary AR(1) around a common level."""
        sd, persistence = np.array(self.sd)[:, None], np.array(self.persistence)[:, None]
        level = np.array(self.level_sd)[:, None] * generator.standard_normal((3, draws))
        noise = generator.standard_normal((months, 3, draws))
        shift = np.empty((months, 3, draws))
        shift[0] = sd * noise[0]
        for month in range(1, months):
            shift[month] = persistence * shift[month - 1] + sd * np.sqrt(1 - persistence**2) * noise[month]
        return np.asarray(shift + level)


def fit_shock(probability: Array, event: Array, month: NDArray[np.int64]) -> tuple[float, float]:
    """Standard deviation and persistence of the shared monthly shift of the log-odds.

    Parameters
    ----------
    probability, event
        Predicted probability and 0/1 outcome, a row an account and month, shape (rows,).
    month
        The month of each row, consecutive integers.

    Notes
    -----
    In month u, (observed - expected) / information estimates the shift with variance sd^2 + 1 / information. The noise
    of different months is independent, so the mean product of neighbours estimates persistence x sd^2.
    """
    _, position = np.unique(month, return_inverse=True)
    surplus = np.bincount(position, weights=event - probability)
    information = np.bincount(position, weights=probability * (1 - probability))
    usable = information > 0
    shift, weight = surplus[usable] / information[usable], information[usable]
    if shift.size < 2:
        return 0.0, 0.0
    away = shift - np.average(shift, weights=weight)
    excess = float(weight @ away**2) - (shift.size - 1)
    variance = max(0.0, excess / float(weight.sum() - (weight**2).sum() / weight.sum()))
    if variance == 0.0:
        return 0.0, 0.0
    pairs = np.sqrt(weight[1:] * weight[:-1])
    neighbours = float(np.average(away[1:] * away[:-1], weights=pairs))
    persistence = min(LARGEST_PERSISTENCE, max(0.0, neighbours / variance))
    return float(min(LARGEST_SD, np.sqrt(variance))), persistence


def mean_luck_sd(sd: float, persistence: float, months: int) -> float:
    """Standard deviation of the mean shift of some consecutive months: what a level learned from them is off by."""
    lags = np.arange(1, months)
    inflation = 1 + 2 * float(((1 - lags / months) * persistence**lags).sum())
    return float(sd * np.sqrt(inflation / months))
