"""The engine against a slow loop in plain Python that shares no code with it."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

DATES = [date(2022, 9, 14), date(2023, 6, 1), date(2023, 10, 31), date(2024, 2, 29), date(2024, 3, 1)]
GRACE = 30
Row = dict[str, Any]
EVENT_DAY = {
    "usage": "used_on", "csm_actions": "acted_on", "goals": "set_on", "engagement": "happened_on",
    "tickets": "opened_at", "surveys": "responded_on", "contacts": "joined_on", "calls": "called_on",
}  # fmt: skip


def day(value: Any) -> date | None:
    return None if value is None else pd.Timestamp(value).date()


def known(table: str, row: Row) -> date:
    return day(row["recorded_at"]) or day(row[EVENT_DAY[table]])


class Account:
    """What one account looked like at one date, computed the long way."""

    def __init__(self, rows: dict[str, list[Row]], account: str, t: date) -> None:
        self.t = t
        mine = {name: [r for r in table if r.get("account_id") == account] for name, table in rows.items()}
        self.rows = {
            name: [r for r in mine[name] if known(name, r) < t and day(r[EVENT_DAY[name]]) < t] for name in EVENT_DAY
        }
        self.lines = self.known_lines(mine["contracts"])
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
        return [r for r in found if all(r[name] in options for name, options in equal.items())]

    def since(self, table: str, **equal: Any) -> float:
        found = self.events(table, window=365, **equal)
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

    def silent(self, line: Row) -> bool:
        return line["ended_on"] is None and line["notice_on"] is None and line["ends_on"] is not None

    def active_until(self, line: Row) -> date:
        end = self.end(line)
        if end is None:
            return date.max
        if not self.silent(line):
            return end
        grace = end + timedelta(days=GRACE)
        followers = [
            s["starts_on"] for s in self.lines
            if s is not line and s["product"] == line["product"] and end <= s["starts_on"] <= grace
            and (self.end(s) is None or self.end(s) > s["starts_on"])
        ]  # fmt: skip
        return min(followers, default=grace)

    def active(self, at: date | None = None) -> list[Row]:
        at = at or self.t
        return [line for line in self.lines if line["starts_on"] <= at < self.active_until(line)]

    def arr_of(self, line: Row) -> float:
        cents = 12 * line["mrr"] * 100 * self.rate[line["currency"]]
        return int(cents + 0.5) / 100  # half a cent goes up

    def arr(self, days_ago: int = 0) -> float:
        return sum(self.arr_of(line) for line in self.active(self.t - timedelta(days=days_ago)))

    def changes(self) -> list[tuple[str, int]]:
        """Kind and step of MRR of the main product's lines that began in the last 365 days."""
        begun = sorted(
            (line for line in self.lines if line["starts_on"] <= self.t and line["product"] == "main"),
            key=lambda line: line["starts_on"],
        )
        steps = [("new", 0)] + [
            (line["kind"], line["mrr"] - before["mrr"] if self.active_until(before) >= line["starts_on"] else 0)
            for before, line in pairwise(begun)
        ]
        steps = [step for step, line in zip(steps, begun, strict=False) if self.ago(line["starts_on"]) < 365]
        return steps + [
            ("cross_sell", 0) for line in self.lines
            if line["product"] == "side" and 0 <= self.ago(line["starts_on"]) < 365
        ]  # fmt: skip

    def in_force(self, rows: list[Row]) -> Row:
        seen = [r for r in rows if r["valid_from"] < self.t and (r["recorded_at"] or date.min) < self.t]
        return max(seen, key=lambda r: r["valid_from"])


def over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else np.nan


def usage(a: Account) -> dict[str, Any]:
    def used(window: int, ending: int = 0) -> float:
        return sum(1 if r["quantity"] is None else r["quantity"] for r in a.events("usage", window, ending))

    def active(column: str, window: int, ending: int = 0) -> set[Any]:
        rows = [r for r in a.events("usage", window, ending) if r["quantity"] is None or r["quantity"] > 0]
        return {r[column].lower() if isinstance(r[column], str) else r[column] for r in rows} - {None}

    daily = np.zeros(90)
    for r in a.events("usage", 90):
        daily[90 - a.ago(r["used_on"])] += 1 if r["quantity"] is None else r["quantity"]
    seats = sum(line["seats"] or 0 for line in a.active())
    return {
        "usage_28d": used(28),
        "usage_ratio_90d": over(used(90), used(90, 90)),
        "usage_vs_baseline_28d": over(used(28) / 28, used(180) / 180),
        "usage_trend_90d": np.polyfit(range(90), daily, 1)[0] * 90 / daily.mean() if daily.sum() else np.nan,
        "active_days_90d": len(active("used_on", 90)),
        "active_days_ratio_28d": over(len(active("used_on", 28)), len(active("used_on", 28, 28))),
        "active_users_28d": len(active("user_id", 28)),
        "lapsed_users_28d": len(active("user_id", 90) - active("user_id", 28)),
        "features_used_90d": len(active("feature", 90)),
        "new_features_90d": len(active("feature", 90) - active("feature", 90, 90)),
        "days_since_usage": min((a.ago(used_on) for used_on in active("used_on", 180)), default=np.nan),
        "seat_utilisation_28d": over(len(active("user_id", 28)), seats),
        "usage_per_user_28d": over(used(28), len(active("user_id", 28))) if a.events("usage", 28) else np.nan,
    }


def csm_actions(a: Account) -> dict[str, Any]:
    done = a.events("csm_actions", 180, status=("done", None))
    missed = a.events("csm_actions", 180, status=("missed",))
    late = [(r["acted_on"] - r["planned_on"]).days for r in done if r["planned_on"]]
    reached = [r for r in a.rows["goals"] if r["achieved_on"] and r["achieved_on"] < a.t]
    first = min((r["achieved_on"] for r in reached if r["horizon"] == "first_value"), default=None)
    begun = min(line["starts_on"] for line in a.lines)
    since = min(begun, a.attributes["customer_since"] or begun)
    return {
        "csm_actions_90d": len(a.events("csm_actions", 90, status=("done", None))),
        "csm_missed_90d": len(a.events("csm_actions", 90, status=("missed",))),
        "csm_delivered_share_180d": over(len(done), len(done) + len(missed)),
        "csm_success_plan_180d": sum(r["process"] == "Success Plan" for r in done),
        "csm_playbooks_180d": len({r["playbook"] for r in done} - {None}),
        "csm_days_late_180d": over(sum(late), len(late)),
        "days_since_csm_action": a.since("csm_actions", status=("done", None)),
        "goals_reached": len(reached),
        "first_value_reached": first is not None,
        "days_to_first_value": (first - since).days if first else np.nan,
        "goals_overdue": sum(
            r["due_on"] is not None and r["due_on"] < a.t and r not in reached for r in a.rows["goals"]
        ),
    }


def engagement(a: Account) -> dict[str, Any]:
    tickets = a.rows["tickets"]
    answered = [r for r in tickets if a.inside(r["first_response_at"], 90)]
    solved = [r for r in tickets if r["resolved_at"] is not None and day(r["resolved_at"]) < a.t]
    waited = sum((r["first_response_at"] - r["opened_at"]).total_seconds() for r in answered)
    present = [r for r in a.rows["contacts"] if r["left_on"] is None or r["left_on"] >= a.t]
    vendors = sum(r["side"] == "vendor" for r in present)
    left = [r for r in a.rows["contacts"] if a.inside(r["left_on"], 180)]
    nps = newest(a, kind=("nps",))
    return {
        "engagement_90d": len(a.events("engagement", 90)),
        "meetings_90d": len(a.events("engagement", 90, kind=("meeting",))),
        "days_since_meeting": a.since("engagement", kind=("meeting",)),
        "engaged_people_90d": len({r["contact_id"] for r in a.events("engagement", 90)} - {None}),
        "tickets_90d": len(a.events("tickets", 90)),
        "severe_tickets_90d": len(a.events("tickets", 90, severity=("4", "high"))),
        "ticket_backlog": len(tickets) - len(solved),
        "response_hours_90d": over(waited / 3600, len(answered)),
        "nps_last": nps[0] if nps else np.nan,
        "nps_change": nps[0] - nps[1] if len(nps) > 1 else np.nan,
        "nps_decision_maker": next(iter(newest(a, kind=("nps",), respondent_role=("decision_maker",))), np.nan),
        "days_since_survey": a.since("surveys") if a.since("surveys") <= 365 else np.nan,
        "champions": sum(r["role"] == "champion" for r in present),
        "champions_left_180d": sum(r["role"] == "champion" for r in left),
        "contact_redundancy": min(vendors, 3) * min(len(present) - vendors, 3),
        "last_call": next(iter(calls(a)), np.nan),
    }


def newest(a: Account, **equal: Any) -> list[float]:
    answers = a.events("surveys", 365, **equal)
    answers.sort(key=lambda r: (-r["responded_on"].toordinal(), -known("surveys", r).toordinal(), r["score"]))
    return [r["score"] for r in answers]


def calls(a: Account) -> list[int]:
    number = {"churn": -2, "contract": -1, "renew": 0, "expand": 1}
    found = a.events("calls", 365)
    found.sort(key=lambda r: (-r["called_on"].toordinal(), -known("calls", r).toordinal(), number[r["outcome"]]))
    return [number[r["outcome"]] for r in found]


def contract_history(a: Account) -> dict[str, Any]:
    active = a.active()
    ends = min((a.end(line) for line in active if a.end(line)), default=None)
    due = [line for line in active if ends and a.end(line) == ends]
    overdue = [a.ago(line["ends_on"]) for line in active if a.silent(line) and line["ends_on"] <= a.t]
    listed = [line for line in active if line["list_mrr"]]
    list_arr = sum(a.arr_of(line | {"mrr": line["list_mrr"]}) for line in listed)
    signed = [line["starts_on"] for line in a.lines if line["starts_on"] > a.t and a.active_until(line) > a.t]
    seats = [line["seats"] for line in active if line["seats"] is not None]
    steps = a.changes()
    grows = ("upsell", "cross_sell")
    return {
        "arr": a.arr(),
        "term_days": max(((x["ends_on"] - x["starts_on"]).days for x in due if x["ends_on"]), default=np.nan),
        "due_share": over(sum(map(a.arr_of, due)), a.arr()),
        "days_to_term_end": -a.ago(ends) if ends else np.nan,
        "overdue_days": max(overdue, default=0),
        "notice_given": any(line["notice_on"] for line in active),
        "presigned": ends is not None and any(ends <= s <= ends + timedelta(days=GRACE) for s in signed),
        "evergreen_share": sum(a.arr_of(line) for line in active if a.end(line) is None) / a.arr(),
        "discount": 1 - sum(map(a.arr_of, listed)) / list_arr if listed else np.nan,
        "renewals_to_date": sum(line["kind"] == "renewal" and line["starts_on"] <= a.t for line in a.lines),
        "expansions_365d": sum(k in grows or (step > 0 and k != "price_change") for k, step in steps),
        "contractions_365d": sum(k == "downsell" or (step < 0 and k not in grows) for k, step in steps),
        "price_rises_365d": sum(k == "price_change" and step > 0 for k, step in steps),
        "arr_change_180d": over(a.arr() - a.arr(180), a.arr(180)),
        "lines": len(active),
        "seats": sum(seats) if seats else np.nan,
        "segment": a.attributes["segment"],
        "technical_fit": a.attributes["technical_fit"],
    }


@pytest.mark.parametrize("family", [usage, csm_actions, engagement, contract_history])
def test_family_equals_the_slow_loop(
    family: Callable[[Account], dict[str, Any]],
    company: dict[str, list[Row]],
    checked: Callable[..., Any],
    snapshots_of: Callable[..., Any],
) -> None:
    frame = snapshots_of(checked(company), DATES).frame
    expected: list[Row] = []
    for t in DATES:
        for account in sorted({row["account_id"] for row in company["accounts"]}):
            seen = Account(company, account, t)
            if seen.lines and seen.arr() > 0:
                expected.append({"account_id": account, "as_of": pd.Timestamp(t), **family(seen)})
    slow = pd.DataFrame(expected)
    assert len(slow) > 25
    for name in slow.columns.drop(["account_id", "as_of"]):
        values = slow[name] if name == "segment" else slow[name].astype("float64")
        assert values.nunique(dropna=False) > 1, f"{name} never varies, so the comparison shows nothing"
    pd.testing.assert_frame_equal(frame[slow.columns], slow, check_dtype=False, check_exact=False, rtol=1e-9, atol=1e-9)
