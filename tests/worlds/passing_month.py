"""How a month passes in the second world: the market, the hidden state, what happens between ends of terms."""

from dataclasses import dataclass

import numpy as np

from tests.worlds import market_rules as rules
from tests.worlds.customers import (
    INSOLVENCY,
    LATE,
    NEVER,
    UNDECIDED,
    Customers,
    Flags,
    Floats,
    Whole,
    first_day,
    month_of,
    months_after,
)
from tests.worlds.line_log import CROSS_SELL, NEW, UPSELL, Lines
from tests.worlds.plan_ends import end_terms, pass_monthly_plans, take_decisions


@dataclass(frozen=True)
class Market:
    """What all customers of a world share: whether times are hard, and the year's price rise; a cell a world."""

    squeeze: Flags
    rise: Floats

    def after_a_month(self, month: int, rng: np.random.Generator) -> "Market":
        chance = np.where(self.squeeze, rules.SQUEEZE_ENDS, rules.SQUEEZE_BEGINS)
        turned = rng.random(len(self.squeeze)) < chance
        another = rng.uniform(*rules.RISE_RANGE, len(self.rise))
        return Market(self.squeeze ^ turned, another if month % 12 == 0 else self.rise)


@dataclass(frozen=True)
class Month:
    """A month that passes: its days, its market, what is drawn and what is written down."""

    number: int
    market: Market
    rng: np.random.Generator
    log: Lines | None = None

    @property
    def first(self) -> int:
        return int(first_day(self.number))

    @property
    def after(self) -> int:
        return int(first_day(self.number + 1))

    def chance(self, probability: Floats | float, customers: Customers) -> Flags:
        return self.rng.random(len(customers)) < probability

    def day(self, customers: Customers) -> Whole:
        """A day of the month for each, from the 2nd to the 28th."""
        return self.first + self.rng.integers(1, 28, len(customers))


def pass_month(customers: Customers, month: Month) -> Flags:
    """Change the customers by what a month brings; says where the team acted."""
    _drift(customers, month)
    acted = _act(customers, month)
    _fail(customers, month)
    _grow(customers, month)
    take_decisions(customers, month)
    end_terms(customers, month)
    _renew_late(customers, month)
    pass_monthly_plans(customers, month)
    _return(customers, month)
    customers.was_lost[:] |= customers.gone <= month.after
    return acted


def _drift(c: Customers, month: Month) -> None:
    """The hidden state: value, sponsor, budget, demand; and champions who leave."""
    noise = month.rng.normal(size=(4, len(c)))
    hard = month.market.squeeze[c.world]
    pressure = hard * rules.SQUEEZE[c.segment] * rules.SQUEEZE_BY_INDUSTRY[c.industry]
    c.budget[:] = rules.BUDGET_KEPT * c.budget + (1 - rules.BUDGET_KEPT) * pressure + rules.BUDGET_NOISE * noise[0]
    c.value[:] = rules.VALUE_KEPT * c.value + (1 - rules.VALUE_KEPT) * c.worth + rules.VALUE_NOISE * noise[1]
    c.champion_back[:] = np.maximum(c.champion_back - 1, 0)
    leaves = month.chance(rules.CHAMPION_LEAVES, c) & (c.champion_back == 0)
    c.champion_back[leaves] = month.rng.integers(*rules.MONTHS_WITHOUT, len(c))[leaves]
    usual = 0.45 - 0.6 * (c.champion_back > 0)
    c.sponsor[:] = rules.SPONSOR_KEPT * c.sponsor + (1 - rules.SPONSOR_KEPT) * usual + rules.SPONSOR_NOISE * noise[2]
    c.sponsor[leaves] -= rules.CHAMPION_COST
    growth = c.drift * (1 - 0.6 * hard) + 0.009 * np.clip(c.value, -2, 2) - 0.003 * np.maximum(c.budget, 0)
    c.demand[:] = np.maximum(c.demand * np.exp(growth + rules.DEMAND_NOISE * noise[3]), 1.0)


def _act(c: Customers, month: Month) -> Flags:
    """The team acts where it believes there is a risk, which helps a little."""
    belief = 1 / (1 + np.exp(0.6 + 0.9 * (c.value + month.rng.normal(0, 0.9, len(c))) + 0.4 * c.sponsor))
    near = np.clip(1.4 - (c.ends - month.first) / 365, 0.5, 1.4)
    acted = month.chance(np.array(list(rules.ACTS.values()))[c.touch] * near * (0.4 + belief), c) & (c.gone == NEVER)
    c.value[acted] += rules.ACTION_VALUE
    c.sponsor[acted] += rules.ACTION_SPONSOR
    return acted


def between_ends(c: Customers, month: Month) -> Flags:
    """Customers whose term does not end this month, and of whom nothing is decided."""
    quiet = (c.gone == NEVER) & (c.decision == UNDECIDED) & (c.since < month.first)
    return quiet & (month_of(c.ends) != month.number)


def _fail(c: Customers, month: Month) -> None:
    """Insolvency: the one way in which a term ends early."""
    chance = rules.INSOLVENT[c.segment] * (1 + 2 * month.market.squeeze[c.world])
    fails, day = month.chance(chance, c) & between_ends(c, month), month.day(c)
    c.gone[fails], c.how[fails] = day[fails], INSOLVENCY
    if month.log:
        month.log.stop(c, np.flatnonzero(fails), day[fails])


def _grow(c: Customers, month: Month) -> None:
    """More seats where more people want in than there are, and the second product, both to the end of the term."""
    free = between_ends(c, month) & ~c.monthly & (c.ends > month.after + 60)
    more = np.maximum(np.ceil(1.05 * c.demand).astype(np.int64) - c.seats, 1)
    adds, day = month.chance(rules.SEATS_ADDED, c) & free & (c.demand > 1.02 * c.seats), month.day(c)
    which = np.flatnonzero(adds)
    c.seats[which] += more[which]
    c.core[which] += more[which] * c.price[which]
    buys = month.chance(rules.ADDON_ADDED / (1 + np.exp(-1.3 * (c.value - 1.2))), c) & free & (c.addon == 0)
    others, amount = np.flatnonzero(buys), (c.core * month.rng.uniform(0.12, 0.3, len(c))).astype(np.int64)
    c.addon[others] = amount[others]
    if month.log:
        days = {"starts": day[which], "ends": c.ends[which], "signed": day[which]}
        month.log.sign(c, which, kind=UPSELL, mrr=more[which] * c.price[which], seats=more[which], **days)
        days = {"starts": day[others], "ends": c.ends[others], "signed": day[others]}
        none = np.zeros_like(others)
        month.log.sign(c, others, kind=CROSS_SELL, mrr=c.addon[others], seats=none, addon=True, **days)


def _renew_late(c: Customers, month: Month) -> None:
    """Renewals that were signed after the term had run out."""
    which = np.flatnonzero((c.decision == LATE) & (month_of(c.starts) == month.number))
    c.seats[which], c.price[which], c.addon[which] = c.next_seats[which], c.next_price[which], c.next_addon[which]
    c.core[which], c.term[which] = c.seats[which] * c.price[which], c.next_term[which]
    c.ends[which] = months_after(c.starts[which], c.term[which])
    c.starts[which], c.decision[which] = NEVER, UNDECIDED


def _return(c: Customers, month: Month) -> None:
    """A few who left come back smaller within a year."""
    lost = (c.gone <= month.first) & (c.gone > month.first - 365) & (c.how != INSOLVENCY)
    which = np.flatnonzero(month.chance(rules.RETURNS, c) & lost)
    day = month.day(c)[which]
    c.seats[which] = np.maximum(c.seats[which] * 7 // 10, 2)
    c.core[which], c.addon[which] = c.seats[which] * c.price[which], 0
    c.gone[which], c.decision[which], c.starts[which] = NEVER, UNDECIDED, NEVER
    c.demand[which] = c.seats[which]
    c.term[which] = np.where(c.monthly[which], 1, 12)
    c.ends[which] = months_after(day, c.term[which])
    if month.log:
        month.log.whole(c, which, kind=NEW, starts=day, signed=day)
