"""Models and backtest, after a demo has trained one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
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
    beside = json.loads(run("ledger", "score", "--json", data_dir=data_dir).stdout)["backtest"]
    assert beside["tested"] == {"version": "1", **record}


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--rollback"], 1, "It is not on record which version was in charge before."),
        (["--in-charge", "9"], 1, "There is no version 9 of holdfast."),
        (["--in-charge", "1"], 1, "Version 1 is in charge already."),
        (["--in-charge", "1", "--rollback"], 2, "not both"),
    ],
)
def test_a_version_that_cannot_be_put_in_charge_is_an_error(
    run: Callable[..., Result], demo_data: tuple[Path, Result], options: list[str], code: int, told: str
) -> None:
    result = run("models", *options, data_dir=demo_data[0])
    assert (result.exit_code, told in result.stderr) == (code, True)


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


class _Doubted:
    """What training gives where it found a leak."""

    class suspicion:
        refuses = True
        reason = "its data give the future away: calls.outcome (predicts too well)"

    def to_json(self) -> dict[str, bool]:
        return {"promoted": False}

    def lines(self) -> list[str]:
        return ["LEAK. calls.outcome"]


@pytest.mark.parametrize("accepted", [False, True])
def test_a_model_that_may_not_take_charge_ends_the_verb(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted: bool
) -> None:
    asked = []

    def train(*_: object, accept_leaks: bool, **more: object) -> _Doubted:
        asked.append(accept_leaks)
        return _Doubted()

    monkeypatch.setattr("training.fit.train", train)
    result = run("train", "--json", *(["--accept-leaks"] if accepted else []), data_dir=tmp_path / "data")
    assert (asked, result.exit_code, json.loads(result.stdout)) == ([accepted], 1, {"promoted": False})
    assert result.stderr.splitlines()[-1] == (
        "Not promoted: its data give the future away: calls.outcome (predicts too well). Correct it, or accept it with "
        "--accept-leaks."
    )
