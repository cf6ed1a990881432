"""The model in charge: loaded from the model registry by its alias, from text and JSON only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.outcomes.outcome import OutcomeModel, bundle_digest
from params import Params, reaching_store
from serving.forecast.refusals import NoModel

ALIAS = "champion"
BUNDLE = "bundle"
TRAINED_AS_OF = "as_of"


@dataclass(frozen=True)
class Champion:
    """The registered model version that is in charge, the run that made it, and up to when it saw data.

    `digest` identifies the content of its bundle: the same model has the same one, whatever its version.
    `has_skill` says whether its probabilities of churn beat the base rate out of time; None if that was not tested.
    `rules`, `source` and `data_digest` are the rules of the revenue arithmetic and the data it was trained on,
    `cautions` the sentences that training warned by; empty where a version does not say.
    """

    model: OutcomeModel
    version: str
    run_id: str
    trained_as_of: date
    digest: str
    has_skill: bool | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    data_digest: str = ""
    cautions: tuple[str, ...] = ()


def load_champion(params: Params) -> Champion:
    """The version of `model.name` that carries the alias `champion`.

    Raises
    ------
    NoModel
        Nothing is registered yet, or what is registered is not a bundle this version reads.
    StoreUnreachable
        The tracking store does not answer.
    """
    if params.tracking.uri is None and not params.embedded_store.exists():
        raise _none_yet(params)
    with reaching_store(params):
        return _champion(_client(params), params)


def _champion(client: Any, params: Params) -> Champion:
    version = _champion_version(client, params)
    run = client.get_run(version.run_id).data
    trained = run.tags.get(TRAINED_AS_OF)
    if not trained:
        raise NoModel(f"The run {version.run_id} of the champion lacks the tag {TRAINED_AS_OF}: run `holdfast train`.")
    with TemporaryDirectory(prefix="holdfast-") as folder:
        files = _bundle(_download(client, params, version.version, folder))
    return Champion(
        model=_read(files, params.threads),
        version=str(version.version),
        run_id=str(version.run_id),
        trained_as_of=date.fromisoformat(trained),
        digest=bundle_digest(files),
        has_skill=_has_skill(run.metrics),
        rules={name: version.tags[name] for name in params.rules if name in version.tags},
        source=version.tags.get("source", ""),
        data_digest=version.tags.get("data_digest", ""),
        cautions=tuple(version.tags.get("caution", "").splitlines()),
    )


def champion_version(params: Params) -> str:
    """Which version carries the alias `champion` now; empty if none does. Nothing is loaded.

    Raises
    ------
    Exception
        Whatever the registry raises when it cannot be asked.
    """
    if params.tracking.uri is None and not _embedded_store(params).exists():
        return ""
    try:
        version = _champion_version(_client(params), params)
    except NoModel:
        return ""
    return f"{version.version}@{version.run_id}"


def _embedded_store(params: Params) -> Path:
    return (params.data_dir / "mlflow.db").resolve()


def _none_yet(params: Params) -> NoModel:
    what = f"There is no champion of the model {params.model.name}"
    return NoModel(f"{what} in {params.store_name} yet: run `holdfast train`.", f"{what} yet: run `holdfast train`.")


def _client(params: Params) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=params.store_uri, registry_uri=params.store_uri)


def _champion_version(client: Any, params: Params) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(params.model.name, ALIAS)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise _none_yet(params) from None
        raise


def _has_skill(metrics: Mapping[str, float]) -> bool | None:
    """Whether skill in telling churn was found at any horizon tested."""
    found = [value for name, value in metrics.items() if name.startswith("churn_") and name.endswith("_has_skill")]
    return any(value > 0 for value in found) if found else None


def _download(client: Any, params: Params, version: str, folder: str) -> Path:
    """The version's files; asked for by place, since a `models:/` address is looked up in the global store."""
    import mlflow.artifacts

    place = client.get_model_version_download_uri(params.model.name, version)
    return Path(mlflow.artifacts.download_artifacts(place, dst_path=folder, tracking_uri=params.store_uri))


def _bundle(folder: Path) -> dict[str, str]:
    """The text files of the model's bundle."""
    bundles = sorted(path for path in folder.rglob(BUNDLE) if path.is_dir())
    if not bundles:
        raise NoModel(f"The registered model holds no folder {BUNDLE}: run `holdfast train`.")
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(bundles[0].iterdir()) if file.is_file()}


def _read(files: Mapping[str, str], threads: int) -> OutcomeModel:
    try:
        return OutcomeModel.from_files(files, threads=threads)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = "The registered model cannot be read by this version of Holdfast"
        raise NoModel(f"{what} ({error}): run `holdfast train`.", f"{what}: run `holdfast train`.") from None
