"""The list of who was erased: keyed hashes of ids, so that whoever is on it is known again but never named.

The key lies beside the list. Without it the list says nothing; with it, whether an id that is asked about is on it.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.tables.whole_file import write_whole
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
        There is a list that cannot be read, its key is missing, or it is gone itself, though the data folder was swept
        by one: nothing may be read as though it were empty.
    """
    folder = _folder(params)
    if not (folder / LIST).exists() or not (folder / LIST).stat().st_size:
        if _applied(params):
            raise SettingsError(
                f"The list of who was erased, {folder / LIST}, is gone, and the data folder was swept by it, so that "
                "nothing is read that it might forbid. Restore it and its key from a backup; see docs/privacy.md."
            )
        return Suppressed()
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        digests = {kind: frozenset(entry["digest"] for entry in entries if entry["kind"] == kind) for kind in KINDS}
        return Suppressed(bytes.fromhex((folder / KEY).read_text(encoding="utf-8").strip()), digests)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"The list of who was erased, {folder / LIST}, or its key cannot be read ({type(error).__name__}), so that "
            "nothing is read that it might forbid. Restore both from a backup; see docs/privacy.md."
        ) from None


def suppress(params: Params, kind: str, name: str) -> Suppressed:
    """Put an id on the list, which is on the disk when this returns; gives the list. Once is enough.

    Parameters
    ----------
    kind, name
        One of `KINDS`, and the id as the tables write it.
    """
    folder = _folder(params)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(folder):
        suppressed = read_suppressed(params)
        if not suppressed:
            suppressed = Suppressed(_key(folder))
        if not suppressed.holds(kind, name):
            day = datetime.now(tz=UTC).date().isoformat()
            entry = {"kind": kind, "digest": suppressed.digest_of(kind, name), "erased_on": day}
            content = (folder / LIST).read_bytes() if (folder / LIST).exists() else b""
            write_whole(folder / LIST, content + json.dumps(entry).encode() + b"\n")
        return read_suppressed(params)


def is_applied(params: Params, suppressed: Suppressed) -> bool:
    """Whether the data folder was swept by this list: not after an erasure that was killed, or an older backup."""
    return _applied(params) == suppressed.fingerprint


def mark_applied(params: Params, suppressed: Suppressed) -> None:
    """Say in the data folder that it holds nothing of anyone on the list."""
    (params.data_dir / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(params.data_dir / FOLDER / APPLIED, f"{suppressed.fingerprint}\n".encode())


def _folder(params: Params) -> Path:
    return params.retention.erased_folder or params.data_dir / FOLDER


def _applied(params: Params) -> str:
    """The fingerprint of the list that the data folder was swept by last; empty where there was none."""
    try:
        return (params.data_dir / FOLDER / APPLIED).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One process at a time adds to the list: several data folders may share it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _key(folder: Path) -> bytes:
    """The key of a list that no one is on yet; it is there before the list, so that no list is without one."""
    if not (folder / KEY).exists():
        write_whole(folder / KEY, f"{secrets.token_hex(_KEY_BYTES)}\n".encode())
    return bytes.fromhex((folder / KEY).read_text(encoding="utf-8"))
