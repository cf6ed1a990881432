"""Customers and their hidden state, in columns: the true state of a day is one such set of arrays.

Days are whole numbers since 1970-01-01, months whole numbers since 1970-01. Money is whole cents a month. No term of
this world ends on the first of a month, so that what is true when a month begins never hangs on the order of that day.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tests.worlds import market_rules as rules

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = 1 << 40
UNDECIDED, STAYS, LEAVES, LATE, LAPSES = range(5)
AT_WORK, NOTICE, SILENCE, INSOLVENCY = range(4)  # how it ended, if it did


@dataclass(frozen=True)
class Customers:
    """One array a field, one cell a customer; the arrays are written in place by the month that passes."""

    # what does not change
    number: Whole
    world: Whole  # of several futures that are drawn together: which one
    segment: Whole
    industry: Whole
    touch: Whole  # 0 high, 1 low, 2 tech
    worth: Floats  # the value it tends to
    liveliness: Floats  # how much its people do, whatever they get out of it
    habit: Floats  # how much it strays from the main feature, whatever it gets out of it
    evergreen: Flags  # of monthly plans: one line without an end rather than a line a month
    since: Whole
    # hidden
    value: Floats
    sponsor: Floats
    budget: Floats
    demand: Floats  # people who want to use it
    drift: Floats
    champion_back: Whole  # months until there is one again; 0 = there is one
    # what it has
    monthly: Flags
    auto: Flags
    term: Whole
    ends: Whole  # day on which the term, or the month of a monthly plan, ends
    lead: Whole
    seats: Whole
    price: Whole
    core: Whole
    addon: Whole
    # what is decided
    decision: Whole
    next_seats: Whole
    next_price: Whole
    next_addon: Whole
    next_term: Whole
    starts: Whole  # first day of a late renewal
    gone: Whole  # first day without revenue
    how: Whole
    was_lost: Flags

    def __len__(self) -> int:
        return len(self.number)

    def joined(self, others: Self) -> Self:
        """Both, these first."""
        return self._each(lambda name: np.concatenate([getattr(self, name), getattr(others, name)]))

    def taken(self, which: Any) -> Self:
        """A copy of some of them."""
        return self._each(lambda name: getattr(self, name)[which].copy())

    def _each(self, of: Any) -> Self:
        return replace(self, **{field.name: of(field.name) for field in fields(self)})

    def mrr(self, day: int) -> Whole:
        """Cents a month of each when a day begins."""
        return np.where((self.gone > day) & (self.since <= day), self.core + self.addon, 0)


def born(
    count: int, first_number: int, days: Whole, rng: np.random.Generator, *, segment: Whole | None = None
) -> Customers:
    """New customers, each from its day on; their first term begins then."""
    kind = rng.choice(3, size=count, p=rules.MIX) if segment is None else segment
    worth = rng.normal(0.15, 0.75, count)
    seats = np.maximum(
        np.exp(np.log(rules.SEATS_MEDIAN[kind]) + rules.SEATS_SPREAD[kind] * rng.normal(size=count)), 2
    ).astype(np.int64)
    price = (100 * rules.PRICE_MEDIAN[kind] * np.exp(rules.PRICE_SPREAD * rng.normal(size=count))).astype(np.int64)
    has_addon = rng.random(count) < rules.ADDON_SHARE[kind]
    monthly = rng.random(count) < rules.MONTHLY_SHARE[kind]
    term = np.where(monthly, 1, term_of(kind, rng))
    none, zero = np.full(count, NEVER), np.zeros(count, dtype=np.int64)
    return Customers(
        number=np.arange(first_number, first_number + count),
        world=zero.copy(),
        segment=kind,
        industry=rng.integers(0, 5, count),
        touch=np.clip(2 - kind + (rng.random(count) < 0.25) - (rng.random(count) < 0.15), 0, 2),
        worth=worth,
        liveliness=rng.normal(0, 0.45, count),
        habit=rng.normal(0, 0.55, count),
        evergreen=rng.random(count) < 0.5,
        since=days.copy(),
        value=worth + rng.normal(0, 0.5, count),
        sponsor=rng.normal(0.3, 0.8, count),
        budget=rng.normal(0, 0.6, count),
        demand=np.maximum(seats * np.exp(rng.normal(-0.12, 0.2, count)), 1.0),
        drift=rules.DEMAND_DRIFT[kind] + rng.normal(0, 0.006, count),
        champion_back=zero.copy(),
        monthly=monthly,
        auto=rng.random(count) < rules.AUTO_SHARE[kind],
        term=term,
        ends=months_after(days, term),
        lead=rng.choice(rules.LEAD_MONTHS, count),
        seats=seats,
        price=price,
        core=seats * price,
        addon=np.where(has_addon, (seats * price * rng.uniform(0.12, 0.3, count)).astype(np.int64), 0),
        decision=zero.copy(),
        next_seats=zero.copy(),
        next_price=zero.copy(),
        next_addon=zero.copy(),
        next_term=zero.copy(),
        starts=none.copy(),
        gone=none.copy(),
        how=zero.copy(),
        was_lost=np.zeros(count, dtype=bool),
    )


def term_of(segment: Whole, rng: np.random.Generator) -> Whole:
    """Lengths of terms in months, by segment."""
    place = (rng.random(len(segment))[:, None] > np.cumsum(rules.TERM_MIX, axis=1)[segment, :2]).sum(axis=1)
    return np.array(rules.TERMS)[place]


def month_of(day: Whole) -> Whole:
    """Months since 1970-01."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def first_day(month: Whole | int) -> Whole:
    return np.asarray(month).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def day_of_month(day: Whole) -> Whole:
    """1 to 31."""
    return day - first_day(month_of(day)) + 1


def months_after(day: Whole, months: Whole) -> Whole:
    """The same day so many months later; from the 2nd to the 28th."""
    return first_day(month_of(day) + months) + np.clip(day_of_month(day), 2, 28) - 1
