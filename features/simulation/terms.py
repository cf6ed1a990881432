"""What becomes of contracts: they begin, are decided on and renewed, change, are broken off, and end."""

import numpy as np

from features.simulation.line_book import LineBook, Lines
from features.simulation.months import FAR, Bools, Draws, Floats, Ints, add_months
from features.simulation.state import (
    AHEAD,
    CROSS_SELL,
    DOWNSELL,
    GONE,
    LEAVING,
    LIVE,
    NEW,
    OPEN,
    PRICE_CHANGE,
    RENEWAL,
    RENEWED,
    UPSELL,
    Company,
    Month,
    State,
    churn_score,
    expansion_score,
    expit,
    logit,
)
from features.simulation.world import GRACE_DAYS, PRODUCTS, by_segment


def join(company: Company, month: Month, draws: Draws, line_book: LineBook) -> None:
    """New customers sign and start."""
    joins = company.profile.joins
    rows = np.flatnonzero((company.state.standing == AHEAD) & (joins >= month.first) & (joins < month.last))
    days = joins[rows]
    # Signed within the month: a line known before the month must already be part of the state at its start.
    signed = np.maximum(days - (20 * draws.uniform("signed")[rows]).astype(np.int64), month.first)
    start_accounts(company, draws, line_book, rows, days, signed, np.full(len(rows), NEW))


def come_back(company: Company, month: Month, draws: Draws, line_book: LineBook) -> None:
    """A few of those who left return after three months or more."""
    state = company.state
    away = (state.standing == GONE) & (state.until < month.first - 90)
    rows = np.flatnonzero(away & (draws.uniform("returns") < company.rules.monthly_return))
    days = month.day(draws.uniform("returning day")[rows])
    state.term[rows] = np.where(state.term[rows] == 0, 0, np.minimum(state.term[rows], 12))
    state.renewals[rows] = 0
    start_accounts(company, draws, line_book, rows, days, days, np.full(len(rows), NEW))


def start_accounts(
    company: Company, draws: Draws, line_book: LineBook, rows: Ints, starts: Ints, signed: Ints, kinds: Ints
) -> None:
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
    state.line[slots] = line_book.open(lines)


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


def decide_terms(company: Company, month: Month, draws: Draws, line_book: LineBook) -> None:
    """Customers whose day has come decide: leave (with notice or in silence) or sign the next term."""
    state = company.state
    rows = np.flatnonzero((state.standing == LIVE) & (state.decided == OPEN) & (state.decides < month.last))
    days = np.maximum(state.decides[rows], month.first + 1)
    leaves = draws.uniform("leaves")[rows] < _leaving_chance(company, rows, days)
    _leave(state, rows[leaves], days[leaves], draws, line_book)
    _renew(company, rows[~leaves], days[~leaves], draws, line_book)
    _leave_evergreen(company, month, draws, line_book)


def _leaving_chance(company: Company, rows: Ints, days: Ints) -> Floats:
    rules, state = company.rules, company.state
    yearly = by_segment("yearly_churn")[company.profile.segment[rows]]
    years = np.where(state.term[rows] > 12, 0.85, 1.0) * state.term[rows] / 12
    base = 1 - (1 - yearly) ** years
    first = rules.churn_first_renewal * ((state.renewals[rows] == 0) & (state.term[rows] > 1))
    late = rules.churn_when_late * (days > state.ends[rows])
    return expit(logit(base) + churn_score(company)[rows] + first + late)


def _leave(state: State, rows: Ints, days: Ints, draws: Draws, line_book: LineBook) -> None:
    """Those who decide early give notice, the others let the term run out in silence."""
    monthly = (state.term[rows] == 1) & (draws.uniform("gives notice")[rows] < 0.7)
    gives_notice = (state.ends[rows] - days >= 30) | (monthly & (days < state.ends[rows]))
    state.decided[rows] = LEAVING
    state.noticed[rows] = gives_notice
    state.until[rows] = np.maximum(state.ends[rows], days)
    _enter_notice(state, rows[gives_notice], days[gives_notice], line_book)


def _enter_notice(state: State, rows: Ints, days: Ints, line_book: LineBook) -> None:
    which, product = np.nonzero(state.mrr[rows] > 0)
    line_book.notice(state.line[rows[which], product], days[which])


def _enter_end(state: State, rows: Ints, days: Ints, line_book: LineBook) -> None:
    which, product = np.nonzero(state.mrr[rows] > 0)
    line_book.end(state.line[rows[which], product], days[which])


def _leave_evergreen(company: Company, month: Month, draws: Draws, line_book: LineBook) -> None:
    """Evergreen contracts end a month or two after notice, on any day."""
    state = company.state
    rows = np.flatnonzero(
        (state.standing == LIVE) & (state.decided == OPEN) & (state.term == 0) & (state.starts < month.first)
    )
    yearly = by_segment("yearly_churn")[company.profile.segment[rows]]
    chance = expit(logit(1 - (1 - yearly) ** (1 / 12)) + churn_score(company)[rows])
    rows = rows[draws.uniform("leaves evergreen")[rows] < chance]
    days = month.day(draws.uniform("notice day")[rows])
    ends = days + 30 + (31 * draws.uniform("notice period")[rows]).astype(np.int64)
    state.decided[rows], state.noticed[rows] = LEAVING, True
    state.ends[rows] = state.until[rows] = ends
    _enter_notice(state, rows, days, line_book)
    _enter_end(state, rows, ends, line_book)


def _renew(company: Company, rows: Ints, days: Ints, draws: Draws, line_book: LineBook) -> None:
    """Sign the next term. Half of the late ones are backdated, at the old price and size."""
    state = company.state
    late = days > state.ends[rows]
    backdated = late & (draws.uniform("backdated")[rows] < 0.5)
    starts = np.where(late & ~backdated, days, state.ends[rows])
    term = _next_term(state.term[rows], draws.uniform("next term")[rows])
    ends = add_months(starts, term)
    kinds = _next_amounts(company, rows, draws, same=backdated, late=late)
    which, product = np.nonzero((state.mrr[rows] > 0) & (state.next_mrr[rows] == 0))
    line_book.notice(state.line[rows[which], product], days[which])
    state.decided[rows] = RENEWED
    state.next_starts[rows], state.next_ends[rows], state.next_term[rows] = starts, ends, term
    lines, slots = _lines(state, rows, kinds, starts, ends, days, ahead=True)
    state.next_line[slots] = line_book.open(lines)


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
    grows = ~same & (chance < share * expit(logit(np.array(rules.renewal_upsell)) + pull))
    smaller = share * expit(logit(by_segment("renewal_downsell")[segment]) - mood)
    shrinks = ~same & ~grows & (chance > 1 - smaller)
    factor = _growth_factor(draws.normal("renewal growth")[rows])
    factor = np.where(shrinks, _shrink_factor(draws.uniform("renewal shrinkage")[rows]), factor)
    seats = _resized(state.seats[rows], np.where(grows | shrinks, factor, 1.0))
    raised = ~same & (draws.uniform("price rise")[rows] < rules.price_rise * share)
    rise = np.where(raised, 0.03 + 0.05 * draws.uniform("price rise size")[rows], 0.0)
    keeps = _kept_products(company, rows, draws, late)
    state.next_seats[rows] = np.where(keeps, seats, 0)
    state.next_mrr[rows] = np.where(keeps, _mrr_for(state, rows, seats, 1 + rise), 0)
    kind = np.where(grows, UPSELL, np.where(shrinks, DOWNSELL, RENEWAL))
    only_price = (kind == RENEWAL) & raised & (draws.uniform("called a price change")[rows] < 0.4)
    return np.where(only_price, PRICE_CHANGE, kind)[:, None] + np.zeros_like(seats)


def _kept_products(company: Company, rows: Ints, draws: Draws, late: Bools) -> Bools:
    """The first product stays with a renewal; each other one may be dropped, by notice and so not when late."""
    rules, state = company.rules, company.state
    chance = expit(logit(np.array(rules.product_dropped)) - 0.5 * state.health[rows])
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


def change_lines(company: Company, month: Month, draws: Draws, line_book: LineBook) -> None:
    """Upsell, cross-sell or downsell within a term: at most one a month, not while a renewal is on the table."""
    rules, state = company.rules, company.state
    segment, pull = company.profile.segment, expansion_score(company)
    able = (state.standing == LIVE) & (state.decided == OPEN)
    able &= (state.starts < month.first) & (state.ends > month.last)
    upsell = expit(logit(by_segment("monthly_upsell"))[segment] + pull)
    cross = expit(logit(by_segment("monthly_cross_sell"))[segment] + pull)
    down = expit(logit(np.array(rules.monthly_downsell)) - 0.6 * state.health)
    chance = draws.uniform("changes")
    days = month.day(draws.uniform("change day"))
    grows, widens = chance < upsell, (chance >= upsell) & (chance < upsell + cross)
    shrinks = chance > 1 - down
    _resize(company, np.flatnonzero(able & grows), days, UPSELL, draws, line_book)
    _resize(company, np.flatnonzero(able & shrinks), days, DOWNSELL, draws, line_book)
    _add_product(company, np.flatnonzero(able & widens), days, draws, line_book)


def _resize(company: Company, rows: Ints, days: Ints, kind: int, draws: Draws, line_book: LineBook) -> None:
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
    line_book.end(state.line[rows, 0], days[rows])
    state.mrr[rows, 0], state.seats[rows, 0] = mrr, seats
    state.line[rows, 0] = line_book.open(_one_line(state, rows, np.zeros_like(rows), days[rows], kind))


def _add_product(company: Company, rows: Ints, days: Ints, draws: Draws, line_book: LineBook) -> None:
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
    state.line[rows, product] = line_book.open(_one_line(state, rows, product, days[rows], CROSS_SELL))


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


def stop_early(company: Company, month: Month, draws: Draws, line_book: LineBook) -> None:
    """Rarely a contract is broken off within its term, without notice."""
    state = company.state
    able = (state.standing == LIVE) & (state.decided == OPEN)
    able &= (state.starts < month.first) & (state.ends > month.last)
    chance = expit(logit(np.array(company.rules.monthly_early_stop)) + churn_score(company))
    rows = np.flatnonzero(able & (draws.uniform("stops early") < chance))
    days = month.day(draws.uniform("stopping day")[rows])
    _enter_end(state, rows, days, line_book)
    state.standing[rows], state.until[rows] = GONE, days
    state.mrr[rows] = 0


def close_accounts(state: State, month: Month) -> None:
    """Accounts that leave are gone once their term, and where they were silent the grace, has run out."""
    over = state.ends + np.where(state.noticed, 0, GRACE_DAYS) <= month.last
    rows = np.flatnonzero((state.standing == LIVE) & (state.decided == LEAVING) & over)
    state.standing[rows] = GONE
    state.mrr[rows] = 0


def roll_terms(company: Company, month: Month, draws: Draws) -> None:
    """Begin the signed terms whose day has come."""
    state = company.state
    rows = np.flatnonzero((state.decided == RENEWED) & (state.next_starts <= month.last))
    state.mrr[rows], state.seats[rows] = state.next_mrr[rows], state.next_seats[rows]
    state.line[rows] = state.next_line[rows]
    state.renewals[rows] += 1
    _set_term(state, rows, state.next_starts[rows], state.next_term[rows], draws)
