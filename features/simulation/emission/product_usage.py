"""The usage table: a row an account, user, feature and day, made a month at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulation.emission.display import Display, codes, dates, times
from features.simulation.months import Floats, Ints
from features.simulation.state import expit

FEATURES = (
    *("dashboards", "reports", "alerts", "api", "exports"),
    *("automation", "sharing", "forecasts", "audit", "mobile"),
)
_POPULARITY = np.array([0.75, 0.45, 0.28, 0.14, 0.16, 0.12, 0.16, 0.08, 0.05, 0.2])
_MEAN_EXTRA = np.array([4.0, 2.0, 1.0, 12.0, 1.0, 3.0, 1.0, 1.5, 0.5, 3.0])
_MOST_USERS = 120
_Small = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Users:
    """All users: those of account `i` are `offset[i] : offset[i + 1]`, in the order in which seats are given."""

    offset: Ints
    keenness: _Small
    ids: pd.Index
    account_ids: pd.Index
    rank: Ints
    enrolled: Ints
    adopted: Ints


def usage_by_month(display: Display) -> Iterator[pd.DataFrame]:
    """The usage of each month, sorted by account, day, user and feature."""
    users = _users(display)
    for month in range(display.history.months):
        yield _usage_of(display, users, month)


def _users(display: Display) -> _Users:
    rng = display.generator("users")
    adoption = expit(0.9 + 0.5 * display.state("health") + 0.6 * display.state("growth"))
    enrolled = np.clip(np.ceil(display.state("seats") * adoption), 1, _MOST_USERS).astype(np.int64)
    offset = np.concatenate([[0], np.cumsum(np.where(display.live, enrolled, 0).max(axis=0))])
    ids = codes(rng, int(offset[-1]), "U-")
    joins, count = display.history.company.profile.joins, display.history.accounts
    wait = rng.exponential(60.0, (count, len(FEATURES))) / _POPULARITY
    return _Users(
        offset=offset,
        keenness=rng.standard_normal(len(ids)).astype(np.float32),
        ids=pd.Index(ids),
        account_ids=pd.Index(display.account_ids),
        rank=np.argsort(np.argsort(ids)),
        enrolled=enrolled,
        adopted=(joins[:, None] + wait).astype(np.int64),
    )


def _usage_of(display: Display, users: _Users, month: int) -> pd.DataFrame:
    rng = display.generator("usage", month)
    live = np.flatnonzero(display.live[month])
    size = users.enrolled[month, live]
    cell = np.repeat(np.arange(len(live)), size)
    user = np.repeat(users.offset[live] - np.cumsum(size) + size, size) + np.arange(len(cell))
    which, day = _active_days(display, users, month, live, cell, user, rng)
    row, feature = _features_used(display, users, month, live, cell[which], rng)
    return _sorted(display, users, live[cell[which[row]]], day[row], user[which[row]], feature, rng)


def _active_days(
    display: Display, users: _Users, month: int, live: Ints, cell: Ints, user: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Which user was active on which day (day numbers)."""
    days = np.arange(display.history.edges[month], display.history.edges[month + 1])
    weekend = ((days + 3) % 7) >= 5
    health = display.state("health")[month, live]
    chance = expit(-2.65 + 0.55 * health[cell] + 0.8 * users.keenness[user]).astype(np.float32)
    within = days >= display.live_from[month, live, None]
    within &= days < display.live_until[month, live, None]
    weight = np.where(weekend, 0.2, 1.25).astype(np.float32) * within
    which, position = np.nonzero(rng.random((len(cell), len(days)), dtype=np.float32) < chance[:, None] * weight[cell])
    return which, days[position]


def _features_used(
    display: Display, users: _Users, month: int, live: Ints, cell: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Which active day saw which features: at least the first one."""
    health = display.state("health")[month, live, None]
    breadth: Floats = _POPULARITY * expit(0.9 + 0.7 * health) * 1.25
    chance = np.where(users.adopted[live] < display.history.edges[month + 1], breadth, 0.0).astype(np.float32)
    used = rng.random((len(cell), len(FEATURES)), dtype=np.float32) < chance[cell]
    used[~used.any(axis=1), 0] = True
    row, feature = np.nonzero(used)
    return row, feature


def _sorted(
    display: Display, users: _Users, account: Ints, day: Ints, user: Ints, feature: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    quantity = 1 + rng.poisson(_MEAN_EXTRA[feature])
    recorded = display.recorded(day, rng)
    order = np.lexsort((feature, users.rank[user], day, account))
    order = order[recorded[order] < display.history.last_day * 86_400]
    return pd.DataFrame(
        {
            "account_id": _category(account[order], users.account_ids),
            "used_on": dates(day[order]),
            "feature": _category(feature[order], pd.Index(FEATURES)),
            "user_id": _category(user[order], users.ids),
            "quantity": quantity[order].astype(np.int32),
            "recorded_at": times(recorded[order]),
        }
    )


def _category(positions: Ints, names: pd.Index) -> pd.Categorical:
    """Repeated texts stored once: millions of rows stay small."""
    return pd.Categorical.from_codes(positions.astype(np.int32), categories=names, validate=False)
