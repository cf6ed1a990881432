"""What each input adds to an account's probability over the whole horizon.

SHAP values explain the log-odds of one month; what a reader wants explained is the probability over all months,

    P = 1 - product over months of (1 - h_m),   h_m = expit(slope * (base + sum of SHAP values) + intercept).

The Aumann-Shapley value (Aumann and Shapley, 1974; integrated gradients) takes every month's log-odds z_m along the
straight line from their base to the account's and gives each input what its share of that way adds to P:

    effect_f = sum over m of slope * SHAP_mf * integral over s from 0 to 1 of dP/dz_m at base + s * (z - base).

In a month of the grace after a term, ARR has changed when the term ended in a share p_m of an account's futures, which
adds d_m to the log-odds: the hazard is h_m = (1 - p_m) expit(z_m) + p_m expit(z_m + d_m). Both p_m and d_m go the same
way, from 0, and what they add is put down to the end of the term.

The effects add up to P(account) - P(base) exactly. Where a hazard is certain (notice given, renewal signed), what that
adds to P is put down to it whole. Effects are associations that the model learned, not what an action
would change.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.hazards.month_level import LEVEL_INPUT
from models.outcomes.contributions import Contributions, Decisions

Array = NDArray[np.float64]
_POINTS = 48  # of the quadrature: the integral is exact to 1e-9 where the log-odds move by less than 25
_CHUNK = 256  # accounts integrated at a time
_SMALLEST = 1e-300  # chance of staying in a month


def horizon_probability(contributions: Contributions) -> Array:
    """Probability of at least one event within the months explained, shape (accounts,).

    Expansion and contraction are taken by themselves here, as if the account stayed a customer.
    """
    log_odds = _log_odds(contributions)
    stays, decisions = expit(-log_odds), contributions.decisions
    if decisions is not None:
        stays += decisions.share * (expit(-log_odds - decisions.shift) - stays)
    if contributions.facts is not None:
        stays = np.where(np.isnan(contributions.facts), stays, 1 - contributions.facts)
    return np.asarray(1 - stays.prod(axis=1))


def path_effects(contributions: Contributions) -> Array:
    """What each input adds to the probability, against the base of the SHAP values.

    Returns
    -------
    ndarray of shape (accounts, inputs)
        Each row sums to the account's `horizon_probability` less that of an account without any contribution.
    """
    margin = contributions.margin
    decisions = contributions.decisions or Decisions(*np.zeros((2, *margin.shape[:2])))
    start = (contributions.slope * contributions.base + contributions.intercept)[:, None]
    end_of_term = contributions.names.index(LEVEL_INPUT) if LEVEL_INPUT in contributions.names else 0
    parts = []
    for first in range(0, len(margin), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        share, shift = decisions.share[chunk], decisions.shift[chunk]
        part, of_decisions = _integrate(contributions.slope[:, None] * margin[chunk], start, share, shift)
        part[:, end_of_term] += of_decisions
        parts.append(part)
    effects = np.concatenate([np.empty((0, margin.shape[2])), *parts])
    return effects if contributions.facts is None else _with_facts(effects, contributions, contributions.facts)


def _with_facts(effects: Array, contributions: Contributions, facts: Array) -> Array:
    """The effects with the difference that certainty makes, put down to what makes certain or rules out."""
    gained = horizon_probability(contributions) - horizon_probability(replace(contributions, facts=None))
    sure = (facts > 0).any(axis=1)
    for name, rows in (("notice_takes_effect", sure), (contributions.ruled_out_by, ~sure)):
        effects[:, contributions.names.index(name)] += np.where(rows, gained, 0.0)
    return effects


def _log_odds(contributions: Contributions) -> Array:
    """Calibrated log-odds of each account and month."""
    margin = contributions.base + contributions.margin.sum(axis=-1)
    return np.asarray(contributions.slope * margin + contributions.intercept)


def _integrate(change: Array, start: Array, share: Array, shift: Array) -> tuple[Array, Array]:
    """Effects of changes of the log-odds (accounts, months, inputs) from `start` on, and of the decisions, (accounts,).

    The hazard of a month is (1 - p) expit(z) + p expit(z + d); dP is its change times the others' product of 1 - h.
    """
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    on_the_way = (points + 1) / 2
    way = start + change.sum(axis=-1)[..., None] * on_the_way
    other, part = way + shift[..., None] * on_the_way, share[..., None] * on_the_way
    stays = (1 - part) * expit(-way) + part * expit(-other)
    others_stay = stays.prod(axis=1, keepdims=True) / np.maximum(stays, _SMALLEST)
    slope, other_slope = (1 - part) * expit(way) * expit(-way), part * expit(other) * expit(-other)
    others_stay *= weights / 2  # added up by row, which does not depend on the others as it does with @
    gradient = (others_stay * (slope + other_slope)).sum(axis=-1)
    of_shift = (others_stay * other_slope).sum(axis=-1)
    of_share = (others_stay * (expit(other) - expit(way))).sum(axis=-1)
    of_decisions = (shift * of_shift + share * of_share).sum(axis=1)
    return np.asarray(np.einsum("amf,am->af", change, gradient)), np.asarray(of_decisions)
