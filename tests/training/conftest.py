"""A small simulated company and what is learned from it; made once, in a few seconds, for all tests here."""

from typing import Any

import pytest

import params as settings
from features.inputs.load import load_tables
from features.snapshots.store import build, month_starts
from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from params import Params
from training.fit import TrainingResult, train
from training.learn.dataset import Dataset, assemble, settings_of

SMALL = (
    "simulated.accounts=120",
    "simulated.months=30",
    "model.trees=12",
    "model.leaves=4",
    "model.min_churned=5",
    "forecast.draws=200",
    "backtest.horizons=[1, 3]",
    "backtest.origins=2",
    "threads=1",
)


@pytest.fixture(scope="session")
def small_params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    """Settings that make everything small; the tracking store is embedded in their data folder."""
    return settings.load(None, [f"data_dir={tmp_path_factory.mktemp('company')}", *SMALL])


@pytest.fixture(scope="session")
def company(small_params: Params) -> Tables:
    return load_tables(small_params).tables


@pytest.fixture(scope="session")
def dataset_of() -> Any:
    """Datasets of any tables: dataset_of(tables, params)."""
    return _dataset_of


def _dataset_of(tables: Tables, params: Params) -> Dataset:
    """All snapshots of the tables, with what is known at their end to have become of them."""
    dates = month_starts(tables, params.snapshots)
    rules = {"revenue": params.revenue, "settings": params.snapshots}
    snapshots = build(tables, dates, **rules, budget=params.budget)
    return assemble(tables, snapshots, as_of=dates[-1], params=params)


@pytest.fixture(scope="session")
def dataset(company: Tables, small_params: Params) -> Dataset:
    return _dataset_of(company, small_params)


@pytest.fixture(scope="session")
def model(dataset: Dataset, small_params: Params) -> OutcomeModel:
    return OutcomeModel(dataset.inputs, settings_of(small_params)).fit(dataset.frame, dataset.paths, dataset.streams)


@pytest.fixture(scope="session")
def trained(company: Tables, small_params: Params) -> TrainingResult:
    return train(company, params=small_params)


@pytest.fixture(scope="session")
def changed(small_params: Params) -> Any:
    """The small settings with others laid over them: changed(model={"name": "other"}, seed=8)."""

    def change(**sections: Any) -> Params:
        values = small_params.model_dump()
        for name, value in sections.items():
            values[name] = values[name] | value if isinstance(value, dict) else value
        return Params.model_validate(values)

    return change
