"""Rows that come a range of accounts at a time and are wanted a snapshot at a time."""

import tempfile
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa


class Pieces:
    """Pieces of snapshots, kept in a file without a name so that memory stays flat, however many snapshots there are.

    Use it as a context; all pieces have the same columns.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed at the end of the context
        self._writer: Any = None
        self._reader: Any = None
        self._places: dict[int, list[int]] = defaultdict(list)
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, piece: pa.Table) -> None:
        """Keep a piece that is sorted by `k`."""
        if self._writer is None:
            self._schema = piece.schema
            self._writer = pa.ipc.new_file(self._file, piece.schema)
        snapshots, starts = np.unique(piece["k"].to_numpy(), return_index=True)
        for k, start, end in zip(snapshots, starts, [*starts, piece.num_rows][1:], strict=True):
            for batch in piece.slice(start, end - start).combine_chunks().to_batches():
                self._writer.write(batch)
                self._places[int(k)].append(self._written)
                self._written += 1

    def of(self, k: int) -> pa.Table:
        """The rows of a snapshot, in the order of the pieces; no piece can be added any more."""
        if self._reader is None:
            self._writer.close()
            self._reader = pa.ipc.open_file(self._file)
        return pa.Table.from_batches([self._reader.get_batch(place) for place in self._places[k]], self._schema)
