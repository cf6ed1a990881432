"""What months ahead do to an account's ARR on average, in closed form given the shared draws: no dice of its own.

The same draws of what accounts share as in `models.paths.simulate`, so that ARR times the multiple is the expected ARR
that a forecast publishes. Months are told apart, and so are churn, contraction and expansion.
"""

import math
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
    whole
        Expected ARR at the end, as a multiple of today's; shape (accounts,).
    later
        The same over the time after that which has passed, for whoever is still there; shape (accounts,).
    change
        What churn, contraction and expansion of the time that has passed make of the multiple at the end, shape
        (accounts, 3): losses are negative. They add up to `whole - later`.
    """

    whole: Array
    later: Array
    change: Array

    def rows(self, chosen: NDArray[np.int64]) -> "Outlook":
        """The same of some accounts, in the order given."""
        return Outlook(**{name: values[chosen] for name, values in vars(self).items()})


def outlook(
    prediction: Prediction, settings: PathSettings, *, months: float, passed: float = 0.0, threads: int = 1
) -> Outlook:
    """What the first months ahead do on average, of which some have passed since.

    Parameters
    ----------
    prediction
        Monthly hazards and amounts.
    settings
        Draws and seed of the shared luck.
    months
        How many months ahead; of a part of a month, its growth to the power of that part. 0 leaves ARR as it is.
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
    empty = [Outlook(np.empty(0), np.empty(0), np.empty((0, len(OUTCOMES))))]
    return Outlook(*(np.concatenate([getattr(part, name) for part in empty + parts]) for name in vars(empty[0])))


def _chunk(prediction: Prediction, odds: Floats32, tilt: Array, months: float, passed: float, rows: slice) -> Outlook:
    hazards, gains = prediction.hazards[rows], mean_gains(prediction, rows)
    tilted = np.exp(prediction.size[rows, None, None] * tilt).astype(np.float32)
    whole = np.ones((len(hazards), tilt.shape[1]), dtype=np.float32)
    later, changes = np.ones_like(whole), np.zeros((len(hazards), len(OUTCOMES), tilt.shape[1]), dtype=np.float32)
    for month in range(math.ceil(months)):
        change = multiply_odds(hazards[:, month], odds[month] * tilted) * gains[:, month, :, None]
        growth = 1 + change[:, 0] + change[:, 1] + change[:, 2]  # in the order of `simulate`, to the last digit
        there, gone = (np.clip(span - month, 0, 1) for span in (months, passed))
        if gone:
            changes = changes + whole[:, None] * _part_of(change, growth, gone)
        later = later * _power(growth, there - gone)
        whole = whole * _power(growth, there)
    at_end = (changes * later[:, None]).mean(axis=2, dtype=float)
    return Outlook(whole.mean(axis=1, dtype=float), later.mean(axis=1, dtype=float), at_end)


def _part_of(change: Floats32, growth: Floats32, part: float) -> Floats32:
    """What each outcome does in a part of a month: shares of what the growth to the power of the part does."""
    if part == 1:
        return change
    total = change.sum(axis=1, keepdims=True)
    scale = np.divide((growth ** np.float32(part))[:, None] - 1, total, out=np.zeros_like(total), where=total != 0)
    return np.asarray(change * scale)


def _power(growth: Floats32, part: float) -> Floats32 | float:
    """Growth over a part of a month."""
    return growth if part == 1 else np.asarray(growth ** np.float32(part)) if part else 1.0


def mean_gains(prediction: Prediction, rows: slice) -> Floats32:
    """By what share ARR changes on average if an outcome comes: -1, less than 0, more; shape (accounts, months, 3)."""
    means = np.array([pool.mean() for pool in prediction.pools])[prediction.pool_index[rows]]
    return np.concatenate([np.full((*means.shape[:2], 1), -1.0), means - 1], axis=2).astype(np.float32)
