"""What customers who stay did when they were young, and which young accounts have not: goes with, not causes."""

from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from features.asof.view import day_number
from features.kpis.behaviours import STAY_DAYS, Choice, by_segment, choices, standing, young_use
from features.kpis.going_with import FALSE_SHARE
from features.kpis.signing import FEWEST_CLOSED, closed_accounts, value_fits
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from params import Params
from serving.retention.cohort_labels import given_names

Row = dict[str, Any]


@dataclass(frozen=True)
class StayingReports:
    """Both reports of a date, each worked out once for all that tell of it."""

    tables: Tables
    as_of: date
    params: Params

    @cached_property
    def behaviours(self) -> Row:
        """As `behaviour_report` gives it."""
        return behaviour_report(self.tables, as_of=self.as_of, params=self.params)

    @cached_property
    def ideal_customer(self) -> Row:
        """As `icp_report` gives it."""
        return icp_report(self.tables, as_of=self.as_of, params=self.params)


def behaviour_report(tables: Tables, *, as_of: date, params: Params) -> Row:
    """The behaviours as plain data: `rows` by segment, `behind` the young accounts that lack what is confirmed.

    Raises
    ------
    BadInput
        There is no use by user and part of the product.
    """
    if not tables.has("usage", "feature", "user_id"):
        what = "has no feature or no user_id, so nobody can say who used what"
        raise BadInput([Finding("usage", what, "Map both columns in source.tables.usage.columns.")])
    settling = params.revenue.settling_days
    accounts, users = young_use(tables, as_of=as_of, rules=params.revenue, budget=params.budget)
    tried = choices(accounts, users, as_of, settling)
    rows, behind = [], []
    for choice, stands in zip(tried, standing(tried), strict=True):
        for segment, n, told in by_segment(choice, accounts, users, as_of, settling):
            rows.append(_row(choice, segment, n, told._asdict(), stands))
        if stands and choice.sign > 0:
            behind += _behind(choice, accounts, users, as_of)
    names = given_names(tables, as_of, params)
    return {
        "as_of": as_of.isoformat(),
        "rows": rows,
        "behind": [row | {"name": names.get(row["account_id"], row["account_id"])} for row in behind],
        "accounts": len(accounts),
        "definition": _definition(as_of),
    }


def _row(choice: Choice, segment: str, n: int, told: dict[str, float], stands: bool) -> Row:
    return {
        "behaviour": choice.words,
        "segment": segment,
        "by_day": choice.by_day,
        "kept_above": told["above"],
        "kept_below": told["below"],
        "n": n,
        "difference": told["points"],
        "low": told["low"],
        "high": told["high"],
        "p_value": choice.p_value,
        "confirmed": stands,
        "says": "goes with, not causes",
        "condition": f"{choice.feature}.users >= {choice.users} within {choice.by_day}d",
    }


def _behind(choice: Choice, accounts: pd.DataFrame, users: pd.DataFrame, as_of: date) -> list[Row]:
    """Customers in their first year, old enough to be judged, that have not done it by that age."""
    age = day_number(as_of) - accounts["began"]
    young = accounts[(age >= choice.by_day) & (age < STAY_DAYS) & (accounts["until"] > day_number(as_of))]
    rows = users[(users["feature"] == choice.feature) & (users["by_day"] == choice.by_day)]
    counts = rows.set_index("account_id")["users"].reindex(young.index).fillna(0).astype(int)
    short = counts[counts < choice.users]
    return [
        {"account_id": str(account), "behaviour": choice.words, "by_day": choice.by_day, "users": int(number)}
        for account, number in short.items()
    ]


def _definition(as_of: date) -> str:
    return (
        "Users of each part of the product by an age of 30, 60 or 90 days, as known at that age, and whether the "
        f"account was a customer {STAY_DAYS} days after it, as known before {as_of}. Age and number of users were "
        "chosen on the older half of the accounts and are judged on the newer half, within segment and size; at most "
        f"{FALSE_SHARE:.0%} of those confirmed are expected to be false (Benjamini and Hochberg). kept_above and "
        "kept_below are shares of the newer half; low and high the 95 % interval of their difference within segment "
        "and size. It goes with staying; it need not cause it."
    )


def icp_report(tables: Tables, *, as_of: date, params: Params) -> Row:
    """Which values of what is known at signing go with keeping, as plain data: `rows`, or none of too few accounts."""
    closed = closed_accounts(tables, as_of=as_of, rules=params.revenue, budget=params.budget)
    enough = len(closed) >= FEWEST_CLOSED
    note = "" if enough else f"Too few: {len(closed):,} accounts have had their first year, {FEWEST_CLOSED} are needed."
    fits = value_fits(closed, params.forecast) if enough else []
    return {
        "as_of": as_of.isoformat(),
        "rows": [asdict(fit) for fit in fits],
        "accounts": len(closed),
        "note": note,
        "definition": (
            f"Accounts whose first year was over by {as_of}, by what was known when they signed: GRR and NRR of that "
            "year; low and high the 95 % interval of the share of its ARR that the average account kept. Good or bad: "
            "accounts of the older half stayed the year more, or less, often than all others, and the newer half "
            f"confirms it (at most {FALSE_SHARE:.0%} of those are expected to be false); else stretch."
        ),
    }
