"""What passes between the company and its customers: actions, engagement, tickets, surveys, contacts and goals."""

from typing import Any

import numpy as np
import pandas as pd

from tests.worlds.customers import Floats, Whole
from tests.worlds.second_world import TOUCHES, History, account_ids, probability

DAY = np.timedelta64(1, "D")
KINDS = ("meeting", "email", "training", "community", "webinar", "event", "self_help", "referral")
RATES = np.array([[1.1, 2.0, 0.15, 0.2, 0.2, 0.1, 0.5, 0.03], [0.5, 1.2, 0.1, 0.2, 0.2, 0.05, 0.6, 0.02],
                  [0.1, 0.6, 0.05, 0.3, 0.2, 0.02, 0.9, 0.02]])  # fmt: skip
ROLES = ("champion", "decision_maker", "user")


def _events(past: History, rate: Floats, rng: np.random.Generator) -> tuple[Whole, Whole]:
    """Rows of the history in which something happened at a rate a month, and the days on which it did."""
    rows = past.rows
    row = np.repeat(np.arange(len(rows)), rng.poisson(rate * rows["days"].to_numpy() / 30.4))
    return row, rows["began"].to_numpy()[row] + (rng.random(len(row)) * rows["days"].to_numpy()[row]).astype(np.int64)


def _days(day: Whole | Floats) -> "np.ndarray[Any, Any]":
    return np.asarray(day).astype(np.int64).astype("datetime64[D]")


def _known(past: History, table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows written down before the world ends."""
    return table[table[column] < np.datetime64(past.world.ends_on)].reset_index(drop=True)


def csm_actions(past: History) -> pd.DataFrame:
    """What the team did, and some of what it missed; written down up to ten days later."""
    rng, rows = past.world.rng(TOUCHES, 1), past.rows
    acted, missed = np.flatnonzero(rows["acted"]), np.flatnonzero(rng.random(len(rows)) < 0.04)
    row = np.concatenate([acted, missed])
    status = np.where(np.arange(len(row)) < len(acted), "done", "missed")
    day = rows["began"].to_numpy()[row] + (rng.random(len(row)) * rows["days"].to_numpy()[row]).astype(np.int64)
    young = day - past.customers.since[rows["number"].to_numpy()[row]] < 120
    near = rows["ends"].to_numpy()[row] - day < 120
    more = (rows["demand"] > 1.02 * rows["seats"]).to_numpy()[row]
    process = np.select([young, near, more], ["onboarding", "retention", "expansion"], "success plan")
    action = np.select([young, near, more], ["training", "renewal call", "growth review"], "value review")
    table = pd.DataFrame(
        {
            "account_id": account_ids(rows["number"].to_numpy()[row]),
            "acted_on": _days(day),
            "action": action,
            "process": process,
            "status": status,
            "planned_on": _days(day - rng.integers(0, 15, len(row))),
            "recorded_at": _days(day + np.minimum(rng.exponential(1.5, len(row)), 10)) + np.timedelta64(19, "h"),
        }
    )
    return _known(past, table, "recorded_at")


def engagement(past: History) -> pd.DataFrame:
    """Meetings, mails and the like: more with a sponsor, hardly more with value."""
    rng, rows, parts = past.world.rng(TOUCHES, 2), past.rows, []
    for number, kind in enumerate(KINDS):
        rate = RATES[rows["touch"], number] * np.exp(0.3 * rows["sponsor"] + 0.08 * rows["value"]).to_numpy()
        row, day = _events(past, rate, rng)
        parts.append(pd.DataFrame({"row": row, "happened_on": _days(day), "kind": kind}))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "account_id", account_ids(rows["number"].to_numpy()[table.pop("row")]))
    return table


def tickets(past: History) -> pd.DataFrame:
    """More where little works; answered within hours, resolved within days."""
    rng, rows = past.world.rng(TOUCHES, 3), past.rows
    rate = 0.16 * np.sqrt(rows["demand"]) * np.exp(-0.25 * np.clip(rows["value"], -2, 2))
    row, day = _events(past, rate.to_numpy(), rng)
    opened = _days(day) + (rng.random(len(row)) * 86399).astype("timedelta64[s]")
    severe = rng.random(len(row)) + 0.1 * np.clip(rows["value"].to_numpy()[row], -2, 2)
    answered = opened + (3600 * np.exp(rng.normal(1.2, 1.0, len(row)))).astype("timedelta64[s]")
    resolved = answered + (3600 * np.exp(rng.normal(3.4, 1.1, len(row)))).astype("timedelta64[s]")
    end = np.datetime64(past.world.ends_on)
    return pd.DataFrame(
        {
            "account_id": account_ids(rows["number"].to_numpy()[row]),
            "opened_at": opened,
            "first_response_at": np.where(answered < end, answered, np.datetime64("NaT", "s")),
            "resolved_at": np.where(resolved < end, resolved, np.datetime64("NaT", "s")),
            "severity": np.select([severe < 0.06, severe < 0.25, severe < 0.6], ["critical", "high", "medium"], "low"),
        }
    )


def surveys(past: History) -> pd.DataFrame:
    """NPS of those who care to answer, and CSAT; scores lean on value."""
    rng, rows, parts = past.world.rng(TOUCHES, 4), past.rows, []
    for kind, rate, middle, by_value, spread, top in (
        ("nps", 0.12, 6.9, 1.2, 1.7, 10),
        ("csat", 0.1, 3.9, 0.35, 0.8, 5),
    ):
        chance = rate * probability(0.8 * rows["sponsor"] + 0.3 * np.abs(rows["value"])).to_numpy()
        row, day = _events(past, chance, rng)
        score = middle + by_value * rows["value"].to_numpy()[row] + rng.normal(0, spread, len(row))
        low = 0 if kind == "nps" else 1
        parts.append(
            pd.DataFrame(
                {
                    "account_id": account_ids(rows["number"].to_numpy()[row]),
                    "responded_on": _days(day),
                    "kind": kind,
                    "score": np.clip(np.round(score), low, top),
                    "respondent_role": rng.choice(ROLES, len(row)),
                    "recorded_at": _days(day + rng.integers(0, 4, len(row))) + np.timedelta64(20, "h"),
                }
            )
        )
    return _known(past, pd.concat(parts, ignore_index=True), "recorded_at")


def contacts(past: History) -> pd.DataFrame:
    """Champions and who came after them, executive sponsors and users; that someone left is entered weeks later."""
    rng, rows = past.world.rng(TOUCHES, 5), past.rows.sort_values(["number", "month"], kind="stable")
    absent = rows["champion_back"].to_numpy() > 0
    same = rows["number"].to_numpy()[1:] == rows["number"].to_numpy()[:-1]
    turns = np.flatnonzero(same & (absent[1:] != absent[:-1])) + 1
    leaves, comes = turns[absent[turns]], turns[~absent[turns]]
    numbers = np.unique(rows["number"])
    day = {place: rows["began"].to_numpy()[at] + rng.integers(0, 27, len(at)) for place, at in
           (("left", leaves), ("came", comes))}  # fmt: skip
    begins = pd.concat(
        [_people(numbers, past.customers.since[numbers]), _people(rows["number"].to_numpy()[comes], day["came"])]
    )
    ends = _people(rows["number"].to_numpy()[leaves], day["left"]).rename(columns={"joined": "left"})
    champions = pd.merge_asof(
        begins.sort_values("joined"), ends.sort_values("left"), left_on="joined", right_on="left", by="number",
        direction="forward",
    )  # fmt: skip
    champions["left"] += rng.integers(5, 75, len(champions))
    people = pd.concat([champions.assign(role="champion"), _others(past, numbers, rng)], ignore_index=True)
    left = people["left"].where(people["left"] < np.datetime64(past.world.ends_on).astype(np.int64))
    return pd.DataFrame(
        {
            "contact_id": [f"Q-{number:06d}" for number in range(len(people))],
            "account_id": account_ids(people["number"].to_numpy()),
            "role": people["role"],
            "side": "customer",
            "joined_on": _days(people["joined"].to_numpy()),
            "left_on": left.astype("Float64")
            .astype("Int64")
            .map(lambda d: np.datetime64(int(d), "D"), na_action="ignore"),
        }
    ).astype({"left_on": "datetime64[s]"})


def _people(number: Whole, joined: Whole) -> pd.DataFrame:
    return pd.DataFrame({"number": number, "joined": joined})


def _others(past: History, numbers: Whole, rng: np.random.Generator) -> pd.DataFrame:
    since = past.customers.since[numbers]
    parts = []
    for role, share in (("executive_sponsor", 0.6), ("decision_maker", 0.8), ("user", 0.9), ("user", 0.5)):
        has = rng.random(len(numbers)) < share
        part = _people(numbers[has], (since + rng.integers(0, 200, len(numbers)))[has])
        stays = rng.exponential(1400, len(part))
        parts.append(part.assign(role=role, left=part["joined"] + 20 + stays.astype(np.int64)))
    return pd.concat(parts, ignore_index=True)


def goals(past: History) -> pd.DataFrame:
    """First value and a goal at twelve months: reached sooner by those who tend to get value."""
    rng, numbers = past.world.rng(TOUCHES, 6), np.unique(past.rows["number"])
    since, worth = past.customers.since[numbers], past.customers.worth[numbers]
    parts = []
    for goal, horizon, due, usual in (
        ("first team live", "first_value", 60, 45),
        ("wide adoption", "twelve_month", 365, 300),
    ):
        reached = since + 3 + rng.exponential(usual * np.exp(-0.4 * worth))
        lost = (reached >= past.customers.gone[numbers]) | (
            reached >= np.datetime64(past.world.ends_on).astype(np.int64)
        )
        achieved = np.where(lost, np.datetime64("NaT", "s"), _days(reached))
        days = {"set_on": _days(since), "due_on": _days(since + due), "achieved_on": achieved}
        parts.append(pd.DataFrame({"account_id": account_ids(numbers), "goal": goal, "horizon": horizon, **days}))
    table = pd.concat(parts, ignore_index=True)
    return table.astype(dict.fromkeys(("set_on", "due_on", "achieved_on"), "datetime64[s]"))
