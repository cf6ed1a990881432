"""Calibration of a margin to a probability, and its measure.

`probability = expit(level + slope * margin + intercept)` (Platt 1999; the level, if there is one, is taken as it is),
fitted with a normal prior around slope 1 and intercept 0, so that a handful of events cannot bend it far.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]
Months = NDArray[np.int64] | Array
_STEPS = 50
# With 1 the log-odds of a year's true chances moved 0.85 times as far as the forecast's, on eight simulated companies.
_STEEPEST_FAR = 0.85


@dataclass(frozen=True)
class Calibrator:
    """A line on the logit scale, by `near / months ahead` steeper for months that are near."""

    slope: float = 1.0
    intercept: float = 0.0
    near: float = 0.0

    def slopes(self, ahead: Months) -> Array:
        """The slope of each month ahead, of the same shape."""
        return np.asarray(self.slope + self.near / ahead)

    def log_odds(self, margin: Array, ahead: Months) -> Array:
        """Calibrated log-odds of margins that many months ahead, to be added to their level; of the same shape."""
        return np.asarray(self.slopes(ahead) * margin + self.intercept)


def fit_calibrator(margin: Array, event: Array, weight: Array, *, prior_sd: float) -> Calibrator:
    """Fit slope and intercept by penalised maximum likelihood.

    Parameters
    ----------
    margin, event, weight
        Log-odds predicted, 0/1 outcomes, and weights, each of shape (rows,).
    prior_sd
        Standard deviation of the normal prior around (1, 0).
    """
    design = np.column_stack([margin, np.ones_like(margin)])
    slope, intercept = _fit_line(design, event, weight, mean=np.array([1.0, 0.0]), prior_sd=prior_sd)
    return Calibrator(slope, intercept)


@dataclass(frozen=True)
class Outcomes:
    """What margins are held against: months ahead, log-odds that are taken as they are, 0/1 outcomes and weights.

    Each of shape (rows,).
    """

    ahead: Months
    level: Array
    event: Array
    weight: Array


def fit_by_month(margin: Array, outcomes: Outcomes, *, prior_sd: float) -> Calibrator:
    """The same on top of a level, with a slope of `slope + near / months ahead`, where `slope` is at most 0.85.

    Parameters
    ----------
    margin
        Log-odds predicted on top of the level, shape (rows,).
    found
        What came.
    prior_sd
        Standard deviation of the normal prior around slope 1, no steeper for near months, and intercept 0.

    Notes
    -----
    What is known of an account tells more of the next month than of one a year ahead. Errors that an account's months
    share add up over the year: months that ask for 1 and more one by one make a year that was spread too wide. So far
    ahead the slope is 0.85 unless the outcomes ask for less.
    """
    design = np.column_stack([margin, np.ones_like(margin), margin / outcomes.ahead])
    mean, rows = np.array([1.0, 0.0, 0.0]), (outcomes.event, outcomes.weight)
    slope, intercept, near = _fit_line(design, *rows, mean=mean, prior_sd=prior_sd, offset=outcomes.level)
    if slope > _STEEPEST_FAR:
        slope, above = _STEEPEST_FAR, _STEEPEST_FAR * margin + outcomes.level
        intercept, near = _fit_line(design[:, 1:], *rows, mean=mean[1:], prior_sd=prior_sd, offset=above)
    return Calibrator(slope, intercept, near)


def _fit_line(
    design: Array, event: Array, weight: Array, *, mean: Array, prior_sd: float, offset: Array | float = 0.0
) -> list[float]:
    """Coefficients on the logit scale with a normal prior, by Newton's method on a strictly concave function."""
    theta, precision = mean.copy(), np.eye(mean.size) / prior_sd**2
    for _ in range(_STEPS):
        probability = expit(design @ theta + offset)
        gradient = design.T @ (weight * (event - probability)) - precision @ (theta - mean)
        curvature = (design * (weight * probability * (1 - probability))[:, None]).T @ design + precision
        step = np.linalg.solve(curvature, gradient)
        theta = theta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10:
            break
    return [float(one) for one in theta]


def match_level(calibrator: Calibrator, margin: Array, outcomes: Outcomes) -> Calibrator:
    """The same slopes, with the intercept at which as many events are expected of other margins as were seen.

    Parameters
    ----------
    calibrator
        Fitted on margins of accounts that were not learned from: how far margins are to be trusted.
    margin
        Margins of another fit, shape (rows,).
    found
        What came, beside that fit's level. At least one event is needed, and one row without.

    Notes
    -----
    A fit on twice the accounts spreads its margins wider, and the line that suits the narrower ones would shift the
    number of events expected. Newton's method on a strictly concave function of one parameter.
    """
    scaled, intercept = outcomes.level + calibrator.slopes(outcomes.ahead) * margin, calibrator.intercept
    for _ in range(_STEPS):
        chance = expit(scaled + intercept)
        step = float(
            (outcomes.weight * (outcomes.event - chance)).sum() / (outcomes.weight * chance * (1 - chance)).sum()
        )
        intercept += float(np.clip(step, -1, 1))
        if abs(step) < 1e-10:
            break
    return replace(calibrator, intercept=intercept)


@dataclass(frozen=True)
class Slope:
    """A coefficient on the logit scale, and its standard deviation."""

    slope: float = 0.0
    sd: float = 0.0


def fit_slope(
    covariate: Array, event: Array, *, offset: Array, weight: Array, cluster: NDArray[np.int64], prior_sd: float
) -> Slope:
    """How log-odds move with a covariate beyond an offset, and how well that is known.

    Parameters
    ----------
    covariate, event, offset, weight
        The covariate, 0/1 outcomes, log-odds predicted and weights, each of shape (rows,).
    cluster
        Rows of one cluster (account) are not independent.
    prior_sd
        Standard deviation of the normal prior around 0.

    Notes
    -----
    Newton's method; the standard deviation is that of the sandwich estimator over clusters (Liang and Zeger 1986),
    with the prior's precision added to the curvature.
    """
    slope = 0.0
    for _ in range(_STEPS):
        chance = expit(offset + slope * covariate)
        score = weight * covariate * (event - chance)
        curvature = float((weight * covariate**2 * chance * (1 - chance)).sum()) + prior_sd**-2
        step = (float(score.sum()) - slope / prior_sd**2) / curvature
        slope += float(np.clip(step, -1, 1))
        if abs(step) < 1e-10:
            break
    spread = float((np.bincount(cluster, weights=score) ** 2).sum()) + prior_sd**-2
    return Slope(slope, float(np.sqrt(spread) / curvature))


@dataclass(frozen=True)
class ReliabilityBin:
    """One bin of a reliability diagram: mean prediction, share that came, its 95 % interval, rows."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def reliability(probability: Array, event: Array, *, bins: int = 10) -> list[ReliabilityBin]:
    """Reliability in bins of equally many rows, with Wilson (1927) intervals for the observed share."""
    order = np.argsort(probability, kind="stable")
    table = []
    for chosen in np.array_split(order, min(bins, len(order))):
        if chosen.size:
            low, high = wilson(float(event[chosen].sum()), chosen.size)
            table.append(
                ReliabilityBin(
                    float(probability[chosen].mean()),
                    float(event[chosen].mean()),
                    low,
                    high,
                    int(chosen.size),
                )
            )
    return table


def wilson(successes: float, trials: int, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share."""
    share = successes / trials
    centre = share + z**2 / (2 * trials)
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return float(max(0.0, (centre - half) / scale)), float(min(1.0, (centre + half) / scale))
