"""Seeded leaks, each caught; and none in a company whose tables are what was known."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.leaks import Leak, Leaks, find_leaks
from features.simulation import simulate

pytestmark = pytest.mark.usefixtures("costly")

Frames = dict[str, pd.DataFrame]
UNTIL = date(2026, 1, 1)
SIZE = {"accounts": 160, "months": 30, "ends_on": UNTIL}
RENEWED = pd.Timestamp("2022-01-01")


@pytest.fixture(scope="module")
def clean() -> Frames:
    """A simulated company, without its usage, which is large."""
    return {name: frame for name, frame in simulate(**SIZE, seed=7).items() if name != "usage"}


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Leaks]:
    """Searches the tables of a company."""

    def search(frames: Frames, *settings: str) -> Leaks:
        chosen = params.load(None, [f"data_dir={tmp_path}", "threads=1", *settings])
        return find_leaks(tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=UNTIL), (), params=chosen)

    return search


def left_on(frames: Frames) -> "pd.Series[pd.Timestamp]":
    """The day each account left, of those that did."""
    return frames["churn_events"].set_index("account_id")["left_on"]


def last_lines(frames: Frames) -> pd.DataFrame:
    """One open line an account, that stopped when the account left: what a system without terms holds."""
    lines = frames["contracts"].sort_values(["account_id", "starts_on"])
    one = lines.groupby("account_id", as_index=False).agg(
        contract_id=("contract_id", "first"), starts_on=("starts_on", "min"), mrr=("mrr", "last")
    )
    return one.assign(ended_on=one["account_id"].map(left_on(frames)))


def outcome_called(frames: Frames) -> Frames:
    """The call of who is going to leave is overwritten with what came, the others' never say churn."""
    ends = left_on(frames)
    days = [day for month in range(1, 31) for day in [UNTIL - pd.DateOffset(months=month, days=-9)]]
    calls = pd.DataFrame(
        [(account, pd.Timestamp(day)) for account in frames["accounts"]["account_id"].unique() for day in days],
        columns=["account_id", "called_on"],
    )
    leaves_in = calls["account_id"].map(ends) - calls["called_on"]
    soon = (leaves_in > pd.Timedelta(0)) & (leaves_in < pd.Timedelta(days=120))
    return frames | {"calls": calls.assign(outcome=soon.map({True: "churn", False: "renew"}))}


def attribute(name: str, set_to: Callable[["pd.Series[bool]", pd.DataFrame], Any]) -> Callable[[Frames], Frames]:
    def seed(frames: Frames) -> Frames:
        accounts = frames["accounts"]
        gone = accounts["account_id"].isin(left_on(frames).index)
        return frames | {"accounts": accounts.assign(**{name: set_to(gone, accounts)})}

    return seed


def end_as_term(frames: Frames) -> Frames:
    """The day of leaving is mapped to the scheduled end; who stays has none."""
    lines = last_lines(frames)
    return frames | {"contracts": lines.rename(columns={"ended_on": "ends_on"})}


def odd_last_terms(frames: Frames) -> Frames:
    """The last term of whoever left ends on the day of leaving, any day of the month; all other terms are a year."""
    rows = []
    for place, line in enumerate(last_lines(frames).itertuples(index=False)):
        start, number = max(line.starts_on, RENEWED), 0
        stop = line.ended_on - pd.Timedelta(days=3 + place % 23) if pd.notna(line.ended_on) else pd.Timestamp(UNTIL)
        while start < stop:
            end = start + pd.DateOffset(years=1)
            end = min(end, stop) if pd.notna(line.ended_on) else end
            rows.append((f"{line.contract_id} {number}", line.account_id, "all", start, end, line.mrr))
            start, number = end, number + 1
    names = ["contract_id", "account_id", "product", "starts_on", "ends_on", "mrr"]
    return frames | {"contracts": pd.DataFrame(rows, columns=names)}


def loaded_at_once(frames: Frames) -> Frames:
    """Surveys of before July 2025 were all recorded then."""
    surveys = frames["surveys"]
    load = pd.Timestamp("2025-07-01 03:00")
    return frames | {"surveys": surveys.assign(recorded_at=surveys["recorded_at"].clip(lower=load))}


def attributes_from_today(frames: Frames) -> Frames:
    """The attributes are said to hold from the day of the export on."""
    return frames | {"accounts": frames["accounts"].assign(valid_from=pd.Timestamp("2025-11-01"))}


def recorded_in_hindsight(frames: Frames) -> Frames:
    """A line's time of recording is that of its last change, long after its end."""
    lines = last_lines(frames)
    return frames | {"contracts": lines.assign(recorded_at=lines["ended_on"] + pd.Timedelta(days=90))}


SEEDS = [  # what is done to the clean company, and what must be found: kind, place, words
    (outcome_called, "predicts too well", "calls.outcome", "alone tells who leaves within 3 months: AUC 0.9"),
    (
        attribute("status", lambda gone, _: gone.map({True: "closed", False: "active"})),
        "attribute without history",
        "accounts.status",
        "closed: ",
    ),
    (
        attribute("fit", lambda gone, accounts: accounts["fit"].replace("bad", "stretch").mask(gone, "bad")),
        "attribute without history",
        "accounts.fit",
        "bad: ",
    ),
    (
        attribute("reason", lambda gone, accounts: accounts["name"].where(gone)),
        "attribute without history",
        "accounts.reason",
        "being empty or not alone: AUC 1.000",
    ),
    (
        attribute("health", lambda gone, accounts: 80 - 60 * gone + accounts["account_id"].str[-1].map(ord) % 9),
        "attribute without history",
        "accounts.health",
        "its values alone: AUC 1.000",
    ),
    (end_as_term, "scheduled end filled in later", "contracts.ends_on", "written when the customer left"),
    (odd_last_terms, "scheduled end filled in later", "contracts.ends_on", "do not end a whole number of months"),
    (loaded_at_once, "bulk load", "surveys.recorded_at", "were all recorded on 2025-07-01"),
    (attributes_from_today, "bulk load", "accounts.valid_from", "most often from 2025-11-01"),
    (recorded_in_hindsight, "recorded in hindsight", "contracts.ended_on", "more than 31 days after they had ended"),
]


@pytest.mark.parametrize(("seed", "kind", "place", "words"), SEEDS, ids=[f"{row[2]} {row[1]}" for row in SEEDS])
def test_a_seeded_leak_is_caught(
    clean: Frames, look: Callable[..., Leaks], seed: Callable[[Frames], Frames], kind: str, place: str, words: str
) -> None:
    found = [leak for leak in look(seed(clean)).found if (leak.kind, leak.place) == (kind, place)]
    assert len(found) == 1
    assert words in str(found[0])
    assert len(found[0].examples) <= 5
    assert found[0].backtest
    assert found[0].todo


@pytest.mark.parametrize("seed", [7, 8])
def test_a_clean_company_has_no_leak(look: Callable[..., Leaks], seed: int) -> None:
    frames = {name: frame for name, frame in simulate(**SIZE, seed=seed).items() if name != "usage"}
    found = look(frames)
    assert found.of_grade("leak") == ()
    assert found.not_told == ()
    assert found.strongest[0].auc < 0.9


def test_one_seed_is_one_leak(clean: Frames, look: Callable[..., Leaks]) -> None:
    """What copies the outcome is named, and nothing honest along with it."""
    found = look(outcome_called(clean))
    assert [leak.place for leak in found.of_grade("leak")] == ["calls.outcome"]
    assert found.leaking_features == ("last_call",)


def test_notice_is_a_known_fact_and_no_leak(clean: Frames, look: Callable[..., Leaks]) -> None:
    """Everybody who leaves says so two months ahead: as telling as any leak, and known in time."""
    lines = last_lines(clean)
    frames = clean | {"contracts": lines.assign(notice_on=lines["ended_on"] - pd.Timedelta(days=60))}
    found = look(frames)
    assert found.of_grade("leak") == ()
    (notice,) = [known for known in found.known if known.fact == "notice given"]
    assert notice.left == notice.rows > 15
    assert str(notice) == f"notice given ({notice.left} of {notice.rows} left)"


def test_a_history_of_an_attribute_clears_it(clean: Frames, look: Callable[..., Leaks]) -> None:
    """The same status, but written down when it changed: it comes after churn, so no snapshot sees it before."""
    accounts, ends = clean["accounts"].assign(status="active"), left_on(clean)
    closed = accounts.drop_duplicates("account_id").set_index("account_id").loc[ends.index].reset_index()
    closed = closed.assign(status="closed", valid_from=closed["account_id"].map(ends))
    frames = clean | {"accounts": pd.concat([accounts, closed], ignore_index=True)}
    assert look(frames).of_grade("leak") == ()


def test_too_few_that_left_is_said(clean: Frames, look: Callable[..., Leaks]) -> None:
    found = look(outcome_called(clean), "leaks.min_churned=500")
    assert found.of_grade("leak") == ()
    assert found.not_told == (
        "whether a column predicts too well: leaks.min_churned asks for 500 accounts that left",
        "whether attributes or scheduled ends were set when customers left: 41 accounts have left and 119 have not, "
        "and leaks.min_churned is 500",
    )


COUNTED = [  # a table, and the finding about it: all counts can be seen by eye
    (
        {"tickets": "account_id,opened_at,resolved_at / a,2024-01-10,2024-03-05 / a,2024-01-10,2024-01-31 / "
         "b,2024-06-30,2024-07-01"},
        "tickets.resolved_at: 2 of 3 rows were there before they got a solution: 28 days at the median, 50 at the 90th "
        "percentile (b: there from 2024-06-30, filled in 2024-07-01, a: there from 2024-01-10, filled in 2024-03-05).",
        {"early_views": 3},
    ),
    (
        {"surveys": "account_id,responded_on,score,recorded_at / a,2024-04-30,5,2024-05-01 / "
         "a,2024-04-30,5,2024-04-30 / a,2024-04-01,5,2024-07-02"},
        "surveys.recorded_at: 2 of 3 rows were recorded in a later month than they happened in, 1 days after it at "
        "the median and 92 at the 90th percentile; 99 in 100 of all rows arrive within 92 days.",
        {"early_views": 4},
    ),
    (
        {"usage": "account_id,used_on / a,2023-12-30 / a,2024-02-01"},
        "usage.used_on: 1 of 2 rows before the account's first contract starts (a: 2023-12-30 before 2024-01-01).",
        {},
    ),
    (
        {"tickets": "account_id,opened_at / a,2023-12-30 / a,2024-02-01"},
        "tickets.opened_at: 1 of 2 rows before the account's first contract starts (a: 2023-12-30 before 2024-01-01).",
        {},
    ),
    (
        {"usage": "account_id,used_on / a,2024-02-01 / b,2024-06-01",
         "contracts": "contract_id,account_id,starts_on,ends_on,mrr / 1,a,2024-01-01,,9 / 2,b,2024-01-01,2024-04-01,5"},
        "usage.used_on: 1 of 2 rows 30 days or more after the account's last contract ended (b: 2024-06-01 after "
        "2024-04-01).",
        {},
    ),
    (
        {"surveys": "account_id,responded_on,score,recorded_at / a,2024-05-02,5,2024-05-01"},
        "surveys.recorded_at: 1 of 1 rows recorded before the event (a: 2024-05-01 before 2024-05-02).",
        {},
    ),
    (
        {"surveys": "account_id,responded_on,score,recorded_at / a,2024-05-02,5,2024-05-02",
         "tickets": "account_id,opened_at / a,2024-02-01"},
        "contracts, tickets: they have neither recorded_at nor lag_days; surveys, which has, is 0 days late or more in "
        "one row of a hundred.",
        {},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "text", "figures"), COUNTED)
def test_counts(source: Any, tables: dict[str, str], text: str, figures: dict[str, float]) -> None:
    for name, rows in tables.items():
        source.write(name, rows)
    settings = ("source.data_until=2024-12-01", "snapshots.first=2024-01-01", "threads=1")
    loaded = source.load(*settings)
    base = ["source.kind=files", f"source.path={source.folder}", f"data_dir={source.data_dir}", *settings]
    found = find_leaks(loaded.tables, loaded.report.warnings, params=params.load(None, base))
    told = [leak for leak in found.found if str(leak).startswith(text)]
    assert len(told) == 1, [str(leak) for leak in found.found]
    assert _figures(told[0], figures) == figures
    assert found.of_grade("leak") == ()


def _figures(leak: Leak, wanted: dict[str, float]) -> dict[str, float]:
    return {name: leak.figures[name] for name in wanted}
