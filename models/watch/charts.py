"""Model charts: whether the hazards tell accounts apart as they say, given how many events each month had.

For covariate z of the accounts at risk in a month, with predicted log-odds eta and events y, the score is
sum (y - p) z with p = expit(eta + s), where the shift s makes as many events expected as came: whatever moves all
accounts of a month alike drops out exactly. Its variance is that given the number of events. Scores are added up over
the last 1 to 12 months; the chart is the largest of these sums in standard deviations, and its window says since when.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]
LONGEST_WINDOW = 12
_NEWTON_STEPS = 40
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Month:
    """The accounts at risk in a month.

    Attributes
    ----------
    log_odds, event
        Predicted, and 0/1 what came, shape (accounts,).
    covariates
        Shape (accounts, charts): what the score of each chart is taken over.
    """

    log_odds: Array
    event: Array
    covariates: Array


@dataclass(frozen=True)
class Scores:
    """Scores and their variances by month and chart, both of shape (..., months, charts)."""

    score: Array
    variance: Array


def monthly_scores(months: Sequence[Month]) -> Scores:
    """The scores of each month; a month in which none or all of the accounts had the event says nothing."""
    rows = [_scores_of(month) for month in months]
    return Scores(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))


def given_events(month: Month, events: int) -> Array:
    """Chances of the accounts of a month, shifted alike so that they add up to a number of events."""
    shift = 0.0
    for _ in range(_NEWTON_STEPS):
        chance = expit(month.log_odds + shift)
        step = float((events - chance.sum()) / max(float((chance * (1 - chance)).sum()), _SMALLEST))
        shift += float(np.clip(step, -1, 1))
        if abs(step) < 1e-10:
            break
    return np.asarray(expit(month.log_odds + shift))


def _scores_of(month: Month) -> tuple[Array, Array]:
    events, width = int(month.event.sum()), month.covariates.shape[1]
    if not 0 < events < len(month.event):
        return np.zeros(width), np.zeros(width)
    chance = given_events(month, events)
    weight = chance * (1 - chance)
    centred = month.covariates - weight @ month.covariates / weight.sum()
    return (month.event - chance) @ centred, weight @ centred**2


def scan(scores: Scores) -> tuple[Array, NDArray[np.int64]]:
    """Each chart at the end of each month, signed, in standard deviations, and how many months its window holds."""
    total, spread = (np.cumsum(part, axis=-2) for part in (scores.score, scores.variance))
    best, width = np.zeros_like(total), np.ones(total.shape, dtype=np.int64)
    for window in range(1, min(LONGEST_WINDOW, total.shape[-2]) + 1):
        score, variance = (_last(part, window) for part in (total, spread))
        z = np.where(variance > _SMALLEST, score / np.sqrt(np.maximum(variance, _SMALLEST)), 0.0)
        wider = np.abs(z) > np.abs(best)
        best, width = np.where(wider, z, best), np.where(wider, window, width)
    return best, width


def _last(total: Array, window: int) -> Array:
    """Sums over the last months of each; of those that are there where there are fewer."""
    before = np.zeros_like(total)
    before[..., window:, :] = total[..., :-window, :]
    return total - before


def simulated_scores(month: Month, histories: int, rng: np.random.Generator) -> Scores:
    """Scores of a month were the model right, with as many events as came, shape (histories, charts).

    Events are drawn with replacement by the accounts' odds, and scaled to the variance without.
    """
    events, width = int(month.event.sum()), month.covariates.shape[1]
    if not 0 < events < len(month.event):
        return Scores(np.zeros((histories, width)), np.zeros((histories, width)))
    chance = given_events(month, events)
    weight = chance * (1 - chance)
    share = weight / weight.sum()
    centred = month.covariates - share @ month.covariates
    ends = np.cumsum(share)
    drawn = np.minimum(np.searchsorted(ends, rng.random((histories, events)) * ends[-1]), len(ends) - 1)
    variance = weight @ centred**2
    scale = np.sqrt(variance / np.maximum(events * (share @ centred**2), _SMALLEST))
    return Scores(centred[drawn].sum(axis=1) * scale, np.broadcast_to(variance, (histories, width)))
