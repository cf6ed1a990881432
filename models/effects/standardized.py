"""From a shift of log-odds to points of a year: what the monthly hazards of the accounts treated come to with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
YEAR = 12


@dataclass(frozen=True)
class Standard:
    """The accounts a shift is told for: log-odds of each month ahead without it, shape (accounts, months)."""

    log_odds: Array
    decay: float

    def probability(self, shift: float) -> float:
        """Mean chance, in points, that the outcome comes within the months with a shift in the first of them."""
        left = self.decay ** np.arange(self.log_odds.shape[1])
        hazard = 1 / (1 + np.exp(-(self.log_odds + shift * left)))
        return float(100 * np.mean(1 - np.prod(1 - hazard, axis=1)))

    def points(self, shift: float) -> float:
        """With a shift less without, in points."""
        return self.probability(shift) - self.probability(0.0)

    def slope(self, shift: float) -> float:
        """Points a unit of log-odds at a shift: what turns a standard error of one into one of the other."""
        step = 1e-3
        return (self.probability(shift + step) - self.probability(shift - step)) / (2 * step)
