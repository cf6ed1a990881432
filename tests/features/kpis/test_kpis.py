"""Cumulative incidence and revenue rates against slow loops that share no code with them."""

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.kpis.account_facts import Window
from features.kpis.declared_kpis import direction, kpi_names
from features.kpis.figures import annualised, kpis_of
from features.kpis.incidence import CENSORED, LEFT, REACHED, incidence
from features.kpis.window_facts import window_facts
from features.revenue import MOVEMENTS

AS_OF = date(2025, 1, 1)


def slow_share(days: list[int], outcomes: list[int], by: int) -> float:
    """Day by day: who is still there, who reaches it today, and what is left of those who neither did nor left."""
    share, staying = 0.0, 1.0
    for day in range(by + 1):
        there = [end for end in days if end >= day]
        today = [outcome for end, outcome in zip(days, outcomes, strict=True) if end == day]
        if there:
            share += staying * today.count(REACHED) / len(there)
            staying *= 1 - (today.count(REACHED) + today.count(LEFT)) / len(there)
    return share


@pytest.mark.parametrize("seed", range(20))
def test_the_incidence_equals_a_slow_loop_with_ties_censoring_and_competing_churn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, outcomes = rng.integers(0, 60, 80), rng.choice([CENSORED, REACHED, LEFT], 80, p=[0.3, 0.5, 0.2])
    found = incidence(days, outcomes)
    for by in (0, 5, 30, 59, 90):
        assert found.by(by) == pytest.approx(slow_share(days.tolist(), outcomes.tolist(), by), abs=1e-12)


def test_churn_competes_and_is_not_taken_for_censored() -> None:
    days, outcomes = np.array([10, 20, 30, 40]), np.array([REACHED, LEFT, REACHED, LEFT])
    assert incidence(days, outcomes).by(40) == pytest.approx(0.5)  # Kaplan and Meier: 0.625


def test_a_median_under_half_is_not_reached() -> None:
    days = np.array([10, 20, 30, 40])
    assert incidence(days, np.array([REACHED, LEFT, LEFT, LEFT])).median_day is None
    assert incidence(days, np.array([REACHED, REACHED, LEFT, LEFT])).median_day == 20
    assert math.isnan(incidence(np.zeros(0, np.int64), np.zeros(0, np.int64)).by(30))


@pytest.mark.parametrize(("days", "outcomes", "message"), [([-1], [1], "a day is -1"), ([1], [], "1 days and 0 out")])
def test_what_cannot_be_is_refused(days: list[int], outcomes: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        incidence(np.array(days), np.array(outcomes))


def facts_of(*rows: dict[str, Any], fits: list[str] | None = None) -> pd.DataFrame:
    base = {"starting_arr": 0.0, "ending_arr": 0.0, "cohort": True, "customer": True} | dict.fromkeys(MOVEMENTS, 0.0)
    return window_facts(pd.DataFrame([base | row for row in rows]), None if fits is None else pd.Series(fits))


MOVED = (
    {"starting_arr": 100.0, "customer": False, "churn": -100.0},
    {"starting_arr": 200.0, "ending_arr": 220.0, "upsell": 30.0, "price_change": -10.0},
    {"starting_arr": 100.0, "ending_arr": 130.0, "contraction": -20.0, "cross_sell": 50.0},
    {"cohort": False, "new": 70.0, "upsell": 5.0},
)


def figures(facts: pd.DataFrame, months: int = 12) -> dict[str, tuple[float, int]]:
    return {kpi.kpi: (kpi.figure, kpi.n) for kpi in kpis_of(facts, Window(AS_OF, months, 7), "total", "total")}


def test_rates_share_one_cohort_and_denominator() -> None:
    assert figures(facts_of(*MOVED)) == {
        "nrr": (350 / 400, 3), "grr": (300 / 400, 3), "logo_retention": (2 / 3, 3),
        "churn_rate_logo": (1 / 3, 3), "churn_rate_revenue": (0.25, 3), "contraction_rate": (0.05, 3),
        "pause_rate": (0, 3), "expansion_rate": (0.2, 3), "upsell_rate": (0.075, 3), "cross_sell_rate": (0.125, 3),
        "price_rate": (-0.025, 3), "quick_ratio": (155 / 130, 4),
    }  # fmt: skip


def test_bad_fit_is_told_apart() -> None:
    of_fit = figures(facts_of(*MOVED, fits=["bad", "good", "bad", "bad"]))
    assert of_fit["bad_fit_churn_rate_logo"] == (0.5, 2)
    assert of_fit["bad_fit_churn_rate_revenue"] == (0.5, 2)
    assert of_fit["nrr_without_bad_fit"] == (1.1, 1)


def test_a_ratio_over_nothing_is_no_number() -> None:
    (quick,) = (
        kpi
        for kpi in kpis_of(facts_of({"cohort": False, "new": 70.0}), Window(AS_OF, 12, 7), "total", "total")
        if kpi.kpi == "quick_ratio"
    )
    assert math.isnan(quick.figure)
    assert quick.note == "nothing was lost, so there is no ratio"


def test_rates_of_a_shorter_window_are_annualised_too() -> None:
    of_quarter = figures(facts_of(*MOVED), months=3)
    assert of_quarter["churn_rate_revenue_annualised"] == (pytest.approx(1 - 0.75**4), 3)
    assert "churn_rate_revenue_annualised" not in figures(facts_of(*MOVED))


def test_a_monthly_rate_is_annualised_by_what_is_left() -> None:
    assert annualised(0.02, 1) == pytest.approx(1 - 0.98**12)
    assert annualised(0.2, 12) == pytest.approx(0.2)


def test_first_value_counts_new_customers_and_says_where_half_is_not_reached() -> None:
    days = {"began": pd.to_datetime(["2024-03-01", "2024-06-01", "2024-12-01", "2023-01-01"])}
    facts = pd.DataFrame(days | {"lived_days": [306, 40, 31, 731], "left_by_now": [0, 1, 0, 0],
                                 "first_value": [50.0, 60.0, math.nan, 10.0]})  # fmt: skip
    rows = {kpi.kpi: kpi for kpi in kpis_of(facts, Window(AS_OF, 12, 7), "total", "total")}
    # three began in the window; one was seen for 31 days, one left on day 40 before its 60, one reached it on day 50
    assert [rows[f"first_value_by_day_{day}"].figure for day in (30, 60, 90)] == [0, 0.5, 0.5]
    assert {kpi.n for kpi in rows.values()} == {3}
    assert rows["ttfv_median"].figure == 50
    late = kpis_of(facts.assign(first_value=[math.nan, 60.0, math.nan, 10.0]), Window(AS_OF, 12, 7), "total", "total")
    assert [kpi.note for kpi in late if kpi.kpi == "ttfv_median"] == [
        "not reached: 0% by day 306, the longest that any of them was followed"
    ]


def test_every_kpi_has_one_name_and_a_direction() -> None:
    names = list(kpi_names())
    assert len(names) == len(set(names))
    assert (direction("churn_rate_logo_annualised"), direction("ttfv_median"), direction("nrr")) == (-1, -1, 1)
