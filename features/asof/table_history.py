"""How the rows of each table have come in: their number, their gaps and their empty cells by four weeks back."""

from dataclasses import dataclass

import pandas as pd

from features.asof.clocks import Clocks
from features.asof.view import day_number
from features.tables import contract
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget

BLOCK_DAYS, BLOCKS = 28, 14


@dataclass(frozen=True)
class TableHistory:
    """One table with a day of its own.

    Attributes
    ----------
    rows
        By block of 28 days, the newest first, shape (blocks,).
    age_days
        From the newest row to the end of the data; None without any.
    longest_gap_days
        Between two days with rows, within the blocks before the newest.
    missing
        By column, the share of empty cells in each block; NaN of a block without rows.
    """

    name: str
    rows: tuple[int, ...]
    age_days: int | None
    longest_gap_days: int
    missing: dict[str, tuple[float, ...]]


def table_histories(tables: Tables, *, budget: Budget) -> list[TableHistory]:
    """The history of each table that has a day of its own, as known before the data end."""
    named_tables = [name for name in tables.columns if contract.TABLES[name].event_day or name == "contracts"]
    with tables.connect(budget=budget) as connection:
        return [_history(connection, tables, name) for name in sorted(named_tables)]


def _history(connection: "object", tables: Tables, table: str) -> TableHistory:
    until, clock = day_number(tables.data_until), Clocks(tables).of_row(table)
    later = {column.name for column in contract.TABLES[table] if column.filled_later}  # the newest rows wait for these
    columns = [name for name in tables.columns[table] if name != "recorded_at" and name not in later]
    empty = "".join(f", AVG(CASE WHEN {named(name)} IS NULL THEN 1.0 ELSE 0.0 END) AS c{place}"
                    for place, name in enumerate(columns))  # fmt: skip
    rows = f"(SELECT *, {clock.happened} AS hf_day FROM raw.{table} WHERE {clock.counts_after} < {until})"
    recent = f"hf_day >= {until - BLOCK_DAYS * BLOCKS} AND hf_day < {until}"
    blocks = connection.execute(  # type: ignore[attr-defined]
        f"SELECT ({until} - 1 - hf_day) // {BLOCK_DAYS} AS block, COUNT(*) AS rows{empty} FROM {rows} "
        f"WHERE {recent} GROUP BY block"
    ).df()
    days = connection.execute(  # type: ignore[attr-defined]
        f"SELECT DISTINCT {until} - hf_day AS age FROM {rows} WHERE {recent} ORDER BY age"
    ).df()["age"]
    by_block = blocks.set_index("block").reindex(range(BLOCKS))
    gaps = days[days > BLOCK_DAYS].diff().max()
    return TableHistory(
        name=table,
        rows=tuple(by_block["rows"].fillna(0).astype(int)),
        age_days=None if days.empty else int(days.iloc[0]),
        longest_gap_days=0 if pd.isna(gaps) else int(gaps),
        missing={name: tuple(by_block[f"c{place}"].astype(float)) for place, name in enumerate(columns)},
    )
