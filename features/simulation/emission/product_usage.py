"""The usage table: a row an account, user, feature and day, made a month at a time."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, dates, times
from features.simulation.emission.planted_usage import ALL_FEATURES, Planted, plant
from features.simulation.emission.product_users import FEATURES, POPULARITY, Users, users_of
from features.simulation.months import Floats, Ints
from features.simulation.state import expit

_MEAN_EXTRA = np.array([4.0, 2.0, 1.0, 12.0, 1.0, 3.0, 1.0, 1.5, 0.5, 3.0])


def usage_by_month(display: Display) -> Iterator[pd.DataFrame]:
    """The usage of each month, sorted by account, day, user and feature."""
    users = users_of(display)
    planted = plant(display, users)
    for month in range(display.history.months):
        yield _with_planted(_usage_of(display, users, month), planted, users, display.history.edges[month : month + 2])


def _with_planted(frame: pd.DataFrame, planted: Planted, users: Users, edges: Ints) -> pd.DataFrame:
    """A month's rows and the planted ones among them, in one order."""
    rows = planted.between(*edges)
    ids = users.ids.append(planted.user_ids)
    more = pd.DataFrame(
        {
            "account_id": _category(rows.account, users.account_ids),
            "used_on": dates(rows.day),
            "feature": _category(rows.feature, pd.Index(ALL_FEATURES)),
            "user_id": _category(rows.user, ids),
            "quantity": np.ones(len(rows.day), dtype=np.int32),
            "recorded_at": times(rows.recorded),
        }
    )
    frame["feature"] = frame["feature"].cat.set_categories(ALL_FEATURES)
    frame["user_id"] = frame["user_id"].cat.set_categories(ids)
    whole = pd.concat([frame, more], ignore_index=True)
    rank = np.argsort(np.argsort(ids.to_numpy()))
    codes = [whole[name].cat.codes.to_numpy() for name in ("feature", "user_id", "account_id")]
    order = np.lexsort((codes[0], rank[codes[1]], whole["used_on"].to_numpy(), codes[2]))
    return whole.take(order).reset_index(drop=True)


def _usage_of(display: Display, users: Users, month: int) -> pd.DataFrame:
    rng = display.generator("usage", month)
    live = np.flatnonzero(display.live[month])
    size = users.enrolled[month, live]
    cell = np.repeat(np.arange(len(live)), size)
    user = np.repeat(users.offset[live] - np.cumsum(size) + size, size) + np.arange(len(cell))
    which, day = _active_days(display, users, month, live, cell, user, rng)
    row, feature = _features_used(display, users, month, live, cell[which], rng)
    return _sorted(display, users, live[cell[which[row]]], day[row], user[which[row]], feature, rng)


def _active_days(
    display: Display, users: Users, month: int, live: Ints, cell: Ints, user: Ints, rng: np.random.Generator
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
    display: Display, users: Users, month: int, live: Ints, cell: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Which active day saw which features: at least the first one."""
    health = display.state("health")[month, live, None]
    breadth: Floats = POPULARITY * expit(0.9 + 0.7 * health) * 1.25
    chance = np.where(users.adopted[live] < display.history.edges[month + 1], breadth, 0.0).astype(np.float32)
    used = rng.random((len(cell), len(FEATURES)), dtype=np.float32) < chance[cell]
    used[~used.any(axis=1), 0] = True
    row, feature = np.nonzero(used)
    return row, feature


def _sorted(
    display: Display, users: Users, account: Ints, day: Ints, user: Ints, feature: Ints, rng: np.random.Generator
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
