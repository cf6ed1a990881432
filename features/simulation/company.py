"""The hidden life of the simulated company, a month a step, vectorised over accounts (or accounts x futures).

Each account has a health that wanders around a level of its own, people who come and go, a customer's own growth,
and a contract whose terms are decided ahead of, at, or after their end. What a month brings is drawn from streams
named by purpose, so that what the tables show (`emission`) never disturbs what happens, and so that leaving one
cause out leaves the draws of all others as they were. `truth` runs the same `step` over many futures.
"""

from dataclasses import dataclass, fields
from datetime import date

import numpy as np

from features.simulation.ledger import KINDS, Ledger, Lines
from features.simulation.months import FAR, Bools, Draws, Floats, Ints, add_months, month_edges
from features.simulation.rules import (
    CURRENCIES,
    GRACE_DAYS,
    INDUSTRIES,
    PRODUCTS,
    REGIONS,
    RULES,
    SEGMENTS,
    TERMS_MONTHS,
    Rules,
    by_segment,
)

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


@dataclass
class Company:
    """Accounts with their state at a month boundary."""

    profile: Profile
    state: State
    shock: Shock
    rules: Rules
    csms: int

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


# ---------------------------------------------------------------------------------------------- the beginning


def found_company(*, accounts: int, months: int, ends_on: date, seed: int, rules: Rules = RULES) -> Company:
    """The company before its first month: some accounts with tenure, the others still to join."""
    edges = month_edges(ends_on, months)
    draws = Draws(seed, ("company",), accounts)
    profile = _profile(draws, edges, rules)
    csms = max(3, round(accounts / 40))
    shock = Shock(np.zeros((2, 1)), np.zeros(accounts, dtype=np.int64))
    return Company(profile, _blank_state(profile, draws, csms), shock, rules, csms)


def _profile(draws: Draws, edges: Ints, rules: Rules) -> Profile:
    segment = _pick(draws.uniform("segment"), np.array([s.share for s in SEGMENTS]))
    fit = _pick(draws.uniform("fit"), np.array(rules.fit_shares))
    size = np.clip(draws.normal("size"), -2.0, 2.2)
    price = by_segment("median_mrr")[segment] / by_segment("median_seats")[segment]
    spread = by_segment("mrr_spread")[segment]
    return Profile(
        segment=segment,
        fit=fit,
        industry=_pick(draws.uniform("industry"), np.ones(len(INDUSTRIES))),
        region=_pick(draws.uniform("region"), np.array([0.6, 0.28, 0.12])[: len(REGIONS)]),
        touch=_pick_rows(draws.uniform("touch"), np.array([s.touches for s in SEGMENTS])[segment]),
        currency=_pick(draws.uniform("currency"), np.array([0.82, 0.11, 0.07])[: len(CURRENCIES)]),
        joins=_joining_days(draws, edges),
        term=np.array(TERMS_MONTHS)[_pick_rows(draws.uniform("term"), np.array([s.terms for s in SEGMENTS])[segment])],
        level=np.array(rules.fit_level)[fit] + rules.level_spread * draws.normal("level"),
        size=size,
        seat_price=price * np.exp(0.6 * spread * draws.normal("seat price")),
        auto_renew=draws.uniform("auto renew") < np.array([0.85, 0.55, 0.25])[segment],
    )


def _joining_days(draws: Draws, edges: Ints) -> Ints:
    """Under half are there at the start, for months already; the others come evenly."""
    tenure = 1 + np.minimum(-28 * np.log1p(-draws.uniform("tenure")), 90).astype(np.int64)
    offset = (28 * draws.uniform("joining day")).astype(np.int64)
    before = add_months(np.full(draws.rows, edges[0]), -tenure) - offset
    after = edges[0] + (draws.uniform("joining") * (edges[-1] - edges[0] - 1)).astype(np.int64)
    days: Ints = np.where(draws.uniform("there at the start") < 0.45, before, after)
    return days + np.isin(days, edges)


def _blank_state(profile: Profile, draws: Draws, csms: int) -> State:
    rows, products = draws.rows, len(PRODUCTS)

    def zero() -> Ints:
        return np.zeros(rows, dtype=np.int64)

    def far() -> Ints:
        return np.full(rows, FAR, dtype=np.int64)

    def slots() -> Ints:
        return np.zeros((rows, products), dtype=np.int64)

    return State(
        health=profile.level + 0.6 * draws.normal("health"),
        growth=0.5 * draws.normal("growth"),
        care=0.6 * draws.normal("care"),
        champion=draws.uniform("champion") < 0.92,
        sponsor=draws.uniform("sponsor") < 0.9,
        csm=(draws.uniform("csm") * csms).astype(np.int64),
        standing=zero(),
        since=far(),
        until=far(),
        term=profile.term.copy(),
        starts=far(),
        ends=far(),
        decides=far(),
        decided=zero(),
        noticed=np.zeros(rows, dtype=np.bool_),
        renewals=zero(),
        mrr=slots(),
        seats=slots(),
        line=slots(),
        next_starts=far(),
        next_ends=far(),
        next_term=zero(),
        next_mrr=slots(),
        next_seats=slots(),
        next_line=slots(),
    )


def settle_first_accounts(company: Company, draws: Draws, ledger: Ledger, first_day: int) -> None:
    """Give the accounts that are there at the start the term they are in."""
    profile, state = company.profile, company.state
    rows = np.flatnonzero(profile.joins < first_day)
    term = np.maximum(profile.term[rows], 1)
    tenure = _whole_months(profile.joins[rows], first_day)
    gone_by = np.where(profile.term[rows] > 0, tenure // term, 0)
    starts = add_months(profile.joins[rows], gone_by * term)
    state.renewals[rows] = gone_by
    kinds = np.where(gone_by > 0, RENEWAL, NEW)
    ahead = (60 * draws.uniform("signed")[rows]).astype(np.int64) * (state.term[rows] > 1)
    _start(company, draws, ledger, rows, starts, starts - ahead, kinds)
    state.since[rows] = profile.joins[rows]


def _whole_months(days: Ints, until: int) -> Ints:
    """How many months later lies the last monthly anniversary of each day that is not after `until`."""
    months = ((until - days) / 30.4375).astype(np.int64) + 1
    end = np.full(len(days), until)
    for _ in range(2):
        months = months - (add_months(days, months) > end)
    return months


# ---------------------------------------------------------------------------------------------- a month


def step(company: Company, month: Month, draws: Draws, ledger: Ledger) -> Deeds:
    """Live through a month: people, health and care first, then what becomes of the contracts."""
    _move_shock(company, draws)
    _join(company, month, draws, ledger)
    _return(company, month, draws, ledger)
    deeds = _care(company, month, draws)
    _decide_terms(company, month, draws, ledger)
    _stop_early(company, month, draws, ledger)
    _change_lines(company, month, draws, ledger)
    _close(company.state, month)
    _roll(company, month, draws)
    return deeds


def _move_shock(company: Company, draws: Draws) -> None:
    rules, value = company.rules, company.shock.value
    first = draws.normal("shock on churn", value.shape[1])
    second = draws.normal("shock on expansion", value.shape[1])
    mixed = rules.shock_correlation * first + np.sqrt(1 - rules.shock_correlation**2) * second
    noise = np.array(rules.shock_noise)[:, None] * np.stack([first, mixed])
    company.shock.value = rules.shock_memory * value + noise


def _join(company: Company, month: Month, draws: Draws, ledger: Ledger) -> None:
    joins = company.profile.joins
    rows = np.flatnonzero((company.state.standing == AHEAD) & (joins >= month.first) & (joins < month.last))
    days = joins[rows]
    # Signed within the month: a line known before the month must already be part of the state at its start.
    signed = np.maximum(days - (20 * draws.uniform("signed")[rows]).astype(np.int64), month.first)
    _start(company, draws, ledger, rows, days, signed, np.full(len(rows), NEW))


def _return(company: Company, month: Month, draws: Draws, ledger: Ledger) -> None:
    state = company.state
    away = (state.standing == GONE) & (state.until < month.first - 90)
    rows = np.flatnonzero(away & (draws.uniform("returns") < company.rules.monthly_return))
    days = month.day(draws.uniform("returning day")[rows])
    state.term[rows] = np.where(state.term[rows] == 0, 0, np.minimum(state.term[rows], 12))
    state.renewals[rows] = 0
    _start(company, draws, ledger, rows, days, days, np.full(len(rows), NEW))


def _start(company: Company, draws: Draws, ledger: Ledger, rows: Ints, starts: Ints, signed: Ints, kinds: Ints) -> None:
    """Open the first lines of accounts that come (or are there)."""
    profile, state = company.profile, company.state
    segment = profile.segment[rows]
    spread = by_segment("seats_spread")[segment]
    core = np.maximum(1, np.rint(by_segment("median_seats")[segment] * np.exp(spread * profile.size[rows])))
    extra = np.stack([draws.uniform(f"has {product}")[rows] for product in PRODUCTS[1:]], axis=1)
    has_extra = extra < np.array([0.06, 0.15, 0.3])[segment][:, None]
    seats = np.column_stack([core, has_extra * np.maximum(1, np.rint(0.5 * core))[:, None]]).astype(np.int64)
    price = 100 * profile.seat_price[rows, None] * np.array([1.0, 0.6, 0.5])
    state.standing[rows] = LIVE
    state.since[rows], state.until[rows] = starts, FAR
    state.mrr[rows], state.seats[rows] = np.rint(seats * price).astype(np.int64), seats
    _set_term(state, rows, starts, state.term[rows], draws)
    lines, slots = _lines(state, rows, kinds[:, None] + np.zeros_like(seats), starts, state.ends[rows], signed)
    state.line[slots] = ledger.open(lines)


def _set_term(state: State, rows: Ints, starts: Ints, term: Ints, draws: Draws) -> None:
    """Begin a term: when it ends, and when the customer will decide what comes after."""
    state.starts[rows], state.term[rows] = starts, term
    state.ends[rows] = np.where(term > 0, add_months(starts, term), FAR)
    state.decides[rows] = np.where(term > 0, state.ends[rows] - _decision_lead(draws, rows, term), FAR)
    state.decided[rows], state.noticed[rows] = OPEN, False


def _decision_lead(draws: Draws, rows: Ints, term: Ints) -> Ints:
    """Days before the term's end: mostly 30 to 90, some only at the end, some up to 28 days after it."""
    when, exactly = draws.uniform("decision")[rows], draws.uniform("decision day")[rows]
    early = 30 + 61 * exactly
    lead = np.where(when < 0.64, early, np.where(when < 0.88, 1 + 11 * exactly, -1 - 28 * exactly))
    days: Ints = np.where(term == 1, 2, np.floor(lead)).astype(np.int64)
    return days


def _lines(
    state: State, rows: Ints, kinds: Ints, starts: Ints, ends: Ints, signed: Ints, *, ahead: bool = False
) -> tuple[Lines, tuple[Ints, Ints]]:
    """The lines of these accounts' products, and the slots (account, product) they fill."""
    mrr, seats = (state.next_mrr, state.next_seats) if ahead else (state.mrr, state.seats)
    which, product = np.nonzero(mrr[rows] > 0)
    slots = (rows[which], product)
    lines = Lines(
        account=slots[0],
        product=product,
        kind=kinds[which, product],
        starts=starts[which],
        ends=ends[which],
        signed=signed[which],
        mrr=mrr[slots],
        seats=seats[slots],
    )
    return lines, slots


# ---------------------------------------------------------------------------------------------- people and health


def _care(company: Company, month: Month, draws: Draws) -> Deeds:
    """People come and go, CSMs act on what they believe, health and the customer's growth move."""
    rules, state = company.rules, company.state
    jump = _move_people(company, draws)
    moved = draws.uniform("csm changes") < rules.csm_changes
    state.csm = np.where(moved, (draws.uniform("new csm") * company.csms).astype(np.int64), state.csm)
    state.care = rules.care_memory * state.care + rules.care_noise * draws.normal("care")
    deeds = _act(company, draws)
    tenure = np.maximum(month.first - state.since, 0) / 30.4375
    effects = np.array([action.effect for action in rules.actions])
    state.health = (
        company.profile.level
        + rules.health_memory * (state.health - company.profile.level)
        + rules.health_noise * draws.normal("health")
        + rules.honeymoon * np.exp(-tenure / 4)
        + deeds.done @ effects
        + jump
    )
    state.growth = rules.growth_memory * state.growth + rules.growth_noise * draws.normal("growth")
    return deeds


def _move_people(company: Company, draws: Draws) -> Floats:
    """Champions and sponsors leave and are found anew; what that does to health at once."""
    rules, state = company.rules, company.state
    chance, found = draws.uniform("champion leaves"), draws.uniform("champion found")
    lost_champion = state.champion & (chance < rules.champion_leaves)
    state.champion = np.where(state.champion, ~lost_champion, found < rules.champion_found)
    chance, found = draws.uniform("sponsor leaves"), draws.uniform("sponsor found")
    lost_sponsor = state.sponsor & (chance < rules.sponsor_leaves)
    state.sponsor = np.where(state.sponsor, ~lost_sponsor, found < rules.sponsor_found)
    jump: Floats = rules.champion_jump * lost_champion + rules.sponsor_jump * lost_sponsor
    return jump


def _act(company: Company, draws: Draws) -> Deeds:
    """CSMs act more where their (noisy) view of the risk is higher, and miss more where care is low."""
    rules, state = company.rules, company.state
    view = churn_score(company) + rules.view_noise * draws.normal("view")
    readiness = np.array(rules.touch_logit)[company.profile.touch] + 0.4 * state.care
    live = state.standing == LIVE
    done, missed = [], []
    for action in rules.actions:
        chance = _expit(action.monthly_logit + action.by_risk * view + readiness)
        planned = live & (draws.uniform(f"acts: {action.name}") < chance)
        held = draws.uniform(f"holds: {action.name}") < _expit(2.2 + 0.8 * state.care)
        done.append(planned & held)
        missed.append(planned & ~held)
    return Deeds(np.stack(done, axis=1), np.stack(missed, axis=1), view)


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


# ---------------------------------------------------------------------------------------------- terms


def _decide_terms(company: Company, month: Month, draws: Draws, ledger: Ledger) -> None:
    """Customers whose day has come decide: leave (with notice or in silence) or sign the next term."""
    state = company.state
    rows = np.flatnonzero((state.standing == LIVE) & (state.decided == OPEN) & (state.decides < month.last))
    days = np.maximum(state.decides[rows], month.first + 1)
    leaves = draws.uniform("leaves")[rows] < _leaving_chance(company, rows, days)
    _leave(state, rows[leaves], days[leaves], draws, ledger)
    _renew(company, rows[~leaves], days[~leaves], draws, ledger)
    _leave_evergreen(company, month, draws, ledger)


def _leaving_chance(company: Company, rows: Ints, days: Ints) -> Floats:
    rules, state = company.rules, company.state
    yearly = by_segment("yearly_churn")[company.profile.segment[rows]]
    years = np.where(state.term[rows] > 12, 0.85, 1.0) * state.term[rows] / 12
    base = 1 - (1 - yearly) ** years
    first = rules.churn_first_renewal * ((state.renewals[rows] == 0) & (state.term[rows] > 1))
    late = rules.churn_when_late * (days > state.ends[rows])
    return _expit(_logit(base) + churn_score(company)[rows] + first + late)


def _leave(state: State, rows: Ints, days: Ints, draws: Draws, ledger: Ledger) -> None:
    """Those who decide early give notice, the others let the term run out in silence."""
    monthly = (state.term[rows] == 1) & (draws.uniform("gives notice")[rows] < 0.7)
    gives_notice = (state.ends[rows] - days >= 30) | (monthly & (days < state.ends[rows]))
    state.decided[rows] = LEAVING
    state.noticed[rows] = gives_notice
    state.until[rows] = np.maximum(state.ends[rows], days)
    _enter_notice(state, rows[gives_notice], days[gives_notice], ledger)


def _enter_notice(state: State, rows: Ints, days: Ints, ledger: Ledger) -> None:
    which, product = np.nonzero(state.mrr[rows] > 0)
    ledger.notice(state.line[rows[which], product], days[which])


def _enter_end(state: State, rows: Ints, days: Ints, ledger: Ledger) -> None:
    which, product = np.nonzero(state.mrr[rows] > 0)
    ledger.end(state.line[rows[which], product], days[which])


def _leave_evergreen(company: Company, month: Month, draws: Draws, ledger: Ledger) -> None:
    """Evergreen contracts end a month or two after notice, on any day."""
    state = company.state
    rows = np.flatnonzero(
        (state.standing == LIVE) & (state.decided == OPEN) & (state.term == 0) & (state.starts < month.first)
    )
    yearly = by_segment("yearly_churn")[company.profile.segment[rows]]
    chance = _expit(_logit(1 - (1 - yearly) ** (1 / 12)) + churn_score(company)[rows])
    rows = rows[draws.uniform("leaves evergreen")[rows] < chance]
    days = month.day(draws.uniform("notice day")[rows])
    ends = days + 30 + (31 * draws.uniform("notice period")[rows]).astype(np.int64)
    state.decided[rows], state.noticed[rows] = LEAVING, True
    state.ends[rows] = state.until[rows] = ends
    _enter_notice(state, rows, days, ledger)
    _enter_end(state, rows, ends, ledger)


def _renew(company: Company, rows: Ints, days: Ints, draws: Draws, ledger: Ledger) -> None:
    """Sign the next term. Half of the late ones are backdated, at the old price and size."""
    state = company.state
    late = days > state.ends[rows]
    backdated = late & (draws.uniform("backdated")[rows] < 0.5)
    starts = np.where(late & ~backdated, days, state.ends[rows])
    term = _next_term(state.term[rows], draws.uniform("next term")[rows])
    ends = add_months(starts, term)
    kinds = _next_amounts(company, rows, draws, same=backdated, late=late)
    which, product = np.nonzero((state.mrr[rows] > 0) & (state.next_mrr[rows] == 0))
    ledger.notice(state.line[rows[which], product], days[which])
    state.decided[rows] = RENEWED
    state.next_starts[rows], state.next_ends[rows], state.next_term[rows] = starts, ends, term
    lines, slots = _lines(state, rows, kinds, starts, ends, days, ahead=True)
    state.next_line[slots] = ledger.open(lines)


def _next_term(term: Ints, chance: Floats) -> Ints:
    """Most keep their term; a few monthly ones move to a year, a few long ones too."""
    switches = np.where(term == 1, chance < 0.015, chance < 0.08)
    other: Ints = np.where(switches, np.where((term == 12) & (chance < 0.03), 24, 12), term)
    return other


def _next_amounts(company: Company, rows: Ints, draws: Draws, *, same: Bools, late: Bools) -> Ints:
    """Set the next term's MRR and seats of each product; the kinds of the lines."""
    rules, state = company.rules, company.state
    segment = company.profile.segment[rows]
    share = np.minimum(state.term[rows], 12) / 12
    pull = expansion_score(company)[rows]
    mood = 0.5 * state.health[rows]
    chance = draws.uniform("renews bigger or smaller")[rows]
    grows = ~same & (chance < share * _expit(_logit(np.array(rules.renewal_upsell)) + pull))
    smaller = share * _expit(_logit(by_segment("renewal_downsell")[segment]) - mood)
    shrinks = ~same & ~grows & (chance > 1 - smaller)
    factor = _growth_factor(draws.normal("renewal growth")[rows])
    factor = np.where(shrinks, _shrink_factor(draws.uniform("renewal shrinkage")[rows]), factor)
    seats = _resized(state.seats[rows], np.where(grows | shrinks, factor, 1.0))
    raised = ~same & (draws.uniform("price rise")[rows] < rules.price_rise * share)
    rise = np.where(raised, 0.03 + 0.05 * draws.uniform("price rise size")[rows], 0.0)
    kept = _kept_products(company, rows, draws, late)
    state.next_seats[rows] = np.where(kept, seats, 0)
    state.next_mrr[rows] = np.where(kept, _mrr_for(state, rows, seats, 1 + rise), 0)
    kind = np.where(grows, UPSELL, np.where(shrinks, DOWNSELL, RENEWAL))
    only_price = (kind == RENEWAL) & raised & (draws.uniform("called a price change")[rows] < 0.4)
    return np.where(only_price, PRICE_CHANGE, kind)[:, None] + np.zeros_like(seats)


def _kept_products(company: Company, rows: Ints, draws: Draws, late: Bools) -> Bools:
    """The first product stays with a renewal; each other one may be dropped, by notice and so not when late."""
    rules, state = company.rules, company.state
    chance = _expit(_logit(np.array(rules.product_dropped)) - 0.5 * state.health[rows])
    share = np.minimum(state.term[rows], 12) / 12
    kept = state.mrr[rows] > 0
    for product in range(1, len(PRODUCTS)):
        dropped = draws.uniform(f"drops {PRODUCTS[product]}")[rows] < share * chance
        kept[:, product] &= late | ~dropped
    return kept


def _mrr_for(state: State, rows: Ints, seats: Ints, price: Floats) -> Ints:
    """MRR in cents for so many seats at the present price a seat, times `price`."""
    per_seat = state.mrr[rows] / np.maximum(state.seats[rows], 1)
    resized = np.where(seats == state.seats[rows], state.mrr[rows], per_seat * seats)
    mrr: Ints = np.rint(resized * price[:, None]).astype(np.int64)
    return mrr


def _growth_factor(normal: Floats) -> Floats:
    return 1 + np.minimum(0.16 * np.exp(0.7 * normal), 1.0)


def _shrink_factor(uniform: Floats) -> Floats:
    return 0.92 - 0.35 * uniform


def _resized(seats: Ints, factor: Floats) -> Ints:
    """Seats times the factor, by at least one seat up or down where it is not 1; never none."""
    target = np.rint(seats * factor[:, None]).astype(np.int64)
    target = np.where(factor[:, None] > 1, np.maximum(target, seats + 1), target)
    target = np.where(factor[:, None] < 1, np.minimum(target, seats - 1), target)
    resized: Ints = np.where(seats > 0, np.maximum(target, 1), 0)
    return resized


# ---------------------------------------------------------------------------------------------- within a term


def _change_lines(company: Company, month: Month, draws: Draws, ledger: Ledger) -> None:
    """Upsell, cross-sell or downsell within a term: at most one a month, not while a renewal is on the table."""
    rules, state = company.rules, company.state
    segment, pull = company.profile.segment, expansion_score(company)
    able = (state.standing == LIVE) & (state.decided == OPEN)
    able &= (state.starts < month.first) & (state.ends > month.last)
    upsell = _expit(_logit(by_segment("monthly_upsell"))[segment] + pull)
    cross = _expit(_logit(by_segment("monthly_cross_sell"))[segment] + pull)
    down = _expit(_logit(np.array(rules.monthly_downsell)) - 0.6 * state.health)
    chance = draws.uniform("changes")
    days = month.day(draws.uniform("change day"))
    grows, widens = chance < upsell, (chance >= upsell) & (chance < upsell + cross)
    shrinks = chance > 1 - down
    _resize(company, np.flatnonzero(able & grows), days, UPSELL, draws, ledger)
    _resize(company, np.flatnonzero(able & shrinks), days, DOWNSELL, draws, ledger)
    _add_product(company, np.flatnonzero(able & widens), days, draws, ledger)


def _resize(company: Company, rows: Ints, days: Ints, kind: int, draws: Draws, ledger: Ledger) -> None:
    """Replace the first product's line by a bigger or smaller one from that day on."""
    state = company.state
    if kind == UPSELL:
        factor = _growth_factor(draws.normal("growth of a line")[rows])
    else:
        factor = _shrink_factor(draws.uniform("shrinkage of a line")[rows])
    seats = _resized(state.seats[rows, :1], factor)[:, 0]
    changed = seats != state.seats[rows, 0]
    rows, seats = rows[changed], seats[changed]
    mrr = np.rint(state.mrr[rows, 0] / state.seats[rows, 0] * seats).astype(np.int64)
    ledger.end(state.line[rows, 0], days[rows])
    state.mrr[rows, 0], state.seats[rows, 0] = mrr, seats
    state.line[rows, 0] = ledger.open(_one_line(state, rows, np.zeros_like(rows), days[rows], kind))


def _add_product(company: Company, rows: Ints, days: Ints, draws: Draws, ledger: Ledger) -> None:
    """Sell a product the account does not have, to the end of the running term."""
    state = company.state
    missing = state.mrr[rows] == 0
    rows, missing = rows[missing.any(axis=1)], missing[missing.any(axis=1)]
    product = np.where(missing[:, 1] & missing[:, 2], 1 + (draws.uniform("which product")[rows] < 0.5), 2)
    product = np.where(missing[:, 1] & ~missing[:, 2], 1, product)
    price = 100 * company.profile.seat_price[rows] * np.array([1.0, 0.6, 0.5])[product]
    share = 0.3 + 0.4 * draws.uniform("seats of a product")[rows]
    seats = np.maximum(1, np.rint(share * state.seats[rows, 0])).astype(np.int64)
    state.seats[rows, product] = seats
    state.mrr[rows, product] = np.rint(seats * price).astype(np.int64)
    state.line[rows, product] = ledger.open(_one_line(state, rows, product, days[rows], CROSS_SELL))


def _one_line(state: State, rows: Ints, product: Ints, days: Ints, kind: int) -> Lines:
    return Lines(
        account=rows,
        product=product,
        kind=np.full(len(rows), kind),
        starts=days,
        ends=state.ends[rows],
        signed=days,
        mrr=state.mrr[rows, product],
        seats=state.seats[rows, product],
    )


def _stop_early(company: Company, month: Month, draws: Draws, ledger: Ledger) -> None:
    """Rarely a contract is broken off within its term, without notice."""
    state = company.state
    able = (state.standing == LIVE) & (state.decided == OPEN)
    able &= (state.starts < month.first) & (state.ends > month.last)
    chance = _expit(_logit(np.array(company.rules.monthly_early_stop)) + churn_score(company))
    rows = np.flatnonzero(able & (draws.uniform("stops early") < chance))
    days = month.day(draws.uniform("stopping day")[rows])
    _enter_end(state, rows, days, ledger)
    state.standing[rows], state.until[rows] = GONE, days
    state.mrr[rows] = 0


def _close(state: State, month: Month) -> None:
    """Accounts that leave are gone once their term, and where they were silent the grace, has run out."""
    over = state.ends + np.where(state.noticed, 0, GRACE_DAYS) <= month.last
    rows = np.flatnonzero((state.standing == LIVE) & (state.decided == LEAVING) & over)
    state.standing[rows] = GONE
    state.mrr[rows] = 0


def _roll(company: Company, month: Month, draws: Draws) -> None:
    """Begin the signed terms whose day has come."""
    state = company.state
    rows = np.flatnonzero((state.decided == RENEWED) & (state.next_starts <= month.last))
    state.mrr[rows], state.seats[rows] = state.next_mrr[rows], state.next_seats[rows]
    state.line[rows] = state.next_line[rows]
    state.renewals[rows] += 1
    _set_term(state, rows, state.next_starts[rows], state.next_term[rows], draws)


# ---------------------------------------------------------------------------------------------- ARR and the run


def mrr_at(state: State, day: int) -> Ints:
    """MRR in cents of each account at the beginning of a day, the day of a month boundary the state stands at.

    A term that ran out in silence counts for the grace (domain.md): it may yet be renewed.
    """
    grace = np.where(state.noticed, 0, GRACE_DAYS)
    waits = state.decided == RENEWED  # in the gap before a late renewal begins the old line is overdue
    active = (state.standing == LIVE) & ((day < state.ends + grace) | waits)
    mrr: Ints = np.where(active, state.mrr.sum(axis=1), 0)
    return mrr


def _pick(uniform: Floats, weights: Floats) -> Ints:
    """Positions drawn with these weights."""
    picked: Ints = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], uniform, side="right")
    return picked


def _pick_rows(uniform: Floats, weights: Floats) -> Ints:
    """Positions drawn with each row's own weights."""
    cumulated = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)[:, :-1]
    picked: Ints = (uniform[:, None] >= cumulated).sum(axis=1)
    return picked


def _expit(x: Floats) -> Floats:
    y: Floats = 1 / (1 + np.exp(-x))
    return y


def _logit(p: Floats) -> Floats:
    x: Floats = np.log(p) - np.log1p(-p)
    return x
