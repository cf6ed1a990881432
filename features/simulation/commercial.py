"""The commercial tables: accounts, contracts, exchange rates and people's own forecasts."""

import numpy as np
import pandas as pd

from features.simulation.ledger import KINDS
from features.simulation.months import Ints, stream
from features.simulation.rules import CURRENCIES, FITS, INDUSTRIES, PRODUCTS, REGIONS, SEGMENTS, TOUCHES, by_segment
from features.simulation.shown import Names, Shown, codes, conform, dates, times

_FIRST_RATES = (1.08, 1.27)
_SUB_FITS = ("technical_fit", "functional_fit", "experience_fit", "support_fit", "buy_in_fit")
_BUYING_CENTERS = ("Operations", "Finance", "IT", "Sales")
_SELLERS = ("Mia", "Noah", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tess")
_FIRST_HALVES = ("North", "Blue", "Silver", "Oak", "River", "Bright", "Stone", "Clear", "Red", "High", "Green", "Iron")
_SECOND_HALVES = ("field", "works", "point", "bridge", "line", "port", "hill", "soft", "gate", "mark", "path", "forge")


def accounts(shown: Shown) -> pd.DataFrame:
    """A row an account, and one more each time its CSM changed."""
    base = _first_rows(shown)
    month, account = np.nonzero(_csm_changes(shown))
    later = base.iloc[account].copy()
    days = shown.days_in(month, account, shown.stream("accounts", "change"))
    later["csm"] = shown.csm_names[shown.history.states["csm"][month, account].astype(np.int64)]
    later["valid_from"] = times(days * 86_400)
    return conform("accounts", pd.concat([base, later]), ["account_id", "valid_from"])


def _csm_changes(shown: Shown) -> np.ndarray:
    """Months in which a customer of the month before and this one has another CSM."""
    csm = shown.history.states["csm"]
    changes = np.zeros(shown.live.shape, dtype=np.bool_)
    changes[1:] = (csm[1:] != csm[:-1]) & shown.live[1:] & shown.live[:-1]
    return changes


def _first_rows(shown: Shown) -> pd.DataFrame:
    profile, rng, count = shown.history.company.profile, shown.stream("accounts"), shown.history.accounts
    signed = shown.history.lines.groupby("account")["signed"].min().reindex(range(count)).to_numpy()
    since = np.where(profile.joins < shown.history.first_day, profile.joins, signed)
    cost = by_segment("median_acquisition_cost")[profile.segment] * np.exp(0.5 * rng.standard_normal(count))
    columns = {
        "account_id": shown.account_ids,
        "name": _account_names(rng, count),
        "segment": _named([segment.name for segment in SEGMENTS], profile.segment),
        "industry": _named(INDUSTRIES, profile.industry),
        "region": _named(REGIONS, profile.region),
        "csm": shown.csm_names[_first_csm(shown)],
        "seller": _named(_SELLERS, rng.integers(len(_SELLERS), size=count)),
        "touch_model": _named(TOUCHES, profile.touch),
        "fit": _named(FITS, _judged_fit(rng, profile.fit)),
        "parent_account_id": _parents(rng, shown.account_ids),
        "customer_since": dates(profile.joins),
        "acquisition_cost": cost.round(2),
        "valid_from": times(since.astype(np.int64) * 86_400),
    }
    for name in _SUB_FITS:
        columns[name] = np.clip(0.78 - 0.17 * profile.fit + 0.14 * rng.standard_normal(count), 0, 1).round(2)
    return pd.DataFrame(columns)


def _first_csm(shown: Shown) -> Ints:
    """Each account's CSM in its first month as a customer."""
    first = shown.live.argmax(axis=0)
    csm: Ints = shown.history.states["csm"][first, np.arange(shown.history.accounts)].astype(np.int64)
    return csm


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
    first = _named(_FIRST_HALVES, rng.integers(len(_FIRST_HALVES), size=count))
    second = _named(_SECOND_HALVES, rng.integers(len(_SECOND_HALVES), size=count))
    number = rng.integers(1, 1000, size=count).astype(str).astype(object)
    names: Names = first + second + " " + number
    return names


def _named(names: list[str] | tuple[str, ...], positions: Ints) -> Names:
    return np.array(names, dtype=object)[positions]


def contracts(shown: Shown) -> pd.DataFrame:
    """A row a contract line, as the system shows it on the last day."""
    lines, profile = shown.history.lines, shown.history.company.profile
    rng = shown.stream("contracts")
    account = lines["account"].to_numpy()
    discount = 0.28 * rng.random(shown.history.accounts)
    center = rng.integers(len(_BUYING_CENTERS), size=(shown.history.accounts, len(PRODUCTS)))
    frame = pd.DataFrame(
        {
            "contract_id": codes(rng, len(lines), "C-"),
            "account_id": shown.account_ids[account],
            "product": _named(PRODUCTS, lines["product"].to_numpy()),
            "kind": _named(KINDS, lines["kind"].to_numpy()),
            "buying_center": _named(_BUYING_CENTERS, center[account, lines["product"].to_numpy()]),
            "starts_on": dates(lines["starts"].to_numpy()),
            "ends_on": dates(lines["ends"].to_numpy()),
            "ended_on": dates(lines["ended"].to_numpy()),
            "signed_on": dates(lines["signed"].to_numpy()),
            "notice_on": dates(lines["notice"].to_numpy()),
            "mrr": lines["mrr"].to_numpy() / 100,
            "list_mrr": np.rint(lines["mrr"].to_numpy() / (1 - discount[account])) / 100,
            "seats": lines["seats"].to_numpy(),
            "auto_renew": profile.auto_renew[account],
            "currency": _named(CURRENCIES, profile.currency[account]),
        }
    )
    return conform("contracts", frame, ["contract_id"])


def monthly_rates(*, seed: int, first_day: int, last_day: int) -> pd.DataFrame:
    """Rates of the foreign currencies for each calendar month from that of `first_day` to before `last_day`."""
    start, end = (int(np.datetime64(day, "D").astype("datetime64[M]").astype(int)) for day in (first_day, last_day - 1))
    months = np.arange(start, end + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    frames = []
    for currency, first in zip(CURRENCIES[1:], _FIRST_RATES, strict=True):
        moves = 0.012 * stream(seed, "rates", currency).standard_normal(len(months))
        frames.append(pd.DataFrame({"month": months, "currency": currency, "rate": first * np.exp(np.cumsum(moves))}))
    return pd.concat(frames, ignore_index=True)


def fx_rates(shown: Shown) -> pd.DataFrame:
    """A row a month and foreign currency, from the oldest line on."""
    history = shown.history
    rates = monthly_rates(seed=history.seed, first_day=int(history.lines["starts"].min()), last_day=history.last_day)
    frame = rates.assign(month=dates(rates["month"].to_numpy()), rate=rates["rate"].round(6))
    return conform("fx_rates", frame, ["month", "currency"])


def calls(shown: Shown) -> pd.DataFrame:
    """Each quarter, and more so before a term ends, somebody says what will become of the account."""
    history, rng = shown.history, shown.stream("calls")
    due = history.states["ends"] - history.edges[1:, None]
    chance = np.where((due > 0) & (due < 100), 0.45, 0.08)
    month, account = np.nonzero(shown.live & (rng.random(shown.live.shape) < chance))
    days = shown.days_in(month, account, rng)
    feeling = shown.state("view")[month, account] + 0.8 * rng.standard_normal(len(month)) - 0.4
    outcome = np.digitize(feeling, [-1.9, 1.5, 2.1])
    amount = history.states["mrr"][month, account] * 12 / 100
    by_seller = rng.random(len(month)) < 0.35
    seller = _named(_SELLERS, rng.integers(len(_SELLERS), size=len(month)))
    csm = shown.csm_names[history.states["csm"][month, account].astype(int)]
    frame = pd.DataFrame(
        {
            "account_id": shown.account_ids[account],
            "called_on": dates(days),
            "called_by": np.where(by_seller, seller, csm),
            "outcome": _named(("expand", "renew", "contract", "churn"), outcome),
            "amount": (amount * np.array([1.15, 1.0, 0.8, 0.0])[outcome]).round(2),
        }
    )
    return conform("calls", frame, ["account_id", "called_on", "called_by"])
