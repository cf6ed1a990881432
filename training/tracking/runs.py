"""What training and backtests leave: runs with their settings and evidence, and registered versions of the model.

First the artifacts are written, then the version is registered, then the alias is moved in one step, and the run is
marked complete last: one that died half-way stays RUNNING until the next run marks it KILLED, and the champion is the
old one or, whole, the new one. A version that was registered and has no alias yet gets it the next night.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from params import Params
from training.tracking.artifacts import Artifacts
from training.tracking.bundle import MODEL, bundle_digest, write_bundle
from training.tracking.champion import ALIAS, SETTINGS, version_in_charge
from training.tracking.evidence import Evidence, write_evidence
from training.tracking.in_charge import TOOK_OVER
from training.tracking.killed import PROCESS, mark_killed, this_process
from training.tracking.learning_code import code_digest
from training.tracking.recipe import recipe_digest
from training.tracking.store import Store, is_there, open_store, store_name

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from features.tables.checked import Tables
    from models.outcomes.outcome import OutcomeModel

MEANT_FOR = "meant_for"  # the alias that a version is to get once it is registered, as a tag of it


@dataclass(frozen=True)
class RecordedRun:
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
        with open_store(params) as store:
            store.client.get_experiment_by_name(params.tracking.experiment)


def record_run(
    model: "OutcomeModel",
    evidence: Sequence[Evidence],
    *,
    tables: "Tables",
    as_of: date,
    params: Params,
    alias: str = ALIAS,
    tags: Mapping[str, str] | None = None,
) -> RecordedRun:
    """Record a training run, register its model, and give it the alias; `tags` are kept with the version.

    The bundle is text and JSON; it loads with pickle forbidden.
    """
    with _recording(params, f"train {as_of}") as (store, run):
        files = store.files_of_run(run)
        _describe(store, run, files, tables, params, as_of)
        write_evidence(store, run.info.run_id, files, evidence)
        texts = model.to_files()
        write_bundle(texts, files)
        before = version_in_charge(store, params) if alias == ALIAS else None
        took_over = {TOOK_OVER: str(before.version)} if before else {}
        version_tags = _version_tags(texts, tables, params) | took_over | {MEANT_FOR: alias} | dict(tags or {})
        version = _register(store, run, params.model.name, version_tags)
        store.client.set_registered_model_alias(params.model.name, alias, version)
    return RecordedRun(run.info.run_id, params.model.name, version, store.uri)


def finish_registration(params: Params) -> str:
    """Give the newest version the alias that it was registered for, where its process ended between the two.

    Nothing is done if the champion has changed since; gives the version, empty where nothing was left to do.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    name = params.model.name
    if not is_there(params):
        return ""
    with open_store(params) as store:
        mark_killed(store, store.experiment(params.tracking.experiment))
        versions = store.client.search_model_versions(f"name = '{name}'")
        newest = max(versions, key=lambda item: int(item.version), default=None)
        if newest is None or not _is_unfinished(store, newest, params):
            return ""
        store.client.set_registered_model_alias(name, newest.tags[MEANT_FOR], newest.version)
        store.client.set_terminated(str(newest.run_id), status="FINISHED")
        return str(newest.version)


def _is_unfinished(store: Store, version: "ModelVersion", params: Params) -> bool:
    """Whether a version lacks its alias only because its process ended, and who was in charge then still is."""
    ended = store.client.get_run(str(version.run_id)).info.status in ("KILLED", "FAILED")
    current = version_in_charge(store, params)
    before = version.tags.get(TOOK_OVER, "")
    same = version.tags.get(MEANT_FOR) != ALIAS or (str(current.version) if current else "") in (
        before,
        version.version,
    )
    return ended and MEANT_FOR in version.tags and same


def record_evaluation(
    evidence: Sequence[Evidence], *, tables: "Tables", params: Params, name: str = "backtest"
) -> RecordedRun:
    """Record a backtest or a contest; no model is registered."""
    with _recording(params, name) as (store, run):
        files = store.files_of_run(run)
        _describe(store, run, files, tables, params, None)
        write_evidence(store, run.info.run_id, files, evidence)
    return RecordedRun(run.info.run_id, params.model.name, "", store.uri)


@contextmanager
def _recording(params: Params, name: str) -> Iterator[tuple[Store, "Run"]]:
    """A run that ends FINISHED if its body does, FAILED if not, and KILLED if it is ended from outside."""
    params.data_dir.mkdir(parents=True, exist_ok=True)
    with open_store(params) as store:
        experiment = store.experiment(params.tracking.experiment)
        mark_killed(store, experiment)
        run = store.client.create_run(experiment, run_name=name, tags={PROCESS: this_process()})
        run_id = run.info.run_id
        try:
            yield store, run
        except BaseException as error:
            status = "FAILED" if isinstance(error, Exception) else "KILLED"
            with suppress(Exception):  # a store that is gone cannot be told; the first error is the one to see
                store.client.set_terminated(run_id, status=status)
            raise
        store.client.set_terminated(run_id, status="FINISHED")


def _describe(store: Store, run: "Run", files: Artifacts, tables: "Tables", params: Params, as_of: date | None) -> None:
    """Settings, commit, data: what the run can be repeated from."""
    settings = recorded_settings(params)
    files.write(SETTINGS, json.dumps(settings, indent=2).encode())
    tags = {
        "data_digest": tables.digest,
        "data_until": tables.data_until.isoformat(),
        "commit": commit(),
        "as_of": as_of.isoformat() if as_of else "",
        "recipe": recipe_digest(params),
        "code": code_digest(),
    }
    store.log(run.info.run_id, params={key: str(value)[:500] for key, value in _flat(settings)}, tags=tags)


def recorded_settings(params: Params) -> dict[str, Any]:
    """The settings as plain values, without the user and password of a store, and without where the data folder lies.

    The folder may be moved or copied, and its record with it: what lies in it is named from there.
    """
    settings = params.model_dump(mode="json", exclude={"data_dir"})
    if params.tracking.uri:
        settings["tracking"]["uri"] = store_name(params)
    if params.source_place and not Path(params.source_place).is_absolute():
        settings["source"]["path"] = params.source_place
    return settings


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


def code_version() -> str:
    """The commit of the code that runs; outside a checkout, the version of the installed package."""
    try:
        return commit() or metadata.version("holdfast")
    except metadata.PackageNotFoundError:
        return "unknown"


def _version_tags(texts: Mapping[str, str], tables: "Tables", params: Params) -> dict[str, str]:
    """What a version is and what it was trained on."""
    return {
        "bundle_digest": bundle_digest(texts),
        **params.rules,
        "source": params.source_name,
        "data_digest": tables.digest,
        "recipe": recipe_digest(params),
        "code": code_digest(),
    }


def _register(store: Store, run: "Run", name: str, tags: Mapping[str, str]) -> str:
    """Register what a run wrote as a version of the model; returns which."""
    if not store.client.search_registered_models(f"name = '{name}'"):
        store.client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/{MODEL}"
    return str(store.client.create_model_version(name, source=source, run_id=run.info.run_id, tags=dict(tags)).version)
