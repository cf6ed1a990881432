"""The settings of docs/examples, on the data they are for: what the check says of data that nobody here wrote."""

import os
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import params
from features.inputs.load import Loaded, load_tables

ROOT = Path(__file__).parents[3]
OUTSIDE = Path(os.environ.get("HOLDFAST_OUTSIDE_DATA", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.usefixtures("costly"),
    pytest.mark.outside,
    pytest.mark.skipif(not OUTSIDE.is_dir(), reason=f"no outside data in {OUTSIDE} (set HOLDFAST_OUTSIDE_DATA)"),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Loads one of the sets by its example settings, once."""

    @cache
    def loaded(name: str) -> Loaded:
        overrides = [f"source.path={OUTSIDE / name}", f"data_dir={tmp_path_factory.mktemp(name)}"]
        return load_tables(params.load(ROOT / "docs" / "examples" / f"{name}.yaml", overrides))

    return loaded


@pytest.mark.parametrize(
    ("name", "until"),
    [("churnsim_crm5", date(2024, 1, 1)), ("ravenstack", date(2025, 1, 1)), ("mrr_playbook", date(2020, 1, 2))],
)
def test_where_the_data_end_without_the_setting(tmp_path: Path, name: str, until: date) -> None:
    """The playbook has contracts alone, whose last periods begin on 2020-01-01 and are known to end a month later."""
    overrides = [f"source.path={OUTSIDE / name}", f"data_dir={tmp_path}", "source.data_until=null"]
    report = load_tables(params.load(ROOT / "docs" / "examples" / f"{name}.yaml", overrides)).report
    assert report.data_until == until
    assert not [warning for warning in report.warnings if "where the data end" in warning.what]


def query(loaded: Loaded, text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(loaded.tables.database), read_only=True) as connection:
        return connection.execute(text).fetchall()


NO_HISTORY = "accounts.valid_from: is absent or empty, so every past date sees today's"


def test_churnsim_passes_with_a_warning_of_its_accounts_alone(load: Any) -> None:
    report = load("churnsim_crm5").report
    assert [str(warning).split(". ")[0] for warning in report.warnings] == [f"{NO_HISTORY} segment"]
    assert {table.table: table.rows_kept for table in report.tables} == {
        "accounts": 1_099,
        "contracts": 8_921,
        "usage": 1_024_026,
    }
    assert report.data_until == date(2024, 1, 1)


def test_churnsim_lines_are_terms_that_give_no_end_away(load: Any) -> None:
    """Every line ends when its term does, known from its first day; none is longer than the term that was billed."""
    loaded = load("churnsim_crm5")
    months = "date_diff('month', starts_on, ends_on)"
    assert query(loaded, f"SELECT {months}, count(*) FROM contracts GROUP BY 1 ORDER BY 1") == [
        (1, 8_109),  # 8,127 of the source less the 18 that begin on the day the data end
        (6, 507),
        (12, 305),
    ]
    assert query(
        loaded, "SELECT max(starts_on) < DATE '2024-01-01', max(ends_on) > DATE '2024-06-01' FROM contracts"
    ) == [(True, True)]
    gaps = """
        SELECT gap, count(*) FROM (
            SELECT starts_on - lag(ends_on) OVER (PARTITION BY account_id ORDER BY starts_on) AS gap FROM contracts)
        WHERE gap <> 0 GROUP BY 1 ORDER BY 1"""
    assert query(loaded, gaps) == [(1, 2), (3, 2)]  # what the grace of five days bridges


def test_ravenstack_names_its_contradictions(load: Any) -> None:
    loaded = load("ravenstack")
    assert [str(warning).split(" (")[0] for warning in loaded.report.warnings] == [
        f"{NO_HISTORY} segment, industry, region. One that is changed after the fact, such as a fit re-rated once a "
        "customer struggles, leaks the future into training: give its history with valid_from, or leave it out",
        "usage.usage_id: 21 of 25,000 rows repeating an earlier one",
        "usage.used_on: 14,205 of 24,979 rows before the account's first contract starts",
        "usage.used_on: 19,130 of 24,979 rows before the contract line they were used under starts",
        "churn_events.left_on: 545 of 600 rows with a subscription still open",
        "churn_events.left_on: 53 of 600 rows before the account's first contract starts",
    ]
    quarantine = loaded.tables.database.with_name("quarantine") / "usage.parquet"
    assert duckdb.sql(f"SELECT reason, count(*) FROM '{quarantine}' GROUP BY 1").fetchall() == [
        ("usage_id: repeating an earlier one", 21)
    ]


def test_ravenstack_dates_have_the_day_first(load: Any) -> None:
    loaded = load("ravenstack")
    spans = {table.table: (table.first_day, table.last_day) for table in loaded.report.tables if table.first_day}
    assert spans == {
        "contracts": (date(2023, 1, 9), date(2024, 12, 31)),
        "usage": (date(2023, 1, 1), date(2024, 12, 31)),
        "tickets": (date(2023, 1, 2), date(2024, 12, 31)),
        "churn_events": (date(2023, 1, 25), date(2024, 12, 31)),
    }


def test_the_playbook_maps_to_its_periods(load: Any) -> None:
    loaded = load("mrr_playbook")
    assert loaded.report.warnings == ()
    periods = pd.read_csv(OUTSIDE / "mrr_playbook" / "subscription_periods.csv", dtype=str)
    ours = "SELECT contract_id, account_id, starts_on::VARCHAR, ends_on::VARCHAR, mrr::INTEGER::VARCHAR FROM contracts"
    assert sorted(query(loaded, ours)) == sorted(periods.itertuples(index=False, name=None))
