"""What is sold beside the subscription: leads for more of it, with their source and end, and paid services.

Leads that a CSM raises are won most often, those of events least; most that are won are upsells, which are the CSM's.
Services say nothing of who will stay. All random streams are of their own, so that no other table depends on them.
"""

import numpy as np
import pandas as pd

from features.simulation.emission.commercial import accounts as account_rows
from features.simulation.emission.display import Display, conform, dates, named
from features.simulation.line_book import KINDS
from features.simulation.months import FAR
from features.simulation.world import CURRENCIES, PRODUCTS

SOURCES = ("csm", "usage", "support", "event")
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
        "source": named(SOURCES, whole["source"].to_numpy()),
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
        "source": rng.choice(len(SOURCES), size=len(lines), p=_OF_WON),
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
        "account": account, "raised": raised, "source": rng.choice(len(SOURCES), size=len(month), p=_OF_OTHERS),
        "kind": rng.integers(0, 2, len(month)), "product": rng.integers(0, len(PRODUCTS), len(month)),
        "amount": 12 * mrr * rng.uniform(0.1, 0.4, len(month)) / 100, "won": np.full(len(month), FAR), "lost": lost,
    })  # fmt: skip


def _owners(display: Display, whole: pd.DataFrame) -> np.ndarray:
    """The CSM of an upsell, the seller of a cross-sell."""
    edges, account = display.history.edges, whole["account"].to_numpy()
    month = np.clip(np.searchsorted(edges, whole["raised"].to_numpy(), side="right") - 1, 0, display.history.months - 1)
    sellers = account_rows(display).groupby("account_id")["seller"].first().reindex(display.account_ids).to_numpy()
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
