"""Reasons: what sets an account's probability apart from that of its peers, in words a CSM reads.

Inputs of one signal make one reason. Its effect is the sum of theirs, less what its peers have; the input shown is one
that moves the probability in the direction of that sum, and where there is a choice one whose value differs from what
is typical of the peers in the way that the direction lets expect. So the sign and the sentence agree. Where no input
does, the sentence says that it is unusual, and the reason never leads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.horizon import SIGNAL as CALENDAR_SIGNAL
from models.hazards.model_inputs import Input
from models.outcomes.contributions import Contributions
from models.outcomes.facts import UNDER_NOTICE
from models.outcomes.prediction import Outcome
from models.reasons.attribution import path_effects
from models.reasons.background import Background, noticeable, reads_alike, youth
from models.reasons.groups import BEHAVIOUR, GROUPS, group_of
from models.reasons.sentences import TYPICAL, against_the_rule, direction, words_of
from models.words import format_value

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

COLUMNS = (
    *("account_id", "outcome", "rank", "group", "display_rank", "leads"),
    *("feature", "signal", "value", "effect", "text"),
)
_NUMBERS = ("rank", "display_rank", "leads", "effect")
LEAST_TO_LEAD = 0.002  # of a probability: a smaller effect is not what people are shown first
_SMALLEST = 1e-300
_STRONG_ENOUGH = 0.25  # of the strongest input's effect: so much must another have to be shown in its place


@dataclass(frozen=True)
class _Signals:
    """Inputs grouped by group and signal: their names, and which inputs belong to each as 0/1 (inputs, signals)."""

    groups: tuple[str, ...]
    names: tuple[str, ...]
    member: NDArray[np.bool_]
    of_input: Integers


@dataclass(frozen=True)
class Standing:
    """How the inputs of some accounts stand against what is typical and against their past, shape (rows, inputs).

    `against_peers` and `against_past` are signs of the noticeable differences.
    """

    now: Array
    typical: Array
    past: Array
    against_peers: Array
    against_past: Array


@dataclass(frozen=True)
class _Telling:
    """What sentences are made from."""

    frame: pd.DataFrame
    currency: str
    standing: Standing
    ways: Array
    earlier_on: str


@dataclass(frozen=True)
class _Reasons:
    """Arrays with an item a reason, by row, then rank: positions of the account, the signal and the input shown."""

    row: Integers
    rank: Integers
    display: Integers
    leads: Integers
    signal: Integers
    column: Integers
    effect: Array


@dataclass(frozen=True)
class _Choice:
    """Of each account and signal, shape (rows, signals): effect, the input shown, and whether its value explains it.

    `agrees` is above 0 where it differs as the effect lets expect, below 0 where it differs the other way, else 0.
    """

    effect: Array
    column: Integers
    agrees: Array = field(repr=False)


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
    directions: Array | None = None,
) -> pd.DataFrame:
    """The reasons of each account, in words: the strongest, and those that people are shown first.

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
        How many of the strongest reasons an account at most, and how many of those shown first.
    currency
        Put before amounts of money.
    reference
        Mean effect of each input over the accounts to compare with, shape (inputs,), or those of each account's peers,
        shape (accounts, inputs). By default over the accounts given, each counted once: all of an account's effects
        (not only the top) sum to its probability less the mean probability of those it is compared with.
    background
        What to hold the values against in the texts, where it tells something. By default nothing.
    directions
        Whether more of an input raises the probability (above 0) or lowers it; 1 and -1 where that is declared and not
        only learned, 0 = not known. What is not declared never leads: what a team does where the risk is high would
        read as if it raised it.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, by account in the order of `frame`, then rank; the index says which row of `frame`, from
        0. `rank` goes by the size of the effect, `display_rank` has what somebody can act on first; `leads` is 1 of
        what the customer or the team does, if it matters and its value explains the effect. `effect` is in units of
        probability (0.01 = one point); `value` is text, empty where not known.

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
        effects - reference,
        inputs,
        frame,
        outcome=outcome,
        top=top,
        currency=currency,
        background=background,
        directions=directions,
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
    directions: Array | None = None,
    standing: Standing | None = None,
) -> pd.DataFrame:
    """`drivers` of what each input adds to the probability against the account's peers, shape (accounts, inputs).

    `standing` is that of `standing_of`, where it is at hand.
    """
    signals = _group(inputs)
    ways = np.zeros(len(inputs)) if directions is None else directions
    standing = standing_of(inputs, frame, background) if standing is None else standing
    choice = _choose(effects, signals, ways, standing)
    reasons = _ranked(choice, _lead(choice, signals, _under_notice(frame)), top)
    telling = _Telling(frame, currency, standing, ways, background.earlier_on if background else "")
    words = _all_words(reasons, inputs, telling)
    effect = reasons.effect.tolist()
    return pd.DataFrame(
        {
            "account_id": frame["account_id"].to_numpy()[reasons.row].astype("str"),
            "outcome": np.full(len(words), outcome),
            "rank": reasons.rank,
            "group": np.array(signals.groups)[reasons.signal],
            "display_rank": reasons.display,
            "leads": reasons.leads,
            "feature": np.array([item.name for item in inputs])[reasons.column],
            "signal": np.array(signals.names)[reasons.signal],
            "value": [value for value, _ in words],
            "effect": reasons.effect,
            "text": [f"{direction(outcome, one)}: {text}" for one, (_, text) in zip(effect, words, strict=True)],
        },
        index=reasons.row,
    ).astype({name: "str" for name in COLUMNS if name not in _NUMBERS})


def group_sums(effects: Array, inputs: Sequence[Input]) -> Array:
    """The effects of each of `GROUPS` summed up, shape (accounts, groups)."""
    groups = [group_of(item) for item in inputs]
    return np.asarray(effects @ np.array([[group == name for name in GROUPS] for group in groups], dtype=float))


def usual_ways(effects: Array, inputs: Sequence[Input], frame: pd.DataFrame, background: Background) -> Array:
    """Whether more of an input than is typical of an account's peers mostly raises the probability, shape (inputs,)."""
    return np.asarray(np.sign((effects * standing_of(inputs, frame, background).against_peers).sum(axis=0)))


def _check(contributions: Contributions, inputs: Sequence[Input], frame: pd.DataFrame) -> None:
    names = tuple(item.name for item in inputs)
    if names != contributions.names:
        raise ValueError(
            f"inputs must be those of the contributions, in their order: got {names}, not {contributions.names}"
        )
    if len(frame) != len(contributions.margin):
        raise ValueError(f"frame has {len(frame)} rows, the contributions explain {len(contributions.margin)}")


def _group(inputs: Sequence[Input]) -> _Signals:
    keys = [(group_of(item), item.signal) for item in inputs]
    pairs = tuple(dict.fromkeys(keys))
    place = {pair: number for number, pair in enumerate(pairs)}
    of_input = np.array([place[key] for key in keys], dtype=np.int64)
    member = of_input[:, None] == np.arange(len(pairs))
    return _Signals(tuple(group for group, _ in pairs), tuple(signal for _, signal in pairs), member, of_input)


def standing_of(
    inputs: Sequence[Input], frame: pd.DataFrame, background: Background | None, place: Integers | None = None
) -> Standing:
    """How inputs stand against what is typical and against their past: it is the same whatever is explained.

    `place` is the position of each row's peer group, where it is at hand.
    """
    if background is None:
        unknown = np.full((len(frame), len(inputs)), np.nan)
        return Standing(unknown, unknown, unknown, np.zeros_like(unknown), np.zeros_like(unknown))
    now = np.full((len(frame), len(inputs)), np.nan)
    there = set(frame.columns)
    known = [place for place, item in enumerate(inputs) if item.kind == "number" and item.name in there]
    now[:, known] = frame[[inputs[place].name for place in known]].to_numpy(dtype=float)
    place = background.peers.places(frame) if place is None else place
    typical, past = background.typical_of(inputs, place), background.past_of(inputs, frame)
    return Standing(now, typical, past, noticeable(now, typical), noticeable(now, past))


def _choose(effects: Array, signals: _Signals, ways: Array, standing: Standing) -> _Choice:
    """Each signal's effect, and of its inputs that go the same way the strongest whose value explains it best."""
    totals = effects @ signals.member
    way = np.sign(totals)[:, signals.of_input]
    by_peers = ways * standing.against_peers * way
    agrees = np.where(by_peers != 0, by_peers, np.maximum(ways * standing.against_past * way, 0))
    column, explains = np.empty(totals.shape, dtype=np.int64), np.empty(totals.shape)
    for signal in range(len(signals.names)):
        members = np.flatnonzero(signals.member[:, signal])
        along = effects[:, members] * way[:, members]
        enough = (along > 0) & (along >= _STRONG_ENOUGH * along.max(axis=1, keepdims=True))
        score = np.where(enough, agrees[:, members], -2) + along / (2 * np.abs(along).max(initial=_SMALLEST))
        best = members[score.argmax(axis=1)]
        column[:, signal] = best
        explains[:, signal] = agrees[np.arange(len(effects)), best]
    return _Choice(totals, column, explains)


def _ranked(choice: _Choice, leads: NDArray[np.bool_], top: int) -> _Reasons:
    """The strongest signals of each account, and those that people are shown first."""
    rank, display = _places(-np.abs(choice.effect)), _places(_display_key(choice, leads))
    kept = ((rank < top) | (display < top)) & (choice.effect != 0)
    row, signal = np.nonzero(kept)
    order = np.lexsort((rank[row, signal], row))
    at = row[order], signal[order]
    shown = _places(np.where(kept, display, display + choice.effect.shape[1]))
    return _Reasons(at[0], rank[at] + 1, shown[at] + 1, leads[at] * 1, at[1], choice.column[at], choice.effect[at])


def _lead(choice: _Choice, signals: _Signals, under_notice: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a reason is one that somebody can act on, that matters, and that its value explains; or is notice."""
    behaviour = np.array([group in BEHAVIOUR for group in signals.groups])
    leads = behaviour & (choice.agrees >= 1) & (np.abs(choice.effect) >= LEAST_TO_LEAD)
    told = under_notice[:, None] & np.array([name == CALENDAR_SIGNAL for name in signals.names])
    return np.asarray(leads | (told & (choice.effect > 0)))


def _under_notice(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether notice was given: what the customer did, told with the date that it leads to."""
    if UNDER_NOTICE not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return np.asarray(frame[UNDER_NOTICE].to_numpy(dtype=float) > 0)


def _display_key(choice: _Choice, leads: NDArray[np.bool_]) -> Array:
    """What sorts reasons for people: leads that raise the probability, leads that lower it, then the rest by size.

    What acts against its usual way comes last.
    """
    shelf = np.select([leads & (choice.effect > 0), leads, choice.agrees < 0], [0.0, 1.0, 3.0], 2.0)
    return np.asarray(shelf - np.minimum(np.abs(choice.effect), 0.999))


def _places(key: Array) -> Integers:
    """The place of each item of a row if the row is sorted, from 0."""
    return np.argsort(np.argsort(key, axis=1, kind="stable"), axis=1, kind="stable")


def _all_words(reasons: _Reasons, inputs: Sequence[Input], telling: _Telling) -> list[tuple[str, str]]:
    """Each reason's value and sentence."""
    words = [("", "")] * len(reasons.row)
    for number in np.unique(reasons.column).tolist():
        here = np.flatnonzero(reasons.column == number)
        item, rows = inputs[number], reasons.row[here].tolist()
        notes = _notes(item, number, rows, reasons.effect[here], telling)
        texts = words_of(item, telling.frame, rows, telling.currency, notes)
        for place, text in zip(here.tolist(), texts, strict=True):
            words[place] = text
    return words


def _notes(item: Input, number: int, rows: list[int], effects: Array, telling: _Telling) -> list[tuple[str, ...]]:
    """What is said beside each value: the past unless it tells the contrary, what is typical, and if it is unusual."""
    standing, way = telling.standing, telling.ways[number]
    young = youth(item, telling.frame, rows)
    notes = []
    for row, effect, age in zip(rows, effects.tolist(), young, strict=True):
        told, (now, typical, past) = [age], (a[row, number] for a in (standing.now, standing.typical, standing.past))
        rose, more = standing.against_past[row, number], standing.against_peers[row, number]
        if rose and rose * way * effect >= 0 and not reads_alike(item, now, past):
            told.append(f"{_value(item, past, telling)} as of {telling.earlier_on}")
        if more and not reads_alike(item, now, typical):
            told.append(f"{TYPICAL}: {_value(item, typical, telling)}")
            told += [against_the_rule(way)] if more * way * effect < 0 else []
        notes.append(tuple(filter(None, told)))
    return notes


def _value(item: Input, value: float, telling: _Telling) -> str:
    return format_value(value, item.unit, telling.currency)
