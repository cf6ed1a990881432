"""The engine against a slow loop in plain Python that shares no code with it: every feature, by what its meaning says.

The dates lie close together in the busy autumn, so that users' days and late rows move from one snapshot to the next.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import pairwise
from statistics import mean, pstdev
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params
from features.asof.view import AsOf
from features.families import catalogue
from features.snapshots.building import build
from params import Budget

DATES = [
    date(2022, 9, 14), date(2023, 6, 1), date(2023, 10, 1), date(2023, 10, 2), date(2023, 10, 15), date(2023, 10, 21),
    date(2023, 11, 4), date(2024, 2, 29), date(2024, 3, 1),
]  # fmt: skip
GRACE = 30
YEAR = 365
Row = dict[str, Any]
EVENT_DAY = {
    "usage": "used_on", "csm_actions": "acted_on", "goals": "set_on", "engagement": "happened_on",
    "tickets": "opened_at", "surveys": "responded_on", "contacts": "joined_on", "calls": "called_on",
}  # fmt: skip


def day(value: Any) -> date | None:
    return None if value is None else pd.Timestamp(value).date()


def known(table: str, row: Row) -> date:
    return day(row["recorded_at"]) or day(row[EVENT_DAY[table]])


def is_seen(table: str, row: Row, t: date) -> bool:
    """A row without an event day happened before all others, unless it waits for an answer."""
    happened = day(row[EVENT_DAY[table]])
    if happened is None:
        return table not in ("surveys", "goals") and known(table, row) < t
    return known(table, row) < t and happened < t


def sent_known(row: Row) -> date:
    return day(row["recorded_at"]) or row["sent_on"]


def code(value: Any) -> Any:
    """Spelling does not matter: lower case, words joined by underscores."""
    return value.strip().lower().replace(" ", "_").replace("-", "_") if isinstance(value, str) else value


class Account:
    """What one account looked like at one date, computed the long way."""

    def __init__(self, rows: dict[str, list[Row]], account: str, t: date) -> None:
        self.t = t
        mine = {name: [r for r in table if r.get("account_id") == account] for name, table in rows.items()}
        self.rows = {name: [r for r in mine[name] if is_seen(name, r, t)] for name in EVENT_DAY}
        self.sent = [r for r in mine["surveys"] if r["sent_on"] and sent_known(r) < t and r["sent_on"] < t]
        self.lines = self.known_lines(mine["contracts"])
        self.until = {line["contract_id"]: self.active_until(line) for line in self.lines}
        self.attributes = self.in_force(mine["accounts"])
        month = t.replace(day=1)
        self.rate = {"EUR": next(r["rate"] for r in rows["fx_rates"] if r["month"] == month), "USD": 1, None: 1}

    # time ------------------------------------------------------------------------------------------------------
    def ago(self, value: Any) -> int:
        return (self.t - day(value)).days

    def inside(self, value: Any, window: int, ending: int = 0) -> bool:
        """Half-open: the day `window` days ago counts, the day of the snapshot does not."""
        return value is not None and ending < self.ago(value) <= window + ending

    def events(self, table: str, window: int = 10**6, ending: int = 0, **equal: Any) -> list[Row]:
        column = EVENT_DAY[table]
        found = [r for r in self.rows[table] if self.inside(r[column], window, ending)]
        return [r for r in found if all(code(r[name]) in options for name, options in equal.items())]

    def since(self, table: str, **equal: Any) -> float:
        found = self.events(table, window=YEAR, **equal)
        return min((self.ago(r[EVENT_DAY[table]]) for r in found), default=np.nan)

    # contracts -------------------------------------------------------------------------------------------------
    def known_lines(self, contracts: list[Row]) -> list[Row]:
        newest: dict[str, tuple[date, Row]] = {}
        for row in contracts:
            when = day(row["recorded_at"]) or row["signed_on"] or row["starts_on"]
            if when < self.t and (row["contract_id"] not in newest or newest[row["contract_id"]][0] <= when):
                newest[row["contract_id"]] = (when, row)
        return [self.as_known(row) for _, row in newest.values()]

    def as_known(self, row: Row) -> Row:
        noticed = row["notice_on"] is not None and row["notice_on"] < self.t
        ended = row["ended_on"] is not None and (row["ended_on"] < self.t or noticed)
        return row | {
            "notice_on": row["notice_on"] if noticed else None,
            "ended_on": row["ended_on"] if ended else None,
        }

    def end(self, line: Row) -> date | None:
        return line["ended_on"] or line["ends_on"]

    def term_days(self, line: Row) -> int:
        return (line["ends_on"] - min(x["starts_on"] for x in self.lines if x["ends_on"] == line["ends_on"])).days

    def silent(self, line: Row) -> bool:
        return line["ended_on"] is None and line["notice_on"] is None and line["ends_on"] is not None

    def active_until(self, line: Row) -> date:
        end = self.end(line)
        if end is None:
            return date.max
        follower = self.follower(line)
        if follower is not None:
            return follower["starts_on"]
        if self.silent(line | {"notice_on": None}) and line["notice_on"] is not None:
            return line["notice_on"] if end <= line["notice_on"] < end + timedelta(days=GRACE) else end
        return end + timedelta(days=GRACE) if self.silent(line) else end

    def follower(self, line: Row) -> Row | None:
        """The line of the same product that follows one in its grace; here none is followed by another product."""
        end = self.end(line)
        if end is None or end <= line["starts_on"]:
            return None
        followers = [
            s for s in self.lines
            if s is not line and s["product"] == line["product"] and s["buying_center"] == line["buying_center"]
            and end <= s["starts_on"] <= end + timedelta(days=GRACE)
            and (self.end(s) is None or self.end(s) > s["starts_on"])
        ]  # fmt: skip
        return min(followers, key=lambda s: (s["starts_on"], -s["mrr"], s["contract_id"]), default=None)

    def active(self, days_ago: int = 0) -> list[Row]:
        at = self.t - timedelta(days=days_ago)
        return [line for line in self.lines if line["starts_on"] <= at < self.until[line["contract_id"]]]

    def arr_of(self, line: Row) -> float:
        cents = 12 * line["mrr"] * 100 * self.rate[line["currency"]]
        return int(cents + 0.5) / 100  # half a cent goes up

    def arr(self, days_ago: int = 0) -> float:
        return sum(self.arr_of(line) for line in self.active(days_ago))

    def arr_where(self, condition: Callable[[Row], bool]) -> float:
        return sum(self.arr_of(line) for line in self.active() if condition(line))

    def steps(self) -> Iterable[tuple[Row, float, bool]]:
        """Each line that began, its step of MRR from those that it follows, and whether it was late."""
        for line in (line for line in self.lines if line["starts_on"] <= self.t):
            before = [b for b in self.lines if self.follower(b) is line]
            if not before or {b["currency"] or "USD" for b in before} != {line["currency"] or "USD"}:
                yield line, 0, False  # nothing that it continues
            else:
                late = max((b["ends_on"] for b in before if b["ends_on"]), default=date.max) < line["starts_on"]
                yield line, line["mrr"] - sum(b["mrr"] for b in before), late

    def in_force(self, rows: list[Row]) -> Row:
        seen = [r for r in rows if r["valid_from"] < self.t and (r["recorded_at"] or date.min) < self.t]
        return max(seen, key=lambda r: r["valid_from"])

    def once_aged(self, days: int, value: float) -> float:
        """A value that looks so many days back, of an account that was there then."""
        return value if self.ago(self.started()) >= days else np.nan

    def days_there(self, window: int) -> int:
        """Days of a window since the first line began."""
        return min(window, max(self.ago(min(line["starts_on"] for line in self.lines)), 0))

    def started(self) -> date:
        begun = min(line["starts_on"] for line in self.lines)
        return min(begun, self.attributes["customer_since"] or begun)


def over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else np.nan


def first(values: Iterable[Any]) -> Any:
    return next(iter(values), np.nan)


def amount(rows: list[Row]) -> float:
    return sum(1 if r["quantity"] is None else r["quantity"] for r in rows)


def usage(a: Account) -> dict[str, Any]:
    def used(window: int, ending: int = 0) -> float:
        return amount(a.events("usage", window, ending))

    def rows(window: int, ending: int = 0) -> list[Row]:
        """A day's sum of zero events shows no activity."""
        return [r for r in a.events("usage", window, ending) if r["quantity"] is None or r["quantity"] > 0]

    def active(column: str, window: int, ending: int = 0) -> set[Any]:
        values = (r[column] for r in rows(window, ending))
        return {code(value) if column == "feature" else value for value in values} - {None}

    def trend(window: int) -> float:
        daily = np.zeros(window)
        for r in a.events("usage", window):
            daily[window - a.ago(r["used_on"])] += amount([r])
        return np.polyfit(range(window), daily, 1)[0] * window / daily.mean() if daily.sum() else np.nan

    days_by_user: dict[str, set[date]] = {}
    for r in rows(28):
        if r["user_id"] is not None:
            days_by_user.setdefault(r["user_id"], set()).add(r["used_on"])
    users, features = active("user_id", 28), active("feature", 28)
    power = [user for user, days in days_by_user.items() if len(days) >= 8]
    weeks = [used(7, 7 * week) for week in range(4)]
    seats = sum(line["seats"] or 0 for line in a.active())
    age = a.ago(a.started())
    by_feature = Counter[str]()
    for r in rows(180):
        if r["feature"] is not None:
            by_feature[code(r["feature"])] += amount([r])
    return {
        **{f"usage_{w}d": used(w) for w in (7, 28, 90, 180)},
        **{f"usage_ratio_{w}d": a.once_aged(2 * w, over(used(w), used(w, w))) for w in (7, 28, 90)},
        **{f"usage_trend_{w}d": a.once_aged(w, trend(w)) for w in (28, 90, 180)},
        "usage_vs_baseline_28d": a.once_aged(29, over(used(28) / 28, used(180) / min(age, 180))),
        "usage_volatility_28d": a.once_aged(28, pstdev(weeks) / mean(weeks) if any(weeks) else np.nan),
        **{f"active_days_{w}d": len(active("used_on", w)) for w in (7, 28, 90)},
        "active_days_ratio_28d": a.once_aged(56, over(len(active("used_on", 28)), len(active("used_on", 28, 28)))),
        "days_since_usage": min((a.ago(used_on) for used_on in active("used_on", 180)), default=np.nan),
        **{f"active_users_{w}d": len(active("user_id", w)) for w in (7, 28, 90)},
        "lapsed_users_28d": len(active("user_id", 90) - users),
        "active_users_kept_share": over(len(users & active("user_id", 90)), len(active("user_id", 90))),
        "power_users_28d": len(power),
        "power_user_share_28d": over(len(power), len(users)),
        "days_per_user_28d": over(sum(map(len, days_by_user.values())), len(users)),
        "user_days_28d": sum(map(len, days_by_user.values())),
        "usage_per_user_28d": over(used(28), len(users)),
        "usage_per_user_180d": over(used(180), len(active("user_id", 180))),
        "usage_per_active_day_28d": over(used(28), len(active("used_on", 28))),
        "usage_per_seat_28d": over(used(28), seats),
        **{f"features_used_{w}d": len(active("feature", w)) for w in (7, 28, 90)},
        "other_features_share_180d": over(
            sum(by_feature.values()) - max(by_feature.values(), default=0), sum(by_feature.values())
        ),
        "features_kept_share": over(len(features & active("feature", 90)), len(active("feature", 90))),
        "new_features_90d": len(active("feature", 90) - active("feature", 90, 90)),
        "new_features_28d": len(features - active("feature", 90, 28)),
        "seat_utilisation_28d": over(len(users), seats),
        "seat_utilisation_90d": over(len(active("user_id", 90)), seats),
    }


def csm_actions(a: Account) -> dict[str, Any]:
    def done(window: int, ending: int = 0, **more: Any) -> list[Row]:
        return a.events("csm_actions", window, ending, status=("done", None), **more)

    missed = {w: len(a.events("csm_actions", w, status=("missed",))) for w in (90, 180)}
    late = [(r["acted_on"] - r["planned_on"]).days for r in done(180) if r["planned_on"]]
    processes = ("onboarding", "expansion", "retention", "success_plan", "advocacy")
    goals = [r for r in a.rows["goals"] if r["milestone_of"] is None]
    reached = [r for r in goals if r["achieved_on"] and r["achieved_on"] < a.t]
    first_value = min((r["achieved_on"] for r in reached if r["horizon"] == "first_value"), default=None)
    return {
        **{f"csm_actions_{w}d": len(done(w)) for w in (28, 90, 180)},
        "csm_actions_ratio_90d": over(len(done(90)), len(done(90, 90))),
        "days_since_csm_action": a.since("csm_actions", status=("done", None)),
        **{f"csm_{p}_180d": len(done(180, process=(p,))) for p in processes},
        **{
            f"days_since_csm_{p}": a.since("csm_actions", status=("done", None), process=(p,))
            for p in ("retention", "success_plan")
        },
        "csm_playbooks_180d": len({r["playbook"] for r in done(180)} - {None}),
        **{f"csm_missed_{w}d": missed[w] for w in (90, 180)},
        "csm_delivered_share_180d": over(len(done(180)), len(done(180)) + missed[180]),
        "csm_on_time_share_180d": over(sum(days <= 0 for days in late), len(late)),
        "csm_days_late_180d": over(sum(late), len(late)),
        "first_value_reached": first_value is not None,
        "days_to_first_value": (first_value - a.started()).days if first_value else np.nan,
        "days_without_first_value": np.nan if first_value else a.ago(a.started()),
        "goals_reached": len(reached),
        "goals_reached_share": over(len(reached), len(goals)),
        "goals_reached_late": sum(r["due_on"] is not None and r["achieved_on"] > r["due_on"] for r in reached),
        "goals_overdue": sum(r["due_on"] is not None and r["due_on"] < a.t and r not in reached for r in goals),
    }


def success_plan(a: Account) -> dict[str, Any]:
    def overdue(side: str) -> float:
        tasks = [r for r in a.rows["goals"] if code(r["owner_side"]) == side and r["due_on"]]
        open_tasks = [r for r in tasks if r["due_on"] < a.t and not (r["achieved_on"] and r["achieved_on"] < a.t)]
        return over(len(open_tasks), len(tasks))

    def progress(r: Row) -> float:
        way = (r["current_value"] - r["baseline_value"]) / (r["target_value"] - r["baseline_value"])
        return np.floor(1000 * min(max(way, 0), 1) + 0.5) / 1000

    measured = [r for r in a.rows["goals"] if a.inside(r["updated_on"], 180) and r["baseline_value"] is not None]
    plan = ("pain", "impact", "decision_criteria", "critical_event")
    event = a.attributes["critical_event_on"]
    return {
        "days_to_critical_event": -a.ago(event) if event else np.nan,
        "customer_tasks_overdue_share": overdue("customer"),
        "vendor_tasks_overdue_share": overdue("vendor"),
        "value_reached_share": mean(map(progress, measured)) if measured else np.nan,
        "plan_completeness": sum(a.attributes[name] is not None for name in plan) / 4,
    }


MEETING = ("meeting", "qbr", "call")
SEVERE = ("3", "4", "high", "critical", "urgent")
DECIDERS = ("decision_maker", "executive_sponsor", "executive", "sponsor")


def engagement(a: Account) -> dict[str, Any]:
    def count(table: str, window: int, ending: int = 0, **equal: Any) -> int:
        return len(a.events(table, window, ending, **equal))

    return {
        **{f"engagement_{w}d": count("engagement", w) for w in (28, 90)},
        "engagement_ratio_90d": a.once_aged(180, over(count("engagement", 90), count("engagement", 90, 90))),
        "engaged_people_90d": len({r["contact_id"] for r in a.events("engagement", 90)} - {None}),
        "days_since_engagement": a.since("engagement"),
        "meetings_90d": count("engagement", 90, kind=MEETING),
        "meetings_ratio_90d": a.once_aged(
            180, over(count("engagement", 90, kind=MEETING), count("engagement", 90, 90, kind=MEETING))
        ),
        "days_since_meeting": a.since("engagement", kind=MEETING),
        "trainings_180d": count("engagement", 180, kind=("training", "webinar")),
        "community_180d": count("engagement", 180, kind=("community", "event", "self_help", "referral")),
        "referrals_365d": count("engagement", YEAR, kind=("referral",)),
        "self_help_180d": count("engagement", 180, kind=("self_help",)),
        "community_only_180d": count("engagement", 180, kind=("community",)),
        "events_180d": count("engagement", 180, kind=("event",)),
        "webinars_180d": count("engagement", 180, kind=("webinar",)),
        "references_365d": count("engagement", YEAR, kind=("reference",)),
        **{f"tickets_{w}d": count("tickets", w) for w in (28, 90)},
        "tickets_ratio_90d": a.once_aged(180, over(count("tickets", 90), count("tickets", 90, 90))),
        "severe_tickets_90d": count("tickets", 90, severity=SEVERE),
        "severe_ticket_share_180d": over(count("tickets", 180, severity=SEVERE), count("tickets", 180)),
        "days_since_ticket": a.since("tickets"),
        "surveys_365d": count("surveys", YEAR),
        "days_since_survey": a.since("surveys"),
        **support(a),
        **surveys(a),
        **people(a),
    }


def support(a: Account) -> dict[str, Any]:
    tickets = a.rows["tickets"]

    def hours(column: str, window: int) -> float:
        rows = [r for r in tickets if a.inside(r[column], window)]
        return over(sum((r[column] - r["opened_at"]).total_seconds() for r in rows) / 3600, len(rows))

    open_now = [r for r in tickets if r["resolved_at"] is None or day(r["resolved_at"]) >= a.t]
    return {
        "ticket_backlog": len(open_now),
        "severe_ticket_backlog": sum(code(r["severity"]) in SEVERE for r in open_now),
        "response_hours_90d": hours("first_response_at", 90),
        "resolution_hours_180d": hours("resolved_at", 180),
    }


def surveys(a: Account) -> dict[str, Any]:
    def newest(kind: str, **more: Any) -> list[float]:
        """Of answers of one day the one that became known later comes first, and then the lower."""
        answers = a.events("surveys", YEAR, kind=(kind,), **more)
        answers.sort(key=lambda r: (-r["responded_on"].toordinal(), -known("surveys", r).toordinal(), r["score"]))
        return [r["score"] for r in answers]

    def change(answers: list[float]) -> float:
        return answers[0] - answers[1] if len(answers) > 1 else np.nan

    number = {"churn": -2, "contract": -1, "renew": 0, "expand": 1}
    calls = sorted(
        a.events("calls", YEAR),
        key=lambda r: (-r["called_on"].toordinal(), -known("calls", r).toordinal(), number[r["outcome"]]),
    )
    decided = newest("nps", respondent_role=DECIDERS)
    return {
        **{f"{kind}_last": first(newest(kind)) for kind in ("nps", "csat", "ces")},
        **{f"{kind}_change": change(newest(kind)) for kind in ("nps", "csat")},
        "nps_decision_maker": first(decided),
        "nps_decision_maker_change": change(decided),
        "nps_detractors_180d": sum(r["score"] <= 6 for r in a.events("surveys", 180, kind=("nps",))),
        "last_call": first(number[r["outcome"]] for r in calls),
    }


def people(a: Account) -> dict[str, Any]:
    everyone = [r | {"role": code(r["role"]), "side": r["side"] or "customer"} for r in a.rows["contacts"]]
    present = [r for r in everyone if r["left_on"] is None or r["left_on"] >= a.t]

    def left(window: int, **equal: str) -> int:
        gone = [r for r in everyone if a.inside(r["left_on"], window)]
        return sum(all(r[name] == value for name, value in equal.items()) for r in gone)

    vendors = sum(r["side"] == "vendor" for r in present)
    customers = len(present) - vendors
    met = {r["contact_id"] for r in a.events("engagement", 90)}
    acted = {r["csm"] for r in a.events("csm_actions", 90) if r["status"] in (None, "done")}
    return {
        "champions": sum(r["role"] == "champion" for r in present),
        "sponsors": sum(r["role"] == "executive_sponsor" for r in present),
        "decision_makers": sum(r["role"] == "decision_maker" for r in present),
        "champions_left_90d": left(90, role="champion"),
        "champions_left_180d": left(180, role="champion"),
        "sponsors_left_180d": left(180, role="executive_sponsor"),
        "people_left_180d": left(180, side="customer"),
        "people_joined_180d": sum(a.inside(r["joined_on"], 180) for r in everyone if r["side"] == "customer"),
        "customer_contacts": customers,
        "vendor_contacts": vendors,
        "contact_redundancy": min(len(met - {None}), 3) + min(len(acted - {None}), 3),
    }


def relationship(a: Account) -> dict[str, Any]:
    customers = [r for r in a.rows["contacts"] if (r["side"] or "customer") != "vendor"]
    champions = [r for r in customers if code(r["role"]) == "champion"]
    users, ids = ({r[name] for r in champions} - {None} for name in ("user_id", "contact_id"))
    used = [r for r in a.events("usage", 180) if r["user_id"] in users]
    uses = [a.ago(r["used_on"]) for r in used if r["quantity"] is None or r["quantity"] > 0]
    met = [a.ago(r["happened_on"]) for r in a.events("engagement", 180) if r["contact_id"] in ids]
    everyone = [r for r in a.rows["contacts"] if code(r["role"]) == "champion"]
    present = [r for r in everyone if r["left_on"] is None or r["left_on"] >= a.t]
    recent = amount([r for r in used if a.ago(r["used_on"]) <= 28])
    sponsors = [r for r in customers if code(r["role"]) == "executive_sponsor" and a.inside(r["joined_on"], 90)]
    department = {r["contact_id"]: code(r["department"]) for r in customers}
    active = {department.get(r["contact_id"]) for r in a.events("engagement", 90)} - {None}
    sent = [r for r in a.sent if a.inside(r["sent_on"], 180) and code(r["respondent_role"]) in DECIDERS]
    answered = [r for r in a.events("surveys", 180, respondent_role=DECIDERS) if r["sent_on"]]
    return {
        "champion_days_since_use": min(uses, default=np.nan),
        "champion_days_since_contact": min(met, default=np.nan),
        "champion_silent_60d": bool(present) and min([*uses, *met], default=YEAR) > 60,
        "champion_usage_vs_baseline_28d": a.once_aged(
            29, over(recent / 28, amount(used) / min(a.ago(a.started()), 180))
        ),
        "new_sponsors_90d": a.once_aged(90, len(sponsors)),
        "departments_active_90d": len(active),
        "deciders_unanswered_180d": max(len(sent) - len(answered), 0),
        "score_gap_365d": nps_of(a, ("user", "champion")) - nps_of(a, DECIDERS),
    }


def nps_of(a: Account, roles: tuple[str, ...]) -> float:
    scores = [r["score"] for r in a.events("surveys", YEAR, kind=("nps",), respondent_role=roles)]
    return mean(scores) if scores else np.nan


ATTRIBUTES = (
    "segment", "industry", "region", "touch_model", "fit", "use_case",
    "technical_fit", "functional_fit", "experience_fit", "support_fit", "buy_in_fit",
)  # fmt: skip


def contract_history(a: Account) -> dict[str, Any]:
    active, arr = a.active(), a.arr()
    ends = min((a.end(line) for line in active if a.end(line)), default=None)
    due = [line for line in active if ends and a.end(line) == ends]
    overdue = [a.ago(line["ends_on"]) for line in active if a.silent(line) and line["ends_on"] <= a.t]
    signed = [(x["starts_on"], a.until[x["contract_id"]]) for x in a.lines if a.t < x["starts_on"]]
    seats = [line["seats"] for line in active if line["seats"] is not None]
    paid, before = sum(seats) if seats else np.nan, sum(line["seats"] or 0 for line in a.active(180))
    listed = [line for line in active if line["list_mrr"]]
    list_arr = sum(a.arr_of(line | {"mrr": line["list_mrr"]}) for line in listed)
    return {
        "tenure_days": a.ago(a.started()),
        "tenure_phase": phase(a, ends),
        "term_days": max((a.term_days(line) for line in due if line["ends_on"]), default=np.nan),
        "days_to_term_end": -a.ago(ends) if ends else np.nan,
        "due_share": over(sum(map(a.arr_of, due)), arr),
        "overdue_days": max(overdue, default=0),
        "notice_given": any(line["notice_on"] for line in active),
        "notice_share": a.arr_where(lambda line: line["notice_on"] is not None) / arr,
        "presigned": ends is not None
        and any(start < until and start <= ends + timedelta(days=GRACE) and until > ends for start, until in signed),
        "evergreen_share": a.arr_where(lambda line: a.end(line) is None) / arr,
        "auto_renew_share": a.arr_where(lambda line: line["auto_renew"] is True) / arr,
        "due_soon_share": a.arr_where(lambda line: a.end(line) is not None and -a.ago(a.end(line)) <= 90) / arr,
        "arr_change_180d": over(arr - a.arr(180), a.arr(180)),
        "arr_change_365d": over(arr - a.arr(YEAR), a.arr(YEAR)),
        "arr_vs_level_365d": over(arr, mean([a.arr(days_ago) for days_ago in range(1, a.days_there(YEAR) + 1)] or [0])),
        "seats_change_180d": over(paid - before, before),
        "discount": 1 - sum(map(a.arr_of, listed)) / list_arr if listed else np.nan,
        "arr_per_seat": arr / paid,
        "arr": arr,
        "lines": len(active),
        "products": len({line["product"] for line in active}),
        "buying_centers": len({line["buying_center"] for line in active}),
        "seats": paid,
        "potential_used_share": paid / (a.attributes["potential_seats"] or np.nan),
        **changes(a),
        **{name: a.attributes[name] for name in ATTRIBUTES},
    }


def phase(a: Account, ends: date | None) -> str:
    tenure = a.ago(a.started())
    if tenure < 90:
        return "honeymoon"
    if renewals(a) == 0 and ends is not None and -a.ago(ends) <= 120:
        return "first renewal cliff"
    return "reality trough" if tenure < YEAR else "established"


def renewals(a: Account) -> int:
    return sum(line["kind"] == "renewal" and line["starts_on"] <= a.t for line in a.lines)


def changes(a: Account) -> dict[str, Any]:
    grows = ("upsell", "cross_sell")
    begun: dict[str, list[int]] = {"expansion": [], "contraction": [], "price_rise": [], "late": []}
    for line, step, late in a.steps():
        what = {
            "expansion": line["kind"] in grows or (step > 0 and line["kind"] != "price_change"),
            "contraction": line["kind"] == "downsell" or (step < 0 and line["kind"] not in grows),
            "price_rise": line["kind"] == "price_change" and step > 0,
            "late": late,
        }
        for name in (name for name, happened in what.items() if happened):
            begun[name].append(a.ago(line["starts_on"]))
    return {
        "renewals_to_date": renewals(a),
        "late_renewals": len(begun["late"]),
        **{f"{name}s_365d": sum(d < YEAR for d in begun[name]) for name in ("expansion", "contraction", "price_rise")},
        **{
            f"days_since_{name}": min(begun[name], default=np.nan)
            for name in ("expansion", "contraction", "price_rise")
        },
    }


RANKED = {
    "usage_peer_rank_28d": "usage_28d",
    "seat_utilisation_peer_rank_28d": "seat_utilisation_28d",
    "arr_peer_rank": "arr",
}


def ranked(rows: list[Row]) -> None:
    """Adds the share of the other accounts of the segment, at the same date, that have less."""
    for row in rows:
        for rank, of in RANKED.items():
            others = [
                r[of] for r in rows if r is not row and r["as_of"] == row["as_of"]
                and r["segment"] == row["segment"] and not pd.isna(r[of])
            ]  # fmt: skip
            known_one = row["segment"] is not None and not pd.isna(row[of]) and others
            row[rank] = sum(other < row[of] for other in others) / len(others) if known_one else np.nan


FAMILIES = (usage, csm_actions, success_plan, engagement, relationship, contract_history)


@pytest.fixture(scope="module")
def slow(company: dict[str, list[Row]]) -> pd.DataFrame:
    rows: list[Row] = []
    for t in DATES:
        for account in sorted({row["account_id"] for row in company["accounts"]}):
            seen = Account(company, account, t)
            if seen.lines and seen.arr() > 0:
                rows.append({"account_id": account, "as_of": pd.Timestamp(t)})
                for family in FAMILIES:
                    rows[-1] |= family(seen)
    ranked(rows)
    return pd.DataFrame(rows)


def snapshots(tables: Any) -> pd.DataFrame:
    defaults = params.load()
    settings = {"revenue": defaults.revenue, "settings": defaults.snapshots}
    return build(tables, DATES, **settings, budget=Budget(2, 0.5)).frame


@pytest.fixture(scope="module")
def fast(company_tables: Any) -> pd.DataFrame:
    return snapshots(company_tables)


def differs(feature: Any, slow: pd.DataFrame, fast: pd.DataFrame) -> str:
    """In what a feature of the engine is not that of the slow loop; empty if in nothing."""
    keys, name = ["account_id", "as_of"], feature.name
    expected = slow[[*keys, name]].astype({name: "object" if feature.kind == "category" else "float64"})
    found = fast[[*keys, name]].astype({name: expected[name].dtype})
    try:
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=False, rtol=1e-9, atol=1e-9)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("feature", catalogue.FEATURES, ids=lambda feature: feature.name)
def test_a_feature_equals_the_slow_loop(feature: Any, slow: pd.DataFrame, fast: pd.DataFrame) -> None:
    assert slow[feature.name].nunique(dropna=False) > 1, "it never varies, so the comparison shows nothing"
    assert not differs(feature, slow, fast)


# What a wrong engine emits: old and new text, the feature it spoils, and what marks the statements meant.
WRONG = {
    "oldest day of a user": ("MIN(p.reach)", "MAX(p.reach)", "active_users_28d"),
    "users count once a day": ("a.thing, p.k", "a.thing, p.k, p.reach", "active_users_28d", r"MIN\(p\.reach\)"),
    "days count once a word": ("CAST(BIT_COUNT(BIT_OR(days", "CAST(SUM(BIT_COUNT(days", "active_days_28d"),
    "days of other slices taken for the same": (
        "s.days >> CAST(p.shift", "s.days >> CAST(0 * p.shift", "active_days_28d",
    ),
    "newest day of a slice taken for its last": ("BIT_COUNT((days & -days) - 1)", "0", "days_since_usage"),
    "days not shifted": ("a.days >> CAST(p.shift", "a.days >> CAST(0 * p.shift", "days_per_user_28d"),
    "days of one arrival only": ("BIT_OR(a.days >>", "MAX(a.days >>", "days_per_user_28d"),
    "days counted back from another day": ("s.t AS kv_t", "s.t - 5 AS kv_t", "days_per_user_28d"),
    "one word for all bits": ("FLOOR((place - 1)", "FLOOR(0 * (place - 1)", "features_used_90d"),
    "words thrown together": ("GROUP BY account_id, k, word", "GROUP BY account_id, k", "features_used_90d"),
    "no feature taken for one": (" AND e.feature IS NOT NULL", "", "features_used_90d"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_engine_differs_from_the_slow_loop(
    emitted: Any, company_tables: Any, slow: pd.DataFrame, wrong: str
) -> None:
    old, new, spoilt, *within = WRONG[wrong]
    emitted.replace(old, new, within="".join(within))
    feature = next(feature for feature in catalogue.FEATURES if feature.name == spoilt)
    assert differs(feature, slow, snapshots(company_tables))


def test_the_shortcut_for_snapshots_far_apart_differs_where_they_lie_close(
    monkeypatch: pytest.MonkeyPatch, company_tables: Any, slow: pd.DataFrame
) -> None:
    monkeypatch.setattr(AsOf, "shortest_gap", 28)
    feature = next(feature for feature in catalogue.FEATURES if feature.name == "power_users_28d")
    assert differs(feature, slow, snapshots(company_tables))


def test_the_rows_that_make_it_hard_are_there(company: dict[str, list[Row]], slow: pd.DataFrame) -> None:
    assert len(slow) > 60
    assert len({code(row["feature"]) for row in company["usage"]}) > 60  # more than the bits of one whole number
    assert len([day for day, later in pairwise(DATES) if (later - day).days < 28]) > 3
    late = [row for row in company["usage"] if number(known("usage", row)) > number(row["used_on"])]
    assert len(late) > 50
    assert slow["power_users_28d"].max() >= 2
    together = Counter((row["account_id"], row["user_id"], row["recorded_at"]) for row in late if row["user_id"])
    assert max(together.values()) > 2  # arrive on one day, happened on several
    assert slow["arr_peer_rank"].isna().any()


def number(happened: date) -> int:
    """How many snapshots lie on or before a day."""
    return sum(t <= happened for t in DATES)
