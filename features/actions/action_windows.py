"""Actions by kind in the month after each snapshot, as known by the end, and before it, as known then."""

from collections.abc import Sequence
from datetime import date

import duckdb
import pandas as pd

from features.asof.view import AsOf, day_number
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from features.tables.sql import code
from params import Budget

TABLE = "csm_actions"
WINDOW_DAYS = 30
HISTORY_DAYS = (30, 90, 365)
LEVELS = ("action", "process", "playbook")


def require_actions(tables: Tables) -> None:
    """Refuse where there is no table of actions, or where it is not kept here.

    Raises
    ------
    BadInput
        The table is absent, or in a warehouse.
    """
    if not tables.has(TABLE):
        todo = "Map the table of what the team did in source.tables.csm_actions"
        raise BadInput([Finding(TABLE, "there is no such table, and the effects are those of its actions", todo)])
    if TABLE not in tables.kept:
        what = "the table lies in a warehouse, where effects cannot read it"
        raise BadInput([Finding(TABLE, what, "Set source.engine: duckdb for this command")])


def kinds_of(tables: Tables, level: str, budget: Budget) -> dict[str, str]:
    """Each kind of a level, as it is written in the data, by its code; the commonest spelling where there are several.

    The commonest kinds come first. Empty where the table has no such column.
    """
    if not tables.has(TABLE, level):
        return {}
    with tables.connect(budget=budget) as connection:
        rows = connection.execute(f"""
            SELECT kind, name, SUM(number) OVER (PARTITION BY kind) AS of_kind FROM (
                SELECT {code(level)} AS kind, TRIM({level}) AS name, COUNT(*) AS number FROM raw.{TABLE}
                WHERE {level} IS NOT NULL AND TRIM({level}) <> '' GROUP BY 1, 2)
            ORDER BY of_kind DESC, kind, number DESC, name""").fetchall()
    names: dict[str, str] = {}
    for kind, name, _ in rows:
        names.setdefault(kind, name)
    return names


def action_windows(
    tables: Tables, dates: Sequence[date], *, level: str, known_by: date, budget: Budget
) -> pd.DataFrame:
    """Actions of each account around each date, a row an account, date and kind that has any.

    Parameters
    ----------
    tables
        The checked tables, with `csm_actions` kept here.
    dates
        The snapshots.
    level
        action, process or playbook.
    known_by
        The windows after the dates hold what was known before this day.

    Returns
    -------
    DataFrame
        `account_id`, `as_of`, `kind` (its code), `done` and `missed` in the 30 days from the date on, `first_day`
        (days from the date to the first done), and what was done in the 30, 90 and 365 days before it and known then:
        `before_30`, `before_90`, `before_365`, with `missed_before` of 90 days.
    """
    frames = []
    for rolled, days in tables.by_hierarchy(dates):
        with rolled.connect(budget=budget) as connection:
            frames.append(_of_days(connection, rolled, days, level, known_by))
    return pd.concat(frames, ignore_index=True)


def _of_days(
    connection: duckdb.DuckDBPyConnection, tables: Tables, days: Sequence[date], level: str, known_by: date
) -> pd.DataFrame:
    calendar = pd.DataFrame({"as_of": pd.to_datetime(list(days)), "t": [day_number(day) for day in days]})
    connection.register("calendar", calendar)
    # the earliest date lets nothing be left out: what each date may see is decided row by row below
    rows = AsOf(tables, (days[0],)).rows(
        TABLE, [f"{code('status')} AS status", f"{code(level)} AS kind"], where=f"TRIM({level}) <> ''"
    )
    before = "e.day < c.t AND e.known_day < c.t"
    after = f"e.day >= c.t AND e.day < c.t + {WINDOW_DAYS} AND e.known_day < {day_number(known_by)}"
    done, missed = "e.status = 'done'", "e.status = 'missed'"
    history = ", ".join(
        f"{_count(f'{done} AND {before} AND e.day >= c.t - {length}')} AS before_{length}" for length in HISTORY_DAYS
    )
    return connection.execute(f"""
        SELECT e.account_id, c.as_of, e.kind, {_count(f"{done} AND {after}")} AS done,
               {_count(f"{missed} AND {after}")} AS missed,
               MIN(CASE WHEN {done} AND {after} THEN e.day - c.t END) AS first_day, {history},
               {_count(f"{missed} AND {before} AND e.day >= c.t - 90")} AS missed_before
        FROM ({rows}) e JOIN calendar c
          ON e.day >= c.t - {max(HISTORY_DAYS)} AND e.day < c.t + {WINDOW_DAYS}
        GROUP BY e.account_id, c.as_of, e.kind ORDER BY c.as_of, e.account_id, e.kind""").df()


def _count(condition: str) -> str:
    return f"CAST(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)"
