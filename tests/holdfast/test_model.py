"""Models and backtest, after a demo has trained one."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result


def test_models_lists_the_versions_with_their_record(
    run: Callable[..., Result], demo_data: tuple[Path, Result]
) -> None:
    """The demo's backtest is of the champion's recipe, and so its record."""
    data_dir, _ = demo_data
    readable = run("models", data_dir=data_dir)
    assert readable.exit_code == 0, readable.stderr
    assert "Version 1: the first model of this name." in readable.stdout
    found = run("models", "--json", data_dir=data_dir)
    (version,) = json.loads(found.stdout)["versions"]
    assert (version["version"], version["aliases"]) == ("1", ["champion"])
    record = version["record"]
    assert (record["tested_by"], record["horizon_months"]) == ("backtest", 6)
    assert record["nrr_crps"] > 0
    assert 0 <= record["coverage_80"] <= 1


def test_models_before_any_training_says_so(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("models", data_dir=tmp_path / "data")
    assert (result.exit_code, result.stdout) == (
        0, "No version of holdfast is registered yet: run `holdfast train`.\n",
    )  # fmt: skip
    assert not (tmp_path / "data").exists()


def test_a_backtest_is_readable(run: Callable[..., Result], demo_data: tuple[Path, Result]) -> None:
    result = run("backtest", data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    assert "churn" in result.stdout
