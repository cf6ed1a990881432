"""Triangles against sums by hand on a company of six lines, and on a simulated one against its own NRR."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import params
from features.kpis.cohorts import cohorts
from features.kpis.lifetimes import BANDS, PRIOR_YEARS, leaving_rates
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from params import Params
from serving.forecast.declared.kpi_tables import COHORT
from serving.forecast.refusals import BadRequest
from serving.kpis.cohort_report import CohortReport, cohort_report
from serving.kpis.cohort_workbook import write_cohort_workbook
from serving.kpis.kpi_files import as_table
from serving.kpis.lifetime_value import months_worth

pytestmark = pytest.mark.usefixtures("costly")


def told(tables: Tables, *settings: str, **asked: Any) -> CohortReport:
    loaded = params.load(overrides=["threads=1", *settings])
    return cohort_report(tables, **{"as_of": date(2025, 1, 1), "params": loaded} | asked)


def cells(report: CohortReport, cohort: str) -> list[tuple[int, float, float, float]]:
    rows = (row for row in report.rows if row["cohort"] == cohort and row["cut"] == "total")
    return [(row["age_quarters"], row["logo_retention"], row["grr"], row["nrr"]) for row in rows]


def test_every_account_counts_from_its_own_first_day(cohort_company: Tables) -> None:
    # 1,200 + 600 + 600 a year at first; after 3 months one has left; after 6 one grew to 1,800 and another has left
    assert cells(told(cohort_company), "2024-Q1") == [
        (0, 1, 1, 1),
        (1, pytest.approx(2 / 3), pytest.approx(1800 / 2400), pytest.approx(1800 / 2400)),
        (2, pytest.approx(1 / 3), pytest.approx(1200 / 2400), pytest.approx(1800 / 2400)),
        (3, pytest.approx(1 / 3), pytest.approx(1200 / 2400), pytest.approx(1800 / 2400)),
    ]


def test_an_account_that_came_back_counts_where_the_rule_says_so(cohort_company: Tables) -> None:
    assert cells(told(cohort_company, "revenue.reactivation=include"), "2024-Q1")[3] == (
        3, pytest.approx(2 / 3), pytest.approx(1800 / 2400), pytest.approx((1800 + 960) / 2400)
    )  # fmt: skip


def test_a_cell_is_there_once_the_whole_cohort_is_so_old(cohort_company: Tables) -> None:
    assert [age for age, *_ in cells(told(cohort_company), "2024-Q2")] == [0, 1, 2]
    assert [age for age, *_ in cells(told(cohort_company, as_of=date(2024, 12, 31)), "2024-Q2")] == [0, 1]


def test_parts_add_up_to_the_whole(cohort_company: Tables) -> None:
    rows = told(cohort_company, by="region").rows
    for cohort, age in {(row["cohort"], row["age_quarters"]) for row in rows}:
        same = [row for row in rows if (row["cohort"], row["age_quarters"]) == (cohort, age)]
        for name in ("accounts", "starting_arr"):
            assert sum(row[name] for row in same if row["cut"] == "total") == pytest.approx(
                sum(row[name] for row in same if row["cut"] == "region")
            )


def test_an_account_s_age_is_what_its_nrr_says(team_tables: Tables, team_params: Params) -> None:
    """From its first day to the same day a year later, of accounts in the reporting currency: no rates move."""
    rules = {"rules": team_params.revenue, "budget": team_params.budget}
    history = cohorts(team_tables, as_of=team_tables.data_until, **rules)
    year_old = history.ages[history.ages["age_quarters"] == 4].set_index("account_id")
    first_days = first_days_at_home(team_tables).loc[lambda days: days.index.isin(year_old.index) & (days.dt.day <= 28)]
    assert history.left_out > 0
    for account, first in first_days.head(4).items():
        window = {"start": first.date(), "end": first.date().replace(year=first.year + 1)}
        rows = account_retention(team_tables, **window, known_by=team_tables.data_until, **rules)
        engine = rows.set_index("account_id").loc[account]
        told = year_old.loc[account]
        assert (told["starting_arr"], told["arr"]) == (engine["starting_arr"], engine["ending_arr"])


def first_days_at_home(tables: Tables) -> "pd.Series[pd.Timestamp]":
    with duckdb.connect(str(tables.database), read_only=True) as connection:
        rows = connection.execute("""
            SELECT account_id, MIN(starts_on) AS first FROM contracts GROUP BY account_id
            HAVING COUNT(*) FILTER (currency <> 'USD') = 0 ORDER BY account_id""").df()
    return rows.set_index("account_id")["first"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"as_of": date(2025, 2, 1)}, "--as-of 2025-02-01 lies after 2025-01-01, where the data end"),
        ({"as_of": date(2024, 2, 1)}, "no account began in a quarter that is over by then"),
        ({"by": "regoin"}, "accounts has no such column.*Did you mean region"),
    ],
)
def test_what_cannot_be_told_is_refused(cohort_company: Tables, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        told(cohort_company, **asked)


def test_the_workbook_works_out_the_same_and_the_table_is_the_declared_one(
    cohort_company: Tables, tmp_path: Path, spreadsheet: Callable[[Path], Any]
) -> None:
    report = told(cohort_company)
    write_cohort_workbook(report, tmp_path / "cohorts.xlsx")
    checks = spreadsheet(tmp_path / "cohorts.xlsx").rows("Checks")
    assert len(checks) == 3 * len(report.rows)
    assert all(row[3] for row in checks)
    assert tuple(as_table(report.table_rows(), COHORT).columns) == COHORT.names


def test_rates_of_leaving_are_events_over_years_drawn_towards_all() -> None:
    """Two accounts of one segment: one stays for three years, one leaves after half a year."""
    day = (date(2020, 1, 1) - date(1970, 1, 1)).days
    spells = pd.DataFrame({
        "segment": ["a", "a", "b"], "began": [day, day, day - 1461], "entered": [day, day, day],
        "until": [10**6, day + 183, 10**6],
    })  # fmt: skip
    rates = leaving_rates(spells, first=date(2020, 1, 1), as_of=date(2023, 1, 1))
    years = (date(2023, 1, 1) - date(2020, 1, 1)).days / 365.25
    whole = 1 / (2 * years + 183 / 365.25)
    first_year = (1 + PRIOR_YEARS * whole) / (1 + 183 / 365.25 + PRIOR_YEARS)
    assert rates.of_all[0] == pytest.approx(first_year)
    assert rates.by_segment["a"][0] == pytest.approx((1 + PRIOR_YEARS * first_year) / (1 + 183 / 365.25 + PRIOR_YEARS))
    # b entered at a tenure of four years: nothing is known of it before
    assert rates.by_segment["b"][0] == pytest.approx(first_year)
    late = PRIOR_YEARS * whole / (years + PRIOR_YEARS)
    assert rates.by_segment["b"][BANDS - 1] == pytest.approx(PRIOR_YEARS * late / (years + PRIOR_YEARS))


def test_survival_goes_through_the_tenures_and_worth_is_discounted() -> None:
    spells = pd.DataFrame({"segment": ["a"], "began": [0], "entered": [0], "until": [200]})
    rates = leaving_rates(spells, first=date(1970, 1, 1), as_of=date(1971, 1, 1))
    survival = rates.survival("a", 300.0, 12)
    first, second = rates.by_segment["a"][:2]
    months_young = 3  # of 300, 330.4, 360.9 days; the fourth month begins after a year
    expected = [np.exp(-(min(m, months_young) * first + max(m - months_young, 0) * second) / 12) for m in range(1, 13)]
    assert survival == pytest.approx(expected)
    worth = months_worth(np.array([[1.0, 0.5]]), np.array([[1200.0, 1200.0]]), 0.8, 0.1)
    assert worth[0] == pytest.approx([80 / 1.1 ** (1 / 12), 40 / 1.1 ** (2 / 12)])
