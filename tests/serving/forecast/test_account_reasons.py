"""Reasons are found block by block, and are the same to the last digit whatever the blocks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.snapshots.snapshot_files import stored
from serving.forecast.account_reasons import EXPLAINED, average_effects, effects_of

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture(scope="module")
def customers(world: Any) -> pd.DataFrame:
    frame = stored(world.tables, [world.forecast().as_of], params=world.params).frame
    return frame[frame["arr"] > 0].reset_index(drop=True)


@pytest.mark.parametrize("block", [1, 7, 30])
def test_effects_are_the_same_bytes_whatever_the_block(
    world: Any, customers: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    whole = {outcome: effects_of(world.champion.model, customers, outcome) for outcome in EXPLAINED}
    monkeypatch.setattr("models.hazards.model_inputs.BLOCK", block)
    for outcome in EXPLAINED:
        np.testing.assert_array_equal(effects_of(world.champion.model, customers, outcome), whole[outcome])


def test_a_forecast_is_the_same_whatever_the_block(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = world.forecast()
    monkeypatch.setattr("models.hazards.model_inputs.BLOCK", 7)
    other = world.forecast()
    for name, frame in whole.tables.items():
        pd.testing.assert_frame_equal(other.tables[name], frame, check_exact=True)


def test_a_forecast_tells_what_the_average_account_has(world: Any, customers: pd.DataFrame) -> None:
    """Live scores are held against it, without explaining all accounts again."""
    average = average_effects(world.champion.model, customers)
    for outcome, effects in world.forecast().average_effects.items():
        np.testing.assert_array_equal(effects, average[outcome])
