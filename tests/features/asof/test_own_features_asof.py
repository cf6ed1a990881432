"""Features of the settings against a loop in plain Python, and against poison: they are cut in time like all others.

The loop shares no code with the engine. What is poisoned holds just what the filters ask for.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import params
from features.families import catalogue
from features.snapshots.building import build
from features.tables.checked import Tables
from params import Budget

Row = dict[str, Any]
Rows = dict[str, list[Row]]
DATES = [date(2022, 11, 3), date(2023, 5, 1), date(2023, 10, 8), date(2023, 10, 19), date(2024, 3, 1)]
DECLARED = """
searches_90d: {table: usage, filter: {feature: SEARCH}, window: 90}
amount_60d: {table: usage, measure: sum, column: quantity, window: 60,
             filter: {feature: [Search, export], user_id: [ann, bob]}}
users_400d: {table: usage, measure: distinct, column: user_id, filter: {feature: {other_than: export}}, window: 400}
parts_90d: {table: usage, measure: distinct, column: feature, window: 90,
            filter: {quantity: {above: 0.25, at_most: 1.5}}}
days_90d: {table: usage, measure: days, filter: {user_id: ann}, window: 90}
since_training: {table: engagement, measure: recency, filter: {kind: [training, webinar]}, window: 365}
chats_365d: {table: engagement, filter: {channel: chat room}, window: 365}
people_365d: {table: engagement, measure: distinct, column: contact_id, window: 365,
              filter: {channel: {other_than: phone}}}
severe_share_365d: {table: tickets, measure: share, filter: {severity: [High, urgent]}, window: 365}
minutes_365d: {table: tickets, measure: sum, column: minutes, window: 365}
long_365d: {table: tickets, filter: {minutes: {at_least: 7.5}}, window: 365}
trend_90d: {table: usage, measure: trend, column: quantity, filter: {feature: {other_than: search}}, window: 90}
low_scores_365d: {table: surveys, filter: {kind: nps, score: {at_most: 6}}, window: 365}
playbooks_365d: {table: csm_actions, measure: distinct, column: playbook, window: 365}
missed_365d: {table: csm_actions, filter: {status: missed}, window: 365}
plan: {table: accounts}
"""
EVENT_DAY = {"usage": "used_on", "csm_actions": "acted_on", "engagement": "happened_on", "tickets": "opened_at",
             "surveys": "responded_on", "accounts": "valid_from"}  # fmt: skip
GARBAGE: Row = {"feature": "search", "user_id": "ann", "quantity": 1.5, "channel": "Chat room", "severity": "High",
                "minutes": 77.0, "plan": "poison", "score": 1.0, "status": "missed", "playbook": "poison"}  # fmt: skip


def day(value: Any) -> date | None:
    return None if value is None else pd.Timestamp(value).date()


def number(value: Any) -> float:
    return 1.0 if value is None else float(value)  # an empty quantity stands for 1


def code(value: Any) -> Any:
    return value.strip().lower().replace(" ", "_").replace("-", "_") if isinstance(value, str) else value


def is_known(table: str, row: Row, t: date) -> bool:
    happened = day(row[EVENT_DAY[table]])
    return happened is not None and happened < t and (day(row["recorded_at"]) or happened) < t


@pytest.fixture(scope="module")
def rows(company: Rows) -> Rows:
    """The company, with columns that the contract does not declare."""
    made = {name: [dict(row) for row in table] for name, table in company.items()}
    for place, row in enumerate(made["engagement"]):
        row["channel"] = ("Chat room", " chat-room", "phone", None)[place % 4]
    for place, row in enumerate(made["tickets"]):
        row["minutes"] = (5.0, 7.5, 12.25, None)[place % 4]
    for place, row in enumerate(made["accounts"]):
        row["plan"] = ("basic", "pro", None)[place % 3]
    return made


@pytest.fixture(scope="module")
def stored(
    store: Callable[..., Tables], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Rows, str], Tables]]:
    """Stores rows, while no other feature but one is there, so that snapshots are quick to make."""
    folder = tmp_path_factory.mktemp("own")
    few = tuple(feature for feature in catalogue.FEATURES if feature.name == "arr")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "FEATURES", few)
        yield lambda rows, name: store(rows, folder / f"{name}.duckdb", numbers={"tickets": ("minutes",)})


def snapshots(tables: Tables, dates: list[date]) -> pd.DataFrame:
    settings = params.load(None, [f"features={yaml.safe_load(DECLARED)}"])
    rules = {"revenue": settings.revenue, "settings": settings.snapshots, "own": settings.features}
    made = build(tables, dates, **rules, budget=Budget(2, 0.5))
    assert not set(made.left_out) & set(settings.features)
    return made.frame


@pytest.fixture(scope="module")
def fast(stored: Callable[[Rows, str], Tables], rows: Rows) -> pd.DataFrame:
    return snapshots(stored(rows, "company"), DATES)


def slow(rows: Rows, account: str, t: date) -> Row:
    """The same, by what the declarations say."""

    def seen(table: str, window: int, condition: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        mine = (row for row in rows[table] if row["account_id"] == account and is_known(table, row, t))
        return [r for r in mine if (t - day(r[EVENT_DAY[table]])).days <= window and condition(r)]

    def used(window: int, condition: Callable[[Row], bool]) -> list[Row]:
        return seen("usage", window, lambda row: number(row["quantity"]) > 0 and condition(row))

    daily = np.zeros(90)
    for row in seen("usage", 90, lambda row: code(row["feature"]) != "search"):
        daily[90 - (t - row["used_on"]).days] += number(row["quantity"])
    tickets, chats = seen("tickets", 365), ("chat_room",)
    severe = [row for row in tickets if code(row["severity"]) in ("high", "urgent")]
    trainings = seen("engagement", 365, lambda row: row["kind"] in ("training", "webinar"))
    amounts = seen("usage", 60, lambda r: code(r["feature"]) in ("search", "export") and r["user_id"] in ("ann", "bob"))
    others = used(400, lambda row: code(row["feature"]) != "export")
    middling = used(90, lambda row: 0.25 < number(row["quantity"]) <= 1.5)
    elsewhere = seen("engagement", 365, lambda row: row["channel"] != "phone")
    done = seen("csm_actions", 365, lambda row: row["status"] in ("done", None))
    known = [r for r in rows["accounts"] if r["account_id"] == account and is_known("accounts", r, t)]
    return {
        "searches_90d": len(used(90, lambda row: code(row["feature"]) == "search")),
        "amount_60d": sum(number(row["quantity"]) for row in amounts),
        "users_400d": len({row["user_id"] for row in others} - {None}),
        "parts_90d": len({code(row["feature"]) for row in middling} - {None}),
        "days_90d": len({row["used_on"] for row in used(90, lambda row: row["user_id"] == "ann")}),
        "since_training": min(((t - row["happened_on"]).days for row in trainings), default=np.nan),
        "chats_365d": len(seen("engagement", 365, lambda row: code(row["channel"]) in chats)),
        "people_365d": len({row["contact_id"] for row in elsewhere} - {None}),
        "severe_share_365d": len(severe) / len(tickets) if tickets else np.nan,
        "minutes_365d": sum(row["minutes"] or 0 for row in tickets),
        "long_365d": len([row for row in tickets if (row["minutes"] or 0) >= 7.5]),
        "trend_90d": np.polyfit(range(90), daily, 1)[0] * 90 / daily.mean() if daily.sum() else np.nan,
        "low_scores_365d": len(seen("surveys", 365, lambda row: row["kind"] == "nps" and row["score"] <= 6)),
        "playbooks_365d": len({row["playbook"] for row in done} - {None}),
        "missed_365d": len(seen("csm_actions", 365, lambda row: row["status"] == "missed")),
        "plan": max(known, key=lambda row: row["valid_from"])["plan"],
    }


@pytest.fixture(scope="module")
def expected(rows: Rows, fast: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame([slow(rows, row.account_id, row.as_of.date()) for row in fast.itertuples()])


@pytest.mark.parametrize("name", yaml.safe_load(DECLARED))
def test_a_declared_feature_equals_the_slow_loop(name: str, fast: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert expected[name].nunique(dropna=False) > 1, "it never varies, so the comparison shows nothing"
    made, wanted = fast[name].astype(object), expected[name].astype(object)
    if name != "plan":
        np.testing.assert_allclose(made.astype(float), wanted.astype(float), rtol=1e-9, atol=1e-9)
    assert made.isna().tolist() == wanted.isna().tolist()
    assert name != "plan" or made.dropna().tolist() == wanted.dropna().tolist()


def poisoned(rows: Rows, t: date) -> Rows:
    """Garbage in what is not known yet, and more of it: recorded late, or on the day itself."""
    later = dict(rows)
    for table, column in EVENT_DAY.items():
        known = [row for row in rows[table] if is_known(table, row, t)]
        spoilt = [row | {name: value for name, value in GARBAGE.items() if name in row} for row in rows[table]]
        unknown = [row for row, old in zip(spoilt, rows[table], strict=True) if not is_known(table, old, t)]
        added = [
            row | ({column: t - timedelta(days=9), "recorded_at": t} if n % 2 else {column: t, "recorded_at": None})
            for n, row in enumerate(spoilt[::3])
        ]
        later[table] = known + unknown + added
    return later


def truncated(rows: Rows, t: date) -> Rows:
    return rows | {table: [row for row in rows[table] if is_known(table, row, t)] for table in EVENT_DAY}


@pytest.mark.parametrize("change", [poisoned, truncated])
@pytest.mark.parametrize("t", DATES[1:-1])
def test_what_becomes_known_later_changes_nothing(
    rows: Rows, stored: Callable[..., Tables], fast: pd.DataFrame, change: Callable[[Rows, date], Rows], t: date
) -> None:
    frame = snapshots(stored(change(rows, t), f"{change.__name__} {t}"), DATES)
    until = [made[made["as_of"] <= pd.Timestamp(t)] for made in (frame, fast)]
    pd.testing.assert_frame_equal(*until, check_exact=True)


EVENTS = r"FROM raw\.(?!contracts|accounts|fx_rates)"
LEAKS = {
    "late rows back-dated": ("CAST(recorded_at AS DATE)", "CAST(NULL AS DATE)", EVENTS),
    "arrival ignored": ("e.known_day > e.day", "FALSE"),
    "tiles spread before they arrived": ("p.k >= s.kv", "TRUE"),
    "things seen before they arrived": ("p.k >= a.kv", "TRUE"),
    "attributes not yet known": ("v.hf_known_day < c.t", "TRUE"),
    "a snapshot that sees its own day": ("day_first AS SELECT *", "day_first AS SELECT * REPLACE (day + 1 AS day)"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_caught(emitted: Any, rows: Rows, stored: Callable[..., Tables], leak: str) -> None:
    t, old_new = DATES[2], LEAKS[leak]
    sources = [stored(change, name) for change, name in ((rows, "company"), (poisoned(rows, t), f"poisoned {t}"))]
    emitted.replace(*old_new[:2], within="".join(old_new[2:]))
    first, second = (snapshots(tables, DATES[1:4]) for tables in sources)
    until = [frame[frame["as_of"] <= pd.Timestamp(t)] for frame in (first, second)]
    assert not until[0].equals(until[1])
