"""Scores of forecasts of which a few quantiles are kept."""

import numpy as np
import pytest
from scipy.stats import norm

from models.scores.evaluation import crps
from models.scores.quantile_forecasts import crps_of_quantiles, pit_of_quantiles

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@pytest.mark.parametrize("actual", [-2.5, -1.0, 0.0, 0.3, 1.7])
def test_few_quantiles_score_nearly_as_all_draws_do(actual: float) -> None:
    draws = norm.ppf((np.arange(4000) + 0.5) / 4000)
    (score,) = crps_of_quantiles(LEVELS, norm.ppf(LEVELS)[None, :], np.array([actual]))
    assert score == pytest.approx(crps(draws, actual), rel=0.035)


def test_of_an_even_forecast_the_score_is_exact() -> None:
    """Uniform on 0 to 1: a third less x (1 - x), where x is the actual."""
    actual = np.array([0.0, 0.2, 0.5, 1.0])
    quantiles = np.tile(LEVELS, (4, 1))
    np.testing.assert_allclose(crps_of_quantiles(LEVELS, quantiles, actual), 1 / 3 - actual * (1 - actual), atol=1e-4)
    np.testing.assert_allclose(pit_of_quantiles(LEVELS, quantiles, actual), actual)


def test_a_forecast_of_one_value_is_off_by_the_error() -> None:
    quantiles = np.full((3, 7), 0.9)
    actual = np.array([0.8, 0.9, 1.2])
    np.testing.assert_allclose(crps_of_quantiles(LEVELS, quantiles, actual), [0.1, 0.0, 0.3], atol=1e-12)
    np.testing.assert_allclose(pit_of_quantiles(LEVELS, quantiles, actual), [0.0, 0.5, 1.0])


def test_the_true_forecast_scores_best() -> None:
    actual = np.random.default_rng(5).normal(size=4000)
    scores = [
        crps_of_quantiles(LEVELS, np.tile(shift + scale * norm.ppf(LEVELS), (4000, 1)), actual).mean()
        for shift, scale in ((0.0, 1.0), (0.3, 1.0), (0.0, 0.6), (0.0, 1.6))
    ]
    assert scores[0] == min(scores)
