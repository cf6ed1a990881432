"""What customers who stay did when they were young, and which young accounts have not: goes with, not causes."""

import json
import math
import re
from collections.abc import Mapping
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
from serving.forecast.stored_effects import StoredEffects, read_effects
from serving.kpis.ideal_customer import icp_report
from serving.retention.cohort_labels import given_names

HALF = 0.5  # a behaviour with which half as many leave is what the accounts needed are told for
NOT_STUDIED = "no effect estimated"
ALERT_DAYS = 2  # of so many times the age: an account older than that is no longer young
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


# What a behaviour becomes in the settings: each a line of YAML in flow style that loads as it stands.


def feature_name(choice: Choice) -> str:
    """The name of the feature that counts the people."""
    word = re.sub("[^a-z0-9]+", "_", choice.feature.lower()).strip("_")
    return f"{word[:22] if word[:1].isalpha() else 'x' + word[:21]}_people_{choice.by_day}d"


def _feature(choice: Choice, doing: Doing) -> str:
    thing = json.dumps(choice.feature, ensure_ascii=False)
    return (
        f"{feature_name(choice)}: {{table: {doing.table}, measure: distinct, column: {doing.person}, "
        f"filter: {{{doing.thing}: {thing}}}, window: {choice.by_day}}}"
    )


def as_feature(choice: Choice, doing: Doing) -> str:
    """The feature alone, which health targets, alerts and conditions can name."""
    return f"features: {{{_feature(choice, doing)}}}"


def as_health_target(choice: Choice, doing: Doing) -> str:
    """The feature, and a measure of the customer's half of the health score: none is 0 points, enough are 100.

    Its weight is 0, since the weights of a half add up to 1: give it one and take it off another measure.
    """
    measure = f"{feature_name(choice)}: {{weight: 0, targets: [[0, 0], [{choice.users}, 100]]}}"
    return f"{{{as_feature(choice, doing)}, health: {{customer_actions: {{measures: {{{measure}}}}}}}}}"


def as_alert(choice: Choice, doing: Doing, words: str) -> str:
    """The feature, and an alert of young accounts that are short of it."""
    says = json.dumps(f"has not reached {words} by day {choice.by_day}", ensure_ascii=False)
    ages = f"tenure_days >= {choice.by_day} and tenure_days <= {ALERT_DAYS * choice.by_day}"
    rule = (
        f"{feature_name(choice)[:32]}_short: {{kind: risk, feature: {feature_name(choice)}, "
        f"at_most: {choice.users - 1}, leave: {choice.users}, where: {ages}, says: {says}, playbook: adoption}}"
    )
    return f"{{{as_feature(choice, doing)}, alerts: {{rules: {{{rule}}}}}}}"


def effect_beside(thing: str, effects: StoredEffects | None, moves: Mapping[str, str]) -> dict[str, str]:
    """The action that is to bring a behaviour about, and what the study of actions says of it; empty where none is.

    Parameters
    ----------
    thing
        A part of the product, or a course, article or event.
    moves
        The action by the thing, of the settings; else it is the action whose name the thing's begins with.
    """
    code = _code(thing)
    wanted = next((action for name, action in moves.items() if _code(name) == code), "")
    known = [effect.action for effect in effects.effects if effect.level == "action"] if effects else []
    named = wanted or next((action for action in known if (code + "_").startswith(_code(action) + "_")), "")
    if not named:
        return {"effect": "", "effect_says": ""}
    effect = effects.of(named) if effects else None
    return {"effect": named, "effect_says": effect.verdict if effect else NOT_STUDIED}


def _code(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
