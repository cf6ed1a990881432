"""The success plan of each account as known at a date: goals and tasks, whose they are, and how far each has come."""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from features.asof.view import AsOf
from features.revenue.known_lines import load
from features.tables.checked import Tables
from params import Budget

_SET: Mapping[str, str] = {
    "owner_side": "VARCHAR",
    "metric": "VARCHAR",
    "unit": "VARCHAR",
    "baseline_value": "DOUBLE",
    "target_value": "DOUBLE",
    "due_on": "TIMESTAMP",
}
_BY = ["account_id", "goal", "milestone_of"]  # two goals may have a step of the same name
COLUMNS = (*_BY, *_SET, "set_on", "reached_on", "current_value", "measured_on")


def goal_values(tables: Tables, *, as_of: date, budget: Budget) -> pd.DataFrame:
    """Goals and their milestones, of each the newest row, as known before a date.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, by account, due day and goal. `milestone_of` is the goal that a task belongs to; `reached_on`, and
        `current_value` with the day it was measured on, are missing where nobody knew of them yet, or
        they are of a time before the goal was set anew.
    """
    if not (tables.has("goals", "set_on") and tables.has("goals", "goal")):
        return pd.DataFrame(columns=list(COLUMNS))
    asof = AsOf(tables, (as_of,))
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        plan, reached, measured = (
            connection.execute(_newest(asof, *what)).df()
            for what in (("set_on", tuple(_SET)), ("achieved_on", ()), ("updated_on", ("current_value",)))
        )
    plan = plan.rename(columns={"day": "set_on"})
    plan = _since_set(plan, reached.rename(columns={"day": "reached_on"}), "reached_on")
    plan = _since_set(plan, measured.rename(columns={"day": "measured_on"}), "measured_on")
    return plan[list(COLUMNS)].sort_values(["account_id", "due_on", "goal", "milestone_of"], ignore_index=True)


def _since_set(plan: pd.DataFrame, later: pd.DataFrame, day: str) -> pd.DataFrame:
    """The plan with what became of each goal from the day on which it was set last."""
    whole = plan.merge(later, on=_BY, how="left")
    columns = [str(name) for name in later if name not in _BY]
    return whole.assign(**{name: whole[name].where(whole[day] >= whole["set_on"]) for name in columns})


def _newest(asof: AsOf, day: str, columns: tuple[str, ...]) -> str:
    """The newest row that has a day, a goal and account; a column or day that the tables lack is empty."""
    has, kinds = asof.tables.has, {**_SET, "milestone_of": "VARCHAR", "current_value": "DOUBLE"}
    names = ("milestone_of", *columns)
    cells = [f"CAST({name if has('goals', name) else 'NULL'} AS {kinds[name]}) AS {name}" for name in names]
    rows = asof.events("goals", ["CAST(goal AS VARCHAR) AS goal", *cells], day=day if has("goals", day) else "set_on")
    listed = "".join(f", {name}" for name in names)
    return f"""
        SELECT account_id, goal{listed}, CAST(DATE '1970-01-01' + CAST(day AS INTEGER) AS TIMESTAMP) AS day
        FROM ({rows}) e WHERE kv = 1 AND {"TRUE" if has("goals", day) else "FALSE"}
        QUALIFY row_number() OVER (PARTITION BY {", ".join(_BY)} ORDER BY day DESC, known_day DESC{listed}) = 1"""
