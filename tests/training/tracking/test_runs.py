"""What a run leaves in MLflow, and what it leaves alone when it dies."""

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow.artifacts
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient

from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from params import Params
from training import fit
from training.backtest import rolling
from training.fit import TrainingResult
from training.learn.dataset import Dataset
from training.tracking import runs
from training.tracking.bundle import bundle_digest
from training.tracking.errors import StoreUnreachable
from training.tracking.evidence import Evidence, Metric, Table
from training.tracking.runs import RecordedRun
from training.tracking.store import store_uri

pytestmark = pytest.mark.usefixtures("costly")

AS_OF = date(2026, 1, 1)
CHAMPION = "models:/holdfast@champion"
ROOT = Path(runs.__file__).parents[2]


def client_of(record: RecordedRun) -> MlflowClient:
    return MlflowClient(tracking_uri=record.uri)


def place_of(record: RecordedRun) -> Path:
    """Where the files of a run lie: what the store says is relative to the folder of its database."""
    location = client_of(record).get_run(record.run_id).info.artifact_uri
    return Path(record.uri.removeprefix("sqlite:///")).parent / location


def text_of(record: RecordedRun, path: str) -> str:
    return mlflow.artifacts.load_text(str(place_of(record) / path))


def names_in(record: RecordedRun, folder: str) -> set[str]:
    return {file.name for file in (place_of(record) / folder).iterdir()}


@pytest.mark.parametrize(
    ("uri", "expected"), [(None, "sqlite:///{data_dir}/mlflow.db"), ("http://tracking:5000", "http://tracking:5000")]
)
def test_the_store_is_in_the_data_folder_unless_another_is_named(
    uri: str | None, expected: str, changed: Any, small_params: Params
) -> None:
    assert store_uri(changed(tracking={"uri": uri})) == expected.format(data_dir=small_params.data_dir)


def test_the_run_holds_the_resolved_settings(trained: TrainingResult, small_params: Params) -> None:
    """All but where the data folder lies: it may be moved, and the record with it."""
    settings = json.loads(text_of(trained.record, "settings.json"))
    assert settings == small_params.model_dump(mode="json", exclude={"data_dir"})
    run = client_of(trained.record).get_run(trained.record.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train 2026-01-01")
    logged = {name: run.data.params[name] for name in ("seed", "model.trees", "forecast.draws", "backtest.horizons")}
    assert logged == {"seed": "7", "model.trees": "12", "forecast.draws": "200", "backtest.horizons": "[1, 3]"}


def test_the_run_holds_data_and_commit(trained: TrainingResult, company: Tables) -> None:
    tags = client_of(trained.record).get_run(trained.record.run_id).data.tags
    assert tags["data_digest"] == company.digest
    assert (tags["data_until"], tags["as_of"]) == ("2026-01-01", "2026-01-01")
    known = subprocess.run(
        ["git", "cat-file", "-t", tags["commit"].removesuffix("-dirty")], cwd=ROOT, capture_output=True, text=True
    )
    assert known.stdout.strip() == ("commit" if (ROOT / ".git").exists() else "")


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "__file__", str(tmp_path / "runs.py"))
    assert runs.commit() == ""


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runs.commit() == ""


def test_outside_a_checkout_the_version_of_the_code_is_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs.code_version() == runs.commit()
    monkeypatch.setattr(runs, "commit", lambda: "")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*|unknown", runs.code_version())


def test_the_run_holds_the_scores(trained: TrainingResult) -> None:
    metrics = client_of(trained.record).get_run(trained.record.run_id).data.metrics
    for score in trained.scores:
        prefix = f"{score.outcome}_{score.horizon_months}m"
        for name in ("auc", "log_loss", "skill", "brier", "calibration_slope", "calibration_error"):
            assert metrics[f"{prefix}_{name}"] == pytest.approx(getattr(score, name), nan_ok=True)
    assert metrics["churn_events"] > 0


def test_the_run_holds_figures_that_are_pictures(trained: TrainingResult, model: OutcomeModel) -> None:
    learned = [name for name, fitted in model.outcomes_.items() if fitted.hazard is not None]
    assert {"churn", "expansion"} <= set(learned)
    assert names_in(trained.record, "figures") == {"calibration.png", *(f"shap_{name}.png" for name in learned)}
    for file in (place_of(trained.record) / "figures").iterdir():
        assert file.read_bytes().startswith(b"\x89PNG"), file.name


def test_the_run_holds_tables(trained: TrainingResult) -> None:
    assert {"scores.csv", "reliability_churn_3m.csv", "importance_churn.csv"} <= names_in(trained.record, "tables")
    scores = pd.read_csv(io.StringIO(text_of(trained.record, "tables/scores.csv")))
    assert scores["auc"].tolist() == pytest.approx([score.auc for score in trained.scores])
    importance = pd.read_csv(io.StringIO(text_of(trained.record, "tables/importance_churn.csv")))
    assert importance["mean_abs_log_odds"].is_monotonic_decreasing


@pytest.fixture
def record(company: Tables, model: OutcomeModel, changed: Any) -> Any:
    """Records the model under a name, in the shared store or under other settings."""

    def write(name: str, evidence: Sequence[Evidence] = (), *, other: Params | None = None) -> RecordedRun:
        params = other or changed(model={"name": name})
        return runs.record_run(model, evidence, tables=company, as_of=AS_OF, params=params)

    return write


def test_what_is_undefined_is_not_recorded(record: Any) -> None:
    made = record("undefined", [Metric("auc", float("nan")), Metric("skill", -0.5)])
    assert client_of(made).get_run(made.run_id).data.metrics == {"skill": -0.5}


def test_champion_is_the_newest_version(record: Any) -> None:
    made = [record("twice"), record("twice")]
    assert [item.version for item in made] == ["1", "2"]
    champion = client_of(made[0]).get_model_version_by_alias("twice", "champion")
    assert (str(champion.version), champion.run_id) == ("2", made[1].run_id)


def test_the_version_says_by_what_rules_and_on_what_data_it_was_trained(
    record: Any, company: Tables, small_params: Params
) -> None:
    made = record("ruled")
    tags = client_of(made).get_model_version("ruled", made.version).tags
    assert {name: tags.get(name) for name in ("revenue.currency", "revenue.grace_days", "revenue.reactivation")} == {
        "revenue.currency": "USD",
        "revenue.grace_days": "30",
        "revenue.reactivation": "exclude",
    }
    assert tags["model.min_change"] == "0.001"
    assert (tags["source"], tags["data_digest"]) == (small_params.source_name, company.digest)


class _Silent(BaseHTTPRequestHandler):
    """Answers the first requests as a store without the experiment would, then hangs up."""

    left = 0

    def do_GET(self) -> None:
        if type(self).left:
            type(self).left -= 1
            self.send_response(404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}')
        else:
            self.connection.close()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing to tell."""


@pytest.fixture
def breaking_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A store that breaks off after so many answers: breaking_store(1) -> its address."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Silent)
    running = threading.Thread(target=server.serve_forever)
    running.start()

    def start(answers: int) -> str:
        _Silent.left = answers
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    server.shutdown()
    running.join()
    server.server_close()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "postgresql://127.0.0.1:9/runs"])
def test_training_asks_the_store_before_it_fits_anything(uri: str, company: Tables, changed: Any) -> None:
    """Nothing listens there. Even too little data, which is seen before any fitting, is not found first."""
    params = changed(tracking={"uri": uri}, model={"min_accounts": 5000})
    for work in (fit.train, rolling.backtest):
        with pytest.raises(StoreUnreachable, match=rf"{uri} of tracking.uri does not answer: Connection refused"):
            work(company, params=params)


def test_a_store_that_hangs_up_is_found_before_the_fit(company: Tables, changed: Any, breaking_store: Any) -> None:
    params = changed(tracking={"uri": breaking_store(0)}, model={"min_accounts": 5000})
    with pytest.raises(StoreUnreachable, match=r"127.0.0.1:\d+ of tracking.uri does not answer: the connection broke"):
        fit.train(company, params=params)


def test_a_store_that_goes_away_while_a_run_is_recorded_is_named(
    changed: Any, breaking_store: Any, record: Any
) -> None:
    other = changed(tracking={"uri": breaking_store(1)})
    with pytest.raises(StoreUnreachable, match=r"tracking.uri does not answer: the connection broke or timed out"):
        record("gone", other=other)


def test_what_is_no_mlflow_server_is_named(changed: Any, breaking_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Silent, "do_GET", lambda self: self.send_error(404))
    params = changed(tracking={"uri": breaking_store(1)})
    with pytest.raises(StoreUnreachable, match=r"does not answer: it is no MLflow server \(API request to .* 404"):
        runs.require_store(params)


def test_an_evaluation_registers_no_model(company: Tables, changed: Any) -> None:
    params = changed(model={"name": "evaluated"})
    made = runs.record_evaluation([Table("portfolio", pd.DataFrame({"a": [1]}))], tables=company, params=params)
    client = client_of(made)
    assert (made.version, client.search_registered_models("name = 'evaluated'")) == ("", [])
    assert client.get_run(made.run_id).info.status == "FINISHED"
    assert text_of(made, "tables/portfolio.csv") == '"a"\n1\n'


def bundle_of(record: RecordedRun, folder: Path) -> Path:
    """The registered model's bundle, downloaded."""
    place = client_of(record).get_model_version_download_uri(record.model_name, record.version)
    assert place_of(record).as_posix().endswith(place.removesuffix("/model"))
    model = mlflow.artifacts.download_artifacts(str(place_of(record) / "model"), dst_path=str(folder))
    (found,) = Path(model).rglob("bundle")
    return found


def test_the_bundle_is_text_that_gives_the_same_model(
    trained: TrainingResult, model: OutcomeModel, dataset: Dataset, tmp_path: Path
) -> None:
    bundle = bundle_of(trained.record, tmp_path)
    files = {file.name: file.read_text(encoding="utf-8") for file in bundle.iterdir()}
    assert files == model.to_files()
    cohort = dataset.frame[dataset.cohort(AS_OF)]
    restored = OutcomeModel.from_files(files).predict(cohort)
    np.testing.assert_array_equal(restored.hazards, model.predict(cohort).hazards)
    version = client_of(trained.record).get_model_version(trained.record.model_name, trained.record.version)
    assert version.tags["bundle_digest"] == bundle_digest(files)


def test_nothing_in_the_model_is_a_pickle(trained: TrainingResult, tmp_path: Path) -> None:
    folder = bundle_of(trained.record, tmp_path).parents[1]
    compiled = "__pycache__"  # Python's own, where the model was loaded before
    suffixes = {file.suffix for file in folder.rglob("*") if file.is_file() and compiled not in file.parts}
    assert suffixes == {"", ".py", ".json", ".txt", ".yaml", ".sha256"}
    recipe = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]["python_function"]
    assert Path(recipe["model_code_path"]).name == "pyfunc_model.py"
    assert "python_model" not in recipe


LOAD_WITHOUT_PICKLE = """
import sys, pickle

def but_of_numba(real):  # machine code that it keeps beside the source, as trusted as the source is
    def forbidden(*content, **options):
        if sys._getframe(1).f_globals["__name__"].startswith("numba.core."):
            return real(*content, **options)
        raise AssertionError("something was unpickled")

    return forbidden

class Forbidden(pickle._Unpickler):  # a class, since libraries derive theirs from it
    def load(self):
        raise AssertionError("something was unpickled")

pickle.load, pickle.loads = but_of_numba(pickle.load), but_of_numba(pickle.loads)
pickle.Unpickler = pickle._Unpickler = Forbidden
import mlflow.pyfunc, pandas as pd

uri, model, rows, predicted = sys.argv[1:]
mlflow.set_tracking_uri(uri)
mlflow.pyfunc.load_model(model).predict(pd.read_parquet(rows)).to_parquet(predicted)
"""


def test_the_champion_loads_with_pickle_forbidden_and_predicts_the_same(
    trained: TrainingResult, model: OutcomeModel, dataset: Dataset, small_params: Params, tmp_path: Path
) -> None:
    """In a process of its own, in the data folder: away from the checkout, and where locations are relative to."""
    rows, predicted = tmp_path / "rows.parquet", tmp_path / "predicted.parquet"
    cohort = dataset.frame[dataset.cohort(AS_OF)].reset_index(drop=True)
    cohort.to_parquet(rows)
    subprocess.run(
        [
            sys.executable,
            "-c",
            LOAD_WITHOUT_PICKLE,
            "sqlite:///mlflow.db",
            "models:/holdfast@champion",
            rows,
            predicted,
        ],
        env=os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        cwd=small_params.data_dir,
        check=True,
    )
    found, expected = pd.read_parquet(predicted), model.predict(cohort)
    assert list(found)[:3] == ["churn_1m", "expansion_1m", "churn_2m"]
    churn, expansion = expected.event_probability("churn"), expected.event_probability("expansion")
    for month in (1, 6, 12):
        np.testing.assert_array_equal(found[f"churn_{month}m"], churn[:, month - 1])
        np.testing.assert_array_equal(found[f"expansion_{month}m"], expansion[:, month - 1])


def test_a_training_that_dies_while_recording_leaves_the_champion(record: Any, changed: Any, tmp_path: Path) -> None:
    """The folder of artifacts is gone: the run is FAILED, there is no version of the model, the alias is as it was."""
    other = changed(data_dir=tmp_path)
    first = record("holdfast", other=other)
    (tmp_path / "mlflow-artifacts").rename(tmp_path / "away")
    (tmp_path / "mlflow-artifacts").write_text("no folder")
    with pytest.raises(OSError, match="mlflow-artifacts"):
        record("holdfast", other=other)
    client = client_of(first)
    champion = client.get_model_version_by_alias("holdfast", "champion")
    assert (str(champion.version), champion.run_id) == ("1", first.run_id)
    assert len(client.search_model_versions("name = 'holdfast'")) == 1
    runs = client.search_runs([client.get_experiment_by_name("holdfast").experiment_id])
    assert {run.info.run_id == first.run_id: run.info.status for run in runs} == {True: "FINISHED", False: "FAILED"}


def test_it_can_be_run_again_after_it_died(record: Any) -> None:
    first = record("again and again")
    with pytest.raises(Exception, match="Invalid artifact path"):
        record("again and again", [Table("../../outside", pd.DataFrame({"a": [1]}))])
    third = record("again and again")
    assert (first.version, third.version) == ("1", "2")
    assert dataclasses.replace(third, run_id="") == dataclasses.replace(first, run_id="", version="2")
    champion = client_of(third).get_model_version_by_alias("again and again", "champion")
    assert str(champion.version) == "2"
