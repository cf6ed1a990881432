"""What books would have come to had everybody been of average skill: luck alone, drawn many times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
NRR, AGAINST_EXPECTED = "nrr", "nrr_against_expected"
DRAWS = 2000
ROUNDING = 1e-9  # a narrower spread of NRR is none


@dataclass(frozen=True)
class Measure:
    """A ratio of two sums over the accounts of a book; `by_arr` where the lower one is the ARR they began with."""

    name: str
    over: str
    under: str
    by_arr: bool


def expected_books(quarters: pd.DataFrame, seed: int) -> dict[str, Array]:
    """NRR of books of average people: a bell around what was expected, as wide as the forecast's own luck.

    Parameters
    ----------
    quarters
        A row a quarter and person: `expected` (NRR), `sd`.
    seed
        Of the draws.
    """
    expected, sd = (quarters[name].to_numpy(float) for name in ("expected", "sd"))
    drawn = np.random.default_rng(seed).normal(size=(DRAWS, len(quarters))) * sd + expected
    return {NRR: drawn, AGAINST_EXPECTED: drawn - expected}


def exchanged_accounts(
    quarters: pd.DataFrame, accounts: pd.DataFrame, measures: Sequence[Measure], seed: int
) -> dict[str, Array]:
    """Measures of books of average people: what became of each account is what became of one of the same quarter.

    Whose account it was makes no difference, so nobody's skill does. An account keeps the ARR that it began with, and
    changes places with those that began with some too; accounts that began without change places among themselves. All
    measures are of the same exchange, so that they go together as they do in life. NRR is then moved and stretched to
    what was expected of the book and to the forecast's own luck.

    Parameters
    ----------
    quarters
        A row a quarter and person: `period`, `person`, `expected` (NRR), `sd`.
    accounts
        A row a quarter and account: `period`, `person`, and the columns that the measures are ratios of.
    measures
        Which, NRR among them. What those `by_arr` are shares of says who began with ARR.
    seed
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    drawn = {one.name: np.full((DRAWS, len(quarters)), np.nan) for one in measures}
    arr = next(one.under for one in measures if one.name == NRR)
    pools = {str(period): pool for period, pool in accounts.groupby("period", sort=True)}
    for place, (period, person) in enumerate(zip(quarters["period"], quarters["person"], strict=True)):
        pool = pools[str(period)]
        places = np.flatnonzero((pool["person"] == person).to_numpy())
        donors = _donors((pool[arr] > 0).to_numpy(), places, rng)
        for one in measures:
            drawn[one.name][:, place] = _exchanged(pool, places, donors, one)
    return drawn | _as_expected(drawn[NRR], quarters)


def _donors(began: NDArray[np.bool_], places: Ints, rng: np.random.Generator) -> Ints:
    """For the account at each place, draws of one that began with ARR if it did, and without if it did not."""
    donors = np.empty((DRAWS, len(places)), dtype="int64")
    for stratum in (began, ~began):
        receivers = stratum[places]
        if receivers.any():
            donors[:, receivers] = rng.choice(np.flatnonzero(stratum), size=(DRAWS, int(receivers.sum())))
    return donors


def _exchanged(pool: pd.DataFrame, places: Ints, donors: Ints, measure: Measure) -> Array:
    over, under = (pool[name].to_numpy(float) for name in (measure.over, measure.under))
    if not measure.by_arr:
        return ratio(over[donors].sum(axis=1), under[donors].sum(axis=1))
    share = np.where(under > 0, over / np.where(under > 0, under, 1), 0.0)
    return ratio((share[donors] * under[places]).sum(axis=1), np.full(len(donors), under[places].sum()))


def _as_expected(drawn: Array, quarters: pd.DataFrame) -> dict[str, Array]:
    """NRR with the mean and the width of the forecast, and the shape of the exchange; without luck if that has none."""
    expected, sd = (quarters[name].to_numpy(float) for name in ("expected", "sd"))
    spread = drawn.std(axis=0)
    beside = (drawn - drawn.mean(axis=0)) / np.where(spread > ROUNDING, spread, np.inf) * sd
    return {NRR: expected + beside, AGAINST_EXPECTED: beside}


def ratio(over: Array, under: Array) -> Array:
    """One over the other, NaN over 0."""
    return np.asarray(np.where(under > 0, over / np.where(under > 0, under, 1), np.nan))
