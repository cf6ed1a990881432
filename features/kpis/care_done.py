"""What the team has done for each account, and the hours its people have: what plans of the weeks ahead start from."""

from datetime import date

import pandas as pd

from features.asof.view import AsOf, day_number
from features.revenue.known_lines import load
from features.tables import contract
from features.tables.checked import Tables
from params import Budget

_DAY = "CAST(DATE '1970-01-01' + CAST({} AS INTEGER) AS TIMESTAMP)"


def last_done(tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    """When each kind of action was last done for each account, as known before a date.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `action`, `done_on`, `times`; no rows where there is no table of actions, or it lies in a
        warehouse.
    """
    if "csm_actions" not in tables.kept:
        return pd.DataFrame(
            {"account_id": [], "action": [], "done_on": pd.to_datetime(pd.Series([], dtype="object")), "times": []}
        )
    asof = AsOf(tables, (as_of,))
    done = contract.TABLES["csm_actions"].happened(tables.columns["csm_actions"])
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        return connection.execute(
            f"""SELECT account_id, action, {_DAY.format("MAX(day)")} AS done_on, COUNT(*) AS times
                FROM ({asof.events("csm_actions", ["action"], where=done)}) e WHERE kv = 1
                GROUP BY account_id, action ORDER BY account_id, action"""
        ).df()


def all_done(tables: Tables, first: date, as_of: date, budget: Budget) -> pd.DataFrame:
    """Each time that an action of a kind was done for an account from a day on, as known before a date.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `action`, `done_on`, a row a day; no rows where `last_done` has none.
    """
    if "csm_actions" not in tables.kept:
        return last_done(tables, as_of, budget)[["account_id", "action", "done_on"]]
    asof = AsOf(tables, (as_of,))
    done = contract.TABLES["csm_actions"].happened(tables.columns["csm_actions"])
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        return connection.execute(
            f"""SELECT DISTINCT account_id, action, {_DAY.format("day")} AS done_on
                FROM ({asof.events("csm_actions", ["action"], where=done)}) e
                WHERE kv = 1 AND day >= {day_number(first)}
                ORDER BY account_id, action, done_on"""
        ).df()


def staff_gone(tables: Tables, as_of: date, budget: Budget) -> set[str]:
    """The names of people who had left by a date."""
    if not tables.has("people", "left_on"):
        return set()
    with tables.at(as_of).connect(budget=budget) as connection:
        rows = connection.execute("SELECT name FROM raw.people WHERE left_on <= $day", {"day": as_of}).fetchall()
    return {name for (name,) in rows}


def staff_hours(tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    """Who is there at a date, and how many hours a month they have for customers.

    Returns
    -------
    pandas.DataFrame
        `name`, `role` and `hours_per_month`, NaN where `people` does not say; no rows where there is no such table.
    """
    if not tables.has("people"):
        return pd.DataFrame({"name": [], "role": [], "hours_per_month": pd.Series([], dtype=float)})
    with tables.at(as_of).connect(budget=budget) as connection:
        return connection.execute(
            """SELECT name, role, CAST(hours_per_month AS DOUBLE) AS hours_per_month
               FROM raw.people
               WHERE (started_on IS NULL OR started_on <= $day) AND (left_on IS NULL OR left_on > $day)
               ORDER BY name""",
            {"day": as_of},
        ).df()


def staff_managers(tables: Tables, as_of: date, budget: Budget) -> dict[str, str]:
    """Who is managed by whom at a date, by name; nobody where `people` does not say."""
    if not tables.has("people", "manager"):
        return {}
    with tables.at(as_of).connect(budget=budget) as connection:
        rows = connection.execute(
            """SELECT name, manager FROM raw.people
               WHERE manager IS NOT NULL AND (started_on IS NULL OR started_on <= $day)
                 AND (left_on IS NULL OR left_on > $day)
               ORDER BY name""",
            {"day": as_of},
        ).fetchall()
    return dict(rows)
