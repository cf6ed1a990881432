"""What customers who stay do when they are young: who used each part of the product, or which content, by an age."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features.asof.view import AsOf, day_number
from features.kpis.cohorts import cohorts
from features.kpis.going_with import (
    Difference,
    Flags,
    Following,
    Ints,
    Leaving,
    confirmed,
    difference,
    leaving,
    one_sided,
)
from features.kpis.lifetimes import customer_spells
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.known_lines import load
from features.tables.checked import Tables
from features.tables.sql import code
from params import Budget, Revenue

BY_DAYS = (30, 60, 90)
THRESHOLDS = (1, 2, 3, 5, 8)
STAY_DAYS = 365  # how long after the age it must have stayed, for the shares that are told
CHOOSING_SHARE = 1 / 4  # of the accounts, the oldest: they choose the age and the number of people, the others judge
SIZES = 4  # groups of about as many accounts within each segment, by ARR at the start
ALL = "all"


@dataclass(frozen=True)
class Doing:
    """What accounts can do: the table that tells, its columns of what it was and of who did it, and words for both."""

    table: str
    thing: str
    person: str
    where: str
    one: str
    more: str

    @property
    def needs(self) -> tuple[str, str]:
        """The columns without which nobody can say who did what."""
        return self.thing, self.person

    def words(self, people: int, thing: str) -> str:
        """Such as: 3 users of invites."""
        return f"{people} {self.one if people == 1 else self.more} {thing}"


USE = Doing("usage", "feature", "user_id", "quantity > 0", "user of", "users of")
CONTENT = Doing("engagement", "item", "contact_id", "TRUE", "person at", "people at")


@dataclass(frozen=True)
class Choice:
    """A behaviour as older accounts chose it, and what newer ones say of it.

    `test` is of all newer accounts, for as long as each was followed; `newer` the shares of those that a year is known
    of.
    """

    feature: str
    by_day: int
    users: int
    sign: int
    newer: Difference
    test: Leaving
    p_value: float


def young_accounts(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """The accounts by their start.

    Returns
    -------
    pandas.DataFrame
        Index `account_id`: `began` and `until` (day numbers), `segment` and `stratum` (segment and size at the start).
    """
    history = cohorts(tables, as_of=as_of, rules=rules, budget=budget).ages
    first = history[history["age_quarters"] == 0].set_index("account_id")
    spells = customer_spells(tables, as_of=as_of, rules=rules, budget=budget).reindex(first.index)
    accounts = pd.DataFrame({"began": spells["entered"], "until": spells["until"], "segment": NO_LABEL})
    if tables.has("accounts", "segment"):
        labels = labels_in_force(tables, as_of, ("segment",), budget)["segment"]
        accounts["segment"] = labels.reindex(accounts.index).fillna(NO_LABEL)
    place = first["starting_arr"].groupby(accounts["segment"]).rank(method="average", pct=True)
    size = np.ceil(place * SIZES).astype("int64")
    accounts["stratum"] = accounts["segment"] + ", size " + size.astype(str)
    return accounts


def young_use(tables: Tables, accounts: pd.DataFrame, doing: Doing, *, as_of: date, budget: Budget) -> pd.DataFrame:
    """How many people of each account had done each thing by each age, of what had happened and was known by that age.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `feature`, `by_day`, `users` (different people), and `first_day`: the day number of the first row
        of that thing, whosever it is. Of accounts that began before it nobody can say what they did.
    """
    asof = AsOf(tables, (as_of,))
    thing = code(doing.thing) if doing is USE else doing.thing
    columns = (f"{thing} AS feature", f"{doing.person} AS person")
    where = f"{doing.thing} IS NOT NULL AND {doing.person} IS NOT NULL AND {doing.where}"
    events = asof.events(doing.table, columns, where=where)
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames() | {"starts": accounts.reset_index()[["account_id", "began"]]})
        load(connection, {"ages": pd.DataFrame({"by_day": BY_DAYS})})
        return connection.execute(f"""
            WITH e AS ({events})
            SELECT e.account_id, e.feature, a.by_day, COUNT(DISTINCT e.person) AS users,
                   ANY_VALUE(f.first_day) AS first_day
            FROM e JOIN starts s ON s.account_id = e.account_id
            JOIN ages a ON e.day < s.began + a.by_day AND e.known_day < s.began + a.by_day AND e.day >= s.began
            JOIN (SELECT feature, MIN(day) AS first_day FROM e GROUP BY feature) f ON f.feature = e.feature
            GROUP BY e.account_id, e.feature, a.by_day ORDER BY e.account_id, e.feature, a.by_day""").df()


def choices(accounts: pd.DataFrame, users: pd.DataFrame, as_of: date, settling_days: int) -> list[Choice]:
    """Of each thing, the age and number of people that the oldest accounts chose, as the others see them.

    Compared are the accounts that were customers still at that age, of those that began once the thing was on file;
    each is followed until it left, or for as long as it is known that it has not.
    """
    rows = []
    for feature, part in users.groupby("feature", sort=True):
        study = _Study(accounts, part, day_number(as_of), settling_days)
        tried = [(day, number, told) for day in BY_DAYS for number in THRESHOLDS
                 if (told := study.test(study.older, day, number)) is not None]  # fmt: skip
        if not tried:
            continue
        by_day, number, old = max(tried, key=lambda each: abs(each[2].z))
        test, newer = study.test(study.newer, by_day, number), study.shares(study.newer, by_day, number)
        if test is not None and newer is not None and old.z:
            sign = 1 if old.z > 0 else -1
            rows.append(Choice(str(feature), by_day, number, sign, newer, test, one_sided(sign * test.z)))
    return rows


def standing(rows: Sequence[Choice]) -> list[bool]:
    """Which of the choices newer accounts confirm."""
    return confirmed([row.p_value for row in rows])


def by_segment(
    choice: Choice, accounts: pd.DataFrame, users: pd.DataFrame, as_of: date, settling_days: int
) -> Iterator[tuple[str, int, Difference]]:
    """A choice among the newer accounts of all segments and of each: the segment, its accounts, the shares."""
    part = users[users["feature"] == choice.feature]
    study = _Study(accounts, part, day_number(as_of), settling_days)
    newer = study.newer & study.there(choice.by_day)
    yield ALL, int(newer.sum()), choice.newer
    segments = study.accounts["segment"].to_numpy(dtype=np.str_)
    for segment in np.unique(segments):
        told = study.shares(study.newer & (segments == segment), choice.by_day, choice.users)
        if told is not None:
            yield str(segment), int((newer & (segments == segment)).sum()), told


class _Study:
    """The accounts that can tell of one thing: who did it by which age, and how long each was followed."""

    def __init__(self, accounts: pd.DataFrame, users: pd.DataFrame, today: int, settling_days: int) -> None:
        self.known_until = today - settling_days
        judged = (accounts["began"] >= users["first_day"].min()) & (accounts["began"] + max(BY_DAYS) < self.known_until)
        self.accounts = accounts[judged]
        self.began = self.accounts["began"].to_numpy(dtype=np.int64)
        self.until = self.accounts["until"].to_numpy(dtype=np.int64)
        self.strata: Ints = np.unique(self.accounts["stratum"].to_numpy(dtype=np.str_), return_inverse=True)[1]
        self.counts = {
            day: users[users["by_day"] == day].set_index("account_id")["users"].reindex(self.accounts.index).fillna(0)
            for day in BY_DAYS
        }
        middle = np.quantile(self.began, CHOOSING_SHARE) if len(self.began) else 0
        self.older: Flags = self.began <= middle
        self.newer: Flags = ~self.older

    def there(self, by_day: int) -> Flags:
        """Those that were customers still at that age: the others could not show what they would do."""
        return np.asarray(self.until > self.began + by_day, dtype=np.bool_)

    def test(self, rows: Flags, by_day: int, number: int) -> Leaving | None:
        """Who left, of those that had so many people by that age and of the others."""
        here = rows & self.there(by_day)
        left = self.until <= self.known_until
        followed = Following(
            entered=np.full(len(left), by_day),
            until=np.minimum(self.until, self.known_until) - self.began,
            left=left,
            strata=self.strata,
        )
        return leaving(followed.of(here), self._above(by_day, number)[here])

    def shares(self, rows: Flags, by_day: int, number: int) -> Difference | None:
        """The shares that stayed a year more, of those of which a year is known."""
        here = rows & self.there(by_day) & (self.began + by_day + STAY_DAYS <= self.known_until)
        kept = self.until > self.began + by_day + STAY_DAYS
        return difference(kept[here], self._above(by_day, number)[here], self.strata[here])

    def _above(self, by_day: int, number: int) -> Flags:
        return np.asarray(self.counts[by_day].to_numpy() >= number, dtype=np.bool_)
