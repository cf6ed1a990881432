"""The months ahead given the luck that accounts share: what each account's own luck does, and what the level does."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import Estimation, Prediction, multiply_odds
from models.outcomes.shared_luck import SharedLuck
from models.paths.simulate import expected_arr

Array = NDArray[np.float64]


def given_expected_luck(prediction: Prediction) -> Prediction:
    """The same accounts in months whose shared luck is as expected and known: only their own luck is left.

    The monthly hazards hold the expected shift of all log-odds and the tilt by size, and nothing is drawn in common.
    """
    accounts, months, outcomes = prediction.hazards.shape
    shift = prediction.luck.expected(months, gap_months=prediction.gap_months)
    margin = shift[None] + prediction.size[:, None, None] * prediction.estimation.tilt
    factor = np.exp(margin).astype(np.float32).reshape(-1, outcomes, 1)
    shifted = multiply_odds(prediction.hazards.reshape(-1, outcomes), factor)
    hazards = shifted.astype(float).reshape(accounts, months, outcomes)
    return replace(prediction, hazards=hazards, luck=SharedLuck(), estimation=Estimation.none(len(prediction.pools)))


def level_slopes(prediction: Prediction) -> Array:
    """How expected ARR moves with the level of each outcome: d(expected ARR) / d(log-odds in all months).

    The derivative of `expected_arr` in closed form, with each outcome's odds moved alone.

    Returns
    -------
    ndarray of shape (accounts, months, 3)
        Of churn, contraction and expansion; ARR for one unit of log-odds.
    """
    means = np.array([pool.mean() for pool in prediction.pools])[prediction.pool_index]
    gains = np.concatenate([np.full((*means.shape[:2], 1), -1.0), means - 1], axis=2)
    growth = 1 + (prediction.hazards * gains).sum(axis=2, keepdims=True)
    moved = prediction.hazards * (1 - prediction.hazards) * gains
    relative = np.divide(moved, growth, out=np.zeros_like(moved), where=growth > 0)
    return np.asarray(expected_arr(prediction)[:, :, None] * np.cumsum(relative, axis=1))
