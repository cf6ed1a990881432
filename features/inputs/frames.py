"""Tables from data frames that already follow the contract, unchecked: for tests and for frames made in code."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from features.asof.knowledge import finish
from features.tables import contract
from features.tables.checked import Tables, write_table
from features.tables.sql import named, quoted


def tables_from_frames(
    frames: Mapping[str, pd.DataFrame],
    database: Path,
    *,
    data_until: date,
    lag_days: Mapping[str, int] | None = None,
    numbers: Mapping[str, tuple[str, ...]] | None = None,
) -> Tables:
    """Store data frames that already follow the contract, unchecked; `features.inputs.load` is the checked way in.

    Columns that the contract does not declare hold text, but for those that `numbers` names of each table.
    """
    database.unlink(missing_ok=True)
    columns = {name: tuple(frame.columns) for name, frame in frames.items()}
    tables = Tables(database, columns, dict(lag_days or {}), data_until, "", "", numbers=dict(numbers or {}))
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {quoted(str(database))} AS made")
        for name in sorted(frames, key=list(contract.TABLES).index):
            connection.register("frame", frames[name])
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE typed AS SELECT {_typed(tables, name, frames[name])} FROM frame"
            )
            connection.unregister("frame")
            write_table(connection, name, columns[name], "SELECT * FROM typed")
    with duckdb.connect(str(database)) as connection:
        return finish(connection, tables)


def _typed(tables: Tables, name: str, frame: pd.DataFrame) -> str:
    types = {column: tables.column(name, column).type.sql for column in frame.columns}
    return ", ".join(f"CAST({named(column)} AS {kind}) AS {named(column)}" for column, kind in types.items())
