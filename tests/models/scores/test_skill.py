"""Skill against each rival, by hand on tiny cases, and what the number of origins lets one say."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.scores.skill import Bootstrap, block_draws, skill_interval, skill_table

BOOTSTRAP = Bootstrap(resamples=400, seed=1)


def accounts(**columns: Any) -> pd.DataFrame:
    """Two accounts at each of two origins, at one horizon."""
    frame = pd.DataFrame({"origin": pd.to_datetime(["2024-01-01"] * 2 + ["2024-02-01"] * 2), "horizon_months": 3})
    frame = frame.assign(account_id=["one", "two"] * 2)
    other = {"expansion_probability": 0.5, "expansion_base": 0.5, "expanded": 0.0}
    return frame.assign(**({"churned": [1.0, 0.0, 0.0, 0.0]} | other | columns))


def nrr(origins: int, model: float, rival: Any, *, every: int = 3, horizon: int = 3) -> pd.DataFrame:
    days = [pd.Timestamp("2020-01-01") + pd.DateOffset(months=every * number) for number in range(origins)]
    frame = pd.DataFrame({"origin": days, "horizon_months": horizon, "metric": "nrr", "crps": model})
    return frame.assign(trailing_nrr_crps=rival)


def table_of(portfolio: pd.DataFrame) -> pd.DataFrame:
    table = skill_table(accounts(churn_probability=0.5, churn_base=0.5), portfolio, BOOTSTRAP)
    return table[table["outcome"] == "nrr"]


def test_skill_is_one_less_the_ratio_of_losses() -> None:
    table = skill_table(
        accounts(churn_probability=[0.8, 0.2, 0.2, 0.2], churn_base=0.25), nrr(2, 0.01, 0.04), BOOTSTRAP
    ).set_index(["outcome", "rival"])
    mine, theirs = -np.log(0.8), -(np.log(0.25) + 3 * np.log(0.75)) / 4
    assert table.loc[("churn", "base"), "model_loss"] == pytest.approx(mine)
    assert table.loc[("churn", "base"), "rival_loss"] == pytest.approx(theirs)
    assert table.loc[("churn", "base"), "skill"] == pytest.approx(1 - mine / theirs)
    assert table.loc[("expansion", "base"), "skill"] == 0
    assert table.loc[("nrr", "trailing_nrr"), "skill"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("origins", "every", "rival", "finding"),
    [
        # a rival four times as far off at every origin
        (8, 3, 0.04, "better"),
        (8, 3, 0.005, "worse"),
        # far better at half of the origins, far worse at the others
        (8, 3, [0.018, 0.0025] * 4, "no difference shown"),
        # eight origins, but their windows overlap: three fit beside each other
        (8, 1, 0.04, "too few origins"),
        (5, 3, 0.04, "too few origins"),
    ],
)
def test_what_is_found(origins: int, every: int, rival: Any, finding: str) -> None:
    (row,) = table_of(nrr(origins, 0.01, rival, every=every)).to_dict(orient="records")
    assert row["finding"] == finding
    assert row["low"] <= row["skill"] <= row["high"]


def test_where_all_windows_overlap_there_is_no_interval() -> None:
    (row,) = table_of(nrr(3, 0.01, 0.04, every=1, horizon=12)).to_dict(orient="records")
    assert row["windows_apart"] == 1
    assert np.isnan([row["low"], row["high"]]).all()
    assert row["skill"] == pytest.approx(0.75)


def test_a_rival_without_a_forecast_is_left_out() -> None:
    assert table_of(nrr(8, 0.01, np.nan)).empty


def test_blocks_are_neighbours_and_the_seed_decides() -> None:
    drawn = block_draws(6, block=3, bootstrap=BOOTSTRAP)
    assert drawn.shape == (400, 6)
    steps = np.diff(drawn.reshape(-1, 3), axis=1) % 6
    assert (steps == 1).all()
    np.testing.assert_array_equal(drawn, block_draws(6, block=3, bootstrap=BOOTSTRAP))
    assert (drawn != block_draws(6, block=3, bootstrap=Bootstrap(400, 2))).any()


def test_blocks_keep_what_neighbours_share() -> None:
    """Losses that come in runs of twelve: single draws understate how much the skill may vary."""
    mine, theirs = np.repeat([0.5, 1.5, 0.5, 1.5], 12), np.ones(48)
    spread = {}
    for block in (1, 12):
        low, high = skill_interval(mine, theirs, block_draws(48, block=block, bootstrap=BOOTSTRAP))
        spread[block] = high - low
    assert spread[12] > 1.5 * spread[1]
