"""The verbs by what they are for, and what is typed wrong."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from holdfast import app

PANELS = {
    "Start here": ["demo", "init", "run"],
    "Data": ["check", "simulate", "snapshots", "nrr"],
    "Model": ["train", "backtest", "models", "watch"],
    "Forecast": ["forecast", "explain", "publish", "bridge", "ledger", "calls"],
    "Act": ["effects", "actions", "scenario", "holdout", "process"],
    "Team": [
        "kpis",
        "cohorts",
        "behaviours",
        "icp",
        "losses",
        "voice",
        "whitespace",
        "sheet",
        "health",
        "alerts",
        "escalations",
        "review",
        "scorecard",
        "comp",
    ],
    "Service": ["serve", "tokens", "mcp", "deliver", "writeback"],
    "Privacy": ["erase"],
}
VERBS = [verb for verbs in PANELS.values() for verb in verbs]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_and_takes_the_shared_options(run: Callable[..., Result], verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    for option in ("--params FILE", "--set KEY.PATH=VALUE", "--json", "--debug"):
        assert option in result.stdout


def test_help_lists_every_verb_under_what_it_is_for(run: Callable[..., Result]) -> None:
    result = run("--help")
    assert result.exit_code == 0
    _, *sections = re.split(r"^(\w[\w ]*):\n", result.stdout.partition("Options:")[2], flags=re.MULTILINE)
    listed = {
        panel: re.findall(r"^  (\w+) ", rows, re.MULTILINE)
        for panel, rows in zip(sections[::2], sections[1::2], strict=True)
    }
    assert listed == PANELS


def test_help_tells_all_of_what_a_verb_does(run: Callable[..., Result]) -> None:
    for command in (command for commands in app.PANELS.values() for command in commands):
        assert " ".join((command.__doc__ or "").split()) in " ".join(run("--help").stdout.split())


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ([sys.executable, "-m", "holdfast"], "python -m holdfast"),
        ([sys.executable, "-c", "import sys, holdfast; sys.argv[0] = 'bin/holdfast'; holdfast.main()"], "holdfast"),
    ],
    ids=["module", "script"],
)
def test_module_and_script_are_the_same_command_line(command: list[str], name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(app.__file__).parents[1])}
    done = subprocess.run([*command, "forcast"], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == f"Usage: {name} [OPTIONS] COMMAND [ARGS]..."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--set", "sed=1"], "sed: no such setting; did you mean seed?"),
        (["check", "--params", "absent.yaml"], "No settings file absent.yaml. Give an existing file to --params."),
        (["forecast", "--as-of", "2026-13-01"], "'2026-13-01' is no date; write it as YYYY-MM-DD"),
        (["explain"], "Missing argument 'ACCOUNT'"),
        (["forcast"], "No such command 'forcast'. Did you mean 'forecast'?"),
        (["forecst"], "No such command 'forecst'. Did you mean 'forecast'?"),
        (["check", "--fast"], "No such option: --fast"),
        (["check", "--leek"], "No such option: --leek (Possible options: --leaks)"),
        (["forecast", "--asof", "2026-01-01"], "No such option: --asof (Possible options: --as-of, --json)"),
        (["simulate", "there", "--truth", "t.json"], "--truth FILE and --as-of DATE go together"),
        (["check", "--set", "source.kind=files", "--set", "source.path=nowhere"], "nowhere"),
    ],
)
def test_bad_input_and_settings_exit_2_with_a_message_and_no_traceback(
    run: Callable[..., Result], arguments: list[str], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
