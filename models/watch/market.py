"""The level chart: whether all accounts together do what is to be expected, given how the months' shared luck moves.

The luck of a month is a level that stays and a part that follows a first-order autoregression. A filter follows both by
the events of the months that passed, and each month's residual is what came less what that led to expect, in standard
deviations. The chart takes the residuals against what a step in the level at any of the last 12 months would leave of
itself in them (Willsky and Jones 1976), so that a step that the filter is learning already still counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.watch.charts import LONGEST_WINDOW

Array = NDArray[np.float64]
BINS = 60


@dataclass(frozen=True)
class Luck:
    """What is known of the shared luck of an outcome when the watch begins, beyond its expected value.

    Attributes
    ----------
    level_variance
        Of the level.
    sd, persistence
        Of the part that comes and goes.
    """

    level_variance: float
    sd: float
    persistence: float


@dataclass(frozen=True)
class Crowd:
    """The accounts at risk in a month by bins of their predicted log-odds: how many, and where, shape (bins,)."""

    rows: Array
    log_odds: Array

    def expected(self, shift: Array) -> tuple[Array, Array]:
        """Events expected under shifts of any shape, and by how much a unit of shift would change them."""
        chance = expit(self.log_odds + shift[..., None])
        return chance @ self.rows, (chance * (1 - chance)) @ self.rows


@dataclass(frozen=True)
class Residuals:
    """Of each history and month: the residual, and what a step at each month leaves in it.

    `residual` has shape (histories, months); `mark` (histories, months, months): [h, from, t].
    """

    residual: Array
    mark: Array


def crowd(log_odds: Array) -> Crowd:
    """Accounts in bins of equally many."""
    parts = [part for part in np.array_split(np.sort(log_odds), BINS) if part.size]
    chance = np.array([expit(part).mean() for part in parts])
    return Crowd(np.array([float(part.size) for part in parts]), np.log(chance / (1 - chance)))


def residuals(crowds: Sequence[Crowd], events: Array, luck: Luck) -> Residuals:
    """Follow the luck through the months.

    Parameters
    ----------
    crowds
        The accounts at risk in each month.
    events
        How many events each month had, shape (histories, months).
    luck
        What is known of it at first.
    """
    histories, months = events.shape
    mean = np.zeros((histories, 2))
    covariance = np.broadcast_to(np.diag([luck.level_variance, luck.sd**2]), (histories, 2, 2)).copy()
    response = np.zeros((histories, months, 2))
    residual, mark = np.empty((histories, months)), np.zeros((histories, months, months))
    for month, here in enumerate(crowds):
        expected, slope = here.expected(mean.sum(axis=1))
        reach = covariance.sum(axis=2)
        spread = np.sqrt(slope + slope**2 * reach.sum(axis=1))
        residual[:, month] = (events[:, month] - expected) / spread
        unseen = 1 - response[:, : month + 1].sum(axis=2)
        mark[:, : month + 1, month] = (slope / spread)[:, None] * unseen
        gain = reach * (slope / spread)[:, None]
        mean = _passed(mean + gain * residual[:, [month]], luck)
        learned = response[:, : month + 1] + gain[:, None, :] * mark[:, : month + 1, month, None]
        response[:, : month + 1] = _passed(learned, luck)
        covariance = _spread(covariance - gain[:, :, None] * gain[:, None, :], luck)
    return Residuals(residual, mark)


def _passed(state: Array, luck: Luck) -> Array:
    """The state a month later."""
    return np.asarray(state * np.array([1.0, luck.persistence]))


def _spread(covariance: Array, luck: Luck) -> Array:
    keep = np.array([1.0, luck.persistence])
    noise = np.diag([0.0, luck.sd**2 * (1 - luck.persistence**2)])
    return np.asarray(covariance * np.outer(keep, keep) + noise)


def step_scan(found: Residuals, *, down_scale: float = 1.0) -> tuple[Array, NDArray[np.int64]]:
    """The chart at the end of each month, signed, and how many months ago its step began, shape (histories, months).

    `down_scale` is the limit of steps up over that of steps down: which of them lies farther out is told by it.
    """
    z = _steps(found)
    place = np.abs(np.where(z < 0, z * down_scale, z)).argmax(axis=1)
    best = np.take_along_axis(z, place[:, None, :], axis=1)[:, 0]
    return best, np.arange(z.shape[1]) - place + 1


def largest_steps(found: Residuals) -> tuple[Array, Array]:
    """How large the largest step up of each history is, and the largest step down, whatever its month."""
    z = _steps(found)
    return z.max(axis=(1, 2)), -z.min(axis=(1, 2))


def _steps(found: Residuals) -> Array:
    """Each step in standard deviations, by history, the month it began and the month it is looked at; 0 elsewhere."""
    product = np.cumsum(found.mark * found.residual[:, None, :], axis=2)
    weight = np.cumsum(found.mark**2, axis=2)
    z = np.where(weight > 0, product / np.sqrt(np.maximum(weight, 1e-12)), 0.0)
    start, end = np.indices(z.shape[1:])
    return np.where((end >= start) & (end - start < LONGEST_WINDOW), z, 0.0)


def simulated_events(crowds: Sequence[Crowd], luck: Luck, histories: int, rng: np.random.Generator) -> Array:
    """Events by month were the model right, the luck as wide as it says, shape (histories, months)."""
    level = np.sqrt(luck.level_variance) * rng.standard_normal(histories)
    part = luck.sd * rng.standard_normal(histories)
    fresh = luck.sd * np.sqrt(1 - luck.persistence**2)
    events = np.empty((histories, len(crowds)))
    for month, here in enumerate(crowds):
        chance = expit(here.log_odds + (level + part)[:, None])
        events[:, month] = rng.binomial(here.rows.astype(np.int64), chance).sum(axis=1)
        part = luck.persistence * part + fresh * rng.standard_normal(histories)
    return events
