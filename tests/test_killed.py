"""A run killed at any step leaves the last good outputs whole, and can simply be run again."""

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
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

BEFORE, NIGHT = "2025-09-01", "2026-01-01"
NIGHT_KILLS = "kills of a night, after each of which the night, run again, left the same tables"
MORE_NIGHT_KILLS = 17  # of a full attack, at random moments
MOMENTS = ["putting the forecast on record", "recording the run", "simulating the portfolio"]
# What differs from run to run: clocks, random ids and what they stand in, places in the chain.
NOT_COMPARED = {
    "entry_number", "number", "run_number", "account_rows", "archive", "code_version", "written_at", "began_at",
    "milliseconds", "author_id", "text_id", "subject_id",
}  # fmt: skip
CHAIN = ("record_entry", "record_seal", "record_step", "record_subject", "record_version", "record_outbox")


def start(verb: str, data: Path, seed: int, *arguments: str) -> "subprocess.Popen[str]":
    settings = [part for value in (*SMALL, f"data_dir={data}", f"seed={seed}") for part in ("--set", value)]
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "holdfast", verb, *arguments, *settings],
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


def run_to_the_end(verb: str, data: Path, seed: int, *arguments: str) -> dict[str, str]:
    with start(verb, data, seed, *arguments) as process:
        try:
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()  # where it hangs: it would outlive the test, and trouble those that come after it
    assert process.returncode == 0, errors
    return published(data)


def kill_at(step: str, data: Path, seed: int, verb: str = "demo") -> None:
    """Let a run go on until it announces the step, then kill it without warning."""
    process = start(verb, data, seed)
    assert process.stderr is not None
    announced = any(line.startswith(step) for line in process.stderr)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert announced, f"the run ended before the step {step!r}"


def killed_at_some_moment(verb: str, data: Path, numbers: random.Random, seed: int | None = None) -> bool:
    """Kill a run a moment after one of its announcements, whichever that is; False where it had ended before."""
    seed = numbers.randrange(100) if seed is None else seed
    process, moment = start(verb, data, seed), numbers.randrange(1, 36)
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


def recorded(data: Path) -> dict[str, list[str]]:
    """The rows of the record with names in place of ids, in one order, but for what differs from run to run."""
    with closing(sqlite3.connect(data / "record.sqlite")) as connection:
        names = dict(connection.execute("SELECT subject_id, name FROM record_subject"))
        runs = dict(connection.execute("SELECT number, run_id FROM record_run"))
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: sorted(_rows(connection, table, names, runs)) for table in tables if table not in CHAIN}


def _rows(connection: sqlite3.Connection, table: str, names: dict[str, str], runs: dict[int, str]) -> Iterator[str]:
    answer = connection.execute(f'SELECT * FROM "{table}"')
    columns = [column[0] for column in answer.description]
    for row in answer:
        cells = dict(zip(columns, row, strict=True))
        told = {name: names.get(value, value) for name, value in cells.items() if name not in NOT_COMPARED}
        yield repr(told | ({"run": runs[cells["run_number"]]} if cells.get("run_number") else {}))


def outcome(data: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What a night left: the published files by their digests, and the rows of the record."""
    return published(data), recorded(data)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[dict[str, str], dict[str, list[str]]]]:
    """A data folder after one night on record, and what the next one, undisturbed, leaves."""
    folder = tmp_path_factory.mktemp("nights")
    run_to_the_end("run", folder / "before", 3, "--as-of", BEFORE)
    shutil.copytree(folder / "before", folder / "undisturbed", symlinks=True)
    run_to_the_end("run", folder / "undisturbed", 3)
    return folder, outcome(folder / "undisturbed")


def require_same(folder: Path, expected: tuple[dict[str, str], dict[str, list[str]]], what: str) -> None:
    """Run the killed night again: it leaves what the undisturbed one did, and a chain that holds."""
    run_to_the_end("run", folder, 3)
    files, rows = outcome(folder)
    assert files == expected[0], what
    differing = [table for table in rows if rows[table] != expected[1][table]]
    assert not differing, what
    run_to_the_end("ledger", folder, 3, "verify")
    assert (folder / "serving" / "current").read_text().startswith(NIGHT)


def test_a_night_killed_at_any_moment_and_run_again_leaves_the_tables_of_an_undisturbed_one(
    night: tuple[Path, tuple[dict[str, str], dict[str, list[str]]]], attack: Any
) -> None:
    place, expected = night
    numbers = random.Random(11)
    moments = [*MOMENTS[: attack.size(1, len(MOMENTS))], *[""] * attack.size(0, MORE_NIGHT_KILLS)]
    for count, moment in enumerate(moments):
        folder = place / f"killed-{count}"
        shutil.copytree(place / "before", folder, symlinks=True)
        if moment:
            kill_at(moment, folder, 3, "run")
        else:
            killed_at_some_moment("run", folder, numbers, seed=3)
        require_same(folder, expected, f"kill {count} {moment}")
        attack.count(NIGHT_KILLS)
        shutil.rmtree(folder)
