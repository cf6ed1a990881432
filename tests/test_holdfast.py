"""The command line: exit codes and messages, and the whole way on a tiny simulated company."""

import fcntl
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import holdfast

TINY = ("simulated.accounts=150", "simulated.months=30", "model.trees=30", "forecast.draws=200", "backtest.origins=1")


def run(*arguments: str, data_dir: Path | None = None) -> Result:
    settings = [f"data_dir={data_dir}", *TINY] if data_dir else []
    options = [part for setting in settings for part in ("--set", setting)]
    return CliRunner().invoke(holdfast.app, [*arguments, *options])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from any params.yaml, with the environment put back."""
    for name, value in holdfast.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


VERBS = ("check", "simulate", "snapshots", "train", "backtest", "forecast", "explain", "demo")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_and_takes_the_shared_options(verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    for option in ("--params FILE", "--set KEY.PATH=VALUE", "--json", "--debug"):
        assert option in result.stdout


def test_help_lists_every_verb() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert [verb for verb in VERBS if f"  {verb} " not in result.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--set", "sed=1"], "sed: no such setting; did you mean seed?"),
        (["check", "--params", "absent.yaml"], "No settings file absent.yaml. Give an existing file to --params."),
        (["forecast", "--as-of", "2026-13-01"], "'2026-13-01' is no date; write it as YYYY-MM-DD"),
        (["explain"], "Missing argument 'ACCOUNT'"),
        (["forecst"], "No such command 'forecst'"),
        (["check", "--fast"], "No such option: --fast"),
        (["simulate", "there", "--truth", "t.parquet"], "--truth FILE and --as-of DATE go together"),
        (["check", "--set", "source.kind=files", "--set", "source.path=nowhere"], "nowhere"),
    ],
)
def test_bad_input_and_settings_exit_2_with_a_message_and_no_traceback(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_params_yaml_beside_is_used(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("nonsense: 1\n")
    result = run("check")
    assert (result.exit_code, "nonsense: no such setting" in result.stderr) == (2, True)


def test_an_unexpected_error_is_one_line_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("boo\nmore")

    monkeypatch.setattr(holdfast, "_only_writer", fail)
    result = run("check")
    assert result.exit_code == 1
    assert result.stderr == "Failed: KeyError: 'boo\\nmore' (--debug shows where)\n"
    debugged = run("check", "--debug")
    assert isinstance(debugged.exception, KeyError)


def test_two_runs_do_not_write_at_once(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run("check", data_dir=data_dir)
    assert result.exit_code == 1
    assert f"Another run is writing to {data_dir}" in result.stderr


def test_a_forecast_before_any_training_says_what_to_do(tmp_path: Path) -> None:
    result = run("forecast", data_dir=tmp_path / "data")
    assert result.exit_code == 1
    assert "There is no champion" in result.stderr
    assert "run `holdfast train`" in result.stderr


def test_simulate_writes_the_same_company_twice(tmp_path: Path) -> None:
    options = [part for setting in TINY for part in ("--set", setting)]
    for folder in ("a", "b"):
        result = run("simulate", str(tmp_path / folder), "--json", *options)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["folder"] == str(tmp_path / folder)
    files = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.parquet")}
    assert {path.name for path in files} >= {"accounts.parquet", "contracts.parquet"}
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
