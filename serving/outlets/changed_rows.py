"""Files for reverse ETL: of each table the rows that are not as they were delivered last.

What was delivered is kept as digests of keys and rows: no account is named there.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from params_outlets import FilesOutlet
from serving.forecast.declared.column import OutTable
from serving.forecast.export import write_csv

_OF_THE_RUN = ("definition", "run_id", "as_of", "model_version", "made_at")


def deliver_files(
    outlet: FilesOutlet,
    name: str,
    declared: Mapping[str, OutTable],
    frames: Mapping[str, pd.DataFrame],
    kept: Path,
    *,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Write the changed rows of some tables as CSV; gives a row a table: `target`, `table`, `rows`, `state`, `file`.

    A row has changed where any figure of it has; of which run it is does not count. A table without a changed row has
    no file. A run that is killed before a file is whole delivers the same rows again.

    Parameters
    ----------
    outlet
        Where to.
    name
        How the settings name it.
    declared, frames
        The tables: how they are declared, and their rows.
    kept
        The folder for what was delivered.
    dry_run
        Look, and change nothing.
    """
    return [
        _deliver(outlet, name, declared[table], frames[table], kept / f"{name}.{table}.json", dry_run=dry_run)
        for table in outlet.tables
        if table in frames
    ]


def _deliver(
    outlet: FilesOutlet, name: str, table: OutTable, frame: pd.DataFrame, kept: Path, *, dry_run: bool
) -> dict[str, Any]:
    before: dict[str, str] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    figures = [column for column in table.names if column not in _OF_THE_RUN]
    keys, rows = _digests(frame[list(table.key)]), _digests(frame[figures])
    changed = [before.get(key) != row for key, row in zip(keys, rows, strict=True)]
    told = {"target": name, "table": table.name, "rows": sum(changed), "state": "would be written", "file": ""}
    if dry_run or not any(changed):
        return told | ({} if dry_run else {"state": "nothing changed"})
    file = outlet.folder / f"{table.name}.csv"
    outlet.folder.mkdir(parents=True, exist_ok=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    write_csv(table, frame.loc[changed], fresh)
    fresh.replace(file)
    _keep(kept, before | dict(zip(keys, rows, strict=True)))
    return told | {"state": "written", "file": str(file)}


def _keep(file: Path, content: Mapping[str, str]) -> None:
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
    fresh.replace(file)


def _digests(frame: pd.DataFrame) -> list[str]:
    """A digest of each row."""
    rows = frame.astype(str).to_numpy().tolist()
    return [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:32] for row in rows]
