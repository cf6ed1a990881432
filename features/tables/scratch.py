"""Temporary folders, readable by their owner only: removed when they are done with, else by whoever makes the next one.

A process that is killed removes nothing. But its lock on a file in the folder goes with it, so that the folder tells
whether anybody still needs it, whichever machine or container that was started on.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "holdfast-"
HELD = ".held"  # the file that is locked for as long as its folder is needed


@contextmanager
def scratch_folder(parent: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """A new folder for what does not outlive this; those that killed processes left are removed first.

    Parameters
    ----------
    parent
        Where it lies; None for the system's temporary folder (TMPDIR).
    prefix
        What its name begins with.
    """
    folder = new_folder(parent, prefix)
    with held(folder):
        yield folder


def new_folder(parent: Path | None = None, prefix: str = PREFIX) -> Path:
    """The same, for another process to hold: nobody removes it before it has been held once."""
    parent = parent or Path(tempfile.gettempdir())
    remove_left(parent, prefix)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder from being taken for one that a killed process left, and remove it at the end."""
    try:
        with (folder / f"{HELD}.new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            Path(lock.name).rename(folder / HELD)  # under its name it is locked already
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left(parent: Path, prefix: str = PREFIX) -> None:
    """Remove the folders whose processes were killed."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError), (folder / HELD).open("r+") as lock:  # another user's cannot be opened
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock.fileno()).st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
