"""The users of the simulated company's accounts: who they are, how many are enrolled, which features they know of."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulation.emission.display import Display, codes
from features.simulation.months import Ints
from features.simulation.state import expit

FEATURES = (
    *("dashboards", "reports", "alerts", "api", "exports"),
    *("automation", "sharing", "forecasts", "audit", "mobile"),
)
POPULARITY = np.array([0.75, 0.45, 0.28, 0.14, 0.16, 0.12, 0.16, 0.08, 0.05, 0.2])
_MOST_USERS = 120
Small = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Users:
    """All users: those of account `i` are `offset[i] : offset[i + 1]`, in the order in which seats are given."""

    offset: Ints
    keenness: Small
    ids: pd.Index
    account_ids: pd.Index
    rank: Ints
    enrolled: Ints
    adopted: Ints


def users_of(display: Display) -> Users:
    """All users of all accounts."""
    rng = display.generator("users")
    adoption = expit(0.9 + 0.5 * display.state("health") + 0.6 * display.state("growth"))
    enrolled = np.clip(np.ceil(display.state("seats") * adoption), 1, _MOST_USERS).astype(np.int64)
    offset = np.concatenate([[0], np.cumsum(np.where(display.live, enrolled, 0).max(axis=0))])
    ids = codes(rng, int(offset[-1]), "U-")
    joins, count = display.history.company.profile.joins, display.history.accounts
    wait = rng.exponential(60.0, (count, len(FEATURES))) / POPULARITY
    return Users(
        offset=offset,
        keenness=rng.standard_normal(len(ids)).astype(np.float32),
        ids=pd.Index(ids),
        account_ids=pd.Index(display.account_ids),
        rank=np.argsort(np.argsort(ids)),
        enrolled=enrolled,
        adopted=(joins[:, None] + wait).astype(np.int64),
    )
