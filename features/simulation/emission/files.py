"""Writing the company as Parquet files, one a table, all or nothing."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables import contract
from features.tables.contract import Type

_ARROW_TYPES = {
    Type.ID: pa.string(),
    Type.TEXT: pa.string(),
    Type.DATE: pa.date32(),
    Type.TS: pa.timestamp("us"),
    Type.MONEY: pa.float64(),
    Type.NUMBER: pa.float64(),
    Type.INTEGER: pa.int64(),
    Type.BOOL: pa.bool_(),
}


def write_tables(folder: Path, tables: Mapping[str, Iterable[pd.DataFrame]]) -> None:
    """Write each table, given in parts, to `folder`; an earlier company there is replaced at the very end.

    Raises
    ------
    FileExistsError
        The folder holds something else than tables of a company: it is left alone.
    """
    _check_replaceable(folder)
    partial, previous = (folder.with_name(f".{folder.name}.{state}") for state in ("partial", "previous"))
    if previous.exists() and not folder.exists():  # a run was stopped between the two renames below
        previous.rename(folder)
    for leftover in (partial, previous):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, parts in tables.items():
        _write_table(partial / f"{name}.parquet", name, parts)
    if folder.exists():
        folder.rename(previous)
    partial.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    table_files = {f"{name}.parquet" for name in contract.TABLES}
    strange = (
        ["(it is a file)"] if folder.is_file() else sorted({entry.name for entry in folder.iterdir()} - table_files)
    )
    if strange:
        raise FileExistsError(
            f"{folder} holds something else than a simulated company ({', '.join(strange[:5])}), "
            "so it is not replaced; give another folder."
        )


def _write_table(file: Path, name: str, parts: Iterable[pd.DataFrame]) -> None:
    writer = None
    for part in parts:
        table = pa.Table.from_pandas(part, schema=_schema(name, list(part.columns)), preserve_index=False)
        table = table.replace_schema_metadata(None)
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _schema(name: str, columns: list[str]) -> pa.Schema:
    declared = contract.TABLES[name]
    return pa.schema([(column, _ARROW_TYPES[declared.column(column).type]) for column in columns])
