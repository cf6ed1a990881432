"""The champion from a real store: found by its alias, read from text and JSON, and missed in plain words."""

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.outcomes.outcome import FORMAT, OutcomeModel
from params import Params, load
from training.tracking.bundle import bundle_digest
from training.tracking.champion import incumbent, load_champion
from training.tracking.errors import NoModel, StoreUnreachable, UnreadableChampion
from training.tracking.runs import recorded_settings
from training.tracking.store import store_uri, without_password

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
    settings: str | None = None,
) -> Any:
    """A run with these files as its bundle, registered as a version without an alias."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=store_uri(params), registry_uri=store_uri(params))
    place = (params.data_dir / "artifacts").as_uri()
    found = client.get_experiment_by_name("test")
    experiment = found.experiment_id if found else client.create_experiment("test", artifact_location=place)
    run = client.create_run(experiment, tags=tags)
    for name, text in files.items():
        client.log_text(run.info.run_id, text, f"model/artifacts/{name}")
    if settings is not None:
        client.log_text(run.info.run_id, settings, "settings.json")
    for name, value in metrics.items():
        client.log_metric(run.info.run_id, name, value)
    with contextlib.suppress(MlflowException):
        client.create_registered_model(params.model.name)
    source = f"{run.info.artifact_uri}/model"
    bundle = {name.removeprefix("bundle/"): text for name, text in files.items()}
    known = {"bundle_digest": bundle_digest(bundle)} | (version_tags or {})
    version = client.create_model_version(params.model.name, source, run.info.run_id, tags=known)
    return client, str(version.version)


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return load(overrides=[f"data_dir={tmp_path_factory.mktemp('store')}"])


def name_champion(params: Params, files: dict[str, str], **more: Any) -> str:
    client, version = register(params, files, **({"tags": {"as_of": "2026-01-01"}, "metrics": {}} | more))
    client.set_registered_model_alias(params.model.name, "champion", version)
    return version


@pytest.fixture
def bundle(model: OutcomeModel) -> dict[str, str]:
    return {f"bundle/{name}": text for name, text in model.to_files().items()}


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


def test_the_champion_is_the_model_that_was_registered(
    params: Params, bundle: dict[str, str], model: OutcomeModel
) -> None:
    version = name_champion(params, bundle)
    champion = load_champion(params)
    assert (champion.version, champion.trained_as_of.isoformat(), champion.has_skill) == (version, "2026-01-01", None)
    assert champion.model.to_files() == model.to_files()
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
    ("address", "told"),
    [
        ("http://me:secret@h:1/store", "http://h:1/store"),
        ("postgresql://me:se/cret@h/db", "postgresql://h/db"),
        ("postgresql://me:se@secret@h/db", "postgresql://h/db"),
        ("postgresql://h/db?user=me&password=secret&sslmode=require", "postgresql://h/db?user=...&password=...&sslmode=require"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("API request to https://me:se/cret@h/api failed", "API request to https://h/api failed"),
    ],
)  # fmt: skip
def test_no_password_is_printed_or_recorded_whatever_signs_it_holds(address: str, told: str) -> None:
    assert without_password(address) == told


def test_the_store_is_recorded_without_its_password() -> None:
    params = load(overrides=["tracking.uri=postgresql://me:se/cret@h/db?password=secret"])
    assert recorded_settings(params)["tracking"]["uri"] == "postgresql://h/db?password=..."


REMEDY = r"\. Restore its files from a backup, or .*: `holdfast train --replace-unreadable`\.$"


@pytest.mark.parametrize(
    ("files", "tags", "message"),
    [
        ({"other/model.json": "{}"}, {"as_of": "2026-01-01"}, "it holds no folder bundle"),
        ({"bundle/model.json": "{}"}, {"as_of": "2026-01-01"}, "its bundle does not say of which format it is"),
        ({"bundle/model.json": "{"}, {"as_of": "2026-01-01"}, "its bundle does not say of which format it is"),
        ({"bundle/model.json": "[]"}, {"as_of": "2026-01-01"}, "its bundle does not say of which format it is"),
        (
            {"bundle/model.json": f'{{"format": {FORMAT}}}'},
            {"as_of": "2026-01-01"},
            r"this version of Holdfast makes no sense of its bundle \('inputs'\)",
        ),
        (
            {"bundle/model.json": f'{{"format": {FORMAT + 1}}}'},
            {"as_of": "2026-01-01"},
            rf"it is of format {FORMAT + 1}, of a newer version of Holdfast, and {FORMAT} is what can be read now",
        ),
        ({"bundle/model.json": "{}"}, {}, r"its run \w+ lacks the tag as_of"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(
    params: Params, files: dict[str, str], tags: dict[str, str], message: str
) -> None:
    version = name_champion(params, files, tags=tags)
    with pytest.raises(
        UnreadableChampion, match=f"^The champion, version {version}, cannot be read: {message}{REMEDY}"
    ):
        load_champion(params)


def test_an_older_format_is_left_behind_by_training(params: Params) -> None:
    version = name_champion(params, {"bundle/model.json": '{"format": 1}'})
    said = (
        f"^The champion, version {version}, is of format 1, and {FORMAT} is what can be read now: run `holdfast train`"
    )
    with pytest.raises(NoModel, match=said):
        load_champion(params)


def test_what_the_service_tells_of_it_holds_nothing_from_its_files(params: Params) -> None:
    version = name_champion(params, {"bundle/model.json": f'{{"format": {FORMAT}, "Company 7": 1}}'})
    with pytest.raises(UnreadableChampion) as refused:
        load_champion(params)
    assert refused.value.told.startswith(f"The champion, version {version}, cannot be read. Restore its files")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is missing"), ("{", "is damaged"), ("[1]", "is damaged"), ("{}", "is damaged")],
)
def test_a_model_does_not_win_because_the_settings_of_the_champion_are_gone(
    params: Params, bundle: dict[str, str], content: str | None, message: str
) -> None:
    more = {} if content is None else {"settings": content}
    version = name_champion(params, bundle, **more)
    with pytest.raises(UnreadableChampion, match=f"version {version}, .* settings.json of its run {message}{REMEDY}"):
        incumbent(params)


def test_a_run_that_is_gone_from_the_store_is_named(params: Params, bundle: dict[str, str]) -> None:
    other = params.model_copy(update={"model": params.model.model_copy(update={"name": "of a lost run"})})
    name_champion(other, bundle)
    with closing(sqlite3.connect(params.data_dir / "mlflow.db")) as connection:
        connection.execute("UPDATE model_versions SET run_id = 'lost' WHERE name = 'of a lost run'")
        connection.commit()
    for read in (load_champion, incumbent):
        with pytest.raises(UnreadableChampion, match=f"its run lost is gone{REMEDY}"):
            read(other)


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
