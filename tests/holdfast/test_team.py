"""`holdfast health` and `holdfast alerts`, on a small simulated company without a model."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import Result

from holdfast.scorecards import _print_pay
from holdfast.team import _print_health


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("team") / "data"


def test_health_is_listed_for_machines_and_people(run: Callable[..., Result], data_dir: Path) -> None:
    content = json.loads(run("health", "--json", data_dir=data_dir).stdout)
    keys = {"account_id", "score", "csm_half", "customer_half", "coverage", "band", "colour", "cap"}
    assert keys <= set(content["rows"][0])
    assert sum(content["colours"].values()) == sum(row["status"] != "frozen" for row in content["rows"])
    result = run("health", data_dir=data_dir)
    assert "A rule, and no probability." in result.stdout
    assert result.exit_code == 0


def test_accounts_without_a_score_are_listed_last() -> None:
    points = {"csm": "Ada", "csm_half": None, "customer_half": None, "coverage": 0.2, "trend": "", "cap": ""}
    scores = {"unknown": None, "fair": 50.0, "unknown-too": None, "bad": 3.0}
    rows = [{"name": name, "score": score, "band": "", "status": name, **points} for name, score in scores.items()]
    console = Console(file=io.StringIO(), width=200)
    _print_health(console, {"rows": rows, "colours": {}, "as_of": "2026-01-01", "notes": []})
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert sorted(scores, key=lambda name: text.index(f" {name} ")) == ["bad", "fair", "unknown", "unknown-too"]


def test_the_check_says_what_came_of_each_band(run: Callable[..., Result], data_dir: Path) -> None:
    content = json.loads(run("health", "--check", "--json", data_dir=data_dir).stdout)
    assert {row["band"] for row in content["bands"]} == {"A", "B", "C", "D", None}
    assert content["against"] == []
    assert "run `holdfast backtest`" in content["notes"][0]
    assert "What came of each band" in run("health", "--check", data_dir=data_dir).stdout


def test_alerts_are_listed_and_replayed(run: Callable[..., Result], data_dir: Path) -> None:
    content = json.loads(run("alerts", "--json", data_dir=data_dir).stdout)
    assert set(content) == {"as_of", "rows", "escalations", "shared_causes", "notes"}
    assert "churn_likely" in content["notes"][0], "there is no forecast"
    replay = json.loads(run("alerts", "--replay", "--json", data_dir=data_dir).stdout)
    keys = {"rule", "fired", "true", "precision", "lead_days", "random_precision", "by_probability_precision"}
    assert keys | {"missed_arr"} <= set(replay["replay"][0])
    assert "open alerts as of" in run("alerts", data_dir=data_dir).stdout
    assert "verdict" in run("alerts", "--replay", data_dir=data_dir).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("health", "--check", "--csm", "Ada"), "--check is of all accounts and dates"),
        (("health", "--csm", "Nobody"), "--csm Nobody: no account is in that book"),
        (("alerts", "--replay", "--as-of", "2025-01-01"), "--replay is of all dates"),
        (("health", "--set", "health.csm_actions.weight=1"), "the halves add up to 1.4, and must add up to 1"),
        (("alerts", "--set", "alerts.rules.usage_down.feature=usge_28d"), "there is no feature usge_28d"),
    ],
)
def test_bad_requests_and_rules_exit_2_with_one_message(
    run: Callable[..., Result], data_dir: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments, data_dir=data_dir)
    assert result.exit_code == 2
    assert message in result.stderr


PAY_ROW = {"person": "Ada", "quarters": 2, "on_target": 60_000.0, "pay": 63_000.0, "clawback": 700.0}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"compared_pay": 60_500.0, "difference": 2_500.0, "outcome": "gains"}, ("+2,500", "was paid", "1 would gain")),
        ({"compared_pay": None, "difference": None, "outcome": ""}, (" - ", "was paid", "0 would gain")),
    ],
)
def test_pay_is_shown_with_what_was_taken_back_and_who_gains(more: dict[str, object], words: tuple[str, ...]) -> None:
    content = {
        "people": [{**PAY_ROW, **more}], "cost": 63_000.0, "luck_share": 1.4, "compared_with": "paid",
        "compared_cost": 60_500.0, "same_ranking": None, "steady_ranking": -0.3, "notes": [],
        "definition": "What it is.", "file": "pay.csv",
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=200)
    _print_pay(console, content)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in ("105%", "700", "Luck makes 100% of", "-0.30", "Written: pay.csv", *words):
        assert word in text
