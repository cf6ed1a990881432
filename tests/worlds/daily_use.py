"""Use by user, feature and day: what can be seen of value, behind habits, seasons and people who come and go."""

from typing import Any

import numpy as np
import pandas as pd

from tests.worlds.customers import LEAVES, Floats, Whole
from tests.worlds.second_world import USE, History, account_ids, probability

MAIN = "workspace"
OTHERS = ("reports", "automation", "api", "integrations", "alerts", "admin")
OTHER_MIX = np.cumsum(np.array([0.34, 0.24, 0.17, 0.12, 0.08, 0.05]))
SEASON = np.array([1.0, 0.98, 1.03, 1.0, 1.0, 0.96, 0.88, 0.80, 1.03, 1.06, 1.04, 0.82])
TERM_TIME = np.array([1.0, 1.1, 1.1, 1.0, 1.1, 0.8, 0.35, 0.4, 1.2, 1.2, 1.1, 0.7])  # of schools
EDUCATION = 2
ZIPF = 0.8
WEEKEND_KEPT, AWAY_SHARE = 0.18, 0.22  # of uses at weekends; of months in which a user does not come
DEPTHS = 1 << 20  # the stream of random numbers that no month has
USER_MONTHS = 20  # after which another person sits there


def usage(past: History) -> pd.DataFrame:
    """The usage table, month by month as it was written down."""
    months = [_of_month(past, int(month), rows) for month, rows in past.rows.groupby("month")]
    columns = {name: np.concatenate([month[name] for month in months]) for name in months[0]}
    end = np.datetime64(past.world.ends_on)
    recorded = columns["used_on"].astype("datetime64[D]") + columns["delay"].astype("timedelta64[D]")
    known = recorded < end
    columns = {name: values[known] for name, values in columns.items()}
    users, user = np.unique(columns["user"], return_inverse=True)
    return pd.DataFrame(
        {
            "account_id": _named(columns["number"]),
            "used_on": columns["used_on"].astype("datetime64[D]"),
            "feature": pd.Categorical.from_codes(columns["feature"], [MAIN, *OTHERS]),
            "user_id": pd.Categorical.from_codes(user, [f"V-{code:x}" for code in users]),
            "quantity": columns["quantity"],
            "recorded_at": recorded[known].astype("datetime64[m]") + np.timedelta64(23 * 60 + 30, "m"),
        }
    )


def _named(numbers: Whole) -> pd.Categorical:
    each, code = np.unique(numbers, return_inverse=True)
    return pd.Categorical.from_codes(code, list(account_ids(each)))


def _of_month(past: History, month: int, rows: pd.DataFrame) -> dict[str, Any]:
    rng, depth = past.world.rng(USE, month), _depth(past)
    people = np.minimum(rows["demand"], 1.08 * rows["seats"]).to_numpy()
    number, value = rows["number"].to_numpy(), rows["value"].to_numpy()
    count = rng.poisson(_amount(past, month, rows, people, rng))
    row = np.repeat(np.arange(len(rows)), count)
    rank = _zipf(people[row], rng)
    day = rows["began"].to_numpy()[row] + (rng.random(len(row)) * rows["days"].to_numpy()[row]).astype(np.int64)
    seat = number[row] * 4096 + rank
    kept = (_hash(seat, month) >= AWAY_SHARE) & (((day + 3) % 7 < 5) | (rng.random(len(row)) < WEEKEND_KEPT))
    row, seat, day = row[kept], seat[kept], day[kept]
    return {
        "number": number[row],
        "used_on": day,
        "feature": _feature(past, rows, row, value, rng),
        "user": seat * 64 + (month - past.world.start + seat * 7 % USER_MONTHS) // USER_MONTHS,
        "quantity": (1 + rng.poisson(1.4 * np.exp(0.3 * np.clip(value[row], -2, 2) + depth[number[row]]))).astype(
            float
        ),
        "delay": _delay(day, rng),
    }


def _depth(past: History) -> Floats:
    """How much each customer does at a time, whatever it gets out of it: without it, uses a user-day would tell all."""
    return past.world.rng(USE, DEPTHS).normal(0, 0.4, len(past.customers))


def _amount(past: History, month: int, rows: pd.DataFrame, people: Floats, rng: np.random.Generator) -> Floats:
    """Uses to be expected of each customer: more people do more, though not in proportion."""
    customers, number = past.customers, rows["number"].to_numpy()
    season = np.where(customers.industry[number] == EDUCATION, TERM_TIME[month % 12], SEASON[month % 12])
    habit = customers.liveliness[number] + 0.22 * np.clip(rows["value"], -2, 2) + rng.normal(0, 0.22, len(rows))
    leaving = np.where(rows["decision"] == LEAVES, 0.7, 1.0)
    amount = np.minimum(3.6 * people**0.8, 420) * np.exp(habit) * season * leaving * rows["days"].to_numpy() / 30.4
    return amount.to_numpy() if isinstance(amount, pd.Series) else amount


def _feature(
    past: History, rows: pd.DataFrame, row: Whole, value: Floats, rng: np.random.Generator
) -> "np.ndarray[Any, Any]":
    """0 is the main feature; whoever gets value strays from it, each customer to others."""
    number = rows["number"].to_numpy()
    score = -0.9 + 0.7 * np.clip(value, -2, 2) + past.customers.habit[number] + rng.normal(0, 0.2, len(rows))
    strays = rng.random(len(row)) < probability(score)[row]
    other = (rng.random(len(row))[:, None] > OTHER_MIX[:-1]).sum(axis=1)
    return np.where(strays, 1 + (other + number[row]) % len(OTHERS), 0).astype(np.int8)


def _zipf(people: Floats, rng: np.random.Generator) -> Whole:
    """Ranks from 0, of so many people each; the first do most."""
    size = np.ceil(people) + 1
    drawn = (1 + rng.random(len(people)) * (size ** (1 - ZIPF) - 1)) ** (1 / (1 - ZIPF))
    return np.minimum(drawn.astype(np.int64), size.astype(np.int64) - 1) - 1


def _hash(seat: Whole, month: int) -> Floats:
    """A number in [0, 1) that a seat and month always have."""
    mixed = (seat * 2654435761 + month * 40503) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 13)) & 0xFFFFFF) / float(1 << 24)


def _delay(day: Whole, rng: np.random.Generator) -> Whole:
    """Days after which a row was written down: a few stray, and on one day in forty the pipeline stood still."""
    stray = np.where(rng.random(len(day)) < 0.01, rng.integers(1, 6, len(day)), 0)
    return np.where(day % 41 == 0, 2, stray)
