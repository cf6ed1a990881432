"""A bundle is compared with its digest before anything of it is parsed: whatever was changed in it is refused."""

import hashlib
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from models.outcomes.outcome import FORMAT, OutcomeModel
from params import Params, load
from training.tracking import runs
from training.tracking.bundle import DamagedBundle, bundle_digest, read_local_bundle
from training.tracking.champion import incumbent, load_champion
from training.tracking.errors import UnreadableChampion
from training.tracking.runs import RecordedRun
from training.tracking.store import store_uri

FLIPS = 40
SUMS = "bundle.sha256"


class Parsed(AssertionError):
    """The bytes were handed to a parser."""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """A bundle with the text of a real booster."""
    draws = np.random.default_rng(5)
    rows, events = draws.normal(size=(400, 3)), draws.random(400) < 0.3
    booster = lgb.train({"objective": "binary", "verbosity": -1}, lgb.Dataset(rows, events.astype(float)), 5)
    return {"churn.txt": booster.model_to_string(), "model.json": f'{{"format": {FORMAT}, "name": "Zürich"}}'}


@pytest.fixture(scope="module")
def params(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Params:
    return load(overrides=[f"data_dir={tmp_path_factory.mktemp('damaged')}"])


@pytest.fixture(scope="module")
def record(params: Params, texts: dict[str, str]) -> RecordedRun:
    """A champion of these texts."""
    model: Any = SimpleNamespace(to_files=lambda: texts)
    tables: Any = SimpleNamespace(digest="d", data_until=date(2026, 1, 1))
    return runs.record_run(model, [], tables=tables, as_of=date(2026, 1, 1), params=params)


@pytest.fixture
def place(record: RecordedRun, params: Params, tmp_path: Path) -> Iterator[Path]:
    """The folder of the champion's model; what is changed in it is undone after the test."""
    folder = params.data_dir / "mlflow-artifacts" / record.run_id / "artifacts" / "model"
    shutil.copytree(folder, tmp_path / "whole")
    yield folder
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "whole", folder)


@pytest.fixture
def parsers_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reads a bundle's content ends the test."""

    def fail(*_: Any, **__: Any) -> None:
        raise Parsed

    monkeypatch.setattr("training.tracking.bundle.json.loads", fail)
    monkeypatch.setattr(OutcomeModel, "from_files", fail)
    monkeypatch.setattr(lgb, "Booster", fail)


def refusal(params: Params) -> str:
    """Why the champion is refused, by whoever forecasts with it and by whoever wants its place."""
    said = []
    for read in (load_champion, incumbent):
        with pytest.raises(UnreadableChampion, match="`holdfast train --replace-unreadable`") as refused:
            read(params)
        said.append(refused.value.why)
    assert said[0] == said[1]
    return said[0]


@pytest.mark.usefixtures("parsers_that_fail")
@pytest.mark.parametrize("name", ["churn.txt", "model.json"])
def test_a_flipped_bit_is_refused_before_anything_is_parsed(
    name: str, place: Path, params: Params, attack: Any
) -> None:
    file = place / "artifacts" / "bundle" / name
    whole = file.read_bytes()
    for bit in np.random.default_rng(1).choice(len(whole) * 8, FLIPS, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        assert refusal(params) == f"its file {name} is not the one that was registered", bit
    attack.count("bit flips of a bundle, all refused before anything is parsed", FLIPS)


@pytest.mark.usefixtures("parsers_that_fail")
@pytest.mark.parametrize("with_sums", [True, False])
def test_the_digest_in_the_registry_refuses_it_too(with_sums: bool, place: Path, params: Params) -> None:
    """Sums that were changed with the files say nothing; models registered before have none beside them."""
    file, sums = place / "artifacts" / "bundle" / "churn.txt", place / SUMS
    whole, changed = file.read_bytes(), file.read_bytes().replace(b"split", b"splat", 1)
    file.write_bytes(changed)
    if with_sums:
        sums.write_text(sums.read_text().replace(_sum(whole), _sum(changed)))
    else:
        sums.unlink()
    assert refusal(params).startswith("its bundle has the digest ")


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def truncate(bundle: Path) -> None:
    (bundle / "churn.txt").write_bytes((bundle / "churn.txt").read_bytes()[:-100])


def empty(bundle: Path) -> None:
    (bundle / "model.json").write_bytes(b"")


def remove(bundle: Path) -> None:
    (bundle / "churn.txt").unlink()


def add(bundle: Path) -> None:
    (bundle / "expansion.txt").write_text("tree")


def add_below(bundle: Path) -> None:
    (bundle / "more").mkdir()
    (bundle / "more" / "churn.txt").write_text("tree")


def swap(bundle: Path) -> None:
    (bundle / "churn.txt").rename(bundle / "expansion.txt")


def remove_all(bundle: Path) -> None:
    shutil.rmtree(bundle)


def damage_sums(bundle: Path) -> None:
    sums = bundle.parents[1] / SUMS
    sums.write_bytes(b"\xff" + sums.read_bytes()[1:])


@pytest.mark.usefixtures("parsers_that_fail")
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, "its file churn.txt is not the one that was registered"),
        (empty, "its file model.json is not the one that was registered"),
        (remove, "its file churn.txt is missing"),
        (add, "its file expansion.txt was not registered"),
        (add_below, "its file more/churn.txt was not registered"),
        (swap, "its file churn.txt is missing; its file expansion.txt was not registered"),
        (remove_all, "it holds no folder bundle"),
        (damage_sums, "its file churn.txt is not the one that was registered"),
    ],
)
def test_files_that_are_cut_short_missing_or_added_are_named(
    damage: Any, said: str, place: Path, params: Params
) -> None:
    damage(place / "artifacts" / "bundle")
    assert refusal(params) == said
    if damage is not remove_all:
        with pytest.raises(DamagedBundle, match=said):
            read_local_bundle(place / "artifacts" / "bundle")


@pytest.mark.usefixtures("parsers_that_fail")
@pytest.mark.parametrize("damage", [truncate, remove, add, add_below])
def test_so_they_are_by_the_digest_alone(damage: Any, place: Path, params: Params) -> None:
    (place / SUMS).unlink()
    damage(place / "artifacts" / "bundle")
    assert refusal(params).startswith("its bundle has the digest ")


@pytest.mark.usefixtures("parsers_that_fail")
def test_without_sums_what_is_no_text_is_refused(place: Path, params: Params) -> None:
    (place / SUMS).unlink()
    (place / "artifacts" / "bundle" / "churn.txt").write_bytes(b"tree\xff")
    assert refusal(params) == "a file of its bundle is no text, so it is damaged"


def test_a_whole_bundle_is_read_with_sums_and_without(place: Path, params: Params, texts: dict[str, str]) -> None:
    assert read_local_bundle(place / "artifacts" / "bundle") == texts
    for remove_sums in (False, True):
        if remove_sums:
            (place / SUMS).unlink()
        there = incumbent(params)
        assert there is not None
        assert there.tags["bundle_digest"] == bundle_digest(texts)
    with pytest.raises(DamagedBundle, match=f"there is no {SUMS} to tell by whether its files are whole"):
        read_local_bundle(place / "artifacts" / "bundle")


@pytest.mark.usefixtures("parsers_that_fail")
def test_a_version_without_a_digest_is_refused(record: RecordedRun, params: Params) -> None:
    """Every version that Holdfast registered has one: it was taken away, or registered by another hand."""
    client = MlflowClient(store_uri(params))
    digest = client.get_model_version(record.model_name, record.version).tags["bundle_digest"]
    client.delete_model_version_tag(record.model_name, record.version, "bundle_digest")
    try:
        assert refusal(params).startswith("no digest was registered with it")
    finally:
        client.set_model_version_tag(record.model_name, record.version, "bundle_digest", digest)


def test_the_sums_are_those_of_sha256sum(place: Path) -> None:
    lines = (place / SUMS).read_text().splitlines()
    files = [place / line.partition("  ")[2] for line in lines]
    assert [file.name for file in files] == ["churn.txt", "model.json"]
    assert [line.partition("  ")[0] for line in lines] == [_sum(file.read_bytes()) for file in files]
