"""How long the oldest urgent ticket of an account has been open, as known at a date."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from features.asof.clocks import Clocks
from features.asof.view import day_number
from features.tables.checked import Tables
from features.tables.contract import SEVERE_CODES
from features.tables.sql import one_of
from params import Budget

URGENT_DAYS = "urgent_ticket_open_days"
MEANING = "Days since the oldest high or critical ticket that is still open was opened; 0 if none is open"
_NEEDS = ("opened_at", "severity")


def knows_urgent_tickets(tables: Tables) -> bool:
    """Whether the tables say which tickets are urgent; those that stay in a warehouse are not read."""
    return tables.has("tickets", *_NEEDS) and "tickets" in tables.kept


def urgent_ticket_days(tables: Tables, dates: Sequence[date], budget: Budget) -> pd.DataFrame:
    """The age of the oldest urgent ticket that is open, by account and date.

    A ticket counts from the day after it was opened and became known, until its solution was known too.

    Parameters
    ----------
    tables
        The checked tables; no row comes of those that do not tell.
    dates
        When, in any order.
    budget
        What the engine may use.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `as_of` (datetime64), `urgent_ticket_open_days`; an account without such a ticket has no row.
    """
    if not knows_urgent_tickets(tables):
        return pd.DataFrame({"account_id": [], "as_of": pd.to_datetime([]), URGENT_DAYS: []})
    days = pd.DataFrame({"t": [day_number(day) for day in sorted(set(dates))]})
    parts = []
    for rolled, group in tables.by_hierarchy(dates):
        here = days[days["t"].isin([day_number(day) for day in group])]
        with rolled.connect(budget=budget) as connection:
            connection.register("asked", here)
            parts.append(connection.execute(_query(rolled)).df())
    rows = pd.concat(parts, ignore_index=True)
    as_of = pd.to_datetime(rows["t"], unit="D").astype("datetime64[us]")
    return rows.assign(as_of=as_of)[["account_id", "as_of", URGENT_DAYS]]


def _query(tables: Tables) -> str:
    """Urgent tickets on each date that is asked for."""
    clocks = Clocks(tables)
    opened = clocks.of_event("tickets", "opened_at")
    solved = "FALSE"
    if tables.has("tickets", "resolved_at"):
        closed = clocks.of_event("tickets", "resolved_at")
        solved = f"resolved_at IS NOT NULL AND {closed.counts_after} < t"
    return f"""
        SELECT account_id, t, CAST(MAX(t - {opened.happened}) AS DOUBLE) AS {URGENT_DAYS}
        FROM raw.tickets CROSS JOIN asked
        WHERE opened_at IS NOT NULL AND {one_of("severity", *SEVERE_CODES)}
          AND {opened.counts_after} < t AND NOT ({solved})
        GROUP BY account_id, t"""
