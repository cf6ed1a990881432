"""The champion from a real store: found by its alias, read from text and JSON, and missed in plain words."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from models.outcomes.outcome import OutcomeModel
from params import Params, StoreUnreachable, load
from serving.forecast.champion import load_champion
from serving.forecast.refusals import NoModel

pytestmark = [
    pytest.mark.usefixtures("costly"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


def register(
    params: Params,
    files: dict[str, str],
    *,
    tags: dict[str, str],
    metrics: dict[str, float],
    version_tags: dict[str, str] | None = None,
) -> Any:
    """A run with these files as its bundle, registered as a version without an alias."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=params.store_uri, registry_uri=params.store_uri)
    place = (params.data_dir / "artifacts").as_uri()
    found = client.get_experiment_by_name("test")
    experiment = found.experiment_id if found else client.create_experiment("test", artifact_location=place)
    run = client.create_run(experiment, tags=tags)
    for name, text in files.items():
        client.log_text(run.info.run_id, text, f"model/{name}")
    for name, value in metrics.items():
        client.log_metric(run.info.run_id, name, value)
    with contextlib.suppress(MlflowException):
        client.create_registered_model(params.model.name)
    source = f"{run.info.artifact_uri}/model"
    version = client.create_model_version(params.model.name, source, run.info.run_id, tags=version_tags)
    return client, str(version.version)


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return load(overrides=[f"data_dir={tmp_path_factory.mktemp('store')}"])


def name_champion(params: Params, files: dict[str, str], **more: Any) -> str:
    client, version = register(params, files, **({"tags": {"as_of": "2026-01-01"}, "metrics": {}} | more))
    client.set_registered_model_alias(params.model.name, "champion", version)
    return version


@pytest.fixture
def bundle(world: Any) -> dict[str, str]:
    return {f"bundle/{name}": text for name, text in world.champion.model.to_files().items()}


def test_without_a_store_nothing_is_made_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    params = load(overrides=[f"data_dir={tmp_path / 'data'}"])
    with pytest.raises(NoModel, match=r"There is no champion of the model holdfast in sqlite:.* run `holdfast train`"):
        load_champion(params)
    assert not (tmp_path / "data").exists()


def test_a_version_that_nobody_named_champion_is_not_used(params: Params, bundle: dict[str, str]) -> None:
    other = params.model_copy(update={"model": params.model.model_copy(update={"name": "unnamed"})})
    register(other, bundle, tags={"as_of": "2026-01-01"}, metrics={})
    with pytest.raises(NoModel, match="There is no champion of the model unnamed"):
        load_champion(other)


def test_the_champion_is_the_model_that_was_registered(params: Params, bundle: dict[str, str], world: Any) -> None:
    version = name_champion(params, bundle)
    champion = load_champion(params)
    assert (champion.version, champion.trained_as_of.isoformat(), champion.has_skill) == (version, "2026-01-01", None)
    assert champion.model.to_files() == world.champion.model.to_files()
    name_champion(params, bundle)
    assert load_champion(params).digest == champion.digest, "the same bundle, another version"


@pytest.mark.parametrize(
    ("metrics", "churn"),
    [
        ({"churn_3m_has_skill": 0.0, "churn_12m_has_skill": 1.0}, True),
        ({"churn_3m_has_skill": 0.0, "expansion_3m_has_skill": 1.0}, False),
        ({"churn_3m_has_skill": 1.0, "expansion_3m_has_skill": 0.0}, True),
        ({"churn_3m_auc": 0.9}, None),
    ],
)
def test_whether_it_had_skill_comes_from_its_run(
    params: Params, bundle: dict[str, str], metrics: dict[str, float], churn: bool | None
) -> None:
    name_champion(params, bundle, metrics=metrics)
    champion = load_champion(params)
    assert champion.has_skill == churn


def test_what_training_warned_by_is_a_sentence_each(params: Params, bundle: dict[str, str]) -> None:
    name_champion(params, bundle, version_tags={"caution": "NOT TESTED.\nSMALL DATA."})
    assert load_champion(params).cautions == ("NOT TESTED.", "SMALL DATA.")


@pytest.mark.parametrize(
    ("tags", "rules", "source", "data_digest"),
    [
        (
            {"revenue.currency": "EUR", "source": "files exports", "data_digest": "abc", "other": "x"},
            {"revenue.currency": "EUR"},
            "files exports",
            "abc",
        ),
        ({}, {}, "", ""),
    ],
)
def test_what_it_was_trained_on_comes_from_its_version(
    params: Params, bundle: dict[str, str], tags: dict[str, str], rules: dict[str, str], source: str, data_digest: str
) -> None:
    name_champion(params, bundle, version_tags=tags)
    champion = load_champion(params)
    assert (champion.rules, champion.source, champion.data_digest) == (rules, source, data_digest)


def test_a_store_that_is_not_there_is_named_with_its_setting_and_without_its_password() -> None:
    params = load(overrides=["tracking.uri=http://me:secret@127.0.0.1:9/store"])
    told = (
        r"^The tracking store http://127.0.0.1:9/store of tracking.uri does not answer: Connection refused\. Start it"
    )
    with pytest.raises(StoreUnreachable, match=told):
        load_champion(params)


@pytest.mark.parametrize(
    ("files", "tags", "message"),
    [
        ({"other/model.json": "{}"}, {"as_of": "2026-01-01"}, "holds no folder bundle: run `holdfast train`"),
        (
            {"bundle/model.json": "{}"},
            {"as_of": "2026-01-01"},
            "cannot be read by this version of Holdfast .no model bundle of format",
        ),
        (
            {"bundle/model.json": "{"},
            {"as_of": "2026-01-01"},
            "cannot be read by this version of Holdfast .Expecting .*: run `holdfast train`",
        ),
        (
            {"bundle/model.json": "[]"},
            {"as_of": "2026-01-01"},
            "cannot be read by this version of Holdfast .*: run `holdfast train`",
        ),
        (
            {"bundle/model.json": '{"format": 1}'},
            {"as_of": "2026-01-01"},
            r"cannot be read by this version of Holdfast .no model bundle of format \d+ among .*: run `holdfast train`",
        ),
        ({"bundle/model.json": "{}"}, {}, "lacks the tag as_of: run `holdfast train`"),
    ],
)
def test_what_cannot_be_used_is_named(
    params: Params, files: dict[str, str], tags: dict[str, str], message: str
) -> None:
    name_champion(params, files, tags=tags)
    with pytest.raises(NoModel, match=message):
        load_champion(params)


def test_a_bundle_loads_with_pickle_forbidden(
    params: Params, bundle: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    name_champion(params, bundle)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setattr("pickle.load", forbidden)
    monkeypatch.setattr("pickle.loads", forbidden)
    assert isinstance(load_champion(params).model, OutcomeModel)
