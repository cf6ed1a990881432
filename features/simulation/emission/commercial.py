"""The commercial tables: accounts, contracts, rates, people's own forecasts, and what is sold beside: leads, services.

Leads that a CSM raises are won most often, those of events least; most that are won are upsells, which are the CSM's.
Services say nothing of who will stay. Both have random streams of their own, so that no other table depends on them.
"""

from itertools import accumulate

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, Names, codes, conform, dates, named, times
from features.simulation.emission.signing import plans_at_signing
from features.simulation.line_book import KINDS
from features.simulation.months import FAR, Ints, generator
from features.simulation.world import (
    CURRENCIES,
    FITS,
    INDUSTRIES,
    PRODUCTS,
    REGIONS,
    SEGMENTS,
    TOUCHES,
    by_segment,
)

_USUAL_RATES = (1.08, 1.27)
_SUB_FITS = ("technical_fit", "functional_fit", "experience_fit", "support_fit", "buy_in_fit")
_BUYING_CENTERS = ("Operations", "Finance", "IT", "Sales")
SELL_BAD_FIT = ("Quinn", "Tess")
SELLERS = ("Mia", "Noah", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tess")
_FIRST_HALVES = ("North", "Blue", "Silver", "Oak", "River", "Bright", "Stone", "Clear", "Red", "High", "Green", "Iron")
_SECOND_HALVES = ("field", "works", "point", "bridge", "line", "port", "hill", "soft", "gate", "mark", "path", "forge")


def accounts(display: Display) -> pd.DataFrame:
    """A row an account, and one more each time its CSM changed."""
    base = _first_rows(display)
    month, account = np.nonzero(_csm_changes(display))
    later = base.take(account).copy()
    days = display.days_in(month, account, display.generator("accounts", "change"))
    later["csm"] = display.csm_of(month, account)
    later["valid_from"] = times(days * 86_400)
    return conform("accounts", pd.concat([base, later]), ["account_id", "valid_from"])


def _csm_changes(display: Display) -> np.ndarray:
    """Months in which a customer of the month before and this one has another CSM."""
    csm = display.history.states["csm"]
    changes = np.zeros(display.live.shape, dtype=np.bool_)
    changes[1:] = (csm[1:] != csm[:-1]) & display.live[1:] & display.live[:-1]
    return changes


def _first_rows(display: Display) -> pd.DataFrame:
    profile, rng, count = display.history.company.profile, display.generator("accounts"), display.history.accounts
    signed = display.history.lines.groupby("account")["signed"].min().reindex(range(count)).to_numpy()
    since = np.where(profile.joins < display.history.first_day, profile.joins, signed)
    cost = by_segment("median_acquisition_cost")[profile.segment] * np.exp(0.5 * rng.standard_normal(count))
    columns = {
        "account_id": display.account_ids,
        "name": _account_names(rng, count),
        "segment": named([segment.name for segment in SEGMENTS], profile.segment),
        "industry": named(INDUSTRIES, profile.industry),
        "region": named(REGIONS, profile.region),
        "csm": display.csm_of(display.live.argmax(axis=0), np.arange(count)),
        "seller": _sellers(display, rng.integers(len(SELLERS), size=count)),
        "touch_model": named(TOUCHES, profile.touch),
        "fit": named(FITS, _judged_fit(rng, profile.fit)),
        "parent_account_id": _parents(rng, display.account_ids),
        "customer_since": dates(profile.joins),
        "acquisition_cost": cost.round(2),
        "valid_from": times(since.astype(np.int64) * 86_400),
    }
    columns |= plans_at_signing(display)
    for name in _SUB_FITS:
        columns[name] = np.clip(0.78 - 0.17 * profile.fit + 0.14 * rng.standard_normal(count), 0, 1).round(2)
    return pd.DataFrame(columns)


def _sellers(display: Display, drawn: Ints) -> Names:
    """Who sold each account: two sellers sell more than their part of the accounts that fit badly."""
    rng, profile = display.generator("accounts", "bad fit"), display.history.company.profile
    places = [SELLERS.index(name) for name in SELL_BAD_FIT]
    is_theirs = (profile.fit == FITS.index("bad")) & (rng.random(len(drawn)) < 0.6)
    return named(SELLERS, np.where(is_theirs, rng.choice(places, size=len(drawn)), drawn))


def _judged_fit(rng: np.random.Generator, fit: Ints) -> Ints:
    """The fit as sales judged it: right for five in six."""
    off = rng.random(len(fit)) < 1 / 6
    return np.where(off, rng.integers(len(FITS), size=len(fit)), fit)


def _parents(rng: np.random.Generator, ids: Names) -> Names:
    parents = np.full(len(ids), None, dtype=object)
    children = np.flatnonzero(rng.random(len(ids)) < 0.03)
    ahead = 1 + rng.integers(max(len(ids) - 1, 1), size=len(children))
    parents[children] = np.where(ahead % len(ids) == 0, None, ids[(children + ahead) % len(ids)])
    return parents


def _account_names(rng: np.random.Generator, count: int) -> Names:
    first = named(_FIRST_HALVES, rng.integers(len(_FIRST_HALVES), size=count))
    second = named(_SECOND_HALVES, rng.integers(len(_SECOND_HALVES), size=count))
    number = rng.integers(1, 1000, size=count).astype(str).astype(object)
    names: Names = first + second + " " + number
    return names


def contracts(display: Display) -> pd.DataFrame:
    """A row a contract line, as the system shows it on the last day."""
    lines, profile = display.history.lines, display.history.company.profile
    rng = display.generator("contracts")
    account = lines["account"].to_numpy()
    discount = 0.28 * rng.random(display.history.accounts)
    center = rng.integers(len(_BUYING_CENTERS), size=(display.history.accounts, len(PRODUCTS)))
    frame = pd.DataFrame(
        {
            "contract_id": codes(rng, len(lines), "C-"),
            "account_id": display.account_ids[account],
            "product": named(PRODUCTS, lines["product"].to_numpy()),
            "kind": named(KINDS, lines["kind"].to_numpy()),
            "buying_center": named(_BUYING_CENTERS, center[account, lines["product"].to_numpy()]),
            "starts_on": dates(lines["starts"].to_numpy()),
            "ends_on": dates(lines["ends"].to_numpy()),
            "ended_on": dates(lines["ended"].to_numpy()),
            "signed_on": dates(lines["signed"].to_numpy()),
            "notice_on": dates(lines["notice"].to_numpy()),
            "mrr": lines["mrr"].to_numpy() / 100,
            "list_mrr": np.rint(lines["mrr"].to_numpy() / (1 - discount[account])) / 100,
            "seats": lines["seats"].to_numpy(),
            "auto_renew": profile.auto_renew[account],
            "currency": named(CURRENCIES, profile.currency[account]),
        }
    )
    return conform("contracts", frame, ["contract_id"])


def monthly_rates(*, seed: int, last_day: int) -> pd.DataFrame:
    """Rates for each calendar month since 1970 that begins before `last_day`; `month` is a day number."""
    count = 1 + int(np.datetime64(last_day - 1, "D").astype("datetime64[M]").astype(int))
    months = np.arange(count).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    frames = []
    for currency, usual in zip(CURRENCIES[1:], _USUAL_RATES, strict=True):
        moves = 0.012 * generator(seed, "rates", currency).standard_normal(count)
        away = np.array(list(accumulate(moves.tolist(), lambda before, move: 0.97 * before + move)))
        frames.append(pd.DataFrame({"month": months, "currency": currency, "rate": (usual * np.exp(away)).round(6)}))
    return pd.concat(frames, ignore_index=True)


def fx_rates(display: Display) -> pd.DataFrame:
    """A row a month and foreign currency, from the month before the oldest line on."""
    rates = monthly_rates(seed=display.history.seed, last_day=display.history.last_day)
    rates = rates[rates["month"] > display.history.lines["starts"].min() - 62]
    return conform("fx_rates", rates.assign(month=dates(rates["month"].to_numpy())), ["month", "currency"])


def calls(display: Display) -> pd.DataFrame:
    """Each quarter, and more so before a term ends, somebody says what will become of the account."""
    history, rng = display.history, display.generator("calls")
    due = history.states["ends"] - history.edges[1:, None]
    chance = np.where((due > 0) & (due < 100), 0.45, 0.08)
    month, account = np.nonzero(display.live & (rng.random(display.live.shape) < chance))
    days = display.days_in(month, account, rng)
    feeling = display.state("view")[month, account] + 0.8 * rng.standard_normal(len(month)) - 0.4
    outcome = np.digitize(feeling, [-1.9, 1.5, 2.1])
    amount = history.states["mrr"][month, account] * 12 / 100
    by_seller = rng.random(len(month)) < 0.35
    seller = named(SELLERS, rng.integers(len(SELLERS), size=len(month)))
    frame = pd.DataFrame(
        {
            "account_id": display.account_ids[account],
            "called_on": dates(days),
            "called_by": np.where(by_seller, seller, display.csm_of(month, account)),
            "outcome": named(("expand", "renew", "contract", "churn"), outcome),
            "amount": (amount * np.array([1.15, 1.0, 0.8, 0.0])[outcome]).round(2),
        }
    )
    return conform("calls", frame, ["account_id", "called_on", "called_by"])


# ---------------------------------------------------------------------------------------------- sold beside

LEAD_SOURCES = ("csm", "usage", "support", "event")
_OF_WON, _OF_OTHERS = (0.5, 0.3, 0.12, 0.08), (0.2, 0.25, 0.2, 0.35)  # of the leads that were won, and of all others
_OTHERS_A_MONTH = 0.05
_LONGEST_DAYS = 150
EXPANSIONS = ("upsell", "cross_sell")
_SERVICES = ("onboarding", "training", "consulting")
_PRICES = np.array([1500.0, 900.0, 2500.0])  # of a small account, and twice and five times that of the larger ones
_SIZES = np.array([1.0, 2.0, 5.0])


def leads(display: Display) -> pd.DataFrame:
    """Leads that led to a line, leads that were given up, and those that are open."""
    whole = pd.concat([_won(display), _others(display)], ignore_index=True)
    history = display.history
    raised = whole["raised"].to_numpy()
    owners = _owners(display, whole)
    columns = {
        "account_id": display.account_ids[whole["account"].to_numpy()],
        "raised_on": dates(raised),
        "source": named(LEAD_SOURCES, whole["source"].to_numpy()),
        "owner": owners,
        "kind": named(EXPANSIONS, whole["kind"].to_numpy()),
        "product": named(PRODUCTS, whole["product"].to_numpy()),
        "amount": whole["amount"].to_numpy().round(2),
        "won_on": display.past(whole["won"].to_numpy()),
        "lost_on": display.past(whole["lost"].to_numpy()),
    }
    seen = (raised >= history.first_day) & (raised < history.last_day)
    return conform("leads", pd.DataFrame(columns)[seen], ["account_id", "raised_on", "source", "product"])


def _won(display: Display) -> pd.DataFrame:
    """A lead before four in five of the lines that expanded an account."""
    rng, lines = display.generator("leads", "won"), display.history.lines
    places = [KINDS.index(kind) for kind in EXPANSIONS]
    lines = lines[lines["kind"].isin(places)].reset_index(drop=True)
    lines = lines[rng.random(len(lines)) < 0.8]
    joins = display.history.company.profile.joins[lines["account"].to_numpy()]
    signed = lines["signed"].to_numpy()
    raised = np.maximum(signed - rng.integers(14, _LONGEST_DAYS, len(lines)), joins)
    return pd.DataFrame({
        "account": lines["account"].to_numpy(), "raised": np.minimum(raised, signed),
        "source": rng.choice(len(LEAD_SOURCES), size=len(lines), p=_OF_WON),
        "kind": (lines["kind"] == places[1]).astype("int64").to_numpy(), "product": lines["product"].to_numpy(),
        "amount": 12 * lines["mrr"].to_numpy() / 100, "won": signed, "lost": np.full(len(lines), FAR),
    })  # fmt: skip


def _others(display: Display) -> pd.DataFrame:
    """Leads that are given up within five months, or not yet."""
    rng, live = display.generator("leads", "others"), display.live
    month, account = np.nonzero(rng.random(live.shape) < _OTHERS_A_MONTH * live)
    raised = display.days_in(month, account, rng)
    until = display.history.company.state.until[account]
    lost = np.minimum(raised + rng.integers(14, _LONGEST_DAYS, len(month)), until)
    mrr = display.state("mrr")[month, account]
    return pd.DataFrame({
        "account": account, "raised": raised, "source": rng.choice(len(LEAD_SOURCES), size=len(month), p=_OF_OTHERS),
        "kind": rng.integers(0, 2, len(month)), "product": rng.integers(0, len(PRODUCTS), len(month)),
        "amount": 12 * mrr * rng.uniform(0.1, 0.4, len(month)) / 100, "won": np.full(len(month), FAR), "lost": lost,
    })  # fmt: skip


def _owners(display: Display, whole: pd.DataFrame) -> np.ndarray:
    """The CSM of an upsell, the seller of a cross-sell."""
    edges, account = display.history.edges, whole["account"].to_numpy()
    month = np.clip(np.searchsorted(edges, whole["raised"].to_numpy(), side="right") - 1, 0, display.history.months - 1)
    sellers = accounts(display).groupby("account_id")["seller"].first().reindex(display.account_ids).to_numpy()
    owners: np.ndarray = np.where(whole["kind"] == 0, display.csm_of(month, account), sellers[account])
    return owners


def services(display: Display) -> pd.DataFrame:
    """Onboarding for six in ten accounts that began within the data, training and consulting now and then."""
    rng, profile, history = display.generator("services"), display.history.company.profile, display.history
    begun = np.flatnonzero((profile.joins >= history.first_day) & (rng.random(history.accounts) < 0.6))
    month, account = np.nonzero(rng.random(display.live.shape) < 0.02 * display.live)
    later = display.days_in(month, account, rng)
    whose = np.concatenate([begun, account])
    day = np.concatenate([profile.joins[begun] + rng.integers(5, 45, len(begun)), later])
    what = np.concatenate([np.zeros(len(begun), dtype=np.int64), rng.integers(1, 3, len(account))])
    amount = _PRICES[what] * _SIZES[profile.segment[whose]] * np.exp(0.3 * rng.standard_normal(len(whose)))
    columns = {
        "account_id": display.account_ids[whose],
        "delivered_on": dates(day),
        "service": named(_SERVICES, what),
        "amount": amount.round(2),
        "currency": named(CURRENCIES, profile.currency[whose]),
    }
    kept = (day < history.last_day) & (day < history.company.state.until[whose])
    return conform("services", pd.DataFrame(columns)[kept], ["account_id", "delivered_on", "service"])
