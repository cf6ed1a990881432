"""What training and the last backtest recorded about the model in charge, read from where runs are kept."""

import io
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from params import Params
from serving.forecast.champion import Champion
from serving.forecast.terminal import records

SETTINGS_SHOWN = ("model.learner", "model.trees", "model.leaves", "seed")
TOP_INPUTS = 12


def model_card(params: Params, champion: Champion) -> dict[str, Any]:
    """The model card as plain data: version, what it learned from, how it did out of time, and its backtest.

    Parts that were not recorded are empty, so that a store from elsewhere, or one without a backtest, can be shown.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=params.store_uri)
    run = client.get_run(champion.run_id)
    return {
        **describe(champion),
        "name": params.model.name,
        "trained_at": _moment(run.info.end_time),
        "data_digest": run.data.tags.get("data_digest", ""),
        "data_until": run.data.tags.get("data_until", ""),
        "commit": run.data.tags.get("commit", ""),
        "settings": {key: run.data.params[key] for key in SETTINGS_SHOWN if key in run.data.params},
        "events": {o: int(run.data.metrics.get(f"{o}_events", 0)) for o in ("churn", "contraction", "expansion")},
        "importance": {
            o: _table(client, champion.run_id, f"importance_{o}", TOP_INPUTS) for o in ("churn", "expansion")
        },
        "test": _scores(client, champion.run_id),
        "backtest": _backtest(client, run.info.experiment_id),
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


def _backtest(client: Any, experiment_id: str) -> dict[str, Any]:
    """The newest finished backtest; empty if there is none."""
    query = "attributes.status = 'FINISHED' and tags.mlflow.runName = 'backtest'"
    runs = client.search_runs([experiment_id], query, max_results=1, order_by=["attributes.start_time DESC"])
    if not runs:
        return {}
    run_id = runs[0].info.run_id
    return {
        "run_id": run_id,
        "made_at": _moment(runs[0].info.end_time),
        "data_digest": runs[0].data.tags.get("data_digest", ""),
        "portfolio": _table(client, run_id, "portfolio"),
        "forecasts": _table(client, run_id, "forecasts"),
        **_scores(client, run_id),
    }


def _scores(client: Any, run_id: str) -> dict[str, Any]:
    """Scores of the probabilities, and predicted against observed in bins, by outcome and horizon."""
    scores = _table(client, run_id, "scores")
    names = [f"{row['outcome']}_{row['horizon_months']}m" for row in scores]
    return {"scores": scores, "reliability": {name: _table(client, run_id, f"reliability_{name}") for name in names}}


def _table(client: Any, run_id: str, name: str, rows: int | None = None) -> list[dict[str, Any]]:
    """A recorded table as plain rows; empty if it was not recorded."""
    import mlflow.artifacts

    if f"tables/{name}.csv" not in {item.path for item in client.list_artifacts(run_id, "tables")}:
        return []
    place = f"{client.get_run(run_id).info.artifact_uri}/tables/{name}.csv"
    frame = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(place)))
    return records(frame.head(rows) if rows else frame)


def _moment(milliseconds: int | None) -> str:
    return "" if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat("T", "seconds")
