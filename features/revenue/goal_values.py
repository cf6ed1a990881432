"""The success plan of each account as known at a date: goals and tasks, whose they are, and how far each has come."""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from features.asof.view import AsOf
from features.revenue.known_lines import load
from features.tables.checked import Tables
from params import Budget

_SET: Mapping[str, str] = {
    "milestone_of": "VARCHAR",
    "owner_side": "VARCHAR",
    "metric": "VARCHAR",
    "unit": "VARCHAR",
    "baseline_value": "DOUBLE",
    "target_value": "DOUBLE",
    "due_on": "TIMESTAMP",
}
COLUMNS = ("account_id", "goal", *_SET, "set_on", "reached_on", "current_value", "measured_on")
_BY = ["account_id", "goal"]


def goal_values(tables: Tables, *, as_of: date, budget: Budget) -> pd.DataFrame:
    """Goals and their milestones, of each the newest row, as known before a date.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, by account, due day and goal. `milestone_of` is the goal that a task belongs to; `reached_on`, and
        `current_value` with the day it was measured on, are missing where nobody knew of them yet.
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
    plan = plan.merge(reached.rename(columns={"day": "reached_on"}), on=_BY, how="left")
    plan = plan.merge(measured.rename(columns={"day": "measured_on"}), on=_BY, how="left")
    return plan[list(COLUMNS)].sort_values(["account_id", "due_on", "goal"], ignore_index=True)


def _newest(asof: AsOf, day: str, columns: tuple[str, ...]) -> str:
    """The newest row that has a day, a goal and account; a column or day that the tables lack is empty."""
    has, kinds = asof.tables.has, {**_SET, "current_value": "DOUBLE"}
    told = [f"CAST({name if has('goals', name) else 'NULL'} AS {kinds[name]}) AS {name}" for name in columns]
    rows = asof.events("goals", ["CAST(goal AS VARCHAR) AS goal", *told], day=day if has("goals", day) else "set_on")
    shown = "".join(f", {name}" for name in columns)
    return f"""
        SELECT account_id, goal{shown}, CAST(DATE '1970-01-01' + CAST(day AS INTEGER) AS TIMESTAMP) AS day
        FROM ({rows}) e WHERE kv = 1 AND {"TRUE" if has("goals", day) else "FALSE"}
        QUALIFY row_number() OVER (PARTITION BY account_id, goal ORDER BY day DESC, known_day DESC{shown}) = 1"""
