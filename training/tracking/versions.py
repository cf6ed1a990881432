"""The registry of models as training sees it: the champion's recipe, and every version with its record."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from params import Params, reaching_store
from training.tracking.runs import ALIAS, BUNDLE, client_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RECORDS = ("backtest", "contest")  # names of the runs that hold a recipe's record
_LOG_LOSS = re.compile(r"churn_(\d+)m_log_loss")
_NEWEST = 200  # runs looked through for records


@dataclass(frozen=True)
class Registered:
    """A registered version: what its tags and the settings of its run say, and the format of its bundle."""

    version: str
    run_id: str
    tags: Mapping[str, str]
    settings: Mapping[str, Any]
    format: int | None


@dataclass(frozen=True)
class VersionRecord:
    """How a version, or another one of the same recipe, did out of time; NaN becomes None.

    `tested_by` says what it comes from: the newest backtest or contest of the same recipe by the same code, else the
    test at training.
    Figures are those of the longest horizon tested: log-loss and AUC of churn, CRPS of NRR in points, and the share of
    origins inside the 80 % interval.
    """

    tested_by: str
    tested_on: str
    horizon_months: int | None = None
    log_loss: float | None = None
    auc: float | None = None
    nrr_crps: float | None = None
    coverage_80: float | None = None


@dataclass(frozen=True)
class Version:
    """A row of `holdfast models`."""

    version: str
    aliases: tuple[str, ...]
    as_of: str
    recipe: str
    promotion: str
    record: VersionRecord = field(default_factory=lambda: VersionRecord("", ""))

    def to_json(self) -> dict[str, Any]:
        """The version as plain values."""
        return asdict(self)


def champion_of(params: Params) -> Registered | None:
    """The version in charge; None if there is none.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    from mlflow.exceptions import MlflowException

    if params.tracking.uri is None and not params.embedded_store.exists():
        return None
    with reaching_store(params):
        client = client_of(params)
        try:
            version = client.get_model_version_by_alias(params.model.name, ALIAS)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        run_id = str(version.run_id)
        settings = _json(client, run_id, "", "settings.json")
        bundle = _json(client, run_id, f"model/artifacts/{BUNDLE}/", "model.json")
        return Registered(str(version.version), run_id, version.tags, settings, bundle.get("format"))


def versions_of(params: Params) -> list[Version]:
    """All versions of the model, the newest first, each with its record.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    if params.tracking.uri is None and not params.embedded_store.exists():
        return []
    name = params.model.name
    with reaching_store(params):
        client = client_of(params)
        if not client.search_registered_models(f"name = '{name}'"):
            return []
        aliases = client.get_registered_model(name).aliases
        found = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda item: -int(item.version))
        records = _records(client, params)
        return [_version(client, item, aliases, records) for item in found]


def _json(client: "MlflowClient", run_id: str, folder: str, name: str) -> Mapping[str, Any]:
    """What a file of a run says; empty where it was not recorded."""
    import mlflow.artifacts

    if folder + name not in {item.path for item in client.list_artifacts(run_id, folder or None)}:
        return {}
    place = f"{client.get_run(run_id).info.artifact_uri}/{folder}{name}"
    content: Mapping[str, Any] = json.loads(mlflow.artifacts.load_text(place))
    return content


def _records(client: "MlflowClient", params: Params) -> dict[tuple[str, str], Any]:
    """The newest finished backtest or contest of each recipe and code."""
    experiment = client.get_experiment_by_name(params.tracking.experiment)
    if experiment is None:
        return {}
    runs = client.search_runs(
        [experiment.experiment_id],
        "attributes.status = 'FINISHED'",
        max_results=_NEWEST,
        order_by=["attributes.start_time DESC"],
    )
    found: dict[tuple[str, str], Any] = {}
    for run in runs:
        if run.info.run_name in RECORDS and "recipe" in run.data.tags:
            found.setdefault(_method(run.data.tags), run)
    return found


def _method(tags: Mapping[str, str]) -> tuple[str, str]:
    """The recipe and the code of a run or a version."""
    return tags.get("recipe", ""), tags.get("code", "")


def _version(
    client: "MlflowClient", item: Any, aliases: Mapping[str, str], records: Mapping[tuple[str, str], Any]
) -> Version:
    run = client.get_run(item.run_id)
    tested = records.get(_method(item.tags), run)
    return Version(
        version=str(item.version),
        aliases=tuple(sorted(alias for alias, version in aliases.items() if str(version) == str(item.version))),
        as_of=run.data.tags.get("as_of", ""),
        recipe=item.tags.get("recipe", ""),
        promotion=item.tags.get("promotion", ""),
        record=_record(tested, "training" if tested is run else tested.info.run_name),
    )


def _record(run: Any, tested_by: str) -> VersionRecord:
    metrics = run.data.metrics
    tested = [int(found.group(1)) for found in map(_LOG_LOSS.fullmatch, metrics) if found]
    if not tested:
        return VersionRecord("", "")
    longest = max(tested)
    return VersionRecord(
        tested_by=tested_by,
        tested_on=datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC).date().isoformat(),
        horizon_months=longest,
        log_loss=metrics.get(f"churn_{longest}m_log_loss"),
        auc=metrics.get(f"churn_{longest}m_auc"),
        nrr_crps=metrics.get(f"nrr_{longest}m_model_crps"),
        coverage_80=metrics.get(f"nrr_{longest}m_coverage_80"),
    )
