"""ARR by account over time: at any instants, and of a cohort month by month."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import instants_frame, line_arr, line_arr_in_hindsight, lines_known, load
from features.tables.checked import Tables
from params import Budget, Revenue


@dataclass(frozen=True)
class CohortPaths:
    """What the accounts of a cohort came to, month by month; all of shape (accounts, months + 1).

    Attributes
    ----------
    arr
        Column 0 is ARR as known at `as_of`; column m is ARR at `as_of` + m months at the rates of the `as_of` month.
    paused
        Whether the account was a customer without ARR then: paused, which is a state of its own.
    subscriptions
        How many subscriptions the account pays for `m` months after `as_of`, a subscription being what one buying
        centre pays for one product; NaN where a line in force names neither, for then they cannot be told apart. Unlike
        `arr`, column 0 is in hindsight as well: a subscription that was recorded late counts from its start.
    """

    arr: npt.NDArray[np.float64]
    paused: npt.NDArray[np.bool_]
    subscriptions: npt.NDArray[np.float64]


@lru_cache(maxsize=4096)
def add_months(day: date, months: int) -> date:
    """The same day so many calendar months on; the last day of the month where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def cohort_paths(
    tables: Tables,
    cohort: pd.DataFrame,
    *,
    months: int,
    known_by: date,
    rules: Revenue,
    budget: Budget,
    settled: bool = True,
) -> CohortPaths:
    """What each account of a cohort came to, month by month: what a label is made of.

    Where accounts are rolled up by parents, a label follows those that were a root's at its `as_of`.

    Windows are half-open as those of the snapshots: column m holds what happened in `[as_of, as_of + m months)`. A
    line that ends on the first day after the window still counts, as it does in the snapshot of that day.

    Parameters
    ----------
    tables
        The checked tables.
    cohort
        `account_id`, `as_of` (any number of different dates) and `arr` (as known at `as_of`, reporting currency).
    months
        How far ahead, in calendar months.
    known_by
        Only what was known before this day counts.
    rules
        With reactivation `exclude` an account counts 0 from the moment the unbroken cover that holds `as_of`
        ended, and throughout if by what is known at `known_by` there was none.
    budget
        What the engine may use; results do not depend on them.
    settled
        Wait until a month's end can no longer change (see `settled_before`), as labels do; else take it as it stood at
        `known_by`.

    Returns
    -------
    CohortPaths
        NaN where what happened before a month's end was not all known before `known_by`: it lies later, or less than
        the lag of `contracts` before, or is not settled; all accounts of such a month's end alike.
    """
    as_of = pd.to_datetime(cohort["as_of"]).dt.date
    lag = timedelta(days=tables.lag_days.get("contracts", 0))
    latest = settled_before(tables, known_by, rules) if settled else known_by - lag
    ahead = _months_ahead(sorted(set(as_of)), months, latest)
    members = pd.DataFrame({
        "member": np.arange(len(cohort)),
        "account_id": cohort["account_id"].to_numpy(),
        "origin": as_of.map(day_number).to_numpy(dtype="int64"),
    })  # fmt: skip
    arr, subscriptions = np.full((2, len(cohort), months + 1), np.nan)
    paused = np.zeros(arr.shape, dtype=bool)
    for rolled, days in tables.by_hierarchy(as_of):
        origins = {day_number(day) for day in days} & set(ahead["origin"])
        if not origins:
            continue
        theirs, instants = (frame[frame["origin"].isin(origins)] for frame in (members, ahead))
        with lines_known(rolled, known_by=known_by, rules=rules, budget=budget) as connection:
            lines = line_arr_in_hindsight(connection, rolled, instants, known_by=known_by, rules=rules)
            load(connection, {"members": theirs})
            sums = connection.execute(_paths(lines, rules)).fetchnumpy()
            pauses = connection.execute(_paused(rules)).fetchnumpy()
        reached = theirs[["member", "origin"]].merge(instants[["origin", "month"]], on="origin")
        for path, name in ((arr, "cents"), (subscriptions, "subscriptions")):
            path[reached["member"], reached["month"]] = 0.0
            path[sums["member"], sums["month"]] = sums[name]
        paused[pauses["member"], pauses["month"]] = True
    arr /= 100
    paused &= arr == 0
    arr[:, 0] = cohort["arr"].to_numpy(dtype="float64")
    return CohortPaths(arr, paused, subscriptions)


def settled_before(tables: Tables, known_by: date, rules: Revenue) -> date:
    """The last day at which it is settled, by what is known before `known_by`, who was a customer.

    Until the grace and the longest gap that counts as a pause are over, and the lag of `contracts`, an account that
    seems to have left may still have stayed.
    """
    return known_by - timedelta(days=tables.lag_days.get("contracts", 0) + rules.settling_days)


def _months_ahead(origins: Sequence[date], months: int, latest: date) -> pd.DataFrame:
    """Each origin and the instants ahead of it that are no later than `latest`, as `line_arr` takes them."""
    rows = []
    for origin in origins:
        for month in range(months + 1):
            instant = add_months(origin, month)
            if instant <= latest:
                rows.append((day_number(origin), month, instant, origin))
    return instants_frame([row[2] for row in rows], [row[3] for row in rows]).assign(
        origin=[row[0] for row in rows], month=[row[1] for row in rows]
    )


def _paths(lines: str, rules: Revenue) -> str:
    """SELECT of `member`, `month`, `cents`, `subscriptions` (NaN: not told) of `members`, 0 where absent."""
    unbroken = """
        JOIN coverage v ON v.account_id = m.account_id AND v.covered_from <= m.origin
                       AND i.day <= v.covered_until"""
    return f"""
        SELECT m.member, i.month, a.cents, a.subscriptions
        FROM members m JOIN instants i ON i.origin = m.origin
        JOIN (SELECT instant, account_id, CAST(SUM(cents) AS BIGINT) AS cents,
                     CASE WHEN BOOL_OR(cents > 0 AND product IS NULL AND buying_center IS NULL)
                          THEN CAST('nan' AS DOUBLE)
                          ELSE COUNT(DISTINCT CASE WHEN cents > 0 THEN product_line END) END AS subscriptions
              FROM ({lines}) GROUP BY 1, 2) a
          ON a.account_id = m.account_id AND a.instant = i.instant
        {unbroken if rules.reactivation == "exclude" else ""}"""


def _paused(rules: Revenue) -> str:
    """SELECT of `member` and `month` of `members` that are paused, unbroken since their origin where that counts."""
    unbroken = """
        JOIN coverage v ON v.account_id = m.account_id AND v.covered_from <= m.origin AND i.day < v.covered_until"""
    return f"""
        SELECT DISTINCT m.member, i.month FROM members m JOIN instants i ON i.origin = m.origin
        JOIN pauses p ON p.account_id = m.account_id AND p.paused_from <= i.day AND i.day < p.paused_until
        {unbroken if rules.reactivation == "exclude" else ""}"""


def arr_by_account(
    tables: Tables,
    instants: Sequence[date],
    *,
    known_by: date,
    rules: Revenue,
    budget: Budget,
    rates_on: date | None = None,
) -> pd.DataFrame:
    """ARR of every account at every instant, by what was known before `known_by`.

    Parameters
    ----------
    tables
        The checked tables.
    instants
        When; one after `known_by` gives what is contracted by then.
    known_by
        Only what was known before this day counts.
    rules
        Gives the reporting currency and the grace.
    budget
        What the engine may use; results do not depend on them.
    rates_on
        Constant rates, those of this date's month; by default each instant is at the rates of its own month.

    Returns
    -------
    pandas.DataFrame
        `instant` (datetime64), `account_id`, `arr` (reporting currency a year), sorted by both; accounts without
        ARR at an instant have no row there.
    """
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget) as connection:
        return arr_of_lines(connection, tables, instants, rules=rules, rates_on=rates_on)


def arr_of_lines(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    instants: Sequence[date],
    *,
    rules: Revenue,
    rates_on: date | None = None,
) -> pd.DataFrame:
    """The same of the lines that a connection of `lines_known` holds."""
    ordered = sorted(set(instants))
    days = instants_frame(ordered, [rates_on or instant for instant in ordered])
    history = connection.execute(f"""
        SELECT instant, account_id, CAST(SUM(cents) AS BIGINT) AS cents
        FROM ({line_arr(connection, tables, days, rules)})
        GROUP BY 1, 2 HAVING SUM(cents) > 0 ORDER BY 1, 2""").df()
    return pd.DataFrame({
        "instant": pd.to_datetime(pd.Series(ordered)).dt.as_unit("us").to_numpy()[history["instant"]],
        "account_id": history["account_id"],
        "arr": history["cents"] / 100,
    })  # fmt: skip
