"""The verbs of facts, run on the demo's data."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result


def test_kpis_are_told_with_definition_and_n(
    run: Callable[..., Result], demo_data: tuple[Path, Result], tmp_path: Path
) -> None:
    file = tmp_path / "kpis.csv"
    told = json.loads(run("kpis", "--by", "region", "--out", str(file), "--json", data_dir=demo_data[0]).stdout)
    assert {"kpi", "cut", "value", "figure", "n", "unit", "definition"} <= set(told["rows"][0])
    assert {row["cut"] for row in told["rows"]} == {"total", "region", "touch_model"}
    assert file.exists()
    printed = run("kpis", data_dir=demo_data[0]).stdout
    assert "quick ratio" in printed
    refused = run("kpis", "--by", "regoin", data_dir=demo_data[0])
    assert refused.exit_code == 2
    assert "Did you mean region?" in refused.stderr


def test_losses_are_told_by_cause_with_what_showed_before(
    run: Callable[..., Result], demo_data: tuple[Path, Result], tmp_path: Path
) -> None:
    file = tmp_path / "losses.xlsx"
    told = json.loads(run("losses", "--out", str(file), "--json", data_dir=demo_data[0]).stdout)
    assert {"cause", "quarter", "accounts", "arr_lost", "share", "showed_before"} <= set(told["rows"][0])
    assert file.exists()
    assert "By cause" in run("losses", data_dir=demo_data[0]).stdout
    refused = run("losses", "--department", "nobody", data_dir=demo_data[0])
    assert refused.exit_code == 2
    assert "no loss is owned by it" in refused.stderr


def test_cohorts_are_completed_by_the_forecast(
    run: Callable[..., Result], demo_data: tuple[Path, Result], tmp_path: Path
) -> None:
    file = tmp_path / "cohorts.xlsx"
    told = json.loads(run("cohorts", "--ahead", "--out", str(file), "--json", data_dir=demo_data[0]).stdout)
    assert told["ahead"]
    assert file.exists()
    assert "by age in quarters" in run("cohorts", "--ahead", data_dir=demo_data[0]).stdout
