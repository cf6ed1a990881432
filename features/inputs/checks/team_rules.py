"""Rules of the tables about the vendor's own people and aims: who manages whom, targets that were moved, pay."""

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from features.inputs.checks.rule import Level, Rule
from features.inputs.hierarchy import Circle, root_of
from features.inputs.staged import Staged
from features.tables.sql import named

QUARTER = "[0-9]{4}-Q[1-4]"
SAME_TARGET = ("kpi", "cut", "value", "quarter", "set_on")


def mark_circles(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Make `circle_people`: the people whose managers lead back to them, with the way round; of people only."""
    if staged.table.name != "people" or not staged.has("name", "manager"):
        return
    rows = connection.execute(f"SELECT name, manager FROM {staged.name} WHERE name <> manager").fetchall()
    ways = _ways_round(dict(rows))
    frame = pa.table({"name": pa.array(list(ways), pa.string()), "way": pa.array(list(ways.values()), pa.string())})
    connection.register("circles_found", frame)
    connection.execute("CREATE OR REPLACE TEMP TABLE circle_people AS SELECT name, way FROM circles_found")
    connection.unregister("circles_found")


def _ways_round(managers: Mapping[str, str]) -> dict[str, str]:
    """Of each person in a circle of managers, the circle in words."""
    ways: dict[str, str] = {}
    for person in managers:
        try:
            root_of(person, managers)
        except Circle as circle:
            ways |= dict.fromkeys(circle.accounts, str(circle))
    return ways


def team_rules(staged: Staged) -> Iterator[Rule]:
    """The rules of `people`, `targets` and `pay`; none of other tables."""
    name = staged.table.name
    if name == "people":
        yield from _people_rules(staged)
    if name in ("targets", "pay") and staged.has("quarter"):
        yield _no_quarter()
    if name == "targets":
        yield from _target_rules(staged)


def _people_rules(staged: Staged) -> Iterator[Rule]:
    if staged.has("name", "manager"):
        todo = "Name the person's manager; leave the cell of whoever stands at the top empty."
        yield Rule("manager", "who manage themselves", todo, "name = manager", "name", Level.ERROR, name="manages_self")
        todo = "Correct who manages whom: the person at the top has no manager."
        bad = "name IN (SELECT name FROM circle_people)"
        way = f"(SELECT any_value(way) FROM circle_people c WHERE c.name = {staged.name}.name)"
        what = "whose managers lead back to them"
        yield Rule("manager", what, todo, bad, way, Level.ERROR, name="managers_in_circle")
    for column in ("hours_per_month", "on_target_pay"):
        if staged.has(column):
            shown = f"concat(name, ': ', {column})"
            yield Rule(column, "below 0", "Give 0 or more.", f"{column} < 0", shown, Level.ERROR, name="below_zero")


def _no_quarter() -> Rule:
    bad = f"NOT regexp_full_match(quarter, '{QUARTER}')"
    todo = "Write it as 2025-Q3."
    return Rule("quarter", "with a value that is no quarter", todo, bad, "quarter", Level.ROW, name="no_quarter")


def _target_rules(staged: Staged) -> Iterator[Rule]:
    if staged.has("quarter", "set_on"):
        todo = "A target cannot be set once its quarter is over: leave the old row, and set the next quarter's."
        shown = "concat(kpi, ' ', quarter, ': set on ', set_on)"
        bad = f"COALESCE({_first_day_after('quarter')} <= set_on, FALSE)"
        what = "set after the quarter had ended"
        yield Rule("set_on", what, todo, bad, shown, Level.ERROR, name="target_set_late")
    if staged.has("kpi", "quarter", "target"):
        todo = "Targets are only added to: give a moved target one more row with the day it was moved as its set_on."
        shown = "concat(kpi, ' ', quarter, ': ', target)"
        yield Rule(
            "target",
            "setting again what was set on the same day",
            todo,
            _set_again(staged),
            shown,
            Level.ERROR,
            name="target_set_again",
        )


def _set_again(staged: Staged) -> str:
    """SQL condition: another row sets the same target on the same day."""
    key = ", ".join(named(column) for column in SAME_TARGET if column in staged.columns)
    return f"""rowid IN (SELECT rowid FROM (
        SELECT rowid, row_number() OVER (PARTITION BY {key} ORDER BY target) AS nth FROM {staged.name}
        WHERE kpi IS NOT NULL AND quarter IS NOT NULL) WHERE nth > 1)"""


def _first_day_after(quarter: str) -> str:
    """SQL of the first day after a quarter that is written as 2025-Q3; NULL of what is none."""
    start = f"TRY_CAST(concat(left({quarter}, 4), '-', 3 * TRY_CAST(right({quarter}, 1) AS INTEGER) - 2, '-1') AS DATE)"
    return f"CASE WHEN regexp_full_match({quarter}, '{QUARTER}') THEN CAST({start} + INTERVAL 3 MONTH AS DATE) END"
