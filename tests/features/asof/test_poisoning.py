"""What becomes known later must not change a snapshot: the later is poisoned, and no bit may move.

Every row not yet known at `t` is deleted, or replaced by garbage, and more are added; every column that a source
fills in later on a row already known is filled in with something else. Labels are held to the same: nothing known
too late, nothing that happened after their window. Each of the mutants below is a leak that has been seen in the
field or that the engine's own shortcuts invite; one that this does not catch would mean that the proof proves nothing.
"""

import copy
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params
from features.families import catalogue
from features.inputs.load import load_tables
from features.revenue import cohort_paths
from features.snapshots.building import build
from features.tables.checked import Tables
from params import Budget

Rows = dict[str, list[dict[str, Any]]]
DATES = [
    date(2022, 11, 3),
    date(2023, 5, 1),
    date(2023, 10, 8),
    date(2023, 10, 19),
    date(2024, 2, 29),
    date(2024, 3, 1),
]
LEAK_DATE = DATES[2]
LEAK_DATES = DATES[1:4]  # one before, and one after it whose rows might seep in
EVENT_DAY = {
    "accounts": "valid_from", "contracts": "signed_on", "usage": "used_on", "csm_actions": "acted_on",
    "goals": "set_on", "engagement": "happened_on", "tickets": "opened_at", "surveys": "responded_on",
    "contacts": "joined_on", "calls": "called_on",
}  # fmt: skip
FILLED_LATER = {
    "contracts": ("notice_on", "ended_on"), "goals": ("achieved_on", "updated_on"), "contacts": ("left_on",),
    "tickets": ("first_response_at", "resolved_at"),
}  # fmt: skip
GARBAGE: dict[str, Any] = {
    "quantity": 1e6, "score": 0.5, "mrr": 99_999, "list_mrr": 1, "seats": 1, "status": "missed", "kind": "meeting",
    "severity": "4", "process": "retention", "role": "champion", "side": "vendor", "outcome": "churn",
    "segment": "poison", "technical_fit": -1.0, "user_id": "nobody", "feature": "nothing", "playbook": "none",
    "name": "poison", "respondent_role": "decision_maker", "horizon": "first_value", "currency": None,
    "parent_account_id": "group 0", "owner_side": "customer", "milestone_of": None, "department": "poison",
    "baseline_value": 1.0, "target_value": 2.0, "use_case": "poison", "pain": "poison", "potential_seats": 1,
    "critical_event_on": date(2020, 1, 1),
}  # fmt: skip


def day(value: Any) -> date | None:
    return None if value is None else pd.Timestamp(value).date()


def event_day(table: str, row: dict[str, Any]) -> date:
    waits = date.max if table == "surveys" else date.min  # for an answer; others have happened before anything
    return day(row[EVENT_DAY[table]] or row.get("starts_on")) or waits


def is_opened(row: dict[str, Any], t: date) -> bool:
    """A survey that was sent is there before its answer, from its record on as any row."""
    sent = day(row["sent_on"])
    return sent is not None and sent < t and (day(row["recorded_at"]) or sent) < t


def waits(table: str, row: dict[str, Any], t: date) -> bool:
    """A survey that was sent and whose answer is not known yet."""
    known = day(row["recorded_at"]) or event_day(table, row)
    return table == "surveys" and is_opened(row, t) and not (known < t and event_day(table, row) < t)


def is_known(table: str, row: dict[str, Any], t: date) -> bool:
    """A contract is known from its signature on, however late it starts; any other row once it has happened."""
    if table == "surveys" and is_opened(row, t):
        return True
    known = day(row["recorded_at"]) or event_day(table, row)
    return known < t and (table == "contracts" or event_day(table, row) < t)


def spoil(table: str, row: dict[str, Any], t: date) -> dict[str, Any]:
    """Garbage in a row not yet known; where its recorded day alone hides it, it is also dated back."""
    garbage = {name: value for name, value in GARBAGE.items() if name in row}
    if table in ("surveys", "contracts"):
        garbage["kind"] = {"surveys": "nps", "contracts": "price_change"}[table]
    if table == "surveys":
        garbage["sent_on"] = t
    if table == "contacts":
        garbage.pop("user_id", None)  # whose use would then be a champion's
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
            filled |= {"current_value": 1.5} if column == "updated_on" else {}
    if waits(table, row, t):
        filled |= {"responded_on": t + timedelta(days=1), "score": 0.5}
    return filled


def added(table: str, rows: list[dict[str, Any]], t: date) -> list[dict[str, Any]]:
    """Copies of rows, known only from `t` on: some happened before, some on the day itself."""
    copies = []
    for number, row in enumerate(rows[::3]):
        copy_ = spoil(table, row | {"recorded_at": t + timedelta(days=number % 2)}, t)
        if table == "contracts" and number % 2:
            copy_["contract_id"] = f"new {number}"
        if table in ("contacts", "usage"):
            copy_ |= {"contact_id": f"new {number}"} if table == "contacts" else {"user_id": f"new {number}"}
            copy_ |= {"side": "customer"} if table == "contacts" and number % 2 else {}
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
            row.update({"current_value": None} if "updated_on" in late else {})
            if waits(table, row, t):
                row |= {"responded_on": None, "score": None}
    return kept | {"fx_rates": [row for row in rows["fx_rates"] if row["month"] <= t]}


def reordered(rows: Rows, t: date) -> Rows:
    """Everything is there, in another order."""
    del t
    return {name: table[::-1] for name, table in rows.items()}


@pytest.fixture(scope="module")
def changed(
    company: Rows, store: Callable[[Rows, Any], Tables], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Tables]:
    """The tables after a change of what is known from `t` on, each stored once."""
    made: dict[Any, Tables] = {}
    folder = tmp_path_factory.mktemp("changed")

    def tables(change: Callable[[Rows, date], Rows], t: date) -> Tables:
        key = (change.__name__, t)
        if key not in made:
            made[key] = store(change(company, t), folder / f"{change.__name__} {t}.duckdb")
        return made[key]

    tables(poisoned, LEAK_DATE)  # before any mutant is there
    return tables


def up_to(t: date, tables: Tables, dates: list[date]) -> pd.DataFrame:
    """Snapshots up to `t`; later ones are made in the same run, so that what they see might seep in."""
    defaults = params.load()
    settings = {"revenue": defaults.revenue, "settings": defaults.snapshots}
    frame = build(tables, dates, **settings, budget=Budget(2, 0.5)).frame
    return frame[frame["as_of"] <= pd.Timestamp(t)]


@pytest.fixture(scope="module")
def untouched(company_tables: Tables) -> pd.DataFrame:
    return up_to(DATES[-1], company_tables, DATES)


@pytest.mark.parametrize("t", DATES[:-1])
@pytest.mark.parametrize("change", [poisoned, truncated, reordered])
def test_what_becomes_known_later_changes_nothing(
    untouched: pd.DataFrame, changed: Callable[..., Tables], change: Callable[[Rows, date], Rows], t: date
) -> None:
    before = untouched[untouched["as_of"] <= pd.Timestamp(t)]
    pd.testing.assert_frame_equal(up_to(t, changed(change, t), DATES), before, check_exact=True)


def with_parents(rows: Rows) -> Rows:
    """The same accounts below roots that have no row of their own, but for every fifth, which is its own root."""
    names = sorted({row["account_id"] for row in rows["accounts"]})
    parents = {name: f"group {number % 5}" if number % 5 else None for number, name in enumerate(names)}
    return rows | {"accounts": [row | {"parent_account_id": parents[row["account_id"]]} for row in rows["accounts"]]}


def ended_in_order(line: dict[str, Any]) -> dict[str, Any]:
    """A line that does not start after its end, which poison does not heed."""
    is_bad = line["ended_on"] is not None and line["ended_on"] < line["starts_on"]
    return line | ({"ended_on": line["starts_on"]} if is_bad else {})


@pytest.fixture(scope="module")
def rolled_up(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Rows], Tables]:
    """Stores rows, as files that pass the check, rolled up by their parents."""

    def tables(rows: Rows) -> Tables:
        home = tmp_path_factory.mktemp("rolled up")
        rows = rows | {"contracts": [ended_in_order(line) for line in rows["contracts"]]}
        for name, table in rows.items():
            pd.DataFrame(table).to_csv(home / f"{name}.csv", index=False)
        settings = ["source.kind=files", f"source.path={home}", "source.data_until=2024-06-01"]
        settings += [f"data_dir={home / 'data'}", "revenue.account_level=parent"]
        return load_tables(params.load(None, settings)).tables

    return tables


@pytest.mark.parametrize("change", [poisoned, truncated])
def test_what_becomes_known_later_changes_no_roll_up(
    company: Rows, rolled_up: Callable[[Rows], Tables], change: Callable[[Rows, date], Rows]
) -> None:
    """Neither who belongs to whom nor which account tells the attributes of a root without a row."""
    rows = with_parents(company)
    tables = [rolled_up(each) for each in (rows, change(rows, LEAK_DATE))]
    before, after = (up_to(LEAK_DATES[-1], each, LEAK_DATES) for each in tables)
    is_later = before["as_of"] > pd.Timestamp(LEAK_DATE)
    assert before.loc[~is_later, "account_id"].str.startswith("group").any()
    pd.testing.assert_frame_equal(after[after["as_of"] <= pd.Timestamp(LEAK_DATE)], before[~is_later], check_exact=True)
    assert not before[is_later].equals(after[after["as_of"] > pd.Timestamp(LEAK_DATE)])


WATCHED = (
    "usage_28d", "active_days_28d", "active_users_28d", "days_per_user_28d", "features_used_90d", "goals_reached",
    "ticket_backlog", "response_hours_90d", "nps_last", "champions", "arr", "arr_peer_rank", "days_to_term_end",
    "notice_given", "segment", "technical_fit", "champion_days_since_use", "deciders_unanswered_180d",
    "value_reached_share", "customer_tasks_overdue_share", "departments_active_90d",
)  # fmt: skip


@pytest.fixture
def is_caught(
    company_tables: Tables, changed: Callable[..., Tables], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], bool]:
    """Whether poison changes the snapshots, of a few features of each kind, that the engine makes now, leaky or not."""
    chosen = tuple(feature for feature in catalogue.FEATURES if feature.name in WATCHED)
    assert len(chosen) == len(WATCHED)
    monkeypatch.setattr(catalogue, "FEATURES", chosen)
    sources = (company_tables, changed(poisoned, LEAK_DATE))

    def caught() -> bool:
        first, second = (up_to(LEAK_DATE, tables, LEAK_DATES) for tables in sources)
        return not first.equals(second)

    return caught


def test_the_sound_engine_is_not_caught(is_caught: Callable[[], bool]) -> None:
    assert not is_caught()


EVENTS = r"FROM raw\.(?!contracts|accounts|fx_rates)"
LEAKS = {
    "late rows back-dated": ("CAST(recorded_at AS DATE)", "CAST(NULL AS DATE)", EVENTS),
    "arrival ignored": ("e.known_day > e.day", "FALSE"),
    "event day ignored": ("ELSE e.day END", "ELSE e.known_day END"),
    "tiles spread before they arrived": ("p.k >= s.kv", "TRUE"),
    "users seen before they arrived": ("p.k >= a.kv", "TRUE"),
    "newest day of a user of all arrivals": (
        "p.day = a.day AND",
        "p.day = (SELECT MAX(day) FROM usage_user_id_arrivals l WHERE l.thing = a.thing) AND",
        r"FROM usage_user_id_arrivals",
    ),
    "users' days one snapshot early": ("p.kv = a.kv", "p.kv + 1 = a.kv"),
    "states of later on": ("PARTITION BY account_id ORDER BY k", "PARTITION BY account_id"),
    "states one snapshot early": ("kv AS k,", "kv - 1 AS k,"),
    "newest answers before they were known": ("p.k >= e.kv", "TRUE"),
    "peers of later snapshots": ("PARTITION BY k, segment", "PARTITION BY segment"),
    "end shown before it came": ("v.ended + 0 < c.t OR v.notice + 0 < c.t", "TRUE"),
    "notice shown early": ("CASE WHEN v.notice + 0 < c.t THEN v.notice END", "v.notice"),
    "final contract versions": ("c.k >= v.kv AND (v.next_kv IS NULL OR c.k < v.next_kv)", "v.next_kv IS NULL"),
    "corrections back-dated": ("CAST(recorded_at AS DATE)", "CAST(NULL AS DATE)", r"FROM raw\.contracts"),
    "attributes not yet known": ("v.hf_known_day < c.t", "TRUE"),
    "attributes not yet in force": ("v.hf_valid_day < c.t AND v.hf_known_day < c.t", "TRUE"),
    "rates of later months": ("f.counts_after < c.t", "f.counts_after < c.t + 999"),
    "answers dated by their ticket": ("CAST(first_response_at AS DATE)", "CAST(opened_at AS DATE)"),
    "solutions dated by their ticket": ("THEN resolved_at ELSE", "THEN opened_at ELSE"),
    "goals reached once they are set": ("CAST(achieved_on AS DATE)", "CAST(set_on AS DATE)"),
    "answers known once they are asked for": ("CAST(responded_on AS DATE)", "CAST(sent_on AS DATE)"),
    "values measured once the goal is set": ("CAST(updated_on AS DATE)", "CAST(set_on AS DATE)"),
    "tasks done once they are due": ("THEN achieved_on ELSE", "THEN set_on ELSE"),
    "champions before they are met": ("GREATEST(r.known_day, p.met_day)", "r.known_day"),
    "people gone once they join": ("THEN left_on ELSE", "THEN joined_on ELSE"),
    "a snapshot that sees its own day": ("day_first AS SELECT *", "day_first AS SELECT * REPLACE (day + 1 AS day)"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_caught(emitted: Any, is_caught: Callable[[], bool], leak: str) -> None:
    old, new, *within = LEAKS[leak]
    emitted.replace(old, new, within="".join(within))
    assert is_caught()


def test_a_mutant_that_no_statement_holds_is_named(emitted: Any) -> None:
    """Else a mutant that the engine has outgrown would prove nothing for ever."""
    mutants = type(emitted)()
    mutants.replace("p.k >= s.kv", "TRUE", within="usage")
    assert mutants.spoilt("SELECT p.k >= s.kv FROM calls") == "SELECT p.k >= s.kv FROM calls"
    assert mutants.unseen() == [r"p\.k\ >=\ s\.kv"]
    assert mutants.spoilt("SELECT p.k >= s.kv FROM usage") == "SELECT TRUE FROM usage"
    assert mutants.unseen() == []


# Labels --------------------------------------------------------------------------------------------------------------

MONTHS = 9
ORIGIN = date(2023, 5, 1)
END = date(2024, 2, 1)  # of the longest window
KNOWN_BY = date(2024, 3, 2)  # when the grace after it is over


def after_the_window(rows: Rows, end: date) -> Rows:
    """Other notices, stops and new lines, all of which happened only after the window had closed.

    The new lines are of other accounts' centres, so that they are nobody's renewal within the grace.
    """
    lines = []
    for row in rows["contracts"]:
        if (row["signed_on"] or row["starts_on"]) >= end:
            continue
        later = {c: row[c] for c in ("notice_on", "ended_on") if row[c] is None or row[c] >= end}
        if row["notice_on"] is None or row["notice_on"] >= end:
            row = row | dict.fromkeys(later, end)
        lines.append(row)
    new = {"starts_on": end, "signed_on": end, "ends_on": None, "product": "new", "buying_center": "new",
           "recorded_at": None}  # fmt: skip
    lines += [row | new | {"contract_id": f"new {number}"} for number, row in enumerate(rows["contracts"])]
    return rows | {"contracts": lines}


@pytest.fixture(scope="module")
def cohort(untouched: pd.DataFrame) -> pd.DataFrame:
    return untouched.loc[untouched["as_of"] == pd.Timestamp(ORIGIN), ["account_id", "as_of", "arr"]]


def labels(tables: Tables, cohort: pd.DataFrame, known_by: date) -> Any:
    rules = params.load().revenue
    paths = cohort_paths(tables, cohort, months=MONTHS, known_by=known_by, rules=rules, budget=Budget(2, 0.5))
    return np.stack([paths.arr, paths.subscriptions, paths.paused])


def labels_move(
    change: Callable[[Rows, date], Rows], changed: Callable[..., Tables], tables: Tables, cohort: pd.DataFrame
) -> bool:
    """Whether a change from the end of the longest window on moves a label."""
    known_by, since = (date(2024, 4, 1), END) if change is after_the_window else (KNOWN_BY, KNOWN_BY)
    before, after = (labels(own, cohort, known_by) for own in (tables, changed(change, since)))
    assert not np.isnan(before).any()
    assert (before[:2, :, -1] != before[:2, :, 0]).any(axis=1).all()
    return not np.array_equal(before, after)


@pytest.mark.parametrize("change", [poisoned, truncated, after_the_window])
def test_labels_see_neither_past_known_by_nor_past_their_window(
    changed: Callable[..., Tables],
    company_tables: Tables,
    cohort: pd.DataFrame,
    change: Callable[[Rows, date], Rows],
) -> None:
    assert not labels_move(change, changed, company_tables, cohort)


LABEL_LEAKS = {
    "past known_by": (poisoned, "WHERE r.known_day <", "WHERE TRUE OR r.known_day <"),
    "an end after the window": (
        after_the_window,
        "(v.ended + 0 < c.t OR v.notice + 0 < c.t OR (v.ended <= c.t AND v.change_known_day < c.t) "
        "OR v.ended > c.t AND v.ended <= c.t + 30) AND",
        "TRUE AND",
    ),
    "a line signed after the window": (
        after_the_window,
        "CASE WHEN (v.starts < c.t OR v.signed < c.t)",
        "CASE WHEN TRUE",
    ),
    "notice given after the window": (after_the_window, "CASE WHEN (v.notice + 0 < c.t) AND", "CASE WHEN"),
    "corrections back-dated": (poisoned, "CAST(recorded_at AS DATE)", "CAST(NULL AS DATE)"),
}


@pytest.mark.parametrize("leak", LABEL_LEAKS)
def test_a_leak_into_the_labels_is_caught(
    emitted: Any, changed: Callable[..., Tables], company_tables: Tables, cohort: pd.DataFrame, leak: str
) -> None:
    change, old, new = LABEL_LEAKS[leak]
    changed(change, END if change is after_the_window else KNOWN_BY)  # before the mutant is there
    emitted.replace(old, new)
    assert labels_move(change, changed, company_tables, cohort)
