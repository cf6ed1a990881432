"""The tables as they would have been read on a past night: the rows and cells that were known before it, no others.

What works on them works as it would have that night: what they do not hold cannot leak into a model or a label.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from features.asof.clocks import Clocks, day_of
from features.asof.knowledge import finish
from features.asof.view import day_number
from features.tables import contract
from features.tables.checked import Tables, write_table
from features.tables.database import open_duckdb
from features.tables.problems import BadInput, Finding
from features.tables.sql import named, quoted
from params import Budget


def tables_as_known(tables: Tables, night: date, file: Path, *, budget: Budget) -> Tables:
    """Write what was known before a night to a database of its own, and open it.

    Parameters
    ----------
    tables
        The checked tables of today.
    night
        The first day that is not known yet; it is where the data of the result end.
    file
        The DuckDB file to write; there must be none yet.
    budget
        Threads and memory.

    Raises
    ------
    BadInput
        The night lies after the data end, nothing was known by then, or the tables are in a warehouse.
    """
    if tables.warehouse is not None:
        raise _refusal("cannot be read as of a past night in a warehouse", "Replay it from files or DuckDB.")
    if night > tables.data_until:
        raise _refusal(f"end before {tables.data_until}: {night} has not come yet", "Ask for an earlier night.")
    whole = tables.at(night)
    past = replace(
        whole,
        database=file,
        data_until=night,
        digest="",
        fingerprint=f"{tables.fingerprint}@{night.isoformat()}",
    )
    with open_duckdb(budget) as connection:
        connection.execute(f"ATTACH {quoted(str(whole.database))} AS stored (READ_ONLY)")
        connection.execute(f"ATTACH {quoted(str(file))} AS made")
        for name in sorted(past.columns, key=list(contract.TABLES).index):  # accounts first
            write_table(connection, name, past.columns[name], _known(past, name, day_number(night)))
        _require_customers(connection, night)
    with open_duckdb(budget, file) as written:
        return finish(written, past)


def _known(tables: Tables, table: str, night: int) -> str:
    """SELECT of the rows of a stored table that count before a night, cells that were filled in later left empty."""
    clocks, declared = Clocks(tables), contract.TABLES[table]
    happened = rows = f"{clocks.of_row(table).counts_after} < {night}"
    later = [c.name for c in declared if c.filled_later and tables.has(table, c.name)]
    conditions = {name: _told(clocks, table, name, night) for name in later}
    if tables.has(table, declared.opened_by or ""):
        conditions |= dict.fromkeys(declared.answer, happened)
        rows = f"({happened} OR COALESCE({clocks.of_opening(table).counts_after} < {night}, FALSE))"
    cells = [
        f"CASE WHEN {conditions[name]} THEN {named(name)} END AS {named(name)}" if name in conditions else named(name)
        for name in tables.columns[table]
    ]
    return f"SELECT {', '.join(cells)} FROM stored.{table} l WHERE {rows}"


def _told(clocks: Clocks, table: str, column: str, night: int) -> str:
    """Condition: a cell that is filled in later was known before a night."""
    told = f"{clocks.of_cell(table, column).counts_after} < {night}"
    if (table, column) != ("contracts", "ended_on"):
        return told
    # what starts as the line ends, and was known, told the end too
    same_center = (
        "AND COALESCE(n.buying_center, '') = COALESCE(l.buying_center, '')"
        if clocks.tables.has("contracts", "buying_center")
        else ""
    )
    return f"""({told} OR ({day_of("ended_on")} <= {night} AND EXISTS (
        SELECT 1 FROM (SELECT *, {clocks.of_row("contracts").known} AS known_day FROM stored.contracts) n
        WHERE n.account_id = l.account_id {same_center} AND n.starts_on = l.ended_on AND n.known_day < {night})))"""


def _require_customers(connection: duckdb.DuckDBPyConnection, night: date) -> None:
    """Refuse a night on which nothing was known."""
    row = connection.execute("SELECT COUNT(*) FROM made.contracts").fetchone()
    if row is None or row[0] == 0:
        raise _refusal(f"hold no line that was known before {night}", "Ask for a later night.")


def _refusal(what: str, todo: str) -> BadInput:
    return BadInput([Finding("contracts", what, todo)])
