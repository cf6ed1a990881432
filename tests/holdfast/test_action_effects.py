"""`holdfast effects`: the whole way on files, and what is refused before anything is written."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import Result

from features.simulation import simulate
from holdfast.action_effects import _not_due
from serving.forecast.stored_effects import read_effects
from training.effects import doubleml_check

KEPT = ("accounts", "contracts", "csm_actions", "fx_rates")
QUICK = ("levels=[action]", "kinds=[newsletter, executive_call]", "folds=2", "trees=10", "max_rows=2000")


@pytest.fixture(scope="module")
def estimated(
    run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str], dict[str, object]]:
    """A data folder with effects, the options that made them, and what was said."""
    folder = tmp_path_factory.mktemp("acting")
    frames = simulate(accounts=420, months=30, ends_on=date(2026, 1, 1), seed=5, team="stretched")
    for name in KEPT:
        frames[name].to_parquet(folder / f"{name}.parquet")
    settings = ["source.kind=files", f"source.path={folder}", "source.data_until=2026-01-01"]
    settings += [f"effects.{setting}" for setting in QUICK]
    options = [part for setting in settings for part in ("--set", setting)]
    result = run("effects", "--json", *options, data_dir=folder / "data")
    assert result.exit_code == 0, result.stdout
    return folder / "data", options, json.loads(result.stdout)


def test_effects_are_told_stored_and_reported(estimated: tuple[Path, list[str], dict[str, object]]) -> None:
    folder, _, content = estimated
    rows = {row["action"]: row for row in content["rows"]}  # type: ignore[attr-defined]
    keys = (
        "action, treated_rows, treated_accounts, churn_points, se, low, high, logit, logit_se, pooled_logit, "
        "expansion_points, verdict, rows_needed, refuters"
    )
    for row in rows.values():
        assert set(keys.split(", ")) <= set(row)
    assert rows["newsletter"]["logit"] is not None
    assert rows["executive_call"]["logit"] is None
    stored = read_effects(folder)
    assert stored is not None
    assert stored.run_id == content["run_id"]
    assert {effect.action: effect.logit for effect in stored.effects} == {
        name: row["logit"] for name, row in rows.items()
    }
    assert "What may not be concluded" in Path(str(content["report"])).read_text(encoding="utf-8")


def test_a_kind_that_is_misspelt_exits_2_and_nothing_is_written(
    run: Callable[..., Result], estimated: tuple[Path, list[str], dict[str, object]]
) -> None:
    folder, options, content = estimated
    result = run("effects", *options, "--set", "effects.null_action=newsleter", data_dir=folder)
    assert result.exit_code == 2
    assert "Did you mean newsletter?" in result.stderr
    stored = read_effects(folder)
    assert stored is not None
    assert stored.run_id == content["run_id"]


def test_too_few_of_every_kind_exits_2_and_names_each(
    run: Callable[..., Result], demo_data: tuple[Path, Result]
) -> None:
    result = run("effects", "--json", data_dir=demo_data[0])
    assert result.exit_code == 2
    problems = json.loads(result.stdout)["problems"]
    assert any("training cannot be estimated: it was done in" in problem["message"] for problem in problems)
    assert not (demo_data[0] / "effects").exists()


def test_days_the_wrong_way_round_exit_2(run: Callable[..., Result], demo_data: tuple[Path, Result]) -> None:
    result = run("effects", "--from", "2025-06-01", "--to", "2025-01-01", data_dir=demo_data[0])
    assert result.exit_code == 2
    assert "put the earlier day first" in result.stderr


def test_without_doubleml_it_is_said_how_to_get_it(
    run: Callable[..., Result], demo_data: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubleml_check.importlib.util, "find_spec", lambda name: None)
    result = run("effects", "--doubleml", data_dir=demo_data[0])
    assert result.exit_code == 2
    assert "pip install 'holdfast[effects]'" in result.stderr


@pytest.mark.parametrize(
    ("newest", "day", "months", "reason"),
    [
        (None, date(2026, 1, 1), 3, ""),
        (None, date(2026, 1, 1), 0, "effects.every_months is 0"),
        (date(2025, 11, 1), date(2026, 1, 31), 3, "the next are due from 2026-02-01"),
        (date(2025, 11, 1), date(2026, 2, 1), 3, ""),
        (date(2026, 3, 1), date(2026, 2, 1), 3, "which is later"),
    ],
)
def test_a_night_estimates_each_quarter(newest: date | None, day: date, months: int, reason: str) -> None:
    text = _not_due(newest, day, months)
    assert reason in text
    assert bool(text) == bool(reason)
