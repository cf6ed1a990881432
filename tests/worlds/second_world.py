"""The second world: a business-to-business subscription company by other rules than the product's own simulator.

Customers have a hidden state that moves slowly; whether they renew, grow, shrink, say nothing or leave is one decision
at the end of a term. `written(folder, World(...))` writes the tables of the product's contract, and
`tests/worlds/oracle.py` knows the true chances. Everything follows from the seed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from tests.worlds import market_rules as rules
from tests.worlds.customers import Customers, Flags, Floats, Whole, born, first_day, month_of, months_after
from tests.worlds.line_log import NEW, RENEWAL, Lines
from tests.worlds.passing_month import Market, Month, pass_month

BURN_IN_MONTHS = 36
STATES, USE, TOUCHES, PEOPLE = range(4)  # streams of random numbers


@dataclass(frozen=True)
class World:
    """About how many customers at a time, for how many months up to `ends_on`, the first of a month."""

    accounts: int
    months: int
    ends_on: date
    seed: int

    @property
    def end(self) -> int:
        """The month that `ends_on` begins."""
        return (self.ends_on.year - 1970) * 12 + self.ends_on.month - 1

    @property
    def start(self) -> int:
        """The first month of which use is recorded."""
        return self.end - self.months

    def rng(self, stream: int, number: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, number])


@dataclass(frozen=True)
class Moment:
    """The customers when a month has passed, and where the team acted in it."""

    month: int
    customers: Customers
    market: Market
    acted: Flags


def passing(world: World, log: Lines, *, until: int) -> Iterator[Moment]:
    """The months of a world, from the burn-in to before the month `until`; the customers are changed in place."""
    first = world.start - BURN_IN_MONTHS
    customers = _first_customers(world, first, log)
    market = Market(np.array([False]), world.rng(STATES).uniform(*rules.RISE_RANGE, 1))
    for month in range(first, until):
        rng = world.rng(STATES, month)
        market = market.after_a_month(month, rng)
        acted = pass_month(customers, Month(month, market, rng, log))
        count = rng.poisson(_newcomers(world) * (1 - 0.35 * market.squeeze[0]))
        days = first_day(month) + rng.integers(1, 28, count)
        joiners = born(count, len(customers), days, rng)
        log.whole(joiners, np.arange(count), kind=NEW, starts=days, signed=days - rng.integers(0, 25, count))
        customers = customers.joined(joiners)
        yield Moment(month, customers, market, np.concatenate([acted, np.zeros(count, dtype=bool)]))


def _newcomers(world: World) -> float:
    """A month: about as many as leave."""
    return world.accounts * float(rules.MIX @ np.array([0.030, 0.013, 0.005]))


def _first_customers(world: World, month: int, log: Lines) -> Customers:
    """Customers of all ages, somewhere in their terms, when the burn-in begins."""
    rng = world.rng(STATES, month - 1)
    days = first_day(month - rng.integers(1, 61, world.accounts)) + rng.integers(1, 28, world.accounts)
    customers = born(world.accounts, 0, days, rng)
    past = (month - month_of(days) - 1) // customers.term
    customers.ends[:] = months_after(days, (past + 1) * customers.term)
    starts = np.where(customers.monthly & customers.evergreen, days, months_after(customers.ends, -customers.term))
    kind = np.where(starts == days, NEW, RENEWAL)
    signed = starts - rng.integers(0, 25, world.accounts)
    log.whole(customers, np.arange(world.accounts), kind=kind, starts=starts, signed=signed)
    return customers


@dataclass(frozen=True)
class History:
    """All that came to pass, a row a customer and month of the recorded time: what the tables are made from."""

    world: World
    customers: Customers
    lines: Lines
    rows: pd.DataFrame
    book: pd.DataFrame


SHOWN = ("value", "sponsor", "budget", "demand", "seats", "champion_back", "decision", "ends", "segment", "touch")


def history(world: World) -> History:
    """Let a world pass and keep what is needed to tell of it."""
    lines, rows, book = Lines(), [], []
    for moment in passing(world, lines, until=world.end):
        customers = moment.customers
        if moment.month >= world.start - 1:
            book.append(_book(customers, moment.month + 1))
        if moment.month >= world.start:
            rows.append(_rows(moment))
    return History(world, customers, lines, pd.concat(rows, ignore_index=True), pd.concat(book, ignore_index=True))


def _book(customers: Customers, month: int) -> pd.DataFrame:
    """ARR of each customer when a month begins, as the world itself has it."""
    cents = 12 * customers.mrr(int(first_day(month)))
    which = np.flatnonzero(cents)
    return pd.DataFrame(
        {"month": month, "number": which, "segment": customers.segment[which], "arr": cents[which] / 100}
    )


def _rows(moment: Moment) -> pd.DataFrame:
    """The customers that a month saw, with the days of it on which they were customers."""
    customers, first, after = moment.customers, int(first_day(moment.month)), int(first_day(moment.month + 1))
    began, ended = np.maximum(customers.since, first), np.minimum(customers.gone, after)
    which = np.flatnonzero(ended > began)
    columns = {name: getattr(customers, name)[which] for name in SHOWN}
    days = {"began": began[which], "days": (ended - began)[which]}
    return pd.DataFrame({"month": moment.month, "number": which, **days, "acted": moment.acted[which], **columns})


def written(folder: Path, world: World) -> History:
    """Write a world's tables as Parquet into `folder`, with `world.json` beside them."""
    from tests.worlds.tables import tables_of

    past = history(world)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables_of(past):
        table.to_parquet(folder / f"{name}.parquet", index=False)
    words = {"accounts": world.accounts, "months": world.months, "ends_on": str(world.ends_on), "seed": world.seed}
    (folder / "world.json").write_text(json.dumps(words), encoding="utf-8")
    return past


def account_ids(numbers: Whole) -> "pd.Series[str]":
    """Names of accounts in the tables, that tell nothing of when they came."""
    return pd.Series([f"W-{(int(number) * 7919 + 104729) % 1_000_003:06d}" for number in numbers], dtype=object)


def probability(score: Floats) -> Floats:
    return 1 / (1 + np.exp(-score))
