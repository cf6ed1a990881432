"""Calls that were written here beside those that the company brings: the same table, by the day they were written."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from features.asof.calls_known import calls_known
from features.asof.knowledge import known_before
from features.inputs.load import Loaded, load_tables
from features.inputs.reading.written_calls import COLUMNS

pytestmark = pytest.mark.usefixtures("costly")

BROUGHT = "account_id,called_on,outcome / a,2024-03-05,expand"


def call(account: str, day: str, outcome: str, number: int = 1, **more: Any) -> dict[str, Any]:
    row = {"call_id": f"journal-{number}", "account_id": account, "called_on": day, "outcome": outcome}
    return {**dict.fromkeys(COLUMNS), **row, "called_by": "Ada A.", "recorded_at": f"{day}T12:30:00", **more}


def written(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


@pytest.fixture
def loaded(source: Any) -> Callable[..., Loaded]:
    source.write("usage", "account_id,used_on / a,2024-04-01 / a,2024-04-02 / b,2024-04-03")

    def load(*rows: dict[str, Any], brought: bool = False) -> Loaded:
        if brought:
            source.write("calls", BROUGHT)
        return load_tables(source.params(), calls=written(*rows))

    return load


def test_written_calls_stand_among_those_that_are_brought(loaded: Callable[..., Loaded], source: Any) -> None:
    row = call("b", "2024-03-20", "churn", probability=0.8, for_date="2024-06-01", amount=0.5, seen_model=True)
    tables = loaded(row, brought=True).tables
    assert source.rows("SELECT account_id, called_on, outcome, probability, seen_model FROM calls ORDER BY 1") == [
        ("a", date(2024, 3, 5), "expand", None, None),
        ("b", date(2024, 3, 20), "churn", 0.8, True),
    ]
    calls = calls_known(tables, budget=source.params().budget)
    assert calls["call_id"].dropna().tolist() == ["journal-1"]
    assert calls["account_id"].tolist() == ["a", "b"]
    assert "reason" not in tables.columns["calls"]


def test_written_calls_alone_make_the_table(loaded: Callable[..., Loaded], source: Any) -> None:
    assert loaded(call("a", "2024-03-20", "renew")).tables.has("calls", "outcome", "recorded_at")
    assert source.rows("SELECT account_id, outcome FROM calls") == [("a", "renew")]
    assert not loaded().tables.has("calls")


def test_they_neither_move_where_the_data_end_nor_lie_beyond_it(loaded: Callable[..., Loaded], source: Any) -> None:
    before = loaded().tables
    late = [call("a", day, "churn", number) for number, day in enumerate(("2024-04-04", "2025-01-01"), 2)]
    tables = loaded(call("b", "2024-04-03", "renew"), *late).tables
    assert tables.data_until == before.data_until == date(2024, 4, 4)
    assert source.rows("SELECT account_id, outcome FROM calls") == [("b", "renew")]
    assert not loaded(*late).tables.has("calls"), "none of them counts"


def test_a_call_is_known_from_the_day_after_it_was_written_and_changes_nothing_before(
    loaded: Callable[..., Loaded], source: Any
) -> None:
    """Leak-proof: what is written later, or said to be of an earlier day, leaves what was known before as it was."""
    early, late = call("a", "2024-03-01", "renew"), call("a", "2024-03-25", "churn", 2)
    backdated = call("b", "2024-03-01", "churn", 3, recorded_at="2024-03-25T08:00:00")
    days = [date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 25), date(2024, 3, 26)]
    budget = source.params().budget

    def seen(*rows: dict[str, Any]) -> list[list[tuple[str, str]]]:
        tables = loaded(*rows).tables
        known = [calls_known(tables, budget=budget, before=day) for day in days]
        return [list(zip(calls["account_id"], calls["outcome"], strict=True)) for calls in known]

    first = [[], [("a", "renew")], [("a", "renew")]]
    assert seen(early)[:3] == first
    assert seen(early, late, backdated) == [*first, [("a", "renew"), ("b", "churn"), ("a", "churn")]]
    alone = known_before(loaded(early).tables, days)
    poisoned = known_before(loaded(early, late, backdated).tables, days)
    assert [alone[day] == poisoned[day] for day in days] == [True, True, True, False]


def test_calls_of_accounts_that_are_not_there_are_left_out_and_the_same_calls_are_read_once(
    loaded: Callable[..., Loaded], source: Any
) -> None:
    rows = [call("a", "2024-03-20", "renew"), call("gone", "2024-03-20", "churn", 2)]
    first = loaded(*rows).tables
    assert source.rows("SELECT account_id FROM calls") == [("a",)]
    made = first.database.stat().st_mtime_ns
    assert loaded(*rows).tables.digest == first.digest
    assert first.database.stat().st_mtime_ns == made
    assert loaded(rows[0] | {"outcome": "churn"}).tables.digest != first.digest
