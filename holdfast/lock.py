"""The lock of a data folder: one run writes to it at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from features.tables.progress import Progress, silent
from holdfast.run import Failure

POLL_SECONDS = 0.2
TABLES, OUTBOX = ".lock", ".outbox.lock"  # what is written to, each by one run at a time


@contextmanager
def only_writer(
    data_dir: Path, wait_seconds: float = 0.0, progress: Progress = silent, *, name: str = TABLES
) -> Iterator[None]:
    """Hold the data folder's lock, so that two runs do not write at once; it goes when the process ends.

    Parameters
    ----------
    data_dir
        The folder to lock; made if it is not there.
    wait_seconds
        How long to wait for another run.
    progress
        Told that this run waits.
    name
        Which lock: that of all that is stored, or that of the outbox.

    Raises
    ------
    SettingsError
        The folder cannot be written to.
    Failure
        Another run holds the lock.
    """
    with _lock_file(data_dir, name) as file:
        deadline = time.monotonic() + wait_seconds
        while not _locked(file):
            if time.monotonic() >= deadline:
                raise Failure(
                    f"Another run is writing to {data_dir}. Wait for it, or give this one --set data_dir=ANOTHER."
                )
            progress(f"another run is writing to {data_dir}; waiting for it, at most {wait_seconds:.0f} seconds")
            time.sleep(POLL_SECONDS)
        yield


def _lock_file(data_dir: Path, name: str) -> TextIO:
    from params import SettingsError

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / name).open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"data_dir {data_dir} cannot be written to: {error.strerror}. Set another one.") from None


def _locked(file: TextIO) -> bool:
    """Try to lock a file, without waiting."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
