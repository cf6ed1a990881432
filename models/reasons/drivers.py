"""Reasons: what moved an account's probability away from the average account's, in words a CSM reads.

SHAP values explain the log-odds of one month; what a reader wants explained is the probability over the whole horizon,

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

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from models.hazards.horizon import CALENDAR_INPUTS
from models.hazards.model_inputs import Input
from models.hazards.month_level import LEVEL_INPUT
from models.outcomes.facts import UNDER_NOTICE
from models.outcomes.outcome import Contributions, Decisions
from models.outcomes.prediction import Outcome
from models.reasons.background import Background
from models.words import counted, format_value, of_one

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

COLUMNS = ("account_id", "outcome", "rank", "feature", "signal", "value", "effect", "text")
_POINTS = 48  # of the quadrature: the integral is exact to 1e-9 where the log-odds move by less than 25
_CHUNK = 256  # accounts integrated at a time
_CALENDAR = frozenset(item.name for item in CALENDAR_INPUTS)
_SUBJECT = {"churn": "churn risk", "contraction": "the risk of contraction", "expansion": "the chance of expansion"}
_SMALLEST_SHOWN = 0.05  # probability points
_SMALLEST = 1e-300  # chance of staying in a month
_OF_OTHERS = " of the other accounts"


@dataclass(frozen=True)
class _Signals:
    """Inputs grouped by signal: the signals' names, and which inputs belong to each as 0/1 (inputs, signals)."""

    names: tuple[str, ...]
    member: NDArray[np.bool_]


@dataclass(frozen=True)
class _Reasons:
    """Arrays with an item a reason, by row, then rank: positions of the account, the signal and the input shown."""

    row: Integers
    rank: Integers
    signal: Integers
    column: Integers
    effect: Array


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


def drivers(
    contributions: Contributions,
    inputs: Sequence[Input],
    frame: pd.DataFrame,
    *,
    outcome: Outcome,
    top: int,
    currency: str = "",
    reference: Array | None = None,
    background: Background | None = None,
) -> pd.DataFrame:
    """The strongest reasons of each account, in words.

    Inputs of one signal make one reason, with the sum of their effects; the input shown is the one that moves the
    probability most in the direction of that sum. Reasons without effect are left out.

    Parameters
    ----------
    contributions
        SHAP values of the accounts' monthly log-odds.
    inputs
        Descriptions of the inputs, in the order of `contributions.names`.
    frame
        The snapshot rows explained: `account_id`, `as_of`, `term_ends_on`, `notice_given`, `presigned`, and the inputs
        but for those of the renewal calendar.
    outcome
        What is explained.
    top
        How many reasons an account at most.
    currency
        Put before amounts of money.
    reference
        Mean effect of each input (`path_effects(...).mean(axis=0)`) over the accounts to compare with, shape
        (inputs,). By default over the accounts given, each counted once: effects then tell an account from the average
        one, and all of an account's effects (not only the top) sum to its probability less the mean probability.
    background
        What to hold the values against in the texts, where it tells something: the account's own past and what is
        typical for its size. `frame` then has `arr`. By default nothing.

    Returns
    -------
    DataFrame
        `account_id, outcome, rank, feature, signal, value, effect, text`, by account in the order of `frame`, then
        rank; the index says which row of `frame`, from 0. `effect` is in units of probability (0.01 = one point);
        `value` is text, empty where not known.

    Raises
    ------
    ValueError
        The inputs are not those of the contributions, or the frame has another number of rows.
    """
    _check(contributions, inputs, frame)
    effects = path_effects(contributions)
    if reference is None:
        reference = effects.mean(axis=0) if len(effects) else np.zeros(len(inputs))
    return effects_in_words(
        effects - reference, inputs, frame, outcome=outcome, top=top, currency=currency, background=background
    )


def effects_in_words(
    effects: Array,
    inputs: Sequence[Input],
    frame: pd.DataFrame,
    *,
    outcome: Outcome,
    top: int,
    currency: str = "",
    background: Background | None = None,
) -> pd.DataFrame:
    """`drivers` of what each input adds to the probability against the average account, shape (accounts, inputs)."""
    signals = _group(inputs)
    reasons = _ranked(effects, signals, top)
    words = [("", "")] * len(reasons.row)
    for number in np.unique(reasons.column):
        here = np.flatnonzero(reasons.column == number)
        sentences = _words(inputs[number], frame, reasons.row[here].tolist(), currency, background)
        for place, sentence in zip(here.tolist(), sentences, strict=True):
            words[place] = sentence
    effect = reasons.effect.tolist()
    return pd.DataFrame(
        {
            "account_id": frame["account_id"].to_numpy()[reasons.row].astype("str"),
            "outcome": np.full(len(words), outcome),
            "rank": reasons.rank,
            "feature": np.array([item.name for item in inputs])[reasons.column],
            "signal": np.array(signals.names)[reasons.signal],
            "value": [value for value, _ in words],
            "effect": reasons.effect,
            "text": [f"{_direction(outcome, one)}: {text}" for one, (_, text) in zip(effect, words, strict=True)],
        },
        index=reasons.row,
    ).astype({name: "str" for name in COLUMNS if name not in ("rank", "effect")})


def _with_facts(effects: Array, contributions: Contributions, facts: Array) -> Array:
    """The effects with the difference that certainty makes, put down to what makes certain or rules out."""
    gained = horizon_probability(contributions) - horizon_probability(replace(contributions, facts=None))
    sure = (facts > 0).any(axis=1)
    for name, rows in (("notice_takes_effect", sure), (contributions.ruled_out_by, ~sure)):
        effects[:, contributions.names.index(name)] += np.where(rows, gained, 0.0)
    return effects


def _check(contributions: Contributions, inputs: Sequence[Input], frame: pd.DataFrame) -> None:
    names = tuple(item.name for item in inputs)
    if names != contributions.names:
        raise ValueError(
            f"inputs must be those of the contributions, in their order: got {names}, not {contributions.names}"
        )
    if len(frame) != len(contributions.margin):
        raise ValueError(f"frame has {len(frame)} rows, the contributions explain {len(contributions.margin)}")


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


def _group(inputs: Sequence[Input]) -> _Signals:
    names = tuple(dict.fromkeys(item.signal for item in inputs))
    return _Signals(names, np.array([[item.signal == name for name in names] for item in inputs]))


def _ranked(effects: Array, signals: _Signals, top: int) -> _Reasons:
    """The signals of the largest effects; of each the input that moves the probability most in its direction."""
    totals = effects @ signals.member
    strongest = np.argsort(-np.abs(totals), axis=1, kind="stable")[:, :top]
    effect = np.take_along_axis(totals, strongest, axis=1)
    column = np.empty_like(strongest)
    for rank, signal in enumerate(strongest.T):
        along = np.where(signals.member.T[signal], effects * np.sign(effect[:, rank, None]), -np.inf)
        column[:, rank] = along.argmax(axis=1)
    row, place = np.nonzero(effect)
    return _Reasons(row, place + 1, strongest[row, place], column[row, place], effect[row, place])


def _direction(outcome: Outcome, effect: float) -> str:
    points = 100 * abs(effect)
    size = "less than 0.1" if points < _SMALLEST_SHOWN else f"{points:.1f}"
    return f"{'Raises' if effect > 0 else 'Lowers'} {_SUBJECT[outcome]} by {size} points"


def _words(
    item: Input, frame: pd.DataFrame, rows: list[int], currency: str, background: Background | None
) -> list[tuple[str, str]]:
    """Of some accounts: the value of an input, and the words that say it."""
    if item.name in _CALENDAR:
        columns = (frame[name].iloc[rows] for name in ("as_of", "term_ends_on", UNDER_NOTICE, "presigned"))
        return [_renewal(*account) for account in zip(*columns, strict=True)]
    notes = background.notes(item, frame, rows, currency) if background else [()] * len(rows)
    return [
        _sentence(item, value, currency, beside)
        for value, beside in zip(frame[item.name].iloc[rows], notes, strict=True)
    ]


def _sentence(item: Input, value: Any, currency: str, notes: tuple[str, ...]) -> tuple[str, str]:
    """A value, and the sentence that says it with notes in brackets."""
    if pd.isna(value):
        what, why = re.split("[;:]", item.meaning)[0], re.search("missing if ([^;:]+)", item.meaning)
        return "", _noted(f"not known: {_uncapitalised(what)}", (why[1], *notes) if why else notes)
    text = str(value) if item.kind == "category" else format_value(float(value), item.unit, currency)
    before, slot, after = item.sentence.partition("{value}")
    share = text if slot else ""
    if before.endswith("than ") and after.startswith(_OF_OTHERS):
        before, share, after = _among_others(before, text, float(value), after.removeprefix(_OF_OTHERS))
    return text, _noted(before + share + (of_one(after) if share in ("1", "-1") else after), notes)


def _among_others(before: str, percent: str, share: float, after: str) -> tuple[str, str, str]:
    """The parts of `more than {share} of the other accounts`, in words where the share is all or nothing."""
    if percent == "100%":
        return before, "all" if share == 1 else "nearly all", f" other accounts{after}"
    if percent == "0%":
        if share == 0:
            return before.replace("more", "no more", 1), "any", f" other account{after}"
        return before, "very few", f" other accounts{after}"
    return before, percent, _OF_OTHERS + after


def _noted(text: str, notes: tuple[str, ...]) -> str:
    return f"{text} ({'; '.join(notes)})" if notes else text


def _renewal(as_of: pd.Timestamp, ends: pd.Timestamp, under_notice: float, presigned: float) -> tuple[str, str]:
    """Where the account stands on its renewal calendar, whichever month ahead matters."""
    if pd.isna(ends):
        return "evergreen", "the contract has no end date"
    days = (ends - as_of).days
    when = f"the term ends in {counted(days, 'day')}, on {ends:%Y-%m-%d}"
    if days < 0:
        when = f"the renewal is {counted(-days, 'day')} overdue, since {ends:%Y-%m-%d}"
    clauses = []
    if under_notice > 0:
        part = f" on {format_value(under_notice, 'share')} of ARR" if under_notice < 1 else ""
        clauses.append(f"notice was given{part}")
    if presigned == 1:
        clauses.append("the next renewal is signed")
    return f"{ends:%Y-%m-%d}", " and ".join([", ".join(clauses), when] if clauses else [when])


def _uncapitalised(text: str) -> str:
    """The first letter small, unless an abbreviation such as NPS begins the text."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
