"""Tables kept open: the same answers, one after another at any date, and what is made once is made for its date."""

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.revenue.account_changes import account_changes
from features.revenue.cut_labels import labels_in_force
from features.revenue.known_lines import lines_known
from features.revenue.paths import arr_by_account, cohort_paths
from features.tables import opened
from features.tables.checked import Tables
from features.tables.opened import kept_open
from params import Budget

BUDGET = Budget(1, 1.0)
DATES = (date(2025, 6, 1), date(2026, 1, 1), date(2025, 6, 1))  # and back again
RULES = params.load().revenue


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Three accounts: one changes hands, one grows, and one comes late."""
    accounts = {
        "account_id": ["a", "a", "b", "late"],
        "csm": ["Ann", "Ben", "Ann", "Ben"],
        "valid_from": [None, "2025-08-01", None, "2025-09-01"],
    }
    lines = {
        "contract_id": ["1", "2", "3", "4"],
        "account_id": ["a", "b", "b", "late"],
        "starts_on": ["2024-01-01", "2024-01-01", "2025-07-01", "2025-09-01"],
        "mrr": [10, 20, 5, 40],
        "product": ["p", "p", "q", "p"],
    }
    frames = {"accounts": pd.DataFrame(accounts), "contracts": pd.DataFrame(lines)}
    frames["accounts"]["valid_from"] = pd.to_datetime(frames["accounts"]["valid_from"])
    frames["contracts"]["starts_on"] = pd.to_datetime(frames["contracts"]["starts_on"])
    return tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2026, 1, 1))


def answers(tables: Tables, as_of: date) -> list[pd.DataFrame]:
    start = date(as_of.year - 1, as_of.month, 1)
    cohort = pd.DataFrame({"account_id": ["a", "b"], "as_of": pd.Timestamp(start), "arr": [120.0, 240.0]})
    paths = cohort_paths(tables, cohort, months=3, known_by=as_of, rules=RULES, budget=BUDGET)
    return [
        labels_in_force(tables, as_of, ("csm",), BUDGET),
        arr_by_account(tables, [as_of], known_by=as_of, rules=RULES, budget=BUDGET),
        pd.DataFrame(paths.arr),
        account_changes(tables, start=start, end=as_of, known_by=as_of, rules=RULES, budget=BUDGET).accounts,
    ]


def test_tables_kept_open_answer_as_others_do(tables: Tables) -> None:
    expected = [answer for as_of in DATES for answer in answers(tables, as_of)]
    with kept_open(tables, BUDGET) as kept:
        given = [answer for as_of in DATES for answer in answers(kept, as_of)]
    for one, other in zip(given, expected, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_what_is_known_at_a_date_is_made_once_and_no_more_than_a_few_dates_are_held(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "MOST_KEPT", 2)
    made: list[str] = []

    def make(connection: duckdb.DuckDBPyConnection, day: str) -> tuple[str, ...]:
        made.append(day)
        connection.execute(f"CREATE TEMP TABLE day AS SELECT '{day}' AS day")
        return ("day",)

    def day_of(kept: Tables, day: str) -> str:
        with kept.prepared(day, lambda connection: make(connection, day), budget=BUDGET) as connection:
            return str(connection.execute("SELECT day FROM day").fetchall()[0][0])

    with kept_open(tables, BUDGET) as kept:
        assert [day_of(kept, day) for day in "ababcacb"] == list("ababcacb")
    assert made == list("abcab")


def test_what_one_makes_for_itself_nobody_else_sees(tables: Tables) -> None:
    as_of = date(2026, 1, 1)
    with kept_open(tables, BUDGET) as kept:
        with lines_known(kept, known_by=as_of, rules=RULES, budget=BUDGET) as connection:
            connection.execute("CREATE TEMP TABLE line_states AS SELECT 1 AS nothing")
            assert connection.execute("FROM line_states").fetchall() == [(1,)]
        with lines_known(kept, known_by=as_of, rules=RULES, budget=BUDGET) as connection:
            assert connection.execute("SELECT COUNT(*) FROM line_states").fetchall() == [(4,)]


def test_the_file_may_be_written_once_the_block_is_over(tables: Tables) -> None:
    with kept_open(tables, BUDGET) as kept:
        kept.connect(budget=BUDGET).close()
    with duckdb.connect(str(tables.database)) as written:
        written.execute("CREATE TABLE more AS SELECT 1 AS n")
