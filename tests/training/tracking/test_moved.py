"""A data folder may be moved, copied and restored from a backup: nothing in it says where it lay."""

import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.inputs.load import load_tables
from params import Params
from serving.forecast.batch import forecast
from serving.forecast.export import publish
from serving.forecast.one_account import account_forecast
from training import fit
from training.fit import TrainingResult
from training.tracking.champion import load_champion
from training.tracking.model_card import model_card
from training.tracking.versions import versions_of

MADE_AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def copies(trained: TrainingResult, small_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A folder that was trained in, moved, and then copied; where it lay first there is nothing while this lasts."""
    assert trained.record.version
    first, away = small_params.data_dir, small_params.data_dir.with_name("away")
    first.rename(away)
    try:
        moved, copy = (tmp_path_factory.mktemp(name) / "data" for name in ("moved", "copy"))
        shutil.copytree(away, moved)
        shutil.copytree(moved, copy)
        yield first, moved, copy
    finally:
        away.rename(first)


def digests(folder: Path) -> dict[Path, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_no_file_says_where_the_folder_lay(copies: Any) -> None:
    first, moved, _ = copies
    files = [
        file for file in moved.rglob("*") if file.is_file() and file.suffix != ".pyc"
    ]  # Python's, of a pyfunc read
    assert [file for file in files if str(first).encode() in file.read_bytes()] == []


def test_every_step_goes_on_in_the_copy_and_the_other_stays_as_it_was(copies: Any, changed: Any) -> None:
    _, moved, copy = copies
    before = digests(moved)
    params = changed(data_dir=copy)
    tables = load_tables(params).tables
    champion = load_champion(params)
    assert [version.version for version in versions_of(params)][-1] == "1"
    assert model_card(params, champion)["test"]["scores"]
    made = forecast(tables, champion, as_of=tables.data_until, params=params, made_at=MADE_AT)
    assert publish(made, copy / "forecasts").is_relative_to(copy)
    account = str(made.account_forecast["account_id"].iloc[0])
    explained = account_forecast(tables, champion, account, as_of=tables.data_until, params=params, made_at=MADE_AT)
    assert explained.run_id == made.run_id
    again = fit.train(tables, params=params)
    assert load_champion(params).version == again.record.version
    assert (copy / "mlflow-artifacts" / again.record.run_id / "artifacts" / "settings.json").exists()
    assert digests(moved) == before


def test_reading_the_versions_writes_nothing(copies: Any, changed: Any) -> None:
    _, moved, _ = copies
    before = digests(moved)
    assert versions_of(changed(data_dir=moved))
    assert digests(moved) == before
