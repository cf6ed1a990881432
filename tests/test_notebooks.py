"""Notebooks run from top to bottom on a small company with a forecast on record, and are committed without outputs."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import params
from features.inputs.load import load_tables
from serving.forecast.batch import forecast
from serving.ledger.record import open_record
from serving.ledger.recording import record_forecast
from training.fit import train
from training.tracking.champion import load_champion

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = (
    "simulated.accounts=170 simulated.months=30 model.learner=lightgbm model.trees=10 model.min_churned=3 "
    "forecast.draws=100 backtest.horizons=[3] backtest.origins=2 backtest.resamples=100 effects.trees=10 "
    "effects.folds=2 threads=1"
)
RUN = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=240, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
print(sum(len(cell.get("outputs", [])) for cell in book.cells))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of one company for all notebooks, with a model in charge and its forecast on record."""
    words = f"{SMALL} data_dir={tmp_path_factory.mktemp('notebooks')}"
    loaded = params.load(None, words.split())
    tables = load_tables(loaded).tables
    train(tables, params=loaded)
    champion = load_champion(loaded)
    made_at = datetime(2026, 1, 2, tzinfo=UTC)
    published = forecast(tables, champion, as_of=tables.data_until, params=loaded, made_at=made_at)
    with open_record(loaded) as record:
        record_forecast(record, tables, champion, published, params=loaded, code_version="of tests")
    return words


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(notebook: Path, settings: str) -> None:
    environment = os.environ | {"HOLDFAST_SET": settings, "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(notebook), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) >= 6, "cells showed their results"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_committed_and_no_logic_defined(notebook: Path) -> None:
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    assert not any(line.startswith(("def ", "class ")) for cell in cells for line in cell["source"])
