"""The store of snapshots: one Parquet file a date, never rewritten.

A file lies in a folder that stands for the features and rules (the definition), under a name that stands for what was
known before its date. So a new date is made alone, rows that arrive late leave earlier snapshots as they are, and a
changed definition or a rewritten past gets new files beside the old ones.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.asof.knowledge import digest_of, known_before
from features.engines.chosen import engine_of
from features.families.feature import Feature
from features.snapshots.assembly import Assembly, assembly_of
from features.snapshots.building import Snapshots, made_by, snapshots_of
from features.snapshots.definition import Definition, changes_between, definition_of, key_of
from features.snapshots.pieces import Pieces
from features.tables.checked import Tables
from features.tables.database import is_disk_full
from features.tables.problems import BadInput, Finding
from features.tables.progress import Progress, silent
from params import Params

METADATA = b"holdfast"


@dataclass(frozen=True)
class Stored:
    """Where the snapshots of some dates lie or will lie, which of them are to be made, and why.

    `files` by date; `missing` the dates to make; `why` a line for each that is not simply new; `features` as in
    `Snapshots`; `digests` those of what was known before each date, by table; `definition` of what they hold.
    """

    files: Mapping[date, Path]
    missing: tuple[date, ...]
    why: tuple[str, ...]
    features: tuple[Feature, ...]
    digests: Mapping[date, Mapping[str, str]]
    definition: Mapping[str, Any]

    def totals(self) -> tuple[int, int]:
        """How many rows and distinct accounts the files hold, once they are made."""
        ids = pa.concat_tables(read_snapshot(file, ["account_id"]) for file in self.files.values())
        return ids.num_rows, len(pa.compute.unique(ids["account_id"]))


def plan(tables: Tables, dates: Sequence[date], *, params: Params) -> Stored:
    """What the store in `params.data_dir` holds of these dates, and what is to be made."""
    assembly = assembly_of(tables, dates, params.revenue, params.snapshots, params.declared)
    definition = definition_of(assembly)
    folder = _folder(params, definition)
    digests: dict[date, dict[str, str]] = {}
    for rolled, days in tables.by_hierarchy(dates):
        digests |= known_before(rolled, days)
    files = {day: _file(folder, day, digests[day]) for day in assembly.asof.dates}
    missing = tuple(day for day, file in files.items() if _description(file) is None)
    why = tuple(_why(folder, definition, {day: files[day] for day in missing}, digests))
    return Stored(files, missing, why, assembly.selection.features, digests, definition)


def make(tables: Tables, dates: Sequence[date], *, params: Params, progress: Progress = silent) -> Stored:
    """Make and keep the snapshots of these dates that the store lacks; gives what was to be made.

    Each file appears under its name only once it is whole, so a run killed anywhere can be run again.
    """
    todo = plan(tables, dates, params=params)
    progress("snapshots", 0, len(todo.missing))
    if not todo.missing:
        return todo
    folder = next(iter(todo.files.values())).parent
    folder.mkdir(parents=True, exist_ok=True)
    for partial in folder.glob("*.partial"):  # of runs that were killed
        partial.unlink(missing_ok=True)
    for place, (day, rows) in enumerate(_missing(tables, todo, params), start=1):
        description = json.dumps({"definition": todo.definition, "known": todo.digests[day]})
        _write(rows.replace_schema_metadata({METADATA: description}), todo.files[day])
        progress("snapshots", place, len(todo.missing))
    return todo


def _missing(tables: Tables, todo: Stored, params: Params) -> Iterator[tuple[date, pa.Table]]:
    """The snapshots that are to be made, one date after another."""
    for rolled, days in tables.by_hierarchy(todo.missing):
        assembly = assembly_of(rolled, days, params.revenue, params.snapshots, params.declared)
        with engine_of(rolled, budget=params.budget) as engine, Pieces(tables.database.parent) as pieces:
            yield from zip(days, made_by(engine, assembly, pieces), strict=True)


def stored(
    tables: Tables,
    dates: Sequence[date],
    *,
    params: Params,
    progress: Progress = silent,
) -> Snapshots:
    """Snapshots at any dates from the store in `params.data_dir`; those that are missing are made and kept."""
    todo = make(tables, dates, params=params, progress=progress)
    assembly = assembly_of(tables, dates, params.revenue, params.snapshots, params.declared)
    rows = [read_snapshot(todo.files[day]) for day in assembly.asof.dates]
    return snapshots_of(assembly, pa.concat_tables(table.replace_schema_metadata(None) for table in rows))


def stored_columns(
    tables: Tables, dates: Sequence[date], columns: Sequence[str], *, params: Params, progress: Progress = silent
) -> pd.DataFrame:
    """Some columns of the snapshots at some dates, by date and account; those that snapshots lack are absent.

    `account_id`, `as_of` and `arr` are always among them. It reads what is asked for and no more.
    """
    todo = make(tables, dates, params=params, progress=progress)
    files = [todo.files[day] for day in sorted(todo.files)]
    present = set(pq.read_schema(files[0]).names)
    names = [name for name in dict.fromkeys(("account_id", "as_of", "arr", *columns)) if name in present]
    rows = [read_snapshot(file, names).replace_schema_metadata(None) for file in files]
    frame: pd.DataFrame = pa.concat_tables(rows).to_pandas()
    return frame


def each_stored(tables: Tables, dates: Sequence[date], *, params: Params) -> Iterator[tuple[date, Snapshots]]:
    """Each date's snapshots by themselves, as `stored` gives them: looked for and made together, held one at a time."""
    todo = make(tables, dates, params=params)
    assembly = assembly_of(tables, dates, params.revenue, params.snapshots, params.declared)
    for day in assembly.asof.dates:
        yield day, snapshots_of(assembly, read_snapshot(todo.files[day]).replace_schema_metadata(None))


def read_snapshot(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A stored snapshot, each page of it by its checksum.

    Raises
    ------
    BadInput
        The file is damaged.
    """
    try:
        return pq.read_table(file, columns=list(columns) if columns else None, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        if is_disk_full(error) or not file.exists():
            raise
        what = f"the stored snapshot {file.name} is damaged"
        raise BadInput([Finding("snapshots", what, f"Delete {file}, and it is made again.")]) from None


def newest_file(assembly: Assembly, as_of: date, params: Params) -> Path | None:
    """The stored snapshot of a date, else of the newest one before it, of what is known now to have been known then."""
    folder = _folder(params, definition_of(assembly))
    days = sorted({date.fromisoformat(file.name[:10]) for file in folder.glob("*.parquet")}, reverse=True)
    digests = known_before(assembly.asof.tables, [day for day in days if day <= as_of])
    files = (_file(folder, day, digests[day]) for day in digests)
    return next((file for file in files if file.exists()), None)


def _folder(params: Params, definition: Definition) -> Path:
    return params.data_dir / "snapshots" / key_of(definition)


def _file(folder: Path, day: date, digests: Mapping[str, str]) -> Path:
    """Where the snapshot of a date lies, by the digests of what was known before it."""
    return folder / f"{day.isoformat()}.{digest_of(digests)}.parquet"


def _description(file: Path) -> dict[str, Any] | None:
    """What a stored snapshot says of itself; None if it cannot be read."""
    try:
        content: dict[str, Any] = json.loads((pq.read_metadata(file).metadata or {})[METADATA])
    except (OSError, pa.ArrowInvalid, KeyError):  # not ours, or damaged
        return None
    return content


def _why(
    folder: Path, definition: Definition, missing: Mapping[date, Path], digests: Mapping[date, Mapping[str, str]]
) -> list[str]:
    """What is to be made and is not simply new: because the definition changed, or a past was rewritten."""
    if not missing:
        return []
    if not folder.exists():
        return _definition_changes(folder, definition)
    damaged = [day for day, file in missing.items() if file.exists()]
    lines = [f"{day} is made again: its file cannot be read" for day in damaged]
    for day in missing:
        others = sorted(folder.glob(f"{day.isoformat()}.*.parquet"), key=lambda file: file.stat().st_mtime)
        newest = _description(others[-1]) if others else None
        if newest and day not in damaged:
            before = newest["known"]
            changed = sorted(name for name in digests[day] if before.get(name) != digests[day][name])
            lines.append(f"{day} is made again: what was known before it has changed in {', '.join(changed)}")
    return lines


def _definition_changes(folder: Path, definition: Definition) -> list[str]:
    """What differs from the definition that was used last."""
    files = sorted(folder.parent.glob("*/*.parquet"), key=lambda file: file.stat().st_mtime)
    newest = _description(files[-1]) if files else None
    if newest is None:
        return []
    return [f"All dates are made: {'; '.join(changes_between(newest['definition'], definition))}"]


def _write(table: pa.Table, file: Path) -> None:
    """Write under a name of this process's own, then rename: nobody ever sees half a file."""
    partial = file.with_suffix(f".{os.getpid()}.partial")
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(table.combine_chunks(), partial, compression="lz4", use_dictionary=texts, write_page_checksum=True)
    with partial.open("rb+") as written:
        os.fsync(written.fileno())  # else the name could outlive the content in a power cut
    partial.replace(file)
