"""Runs whose process was killed: nobody is left to end them but the next run."""

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from training.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run

PROCESS = "process"  # the tag that names the machine and the process of a run
MOST = 1000


def this_process() -> str:
    """This machine and process, for the tag of a run."""
    return f"{socket.gethostname()}:{os.getpid()}"


def mark_killed(store: Store, experiment: str) -> None:
    """Mark the runs as killed that say they are running, and whose process is gone.

    Of a store that others share, only processes of this machine can be known to be gone. A data folder has one writer
    at a time (`holdfast.lock`), so that in its own store no other run can be running.
    """
    for run in store.client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=MOST):
        if _is_gone(run, alone=store.data_dir is not None):
            store.client.set_terminated(run.info.run_id, status="KILLED")


def _is_gone(run: "Run", *, alone: bool) -> bool:
    host, _, process = run.data.tags.get(PROCESS, "").rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return alone
    try:
        with suppress(PermissionError):  # another user's
            os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    return False
