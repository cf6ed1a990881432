"""NRR as a statistician would forecast it from its own past: exponential smoothing of its monthly growth.

The log of each month's NRR is a series of its own; its state-space model (Hyndman et al. 2008, "Forecasting with
Exponential Smoothing") is chosen by the corrected Akaike criterion among a level, a damped trend and, with three years
of months, a level with a season. Simulated months add up to the horizon, so that intervals come with it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FEWEST_MONTHS = 8
SEASON = 12
_FLAT = 1e-9


def monthly_growth(start: Array, end: Array, month: NDArray[Any]) -> Array:
    """Log of NRR over each month, in the order of the months.

    Parameters
    ----------
    start, end
        ARR of accounts at the start and the end of a month, shape (rows,).
    month
        Which month each row is of, shape (rows,).

    Returns
    -------
    ndarray of shape (months,)
        Months without ARR at either end are left out.
    """
    _, place = np.unique(month, return_inverse=True)
    before, after = np.bincount(place, weights=start), np.bincount(place, weights=end)
    usable = (before > 0) & (after > 0)
    return np.asarray(np.log(after[usable] / before[usable]))


def simulate_nrr(growth: Array, *, months: int, draws: int, seed: int) -> Array | None:
    """Simulated NRR by month ahead, shape (months, draws); None with fewer than eight months of history."""
    if growth.size < FEWEST_MONTHS:
        return None
    if np.ptp(growth) < _FLAT:
        return np.asarray(np.exp(np.repeat(np.cumsum(np.full(months, growth.mean()))[:, None], draws, axis=1)))
    fitted = min(_candidates(growth), key=lambda candidate: float(candidate.aicc))
    generator = np.random.default_rng([seed, growth.size])
    noise = generator.standard_normal((months, draws)) * np.sqrt(fitted.scale)
    ahead = fitted.simulate(months, anchor="end", repetitions=draws, random_errors=noise)
    return np.asarray(np.exp(np.cumsum(np.asarray(ahead, dtype=float).reshape(months, draws), axis=0)))


def _candidates(growth: Array) -> Iterator[Any]:
    """Fitted models: a level that drifts, one with a damped trend, one with a season."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # imports for seconds

    forms: list[dict[str, Any]] = [{}, {"trend": "add", "damped_trend": True}]
    if growth.size >= 3 * SEASON:
        forms.append({"seasonal": "add", "seasonal_periods": SEASON})
    for form in forms:
        yield ETSModel(growth, error="add", **form).fit(disp=False)
