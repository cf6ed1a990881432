"""What every verb does: settings, errors for people and for machines, exit codes."""

import errno
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from typer.testing import Result

from features.tables.problems import DiskFull


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["check", "--set", "sed=1"], "bad_settings", "sed: no such setting; did you mean seed?"),
        (["train", "--params", "absent.yaml"], "bad_settings", "No settings file absent.yaml."),
        (["forecast", "--as-of", "2026-13-01"], "bad_usage", "'2026-13-01' is no date; write it as YYYY-MM-DD"),
        (["explain"], "bad_usage", "Missing argument 'ACCOUNT'"),
        (["forecst"], "bad_usage", "No such command 'forecst'"),
        (["simulate", "there", "--truth", "t.json"], "bad_request", "--truth FILE and --as-of DATE go together"),
    ],
)
def test_errors_for_machines(run: Callable[..., Result], arguments: list[str], kind: str, message: str) -> None:
    result = run(*arguments, "--json")
    assert result.exit_code == 2
    content = json.loads(result.stdout)
    assert message in content.pop("message")
    assert content == {"error": kind, "exit_code": 2, "problems": [], "warnings": []}
    assert message in result.stderr


def test_a_failure_for_machines(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("forecast", "--json", data_dir=tmp_path / "data")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["exit_code"], content["error"]) == (1, 1, "no_model")
    assert content["message"] in result.stderr


@pytest.mark.parametrize("verb", ["check", "snapshots", "train", "backtest", "forecast", "explain", "demo"])
def test_bad_input_for_machines(run: Callable[..., Result], tmp_path: Path, verb: str) -> None:
    (tmp_path / "accounts.csv").write_text("account_id,fit\na,good\n")
    (tmp_path / "contracts.csv").write_text(
        "contract_id,account_id,kind,starts_on,mrr\n1,a,new,2024-01-01,-5\n2,a,,2024-01-01,5\n3,a,,2024-01-01,5\n"
    )
    options = ["--set", "source.kind=files", "--set", f"source.path={tmp_path}", "--set", f"data_dir={tmp_path / 'd'}"]
    result = run(verb, *(["a"] if verb == "explain" else []), "--json", *options)
    assert result.exit_code == 2
    content = json.loads(result.stdout)
    assert (content["error"], content["exit_code"]) == ("bad_input", 2)
    assert content["problems"] == [
        {
            "table": "contracts",
            "column": "mrr",
            "what": "with a negative amount",
            "rows": 1,
            "of": 3,
            "examples": ["1: -5.0"],
            "todo": "Give a recurring discount kind discount; leave one-off credits and refunds out.",
            "rule": "negative",
            "unit": "row",
            "detail": "",
            "message": "contracts.mrr: 1 of 3 rows with a negative amount (1: -5.0).",
        }
    ]
    assert [found["rule"] for found in content["warnings"]] == ["attributes_without_history", "overlap_unnamed"]
    assert [(found["table"], found["column"], found["rows"]) for found in content["warnings"]] == [
        ("accounts", "valid_from", 0),
        ("contracts", "product", 1),
    ]
    assert "contracts.mrr: 1 of 3 rows with a negative amount (1: -5.0)." in result.stderr
    assert "And 2 warnings:" in result.stderr
    assert not (tmp_path / "d" / "tables.duckdb").exists()


def test_a_rate_that_lacks_is_bad_input(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id\na\n")
    (tmp_path / "contracts.csv").write_text(
        "contract_id,account_id,starts_on,mrr,currency,product\n1,a,2014-01-01,5,EUR,p\n2,a,2014-01-01,5,EUR,q\n"
    )
    (tmp_path / "fx_rates.csv").write_text("month,currency,rate\n2024-01,EUR,1.1\n")
    source = ("kind=files", f"path={tmp_path}", "data_until=2025-06-01")
    options = [part for setting in source for part in ("--set", f"source.{setting}")]
    window = ("--from", "2015-01-01", "--to", "2025-01-01")
    result = run("nrr", *window, "--json", *options, "--set", f"data_dir={tmp_path / 'd'}")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["error"], content["problems"][0]["rule"]) == (2, "bad_input", "no_rate")
    assert result.stderr.endswith(
        "fx_rates: has no rate for EUR on 2015-01-01, but 2 contract lines in force are in it. Add a row for that "
        "month or an earlier one, or ask for a later date.\n"
    )


def test_params_yaml_beside_is_used(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("nonsense: 1\n")
    result = run("check")
    assert (result.exit_code, "nonsense: no such setting" in result.stderr) == (2, True)


def test_an_unexpected_error_is_one_line_with_a_hint(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("boo\nmore")

    monkeypatch.setattr("holdfast.data.only_writer", fail)
    result = run("check")
    assert result.exit_code == 1
    assert result.stderr == "Failed: KeyError: 'boo\\nmore' (--debug shows where)\n"
    debugged = run("check", "--debug")
    assert isinstance(debugged.exception, KeyError)


def passed_on(error: Exception) -> Exception:
    """The error as who works with a database tells it."""
    outer = RuntimeError("(sqlite3.OperationalError) something failed")
    outer.__cause__ = error
    return outer


def sqlite_full() -> sqlite3.OperationalError:
    """What SQLite says where it may not grow: the same as on a disk that is full."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("PRAGMA max_page_count = 2; CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as full:
            connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
    return full.value


FULL = (
    OSError(errno.ENOSPC, "No space left on device"),
    duckdb.IOException('IO Error: Could not write to file "x": No space left on device'),
    DiskFull("of tables"),
    sqlite_full(),
    passed_on(sqlite_full()),
)


@pytest.mark.parametrize("error", FULL, ids=[type(error).__name__ for error in FULL])
def test_a_full_disk_says_so(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("holdfast.data.only_writer", fail)
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr.startswith("Failed: the disk is full. Free some space where data_dir is, or where temporary")


@pytest.mark.parametrize("verb", ["train", "backtest", "demo", "forecast", "explain"])
def test_a_store_that_does_not_answer_is_named_at_once(run: Callable[..., Result], verb: str, tmp_path: Path) -> None:
    """Before anything is read, within seconds, and nothing is written."""
    account = ["A-1"] if verb == "explain" else []
    result = run(verb, *account, "--set", "tracking.uri=http://127.0.0.1:9", data_dir=tmp_path / "data")
    assert result.exit_code == 1
    assert result.stderr == (
        "The tracking store http://127.0.0.1:9 of tracking.uri does not answer: Connection refused. Start it, or "
        "correct tracking.uri, or set it to null to use the store in data_dir.\n"
    )
    assert not (tmp_path / "data").exists()


def test_mlflow_does_not_wait_for_minutes() -> None:
    """By default it tries a request 8 times, of 120 seconds each."""
    from mlflow import environment_variables as mlflow_settings

    seconds = mlflow_settings.MLFLOW_HTTP_REQUEST_TIMEOUT.get()
    tries = 1 + mlflow_settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()
    assert seconds * tries <= 60
