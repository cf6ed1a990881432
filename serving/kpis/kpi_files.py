"""Facts written to a file: as a workbook with live formulas, or as the declared table."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from serving.forecast.declared.column import OutTable
from serving.forecast.forecast_workbook import write_sheets
from serving.forecast.refusals import BadRequest
from serving.forecast.take_away import write_table_file

SUFFIXES = (".xlsx", ".csv", ".parquet")


def require_writable(file: Path | None) -> None:
    """Refuse a file that could not be written, before the work is done.

    Raises
    ------
    BadRequest
        It has another ending, or its folder is not there.
    """
    if file is not None and (file.suffix.lower() not in SUFFIXES or not file.parent.is_dir()):
        raise BadRequest(f"--out {file}: give a file that ends with {', '.join(SUFFIXES)}, in a folder that is there.")


def write_facts(rows: Sequence[dict[str, Any]], table: OutTable, file: Path, workbook: Callable[[Path], None]) -> None:
    """Write the rows whole: as the table's columns, or by `workbook`."""
    if file.suffix.lower() == ".xlsx":
        workbook(file)
        return
    write_table_file(table, as_table(rows, table), file)


def as_table(rows: Sequence[dict[str, Any]], table: OutTable) -> pd.DataFrame:
    """The rows in the declared columns, types and order; a truth is yes or no there."""
    words = {True: "yes", False: "no", None: ""}
    frame = pd.DataFrame(list(rows), columns=list(table.names))
    for column in table:
        if column.values == ("yes", "no", ""):
            frame[column.name] = frame[column.name].map(words)
    return table.shape(frame)


def write_many(
    rows: Mapping[str, Sequence[dict[str, Any]]], tables: Mapping[str, OutTable], file: Path, definition: str
) -> None:
    """Write several tables: a sheet each in a workbook, else the first as the file and the others beside it.

    Those beside it are named by their table: icp.csv, icp-fit_sold.csv.
    """
    frames = [(tables[name], as_table(part, tables[name])) for name, part in rows.items()]
    if file.suffix.lower() == ".xlsx":
        part = file.with_name(f".{file.name}.part")
        with part.open("wb") as stream:
            write_sheets(frames, stream, {"definition": definition})
        part.replace(file)
        return
    for number, (table, frame) in enumerate(frames):
        beside = file.with_name(f"{file.stem}-{table.name}{file.suffix}")
        write_table_file(table, frame, beside if number else file)


def write_rows(rows: Sequence[dict[str, Any]], table: OutTable, file: Path, definition: str) -> None:
    """Write rows as the declared table, lists with commas; a workbook says what the columns mean."""
    told = [{name: ", ".join(cell) if isinstance(cell, list) else cell for name, cell in row.items()} for row in rows]
    write_table_file(table, as_table(told, table), file, {"definition": definition})
