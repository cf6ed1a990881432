"""What a scenario does to a portfolio, as levers on the log-odds, multiples of ARR, and accounts that are forced."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.outcomes.keyed_draws import Purpose, normals, streams, uniforms
from models.outcomes.levers import Levers
from models.outcomes.prediction import OUTCOMES, Prediction

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
CHURN, CONTRACTION, EXPANSION = range(len(OUTCOMES))
WORSE = np.array([1.0, 1.0, -1.0])  # which way each outcome's log-odds go where the market is worse
NEVER = -1


@dataclass(frozen=True)
class Lever:
    """One thing that a scenario changes.

    Attributes
    ----------
    shape
        What it adds to the log-odds at strength 1, shape (accounts, months, 3).
    strength
        In each future, shape (draws,).
    """

    shape: Array
    strength: Array


@dataclass(frozen=True)
class Portfolio:
    """A portfolio as a scenario has it: hazards with levers and, if any, multiples of ARR, (accounts, months)."""

    prediction: Prediction
    growth: Array | None = None


def with_levers(prediction: Prediction, levers: Sequence[Lever]) -> Prediction:
    """The hazards with some levers, beside those that are there."""
    if not levers:
        return prediction
    shape = np.stack([np.broadcast_to(lever.shape, prediction.hazards.shape) for lever in levers]).astype(np.float32)
    strength = np.stack([lever.strength for lever in levers]).astype(np.float32)
    before = prediction.levers
    if before is not None:
        shape, strength = np.concatenate([before.shape, shape]), np.concatenate([before.strength, strength])
    return replace(prediction, levers=Levers(shape, strength))


def fading(months: int, start: Ints, decay: float) -> Array:
    """What is left of something that is done in month `start` (0 = the first ahead), shape (accounts, months)."""
    since = np.arange(months) - start[:, None]
    return np.where((since >= 0) & (start != NEVER)[:, None], decay ** np.maximum(since, 0), 0.0)


def normal_strength(name: str, mean: float, sd: float, *, draws: int, seed: int) -> Array:
    """A strength that is known to a standard error; the same in every scenario that names it so."""
    return np.asarray(mean + sd * normals(seed, streams([name]), 0, Purpose.PARAMETER, draws=draws)[0])


def uniform_strength(name: str, low: float, high: float, *, draws: int, seed: int) -> Array:
    """A strength anywhere in a range."""
    drawn = uniforms(seed, streams([name]), 0, Purpose.PARAMETER, draws=draws)[0].astype(float)
    return np.asarray(low + (high - low) * drawn)


def first_term_end(prediction: Prediction) -> Ints:
    """The month ahead in which each account's first term ends, shape (accounts,); `NEVER` where none does."""
    ends = prediction.after_change.term_ends.ends
    return np.where(ends.any(axis=1), ends.argmax(axis=1), NEVER)


def first_renewal(prediction: Prediction) -> Bools:
    """The months in which the end of the first term is decided: its own and those of its grace, (accounts, months)."""
    ends, first = prediction.after_change.term_ends, first_term_end(prediction)
    month = np.arange(ends.ends.shape[1])
    deciding = (month == first[:, None]) & (first != NEVER)[:, None]
    for later in range(1, ends.open.shape[1]):
        deciding[:, later] |= deciding[:, later - 1] & ends.open[:, later]
    return np.asarray(deciding)


def raised_at_renewal(prediction: Prediction, change: Array) -> Array:
    """ARR multiples where a price changes with the first term's end, for whoever stays; shape (accounts, months)."""
    first = first_term_end(prediction)
    since = (np.arange(prediction.hazards.shape[1]) >= first[:, None]) & (first != NEVER)[:, None]
    return np.where(since, 1 + change[:, None], 1.0)


def forced(prediction: Prediction, leaves_in: Ints, stays: Bools) -> Prediction:
    """The hazards where some accounts leave for certain in a month, `NEVER` = not so, and some do not leave at all."""
    hazards = _forced(prediction.hazards, leaves_in, stays)
    after = prediction.after_change
    changed = replace(after, hazards=_forced(after.hazards, leaves_in, stays))
    return replace(prediction, hazards=hazards, decisions=changed)


def _forced(hazards: Array, leaves_in: Ints, stays: Bools) -> Array:
    changed, leaving = hazards.copy(), leaves_in != NEVER
    changed[stays | leaving, :, CHURN] = 0.0
    certain = leaving[:, None] & (np.arange(hazards.shape[1]) >= leaves_in[:, None])  # and stays away
    changed[certain] = (1.0, 0.0, 0.0)
    return changed


def market_shift(months: int, sd: Array, until: int) -> Array:
    """A market that is worse by one standard deviation of the luck that months share, shape (months, 3)."""
    return np.where(np.arange(months)[:, None] < until, WORSE * sd, 0.0)
