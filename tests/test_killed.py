"""A run killed at any step leaves the last good outputs whole, and can simply be run again."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SMALL = [
    "simulated.accounts=75",
    "simulated.months=22",
    "model.learner=logistic",
    "model.min_churned=1",
    "model.horizon_months=6",
    "forecast.draws=100",
    "backtest.origins=1",
    "backtest.horizons=[1]",
    "demo.replay_months=0",
    "threads=1",
]
KILLS = "kills of a run, none of which left half an output"
MORE_KILLS = 37  # of a full attack, at random moments
PATIENCE_SECONDS = 900  # others may want the machine too
STEPS = ["writing the checked tables", "recording the run", "writing the tables"]


def start(verb: str, data: Path, seed: int) -> "subprocess.Popen[str]":
    settings = [part for value in (*SMALL, f"data_dir={data}", f"seed={seed}") for part in ("--set", value)]
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "holdfast", verb, *settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
    )


def published(data: Path) -> dict[str, str]:
    """The published files and their digests; hidden folders hold what was replaced, or is not whole yet."""
    folders = sorted(path for path in (data / "forecasts").iterdir() if not path.name.startswith("."))
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run_to_the_end(verb: str, data: Path, seed: int) -> dict[str, str]:
    with start(verb, data, seed) as process:
        try:
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()  # where it hangs: it would outlive the test, and trouble those that come after it
    assert process.returncode == 0, errors
    return published(data)


def kill_at(step: str, data: Path, seed: int) -> None:
    """Let the demo run until it announces the step, then kill it without warning."""
    process = start("demo", data, seed)
    assert process.stderr is not None
    announced = any(line.startswith(step) for line in process.stderr)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert announced, f"the run ended before the step {step!r}"


def killed_at_some_moment(verb: str, data: Path, numbers: random.Random) -> bool:
    """Kill a run a moment after one of its announcements, whichever that is; False where it had ended before."""
    process, moment = start(verb, data, seed=numbers.randrange(100)), numbers.randrange(1, 36)
    assert process.stderr is not None
    announced = [line for _, line in zip(range(moment), process.stderr, strict=False)]
    time.sleep(numbers.random())
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 0), [*announced, errors]
    return process.returncode != 0


def not_whole(data: Path) -> list[str]:
    """The published files that are not those that the sums beside them speak of."""
    files = published(data)
    sums = {name: (data / name).read_text().splitlines() for name in files if name.endswith(".sha256")}
    told = {str(Path(name).with_name(line[66:])): line[:64] for name, lines in sums.items() for line in lines}
    return [name for name in files if name not in sums and files[name] != told.get(name)]


def kill_at_random(data: Path, kills: int, attack: Any) -> None:
    """Demos and forecasts in turn, killed at any moment: what is published is the last one or the next, whole."""
    names, numbers, count = set(published(data)), random.Random(9), 0
    while count < kills:
        if killed_at_some_moment(("demo", "forecast")[count % 2], data, numbers):
            count += 1
            attack.count(KILLS)
        assert (set(published(data)), not_whole(data)) == (names, []), f"kill {count}"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    data = tmp_path_factory.mktemp("killed")
    return data, run_to_the_end("demo", data, seed=1)


def test_killed_at_any_step_the_last_forecast_stays_whole_and_the_next_run_goes_through(
    good: tuple[Path, dict[str, str]], attack: Any
) -> None:
    """Each demo goes through what the one before was killed in; the forecast, which the last one was, is run again."""
    data, before = good
    for step in STEPS:
        kill_at(step, data, seed=2)
        assert published(data) == before, f"killed at {step!r}"
        attack.count(KILLS)
    kill_at_random(data, attack.size(0, MORE_KILLS), attack)
    after = run_to_the_end("forecast", data, seed=2)
    assert set(after) == set(before)
    assert after != before
    assert not_whole(data) == []
