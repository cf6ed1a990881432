"""The whole way, and what the demo says at its end."""

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import Result

from holdfast import demo
from holdfast.progress import Progress
from holdfast.run import Run, settings_options
from params import load


def test_demo_goes_the_whole_way(demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert [step["step"].split(":")[0] for step in content["steps"]] == [
        "Checking the input",
        "Snapshots",
        "Training",
        "Backtest",
        "Forecasting",
    ]
    assert {row["metric"] for row in content["forecast"]["portfolio"]} >= {"nrr", "grr", "reported_nrr"}
    assert content["forecast"]["folder"] == str(data_dir / "forecasts" / "2026-01-01")
    assert (data_dir / "forecasts" / "latest" / "account_forecast.parquet").exists()
    assert not (data_dir.parent / "mlflow.db").exists(), "the store lies in the data folder, not where the command runs"


def test_the_backtest_of_the_demo_leaves_its_report(demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    (step,) = (step for step in json.loads(result.stdout)["steps"] if step["step"].startswith("Backtest"))
    page = data_dir / "backtests" / "latest" / "report.html"
    assert step["result"][-1] == f"Report: {page}"
    assert "<h2>Verdict</h2>" in page.read_text(encoding="utf-8")


def test_the_demo_ends_with_commands_for_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they can be pasted: what it made lies where its settings say."""
    monkeypatch.setattr(sys, "argv", [".venv/bin/holdfast", "demo"])
    monkeypatch.setattr("serving.forecast.terminal.print_forecast", lambda *_: None)
    options = settings_options(Path("my params.yaml"), ["data_dir=x", "seed=1"])
    console = Console(file=io.StringIO(), width=200)
    run = Run(load(overrides=["data_dir=x"]), False, Progress(), options)
    demo._print_end(console, {"at_risk": [{"account_id": "A-1"}], "folder": "x", "forms": ["csv"]}, run)
    same = "--params 'my params.yaml' --set data_dir=x --set seed=1"
    assert console.file.getvalue().splitlines()[-4:] == [  # type: ignore[attr-defined]
        f"The reasons behind one account: .venv/bin/holdfast explain A-1 {same}",
        "Next, pages and API:",
        f"  .venv/bin/holdfast publish {same}",
        f"  .venv/bin/holdfast serve {same}",
    ]
