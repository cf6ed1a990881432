"""What tells whether the stored tables are still those of the source: its files and the settings they are read by."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from features.forgetting.suppression import read_suppressed
from features.inputs.data_until import set_until
from features.inputs.files.locate import files_in_query, files_of
from features.inputs.reading.own_columns import extra_columns
from features.inputs.reading.written_calls import calls_digest
from features.tables import contract
from params import Params, Source, TableSource

VERSION = 9  # raised when the same input would be read in another way, or more is said of it


def fingerprint_of(params: Params, source: Source, calls: pd.DataFrame | None = None) -> str:
    """A digest of the settings, of the name, size and time of every file the tables may be read from, and of calls."""
    settings = source.model_dump(mode="json") | {
        "version": VERSION,
        "set_until": repr(set_until(params)),
        "contract": repr(contract.TABLES),
        "revenue": params.revenue.model_dump(mode="json"),
        "extra": repr(extra_columns(params, source)),
        "cuts": params.forecast.cuts,
        "drop": params.snapshots.drop,
    }
    if erased := read_suppressed(params).fingerprint:
        settings |= {"erased": erased}
    if calls is not None and len(calls):
        settings |= {"calls": calls_digest(calls)}
    content = json.dumps([settings, sorted(_file_stamps(source, params.data_dir))], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _file_stamps(source: Source, data_dir: Path) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of the files; what is written to a `data_dir` within the source is no part of it."""
    if source.path is None or not source.path.exists():
        return
    places = (source.path, *source.outside)
    files = {file for place in places for file in (place.rglob("*") if place.is_dir() else [place])}
    for name, setting in source.tables.items():
        for place in [setting.file, *files_in_query(source, setting.query or "")]:
            try:
                files |= set(files_of(source.path, name, TableSource(file=place))) if place else set()
            except Exception:  # what is wrong with it is named when the source is opened
                continue
    written = data_dir.resolve()
    within = written != source.path.resolve() and written.is_relative_to(source.path.resolve())
    for file in files:
        if file.is_file() and not (within and file.resolve().is_relative_to(written)):
            state = file.stat()
            yield os.path.relpath(file, source.path), state.st_size, state.st_mtime_ns
