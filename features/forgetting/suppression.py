"""The list of who was erased: keyed hashes of ids, so that whoever is on it is known again but never named.

The key lies beside the list. Without it the list says nothing; with it, whether an id that is asked about is on it.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from params import Params, SettingsError

ACCOUNT, CONTACT, USER = "account", "contact", "user"
KINDS = (ACCOUNT, CONTACT, USER)
FOLDER, KEY, LIST, APPLIED = "erased", "key", "list.jsonl", "applied"
_KEY_BYTES = 32


@dataclass(frozen=True)
class Suppressed:
    """Who was erased.

    Attributes
    ----------
    key
        What ids are hashed with; empty where no one was erased yet.
    digests
        Of each kind the hashes of the ids.
    """

    key: bytes = b""
    digests: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anyone is on it."""
        return any(self.digests.values())

    def digest_of(self, kind: str, name: str) -> str:
        """What stands for an id on the list."""
        return hmac.new(self.key, f"{kind}\0{name}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def among(self, kind: str, names: Iterable[Any]) -> list[str]:
        """Those ids, of some, that are on the list."""
        digests = self.digests.get(kind)
        return [n for n in names if isinstance(n, str) and self.digest_of(kind, n) in digests] if digests else []

    def holds(self, kind: str, name: str) -> bool:
        """Whether an id is on the list."""
        return bool(self.among(kind, [name]))

    @property
    def fingerprint(self) -> str:
        """A digest of the list; empty where no one is on it."""
        content = json.dumps({kind: sorted(digests) for kind, digests in self.digests.items()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16] if self else ""


def read_suppressed(params: Params) -> Suppressed:
    """Who was erased, as the list says.

    Raises
    ------
    SettingsError
        There is a list that cannot be read, or it or its key is missing: nothing may be read as though it were empty.
    """
    folder = _folder(params)
    _require_list(params, folder)
    if not (folder / LIST).exists():
        return Suppressed()
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
        if not lines and not (folder / KEY).exists():  # the first erasure was killed
            return Suppressed()
        entries = [json.loads(line) for line in lines]
        digests = {kind: frozenset(entry["digest"] for entry in entries if entry["kind"] == kind) for kind in KINDS}
        return Suppressed(bytes.fromhex((folder / KEY).read_text(encoding="utf-8").strip()), digests)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"The list of who was erased, {folder / LIST}, or its key cannot be read ({type(error).__name__}), so that "
            "nothing is read that it might forbid. Restore both from a backup; see docs/privacy.md."
        ) from None


def suppress(params: Params, kind: str, name: str) -> Suppressed:
    """Put an id on the list, which is on the disk when this returns; gives the list. Once is enough."""
    folder = _folder(params)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _size(folder / KEY) and not _size(folder / LIST):
        _write(folder / LIST, "")  # first: a key without a list is a list that was lost
        _write(folder / KEY, secrets.token_hex(_KEY_BYTES) + "\n")
    suppressed = read_suppressed(params)
    if not suppressed.holds(kind, name):
        day = datetime.now(tz=UTC).date().isoformat()
        entry = {"kind": kind, "digest": suppressed.digest_of(kind, name), "erased_on": day}
        _write(folder / LIST, (folder / LIST).read_text(encoding="utf-8") + json.dumps(entry) + "\n")
    return read_suppressed(params)


def is_applied(params: Params, suppressed: Suppressed) -> bool:
    """Whether the data folder was swept by this list: not after an erasure that was killed, or an older backup."""
    return _applied(params) == suppressed.fingerprint


def mark_applied(params: Params, suppressed: Suppressed) -> None:
    """Say in the data folder that it holds nothing of anyone on the list."""
    (params.data_dir / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(params.data_dir / FOLDER / APPLIED, suppressed.fingerprint + "\n")


def _applied(params: Params) -> str:
    """The fingerprint of the list that the data folder was swept by; empty if it never was."""
    try:
        return (params.data_dir / FOLDER / APPLIED).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _require_list(params: Params, folder: Path) -> None:
    """Raise where there was a list that is gone, or has no one on it any more."""
    if not _size(folder / LIST) and _applied(params):
        raise SettingsError(
            f"Someone was erased from {params.data_dir}, and the list of who it was is gone from {folder}, so that "
            "nothing is read that it might forbid. Restore the list and its key from a backup, or say in "
            "retention.erased_folder where they are; see docs/privacy.md."
        )
    if (folder / KEY).exists() and not (folder / LIST).exists():
        raise SettingsError(
            f"{folder} holds the key to a list of who was erased, and no list, so that nothing is read that it might "
            "forbid. Restore the list from a backup; see docs/privacy.md."
        )


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _folder(params: Params) -> Path:
    return params.retention.erased_folder or params.data_dir / FOLDER


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)
