"""The one edge to MLflow: where runs are stored, what a run holds, and the registry of models.

The store is an SQLite file in the data folder unless `tracking.uri` names another. First the artifacts are written,
then the version is registered, then the alias is moved in one step, and the run is marked complete last: one that died
half-way stays RUNNING, and the champion is the old one or, whole, the new one.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.tables import Tables
from models.outcome import OutcomeModel
from params import Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure
    from mlflow.tracking import MlflowClient

ALIAS = "champion"
BUNDLE = "bundle"
_NEEDED = ("lightgbm", "numba", "numpy", "pandas", "scikit-learn", "scipy")  # beside this project's own packages
_PYFUNC = Path(__file__).with_name("pyfunc_model.py")


@dataclass(frozen=True)
class Metric:
    """One number."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    """One plot."""

    name: str
    figure: "MatplotlibFigure"


@dataclass(frozen=True)
class Table:
    """One table."""

    name: str
    frame: pd.DataFrame


Evidence = Metric | Figure | Table


@dataclass(frozen=True)
class Record:
    """Where something was recorded; `version` is empty where no model was registered."""

    run_id: str
    model_name: str
    version: str
    uri: str


def store_uri(params: Params) -> str:
    """The tracking store: `tracking.uri`, else an SQLite file in the data folder."""
    if params.tracking.uri:
        return params.tracking.uri
    return f"sqlite:///{(params.data_dir / 'mlflow.db').resolve()}"


def record_run(
    model: OutcomeModel, evidence: Sequence[Evidence], *, tables: Tables, as_of: date, params: Params
) -> Record:
    """Record a training run, register its model and make it champion.

    The bundle is text and JSON; it loads with pickle forbidden.
    """
    with _run(params, f"train {as_of}") as (client, run_id):
        _log_common(client, run_id, tables, params, as_of)
        _log_evidence(client, run_id, evidence)
        version = _register(client, run_id, model, params)
        client.set_registered_model_alias(params.model.name, ALIAS, version)
    return Record(run_id, params.model.name, version, store_uri(params))


def record_evaluation(evidence: Sequence[Evidence], *, tables: Tables, params: Params) -> Record:
    """Record a backtest; no model is registered."""
    with _run(params, "backtest") as (client, run_id):
        _log_common(client, run_id, tables, params, None)
        _log_evidence(client, run_id, evidence)
    return Record(run_id, params.model.name, "", store_uri(params))


@contextmanager
def _run(params: Params, name: str) -> Iterator[tuple["MlflowClient", str]]:
    """A run that ends FINISHED if its body does, and FAILED if not."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow.tracking import MlflowClient

    params.data_dir.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=store_uri(params))
    run_id = client.create_run(_experiment(client, params), run_name=name).info.run_id
    try:
        yield client, run_id
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id, status="FINISHED")


def _experiment(client: "MlflowClient", params: Params) -> str:
    name = params.tracking.experiment
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if params.tracking.uri else (params.data_dir / "mlflow-artifacts").resolve().as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _log_common(client: "MlflowClient", run_id: str, tables: Tables, params: Params, as_of: date | None) -> None:
    """Settings, commit, data: what the run can be repeated from."""
    settings = params.model_dump(mode="json")
    client.log_dict(run_id, settings, "settings.json")
    for key, value in _flat(settings):
        client.log_param(run_id, key, str(value)[:500])
    tags = {
        "data_digest": tables.digest,
        "data_until": tables.data_until.isoformat(),
        "commit": commit(),
        "as_of": as_of.isoformat() if as_of else "",
    }
    for key, value in tags.items():
        client.set_tag(run_id, key, value)


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict) and key != "tables":
            yield from _flat(value, f"{prefix}{key}.")
        elif not isinstance(value, dict):
            yield prefix + key, value


def commit() -> str:
    """The commit of the code that runs, with `-dirty` if it was changed since; empty outside a checkout."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip()


def _log_evidence(client: "MlflowClient", run_id: str, evidence: Sequence[Evidence]) -> None:
    for item in evidence:
        if isinstance(item, Metric):
            if item.value == item.value:  # NaN: not defined on this data
                client.log_metric(run_id, item.name, item.value)
        elif isinstance(item, Figure):
            client.log_figure(run_id, item.figure, f"figures/{item.name}.png")
        else:
            client.log_text(run_id, item.frame.to_csv(index=False), f"tables/{item.name}.csv")


def _register(client: "MlflowClient", run_id: str, model: OutcomeModel, params: Params) -> str:
    """Log the bundle as a models-from-code pyfunc and register it; returns the version."""
    from mlflow.pyfunc import save_model

    files, name = model.to_files(), params.model.name
    with tempfile.TemporaryDirectory() as folder:
        bundle, saved = Path(folder) / BUNDLE, Path(folder) / "model"
        bundle.mkdir()
        for file, text in files.items():
            (bundle / file).write_text(text, encoding="utf-8")
        save_model(
            saved,
            python_model=str(_PYFUNC),
            artifacts={BUNDLE: str(bundle)},
            pip_requirements=[f"{package}=={version(package)}" for package in _NEEDED],
            signature=False,  # the bundle lists its own inputs, with types and categories
        )
        client.log_artifacts(run_id, str(saved), artifact_path="model")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    tags = {"bundle_digest": bundle_digest(files)}
    return str(client.create_model_version(name, source=source, run_id=run_id, tags=tags).version)


def bundle_digest(files: dict[str, str]) -> str:
    """A digest of a bundle's files: the same model, the same digest."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
