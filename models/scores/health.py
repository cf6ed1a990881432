"""The health score: a rule of the business over the columns of snapshots, and no model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.scores.conditions import features_named, holds
from params_signals import Health, Measure

Array = NDArray[np.float64]
HALVES = ("csm_half", "customer_half")
NO_DATA = "not enough data"
PHASES = ("phase", "tenure_phase")  # that of the journey where one is declared
_SEGMENT = "segment"
_COUNTED_UNITS = ("actions", "contacts", "meetings", "events", "e-mails", "touches", "logins")
_COUNTED_NAMES = ("active_days", "usage_7d", "usage_28d", "usage_90d", "engagement_", "meetings_", "csm_actions_")
_RATIOS = ("_ratio", "_share")
_NEVER_STALE = 2.0  # a measure is stale once it is older than so many times its cadence


@dataclass(frozen=True)
class MeasureScores:
    """One measure of some accounts, all of shape (accounts,): NaN points where it is not known or stale.

    `place` says which entry of the measure's `by` counts for the account; -1 where none does.
    """

    half: str
    name: str
    value: Array
    points: Array
    weight: Array
    stale: NDArray[np.bool_]
    place: NDArray[np.int64]


def columns_needed(rule: Health) -> set[str]:
    """The columns of snapshots that a rule reads, those of segments and phases among them."""
    measures = {name: measure for half in rule.halves.values() for name, measure in half.measures.items()}
    ages = {measure.age for measure in measures.values() if measure.age}
    caps = {name for cap in rule.caps.values() for name in features_named(cap.when)}
    return {_SEGMENT, *PHASES, *measures, *ages, *caps}


def health_scores(frame: pd.DataFrame, rule: Health) -> pd.DataFrame:
    """Score accounts.

    Each half is the mean of the points of its measures, by weight. A measure that is not known, or is older than twice
    its cadence, is left out, and the weights of the others are taken for the whole. A half of which less than
    `least_known` of the weight is known has no score, and neither has then the account.

    Parameters
    ----------
    frame
        Snapshot rows; columns that are absent are not known.
    rule
        `health` of the settings.

    Returns
    -------
    pandas.DataFrame
        On the index of `frame`: `score`, `csm_half`, `customer_half` (0 to 100, NaN where not known), `coverage`
        (share of the weight that is known), `band` (empty without a score), `colour`, `cap` (what holds the band down;
        empty if nothing does), `stale` (names of the measures that are, with commas).
    """
    measures = list(measures_of(frame, rule))
    points, known = {}, np.zeros(len(frame))
    for half, settings in rule.halves.items():
        points[half], coverage = _half([one for one in measures if one.half == half], len(frame), rule.least_known)
        known += settings.weight * coverage
    asked = {half: np.where(settings.weight > 0, points[half], 0.0) for half, settings in rule.halves.items()}
    score = np.sum([settings.weight * asked[half] for half, settings in rule.halves.items()], axis=0)
    capped, cap = _caps(frame, rule, bands_of(score, rule))
    colours: dict[str, str] = {"": ""} | dict(rule.colours.items())
    columns = {
        "score": score,
        **points,
        "coverage": known,
        "band": capped,
        "cap": cap,
        "stale": _stale(measures, frame),
    }
    return pd.DataFrame(columns, index=frame.index).assign(colour=[colours[band] for band in capped])


def bands_of(score: Array, rule: Health) -> NDArray[np.object_]:
    """The band of each score, half-open: from where it begins up to where the next begins; empty where none is."""
    band = np.full(len(score), "D", dtype=object)
    for name, start in sorted(rule.bands.items(), key=lambda pair: pair[1]):
        band[score >= start] = name
    band[np.isnan(score)] = ""
    return band


def measures_of(frame: pd.DataFrame, rule: Health) -> Iterator[MeasureScores]:
    """What each measure says of each account."""
    segment, phase = _texts(frame, _SEGMENT), _texts(frame, *PHASES)
    for half, settings in rule.halves.items():
        for name, measure in settings.measures.items():
            value = _numbers(frame, name)
            stale = ~np.isnan(value) & _is_stale(frame, measure)
            place = _places(measure, segment, phase)
            points, weight = _points(np.where(stale, np.nan, value), measure, place)
            yield MeasureScores(half, name, value, points, weight, stale, place)


def moves(change: Sequence[Array], threshold: float) -> NDArray[np.object_]:
    """Whether scores have gone up or down, with hysteresis.

    A score is called `up` once it lies `threshold` points or more above that of the time before, and stays so until it
    no longer lies above it; `down` alike. Else it is `level`; empty where one of the two is not known now.

    Parameters
    ----------
    change
        Of each date, oldest first: the score less that of the time before, shape (accounts,); NaN where not known.
    threshold
        In points.
    """
    state = np.full(len(change[-1]), "level", dtype=object)
    for now in change:
        state[(state == "up") & (now <= 0)] = "level"
        state[(state == "down") & (now >= 0)] = "level"
        state[now >= threshold] = "up"
        state[now <= -threshold] = "down"
    state[np.isnan(change[-1])] = ""
    return state


def can_be_gamed(units: Mapping[str, str], rule: Health) -> list[str]:
    """The measures that count touches or logins: they go up when the team wants them to, and nobody is better off.

    `units` are those of features by name.
    """
    names = [name for half in rule.halves.values() for name, m in half.measures.items() if m.weight > 0]
    return [name for name in names if _is_vanity(name, units.get(name, "")) and not _is_lack(rule, name)]


def _is_vanity(name: str, unit: str) -> bool:
    counted = unit in _COUNTED_UNITS or name.startswith(_COUNTED_NAMES)
    return counted and not any(part in name for part in _RATIOS)


def _is_lack(rule: Health, name: str) -> bool:
    """Whether more of a measure is worth less, as of touches that were missed: nobody counts those up."""
    targets = next(half.measures[name].targets for half in rule.halves.values() if name in half.measures)
    return targets[0][1] > targets[-1][1]


def _half(measures: Sequence[MeasureScores], accounts: int, least_known: float) -> tuple[Array, Array]:
    """A half's points, and the share of its weight that is known."""
    total, known, points = np.zeros(accounts), np.zeros(accounts), np.zeros(accounts)
    for measure in measures:
        is_known = ~np.isnan(measure.points)
        total += measure.weight
        known += np.where(is_known, measure.weight, 0)
        points += np.where(is_known, measure.weight * np.nan_to_num(measure.points), 0)
    share = np.divide(known, total, out=np.zeros(accounts), where=total > 0)
    enough = (share >= least_known - 1e-9) & (known > 0)
    return np.divide(points, known, out=np.full(accounts, np.nan), where=enough), share


def _places(measure: Measure, segment: NDArray[np.object_], phase: NDArray[np.object_]) -> NDArray[np.int64]:
    """Of what `by` says, the first entry that fits each account; -1 where none does."""
    place = np.full(len(segment), -1)
    for number, elsewhere in enumerate(measure.by):
        fits = place < 0
        for column, wanted in ((segment, elsewhere.segment), (phase, elsewhere.phase)):
            fits = fits & np.asarray(column == wanted) if wanted is not None else fits
        place[fits] = number
    return place


def _points(value: Array, measure: Measure, place: NDArray[np.int64]) -> tuple[Array, Array]:
    """Points and weight of each value, by the entry of `by` that counts for its account."""
    points, weight = _interpolated(value, measure.targets), np.full(len(value), measure.weight)
    for number, elsewhere in enumerate(measure.by):
        here = place == number
        if elsewhere.targets is not None:
            points[here] = _interpolated(value[here], elsewhere.targets)
        if elsewhere.weight is not None:
            weight[here] = elsewhere.weight
    return points, weight


def _interpolated(value: Array, targets: Sequence[tuple[float, float]]) -> Array:
    """Points on the straight lines between targets; beyond the first and the last they stay."""
    values, points = np.array(targets, dtype=float).T
    return np.asarray(np.where(np.isnan(value), np.nan, np.interp(value, values, points)))


def _is_stale(frame: pd.DataFrame, measure: Measure) -> NDArray[np.bool_]:
    if measure.age is None or measure.cadence_days is None:
        return np.zeros(len(frame), dtype=bool)
    return np.asarray(_numbers(frame, measure.age) > _NEVER_STALE * measure.cadence_days)


def _stale(measures: Sequence[MeasureScores], frame: pd.DataFrame) -> list[str]:
    """The names of the stale measures of each account."""
    names = [[] for _ in range(len(frame))]  # type: list[list[str]]
    for measure in measures:
        for row in np.flatnonzero(measure.stale):
            names[row].append(measure.name)
    return [", ".join(stale) for stale in names]


def _caps(
    frame: pd.DataFrame, rule: Health, band: NDArray[np.object_]
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Bands held down, and by what: by all that hold an account at the lowest band."""
    capped, lowest, names = band.copy(), np.full(len(band), "A", dtype=object), np.full(len(band), "", dtype=object)
    for name, cap in rule.caps.items():
        here = holds(frame, cap.when)
        lower = here & (lowest < cap.band)
        same = here & (lowest == cap.band) & (names != "")
        names[same] = names[same] + f", {name}"
        names[lower], lowest[lower] = name, cap.band
    held = (capped != "") & (capped < lowest)
    capped[held] = lowest[held]
    return capped, np.where(held, names, "")


def _numbers(frame: pd.DataFrame, name: str) -> Array:
    return frame[name].to_numpy(float) if name in frame.columns else np.full(len(frame), np.nan)


def _texts(frame: pd.DataFrame, *names: str) -> NDArray[np.object_]:
    """The first of these columns that is there."""
    name = next((name for name in names if name in frame.columns), None)
    return np.full(len(frame), None, dtype=object) if name is None else frame[name].to_numpy(object)
