"""The luck that all accounts of a month share: market, prices, outages.

Intervals that treat accounts as independent are too narrow. The spread of the shared shift of the log-odds is
estimated from how far each past month's count of events lay from what was predicted, beyond what independent accounts
explain: the method of moments of DerSimonian and Laird (1986) for a random effect.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LARGEST_SD = 1.0


@dataclass(frozen=True)
class MonthlyShock:
    """Standard deviation of the shared monthly shift of the logit, for churn, contraction and expansion."""

    sd: tuple[float, float, float]


def shock_sd(probability: Array, event: Array, month: NDArray[np.int64]) -> float:
    """Between-month standard deviation of the shared shift of the log-odds.

    Parameters
    ----------
    probability, event
        Predicted probability and 0/1 outcome, a row an account and month, shape (rows,).
    month
        The month of each row, any integers.

    Notes
    -----
    In month u, (observed - expected) / information estimates the shift with variance sd^2 + 1 / information.
    """
    _, position = np.unique(month, return_inverse=True)
    surplus = np.bincount(position, weights=event - probability)
    information = np.bincount(position, weights=probability * (1 - probability))
    usable = information > 0
    shift, weight = surplus[usable] / information[usable], information[usable]
    if shift.size < 2:
        return 0.0
    mean = np.average(shift, weights=weight)
    excess = float(weight @ (shift - mean) ** 2) - (shift.size - 1)
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    return float(min(LARGEST_SD, np.sqrt(max(0.0, excess / scale))))
