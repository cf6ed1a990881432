"""The months ahead given the luck that accounts share: what each account's own luck does, and what the level does."""

import numpy as np
from numpy.typing import NDArray

from models.outcomes.after_change import Mass
from models.outcomes.prediction import OUTCOMES, Prediction
from models.paths.closed_form import growth, mean_gains

Array = NDArray[np.float64]


def given_expected_luck(prediction: Prediction) -> Prediction:
    """The same accounts in months whose shared luck is as expected and known: only their own luck is left.

    The monthly hazards hold the expected shift of all log-odds and the tilt by size, and nothing is drawn in common.
    """
    return prediction.under_expected_luck()


def level_slopes(prediction: Prediction) -> Array:
    """How expected ARR moves with the level of each outcome: d(expected ARR) / d(log-odds in all months).

    The derivative of `models.paths.simulate.expected_arr` in closed form, with each outcome's odds moved alone.

    Returns
    -------
    ndarray of shape (accounts, months, 3)
        Of churn, contraction and expansion; ARR for one unit of log-odds.
    """
    gains, after = mean_gains(prediction), prediction.after_change
    slopes = np.zeros_like(prediction.hazards)
    arr = Mass.of(np.repeat(prediction.arr[:, None], len(OUTCOMES), axis=1))  # the same for each outcome
    slope = Mass.of(np.zeros_like(arr.total))
    for month in range(slopes.shape[1]):
        here = after.open_rows(month)
        hazards, changed = prediction.hazards[:, month], after.hazards[here, month]
        factors = growth(hazards[:, :, None], changed[:, :, None], gains[:, month, :, None], here)
        alone, changed_alone = (np.eye(3) * (one * (1 - one))[:, :, None] for one in (hazards, changed))
        moving = growth(alone, changed_alone, gains[:, month, :, None], here, new=0.0)
        one, other = slope.step(factors, after.term_ends, month), arr.step(moving, after.term_ends, month)
        slope = Mass(one.total + other.total, one.decided + other.decided)
        arr = arr.step(factors, after.term_ends, month)
        slopes[:, month] = slope.total
    return slopes
