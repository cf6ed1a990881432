"""Rows of certain people: known once both the row and the person are."""

from collections.abc import Sequence

from features.asof.clocks import Clocks
from features.tables.via import Via

PERSON = "hf_person"


def rows_of_people(clocks: Clocks, via: Via, rows: str, columns: Sequence[str]) -> str:
    """SELECT of the rows of an event table that are of the people, with what is read of these.

    Parameters
    ----------
    rows
        SELECT of all its rows: `account_id`, `day`, `known_day`, the columns, and the id of a person as `PERSON`.
    columns
        The columns, as `AsOf.events` takes them.
    """
    names = [item.rpartition(" AS ")[2] for item in columns]
    shown = "".join([*(f", r.{name}" for name in names), *(f", p.{name}" for name in via.names)])
    met = clocks.of_row("contacts").counts_after
    more = "".join(f", {item}" for item in via.more)
    return f"""
        SELECT r.account_id, r.day, GREATEST(r.known_day, p.met_day) AS known_day{shown}
        FROM ({rows}) r
        JOIN (SELECT account_id, {via.column} AS person, MIN({met}) AS met_day{more}
              FROM raw.contacts WHERE {via.column} IS NOT NULL AND {via.where}
              GROUP BY account_id, {via.column}) p ON p.account_id = r.account_id AND p.person = r.{PERSON}"""
