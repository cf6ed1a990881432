"""What the team did, missed and planned in a stretch of days, by account and kind, as known at its end."""

from datetime import date

import pandas as pd

from features.actions.action_windows import TABLE, kinds_of
from features.asof.view import AsOf, day_number
from features.tables.checked import Tables
from features.tables.sql import code
from params import Budget

STATUSES = ("done", "missed", "planned")


def action_counts(tables: Tables, level: str, start: date, end: date, budget: Budget) -> pd.DataFrame:
    """How often each kind was done, missed or only planned for each account from `start` to before `end`.

    Parameters
    ----------
    level
        action, process or playbook: the column whose values are the kinds.
    start, end
        Event days; what was known before `end` counts.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `kind` (as it is written), `done`, `missed`, `planned`; no rows where the table has no such
        column, or lies in a warehouse.
    """
    names = kinds_of(tables, level, budget) if TABLE in tables.kept else {}
    if not names:
        return pd.DataFrame({"account_id": [], "kind": [], **dict.fromkeys(STATUSES, pd.Series(dtype="int64"))})
    rolled = tables.at(end)
    rows = AsOf(rolled, (start,)).rows(
        TABLE, [f"{code('status')} AS status", f"{code(level)} AS kind"], where=f"TRIM({level}) <> ''"
    )
    counts = ", ".join(f"COUNT(*) FILTER (e.status = '{status}') AS {status}" for status in STATUSES)
    with rolled.connect(budget=budget) as connection:
        frame = connection.execute(f"""
            SELECT e.account_id, e.kind, {counts} FROM ({rows}) e
            WHERE e.day >= {day_number(start)} AND e.day < {day_number(end)} AND e.known_day < {day_number(end)}
            GROUP BY e.account_id, e.kind ORDER BY e.account_id, e.kind""").df()
    return frame.assign(kind=frame["kind"].map(names)).dropna(subset="kind")
