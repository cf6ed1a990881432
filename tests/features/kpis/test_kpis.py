"""Cumulative incidence and revenue rates against slow loops that share no code with them."""

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.kpis.incidence import CENSORED, LEFT, REACHED, incidence
from features.kpis.revenue_rates import annualised, revenue_rates
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


def accounts(*rows: dict[str, float]) -> pd.DataFrame:
    base = {"starting_arr": 0.0, "cohort": True, "customer": True} | dict.fromkeys(MOVEMENTS, 0.0)
    return pd.DataFrame([base | row for row in rows])


def test_rates_share_one_cohort_and_denominator() -> None:
    frame = accounts(
        {"starting_arr": 100.0, "customer": False, "churn": -100.0},
        {"starting_arr": 200.0, "upsell": 30.0, "price_change": -10.0},
        {"starting_arr": 100.0, "contraction": -20.0, "cross_sell": 50.0},
        {"cohort": False, "new": 70.0, "upsell": 5.0},
    )
    found = {kpi.name: (kpi.figure, kpi.n) for kpi in revenue_rates(frame, "total", "", AS_OF)}
    assert found == {
        "churn_rate_logo": (1 / 3, 3), "churn_rate_revenue": (0.25, 3), "contraction_rate": (0.05, 3),
        "upsell_rate": (0.075, 3), "cross_sell_rate": (0.125, 3), "price_rate": (-0.025, 3),
        "quick_ratio": (155 / 130, 4),
    }  # fmt: skip


def test_a_ratio_over_nothing_is_no_number() -> None:
    quick = revenue_rates(accounts({"cohort": False, "new": 70.0}), "total", "", AS_OF)[-1]
    assert math.isnan(quick.figure)
    assert quick.note == "nothing was lost, so there is no ratio"


def test_a_monthly_rate_is_annualised_by_what_is_left() -> None:
    assert annualised(0.02, 1) == pytest.approx(1 - 0.98**12)
    assert annualised(0.2, 12) == pytest.approx(0.2)
