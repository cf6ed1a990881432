"""Back to the version before, or to any other: only to one that can be read, and step by step."""

from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from params import Params
from training.tracking.champion import load_champion
from training.tracking.in_charge import LEDGER_HEAD, CannotPutInCharge, note_ledger_head, put_in_charge
from training.tracking.runs import finish_registration, record_run
from training.tracking.store import store_uri
from training.tracking.versions import versions_of

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture
def params(changed: Any, request: pytest.FixtureRequest) -> Params:
    """The settings of a model of the test's own."""
    return Params.model_validate(changed(model={"name": request.node.name}))


@pytest.fixture
def three(model: OutcomeModel, company: Tables, params: Params) -> Params:
    """Three versions, each of which took over from the one before; and a challenger."""
    for alias in ("champion", "champion", "champion", "challenger"):
        record_run(model, [], tables=company, as_of=company.data_until, params=params, alias=alias)
    return params


def test_back_one_by_one_to_the_first(three: Params) -> None:
    assert [put_in_charge(three), put_in_charge(three)] == [("3", "2"), ("2", "1")]
    assert load_champion(three).version == "1"
    with pytest.raises(CannotPutInCharge, match="It is not on record which version was in charge before"):
        put_in_charge(three)
    told = {version.version: version for version in versions_of(three)}
    assert told["1"].aliases == ("champion",)
    assert "put in charge by hand on" in told["1"].promotion
    assert told["1"].promotion.endswith("in place of version 2")


def test_the_head_of_the_record_is_a_tag_of_the_version_that_forecast(three: Params) -> None:
    note_ledger_head(three, "2", "abc")
    client = MlflowClient(tracking_uri=store_uri(three), registry_uri=store_uri(three))
    assert client.get_model_version(three.model.name, "2").tags[LEDGER_HEAD] == "abc"


def test_any_version_by_its_number_and_back_from_there(three: Params) -> None:
    assert put_in_charge(three, "4") == ("3", "4")
    assert load_champion(three).version == "4"
    assert put_in_charge(three) == ("4", "3")


def test_what_cannot_be_put_in_charge_leaves_who_is(three: Params) -> None:
    for version, told in (("3", "Version 3 is in charge already"), ("99", "no version 99"), ("x", "no version x")):
        with pytest.raises(CannotPutInCharge, match=told):
            put_in_charge(three, version)
    assert load_champion(three).version == "3"


def test_a_damaged_version_is_refused(three: Params) -> None:
    client = MlflowClient(tracking_uri=store_uri(three), registry_uri=store_uri(three))
    client.set_model_version_tag(three.model.name, "2", "bundle_digest", "another")
    with pytest.raises(CannotPutInCharge, match="Version 2 cannot be put in charge, and what was in charge stays"):
        put_in_charge(three)
    assert load_champion(three).version == "3"


def test_before_anything_is_registered_it_says_so(changed: Any, tmp_path: Any) -> None:
    with pytest.raises(CannotPutInCharge, match="run `holdfast train`"):
        put_in_charge(changed(data_dir=tmp_path))


@pytest.fixture
def cut_short(model: OutcomeModel, company: Tables, params: Params, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Version 1 in charge, and version 2 registered to take over by a process that ended before it did."""

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    told = {"tables": company, "as_of": company.data_until, "params": params}
    record_run(model, [], **told)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", end)
        with pytest.raises(KeyboardInterrupt):
            record_run(model, [], **told)
    return params


def test_a_version_whose_training_was_killed_before_it_took_charge_takes_it(cut_short: Params) -> None:
    assert load_champion(cut_short).version == "1"
    assert finish_registration(cut_short) == "2"
    assert load_champion(cut_short).version == "2"
    assert finish_registration(cut_short) == ""


def test_it_does_not_if_another_was_put_in_charge_since(
    cut_short: Params, model: OutcomeModel, company: Tables
) -> None:
    record_run(model, [], tables=company, as_of=company.data_until, params=cut_short)
    put_in_charge(cut_short, "2")
    put_in_charge(cut_short, "1")
    assert finish_registration(cut_short) == ""
    assert load_champion(cut_short).version == "1"
