"""The one edge to MLflow: where runs are stored, what a run holds, and the registry of models.

The store is an SQLite file in the data folder unless `tracking.uri` names another. First the artifacts are written,
then the version is registered, then the alias is moved in one step, and the run is marked complete last: one that died
half-way stays RUNNING, and the champion is the old one or, whole, the new one.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from params import Params, reaching_store
from training.learn.recipe import code_digest, recipe_digest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure
    from mlflow.tracking import MlflowClient

    from features.tables.checked import Tables
    from models.outcomes.outcome import OutcomeModel

ALIAS, WAITING = "champion", "challenger"
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
    frame: "pd.DataFrame"


@dataclass(frozen=True)
class Page:
    """One page that needs nothing else."""

    name: str
    html: str


Evidence = Metric | Figure | Table | Page


@dataclass(frozen=True)
class Record:
    """Where something was recorded; `version` is empty where no model was registered."""

    run_id: str
    model_name: str
    version: str
    uri: str


def require_store(params: Params) -> None:
    """Ask the tracking store for the experiment, before long work whose outcome it is to hold.

    The embedded store is not asked: it is a file that is made when it is needed.

    Raises
    ------
    StoreUnreachable
        It does not answer.
    """
    if params.tracking.uri:
        with reaching_store(params):
            client_of(params).get_experiment_by_name(params.tracking.experiment)


def record_run(
    model: "OutcomeModel",
    evidence: Sequence[Evidence],
    *,
    tables: "Tables",
    as_of: date,
    params: Params,
    alias: str = ALIAS,
    tags: Mapping[str, str] | None = None,
) -> Record:
    """Record a training run, register its model, and give it the alias; `tags` are kept with the version.

    The bundle is text and JSON; it loads with pickle forbidden.
    """
    with _run(params, f"train {as_of}") as (client, run_id):
        _log_common(client, run_id, tables, params, as_of)
        _log_evidence(client, run_id, evidence)
        version = _register(client, run_id, model, tables, params, tags or {})
        client.set_registered_model_alias(params.model.name, alias, version)
    return Record(run_id, params.model.name, version, params.store_uri)


def record_evaluation(
    evidence: Sequence[Evidence], *, tables: "Tables", params: Params, name: str = "backtest"
) -> Record:
    """Record a backtest or a contest; no model is registered."""
    with _run(params, name) as (client, run_id):
        _log_common(client, run_id, tables, params, None)
        _log_evidence(client, run_id, evidence)
    return Record(run_id, params.model.name, "", params.store_uri)


@contextmanager
def _run(params: Params, name: str) -> Iterator[tuple["MlflowClient", str]]:
    """A run that ends FINISHED if its body does, and FAILED if not."""
    params.data_dir.mkdir(parents=True, exist_ok=True)
    with reaching_store(params):
        client = client_of(params)
        run_id = client.create_run(_experiment(client, params), run_name=name).info.run_id
        try:
            yield client, run_id
        except BaseException:
            with suppress(Exception):  # a store that is gone cannot be told; the first error is the one to see
                client.set_terminated(run_id, status="FAILED")
            raise
        client.set_terminated(run_id, status="FINISHED")


def client_of(params: Params) -> "MlflowClient":
    """A client of the tracking store and of its registry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=params.store_uri)


def _experiment(client: "MlflowClient", params: Params) -> str:
    name = params.tracking.experiment
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if params.tracking.uri else (params.data_dir / "mlflow-artifacts").resolve().as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _log_common(client: "MlflowClient", run_id: str, tables: "Tables", params: Params, as_of: date | None) -> None:
    """Settings, commit, data: what the run can be repeated from."""
    settings = params.model_dump(mode="json")
    if params.tracking.uri:
        settings["tracking"]["uri"] = params.store_name
    client.log_dict(run_id, settings, "settings.json")
    for key, value in _flat(settings):
        client.log_param(run_id, key, str(value)[:500])
    tags = {
        "data_digest": tables.digest,
        "data_until": tables.data_until.isoformat(),
        "commit": commit(),
        "as_of": as_of.isoformat() if as_of else "",
        "recipe": recipe_digest(params),
        "code": code_digest(),
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
        elif isinstance(item, Page):
            client.log_text(run_id, item.html, f"{item.name}.html")
        else:
            client.log_text(run_id, item.frame.to_csv(index=False), f"tables/{item.name}.csv")


def _register(
    client: "MlflowClient",
    run_id: str,
    model: "OutcomeModel",
    tables: "Tables",
    params: Params,
    more: Mapping[str, str],
) -> str:
    """Log the bundle as a models-from-code pyfunc and register it with what it was trained on; returns the version."""
    from models.outcomes.outcome import bundle_digest

    files, name = model.to_files(), params.model.name
    _log_bundle(client, run_id, files)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    tags = {
        "bundle_digest": bundle_digest(files),
        **params.rules,
        "source": params.source_name,
        "data_digest": tables.digest,
        "recipe": recipe_digest(params),
        "code": code_digest(),
        **more,
    }
    return str(client.create_model_version(name, source=source, run_id=run_id, tags=tags).version)


def _log_bundle(client: "MlflowClient", run_id: str, files: Mapping[str, str]) -> None:
    """Log the bundle as a models-from-code pyfunc."""
    from mlflow.pyfunc import save_model

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
