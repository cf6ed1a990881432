"""People's calls against the model's probabilities on the same accounts: who is better, worse, or cannot be told.

The unit is the difference of the log score (natural logarithm) of a call and of the model, for the same account over
the same window: above 0 the call was better. Calls on one account are not independent, so that accounts are the units
of chance. The verdict takes two things together: that the 90 % interval of the mean lies on one side of 0, and that the
sum is beyond ln 150, which grows with the root of the number of calls beyond 40. The interval alone would be too eager
for callers whose rare large losses have not come yet; the sum asks for more than they can have without knowing more.
Nobody is taken to be surer than 95 %: else one miss of the very sure would decide. Better takes a third thing: that the
calls as they were stated did at least as well as the same calls moved back towards the model (`toned_down`); whoever is
bolder than what they know is not told from luck. A sum of 1.75 times what the word takes needs no such proof.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Array = NDArray[np.float64]
Verdict = Literal["better", "worse", "cannot tell", "too few"]
PRIORS: Mapping[str, float] = {"commit": 0.925, "likely": 0.75, "best_case": 0.6, "at_risk": 0.35, "lost": 0.1}
PRIOR_WEIGHT = 8.0  # calls
CATEGORY_OF: Mapping[str, str] = {"renew": "commit", "expand": "commit", "contract": "likely", "churn": "lost"}
FEWEST_RESOLVED = 10
_SURE = 1e-6  # a probability nearer to 0 or 1 has no finite log-odds to speak of
LEVEL = 0.90
_LEAST_SUM, _MANY = math.log(150.0), 40
_KEPT_OF_BOLDNESS = 0.6  # of the log-odds between a call and the model, in the call toned down
_BEYOND_DOUBT = 1.75  # times the least sum: boldness is not looked at any more
MOST = 0.95  # no one is taken to be surer than this, the model included


@dataclass(frozen=True)
class Skill:
    """How a caller compares with the model.

    Attributes
    ----------
    resolved, accounts
        Calls whose outcome is known, and the accounts they are on.
    mean, low, high
        Log score of the calls less the model's, nats a call, with its 90 % interval; NaN of too few.
    """

    resolved: int
    accounts: int
    mean: float
    low: float
    high: float
    verdict: Verdict


def stated_probability(outcome: str | None, probability: float | None) -> float | None:
    """Of being kept: a stated one is of the outcome, and how likely an account grows or shrinks does not say it."""
    if probability is None or outcome in ("expand", "contract"):
        return None
    return 1 - probability if outcome == "churn" else probability


def called_arr(
    arr: float, *, amount: float | None, outcome: str | None, category: str | None, probability: float | None
) -> float | None:
    """ARR that a call expects to be left of an account's: the amount it says, else ARR times the chance of being kept.

    A category, or an outcome alone, stands for its prior. None where the call says nothing of either.
    """
    if amount is not None:
        return amount
    kind, stated = category or CATEGORY_OF.get(outcome or ""), stated_probability(outcome, probability)
    if stated is None and kind is None:
        return None
    return arr * (PRIORS[str(kind)] if stated is None else stated)


def category_probability(category: str, kept: int, resolved: int) -> float:
    """The probability of being kept that a category stands for: the prior, and what came of the caller's own.

    Parameters
    ----------
    category
        One of `PRIORS`.
    kept, resolved
        Of the caller's calls of this category that were resolved before: how many accounts were kept, of how many.
    """
    return (PRIOR_WEIGHT * PRIORS[category] + kept) / (PRIOR_WEIGHT + resolved)


def log_score_difference(called: Array, model: Array, kept: Array) -> Array:
    """Log score of calls less the model's.

    Parameters
    ----------
    called, model
        Probabilities that each account is kept.
    kept
        0/1, whether it was.
    """
    called, model = (np.clip(p, 1 - MOST, MOST) for p in (called, model))
    return np.where(kept > 0, np.log(called / model), np.log((1 - called) / (1 - model)))


def toned_down(called: Array, model: Array) -> Array:
    """Calls moved back towards the model: with 0.6 of their distance on the log-odds."""
    called, model = (np.clip(p, _SURE, 1 - _SURE) for p in (called, model))
    log_odds, level = (np.log(p / (1 - p)) for p in (called, model))
    return np.asarray(1 / (1 + np.exp(-(level + _KEPT_OF_BOLDNESS * (log_odds - level)))), dtype=float)


def skill(difference: Array, accounts: Sequence[object], toned: Array | None = None) -> Skill:
    """Whether calls were better than the model.

    Parameters
    ----------
    difference
        Of each call, its log score less the model's: `log_score_difference`.
    accounts
        Of each call, its account.
    toned
        The same of the calls toned down; without it, boldness is not looked at.
    """
    names, place = np.unique(np.asarray(accounts, dtype=str), return_inverse=True)
    resolved, units = len(difference), len(names)
    if resolved < FEWEST_RESOLVED or units < 2:
        return Skill(resolved, units, math.nan, math.nan, math.nan, "too few")
    mean = float(difference.mean())
    sums = np.bincount(place, weights=difference - mean, minlength=units)
    error = math.sqrt(float((sums**2).sum()) * units / (units - 1)) / resolved
    half = float(student.ppf((1 + LEVEL) / 2, units - 1)) * error
    verdict = _verdict(mean, half, resolved)
    in_doubt = mean * resolved < _BEYOND_DOUBT * _least(resolved)
    if verdict == "better" and in_doubt and toned is not None and difference.sum() < toned.sum():
        verdict = "cannot tell"
    return Skill(resolved, units, mean, mean - half, mean + half, verdict)


def _verdict(mean: float, half: float, resolved: int) -> Verdict:
    total, least = mean * resolved, _least(resolved)
    if mean - half > 0 and total > least:
        return "better"
    if mean + half < 0 and total < -least:
        return "worse"
    return "cannot tell"


def _least(resolved: int) -> float:
    """The sum of differences that a word takes."""
    return _LEAST_SUM * math.sqrt(max(1.0, resolved / _MANY))


def shrunk(means: Array, errors: Array) -> Array:
    """Means of several callers, each moved towards that of all as far as it is uncertain (DerSimonian and Laird 1986).

    Parameters
    ----------
    means, errors
        Of each caller the mean and its standard error, above 0.
    """
    weight = 1 / errors**2
    together = float((weight * means).sum() / weight.sum())
    scatter = float((weight * (means - together) ** 2).sum()) - (len(means) - 1)
    between = max(0.0, scatter / max(float(weight.sum() - (weight**2).sum() / weight.sum()), 1e-12))
    if not between:
        return np.full(len(means), together)
    spread = 1 / (errors**2 + between)
    centre = float((spread * means).sum() / spread.sum())
    return centre + (means - centre) * between / (between + errors**2)
