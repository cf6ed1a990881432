"""What customers who stay did when they were young, and which young accounts have not: goes with, not causes."""

import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from features.asof.view import day_number
from features.kpis.behaviours import (
    ALL,
    CHOOSING_SHARE,
    CONTENT,
    STAY_DAYS,
    USE,
    Choice,
    Doing,
    by_segment,
    choices,
    standing,
    young_accounts,
    young_use,
)
from features.kpis.going_with import FALSE_SHARE, detectable_ratio
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from params import Params
from serving.forecast.stored_effects import read_effects
from serving.kpis.behaviour_settings import as_alert, as_feature, as_health_target, effect_beside
from serving.kpis.ideal_customer import icp_report
from serving.retention.cohort_labels import given_names

HALF = 0.5  # a behaviour with which half as many leave is what the accounts needed are told for
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
    """The behaviours as plain data.

    `rows` by segment, of parts of the product (`of` is use) and of courses, articles and events (content), each kind
    with a limit of its own; `behind` the young accounts that lack what is confirmed; `power` what so many accounts that
    left can show.

    Raises
    ------
    BadInput
        There is no use by user and part of the product.
    """
    if not tables.has(USE.table, *USE.needs):
        what = "has no feature or no user_id, so nobody can say who used what"
        raise BadInput([Finding("usage", what, "Map both columns in source.tables.usage.columns.")])
    accounts = young_accounts(tables, as_of=as_of, rules=params.revenue, budget=params.budget)
    looks = [_look(tables, accounts, doing, as_of, params) for doing in (USE, CONTENT)
             if tables.has(doing.table, *doing.needs)]  # fmt: skip
    names = given_names(tables, as_of, params)
    behind = [row for look in looks for row in look["behind"]]
    return {
        "as_of": as_of.isoformat(),
        "rows": [row for look in looks for row in look["rows"]],
        "behind": [row | {"name": names.get(row["account_id"], row["account_id"])} for row in behind],
        "accounts": looks[0]["accounts"],
        "power": looks[0]["power"],
        "definition": _definition(as_of),
    }


def _look(tables: Tables, accounts: pd.DataFrame, doing: Doing, as_of: date, params: Params) -> Row:
    """What the accounts did of one kind, and what goes with staying."""
    settling = params.revenue.settling_days
    people = young_use(tables, accounts, doing, as_of=as_of, budget=params.budget)
    tried = choices(accounts, people, as_of, settling)
    rows, behind = [], []
    effects = read_effects(params.data_dir)
    for choice, stands in zip(tried, standing(tried), strict=True):
        for segment, n, told in by_segment(choice, accounts, people, as_of, settling):
            row = _row(choice, doing, segment, n, told._asdict(), stands)
            rows.append(row | effect_beside(choice.feature, effects, params.effects.moves))
        if stands and choice.sign > 0:
            behind += _behind(choice, doing, accounts, people, as_of)
    most = max(tried, key=lambda choice: choice.test.variance, default=None)
    compared = max((row["n"] for row in rows if row["segment"] == ALL), default=0)
    return {"rows": rows, "behind": behind, "accounts": compared, "power": _power(most, len(tried))}


def _power(choice: Choice | None, tried: int) -> Row:
    """What the accounts that left can show: the smallest difference found in four of five companies like this."""
    if choice is None:
        return {"leavings": 0, "tried": 0, "detectable_ratio": None, "leavings_for_half": None}
    ratio = detectable_ratio(choice.test.variance, tried)
    needed = choice.test.leavings * (math.log(ratio) / math.log(HALF)) ** 2
    return {
        "leavings": choice.test.leavings,
        "tried": tried,
        "detectable_ratio": ratio,
        "leavings_for_half": math.ceil(needed),
    }


def _row(choice: Choice, doing: Doing, segment: str, n: int, told: dict[str, float], stands: bool) -> Row:
    words = doing.words(choice.users, choice.feature)
    is_use = doing is USE
    condition = f"{choice.feature}.users >= {choice.users}"
    return {
        "behaviour": words,
        "of": "use" if is_use else "content",
        "segment": segment,
        "by_day": choice.by_day,
        "kept_above": told["above"],
        "kept_below": told["below"],
        "n": n,
        "difference": told["points"],
        "low": told["low"],
        "high": told["high"],
        "leavings": choice.test.leavings,
        "p_value": choice.p_value,
        "confirmed": stands,
        "says": "goes with, not causes",
        "condition": f"{condition} within {choice.by_day}d" if is_use else "",
        "yaml": as_feature(choice, doing),
        "yaml_health": as_health_target(choice, doing),
        "yaml_alert": as_alert(choice, doing, words),
    }


def _behind(choice: Choice, doing: Doing, accounts: pd.DataFrame, users: pd.DataFrame, as_of: date) -> list[Row]:
    """Customers in their first year, old enough to be judged, that have not done it by that age."""
    age = day_number(as_of) - accounts["began"]
    young = accounts[(age >= choice.by_day) & (age < STAY_DAYS) & (accounts["until"] > day_number(as_of))]
    rows = users[(users["feature"] == choice.feature) & (users["by_day"] == choice.by_day)]
    counts = rows.set_index("account_id")["users"].reindex(young.index).fillna(0).astype(int)
    short, words = counts[counts < choice.users], doing.words(choice.users, choice.feature)
    return [
        {"account_id": str(account), "behaviour": words, "by_day": choice.by_day, "users": int(number)}
        for account, number in short.items()
    ]


def _definition(as_of: date) -> str:
    return (
        "People of each account who used a part of the product, or took up a course, article or event, by an age of "
        "30, "
        f"60 or 90 days, as known at that age, and when the account left, as known before {as_of}. Only accounts count "
        "that began once that thing was on file. Age and number of people were chosen on the oldest "
        f"{CHOOSING_SHARE:.0%} of the accounts and are judged on the others, by who left at each day of their age, "
        "within "
        f"segment and size (log-rank test); at most {FALSE_SHARE:.0%} of those confirmed are expected to be false "
        f"(Benjamini and Hochberg). kept_above and kept_below are the shares still customers {STAY_DAYS} days after "
        "that "
        "age, of those of which it is known; low and high the 95 % interval of their difference within segment and "
        "size. "
        "It goes with staying; it need not cause it. Where a study of actions has estimated one that is to bring it "
        "about (effects.moves, or an action of the same name), effect names it and effect_says is that study's verdict."
    )
