"""Reasons are found block by block, and are the same to the last digit whatever the blocks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.snapshots.snapshot_files import stored
from models.reasons.background import background
from serving.forecast.account_reasons import EXPLAINED, expected_ways, explain, norms_of

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture(scope="module")
def customers(world: Any) -> pd.DataFrame:
    frame = stored(world.tables, [world.forecast().as_of], params=world.params).frame
    return frame[frame["arr"] > 0].reset_index(drop=True)


@pytest.mark.parametrize("block", [1, 7, 30])
def test_effects_are_the_same_bytes_whatever_the_block(
    world: Any, customers: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    whole = explain(world.champion.model, customers)
    monkeypatch.setattr("models.hazards.model_inputs.BLOCK", block)
    for outcome, part in explain(world.champion.model, customers).items():
        np.testing.assert_array_equal(part.effects, whole[outcome].effects)
        np.testing.assert_array_equal(part.probability, whole[outcome].probability)


def test_a_forecast_is_the_same_whatever_the_block(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = world.forecast()
    monkeypatch.setattr("models.hazards.model_inputs.BLOCK", 7)
    other = world.forecast()
    for name, frame in whole.tables.items():
        pd.testing.assert_frame_equal(other.tables[name], frame, check_exact=True)


def test_a_forecast_tells_what_is_usual_of_peers(world: Any, customers: pd.DataFrame) -> None:
    """Live scores are held against it, without explaining all accounts again."""
    model, made = world.champion.model, world.forecast()
    last = made.account_forecast["horizon_months"] == model.horizon_months
    churn = made.account_forecast[last].set_index("account_id")["churn_probability"][customers["account_id"]].to_numpy()
    compared = background(model.all_inputs, customers)
    norms = norms_of(model, customers, explain(model, customers), compared, expected_ways(world.params), churn=churn)
    for outcome in EXPLAINED:
        np.testing.assert_allclose(made.norms.effects[outcome], norms.effects[outcome], atol=1e-12)
        np.testing.assert_allclose(made.norms.probability[outcome], norms.probability[outcome], atol=1e-12)


def test_points_add_up_from_the_peers_to_the_account(world: Any) -> None:
    made = world.forecast()
    peers = made.account_peers
    effects = [f"{name}_effect" for name in ("customer", "team", "contract", "other")]
    total = peers["peer_probability"] + peers[effects].sum(axis=1)
    np.testing.assert_allclose(total, peers["probability"], rtol=0, atol=1e-9)
    last = made.account_forecast[made.account_forecast["horizon_months"] == world.champion.model.horizon_months]
    churn = peers[peers["outcome"] == "churn"]
    np.testing.assert_array_equal(churn["probability"], last["churn_probability"])
