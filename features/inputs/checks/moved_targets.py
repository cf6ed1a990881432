"""Targets that the stored tables have and the source has no more: they are only added to, never changed or removed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from features.inputs.checks.team_rules import SAME_TARGET
from features.inputs.staged import Staged
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import named, quoted

STILL_THERE = 0.5  # with less of the stored targets there, the source is another one


def moved_targets(connection: duckdb.DuckDBPyConnection, staged: Mapping[str, Staged], database: Path) -> list[Finding]:
    """The problem with targets that were read before from the same source, if there is one.

    Parameters
    ----------
    database
        Where the checked tables of the last good run are stored, if they are.
    """
    targets = staged.get("targets")
    if targets is None or not database.exists():
        return []
    try:
        connection.execute(f"ATTACH {quoted(str(database))} AS before (READ_ONLY)")
    except duckdb.Error:  # damaged, or written by another version: made again
        return []
    try:
        return _gone(connection, [name for name in (*SAME_TARGET, "target") if name in targets.columns])
    finally:
        connection.execute("DETACH before")


def _gone(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> list[Finding]:
    present = {row[0] for row in connection.execute(_COLUMNS).fetchall()}
    if not set(columns) <= present or not columns:
        return []
    stored = f"SELECT {', '.join(map(named, columns))} FROM before.targets"
    gone = f"({stored} EXCEPT ALL SELECT {', '.join(map(named, columns))} FROM stage_targets)"
    (rows,) = connection.execute(f"SELECT count(*) FROM {gone}").fetchone() or (0,)
    (of,) = connection.execute("SELECT count(*) FROM before.targets").fetchone() or (0,)
    if not rows or of - rows < STILL_THERE * of:
        return []
    shown = f"SELECT concat(kpi, ' ', quarter, ': ', target) FROM {gone} ORDER BY 1 LIMIT {EXAMPLES}"
    examples = tuple(str(row[0]) for row in connection.execute(shown).fetchall())
    what = "that were there before and are changed or gone"
    todo = (
        "Targets are only added to: put the old rows back, and give a moved target one more row with its own set_on. "
        "If they never were targets, remove tables.duckdb from the data folder and check again."
    )
    return [Finding("targets", what, todo, "target", rows, of, examples, "target_changed")]


_COLUMNS = """
    SELECT column_name FROM duckdb_columns() WHERE database_name = 'before' AND table_name = 'targets'"""
