"""Scans of slices for what moved, with one threshold over all of them: how high the highest would be by chance.

Of some thousand slices a few stand out whatever happens, so no threshold for one slice will do. Each scan is repeated
where there is nothing to see (figures dealt out anew, losses drawn from their probabilities), and the
highest slice of all scans in each repetition gives the threshold.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from models.slices.conditions import FEWEST, Condition, Slices

Array = NDArray[np.float64]
LEVEL = 0.98  # of repetitions without anything to see, in which no slice of any scan is named
DRAWS = 400
_BATCH = 50
_SECOND_ADDS = 1.0  # standard deviations that a second condition must add to be named
_SAME = 0.5  # two slices are one finding if they share so much of their accounts
MOST = 3  # findings


class Scan(Protocol):
    """A figure of the accounts that may have moved in a slice of them; higher is worse."""

    name: str

    def observed(self, slices: Slices) -> Array:
        """How far each slice stands out, in standard deviations, shape (slices,)."""

    def by_chance(self, slices: Slices, count: int, rng: np.random.Generator) -> Array:
        """How far it would where there is nothing to see, shape (slices, count)."""


@dataclass(frozen=True)
class Common:
    """What accounts whose figures moved have in common.

    `z` is how far the slice stands out in standard deviations, `threshold` from which on it is named, `p_value` the
    share of repetitions without anything to see in which some slice of some scan stood out as much, counting this one
    (Phipson and Smyth 2010); `accounts` are places.
    """

    scan: str
    conditions: tuple[Condition, ...]
    accounts: tuple[int, ...]
    z: float
    threshold: float
    p_value: float


class Moved:
    """A figure that moved: its ranks among the accounts as a bell, dealt out anew where there is nothing to see."""

    def __init__(self, name: str, values: Array) -> None:
        """Take the figure's change by account, NaN where it is not known; higher is worse."""
        self.name = name
        self._known = ~np.isnan(values)
        self._scores = normal_scores(values[self._known])
        self._spread = max(float(np.std(self._scores)), 1e-12) if len(self._scores) else 1.0

    def observed(self, slices: Slices) -> Array:
        """How far each slice stands out."""
        return self._z(slices, self._scores[:, None])[:, 0]

    def by_chance(self, slices: Slices, count: int, rng: np.random.Generator) -> Array:
        """How far it would if the figures were dealt out anew."""
        dealt = np.stack([rng.permutation(self._scores) for _ in range(count)], axis=1)
        return self._z(slices, dealt)

    def _z(self, slices: Slices, scores: Array) -> Array:
        members = slices.members[:, np.flatnonzero(self._known)]
        count = np.asarray(members.sum(axis=1), dtype=float).ravel()
        total = len(self._scores)
        spread = np.sqrt(count * (1 - count / max(total, 1))) * self._spread
        sums = np.asarray(members @ scores)
        usable = (count >= FEWEST) & (spread > 0)
        return np.where(usable[:, None], sums / np.where(usable, spread, 1.0)[:, None], 0.0)


class Lost:
    """Accounts that left, beside the probability that they had: drawn from it where there is nothing to see.

    The probabilities are moved to the level at which all accounts came out: a bad month is nobody's in particular.
    """

    def __init__(self, name: str, lost: Array, probability: Array) -> None:
        """Take who left (1 or 0, NaN where it is not known) and how probable that was."""
        self.name = name
        self._known = ~(np.isnan(lost) | np.isnan(probability))
        self._lost = lost[self._known]
        self._chance = at_level(probability[self._known], float(self._lost.sum()))

    def observed(self, slices: Slices) -> Array:
        """How far each slice stands out."""
        return self._z(slices, self._lost[:, None])[:, 0]

    def by_chance(self, slices: Slices, count: int, rng: np.random.Generator) -> Array:
        """How far it would if accounts left as was probable."""
        drawn = rng.random((len(self._chance), count)) < self._chance[:, None]
        return self._z(slices, drawn.astype(float))

    def _z(self, slices: Slices, lost: Array) -> Array:
        """Of counts, twice the difference of roots (Anscombe): their spread is 1, however few are expected."""
        members = slices.members[:, np.flatnonzero(self._known)]
        expected = np.asarray(members @ self._chance)[:, None]
        return np.asarray(2 * (np.sqrt(members @ lost + 0.375) - np.sqrt(expected + 0.375)))


def common_causes(
    scans: Sequence[Scan], slices: Slices, seed: int, draws: int = DRAWS, level: float = LEVEL
) -> list[Common]:
    """The slices that stand out more than the highest of all scans does by chance, those that stand out most first.

    Parameters
    ----------
    scans
        The figures to look at.
    slices
        Where to look.
    seed
        Of the repetitions.
    draws
        How many repetitions.
    level
        The share of repetitions without anything to see in which nothing may be named.
    """
    if not scans or not len(slices):
        return []
    highest = np.array(
        [_highest(scan, slices, draws, np.random.default_rng([seed, n])) for n, scan in enumerate(scans)]
    )
    alone = np.maximum(np.quantile(highest, level, axis=1), 1e-9)  # scans differ in their tails: each counts by its own
    joint = (highest / alone[:, None]).max(axis=0)  # the highest of all scans in each repetition
    each = [_standing_out(scan, slices, own, joint, level) for scan, own in zip(scans, alone, strict=True)]
    return _apart(sorted(itertools.chain(*each), key=lambda cause: (-cause.z / cause.threshold, len(cause.conditions))))


def normal_scores(values: Array) -> Array:
    """Ranks as a bell with mean 0; equal values have equal scores."""
    ranks = pd.Series(values).rank().to_numpy(float)
    scores = np.asarray(norm.ppf((ranks - 0.5) / max(len(values), 1)))
    return scores - scores.mean() if len(values) else scores


def beyond(values: Array, known: Array) -> Array:
    """What is left of a figure once all that was known before is taken off it, by least squares; NaN stays.

    Parameters
    ----------
    values
        The figure, shape (accounts,).
    known
        What was known before, shape (accounts, columns), without NaN.
    """
    there = ~np.isnan(values)
    design = np.column_stack([np.ones(len(values)), known])
    solution = np.linalg.lstsq(design[there], values[there], rcond=None)[0]
    return np.asarray(values - design @ solution)


def at_level(probability: Array, total: float) -> Array:
    """Probabilities moved by one number of log-odds so that they add up to a total."""
    if not len(probability) or not 0 < total < len(probability):
        return np.full(len(probability), min(total, 1.0) if len(probability) else 0.0)
    odds = logit(np.clip(probability, 1e-6, 1 - 1e-6))
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(odds + middle).sum() < total else (low, middle)
    return np.asarray(expit(odds + low))


def _highest(scan: Scan, slices: Slices, draws: int, rng: np.random.Generator) -> Array:
    batches = [min(_BATCH, draws - first) for first in range(0, draws, _BATCH)]
    return np.concatenate([scan.by_chance(slices, count, rng).max(axis=0) for count in batches])


def _standing_out(scan: Scan, slices: Slices, unit: float, joint: Array, level: float) -> list[Common]:
    """What one scan names; `joint` is the highest of all scans by chance, in units of each scan's own."""
    z, limit = scan.observed(slices), unit * float(np.quantile(joint, level))
    chosen = {_simplest(place, z, slices, limit) for place in np.flatnonzero((z >= limit) & (z > 0)).tolist()}
    return [
        Common(
            scan=scan.name,
            conditions=slices.conditions[place],
            accounts=tuple(slices.members[place].indices.tolist()),
            z=float(z[place]),
            threshold=limit,
            p_value=float((1 + np.sum(joint >= z[place] / unit)) / (1 + len(joint))),
        )
        for place in sorted(chosen)
    ]


def _simplest(place: int, z: Array, slices: Slices, limit: float) -> int:
    """The slice, or the one of its two conditions that stands out nearly as much by itself."""
    enough = [parent for parent in slices.parents[place] if z[parent] >= max(limit, z[place] - _SECOND_ADDS)]
    return max(enough, key=lambda parent: z[parent]) if enough else place


def _apart(causes: Sequence[Common]) -> list[Common]:
    """The first of those that are about the same accounts."""
    kept: list[Common] = []
    for cause in causes:
        here = set(cause.accounts)
        if all(len(here & set(other.accounts)) < _SAME * min(len(here), len(other.accounts)) for other in kept):
            kept.append(cause)
    return kept[:MOST]
