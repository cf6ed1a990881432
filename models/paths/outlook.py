"""What months ahead do to an account's ARR on average, in closed form given the shared draws: no dice of its own.

The same draws of what accounts share as in `models.paths.simulate`, so that ARR times the multiple is the expected ARR
that a forecast publishes. Months are told apart, and so are churn, contraction and expansion.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import OUTCOMES, Floats32, Prediction, multiply_odds
from models.paths.simulate import CHUNK, PathSettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outlook:
    """Means over the shared draws, a row an account.

    Attributes
    ----------
    multiple
        Expected ARR by the end of each month ahead, as a multiple of today's; shape (accounts, months).
    later
        The same over the months after the first few, which have passed, for whoever is still there; shape (accounts,).
    lost
        What churn, contraction and expansion of the months that have passed take from the multiple at the end (or add
        to it: negative for losses), shape (accounts, 3). They add up to `multiple[:, -1] - later`.
    """

    multiple: Array
    later: Array
    lost: Array

    @property
    def whole(self) -> Array:
        """Expected ARR by the last month, as a multiple of today's, shape (accounts,)."""
        return self.multiple[:, -1] if self.multiple.shape[1] else np.ones(len(self.later))

    def rows(self, chosen: NDArray[np.int64]) -> "Outlook":
        """The same of some accounts, in the order given."""
        return Outlook(**{name: values[chosen] for name, values in vars(self).items()})


def outlook(
    prediction: Prediction, settings: PathSettings, *, months: int, passed: int = 0, threads: int = 1
) -> Outlook:
    """What the first `months` months ahead do on average, of which `passed` have passed since.

    Parameters
    ----------
    prediction
        Monthly hazards and amounts.
    settings
        Draws and seed of the shared luck.
    months
        How many months ahead; 0 leaves ARR as it is.
    passed
        How many of them have passed.
    threads
        How many to use; the result does not depend on it.
    """
    shift, tilt = prediction.draw_shifts(settings.draws, seed=settings.seed, first_month=prediction.first_month)
    odds = np.exp(shift).astype(np.float32)
    work = partial(_chunk, prediction, odds, tilt, months, passed)
    chunks = [np.s_[first : first + CHUNK] for first in range(0, len(prediction.arr), CHUNK)]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        parts = list(pool.map(work, chunks))
    empty = [Outlook(np.empty((0, months)), np.empty(0), np.empty((0, len(OUTCOMES))))]
    return Outlook(*(np.concatenate([getattr(part, name) for part in empty + parts]) for name in vars(empty[0])))


def _chunk(prediction: Prediction, odds: Floats32, tilt: Array, months: int, passed: int, rows: slice) -> Outlook:
    hazards = prediction.hazards[rows]
    gains = mean_gains(prediction, rows)
    tilted = np.exp(prediction.size[rows, None, None] * tilt).astype(np.float32)
    whole = np.ones((len(hazards), tilt.shape[1]), dtype=np.float32)
    later, multiple = np.ones_like(whole), np.empty((len(hazards), months))
    lost = np.zeros((len(hazards), len(OUTCOMES), tilt.shape[1]), dtype=np.float32)
    for month in range(months):
        change = multiply_odds(hazards[:, month], odds[month] * tilted) * gains[:, month, :, None]
        growth = 1 + change[:, 0] + change[:, 1] + change[:, 2]  # in the order of `simulate`, to the last digit
        if month < passed:
            lost = lost + whole[:, None] * change
        else:
            later = later * growth
        whole = whole * growth
        multiple[:, month] = whole.mean(axis=1, dtype=float)
    lost_later = (lost * later[:, None]).mean(axis=2, dtype=float)
    return Outlook(multiple, later.mean(axis=1, dtype=float), lost_later)


def mean_gains(prediction: Prediction, rows: slice) -> Floats32:
    """By what share ARR changes on average if an outcome comes: -1, less than 0, more; shape (accounts, months, 3)."""
    means = np.array([pool.mean() for pool in prediction.pools])[prediction.pool_index[rows]]
    return np.concatenate([np.full((*means.shape[:2], 1), -1.0), means - 1], axis=2).astype(np.float32)
