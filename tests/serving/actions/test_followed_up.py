"""What came of recommendations: told once it is known, put on record once, and nothing told of who was erased."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Params, load
from serving.actions.followed_up import follow_up, followed_rows, followed_summary, happened
from serving.actions.on_record import record_answer, record_recommendations
from serving.journal.entries import PLAY_OUTCOME, read
from serving.ledger.record import Record, open_record

DAY = date(2025, 1, 1)
ACCOUNTS = ("stays", "leaves", "grows", "shrinks")


def company() -> dict[str, pd.DataFrame]:
    """Four accounts, one of each fate by July 2025; two had their call, one of them too late."""
    amounts = {"stays": (100, 100), "leaves": (100, None), "grows": (100, 150), "shrinks": (100, 60)}
    lines = [
        {
            "contract_id": f"{account}-{half}", "account_id": account, "product": "Core", "mrr": float(amount),
            "starts_on": pd.Timestamp(("2024-04-01", "2025-04-01")[half]),
            "ends_on": pd.Timestamp(("2025-04-01", "2026-04-01")[half]),
            "signed_on": pd.Timestamp(("2024-03-20", "2025-03-20")[half]),
        }
        for account, halves in amounts.items()
        for half, amount in enumerate(halves)
        if amount is not None
    ]  # fmt: skip
    actions = pd.DataFrame(
        {
            "account_id": ["stays", "leaves", "grows"],
            "acted_on": pd.to_datetime(["2025-01-09", "2025-03-02", "2024-12-20"]),
            "status": ["done"] * 3,
            "action": ["call"] * 3,
        }
    )
    return {
        "accounts": pd.DataFrame({"account_id": ACCOUNTS}),
        "contracts": pd.DataFrame(lines),
        "csm_actions": actions,
    }


@pytest.fixture
def params(tmp_path: Path) -> Params:
    return load(overrides=[f"data_dir={tmp_path}"])


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return tables_from_frames(company(), tmp_path / "tables.duckdb", data_until=date(2026, 1, 1))


@pytest.fixture
def record(params: Params) -> Iterator[Record]:
    with open_record(params) as opened:
        yield opened


def recommended(day: date = DAY, action: str = "call") -> pd.DataFrame:
    rows = pd.DataFrame({"account_id": ACCOUNTS, "rank": range(1, 5), "answer": "do", "action": action})
    return rows.assign(
        as_of=pd.Timestamp(day), run_id="run-1", must_do="", hours=2.0, arr_saved=12.0, low=3.0, high=20.0,
        evidence="assumed", probability_of_assignment=0.9,
    )  # fmt: skip


def test_what_came_of_a_play_is_put_on_record_when_its_windows_have_passed(
    record: Record, tables: Tables, params: Params
) -> None:
    record_recommendations(record, recommended(), at=datetime(2025, 1, 2, tzinfo=UTC))
    assert follow_up(record, tables, params, date(2025, 1, 30)) == 0
    assert {row["is_done"] for row in followed_rows(record)} == {None}
    assert follow_up(record, tables, params, date(2025, 2, 1)) == 4
    by_account = {row["account_id"]: row for row in followed_rows(record)}
    assert {account: row["done_on"] for account, row in by_account.items()} == {
        "stays": "2025-01-09", "leaves": None, "grows": None, "shrinks": None,
    }  # fmt: skip
    assert {row["happened"] for row in by_account.values()} == {None}
    assert follow_up(record, tables, params, date(2025, 2, 2)) == 0
    assert follow_up(record, tables, params, date(2025, 7, 1)) == 4
    assert follow_up(record, tables, params, date(2025, 8, 1)) == 0
    rows = followed_rows(record)
    assert [(row["account_id"], row["happened"]) for row in reversed(rows)] == [
        ("stays", "stayed"), ("leaves", "left"), ("grows", "expanded"), ("shrinks", "shrank"),
    ]  # fmt: skip
    assert [(row["arr_before"], row["arr_after"]) for row in rows if row["account_id"] == "grows"] == [(1200.0, 1800.0)]
    assert {row["probability_of_assignment"] for row in rows} == {0.9}
    assert len(read(record, PLAY_OUTCOME)) == 8, "the first entries stay, and are replaced"
    assert followed_summary(rows) == {
        "recommended": 4, "answered": 0, "known_whether_done": 4, "done": 1, "over": 4,
        "stayed": 1, "left": 1, "expanded": 1, "shrank": 1,
    }  # fmt: skip


def test_an_answer_counts_where_the_data_do_not_tell_and_belongs_to_one_recommendation(
    record: Record, tables: Tables, params: Params
) -> None:
    record_recommendations(record, recommended(), at=datetime(2025, 1, 2, tzinfo=UTC))
    said = {"action": "call", "author": "Ada", "run_id": "run-1"}
    record_answer(record, account_id="shrinks", answer="done", reason="", **said)
    record_answer(record, account_id="grows", answer="disagree", reason="They migrate.", **said)
    record_recommendations(record, recommended(date(2025, 3, 1)), at=datetime(2025, 3, 2, tzinfo=UTC))
    follow_up(record, tables, params, date(2025, 7, 1))
    rows = {(row["account_id"], row["recommended_on"]): row for row in followed_rows(record)}
    assert rows["shrinks", "2025-01-01"]["is_done"] is True
    assert rows["shrinks", "2025-03-01"]["is_done"] is False
    assert [rows["grows", day]["reason"] for day in ("2025-01-01", "2025-03-01")] == ["They migrate.", ""]
    assert rows["leaves", "2025-03-01"]["done_on"] == "2025-03-02"
    assert rows["leaves", "2025-03-01"]["happened"] is None, "its six months have not passed"


def test_only_the_accounts_asked_for_are_told(record: Record) -> None:
    record_recommendations(record, recommended())
    assert [row["account_id"] for row in followed_rows(record, ["grows"])] == ["grows"]


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(100, 0, "left"), (100, 100.05, "stayed"), (100, 101, "expanded"), (100, 99, "shrank"), (0, 5, "expanded")],
)
def test_what_an_account_did_is_one_word(before: float, after: float, word: str) -> None:
    assert happened(before, after) == word
