"""Who saw or changed what: a line of JSON each, in files that are only ever appended to."""

import fcntl
import getpass
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "audit"
MOST_OF_A_TORN_LINE = 2000
LINES_A_MINUTE = 10  # of requests of nobody known; of the others their number is written down
MOST_ADDRESSES = 20
_SECRET = re.compile(r"h[fso]_[\w-]{8,}")
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)
_CHUNK = 1 << 16


class Audit:
    """The audit log of a data folder: a file a month, readable by its owner only.

    Lines of several processes do not mix: each is written under a lock, and what a process that was killed has left of
    a line, or a full disk, is closed before the next one.

    Parameters
    ----------
    folder
        The folder of the service.
    synced
        Wait until each line is on disk.
    """

    def __init__(self, folder: Path, *, synced: bool = False) -> None:
        self.folder = folder / FOLDER
        self.trouble = ""  # why the last line could not be written
        self._synced = synced
        self._month = ""
        self._end = -1  # where this process's last line ended
        self._handle: int | None = None

    def write(self, who: str, what: str, **more: Any) -> None:
        """Append a line: when, who, what, and more that is plain data.

        Raises
        ------
        OSError
            It could not be written; then nothing of it was.
        """
        at = datetime.now(tz=UTC).isoformat("T", "milliseconds")
        try:
            self._append(at[:7], _line(at, who, what, more))
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__
            raise
        self.trouble = ""

    def _append(self, month: str, line: bytes) -> None:
        handle = self._open(month)
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            self._mend(handle)
            self._end = _write_whole(handle, line)
            if self._synced:
                os.fsync(handle)
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)

    def _open(self, month: str) -> int:
        """The month's file; a new one where somebody has removed it."""
        if self._handle is not None and month == self._month and os.fstat(self._handle).st_nlink:
            return self._handle
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self.folder / f"{month}.jsonl", flags, 0o600)
        if self._handle is not None:
            os.close(self._handle)
        self._handle, self._month, self._end = handle, month, -1
        return handle

    def _mend(self, handle: int) -> None:
        """Put what is left of a line whose writer was stopped into a line of its own."""
        size = os.fstat(handle).st_size
        if size in (0, self._end) or os.pread(handle, 1, size - 1) == b"\n":
            return
        start = _last_line_start(handle, size)
        torn = os.pread(handle, MOST_OF_A_TORN_LINE, start).decode("utf-8", "replace")
        torn = torn[: torn.rfind('"') + 1]  # half an id could not be told from others once whose it is is erased
        os.ftruncate(handle, start)
        at = datetime.now(tz=UTC).isoformat("T", "milliseconds")
        _write_whole(handle, _line(at, "", "a torn line", {"torn": torn}))


class Strangers:
    """What nobody known asked for: the first requests of a minute a line each, and of the rest one line.

    So that nobody can fill the disk, or hide among lines of one's own making.
    """

    def __init__(self, audit: Audit, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit, self._clock = audit, clock
        self._since, self._lines = clock(), 0
        self._more: Counter[str] = Counter()

    def write(self, what: str, address: str, status: int) -> None:
        """Write a request down, or count it."""
        if self._clock() - self._since >= 60:
            self.flush()
        self._lines += 1
        if self._lines <= LINES_A_MINUTE:
            self._audit.write("", what, role=None, status=status, **{"from": address})
        elif address in self._more or len(self._more) < MOST_ADDRESSES:
            self._more[address] += 1
        else:
            self._more["others"] += 1

    def flush(self) -> None:
        """Write down what was only counted."""
        counts, self._more = self._more, Counter()
        self._since, self._lines = self._clock(), 0
        if counts:
            self._audit.write("", "more requests of nobody known", requests=counts.total(), **{"from": dict(counts)})


def seen(account_ids: list[str]) -> dict[str, Any]:
    """Accounts as the log names them: how many, and which."""
    return {"accounts": len(account_ids), "account_ids": account_ids}


def without_secrets(path: str) -> str:
    """An address as the log names it: a token or session that somebody put there is left out."""
    return _SECRET.sub("...", path[:300])


def user_of_this_machine() -> str:
    """Who works at this machine, as the log names whoever uses the command line."""
    try:
        return f"shell {getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"


def _line(at: str, who: str, what: str, more: dict[str, Any]) -> bytes:
    return (_ENCODER.encode({"at": at, "who": who, "what": what, **more}) + "\n").encode()


def _write_whole(handle: int, line: bytes) -> int:
    """Append all of a line, or nothing; returns where it ends."""
    start = os.fstat(handle).st_size
    left = memoryview(line)
    try:
        while left:
            left = left[os.write(handle, left) :]
    except OSError:
        os.ftruncate(handle, start)
        raise
    return start + len(line)


def _last_line_start(handle: int, size: int) -> int:
    """Where the last line begins."""
    end = size
    while end > 0:
        begin = max(0, end - _CHUNK)
        place = os.pread(handle, end - begin, begin).rfind(b"\n")
        if place >= 0:
            return begin + place + 1
        end = begin
    return 0
