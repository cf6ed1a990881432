"""The one-step partially linear logit: what treatments shift, with all that is known beforehand partialled out.

With hazards p of the months ahead and propensities e, both learned from other accounts, of a trial r with treatments A:

    S_r = sum over months h of d^(h-1) (Y_rh - p_rh)        its score
    W_r = sum over months h of d^(2(h-1)) p_rh (1 - p_rh)   its information
    beta = (sum z W z')^-1 sum z S,  z = A - e

where d is what is left of a shift a month later. It is one Newton step from no effect. An error in p moves beta only as
far as e errs in the same place (Liu, Zhang & Cai 2021, "Double/debiased machine learning for logistic partially linear
models"). A plain logistic regression of thinned, rare hazards may diverge; this cannot.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Of each trial: its score and its information on a shift, both of shape (trials,)."""

    score: Array
    information: Array


@dataclass(frozen=True)
class Estimate:
    """Shifts of all treatments, shape (treatments,), and their covariance by account, (treatments, treatments)."""

    shift: Array
    covariance: Array

    @property
    def se(self) -> Array:
        """Standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def less(self, place: int) -> "Estimate":
        """All shifts less that of one treatment, which is known to change nothing; its own row stays."""
        contrast = np.eye(len(self.shift))
        contrast[:, place] -= 1.0
        contrast[place] = np.eye(len(self.shift))[place]
        return Estimate(contrast @ self.shift, contrast @ self.covariance @ contrast.T)


def one_step(residual: Array, scores: Scores, account: Ints) -> Estimate:
    """The shifts and their covariance, clustered by account.

    Parameters
    ----------
    residual
        Treatments less their propensities, shape (trials, treatments).
    scores
        Score and information of each trial.
    account
        The account of each trial, as a number from 0.
    """
    hessian = residual.T @ (residual * scores.information[:, None])
    inverse = np.linalg.pinv(hessian, hermitian=True)
    shift = inverse @ (residual.T @ scores.score)
    rest = residual * (scores.score - scores.information * (residual @ shift))[:, None]
    sums = sums_by(account, rest)
    clusters = len(np.unique(account))
    correction = clusters / max(clusters - 1, 1)
    return Estimate(shift, correction * inverse @ (sums.T @ sums) @ inverse)


def sums_by(group: Ints, values: Array, groups: int = 0) -> Array:
    """Sums of the rows of each group, shape (groups, columns); at least so many groups."""
    sums = [np.bincount(group, weights=column, minlength=groups) for column in values.T]
    return np.stack(sums, axis=1).astype(np.float64)


def demeaned(values: Array, month: Ints, weight: Array) -> Array:
    """Values less their weighted mean within each month, column by column; shape (trials, columns)."""
    total = np.maximum(np.bincount(month, weights=weight), np.finfo(float).tiny)
    means = sums_by(month, values * weight[:, None]) / total[:, None]
    return np.asarray(values - means[month])


def scores_of(event: Array, hazard: Array, place: tuple[Ints, Ints, Ints], *, trials: int, decay: float) -> Scores:
    """Scores of trials from the months ahead of each.

    What all accounts of a calendar month have in common, the market's luck, is taken out.

    Parameters
    ----------
    event, hazard
        Whether it came, and how likely it was, in each month ahead of each trial; shape (rows,).
    place
        Of each row its trial, how many months ahead it lies (from 1) and its calendar month (from 0).
    trials
        How many trials there are.
    decay
        What is left of a shift a month later.
    """
    trial, ahead, month = place
    spread = hazard * (1 - hazard)
    surplus, weight = np.bincount(month, weights=event - hazard), np.bincount(month, weights=spread)
    luck = surplus / np.maximum(weight, np.finfo(float).tiny)
    left = decay ** (ahead - 1.0)
    off = left * (event - hazard - luck[month] * spread)
    parts = sums_by(trial, np.stack([off, left**2 * spread], axis=1), groups=trials)
    return Scores(parts[:, 0], parts[:, 1])
