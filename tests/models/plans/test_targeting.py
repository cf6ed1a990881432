"""Whom to tend to, on companies whose truth is known: what is saved of what somebody who knew it all would save."""

import numpy as np
import pytest

from models.plans.play_value import PlaySize, PlayValues

ACCOUNTS, CALLED = 1500, 75
TRUE_EFFECT, ASSUMED = -0.35, -0.2  # the size does not matter for whom to call


def shares(predict, seed):
    """The share of the oracle's ARR saved, by whom is called: by value, ARR at risk, churn probability, ARR, chance."""
    rng = np.random.default_rng(seed)
    arr, odds = rng.lognormal(10, 1.2, ACCOUNTS), rng.normal(-3.8, 1.0, ACCOUNTS)

    def values(log_odds, effect):
        prediction = predict(1 / (1 + np.exp(-log_odds)), arr)
        return PlayValues(prediction, horizon_months=12, decay=0.9), PlaySize(effect)

    truth, size = values(odds, TRUE_EFFECT)
    saved = truth.of(size).arr_saved
    ours, assumed = values(odds + rng.normal(0, 0.5, ACCOUNTS), ASSUMED)  # what a model makes of it
    ranked = {
        "value": ours.of(assumed).arr_saved,
        "arr at risk": arr * ours.gone,
        "churn": ours.gone,
        "arr": arr,
        "chance": rng.random(ACCOUNTS),
    }
    best = np.sort(saved)[-CALLED:].sum()
    return {name: saved[np.argsort(-worth)[:CALLED]].sum() / best for name, worth in ranked.items()}


def test_by_value_nearly_all_is_saved_that_could_be(predict):
    by_world = [shares(predict, seed) for seed in range(8)]
    mean = {name: np.mean([one[name] for one in by_world]) for name in by_world[0]}
    assert mean["value"] >= 0.9
    assert min(one["value"] for one in by_world) >= 0.82
    assert mean["value"] > mean["arr at risk"] > mean["arr"] > mean["chance"]
    assert mean["value"] > 2 * mean["churn"]
    assert mean["chance"] == pytest.approx(CALLED / ACCOUNTS, abs=0.15)
