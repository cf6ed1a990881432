"""Records of secrets in a file that holds no secret: each by the digest of its own.

Secrets are 256 random bits, so that a plain SHA-256 of them cannot be searched.
"""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from features.tables.whole_file import write_whole


class Digested(Protocol):
    """A record of a secret."""

    @property
    def digest(self) -> str:
        """The digest of the secret."""


T = TypeVar("T", bound=Digested)


class DigestFile(Generic[T]):
    """A file of records; what another process changes counts at once.

    Parameters
    ----------
    file
        Where they are; there may be none yet.
    record
        Makes a record of its fields.
    """

    def __init__(self, file: Path, record: Callable[..., T]) -> None:
        self.file = file
        self._record = record
        self._stamp: tuple[int, int, int] | None = None
        self._by_digest: Mapping[str, T] = {}

    def by_digest(self) -> Mapping[str, T]:
        """All records by the digest of their secret, oldest first; the file is read again only once it has changed."""
        try:
            state = self.file.stat()
        except FileNotFoundError:
            self._stamp, self._by_digest = None, {}
            return self._by_digest
        stamp = (state.st_mtime_ns, state.st_ino, state.st_size)
        if stamp != self._stamp:
            self._by_digest = {record.digest: record for record in self._read()}
            self._stamp = stamp
        return self._by_digest

    @contextmanager
    def changing(self) -> Iterator[list[T]]:
        """The records as a list; whatever is made of it is written in one step, one process at a time.

        It is on the disk then: a token that was revoked stays so after a power cut.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.file.parent / f".{self.file.stem}.lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            records = self._read() if self.file.exists() else []
            yield records
            write_whole(self.file, json.dumps([_fields(record) for record in records], indent=1).encode())

    def _read(self) -> list[T]:
        return [self._record(**content) for content in json.loads(self.file.read_text(encoding="utf-8"))]


def digest_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _fields(record: Any) -> dict[str, Any]:
    return asdict(record)
