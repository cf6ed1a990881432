"""What training and the last backtest recorded about the model in charge, read from where runs are kept."""

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from params import Params
from training.tracking.artifacts import Artifacts
from training.tracking.champion import Champion
from training.tracking.evidence import table_place
from training.tracking.store import Store, open_store

if TYPE_CHECKING:
    from mlflow.entities import Run

SETTINGS_SHOWN = ("model.learner", "model.trees", "model.leaves", "seed")
TOP_INPUTS = 12


def model_card(params: Params, champion: Champion) -> dict[str, Any]:
    """The model card as plain data: version, what it learned from, how it did out of time, and its backtest.

    Parts that were not recorded are empty, so that a store from elsewhere, or one without a backtest, can be shown.
    """
    with open_store(params) as store:
        run = store.client.get_run(champion.run_id)
        return {
            **describe(champion),
            "name": params.model.name,
            **_trained(run, store.files_of_run(run)),
            "backtest": _backtest(store, run.info.experiment_id),
        }


def _trained(run: "Run", files: Artifacts) -> dict[str, Any]:
    """What training recorded."""
    return {
        "trained_at": _moment(run.info.end_time),
        "data_digest": run.data.tags.get("data_digest", ""),
        "data_until": run.data.tags.get("data_until", ""),
        "commit": run.data.tags.get("commit", ""),
        "settings": {key: run.data.params[key] for key in SETTINGS_SHOWN if key in run.data.params},
        "events": {o: int(run.data.metrics.get(f"{o}_events", 0)) for o in ("churn", "contraction", "expansion")},
        "importance": {o: _table(files, f"importance_{o}", TOP_INPUTS) for o in ("churn", "expansion")},
        "test": _scores(files),
    }


def describe(champion: Champion) -> dict[str, Any]:
    """What the champion itself says."""
    return {
        "version": champion.version,
        "run_id": champion.run_id,
        "trained_as_of": champion.trained_as_of.isoformat(),
        "digest": champion.digest,
        "has_skill": champion.has_skill,
        "horizon_months": champion.model.horizon_months,
        "inputs": len(champion.model.all_inputs),
    }


def _backtest(store: Store, experiment_id: str) -> dict[str, Any]:
    """The newest finished backtest; empty if there is none."""
    runs = store.newest_runs(experiment_id, most=1, name="backtest")
    if not runs:
        return {}
    run, files = runs[0], store.files_of_run(runs[0])
    return {
        "run_id": run.info.run_id,
        "made_at": _moment(run.info.end_time),
        "data_digest": run.data.tags.get("data_digest", ""),
        "portfolio": _table(files, "portfolio"),
        "forecasts": _table(files, "forecasts"),
        **_scores(files),
    }


def _scores(files: Artifacts) -> dict[str, Any]:
    """Scores of the probabilities, and predicted against observed in bins, by outcome and horizon."""
    scores = _table(files, "scores")
    names = [f"{row['outcome']}_{row['horizon_months']}m" for row in scores]
    return {"scores": scores, "reliability": {name: _table(files, f"reliability_{name}") for name in names}}


def _table(files: Artifacts, name: str, rows: int | None = None) -> list[dict[str, Any]]:
    """A recorded table as plain rows, what is missing as None; empty if it was not recorded."""
    if not files.holds(table_place(name)):
        return []
    frame = pd.read_csv(io.BytesIO(files.read(table_place(name))), nrows=rows)
    values = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return [{str(key): value for key, value in row.items()} for row in values]


def _moment(milliseconds: int | None) -> str:
    return "" if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat("T", "seconds")
