"""What happened to each account, as known at a date: activity by month, and the events of its contracts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow as pa

from features.asof.view import AsOf, day_number
from features.revenue.known_lines import load
from features.revenue.paths import add_months
from features.tables import contract
from features.tables.checked import Tables
from params import Budget

SIGNALS: Mapping[str, str] = {
    "usage": "Usage, events",
    "users": "Active users",
    "tickets": "Tickets opened",
    "csm_actions": "CSM actions done",
    "engagement": "Meetings, training and other engagement",
}
DISTINCT = ("users",)  # counts of different people: those of several months must not be added up


def monthly_activity(tables: Tables, *, as_of: date, months: int, budget: Budget) -> pd.DataFrame:
    """How much of each signal an account had in each of the calendar months before a date.

    Parameters
    ----------
    tables
        The checked tables.
    as_of
        Only what was known before this day counts; the month of this day is the last, up to the day before.
    months
        How many calendar months.
    budget
        What the engine may use; the result does not depend on them.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `signal` (one of `SIGNALS`), `month` (its first day) and `amount`; months without are left out.
    """
    asof = AsOf(tables, (as_of,))
    first = add_months(as_of.replace(day=1), 1 - months if as_of.day > 1 else -months)
    selects = _signals(asof)
    if not selects:
        return pd.DataFrame(columns=["account_id", "signal", "month", "amount"])
    parts = [
        f"""SELECT account_id, '{signal}' AS signal, {_MONTH} AS month, CAST({amount} AS DOUBLE) AS amount
            FROM ({events}) e WHERE kv = 1 AND day >= {day_number(first)} GROUP BY account_id, {_MONTH}"""
        for signal, (events, amount) in selects.items()
    ]
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        union = " UNION ALL ".join(parts)
        return connection.execute(f"SELECT * FROM ({union}) ORDER BY account_id, signal, month").df()


def life_events(tables: Tables, *, as_of: date, months: int, budget: Budget) -> pd.DataFrame:
    """People who came and left, answers to surveys, severe tickets, and goals set and reached, as known before a date.

    Of answers and tickets those of so many months before the date; of people and goals all.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `day`, `event` (one of `LIFE_EVENTS`), `what` (role, kind of survey, severity or goal), `side`
        (customer or vendor), `score` and `due`; None where it does not apply or the tables do not say.
    """
    asof = AsOf(tables, (as_of,))
    first = day_number(add_months(as_of, -months))
    parts = [
        f"""SELECT account_id, {_date("day")} AS day, '{event}' AS event, CAST(what AS VARCHAR) AS what,
                   CAST(side AS VARCHAR) AS side, CAST(score AS DOUBLE) AS score, CAST(due AS TIMESTAMP) AS due
            FROM ({_life(asof, event)}) e
            WHERE kv = 1 AND ({first} <= day OR '{LIFE_EVENTS[event].table}' IN ('contacts', 'goals'))"""
        for event, source in LIFE_EVENTS.items()
        if tables.has(source.table, source.day)
    ]
    if not parts:
        return pd.DataFrame(columns=["account_id", "day", "event", "what", "side", "score", "due"])
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        return connection.execute(f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY ALL").df()


@dataclass(frozen=True)
class _Source:
    """Where an event is read: its table and day, and the columns of what is told of it."""

    table: str
    day: str
    what: str
    side: str = ""
    score: str = ""
    due: str = ""
    where: str = "TRUE"


LIFE_EVENTS: Mapping[str, _Source] = {
    "joined": _Source("contacts", "joined_on", "role", "side"),
    "left": _Source("contacts", "left_on", "role", "side"),
    "answered": _Source("surveys", "responded_on", "kind", score="score"),
    "severe ticket": _Source("tickets", "opened_at", "severity", where="severity IN ('high', 'critical')"),
    "goal set": _Source("goals", "set_on", "goal", "owner_side", due="due_on"),
    "goal reached": _Source("goals", "achieved_on", "goal", "owner_side", due="due_on"),
}


def _life(asof: AsOf, event: str) -> str:
    """The rows of an event with what is told of it; a column that the tables lack is empty."""
    source, has = LIFE_EVENTS[event], asof.tables.has
    named = {"what": source.what, "side": source.side, "score": source.score, "due": source.due}
    columns = [
        f"{column if column and has(source.table, column) else 'NULL'} AS {name}" for name, column in named.items()
    ]
    where = source.where if source.where == "TRUE" or has(source.table, source.what) else "FALSE"
    return asof.events(source.table, columns, day=source.day, where=where)


def contract_events(tables: Tables, *, as_of: date, budget: Budget) -> pd.DataFrame:
    """Starts, ends and notices of the contract lines, as known before a date; scheduled ends may lie ahead.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `day`, `event` (starts, ends, ended early, notice given), `product`, `kind`, `mrr` and `currency`
        of the line; None where it does not say.
    """
    asof = AsOf(tables, (as_of,))
    moments = {"starts": "starts", "ended early": "ended", "notice given": "notice"}
    moments["ends"] = "CASE WHEN ended IS NULL THEN ends END"
    parts = [
        f"""SELECT account_id, {_date(day)} AS day, '{event}' AS event, product, kind, currency,
                   mrr_micros / 1000000.0 AS mrr
            FROM ({asof.contracts()}) c WHERE k = 1 AND {day} IS NOT NULL"""
        for event, day in moments.items()
    ]
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        union = " UNION ALL ".join(parts)
        return connection.execute(f"SELECT * FROM ({union}) ORDER BY ALL").df()


def contract_lines(tables: Tables, *, as_of: date, budget: Budget) -> pa.Table:
    """The contract lines as known before a date, of all accounts, as everything that counts ARR reads them.

    Returns
    -------
    pyarrow.Table
        `account_id`, `contract_id`, `product`, `kind`, `buying_center`, `currency`, `status`, `mrr_micros`,
        `list_mrr_micros`, `seats`, `auto_renew`, and as days since 1970-01-01 `starts`, `ends`, `ended` and `notice`.
    """
    asof = AsOf(tables, (as_of,))
    columns = """account_id, contract_id, product, kind, buying_center, currency, status, mrr_micros, list_mrr_micros,
                 seats, auto_renew, starts, ends, ended, notice"""
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        select = f"SELECT {columns} FROM ({asof.contracts()}) c WHERE k = 1 ORDER BY account_id, contract_id"
        return connection.sql(select).to_arrow_table()


def rates_in_force(tables: Tables, *, as_of: date, budget: Budget) -> pa.Table:
    """The exchange rates of a date's month, as known before it: `currency`, `rate`; no row without such a table."""
    if not tables.has("fx_rates"):
        return pa.table({"currency": pa.array([], pa.string()), "rate": pa.array([], pa.float64())})
    asof = AsOf(tables, (as_of,))
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        return connection.sql(f"SELECT currency, rate FROM ({asof.rates()}) r ORDER BY currency").to_arrow_table()


_MONTH = "CAST(date_trunc('month', DATE '1970-01-01' + CAST(day AS INTEGER)) AS TIMESTAMP)"


def _date(day: str) -> str:
    return f"CAST(DATE '1970-01-01' + CAST({day} AS INTEGER) AS TIMESTAMP)"


def _signals(asof: AsOf) -> dict[str, tuple[str, str]]:
    """Of each signal that the tables can give: its events, and what is added up."""
    tables, selects = asof.tables, {}
    if tables.has("usage"):
        scaled = "CAST(ROUND(quantity * 100) AS BIGINT) AS quantity"  # whole, so that no order of rows matters
        selects["usage"] = (asof.events("usage", [scaled]), "SUM(quantity) / 100")
    if tables.has("usage", "user_id"):
        selects["users"] = (asof.events("usage", ["user_id"]), "COUNT(DISTINCT user_id)")
    if tables.has("tickets"):
        selects["tickets"] = (asof.events("tickets"), "COUNT(*)")
    if tables.has("csm_actions"):
        done = contract.TABLES["csm_actions"].happened(tables.columns["csm_actions"])
        selects["csm_actions"] = (asof.events("csm_actions", where=done), "COUNT(*)")
    if tables.has("engagement"):
        selects["engagement"] = (asof.events("engagement"), "COUNT(*)")
    return selects
