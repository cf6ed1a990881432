"""Dates such as 01/04/2024, which read as 1 April and as 4 January: whether any value tells which is meant."""

from dataclasses import dataclass, replace

import duckdb

from features.inputs.files.csv_files import readable_rows
from features.inputs.files.locate import Opened
from features.inputs.staged import Staged
from features.tables.contract import Type
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import named
from params import Source

RULE = "dates_read_both_ways"
SAMPLE = 1000  # rows that tell whether a column is written that way at all
_PARTS = r"^([0-9]{1,2})[-/]([0-9]{1,2})[-/][0-9]{4}"


@dataclass(frozen=True)
class DayOrder:
    """How many values of a column differ by the order they are read in, and how many can be read in one only."""

    column: str
    differing: int
    day_first: int
    month_first: int
    rows: int
    examples: tuple[str, ...]

    @property
    def days_come_first(self) -> bool | None:
        """What the values tell; None where they tell nothing, or contradict each other."""
        return None if bool(self.day_first) == bool(self.month_first) else bool(self.day_first)


def dates_read_both_ways(
    connection: duckdb.DuckDBPyConnection, staged: Staged, opened: Opened, source: Source
) -> list[Finding]:
    """The warning of dates that no value above 12 tells the order of, unless the settings do.

    Where other columns of the table tell that days come first, it names them.
    """
    if source.day_first is not None:
        return []
    relation = readable_rows(opened.csv_files) if opened.csv_files else opened.relation
    slashed = _slashed(connection, relation, staged, opened)
    orders = [replace(day_order(connection, relation, staged.theirs[name]), column=name) for name in slashed]
    open_ones = [order for order in orders if order.differing and not order.day_first and not order.month_first]
    if not open_ones or any(order.month_first for order in orders):
        return []
    return [_finding(staged, open_ones, [order.column for order in orders if order.day_first])]


def _slashed(connection: duckdb.DuckDBPyConnection, relation: str, staged: Staged, opened: Opened) -> list[str]:
    """The columns of dates as text whose first rows hold one that could be read both ways."""
    texts = [
        column.name
        for column in staged.declared
        if column.type in (Type.DATE, Type.TS) and opened.types[staged.theirs[column.name]] == "VARCHAR"
    ]
    if not texts:
        return []
    cells = ", ".join(named(staged.theirs[name]) for name in texts)
    tests = ", ".join(f"bool_or(regexp_matches(trim(c{place}), '{_PARTS}'))" for place in range(len(texts)))
    names = ", ".join(f"c{place}" for place in range(len(texts)))
    row = connection.execute(
        f"SELECT {tests} FROM (SELECT {cells} FROM {relation} LIMIT {SAMPLE}) sample({names})"
    ).fetchone()
    return [name for name, is_slashed in zip(texts, row or (), strict=True) if is_slashed]


def day_order(connection: duckdb.DuckDBPyConnection, relation: str, column: str) -> DayOrder:
    """What the values of a column of texts say of the order of day and month."""
    part = "TRY_CAST(regexp_extract(trim({cell}), '{parts}', {place}) AS INTEGER)"
    cell = named(column)
    first, second = (part.format(cell=cell, parts=_PARTS, place=place) for place in (1, 2))
    differs = "a <= 12 AND b <= 12 AND a <> b"
    row = connection.execute(f"""
        SELECT count(*) FILTER ({differs}), count(*) FILTER (a > 12), count(*) FILTER (b > 12), count(*)
        FROM (SELECT {first} AS a, {second} AS b FROM {relation})""").fetchone()
    differing, day_first, month_first, rows = row or (0, 0, 0, 0)
    examples = connection.execute(f"""
        SELECT DISTINCT text FROM (SELECT {first} AS a, {second} AS b, trim({cell}) AS text FROM {relation})
        WHERE {differs} ORDER BY 1 LIMIT {EXAMPLES}""").fetchall()
    return DayOrder(column, differing, day_first, month_first, rows, tuple(str(text) for (text,) in examples))


def _finding(staged: Staged, orders: list[DayOrder], deciding: list[str]) -> Finding:
    order, *others = orders
    more = f" (as in {', '.join(other.column for other in others)})" if others else ""
    what = f"with a date that reads both ways{more}, and no value there tells which; it is read with the month first"
    todo = "If days come first, set source.day_first: true; if months do, false, and this is not said again."
    if deciding:
        todo = f"Days come first in {', '.join(deciding)}, so they seem to here: set source.day_first: true."
    return Finding(staged.table.name, what, todo, order.column, order.differing, order.rows, order.examples, rule=RULE)
