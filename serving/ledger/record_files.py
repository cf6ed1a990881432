"""The files that the record names: each by the digest of its content, whole or not there, never changed."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.whole_file import clear_leftovers, write_whole
from serving.forecast.refusals import NoRecord

TABLE, MANIFEST = ".parquet", ".json"


class BrokenFile(Exception):
    """A file of the record that is missing or is not what its name says."""


@dataclass(frozen=True)
class RecordFiles:
    """The folder of the record's files."""

    folder: Path

    def add_table(self, table: pa.Table) -> str:
        """Keep a table as Parquet; gives its digest. The same table gives the same file."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", compression_level=9)
        return self._add(sink.getvalue().to_pybytes(), TABLE)

    def add_manifest(self, content: dict[str, Any]) -> str:
        """Keep plain data as JSON; gives its digest."""
        return self._add(canonical_json(content).encode(), MANIFEST)

    def table(self, digest: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """A table by its digest: all of it, or what there is of some columns.

        Raises
        ------
        BrokenFile
            It is missing or damaged.
        """
        content = self.content(digest, TABLE)
        if columns is not None:
            present = set(pq.read_schema(pa.BufferReader(content)).names)
            columns = [name for name in columns if name in present]
        return pq.read_table(pa.BufferReader(content), columns=columns, filters=filters)

    def manifest(self, digest: str) -> dict[str, Any]:
        """Plain data by their digest.

        Raises
        ------
        BrokenFile
            They are missing or damaged.
        """
        return dict(json.loads(self.content(digest, MANIFEST)))

    def size(self, digest: str) -> int:
        """Bytes of a table's file."""
        return (self.folder / f"{digest}{TABLE}").stat().st_size

    def clear_leftovers(self) -> None:
        """Remove what killed runs left half written, here or on another machine."""
        clear_leftovers(self.folder)

    def _add(self, content: bytes, suffix: str) -> str:
        digest = hashlib.sha256(content).hexdigest()
        file = self.folder / f"{digest}{suffix}"
        if not self._is_whole(file, digest):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_whole(file, content)
            except OSError as error:
                raise NoRecord(
                    f"The record's files cannot be written to {self.folder}: {error.strerror}. Nothing was published; "
                    "make the folder writable and its disk large enough, or set another one (record.folder)."
                ) from None
        return digest

    def _is_whole(self, file: Path, digest: str) -> bool:
        try:
            return hashlib.sha256(file.read_bytes()).hexdigest() == digest
        except OSError:
            return False

    def has(self, digest: str) -> bool:
        """Whether a table's file is there, whole or not."""
        return (self.folder / f"{digest}{TABLE}").exists()

    def remove(self, digest: str) -> bool:
        """Remove a table that need not be kept any more; gives whether it was there."""
        file = self.folder / f"{digest}{TABLE}"
        present = file.exists()
        file.unlink(missing_ok=True)
        return present

    def content(self, digest: str, suffix: str) -> bytes:
        """The bytes of a file by their digest.

        Raises
        ------
        BrokenFile
            It is missing or damaged.
        """
        file = self.folder / f"{digest}{suffix}"
        try:
            content = file.read_bytes()
        except OSError as error:
            raise BrokenFile(f"{file.name} cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise BrokenFile(f"{file.name} is damaged")
        return content


def canonical_json(content: Any) -> str:
    """JSON that is the same for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
