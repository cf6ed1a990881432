"""Cohorts by the quarter in which accounts began: what they came to at each quarter of their own age.

An account counts from its own first day, so that one that left within its first quarter is lost and not forgotten.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from features.asof.view import EPOCH, day_number
from features.kpis.targets import quarter_of
from features.revenue.cut_labels import labels_in_force
from features.revenue.known_lines import lines_known, load, priced
from features.revenue.paths import add_months
from features.tables.checked import Tables
from params import Budget, Revenue

QUARTER = 3  # months
NOW = -1  # stands for an age: as of the date


@dataclass(frozen=True)
class Cohorts:
    """What the accounts of each cohort came to.

    Attributes
    ----------
    ages
        A row an account and quarter of its age that had come by the date: `account_id`, `cohort` (such as 2024-Q1),
        `age_quarters`, `starting_arr` on its first day, `arr` then, `customer`.
    left_out
        Accounts that were customers before their first contract line on file: what they began with is not known.
    now
        A row an account as of the date: `account_id`, `cohort`, `first_day` (a date), `starting_arr`, `arr`,
        `customer`.
    """

    ages: pd.DataFrame
    left_out: int
    now: pd.DataFrame


def cohorts(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> Cohorts:
    """Follow every account from its first day, by what was known before `as_of` and at the rates of its month.

    With reactivation `exclude` an account that left counts 0 from then on, even if it came back.
    """
    with lines_known(tables, known_by=as_of, rules=rules, budget=budget) as connection:
        began = connection.execute(_BEGAN).df()
        began = began[began["day"] < day_number(as_of)]
        earlier = _customers_before(tables, began, as_of, budget)
        points = _points(began[~earlier], as_of)
        load(connection, {"points": points})
        lines = f"""
            SELECT p.point AS instant, {day_number(as_of)} AS rate_day, s.* FROM points p
            JOIN line_states s ON s.account_id = p.account_id AND s.starts <= p.day AND p.day < s.active_until"""
        select = priced(connection, tables, lines, [day_number(as_of)], rules)
        arr = connection.execute(f"SELECT instant, SUM(cents) / 100 AS arr FROM ({select}) GROUP BY 1").df()
        here = connection.execute(_customers(rules)).df()["point"]
    points["customer"] = points["point"].isin(here)
    points["arr"] = points["point"].map(arr.set_index("instant")["arr"]).fillna(0.0).where(points["customer"], 0.0)
    starting = points[points["age_quarters"] == 0].set_index("account_id")["arr"]
    points["starting_arr"] = points["account_id"].map(starting)
    points = points[points["starting_arr"] > 0]
    amounts = ["starting_arr", "arr", "customer"]
    ages = points.loc[points["age_quarters"] >= 0, ["account_id", "cohort", "age_quarters", *amounts]]
    now = points.loc[points["age_quarters"] == NOW, ["account_id", "cohort", "first_day", *amounts]]
    now = now.assign(first_day=[EPOCH + timedelta(days=int(day)) for day in now["first_day"]])
    return Cohorts(ages.reset_index(drop=True), int(earlier.sum()), now.reset_index(drop=True))


# In order, as float sums of accounts depend on theirs.
_BEGAN = "SELECT account_id, MIN(covered_from) AS day FROM coverage GROUP BY account_id ORDER BY account_id"


def triangle(ages: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The cells of the triangles: `cohort`, `age_quarters`, `accounts`, `starting_arr`, `logo_retention`, `grr`, `nrr`.

    A cell is there once the last day of the quarter in which its accounts began is so old.
    """
    keys = zip(ages["cohort"], ages["age_quarters"], strict=True)
    whole = ages[[is_whole(str(cohort), int(age), as_of) for cohort, age in keys]]
    cents = whole.assign(
        before=(whole["starting_arr"] * 100).round().astype("int64"), after=(whole["arr"] * 100).round().astype("int64")
    )
    cents["kept"] = cents[["before", "after"]].min(axis=1)
    groups = cents.groupby(["cohort", "age_quarters"])
    sums = groups[["before", "after", "kept", "customer"]].sum()
    cells = pd.DataFrame({
        "accounts": groups.size(),
        "starting_arr": sums["before"] / 100,
        "logo_retention": sums["customer"] / groups.size(),
        "grr": sums["kept"] / sums["before"],
        "nrr": sums["after"] / sums["before"],
    })  # fmt: skip
    return cells.reset_index()


def _points(began: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Each account's first day, each quarter of its age until the date, and the date."""
    rows: list[tuple[int, str, str, int, int, int]] = []
    for account, day in zip(began["account_id"], began["day"], strict=True):
        first, age = EPOCH + timedelta(days=int(day)), 0
        rows.append((len(rows), account, quarter_of(first), NOW, day_number(as_of), int(day)))
        while (then := add_months(first, QUARTER * age)) <= as_of:
            rows.append((len(rows), account, quarter_of(first), age, day_number(then), int(day)))
            age += 1
    return pd.DataFrame(rows, columns=["point", "account_id", "cohort", "age_quarters", "day", "first_day"])


def _customers_before(tables: Tables, began: pd.DataFrame, as_of: date, budget: Budget) -> "pd.Series[bool]":
    """Whether an account was a customer, by `customer_since`, more than a month before its first line."""
    if not tables.has("accounts", "customer_since"):
        return began["day"] < 0
    since = pd.to_datetime(
        labels_in_force(tables, as_of, ("customer_since",), budget)["customer_since"], errors="coerce"
    )
    days = (began["account_id"].map(since) - pd.Timestamp(EPOCH)).dt.days
    return began["day"] - days > 31


def _customers(rules: Revenue) -> str:
    """SELECT of the points at which an account is a customer, unbroken since its first day where that counts."""
    unbroken = "AND v.covered_from <= p.first_day" if rules.reactivation == "exclude" else ""
    return f"""
        SELECT DISTINCT p.point FROM points p JOIN coverage v ON v.account_id = p.account_id
         AND v.covered_from <= p.day AND p.day < v.covered_until {unbroken}"""


def is_whole(cohort: str, age: int, as_of: date) -> bool:
    """Whether all accounts of a cohort are so old by a date."""
    year, quarter = int(cohort[:4]), int(cohort[-1])
    return add_months(date(year, QUARTER * quarter - 2, 1), QUARTER * (age + 1)) <= as_of
