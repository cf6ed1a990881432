"""The command line: exit codes and messages, and the whole way on a tiny simulated company."""

import fcntl
import functools
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import holdfast
from params import load

# MLflow's own: its use of SQLAlchemy, and its advice on type hints of models.
pytestmark = [
    pytest.mark.usefixtures("costly"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

TINY = (
    "simulated.accounts=120",
    "simulated.months=30",
    "model.trees=15",
    "backtest.horizons=[3, 6]",
    "backtest.origins=1",
    "forecast.draws=200",
    "threads=1",
)


def run(verb: str, *arguments: str, data_dir: Path | None = None) -> Result:
    """Run a verb; what its arguments set is laid over the tiny company's settings."""
    settings = [f"data_dir={data_dir}", *TINY] if data_dir else []
    options = [part for setting in settings for part in ("--set", setting)]
    return CliRunner().invoke(holdfast.app, [verb, *options, *arguments])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from any params.yaml, with the environment put back."""
    for name, value in holdfast.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


VERBS = (
    "check",
    "simulate",
    "snapshots",
    "train",
    "models",
    "backtest",
    "forecast",
    "publish",
    "serve",
    "tokens",
    "explain",
    "demo",
)


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
        (["tokens", "isue"], "there is issue, list and revoke; did you mean issue?"),
        (["tokens", "issue", "ada", "--role", "csm"], "A token of role csm names its book"),
        (["serve", "--host", "0.0.0.0"], "nobody has a token: `holdfast tokens issue NAME --role admin` first"),
        (["simulate", "there", "--truth", "t.json"], "--truth FILE and --as-of DATE go together"),
        (["check", "--set", "source.kind=files", "--set", "source.path=nowhere"], "nowhere"),
    ],
)
def test_bad_input_and_settings_exit_2_with_a_message_and_no_traceback(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


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
def test_errors_for_machines(arguments: list[str], kind: str, message: str) -> None:
    result = run(*arguments, "--json")
    assert result.exit_code == 2
    content = json.loads(result.stdout)
    assert message in content.pop("message")
    assert content == {"error": kind, "exit_code": 2, "problems": [], "warnings": []}
    assert message in result.stderr


def test_a_failure_for_machines(tmp_path: Path) -> None:
    result = run("forecast", "--json", data_dir=tmp_path / "data")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["exit_code"], content["error"]) == (1, 1, "no_model")
    assert content["message"] in result.stderr


@pytest.mark.parametrize("verb", ["check", "snapshots", "train", "backtest", "forecast", "explain", "demo"])
def test_bad_input_for_machines(tmp_path: Path, verb: str) -> None:
    (tmp_path / "accounts.csv").write_text("account_id,fit\na,good\n")
    (tmp_path / "contracts.csv").write_text(
        "contract_id,account_id,starts_on,mrr\n1,a,2024-01-01,-5\n2,a,2024-01-01,5\n"
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
            "of": 2,
            "examples": ["1: -5.00"],
            "todo": "Recurring revenue cannot be negative: correct it, and leave credits and refunds out.",
        }
    ]
    assert [(found["table"], found["column"], found["rows"]) for found in content["warnings"]] == [
        ("accounts", "valid_from", 0),
        ("contracts", "product", 1),
    ]
    assert "contracts.mrr: 1 of 2 rows with a negative amount (1: -5.00)." in result.stderr
    assert "And 2 warnings:" in result.stderr
    assert not (tmp_path / "d" / "tables.duckdb").exists()


def test_check_says_what_decided_where_the_data_end(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id\na\n")
    (tmp_path / "contracts.csv").write_text(
        "contract_id,account_id,starts_on,signed_on,mrr\n1,a,2024-01-01,2023-12-01,5\n"
    )
    options = ["--set", "source.kind=files", "--set", f"source.path={tmp_path}", "--set", "forecast.cuts=[]"]
    result = run("check", *options)
    assert "2 rows in 2 tables, 0 left out; the data end before 2023-12-02: contracts.signed_on reaches to " in (
        result.stdout
    )
    content = json.loads(run("check", "--json", *options).stdout)
    assert (content["data_until"], content["data_until_from"]) == ("2023-12-02", ["contracts.signed_on"])
    assert content["data_until_why"] == "contracts.signed_on reaches to 2023-12-01"


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


def test_waiting_for_another_run_is_told_and_ends(tmp_path: Path) -> None:
    told: list[str] = []
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(holdfast.Failure, match="Another run is writing to"),
            holdfast._only_writer(tmp_path, 0.5, told.append),
        ):
            pass
    assert set(told) == {f"another run is writing to {tmp_path}; waiting for it, at most 0 seconds"}


def test_who_waits_goes_on_when_the_other_run_ends(tmp_path: Path) -> None:
    lock = (tmp_path / ".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    with holdfast._only_writer(tmp_path, 60.0, lambda _: lock.close()):
        assert lock.closed


@pytest.mark.parametrize("verb", ["train", "backtest", "demo", "forecast", "explain"])
def test_a_store_that_does_not_answer_is_named_at_once(verb: str, tmp_path: Path) -> None:
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


def test_a_forecast_before_any_training_says_what_to_do(tmp_path: Path) -> None:
    result = run("forecast", data_dir=tmp_path / "data")
    assert result.exit_code == 1
    assert "There is no champion" in result.stderr
    assert "run `holdfast train`" in result.stderr


def test_check_looks_for_leaks_when_asked(tmp_path: Path) -> None:
    result = run("check", "--leaks", data_dir=tmp_path / "data")
    assert result.exit_code == 0, result.stderr
    for words in ("No leak found.", "Risks:", "contracts.ended_on", "Each column alone was tried on", "Known facts"):
        assert words in result.stdout
    found = run("check", "--leaks", "--json", data_dir=tmp_path / "data")
    leaks = json.loads(found.stdout)["leaks"]
    assert {leak["grade"] for leak in leaks["found"]} == {"risk", "cut"}
    assert {"honest_auc", "naive_auc", "rise"} <= set(leaks["cost"])
    assert "leaks" not in json.loads(run("check", "--json", data_dir=tmp_path / "data").stdout)


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


def test_progress_in_a_terminal_is_drawn_on_stderr_and_leaves_stdout_alone(tmp_path: Path) -> None:
    """The command's stderr is a terminal, its stdout a file, as in `holdfast snapshots --json > out.json`."""
    screen, terminal = pty.openpty()
    out = tmp_path / "out.json"
    options = [part for setting in (f"data_dir={tmp_path / 'data'}", *TINY) for part in ("--set", setting)]
    command = [sys.executable, "-m", "holdfast", "snapshots", "--json", *options]
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(holdfast.__file__).parent)}
    with out.open("w") as file:
        running = subprocess.Popen(command, stdout=file, stderr=terminal, env=environment)
        os.close(terminal)
        drawn = b"".join(iter(functools.partial(_read, screen), b"")).decode()
    assert running.wait() == 0
    assert json.loads(out.read_text())["rows"] > 0
    assert "reading usage" in drawn
    assert "\x1b[" in drawn, "drawn in place, not line by line"


def _read(screen: int) -> bytes:
    """What is on the screen next; nothing once the process has closed it."""
    try:
        return os.read(screen, 4096)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The whole way, once."""
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    return data_dir, run("demo", "--json", data_dir=data_dir)


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
    assert (data_dir / "forecasts" / "latest" / "forecast.xlsx").exists()
    assert not Path("mlflow.db").exists(), "the store lies in the data folder, not where the command runs"


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("HERE/.venv/bin/holdfast", ".venv/bin/holdfast explain 'a b'"),
        (".venv/bin/holdfast", ".venv/bin/holdfast explain 'a b'"),
        ("HERE/on_path/holdfast", "holdfast explain 'a b'"),
        ("/elsewhere/holdfast", "/elsewhere/holdfast explain 'a b'"),
        ("holdfast.py", f"{sys.executable} holdfast.py explain 'a b'"),
    ],
)
def test_a_command_is_named_as_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, said: str
) -> None:
    program = tmp_path / "on_path" / "holdfast"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "argv", [called.replace("HERE", str(tmp_path)), "demo"])
    assert holdfast._command("explain", "a b") == said


def test_the_demo_ends_with_commands_for_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they can be pasted: what it made lies where its settings say."""
    monkeypatch.setattr(sys, "argv", [".venv/bin/holdfast", "demo"])
    monkeypatch.setattr("serving.forecast.terminal.print_forecast", lambda *_: None)
    options = holdfast._options(Path("my params.yaml"), ["data_dir=x", "seed=1"])
    console = Console(file=io.StringIO(), width=200)
    made = holdfast.Run(load(overrides=["data_dir=x"]), False, holdfast.Progress(), options)
    holdfast._print_demo(console, {"at_risk": [{"account_id": "A-1"}], "folder": "x"}, made)
    same = "--params 'my params.yaml' --set data_dir=x --set seed=1"
    assert console.file.getvalue().splitlines()[-4:] == [  # type: ignore[attr-defined]
        f"The reasons behind one account: .venv/bin/holdfast explain A-1 {same}",
        "Next, pages and API:",
        f"  .venv/bin/holdfast publish {same}",
        f"  .venv/bin/holdfast serve {same}",
    ]


def test_models_lists_the_versions_with_their_record(demo_data: tuple[Path, Result]) -> None:
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


def test_models_before_any_training_says_so(tmp_path: Path) -> None:
    result = run("models", data_dir=tmp_path / "data")
    assert (result.exit_code, result.stdout) == (
        0, "No version of holdfast is registered yet: run `holdfast train`.\n",
    )  # fmt: skip
    assert not (tmp_path / "data").exists()


def test_the_backtest_of_the_demo_leaves_its_report(demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    (step,) = (step for step in json.loads(result.stdout)["steps"] if step["step"].startswith("Backtest"))
    page = data_dir / "backtests" / "latest" / "report.html"
    assert step["result"][-1] == f"Report: {page}"
    assert "<h2>Verdict</h2>" in page.read_text(encoding="utf-8")


def test_a_forecast_again_gives_the_same_bytes(demo_data: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir, _ = demo_data
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    folder = data_dir / "forecasts" / "2025-12-01"
    contents = []
    for threads in ("1", "2"):
        result = run("forecast", "--as-of", "2025-12-01", "--set", f"threads={threads}", data_dir=data_dir)
        assert result.exit_code == 0, result.stderr
        contents.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert contents[0] == contents[1]
    assert b"2026-01-01T00:00:00Z" in contents[0]["nrr_forecast.csv"]
    assert "Forecast as of 2025-12-01 by model version 1" in result.stdout
    assert "Most ARR at risk" in result.stdout
    assert "Note: The model learned from data up to 2026-01-01" in result.stdout


def test_explain_gives_what_was_published(demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    worst = json.loads(result.stdout)["forecast"]["at_risk"][0]
    explained = run("explain", worst["account_id"], "--json", data_dir=data_dir)
    assert explained.exit_code == 0, explained.stderr
    content = json.loads(explained.stdout)
    assert content["horizons"][-1]["churn_probability"] == pytest.approx(worst["churn_probability"])
    raising = [row["text"] for row in content["drivers"] if row["outcome"] == "churn" and row["effect"] > 0]
    assert worst["reason"] == (raising[0] if raising else None)
    readable = run("explain", worst["account_id"], data_dir=data_dir)
    assert "Reasons for the chance of at least one expansion within the horizon" in readable.stdout


def test_explain_answers_while_another_run_writes(demo_data: tuple[Path, Result]) -> None:
    """What is published needs no lock, and the notes of the forecast come with it."""
    data_dir, result = demo_data
    forecast = json.loads(result.stdout)["forecast"]
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        explained = run("explain", forecast["at_risk"][0]["account_id"], "--json", data_dir=data_dir)
    assert explained.exit_code == 0, explained.stderr
    content = json.loads(explained.stdout)
    assert content["model_version"] == forecast["model_version"]
    assert forecast["notes"]
    assert content["notes"][: len(forecast["notes"])] == forecast["notes"]


def test_explain_of_what_is_not_published_waits_for_the_run_that_writes(
    demo_data: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir, result = demo_data
    monkeypatch.setattr(holdfast, "EXPLAIN_WAITS_SECONDS", 0.3)
    account = json.loads(result.stdout)["forecast"]["at_risk"][0]["account_id"]
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        explained = run("explain", account, "--as-of", "2025-11-01", data_dir=data_dir)
    assert explained.exit_code == 1
    assert "waiting for it, at most 0 seconds" in explained.stderr
    assert "Another run is writing to" in explained.stderr


@pytest.mark.parametrize("verb", ["forecast", "explain"])
def test_rules_that_the_champion_did_not_learn_exit_2(demo_data: tuple[Path, Result], verb: str) -> None:
    account = ["A-1"] if verb == "explain" else []
    result = run(verb, *account, "--set", "revenue.reactivation=include", data_dir=demo_data[0])
    assert result.exit_code == 2
    assert result.stderr == (
        "The champion was trained with revenue.reactivation exclude, and now it is include: run `holdfast train`, "
        "or set revenue.reactivation=exclude.\n"
    )


def test_publish_writes_what_the_service_answers_from(demo_data: tuple[Path, Result]) -> None:
    data_dir, _ = demo_data
    result = run("publish", "--json", data_dir=data_dir)
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert Path(content["file"]).parent == data_dir / "serving"
    assert (data_dir / "serving" / "current").read_text().strip() == Path(content["file"]).name
    assert content["accounts"] > 0


def test_an_unknown_account_gets_near_misses(demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    known = json.loads(result.stdout)["forecast"]["at_risk"][0]["account_id"]
    missed = run("explain", known + "x", data_dir=data_dir)
    assert missed.exit_code == 2
    assert "Did you mean" in missed.stderr
    assert known in missed.stderr


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("check", "the data end before 2026-01-01"),
        ("snapshots", "Stored in"),
        ("backtest", "churn"),
    ],
)
def test_readable_results(demo_data: tuple[Path, Result], verb: str, said: str) -> None:
    result = run(verb, data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    assert said in result.stdout


@pytest.mark.parametrize(("verb", "key"), [("check", "tables"), ("snapshots", "features")])
def test_results_for_machines(demo_data: tuple[Path, Result], verb: str, key: str) -> None:
    result = run(verb, "--json", data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)[key]


def test_a_date_beyond_the_data_exits_2(demo_data: tuple[Path, Result]) -> None:
    result = run("forecast", "--as-of", "2026-02-01", data_dir=demo_data[0])
    assert (result.exit_code, "The data end before 2026-01-01" in result.stderr) == (2, True)


def test_simulate_writes_the_truth_of_a_date(tmp_path: Path) -> None:
    options = [part for setting in TINY for part in ("--set", setting)]
    truth = tmp_path / "truth.json"
    command = ["simulate", str(tmp_path / "company"), "--truth", str(truth), "--as-of", "2025-01-01", *options]
    result = run(*command)
    assert result.exit_code == 0, result.stderr
    assert f"Wrote {tmp_path / 'company'} and {truth}" in result.stdout.replace("\n", "")
    assert truth.exists()
    assert not list((tmp_path / "company").rglob("*truth*")), "the truth is kept apart from the tables"
