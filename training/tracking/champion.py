"""The version in charge: found by its alias, and what it is, for whoever forecasts with it or wants its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from params import Params
from training.tracking.artifacts import Artifacts
from training.tracking.bundle import DamagedBundle, bundle_digest, format_of, model_of, read_bundle
from training.tracking.errors import NoModel, UnreadableChampion
from training.tracking.store import Store, is_there, open_store, store_name

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from models.outcomes.outcome import OutcomeModel

ALIAS, WAITING = "champion", "challenger"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class Champion:
    """The registered model version that is in charge, the run that made it, and up to when it saw data.

    `digest` identifies the content of its bundle: the same model has the same one, whatever its version.
    `has_skill` says whether its probabilities of churn beat the base rate out of time; None if that was not tested.
    `rules`, `source` and `data_digest` are the rules of the revenue arithmetic and the data it was trained on,
    `cautions` the sentences that training warned by; empty where a version does not say.
    """

    model: "OutcomeModel"
    version: str
    run_id: str
    trained_as_of: date
    digest: str
    has_skill: bool | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    data_digest: str = ""
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Incumbent:
    """The version in charge as a newly trained model meets it: its tags, the settings of its run, its bundle's format.

    The bundle was found whole, and is of today's format or an older one.
    """

    version: str
    run_id: str
    tags: Mapping[str, str]
    settings: Mapping[str, Any]
    format: int


def load_champion(params: Params) -> Champion:
    """The version of `model.name` that carries the alias `champion`.

    Raises
    ------
    NoModel
        Nothing is registered yet, or what is registered is of an older format than this version reads.
    UnreadableChampion
        Its bundle or its record is missing, damaged, or of a newer version of Holdfast.
    StoreUnreachable
        The tracking store does not answer.
    """
    if not is_there(params):
        raise _none_yet(params)
    with open_store(params) as store:
        version = version_in_charge(store, params)
        if version is None:
            raise _none_yet(params)
        return champion_of(store, version, params)


def named_with_calls(params: Params) -> Params:
    """The settings with the name under which the model with calls is registered, beside the other."""
    model = params.model.model_copy(update={"name": f"{params.model.name}-with-calls"})
    return params.model_copy(update={"model": model})


def load_with_calls(params: Params) -> Champion | None:
    """The newest model with calls; None where there is none, or none that can be read.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    try:
        return load_champion(named_with_calls(params))
    except NoModel:
        return None


def load_version(params: Params, number: str) -> Champion:
    """A registered version as it would be in charge, whether or not it is.

    Raises
    ------
    NoModel
        It is not registered any more, or of an older format than this version reads.
    UnreadableChampion, StoreUnreachable
        As `load_champion`.
    """
    from mlflow.exceptions import MlflowException

    gone = NoModel(f"Version {number} of the model {params.model.name} is not registered any more.")
    if not is_there(params):
        raise gone
    with open_store(params) as store:
        try:
            version = store.client.get_model_version(params.model.name, number)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise gone from None
            raise
        return champion_of(store, version, params)


def champion_version(params: Params) -> str:
    """Which version carries the alias `champion` now; empty if none does. Nothing is loaded.

    Raises
    ------
    Exception
        Whatever the registry raises when it cannot be asked.
    """
    if not is_there(params):
        return ""
    with open_store(params) as store:
        version = version_in_charge(store, params)
        return f"{version.version}@{version.run_id}" if version else ""


def incumbent(params: Params) -> Incumbent | None:
    """The version in charge, for a newly trained model that may take its place; None if there is none.

    Raises
    ------
    UnreadableChampion
        Its bundle or its record is missing, damaged, or of a newer version of Holdfast.
    StoreUnreachable
        The tracking store does not answer.
    """
    if not is_there(params):
        return None
    with open_store(params) as store:
        version = version_in_charge(store, params)
        if version is None:
            return None
        number, texts = str(version.version), _texts(store, version)
        settings = _settings(number, store.files_of_run(_run(store, version)))
        return Incumbent(number, str(version.run_id), version.tags, settings, _format(number, texts))


def champion_of(store: Store, version: "ModelVersion", params: Params) -> Champion:
    """A registered version as it would be in charge, read and found whole."""
    run, number = _run(store, version).data, str(version.version)
    trained = run.tags.get("as_of")
    if not trained:
        raise UnreadableChampion(number, f"its run {version.run_id} lacks the tag as_of")
    texts = _texts(store, version)
    return Champion(
        model=_model(number, texts, params.threads),
        version=number,
        run_id=str(version.run_id),
        trained_as_of=date.fromisoformat(trained),
        digest=bundle_digest(texts),
        has_skill=_has_skill(run.metrics),
        rules={name: version.tags[name] for name in params.rules if name in version.tags},
        source=version.tags.get("source", ""),
        data_digest=version.tags.get("data_digest", ""),
        cautions=tuple(version.tags.get("caution", "").splitlines()),
    )


def _none_yet(params: Params) -> NoModel:
    what = f"There is no champion of the model {params.model.name}"
    return NoModel(f"{what} in {store_name(params)} yet: run `holdfast train`.", f"{what} yet: run `holdfast train`.")


def version_in_charge(store: Store, params: Params) -> "ModelVersion | None":
    """The registered version that carries the alias; None if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_model_version_by_alias(params.model.name, ALIAS)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _run(store: Store, version: "ModelVersion") -> "Run":
    """The run that made a version."""
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_run(str(version.run_id))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise UnreadableChampion(str(version.version), f"its run {version.run_id} is gone") from None
        raise


def _texts(store: Store, version: "ModelVersion") -> dict[str, str]:
    """What its bundle holds, known to be whole."""
    try:
        return read_bundle(store.files_of_version(version), version.tags.get("bundle_digest", ""))
    except DamagedBundle as damage:
        raise UnreadableChampion(str(version.version), str(damage)) from None


def _format(number: str, texts: Mapping[str, str]) -> int:
    """The format of its bundle: today's or an older one."""
    from models.outcomes.outcome import FORMAT

    bundled = format_of(texts)
    if bundled is None:
        raise UnreadableChampion(number, "its bundle does not say of which format it is")
    if bundled > FORMAT:
        newer = f"it is of format {bundled}, of a newer version of Holdfast, and {FORMAT} is what can be read now"
        raise UnreadableChampion(number, newer)
    return bundled


def _model(number: str, texts: Mapping[str, str], threads: int) -> "OutcomeModel":
    from models.outcomes.outcome import FORMAT

    bundled = _format(number, texts)
    if bundled < FORMAT:
        older = f"is of format {bundled}, and {FORMAT} is what can be read now: run `holdfast train`."
        raise NoModel(f"The champion, version {number}, {older}")
    try:
        return model_of(texts, threads)
    except DamagedBundle as damage:
        raise UnreadableChampion(number, str(damage)) from None


def _settings(number: str, files: Artifacts) -> Mapping[str, Any]:
    """The settings it was trained by."""
    if not files.holds(SETTINGS):
        raise UnreadableChampion(number, f"the file {SETTINGS} of its run is missing")
    try:
        settings = json.loads(files.read(SETTINGS))
    except ValueError:
        settings = None
    if not isinstance(settings, dict) or not isinstance(settings.get("model"), dict):
        raise UnreadableChampion(number, f"the file {SETTINGS} of its run is damaged")
    return settings


def _has_skill(metrics: Mapping[str, float]) -> bool | None:
    """Whether skill in telling churn was found at any horizon tested."""
    tested = [value for name, value in metrics.items() if name.startswith("churn_") and name.endswith("_has_skill")]
    return any(value > 0 for value in tested) if tested else None
