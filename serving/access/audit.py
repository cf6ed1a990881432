"""Who saw or changed what: a line of JSON each, in files that are only ever appended to."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "audit"
MOST_IDS = 50
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)


class Audit:
    """The audit log of a data folder: a file a month, readable by its owner only.

    Lines of several processes do not mix: each is one write to a file opened for appending.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self._month = ""
        self._handle: int | None = None

    def write(self, who: str, what: str, **more: Any) -> None:
        """Append a line: when, who, what, and more that is plain data."""
        now = datetime.now(tz=UTC)
        content = {"at": now.isoformat("T", "milliseconds"), "who": who, "what": what, **more}
        line = _ENCODER.encode(content) + "\n"
        os.write(self._open(content["at"][:7]), line.encode())

    def _open(self, month: str) -> int:
        if self._handle is None or month != self._month:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._handle is not None:
                os.close(self._handle)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._handle, self._month = os.open(self.folder / f"{month}.jsonl", flags, 0o600), month
        return self._handle


def seen(account_ids: list[str]) -> dict[str, Any]:
    """Accounts as the log names them: how many, and the first of them."""
    return {"accounts": len(account_ids), "account_ids": account_ids[:MOST_IDS]}
