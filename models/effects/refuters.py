"""What tries to refute an estimate: treatments that were never given, halves of the accounts, outcomes before them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.effects.orthogonal import Estimate, Scores, one_step

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
DRAWS, MORE_DRAWS = 100, 300  # more where the first find something
DECILES = 10
MEAN_LIMIT, SPREAD_LIMIT = 0.25, 0.20  # of the standard error; of 400 draws it is itself off by 4 %
SURELY = 2.58


@dataclass(frozen=True)
class Trials:
    """What refuters work on; shapes (trials, treatments), (trials,)."""

    done: Array
    propensity: Array
    scores: Scores
    account: Ints

    @property
    def residual(self) -> Array:
        """Treatments less their propensities."""
        return self.done - self.propensity


@dataclass(frozen=True)
class Placebo:
    """Estimates of treatments that were never given: their mean and spread in standard errors, (treatments,)."""

    mean: Array
    spread: Array

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Whether they find nothing, as often as their standard errors say."""
        return np.asarray((np.abs(self.mean) <= MEAN_LIMIT) & (np.abs(self.spread - 1) <= SPREAD_LIMIT))


def permuted(trials: Trials, rng: np.random.Generator) -> Placebo:
    """Treatments that changed hands among trials of about the same propensity."""
    orders = [np.argsort(column, kind="stable") for column in trials.propensity.T]
    groups = [np.array_split(order, DECILES) for order in orders]

    def draw() -> Array:
        fresh = np.empty_like(trials.done)
        for kind, deciles in enumerate(groups):
            for rows in deciles:
                fresh[rows, kind] = rng.permutation(trials.done[rows, kind])
        return fresh

    return _placebo(trials, draw)


def redrawn(trials: Trials, rng: np.random.Generator) -> Placebo:
    """Treatments drawn by their propensities."""
    shape = trials.propensity.shape
    return _placebo(trials, lambda: (rng.random(shape) < trials.propensity).astype(float))


def _placebo(trials: Trials, draw: Callable[[], Array]) -> Placebo:
    """What draws come to; a mean or a spread that only chance took beyond its limit comes back with more of them."""
    estimates = [_estimate(trials, draw()) for _ in range(DRAWS)]
    if not _summed(estimates).passed.all():
        estimates += [_estimate(trials, draw()) for _ in range(MORE_DRAWS)]
    return _summed(estimates)


def _estimate(trials: Trials, done: Array) -> Estimate:
    return one_step(done - trials.propensity, trials.scores, trials.account)


def _summed(estimates: Sequence[Estimate]) -> Placebo:
    shifts, errors = (np.stack([getattr(each, name) for each in estimates]) for name in ("shift", "se"))
    typical = errors.mean(axis=0)
    return Placebo(shifts.mean(axis=0) / typical, shifts.std(axis=0, ddof=1) / typical)


def halves_apart(trials: Trials) -> Array:
    """How many standard errors lie between the estimates of the two halves of the accounts, (treatments,)."""
    parts = [trials.account % 2 == side for side in (0, 1)]
    estimates = [
        one_step(
            trials.residual[part],
            Scores(trials.scores.score[part], trials.scores.information[part]),
            trials.account[part],
        )
        for part in parts
    ]
    first, second = estimates
    return np.asarray(np.abs(first.shift - second.shift) / np.hypot(first.se, second.se))


def before_the_action(trials: Trials, earlier: Array) -> tuple[Array, Array]:
    """What the treatments seem to shift of an outcome that came before them, and its standard error, (treatments,).

    Parameters
    ----------
    trials
        The trials.
    earlier
        Whether the outcome came in the months before each trial, less its mean by month; NaN where that is not known;
        shape (trials,).
    """
    there = ~np.isnan(earlier)
    if not there.any():
        nothing = np.zeros(trials.done.shape[1])
        return nothing, nothing
    spread = np.where(there, float(np.mean(earlier[there] ** 2)), 0.0)
    estimate = one_step(trials.residual, Scores(np.nan_to_num(earlier), spread), trials.account)
    return estimate.shift, estimate.se


def overlap(trials: Trials) -> Array:
    """The share of each treatment's variance that what was known before leaves open, (treatments,)."""
    weight = trials.scores.information
    open_part = np.average(trials.residual**2, axis=0, weights=weight)
    return np.asarray(open_part / np.maximum(trials.done.var(axis=0), np.finfo(float).tiny))
