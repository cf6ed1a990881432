"""Files that appear whole or not at all, and that are on the disk once they do."""

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PARTIAL = ".partial-"  # what the name of a file that is not whole yet begins with
LEFT_OVER_SECONDS = 86_400


def write_whole(file: Path, content: bytes) -> None:
    """Write a file under another name, down to the disk, and give it its name in one step; only its owner may read it.

    Parameters
    ----------
    file
        Its name; its folder is there.
    content
        All of it.
    """
    handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)
    flush_folder(file.parent)


def flush_folder(folder: Path) -> None:
    """The names in a folder down to the disk.

    Parameters
    ----------
    folder
        Where a file was just made, renamed or removed.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_leftovers(folder: Path) -> None:
    """Remove what killed processes left half written; others may be writing, so only what is a day old.

    Parameters
    ----------
    folder
        Where `write_whole` writes; it need not be there.
    """
    for file in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):  # gone, or another user's
            if file.stat().st_mtime < time.time() - LEFT_OVER_SECONDS:
                file.unlink()
