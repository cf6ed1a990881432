"""What customers who stay do when they are young: users of each part of the product by an age, point-in-time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features.asof.view import AsOf, day_number
from features.kpis.cohorts import cohorts
from features.kpis.going_with import Difference, confirmed, difference, one_sided
from features.kpis.lifetimes import customer_spells
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.known_lines import load
from features.tables.checked import Tables
from features.tables.sql import code
from params import Budget, Revenue

BY_DAYS = (30, 60, 90)
THRESHOLDS = (1, 2, 3, 5, 8)
STAY_DAYS = 365  # how long after the age it must have stayed
ALL = "all"


@dataclass(frozen=True)
class Choice:
    """A behaviour as older accounts chose it, and what newer ones say of it."""

    feature: str
    by_day: int
    users: int
    sign: int
    newer: Difference
    p_value: float

    @property
    def words(self) -> str:
        """Such as: 3 users of invites."""
        return f"{self.users} user{'s' if self.users > 1 else ''} of {self.feature}"


def young_use(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The accounts by their start, and how many users of each part of the product they had by each age.

    Returns
    -------
    accounts
        Index `account_id`: `began` and `until` (day numbers), `segment` and `stratum` (segment and size at the start).
    users
        `account_id`, `feature`, `by_day`, `users`: different users, of what had happened and was known by that age.
    """
    history = cohorts(tables, as_of=as_of, rules=rules, budget=budget).ages
    first = history[history["age_quarters"] == 0].set_index("account_id")
    spells = customer_spells(tables, as_of=as_of, rules=rules, budget=budget).reindex(first.index)
    accounts = pd.DataFrame({"began": spells["entered"], "until": spells["until"], "segment": NO_LABEL})
    if tables.has("accounts", "segment"):
        labels = labels_in_force(tables, as_of, ("segment",), budget)["segment"]
        accounts["segment"] = labels.reindex(accounts.index).fillna(NO_LABEL)
    middle = first["starting_arr"].groupby(accounts["segment"]).transform("median")
    accounts["stratum"] = accounts["segment"] + np.where(first["starting_arr"] > middle, ", larger", ", smaller")
    asof = AsOf(tables, (as_of,))
    columns = (f"{code('feature')} AS feature", "user_id")
    events = asof.events("usage", columns, where="feature IS NOT NULL AND user_id IS NOT NULL AND quantity > 0")
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames() | {"starts": accounts.reset_index()[["account_id", "began"]]})
        select = " UNION ALL ".join(_users_by(events, day) for day in BY_DAYS)
        users = connection.execute(f"SELECT * FROM ({select}) ORDER BY account_id, feature, by_day").df()
    return accounts, users


def choices(accounts: pd.DataFrame, users: pd.DataFrame, as_of: date, settling_days: int) -> list[Choice]:
    """Of each part of the product, the age and number of users that older accounts chose, as newer ones see them.

    Older and newer are the halves, by their start, of the accounts of which it is known by now whether they stayed.
    """
    known = accounts[accounts["began"] + max(BY_DAYS) + STAY_DAYS + settling_days <= day_number(as_of)]
    middle = known["began"].median()
    rows = []
    for feature, part in users.groupby("feature", sort=True):
        counts = {day: _counts(part, day) for day in BY_DAYS}
        tried = list(_tried(known[known["began"] <= middle], counts))
        if not tried:
            continue
        by_day, number, old = max(tried, key=lambda each: abs(each[2].z))
        new = _compared(known[known["began"] > middle], counts, by_day, number)
        if new is not None and old.z:
            sign = 1 if old.z > 0 else -1
            rows.append(Choice(str(feature), by_day, number, sign, new, one_sided(sign * new.z)))
    return rows


def standing(rows: Sequence[Choice]) -> list[bool]:
    """Which of the choices newer accounts confirm."""
    return confirmed([row.p_value for row in rows])


def by_segment(
    choice: Choice, accounts: pd.DataFrame, users: pd.DataFrame, as_of: date, settling_days: int
) -> Iterator[tuple[str, int, Difference]]:
    """A choice among the newer accounts of all segments and of each: the segment, its accounts, the difference."""
    known = accounts[accounts["began"] + max(BY_DAYS) + STAY_DAYS + settling_days <= day_number(as_of)]
    newer = known[known["began"] > known["began"].median()]
    counts = {choice.by_day: _counts(users[users["feature"] == choice.feature], choice.by_day)}
    yield ALL, len(_there(newer, choice.by_day)), choice.newer
    for segment, part in newer.groupby("segment", sort=True):
        told = _compared(part, counts, choice.by_day, choice.users)
        if told is not None:
            yield str(segment), len(_there(part, choice.by_day)), told


def _counts(users: pd.DataFrame, day: int) -> "pd.Series[int]":
    """Users by account, of a part of the product by an age."""
    return users[users["by_day"] == day].set_index("account_id")["users"]


def _users_by(events: str, day: int) -> str:
    return f"""
        SELECT e.account_id, e.feature, {day} AS by_day, COUNT(DISTINCT e.user_id) AS users
        FROM ({events}) e JOIN starts s ON s.account_id = e.account_id
        WHERE e.day < s.began + {day} AND e.known_day < s.began + {day} AND e.day >= s.began
        GROUP BY e.account_id, e.feature"""


def _tried(accounts: pd.DataFrame, counts: dict[int, "pd.Series[int]"]) -> Iterator[tuple[int, int, Difference]]:
    for day in counts:
        for number in THRESHOLDS:
            told = _compared(accounts, counts, day, number)
            if told is not None:
                yield day, number, told


def _there(accounts: pd.DataFrame, by_day: int) -> pd.DataFrame:
    """Those that were customers still at that age: the others could not show what they would do."""
    return accounts[accounts["until"] > accounts["began"] + by_day]


def _compared(
    accounts: pd.DataFrame, counts: dict[int, "pd.Series[int]"], by_day: int, number: int
) -> Difference | None:
    there = _there(accounts, by_day)
    above = counts[by_day].reindex(there.index).fillna(0).to_numpy() >= number
    kept = (there["until"] > there["began"] + by_day + STAY_DAYS).to_numpy()
    return difference(kept, above, there["stratum"].to_numpy(dtype=np.str_))
