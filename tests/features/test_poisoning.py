"""What becomes known later must not change a snapshot: the later is poisoned, and no bit may move.

Every row not yet known at `t` is deleted, or replaced by garbage, and more are added; every column that a source
fills in later on a row already known is filled in with something else. Each of the mutants below is a leak that
has been seen in the field; a mutant that this does not catch would mean that the proof proves nothing.
"""

import copy
from bisect import bisect_left
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from features import asof, usage
from features.asof import AsOf

Rows = dict[str, list[dict[str, Any]]]
DATES = [date(2022, 11, 3), date(2023, 5, 1), date(2023, 9, 30), date(2024, 2, 29), date(2024, 3, 1)]
LEAK_DATE = DATES[2]
EVENT_DAY = {
    "accounts": "valid_from", "contracts": "signed_on", "usage": "used_on", "csm_actions": "acted_on",
    "goals": "set_on", "engagement": "happened_on", "tickets": "opened_at", "surveys": "responded_on",
    "contacts": "joined_on", "calls": "called_on",
}  # fmt: skip
FILLED_LATER = {
    "contracts": ("notice_on", "ended_on"), "goals": ("achieved_on",), "contacts": ("left_on",),
    "tickets": ("first_response_at", "resolved_at"),
}  # fmt: skip
GARBAGE: dict[str, Any] = {
    "quantity": 1e6, "score": 0.5, "mrr": 99_999, "list_mrr": 1, "seats": 1, "status": "missed", "kind": "meeting",
    "severity": "4", "process": "retention", "role": "champion", "side": "vendor", "outcome": "churn",
    "segment": "poison", "technical_fit": -1.0, "user_id": "nobody", "feature": "nothing", "playbook": "none",
    "name": "poison", "respondent_role": "decision_maker", "horizon": "first_value", "currency": None,
}  # fmt: skip


def day(value: Any) -> date | None:
    return None if value is None else pd.Timestamp(value).date()


def event_day(table: str, row: dict[str, Any]) -> date:
    return day(row[EVENT_DAY[table]] or row.get("starts_on"))


def is_known(table: str, row: dict[str, Any], t: date) -> bool:
    """A contract is known from its signature on, however late it starts; any other row once it has happened."""
    known = day(row["recorded_at"]) or event_day(table, row)
    return known < t and (table == "contracts" or event_day(table, row) < t)


def spoil(table: str, row: dict[str, Any], t: date) -> dict[str, Any]:
    """Garbage in a row not yet known; where its recorded day alone hides it, it is also dated back."""
    garbage = {name: value for name, value in GARBAGE.items() if name in row}
    if table in ("surveys", "contracts"):
        garbage["kind"] = {"surveys": "nps", "contracts": "price_change"}[table]
    if row["recorded_at"] is not None and day(row["recorded_at"]) >= t and table != "contracts":
        garbage[EVENT_DAY[table]] = t - timedelta(days=20)
    return row | garbage


def fill_in(table: str, row: dict[str, Any], t: date) -> dict[str, Any]:
    """Another later value in each column that is filled in later."""
    filled = dict(row)
    gave_notice = table == "contracts" and row["notice_on"] is not None and row["notice_on"] < t
    for days, column in enumerate(FILLED_LATER.get(table, ())):
        if (row[column] is None or day(row[column]) >= t) and not gave_notice:
            filled[column] = t + timedelta(days=days * 3)
    return filled


def added(table: str, rows: list[dict[str, Any]], t: date) -> list[dict[str, Any]]:
    """Copies of rows, known only from `t` on: some happened before, some on the day itself."""
    copies = []
    for number, row in enumerate(rows[::3]):
        copy_ = spoil(table, row | {"recorded_at": t + timedelta(days=number % 2)}, t)
        if table == "contracts" and number % 2:
            copy_["contract_id"] = f"new {number}"
        if table == "contacts":
            copy_["contact_id"] = f"new {number}"
        if table not in ("contracts", "accounts") and number % 2:
            copy_ |= {"recorded_at": None, EVENT_DAY[table]: t}
        copies.append(copy_)
    return copies


def poisoned(rows: Rows, t: date) -> Rows:
    later = {}
    for table in EVENT_DAY:
        known = [fill_in(table, row, t) for row in rows[table] if is_known(table, row, t)]
        unknown = [spoil(table, row, t) for row in rows[table] if not is_known(table, row, t)]
        later[table] = known + unknown + added(table, rows[table], t)
    rates = [row | {"rate": row["rate"] if row["month"] <= t else 77.0} for row in rows["fx_rates"]]
    return later | {"fx_rates": rates}


def truncated(rows: Rows, t: date) -> Rows:
    """Nothing but what was known, and nothing filled in later."""
    kept: Rows = {}
    for table in EVENT_DAY:
        kept[table] = [copy.copy(row) for row in rows[table] if is_known(table, row, t)]
        for row in kept[table]:
            early = table == "contracts" and row["notice_on"] is not None and row["notice_on"] < t
            late = [c for c in FILLED_LATER.get(table, ()) if row[c] is not None and day(row[c]) >= t and not early]
            row.update(dict.fromkeys(late))
    return kept | {"fx_rates": [row for row in rows["fx_rates"] if row["month"] <= t]}


@pytest.fixture
def same_after(
    company: Rows, checked: Callable[[Rows], Any], snapshots_of: Callable[..., Any]
) -> Callable[[Callable[[Rows, date], Rows], date], bool]:
    """Whether the snapshots up to `t` are bit for bit the same after a change of what is known from `t` on.

    Later snapshots are made in the same run, so that nothing they see may seep into the earlier ones.
    """

    def up_to(t: date, rows: Rows) -> pd.DataFrame:
        frame = snapshots_of(checked(rows), DATES).frame
        return frame[frame["as_of"] <= pd.Timestamp(t)]

    return lambda change, t: up_to(t, company).equals(up_to(t, change(company, t)))


@pytest.mark.parametrize("t", DATES[:-1])
@pytest.mark.parametrize("change", [poisoned, truncated])
def test_what_becomes_known_later_changes_nothing(
    same_after: Callable[..., bool], change: Callable[[Rows, date], Rows], t: date
) -> None:
    assert same_after(change, t)


def rewrite(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, old: str, new: str) -> list[str]:
    """In the SQL that a function emits, `old` becomes `new`; gives the texts that held it."""
    sound, found = getattr(owner, name), []

    def leaky(*args: Any, **kwargs: Any) -> str:
        sql: str = sound(*args, **kwargs)
        if old in sql:
            found.append(sql)
        return sql.replace(old, new)

    monkeypatch.setattr(owner, name, leaky)
    return found


@pytest.mark.parametrize(
    ("owner", "name", "old", "new"),
    [
        pytest.param(AsOf, "_known_day", "CAST(recorded_at AS DATE)", "CAST(NULL AS DATE)", id="late rows back-dated"),
        pytest.param(AsOf, "events", "ELSE b.k END AS kv", "ELSE a.k END AS kv", id="arrival ignored"),
        pytest.param(usage, "window_sums", "p.k >= s.kv", "TRUE", id="tiles spread before they arrived"),
        pytest.param(
            AsOf, "contracts", "v.ended + 0 < c.t OR v.notice + 0 < c.t", "TRUE", id="end shown before it came"
        ),
        pytest.param(
            AsOf, "contracts", "CASE WHEN v.notice + 0 < c.t THEN v.notice END", "v.notice", id="notice shown early"
        ),
        pytest.param(
            AsOf,
            "contracts",
            "c.k >= v.kv AND (v.next_kv IS NULL OR c.k < v.next_kv)",
            "v.next_kv IS NULL",
            id="final contract versions",
        ),
        pytest.param(
            AsOf, "_contract_rows", "CAST(recorded_at AS DATE)", "CAST(NULL AS DATE)", id="corrections back-dated"
        ),
        pytest.param(AsOf, "attributes", "v.known_day < c.t", "TRUE", id="attributes not yet known"),
        pytest.param(
            AsOf, "attributes", "v.valid_day < c.t AND v.known_day < c.t", "TRUE", id="attributes not yet in force"
        ),
        pytest.param(AsOf, "rates", "<= c.t", "<= c.t + 999", id="rates of later months"),
    ],
)
def test_a_leak_is_caught(
    monkeypatch: pytest.MonkeyPatch, same_after: Callable[..., bool], owner: Any, name: str, old: str, new: str
) -> None:
    found = rewrite(monkeypatch, owner, name, old, new)
    assert not same_after(poisoned, LEAK_DATE)
    assert found, f"{name} no longer emits {old!r}: rewrite the mutant"


@pytest.mark.parametrize("column", ["first_response_at", "resolved_at", "achieved_on", "left_on"])
def test_a_column_filled_in_later_but_dated_by_its_row_is_caught(
    monkeypatch: pytest.MonkeyPatch, same_after: Callable[..., bool], column: str
) -> None:
    sound = AsOf.events

    def ungated(self: AsOf, table: str, columns: Any = (), *, day: str | None = None, where: str = "TRUE") -> str:
        if day is not None and column in day:
            return sound(self, table, columns, where=f"{where} AND {column} IS NOT NULL")
        return sound(self, table, columns, day=day, where=where)

    monkeypatch.setattr(AsOf, "events", ungated)
    assert not same_after(poisoned, LEAK_DATE)


def test_a_snapshot_that_sees_its_own_day_is_caught(
    monkeypatch: pytest.MonkeyPatch, same_after: Callable[..., bool]
) -> None:
    monkeypatch.setattr(asof, "bisect_right", bisect_left)
    assert not same_after(poisoned, LEAK_DATE)
