"""The company before its first month: who its accounts are, and the terms the first of them are in."""

from datetime import date

import numpy as np

from features.simulation.line_book import LineBook
from features.simulation.months import FAR, Draws, Floats, Ints, add_months, month_edges
from features.simulation.state import NEW, RENEWAL, Company, Profile, Shock, State
from features.simulation.terms import start_accounts
from features.simulation.world import (
    CURRENCIES,
    INDUSTRIES,
    PRODUCTS,
    REGIONS,
    RULES,
    SEGMENTS,
    TERMS_MONTHS,
    Rules,
    by_segment,
)


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
    far = ("since", "until", "starts", "ends", "decides", "next_starts", "next_ends")
    zero = ("standing", "decided", "renewals", "next_term")
    slots = ("mrr", "seats", "line", "next_mrr", "next_seats", "next_line")
    return State(
        health=profile.level + 0.6 * draws.normal("health"),
        growth=0.5 * draws.normal("growth"),
        care=0.6 * draws.normal("care"),
        champion=draws.uniform("champion") < 0.92,
        sponsor=draws.uniform("sponsor") < 0.9,
        csm=(draws.uniform("csm") * csms).astype(np.int64),
        term=profile.term.copy(),
        noticed=np.zeros(rows, dtype=np.bool_),
        **{name: np.full(rows, FAR, dtype=np.int64) for name in far},
        **{name: np.zeros(rows, dtype=np.int64) for name in zero},
        **{name: np.zeros((rows, products), dtype=np.int64) for name in slots},
    )


def settle_first_accounts(company: Company, draws: Draws, line_book: LineBook, first_day: int) -> None:
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
    start_accounts(company, draws, line_book, rows, starts, starts - ahead, kinds)
    state.since[rows] = profile.joins[rows]


def _whole_months(days: Ints, until: int) -> Ints:
    """How many months later lies the last monthly anniversary of each day that is not after `until`."""
    months = ((until - days) / 30.4375).astype(np.int64) + 1
    end = np.full(len(days), until)
    for _ in range(2):
        months = months - (add_months(days, months) > end)
    return months


def _pick(uniform: Floats, weights: Floats) -> Ints:
    """Positions drawn with these weights."""
    picked: Ints = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], uniform, side="right")
    return picked


def _pick_rows(uniform: Floats, weights: Floats) -> Ints:
    """Positions drawn with each row's own weights."""
    cumulated = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)[:, :-1]
    picked: Ints = (uniform[:, None] >= cumulated).sum(axis=1)
    return picked
