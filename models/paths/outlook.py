"""What months ahead do to an account's ARR on average, in closed form given the shared draws: no dice of its own.

The same draws and the same steps as in `models.paths.simulate`, so that ARR times the multiple is the expected ARR
that a forecast publishes. Months are told apart, and so are churn, contraction and expansion.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from models.outcomes.after_change import Mass
from models.outcomes.prediction import OUTCOMES, Floats32, Prediction
from models.paths.closed_form import ClosedForm
from models.paths.simulate import CHUNK, Common, MonthMeans, PathSettings, draw_common, monthly

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
        (accounts, 3): losses are negative, and returns of who left count as expansion. They add up to `whole - later`.
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
    work = partial(_chunk, prediction, draw_common(prediction, settings), months, passed)
    chunks = [np.s_[first : first + CHUNK] for first in range(0, len(prediction.arr), CHUNK)]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        parts = list(pool.map(work, chunks))
    empty = [Outlook(np.empty(0), np.empty(0), np.empty((0, len(OUTCOMES))))]
    return Outlook(*(np.concatenate([getattr(part, name) for part in empty + parts]) for name in vars(empty[0])))


def _chunk(prediction: Prediction, common: Common, months: float, passed: float, rows: slice) -> Outlook:
    after, draws = prediction.after_change.rows(rows), common.tilt.shape[1]
    whole, later = (ClosedForm(after, prediction.returns, draws) for _ in range(2))
    changes = np.zeros((len(after.hazards), len(OUTCOMES), draws), dtype=np.float32)
    for month, means in enumerate(islice(monthly(prediction, rows, common), math.ceil(months))):
        there, gone = (np.float32(min(max(span - month, 0), 1)) for span in (months, passed))
        before = whole.grown
        growth = _step(whole, month, means, there)
        if gone:
            change = _by_outcome(before, after.open_rows(month), *means)
            changes += before.total[:, None] * _part_of(change, growth, gone)
            later = ClosedForm(after, prediction.returns, draws)
            later.grown = _from_here(whole.grown, growth ** (there - gone))
        else:
            _step(later, month, means, there)
    at_end = (changes * later.grown.total[:, None]).mean(axis=2, dtype=float)
    ends, from_here = (one.grown.total.mean(axis=1, dtype=float) for one in (whole, later))
    if prediction.returns is not None:
        at_end[:, 2] += ends - from_here - at_end.sum(axis=1)
    return Outlook(ends, from_here, at_end)


def _step(closed: ClosedForm, month: int, means: MonthMeans, part: np.float32) -> Floats32:
    """Let a month pass, or, if it is the last, a part of it; gives the growth of ARR in all of it."""
    before = closed.grown.total
    closed.step(month, *means)
    growth = np.divide(closed.grown.total, before, out=np.ones_like(before), where=before > 0)
    if part < 1:
        closed.grown = Mass(before * growth**part, closed.grown.decided)
    return growth


def _by_outcome(mass: Mass, here: NDArray[np.int64], hazards: Floats32, others: Floats32, gains: Floats32) -> Floats32:
    """What churn, contraction and expansion add to ARR in a month, as shares of it, shape (rows, 3, draws)."""
    chances = hazards.copy()
    chances[here] += _decided_share(mass)[here, None] * (others - hazards[here])
    return np.concatenate([-chances[:, :1], chances[:, 1:] * gains], axis=1)


def _decided_share(mass: Mass) -> Floats32:
    """Whose ARR changed at the last term's end, as a share of what is there."""
    return np.divide(mass.decided, mass.total, out=np.zeros_like(mass.total), where=mass.total > 0)


def _from_here(mass: Mass, total: Floats32) -> Mass:
    """A mass that begins anew, with as large a share of those who decided."""
    return Mass(total, total * _decided_share(mass))


def _part_of(change: Floats32, growth: Floats32, part: np.float32) -> Floats32:
    """What each outcome does in a part of a month: shares of what the growth to the power of the part does."""
    if part == 1:
        return change
    total = change.sum(axis=1, keepdims=True)
    scale = np.divide((growth**part)[:, None] - 1, total, out=np.zeros_like(total), where=total != 0)
    return np.asarray(change * scale)
