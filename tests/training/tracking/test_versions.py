"""The versions of a model with their record."""

from typing import Any

import pytest

from features.tables.checked import Tables
from models.outcomes.outcome import FORMAT, OutcomeModel
from params import Params
from training.learn.dataset import Dataset
from training.tracking import runs
from training.tracking.champion import incumbent
from training.tracking.evidence import Metric
from training.tracking.recipe import recipe_digest
from training.tracking.records import reading
from training.tracking.records.reading import ClientRecords, Records, SqlRecords, open_records
from training.tracking.store import open_store
from training.tracking.versions import versions_of

FIGURES = [Metric("churn_3m_log_loss", 0.11), Metric("churn_12m_log_loss", 0.3), Metric("churn_12m_auc", 0.7)]
ROLLED = [*FIGURES, Metric("nrr_12m_model_crps", 1.8), Metric("nrr_12m_coverage_80", 0.75)]


@pytest.fixture
def recorded(company: Tables, model: OutcomeModel, dataset: Dataset, changed: Any, tmp_path: Any) -> Any:
    """Records a version by settings in a store of its own."""

    def write(alias: str = "champion", reason: str = "because", **sections: Any) -> Params:
        params = changed(data_dir=tmp_path, **sections)
        settings = {"tables": company, "as_of": dataset.as_of, "params": params}
        runs.record_run(model, FIGURES, **settings, alias=alias, tags={"promotion": reason})
        return params

    return write


def test_where_nothing_is_registered_there_is_nothing(changed: Any, tmp_path: Any, recorded: Any) -> None:
    empty = changed(data_dir=tmp_path / "none")
    assert (versions_of(empty), incumbent(empty)) == ([], None)
    recorded()
    other = changed(data_dir=tmp_path, model={"name": "unknown"})
    assert (versions_of(other), incumbent(other)) == ([], None)


def test_versions_come_with_alias_recipe_reason_and_the_test_at_training(recorded: Any) -> None:
    recorded(reason="the first")
    params = recorded("challenger", "another recipe", model={"leaves": 9})
    newer, older = versions_of(params)
    assert (newer.version, newer.aliases, newer.promotion) == ("2", ("challenger",), "another recipe")
    assert (older.version, older.aliases, older.promotion) == ("1", ("champion",), "the first")
    assert newer.recipe == recipe_digest(params) != older.recipe
    record = newer.record
    assert (record.tested_by, record.horizon_months, record.log_loss, record.auc) == ("training", 12, 0.3, 0.7)
    assert (record.nrr_crps, record.coverage_80) == (None, None)
    assert newer.as_of == "2026-01-01"


def test_a_backtest_of_the_same_recipe_is_the_record(recorded: Any, company: Tables) -> None:
    params = recorded()
    recorded("challenger", model={"leaves": 9})
    runs.record_evaluation(ROLLED, tables=company, params=params)
    other, mine = versions_of(params)
    in_charge = incumbent(params)
    assert in_charge is not None
    assert in_charge.format == FORMAT
    assert (mine.record.tested_by, mine.record.nrr_crps, mine.record.coverage_80) == ("backtest", 1.8, 0.75)
    assert other.record.tested_by == "training"


def test_a_backtest_of_the_same_recipe_by_other_code_is_not(
    recorded: Any, company: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = recorded()
    monkeypatch.setattr(runs, "code_digest", lambda: "other")
    runs.record_evaluation(ROLLED, tables=company, params=params)
    assert [version.record.tested_by for version in versions_of(params)] == ["training"]


def test_the_champion_has_the_settings_it_was_trained_by(recorded: Any) -> None:
    recorded(model={"leaves": 9})
    params = recorded("challenger")
    champion = incumbent(params)
    assert champion is not None
    assert (champion.version, champion.settings["model"]["leaves"]) == ("1", 9)


def _all(read: Records, params: Params) -> list[Any]:
    versions = sorted(read.versions("holdfast"), key=lambda item: item.version)
    evaluations = read.newest_runs(params.tracking.experiment, most=3)
    return [versions, read.aliases("holdfast"), [read.run(item.run_id) for item in versions], evaluations]


def test_what_is_read_by_sql_is_what_mlflow_says(recorded: Any, company: Tables) -> None:
    recorded()
    params = recorded("challenger", "another recipe", model={"leaves": 9})
    recorded("challenger")
    for _ in range(3):
        runs.record_evaluation([*ROLLED, Metric("churn_3m_auc", float("inf"))], tables=company, params=params)
    with open_store(params) as store:
        store.client.delete_model_version("holdfast", "3")
        newest, *_ = store.newest_runs(store.experiment(params.tracking.experiment), most=1)
        store.client.log_metric(newest.info.run_id, "churn_6m_auc", float("nan"))
        store.client.delete_run(store.newest_runs(newest.info.experiment_id, most=2)[1].info.run_id)
        with open_records(params) as read:
            assert isinstance(read, SqlRecords), "MLflow's tables are of another revision: look at what changed in them"
            assert repr(_all(read, params)) == repr(_all(ClientRecords(store), params))
            assert read.versions("unknown") == []
            assert read.newest_runs("unknown", most=3) == []


def test_tables_of_another_revision_are_for_mlflow_to_read(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = recorded()
    by_sql = versions_of(params)
    monkeypatch.setattr(reading, "REVISION", "another")
    with open_records(params) as read:
        assert isinstance(read, ClientRecords)
    assert versions_of(params) == by_sql
