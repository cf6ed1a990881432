"""Accounts that come back: churn is having no ARR, first leaving a figure of its own; old cohorts get theirs back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.returns import Returns
from models.outcomes.shared_luck import SharedLuck
from models.paths.rollup import Trailing, roll_up
from models.paths.simulate import PathSettings, account_paths

pytestmark = pytest.mark.usefixtures("costly")

ACCOUNTS, MONTHS = 60, 6
RETURNS = Returns(np.array([0.4, 0.3, 0.2, 0.1, 0.1, 0.1]), np.array([0.4, 0.8]))
SETTINGS = PathSettings(draws=16_000, seed=4, min_change=0.001)


def prediction(returns: Returns | None = RETURNS) -> Prediction:
    """All leave in the second month, and else seldom."""
    hazards = np.tile([0.01, 0.02, 0.03], (ACCOUNTS, MONTHS, 1))
    hazards[:, 1] = 0.6, 0.1, 0.1
    return Prediction(
        account=streams(f"a{number}" for number in range(ACCOUNTS)),
        first_month=12 * 2026,
        arr=np.linspace(50, 150, ACCOUNTS),
        size=np.zeros(ACCOUNTS),
        hazards=hazards,
        pool_index=np.tile([0, 1], (ACCOUNTS, MONTHS, 1)),
        pools=(np.array([0.5, 0.7]), np.array([1.2, 1.4])),
        pool_names=("down", "up"),
        luck=SharedLuck(),
        gap_months=0,
        estimation=Estimation.none(2),
        cross_sell_share=np.full(ACCOUNTS, 0.5),
        returns=returns,
    )


def test_churn_is_having_no_arr_and_need_not_rise_while_first_leaving_does() -> None:
    accounts = account_paths(prediction(), SETTINGS, horizon_months=MONTHS)
    churn, first = accounts.churn_probability[0], accounts.first_leaving_probability[0]
    without = account_paths(prediction(None), SETTINGS, horizon_months=MONTHS)
    np.testing.assert_allclose(first, without.churn_probability[0], atol=1e-6)
    assert (np.diff(first) > 0).all()
    assert churn[2] < churn[1] < first[1] + 1e-9
    absent = 0.99 * 0.6  # who left in the second month: the chance of being back in the third is 0.4
    np.testing.assert_allclose(churn[1], 1 - (0.99 + 0.01 * 0.4 - absent), atol=1e-5)


def test_without_returns_both_are_the_same() -> None:
    accounts = account_paths(prediction(None), replace(SETTINGS, draws=50), horizon_months=MONTHS)
    np.testing.assert_array_equal(accounts.churn_probability, accounts.first_leaving_probability)


def test_closed_forms_tell_what_the_draws_do_and_the_portfolio_adds_up() -> None:
    rolled = roll_up(prediction(), SETTINGS, horizon_months=MONTHS)
    drawn, accounts = rolled.draws, rolled.accounts
    np.testing.assert_allclose(accounts.expected_arr.sum(axis=0), drawn["ending_arr"][0].mean(axis=1), rtol=3e-3)
    stays = 1 - accounts.churn_probability.mean(axis=0)
    np.testing.assert_allclose(stays, drawn["logo_retention"][0].mean(axis=1), atol=2e-3)
    start = prediction().arr.sum()
    kept = start - drawn["churned_arr"] - drawn["contracted_arr"]
    np.testing.assert_allclose(drawn["ending_arr"], kept + drawn["expanded_arr"], rtol=1e-9)
    for name in ("churned_arr", "contracted_arr", "expanded_arr"):
        assert (drawn[name] >= 0).all()
    assert (drawn["grr"] <= drawn["nrr"]).all()


def test_an_account_comes_back_in_the_same_future_whoever_else_is_there() -> None:
    whole = prediction()
    few = replace(SETTINGS, draws=200)
    alone = account_paths(whole.rows(np.array([7])), few, horizon_months=MONTHS)
    np.testing.assert_array_equal(alone.p90[0], account_paths(whole, few, horizon_months=MONTHS).p90[7])


def test_accounts_that_left_before_the_forecast_come_back_into_the_cohorts_that_lost_them() -> None:
    """Two cohorts lost `gone`, whose ARR was 500, a month ago: both count what it comes back with."""
    forecast = prediction()
    lost = pd.DataFrame({"account_id": ["gone", "gone"], "month": [1, 3], "arr": [400.0, 500.0]})
    lost = lost.assign(months_gone=[1, 1], last_arr=[500.0, 500.0])
    cohort = np.repeat(forecast.arr[:, None], MONTHS, axis=1)
    with_returns = roll_up(forecast, SETTINGS, horizon_months=MONTHS, trailing=Trailing(cohort, lost))
    columns = ["account_id", "month", "arr"]
    without = roll_up(forecast, SETTINGS, horizon_months=MONTHS, trailing=Trailing(cohort, lost[columns]))
    back = 500 * 0.6 * np.array([0.4, 0, 1 - 0.6 * 0.7 * 0.8, 0, 0, 0])
    cohort_start = forecast.arr.sum() + np.array([400, 0, 500, 0, 0, 0])
    for table in ("draws", "means"):
        one, other = (getattr(rolled, table)["reported_nrr"][0] for rolled in (with_returns, without))
        gained = (one - other).reshape(MONTHS, -1).mean(axis=1)
        np.testing.assert_allclose(gained, back / cohort_start, atol=5e-4 if table == "draws" else 1e-9)
