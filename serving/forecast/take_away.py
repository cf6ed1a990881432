"""Tables to take away: a folder with all forms of them, or one file; whole or not at all."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from serving.forecast.declared.column import OutTable
from serving.forecast.export import write_csv
from serving.forecast.forecast_workbook import write_table
from serving.forecast.refusals import BadRequest


def require_new_folder(folder: Path) -> None:
    """Refuse a folder that could not be written to, before the work is done.

    Raises
    ------
    BadRequest
        The folder is there and holds something, or the one that it would lie in is not there.
    """
    if (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))) or not folder.parent.is_dir():
        raise BadRequest(f"--out {folder}: give a folder that is empty or not there yet, in one that is there.")


def write_tables(
    tables: Sequence[tuple[OutTable, pd.DataFrame]],
    folder: Path,
    about: Mapping[str, str],
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write tables as Parquet, CSV and XLSX to a folder that is not there yet; all of them or none.

    Parameters
    ----------
    tables
        Each with its rows.
    folder
        Where to.
    about
        What the workbooks say of themselves.
    texts
        More files, by name.

    Raises
    ------
    BadRequest
        As `require_new_folder`.
    """
    require_new_folder(folder)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for table, frame in tables:
            frame.to_parquet(partial / f"{table.name}.parquet", index=False)
            write_csv(table, frame, partial / f"{table.name}.csv")
            with (partial / f"{table.name}.xlsx").open("wb") as file:
                write_table(table, frame, file, about)
        for name, text in (texts or {}).items():
            (partial / name).write_text(text, encoding="utf-8")
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_table_file(table: OutTable, frame: pd.DataFrame, file: Path, about: Mapping[str, str] | None = None) -> None:
    """Write one table as `.csv`, as Parquet or, with what the workbook says of itself, as `.xlsx`; whole."""
    part = file.with_name(f".{file.name}.part")
    if file.suffix.lower() == ".xlsx":
        with part.open("wb") as stream:
            write_table(table, frame, stream, about or {})
        part.replace(file)
        return
    if file.suffix.lower() == ".csv":
        write_csv(table, frame, part)
    else:
        frame.to_parquet(part, index=False)
    part.replace(file)
