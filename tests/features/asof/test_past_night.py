"""The tables of a past night say what the tables of today say of the time before it, and nothing else."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.asof.knowledge import known_before
from features.asof.past_night import tables_as_known
from features.snapshots.building import Snapshots
from features.tables.checked import Tables
from features.tables.problems import BadInput
from params import Budget

BUDGET = Budget(1, 0.5)
NIGHT = date(2023, 10, 8)
DATES = [date(2023, 5, 1), date(2023, 8, 1), NIGHT]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def past(company_tables: Tables, tmp_path: Path) -> Tables:
    return tables_as_known(company_tables, NIGHT, tmp_path / "past.duckdb", budget=BUDGET)


def test_snapshots_up_to_the_night_are_the_same(
    company_tables: Tables, past: Tables, snapshots_of: Callable[..., Snapshots]
) -> None:
    whole = snapshots_of(company_tables, DATES).frame
    pd.testing.assert_frame_equal(snapshots_of(past, DATES).frame, whole)
    assert len(whole) > 20


def test_what_was_known_when_has_the_same_digests(company_tables: Tables, past: Tables) -> None:
    assert known_before(past, DATES) == known_before(company_tables, DATES)


def test_nothing_of_later_is_there(past: Tables) -> None:
    beyond = date(2024, 12, 1)
    assert known_before(past, [NIGHT])[NIGHT] == known_before(past, [beyond])[beyond]


def test_it_ends_on_the_night_and_is_not_taken_for_the_whole(company_tables: Tables, past: Tables) -> None:
    assert past.data_until == NIGHT
    assert past.digest != company_tables.digest
    assert past.fingerprint != company_tables.fingerprint


def test_a_night_still_to_come_is_refused(company_tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has not come yet"):
        tables_as_known(company_tables, date(2030, 1, 1), tmp_path / "past.duckdb", budget=BUDGET)


def test_a_night_before_everything_is_refused(company_tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no line that was known before 2001-01-01"):
        tables_as_known(company_tables, date(2001, 1, 1), tmp_path / "past.duckdb", budget=BUDGET)
