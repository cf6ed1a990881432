"""Cells to come by hand: four accounts, of which two are customers, and a chance of 10 % a month to leave."""

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params
from features.tables.checked import Tables
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from models.paths.simulate import PathSettings
from serving.forecast.declared.kpi_tables import COHORT
from serving.kpis.cohort_report import CohortReport, cohort_report
from serving.kpis.cohort_workbook import write_cohort_workbook
from serving.kpis.cohorts_ahead import cells_ahead
from serving.kpis.kpi_files import as_table

pytestmark = pytest.mark.usefixtures("costly")

CUSTOMERS = {"comes back": 960.0, "grows": 1800.0, "of spring": 480.0}
STAYS = 0.9
AS_OF = date(2025, 1, 1)


def churning(accounts: int) -> Prediction:
    return Prediction(
        account=streams(CUSTOMERS),
        first_month=12 * 2025,
        arr=np.array([*CUSTOMERS.values()]),
        size=np.ones(accounts),
        hazards=np.broadcast_to([1 - STAYS, 0.0, 0.0], (accounts, 12, 3)).astype(float),
        pool_index=np.broadcast_to([0, 1], (accounts, 12, 2)),
        pools=(np.array([0.5]), np.array([1.2])),
        pool_names=("down", "up"),
        luck=SharedLuck(),
        gap_months=0,
        estimation=Estimation.none(2),
        cross_sell_share=np.full(accounts, 0.5),
    )


def completed(tables: Tables, *settings: str, as_of: date = AS_OF) -> CohortReport:
    completion = partial(
        cells_ahead,
        account_ids=pd.Series([*CUSTOMERS]),
        prediction=churning(3),
        as_of=as_of,
        months=12,
        settings=PathSettings(draws=20_000, seed=1, min_change=0.001),
        threads=1,
    )
    loaded = params.load(overrides=["threads=1", *settings])
    return cohort_report(tables, as_of=as_of, params=loaded, completion=completion, completed_by="By churn alone.")


def cells(report: CohortReport) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["cohort"], row["age_quarters"]): row for row in report.ahead}


def test_the_cells_are_those_that_twelve_months_fill(cohort_company: Tables) -> None:
    ages = {"2024-Q1": (4, 5, 6, 7), "2024-Q2": (3, 4, 5, 6)}
    assert sorted(cells(completed(cohort_company))) == [(cohort, age) for cohort in ages for age in ages[cohort]]


def test_who_stays_is_looked_at_in_the_month_of_its_age_and_who_left_stays_away(cohort_company: Tables) -> None:
    rows = cells(completed(cohort_company))
    # grows is a year old on 2025-01-15, half a month ahead: as now; then on 04-15, 07-15 and 10-15
    for age, months in ((4, 0), (5, 3), (6, 6), (7, 9)):
        row, chance = rows["2024-Q1", age], STAYS**months
        assert row["nrr"] == pytest.approx(1800 * chance / 2400, abs=0.01)
        assert row["grr"] == pytest.approx(1200 * chance / 2400, abs=0.01)
        assert row["logo_retention"] == pytest.approx(chance / 3, abs=0.01)
    # of spring is nine months old on 2025-02-01
    for age, months in ((3, 1), (4, 4), (5, 7), (6, 10)):
        assert rows["2024-Q2", age]["nrr"] == pytest.approx(STAYS**months, abs=0.012)


def test_an_interval_holds_what_luck_leaves(cohort_company: Tables) -> None:
    rows = cells(completed(cohort_company))
    sure, half = rows["2024-Q1", 4], rows["2024-Q1", 7]
    assert (sure["nrr_low"], sure["nrr_high"]) == (0.75, 0.75)
    assert (half["nrr_low"], half["nrr_high"]) == (0.0, 0.75), "it stays with a chance of .39, and 80 % hold both"


def test_who_came_back_counts_where_the_rule_says_so(cohort_company: Tables) -> None:
    row = cells(completed(cohort_company, "revenue.reactivation=include"))["2024-Q1", 4]
    assert row["nrr"] == pytest.approx((1800 + 960 * STAYS**2) / 2400, abs=0.01)  # a year old on 2025-03-01


def test_what_is_known_of_a_cell_is_no_forecast(cohort_company: Tables) -> None:
    row = cells(completed(cohort_company, as_of=date(2024, 12, 10)))["2024-Q1", 3]
    assert (row["known_arr"], row["known_kept"], row["known_customers"]) == (1800, 1200, 1)
    assert (row["nrr_low"], row["nrr"], row["nrr_high"]) == (0.75, 0.75, 0.75)


def test_the_workbook_works_out_the_same_and_the_table_is_the_declared_one(
    cohort_company: Tables, tmp_path: Path, spreadsheet: Callable[[Path], Any]
) -> None:
    report = completed(cohort_company)
    write_cohort_workbook(report, tmp_path / "cohorts.xlsx")
    checks = spreadsheet(tmp_path / "cohorts.xlsx").rows("Checks")
    assert len(checks) == 3 * (len(report.rows) + len(report.ahead))
    assert all(row[3] for row in checks)
    frame = as_table(report.table_rows(), COHORT)
    assert tuple(frame.columns) == COHORT.names
    assert frame["kind"].value_counts().to_dict() == {"actual": len(report.rows), "forecast": len(report.ahead)}
    assert (frame["definition"].str.endswith("By churn alone.") == (frame["kind"] == "forecast")).all()


def test_without_a_forecast_nothing_is_completed(cohort_company: Tables) -> None:
    report = cohort_report(cohort_company, as_of=AS_OF, params=params.load(overrides=["threads=1"]))
    assert report.ahead == ()
    assert report.to_json()["ahead"] == []
