"""What each account of the simulated company is, how it stands, and how that presses on it."""

from dataclasses import dataclass, fields

import numpy as np

from features.simulation.line_book import KINDS
from features.simulation.months import Bools, Floats, Ints
from features.simulation.world import GRACE_DAYS, Rules

AHEAD, LIVE, GONE = 0, 1, 2
OPEN, RENEWED, LEAVING = 0, 1, 2
NEW, RENEWAL, UPSELL, CROSS_SELL, DOWNSELL, PRICE_CHANGE = range(len(KINDS))


@dataclass
class Rows:
    """Arrays whose first dimension is the account (or account x future)."""

    def take(self, rows: Ints) -> dict[str, np.ndarray]:
        """Copies of all arrays at these rows."""
        return {each.name: getattr(self, each.name)[rows] for each in fields(self)}


@dataclass
class Profile(Rows):
    """What does not change: `segment`, `fit`, ... are positions in the lists of `rules`; `joins` a day number."""

    segment: Ints
    fit: Ints
    industry: Ints
    region: Ints
    touch: Ints
    currency: Ints
    joins: Ints
    term: Ints
    level: Floats
    size: Floats
    seat_price: Floats
    auto_renew: Bools


@dataclass
class State(Rows):
    """What changes. Days are day numbers, MRR is in cents of the account's currency; `next_*` is the signed term."""

    health: Floats
    growth: Floats
    care: Floats
    champion: Bools
    sponsor: Bools
    csm: Ints
    standing: Ints
    since: Ints
    until: Ints
    term: Ints
    starts: Ints
    ends: Ints
    decides: Ints
    decided: Ints
    noticed: Bools
    renewals: Ints
    mrr: Ints
    seats: Ints
    line: Ints
    next_starts: Ints
    next_ends: Ints
    next_term: Ints
    next_mrr: Ints
    next_seats: Ints
    next_line: Ints


@dataclass
class Shock:
    """The market's pressure on churn and expansion, shared by the accounts of one future: `[outcome, future]`."""

    value: Floats
    future: Ints

    def on(self, outcome: int) -> Floats:
        """The pressure on each row."""
        pressure: Floats = self.value[outcome][self.future]
        return pressure


@dataclass(frozen=True)
class Forced:
    """An action, by its place among the rules' actions, that is done (or not) with everyone whatever was planned."""

    action: int
    done: bool


@dataclass
class Company:
    """Accounts with their state at a month boundary."""

    profile: Profile
    state: State
    shock: Shock
    rules: Rules
    csms: int
    forced: Forced | None = None

    @property
    def rows(self) -> int:
        """How many accounts (or accounts x futures)."""
        return len(self.state.health)


@dataclass(frozen=True)
class Month:
    """The days `[first, last)` of a step."""

    first: int
    last: int

    def day(self, uniform: Floats) -> Ints:
        """Days within it. Never the first: what happens on a boundary must already be in the state there."""
        return self.first + 1 + (uniform * (self.last - self.first - 1)).astype(np.int64)


@dataclass(frozen=True)
class Deeds:
    """What the CSMs did in a month, `[account, action]`, and how they saw the risk (higher = more)."""

    done: Bools
    missed: Bools
    view: Floats


def churn_score(company: Company) -> Floats:
    """Pressure to leave on the logit scale: 0 is a typical account of its segment."""
    rules, state, profile = company.rules, company.state, company.profile
    score: Floats = (
        rules.churn_by_health * state.health
        + rules.churn_without_champion * ~state.champion
        + rules.churn_without_sponsor * ~state.sponsor
        + np.array(rules.churn_by_fit)[profile.fit]
        + rules.churn_by_size * profile.size
        + company.shock.on(0)
    )
    return score


def expansion_score(company: Company) -> Floats:
    """Pull to grow on the logit scale."""
    rules, state = company.rules, company.state
    score: Floats = (
        rules.expansion_by_health * state.health + rules.expansion_by_growth * state.growth + company.shock.on(1)
    )
    return score


def mrr_at(state: State, day: int) -> Ints:
    """MRR in cents of each account at the beginning of a day, the day of a month boundary the state stands at.

    A term that ran out in silence counts for the grace (domain.md): it may yet be renewed.
    """
    grace = np.where(state.noticed, 0, GRACE_DAYS)
    waits = state.decided == RENEWED  # in the gap before a late renewal begins the old line is overdue
    active = (state.standing == LIVE) & ((day < state.ends + grace) | waits)
    mrr: Ints = np.where(active, state.mrr.sum(axis=1), 0)
    return mrr


def expit(x: Floats) -> Floats:
    """Probability of a score on the logit scale."""
    y: Floats = 1 / (1 + np.exp(-x))
    return y


def logit(p: Floats) -> Floats:
    """Score of a probability."""
    x: Floats = np.log(p) - np.log1p(-p)
    return x
