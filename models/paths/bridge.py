"""The bridge between two forecasts of the ARR at one date, account by account, in steps that add up to the cent.

Between the forecasts time has passed, data were restated, accounts lived, more is known of them, and the model may have
been trained again. Each step is the forecast made anew with one more of these, by the shared draws of the first: so
what a step is worth is no matter of dice. The steps come in the order in which they could have been published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import factorial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.paths.outlook import Outlook

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Factor = Literal["data", "market", "recalibration", "model"]
_ROUNDED = 0.00501  # what is published is whole cents
FACTORS: tuple[Factor, ...] = ("data", "market", "recalibration", "model")


class Step(StrEnum):
    """The steps, in their order.

    `UNSPLIT` stands for those that cannot be told apart; `COHORT` and `WINDOW` belong to the rolling view alone.
    """

    RECOMPUTED = "recomputed"
    RESTATED = "data_restated"
    CHURN = "realised_churn"
    CONTRACTION = "realised_contraction"
    EXPANSION = "realised_expansion"
    TIMING = "timing_in_grace"
    NEWS = "news"
    MARKET = "market_level"
    RECALIBRATION = "recalibration"
    MODEL = "model_change"
    RULES = "rules_or_currency"
    UNSPLIT = "not_split"
    COHORT = "cohort_changed"
    WINDOW = "window_moved"


STEPS = tuple(Step)
REALISED = (Step.CHURN, Step.CONTRACTION, Step.EXPANSION)


@dataclass(frozen=True)
class Passage:
    """What the first forecast expected of a cohort, and what became of it; arrays of shape (accounts,).

    Attributes
    ----------
    published
        Expected ARR at the target date as the first forecast published it; 0 of an account that it did not know.
    start, restated
        ARR at its date as known then, and as known by the second forecast.
    reached
        ARR at the date of the second, at the exchange rates of the first; 0 of who has left.
    expected
        The first model's outlook from its date to the target date, the months in between as passed.
    overdue
        Whether a term has run out, and it is still open whether it is renewed.
    """

    published: Array
    start: Array
    restated: Array
    reached: Array
    expected: Outlook
    overdue: NDArray[np.bool_]


@dataclass(frozen=True)
class Bridge:
    """The bridge of each account in whole cents: `start + steps.sum(axis=1) == end`, to the cent.

    `start` and `end` have shape (accounts,), `steps` (accounts, len(STEPS)).
    """

    start: Ints
    steps: Ints
    end: Ints

    @property
    def residual(self) -> int:
        """What the steps of all accounts leave over: 0."""
        return int((self.end - self.start - self.steps.sum(axis=1)).sum())


def bridge_between(
    passage: Passage, later: Mapping[Factor, Array], end: Array, *, moved: Array | None = None
) -> Bridge:
    """The bridge of a cohort.

    Parameters
    ----------
    passage
        What the first forecast expected, and what became of it.
    later
        Multiples of `reached` expected at the target date from what the second forecast knew: by the old model (data),
        with the market's level of the new one, with its calibration, and by the new model; 0 of who has left. Shape
        (accounts,) each.
    end
        Expected ARR at the target date by the second forecast, at its exchange rates and rules.
    moved
        Expected ARR at the end of the second forecast's own window, for the rolling view; None without one. Accounts
        whose `passage` is 0 throughout have joined since.
    """
    recomputed = passage.start * passage.expected.whole
    published = np.where(np.abs(passage.published - recomputed) < _ROUNDED, recomputed, passage.published)
    restated = (passage.restated - passage.start) * passage.expected.whole
    steps = {Step.RECOMPUTED: recomputed - published, Step.RESTATED: restated, **_realised(passage)}
    forecasts = [passage.reached * passage.expected.later, *(passage.reached * later[factor] for factor in FACTORS)]
    for step, (before, after) in zip(_BY_FACTOR, pairwise(forecasts), strict=True):
        steps[step] = after - before
    joined = (passage.start == 0) & (passage.restated == 0)
    steps[Step.RULES] = np.where(joined, 0.0, end - forecasts[-1])
    last = end
    if moved is not None:
        steps |= {Step.COHORT: np.where(joined, end, 0.0), Step.WINDOW: moved - end}
        last = moved
    return in_cents(published, steps, last)


_BY_FACTOR = (Step.NEWS, Step.MARKET, Step.RECALIBRATION, Step.MODEL)


def _realised(passage: Passage) -> dict[Step, Array]:
    """What came less what was expected of the months that have passed, by outcome.

    What came counts for the outcome that ARR then shows. Of an account whose renewal is overdue, that it has not left
    yet is a matter of timing.
    """
    change = passage.reached - passage.restated
    came = (passage.reached <= 0, (passage.reached > 0) & (change < 0), change > 0)
    excess = {
        step: np.where(here, change * passage.expected.later, 0.0)
        - passage.restated * passage.expected.change[:, place]
        for place, (step, here) in enumerate(zip(REALISED, came, strict=True))
    }
    open_yet = passage.overdue & (passage.reached > 0)
    timing = np.where(open_yet, excess[Step.CHURN], 0.0)
    return excess | {Step.CHURN: excess[Step.CHURN] - timing, Step.TIMING: timing}


def unsplit(published: Array, end: Array) -> Bridge:
    """The bridge of forecasts of which too little is kept to tell the steps apart."""
    return in_cents(published, {Step.UNSPLIT: end - published}, end)


def in_cents(start: Array, steps: Mapping[Step, Array], end: Array) -> Bridge:
    """Amounts as whole cents that add up, account by account, by the largest remainder; a step of nothing stays so.

    `steps` that are absent are 0; those of an account add up to `end - start` but for rounding.
    """
    first, last = (np.rint(amount * 100).astype(np.int64) for amount in (start, end))
    table = np.stack([np.broadcast_to(steps.get(step, 0.0), first.shape) for step in STEPS], axis=-1)
    return Bridge(first, largest_remainder(table * 100, last - first), last)


def largest_remainder(parts: Array, total: Ints) -> Ints:
    """Whole numbers near `parts`, shape (rows, parts), that add up to `total`, shape (rows,).

    Each is rounded down, and those with the largest remainders get one more; a part of 0 only where all are.
    """
    whole = np.floor(parts)
    remainder = np.where(parts == 0, -1.0, parts - whole)
    rank = np.argsort(np.argsort(-remainder, axis=1, kind="stable"), axis=1, kind="stable")
    short = total - whole.astype(np.int64).sum(axis=1)
    each, few = np.divmod(short, np.maximum((parts != 0).sum(axis=1), 1))
    here = (remainder >= 0) | ((parts == 0).all(axis=1)[:, None] & (rank == 0))
    return whole.astype(np.int64) + np.where(here, each[:, None] + (rank < few[:, None]), 0)


def shapley(values: Mapping[frozenset[Factor], float], factors: Sequence[Factor] = FACTORS) -> dict[Factor, float]:
    """What each factor is worth on average over all orders in which they could have come (Shapley 1953).

    Parameters
    ----------
    values
        The figure with each set of factors taken from the second forecast and the rest from the first.
    factors
        All of them.
    """
    worth = dict.fromkeys(factors, 0.0)
    for factor in factors:
        for before in (some for some in values if factor not in some):
            orders = factorial(len(before)) * factorial(len(factors) - len(before) - 1)
            worth[factor] += orders / factorial(len(factors)) * (values[before | {factor}] - values[before])
    return worth
