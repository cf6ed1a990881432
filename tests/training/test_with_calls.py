"""The model with calls: beside the one in charge, of the called accounts alone, and never in its place."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from params import Params
from serving.forecast.with_calls import CHURN, blending_note, call_inputs, figures_with_calls
from training import with_calls as room
from training.learn.dataset import Dataset, known_at, with_calls
from training.tracking.champion import Champion, load_with_calls
from training.with_calls import challenge

pytestmark = pytest.mark.usefixtures("costly")


def test_the_model_in_charge_leaves_calls_out_unless_the_settings_say_otherwise(
    company: Tables, dataset: Dataset, small_params: Params
) -> None:
    assert [item.name for item in dataset.call_inputs] == ["last_call"]
    assert "last_call" not in [item.name for item in dataset.inputs]
    assert dataset.frame["last_call"].isna().any(), "what no one called stays missing"
    assert [item.name for item in with_calls(dataset).inputs][-1] == "last_call"
    earlier = known_at(company, dataset, date(2025, 1, 1), small_params)
    assert (earlier.inputs, earlier.call_inputs) == (dataset.inputs, dataset.call_inputs)


def test_it_is_registered_under_a_name_of_its_own_and_speaks_for_called_accounts_alone(
    company: Tables, dataset: Dataset, model: OutcomeModel, changed: Any
) -> None:
    small_params = Params.model_validate(changed(model={"name": "with a challenger"}))
    done = challenge(company, dataset, small_params)
    assert done.version == "1"
    assert f"on {done.called_accounts} accounts" in done.reason
    challenger = load_with_calls(small_params)
    assert challenger is not None
    assert challenger.model.settings.learner == "lightgbm", "a regression would put a mean where no one called"
    champion = Champion(model, "3", "run", dataset.as_of, "digest")
    assert call_inputs(challenger, champion) == ["last_call"]
    customers = dataset.frame[dataset.cohort(dataset.as_of) & (dataset.frame["arr"] > 0)].reset_index(drop=True)
    rows = figures_with_calls(challenger, champion, customers, as_of=dataset.as_of, params=small_params)
    assert rows is not None
    called = customers.loc[customers["last_call"].notna(), "account_id"]
    assert 0 < len(called) < len(customers)
    assert set(rows["account_id"]) == set(called)
    assert rows[CHURN].between(0, 1).all()
    assert figures_with_calls(challenger, champion, customers, as_of=date(2020, 1, 1), params=small_params) is None
    assert figures_with_calls(None, champion, customers, as_of=dataset.as_of, params=small_params) is None


def test_a_model_in_charge_that_looks_at_calls_says_so(dataset: Dataset, model: OutcomeModel) -> None:
    champion = Champion(model, "3", "run", dataset.as_of, "digest")
    assert blending_note(champion) == ()
    both = OutcomeModel(with_calls(dataset).inputs, model.settings)
    (note,) = blending_note(replace(champion, model=both))
    assert "has people's own calls in it" in note
    assert "(last_call)" in note


def test_too_few_calls_train_none(
    company: Tables, dataset: Dataset, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "record_run", lambda *_, **__: pytest.fail("nothing is registered"))
    silent = replace(dataset, frame=dataset.frame.assign(last_call=np.nan))
    done = challenge(company, silent, small_params)
    assert (done.version, done.reason) == ("", "0 accounts have had a call, and 30 are needed")
    assert challenge(company, replace(dataset, call_inputs=()), small_params).version == ""
