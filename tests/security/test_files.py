"""What holds customers' data is its owner's alone, and goes when what made it ends, however that is."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from holdfast.app import app

ROOT = Path(__file__).parents[2]
STOPPED = """
import os, signal, sys
from pathlib import Path
from features.tables.scratch import scratch_folder
from holdfast.run import Run, verb

def stopped(run: Run) -> None:
    \"\"\"Is ended half-way.\"\"\"
    with scratch_folder(Path(sys.argv[1])):
        os.kill(os.getpid(), signal.SIGTERM)

verb(stopped)(params_file=None, overrides=None, as_json=False, debug=False)
"""


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask", "costly")
def test_nobody_else_can_read_what_a_command_writes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "accounts.csv").write_text("account_id\na\n")
    (source / "contracts.csv").write_text("contract_id,account_id,starts_on,mrr\n1,a,2024-01-01,5\n")
    (source / "usage.csv").write_text("account_id,used_on\na,2024-01-01\na,never\n")
    settings = (f"data_dir={tmp_path / 'data'}", "source.kind=files", f"source.path={source}", "source.max_bad_share=1")
    options = [part for setting in settings for part in ("--set", setting)]
    result = CliRunner().invoke(app, ["check", *options])
    assert result.exit_code == 0, result.output
    written = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert {"tables.duckdb", "usage.parquet"} <= {file.name for file in written}
    assert [file for file in written if file.stat().st_mode & 0o077] == []


@pytest.mark.usefixtures("costly")
def test_a_command_that_is_ended_leaves_no_temporary_folder(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", STOPPED, str(tmp_path)], cwd=ROOT, check=False)
    assert ended.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def until(holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds} s until {what}"
        time.sleep(0.1)


def is_running(process: int) -> bool:
    """Whether a process is there, and no zombie that waits for its parent."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Served:
    """`holdfast serve` of an empty data folder, as a process of its own."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.log, temporary = folder / f"{name}.log", folder / "tmp"
        temporary.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "holdfast", "serve", "--json", "--set", f"data_dir={folder / 'data'}"]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                [*command, "--set", f"serving.port={port}"], stdout=stream, stderr=stream, cwd=ROOT, env=environment
            )
        until(lambda: "Holdfast listens on" in self.log.read_text(), f"it listens: {self.log.read_text()[-500:]}")
        url = str(json.JSONDecoder().raw_decode(self.log.read_text())[0]["url"])
        self.port = int(url.rsplit(":", 1)[1])

    def workers(self) -> list[int]:
        place = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(process) for process in place.read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel ends processes with their parent")
@pytest.mark.usefixtures("costly")
def test_workers_die_with_a_killed_service_which_can_be_started_again(tmp_path: Path) -> None:
    first = Served(tmp_path, "first", 0)
    workers = first.workers()
    assert len(workers) >= 1
    first.process.kill()
    first.process.wait()
    until(lambda: not any(map(is_running, workers)), "its workers are gone", 10)
    second = Served(tmp_path, "second", first.port)
    assert len(list((tmp_path / "tmp").iterdir())) == 1, "what the killed one left is gone"
    second.process.terminate()
    assert second.process.wait(60) == 0
    assert list((tmp_path / "tmp").iterdir()) == []
