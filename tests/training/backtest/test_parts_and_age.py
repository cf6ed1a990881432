"""What families of features are worth and what age costs: on the same accounts, each model by what was known."""

from typing import Any

import numpy as np
import pytest

from features.tables.checked import Tables
from params import Params
from training.backtest import parts_and_age as study
from training.backtest.parts_and_age import PartsAndAge

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture(scope="module")
def params(changed: Any) -> Params:
    settings = {"learner": "logistic", "name": "parts and age"}
    return Params.model_validate(changed(model=settings, backtest={"origins": 1, "horizons": (1, 3)}))


@pytest.fixture(scope="module")
def result(company: Tables, params: Params) -> PartsAndAge:
    return study.parts_and_age(company, params=params)


def test_every_family_is_left_out_once_and_held_against_all(result: PartsAndAge) -> None:
    table = result.families
    assert set(table["family"]) == {"all", "contract_history", "csm_actions", "engagement", "usage"}
    assert (table.groupby("family")["horizon_months"].apply(list).map(tuple) == (1, 3)).all()
    whole = table[table["family"] == "all"]
    parts = table[(table["family"] != "all") & (table["horizon_months"] == 3)]
    assert parts["features"].sum() == whole["features"].iloc[0]
    assert (whole["change"] == 0).all()
    assert (whole["worse_at"] == 0).all()
    assert np.allclose(table["change"], table["log_loss"] / table["log_loss_of_all"] - 1)
    assert (parts["change"] != 0).all()


def test_models_of_other_ages_score_the_same_accounts(result: PartsAndAge) -> None:
    table = result.ages[result.ages["horizon_months"] == 3]
    assert table["age_months"].tolist() == [0, 3, 6, 12]
    assert table["log_loss_of_all"].nunique() == 1
    assert table["change"].iloc[0] == 0
    assert (table["change"].iloc[1:] != 0).all()


def test_it_is_told_for_the_longest_horizon_and_all_of_it_for_machines(result: PartsAndAge) -> None:
    lines = result.lines()
    assert len(lines) == 4 + 3
    assert all("3 months ahead" in line and "of 1 past date; AUC" in line for line in lines)
    assert any(line.startswith("Without usage (") for line in lines)
    assert any(line.startswith("By a model 12 months old") for line in lines)
    content = result.to_json()
    assert (len(content["families"]), len(content["ages"])) == (10, 8)
