"""The truth about the second world: many futures from the hidden state of a day."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from tests.worlds.customers import Floats
from tests.worlds.line_log import Lines
from tests.worlds.passing_month import Market, Month, pass_month
from tests.worlds.second_world import Moment, World, account_ids, first_day, passing

MIN_CHANGE = 0.001
BLOCK = 100  # futures drawn at a time
FUTURE = 9  # of the streams of random numbers, those of the futures


@dataclass(frozen=True)
class SecondTruth:
    """True chances of the accounts with ARR on a day, by months ahead, and draws of what all of them come to.

    Of accounts, `(accounts, months ahead)`; of draws, `(futures, months ahead)`. An account that left and came back
    counts as one that left.
    """

    account_ids: tuple[str, ...]
    arr: Floats
    churn_probability: Floats
    expansion_probability: Floats
    contraction_probability: Floats
    expected_arr: Floats
    nrr: Floats
    grr: Floats
    logo_retention: Floats


def replay_second(
    *, accounts: int, months: int, ends_on: date, seed: int, as_of: date, horizon_months: int, futures: int
) -> SecondTruth:
    """The truth as of the first of a month.

    Parameters
    ----------
    futures
        How many are drawn; all accounts share the market of each.
    """
    world = World(accounts, months, ends_on, seed)
    now = state_on(world, as_of)
    sums = [
        _ahead(world, now, range(first, min(first + BLOCK, futures)), horizon_months)
        for first in range(0, futures, BLOCK)
    ]
    churned, expanded, contracted, arr = (sum(part[name] for part in sums) / futures for name in range(4))
    nrr, grr, kept = (np.concatenate([part[name] for part in sums]) for name in range(4, 7))
    customers, day = now.customers, int(first_day(now.month))
    return SecondTruth(
        account_ids=tuple(account_ids(customers.number)),
        arr=12 * customers.mrr(day) / 100,
        churn_probability=churned,
        expansion_probability=expanded,
        contraction_probability=contracted,
        expected_arr=arr / 100,
        nrr=nrr,
        grr=grr,
        logo_retention=kept,
    )


def state_on(world: World, as_of: date) -> Moment:
    """The customers with ARR when a day, the first of a month, begins; `month` is the one it begins."""
    month = (as_of.year - 1970) * 12 + as_of.month - 1
    if as_of.day != 1 or not world.start < month <= world.end:
        raise ValueError(f"as_of is {as_of}; the truth is known on the first of a month in the time of the world")
    *_, last = passing(world, Lines(), until=month)
    which = np.flatnonzero(last.customers.mrr(int(first_day(month))))
    return Moment(month, last.customers.taken(which), last.market, last.acted[which])


def _ahead(world: World, now: Moment, futures: range, horizon_months: int) -> tuple[Floats, ...]:
    """Sums over some futures of the accounts' outcomes, and what each future comes to."""
    count, size = len(futures), len(now.customers)
    drawn = now.customers.taken(np.tile(np.arange(size), count))
    drawn.world[:] = np.repeat(np.arange(count), size)
    drawn.was_lost[:] = False
    market = Market(np.repeat(now.market.squeeze, count), np.repeat(now.market.rise, count))
    before = 12 * drawn.mrr(int(first_day(now.month))).reshape(count, size)
    by_account, by_future = np.zeros((4, size, horizon_months)), np.zeros((3, count, horizon_months))
    for ahead in range(horizon_months):
        rng = np.random.default_rng([world.seed, FUTURE, now.month, futures[0], ahead])
        market = market.after_a_month(now.month + ahead, rng)
        month = Month(now.month + ahead, market, rng)
        pass_month(drawn, month)
        lost = drawn.was_lost.reshape(count, size)
        arr = np.where(lost, 0, 12 * drawn.mrr(month.after).reshape(count, size))
        grown, shrunk = arr > before * (1 + MIN_CHANGE), ~lost & (arr < before * (1 - MIN_CHANGE))
        by_account[:, :, ahead] = [outcome.sum(axis=0) for outcome in (lost, grown, shrunk, arr)]
        by_future[0, :, ahead] = arr.sum(axis=1) / before.sum(axis=1)
        by_future[1, :, ahead] = np.minimum(arr, before).sum(axis=1) / before.sum(axis=1)
        by_future[2, :, ahead] = 1 - lost.mean(axis=1)
    return (*by_account, *by_future)
