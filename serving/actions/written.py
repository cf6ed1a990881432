"""The tables of actions and scenarios as files to take away."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from serving.forecast.declared.column import OutTable
from serving.forecast.export import write_csv
from serving.forecast.forecast_workbook import write_table
from serving.forecast.refusals import BadRequest


def write_tables(tables: Sequence[tuple[OutTable, pd.DataFrame]], folder: Path, about: Mapping[str, str]) -> None:
    """Write tables as Parquet, CSV and XLSX to a folder that is not there yet; all of them or none.

    Raises
    ------
    BadRequest
        The folder is there and holds something, or the one that it would lie in is not there.
    """
    if (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))) or not folder.parent.is_dir():
        raise BadRequest(f"--out {folder}: give a folder that is empty or not there yet, in one that is there.")
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for table, frame in tables:
            frame.to_parquet(partial / f"{table.name}.parquet", index=False)
            write_csv(table, frame, partial / f"{table.name}.csv")
            with (partial / f"{table.name}.xlsx").open("wb") as file:
                write_table(table, frame, file, about)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
