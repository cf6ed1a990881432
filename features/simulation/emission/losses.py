"""Who left, and why: causes that the account showed before, and some that nobody knows."""

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, Names, conform, dates, named
from features.simulation.months import FAR, Ints
from features.simulation.world import GRACE_DAYS

_REASONS = {
    "stakeholder": "our champion left",
    "fit": "poor fit",
    "value": "too little use",
    "price": "price",
    "competitor": "went to a competitor",
    "product": "missing features",
    "insolvency": "closed down",
    "": "not known",
}
_CAUSES = tuple(_REASONS)
_UNSEEN = ("price", "competitor", "product", "insolvency", "")  # what nothing showed before
_OWNERS = {"stakeholder": "customer success", "fit": "sales", "value": "customer success", "price": "sales",
           "competitor": "marketing", "product": "product", "insolvency": "finance"}  # fmt: skip
_COMPETITORS = ("Acme", "Globex", "Initech")
_LOW_HEALTH = -0.8


def churn_events(display: Display) -> pd.DataFrame:
    """Who has left by the last day, with the cause that somebody wrote down."""
    lines = display.history.lines
    in_silence = (lines["ended"] == FAR) & (lines["notice"] == FAR)
    stops = lines[["ended"]].assign(scheduled=lines["ends"] + GRACE_DAYS * in_silence).min(axis=1)
    left = stops.groupby(lines["account"]).max()
    left = left[left < display.history.last_day]
    account, days = left.index.to_numpy(), left.to_numpy()
    cause = _causes(display, account, days)
    rng = display.generator("churn_events", "more")
    competitor = named(_COMPETITORS, rng.integers(len(_COMPETITORS), size=len(left)))
    competitor[cause != "competitor"] = None
    columns = {
        "account_id": display.account_ids[account],
        "left_on": dates(days),
        "reason": np.array([_REASONS[each] for each in cause], dtype=object),
        "cause": np.array([each or None for each in cause], dtype=object),
        "competitor": competitor,
        "amount": np.round(12 * _last_mrr(display, account, days) / 100, 2),
        "owner_department": np.array([_OWNERS.get(each) for each in cause], dtype=object),
    }
    return conform("churn_events", pd.DataFrame(columns), ["account_id"])


def _causes(display: Display, account: Ints, days: Ints) -> Names:
    """What the hidden life showed in the half year before, if it showed anything; one in eight is not known anyway."""
    rng, history = display.generator("churn_events", "causes"), display.history
    month = np.clip(np.searchsorted(history.edges, days) - 1, 0, history.months - 1)
    before = np.clip(month[:, None] - np.arange(1, 7), 0, None), account[:, None]
    cause = named(_UNSEEN, rng.integers(len(_UNSEEN), size=len(account)))
    shown = {
        "value": history.states["health"][before].mean(axis=1) < _LOW_HEALTH,
        "fit": history.company.profile.fit[account] == 2,
        "stakeholder": ~history.states["champion"][before].all(axis=1),
    }
    for name, where in shown.items():
        cause[where] = name
    cause[rng.random(len(account)) < 1 / 8] = ""
    return cause


def _last_mrr(display: Display, account: Ints, days: Ints) -> np.ndarray:
    """MRR at the end of the last month in which there was any, in cents of the account's currency."""
    month = np.clip(np.searchsorted(display.history.edges, days) - 1, 0, display.history.months - 1)
    mrr = np.stack([display.state("mrr")[np.maximum(month - back, 0), account] for back in range(4)])
    first = (mrr > 0).argmax(axis=0)
    last: np.ndarray = mrr[first, np.arange(len(account))]
    return last
