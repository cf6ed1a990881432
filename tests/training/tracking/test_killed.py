"""A run whose process was killed is marked by the next one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import params
from training.tracking.killed import PROCESS, mark_killed, this_process
from training.tracking.store import open_store

pytestmark = pytest.mark.usefixtures("costly")


def test_runs_that_nobody_is_left_to_end_are_marked_killed(tmp_path: Path) -> None:
    settings = params.load(overrides=[f"data_dir={tmp_path}"])
    host = this_process().rpartition(":")[0]
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    alive = f"{host}:{os.getpid()}"
    tags = {
        "gone": {PROCESS: f"{host}:{gone.stdout.decode().strip()}"},
        "alive": {PROCESS: alive},
        "elsewhere": {PROCESS: "another-machine:1"},
        "older": {},
    }
    with open_store(settings) as store:
        experiment = store.experiment("holdfast")
        runs = {name: store.client.create_run(experiment, tags=tag).info.run_id for name, tag in tags.items()}
        mark_killed(store, experiment)
        states = {name: store.client.get_run(run).info.status for name, run in runs.items()}
        assert states == {"gone": "KILLED", "alive": "RUNNING", "elsewhere": "KILLED", "older": "KILLED"}
        shared = type(store)(store.client, store.uri, None)
        again = store.client.create_run(experiment, tags=tags["elsewhere"]).info.run_id
        mark_killed(shared, experiment)
        assert store.client.get_run(again).info.status == "RUNNING", "another machine's may be running"
