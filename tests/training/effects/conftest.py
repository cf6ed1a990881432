"""A simulated company without the tables that take long, and the effects of its actions; made once for all."""

from datetime import date

import pytest

import params as settings
from features.inputs.frames import tables_from_frames
from features.simulation import simulate
from features.snapshots.building import Snapshots, build
from features.snapshots.dates import month_starts
from features.tables.checked import Tables
from models.effects.action_effect import ActionEffect
from params import Params
from training.effects.design import Study, make_study
from training.effects.estimates import effects_of

KEPT = ("accounts", "contracts", "csm_actions", "fx_rates", "surveys")
ENDS_ON = date(2026, 1, 1)


@pytest.fixture(scope="session")
def acting_params(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Params:
    quick = (
        "effects.trees=10",
        "effects.max_rows=4000",
        "effects.folds=2",
        "threads=1",
        "effects.levels=[action, process]",
    )
    return settings.load(None, [f"data_dir={tmp_path_factory.mktemp('acting')}", *quick])


@pytest.fixture(scope="session")
def acting_tables(acting_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    frames = simulate(accounts=420, months=30, ends_on=ENDS_ON, seed=5, team="stretched")
    kept = {name: frames[name] for name in KEPT}
    return tables_from_frames(kept, tmp_path_factory.mktemp("t") / "tables.duckdb", data_until=ENDS_ON)


@pytest.fixture(scope="session")
def acting_snapshots(acting_tables: Tables, acting_params: Params) -> Snapshots:
    dates = month_starts(acting_tables, acting_params.snapshots)
    rules = {"revenue": acting_params.revenue, "settings": acting_params.snapshots}
    return build(acting_tables, dates, **rules, budget=acting_params.budget)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def study(acting_tables: Tables, acting_snapshots: Snapshots, acting_params: Params) -> Study:
    return make_study(acting_tables, acting_snapshots, known_by=ENDS_ON, params=acting_params)


@pytest.fixture(scope="session")
def effects(study: Study, acting_params: Params) -> dict[tuple[str, str], ActionEffect]:
    return {(effect.level, effect.action): effect for effect in effects_of(study, params=acting_params)}
