"""Accounts rolled up by their parents (`revenue.account_level: parent`): every row counts for the root of its account.

It is done where the checked tables are written, so that whatever reads them knows roots only; where the hierarchy
changed, there is a file of tables for each, and `Tables.at` gives the one for a date. The lines of a root's
accounts are one customer's: what follows a term may be another's of them, so that a merger is no churn. But a line that
overlaps one of another account adds to it, as two of them may use one product: hence `MEMBER`, which tells them apart.
A root that accounts lacks keeps the rows of all its accounts: which of them tells its attributes, being the largest,
depends on what is known at a date, so that the as-of view decides it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.asof.clocks import Clocks
from features.inputs.hierarchy import PARENT, read_hierarchies, warnings_of
from features.inputs.staged import Staged
from features.tables.checked import Tables
from features.tables.contract import MEMBER
from features.tables.problems import Finding
from features.tables.sql import named

ROOTS = "account_roots"  # hierarchy, account_id, root_id, shown: whether this account's attributes are kept


@dataclass(frozen=True)
class RollUp:
    """What is wrong with the hierarchies, what deserves a warning, and until when each but the newest was known."""

    problems: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    last_days: tuple[date, ...] = ()


def plan_roll_up(
    connection: duckdb.DuckDBPyConnection, staged: Mapping[str, Staged], lag_days: Mapping[str, int]
) -> RollUp:
    """Make `account_roots` of staged tables, by what was known when; `lag_days` are those of the tables."""
    accounts, contracts = staged.get("accounts"), staged.get("contracts")
    if accounts is None or not accounts.has("account_id"):
        return RollUp()  # which is a problem of its own
    if not accounts.has(PARENT):
        todo = "Map the column that names an account's parent, or set revenue.account_level: account."
        return RollUp((Finding("accounts", "is missing, and revenue.account_level is parent", todo, PARENT),))
    columns = {name: table.columns for name, table in staged.items()}
    clocks = Clocks(Tables(Path(), columns, lag_days, date.max, "", ""))
    if contracts is None or not contracts.has("account_id", "contract_id", "starts_on", "mrr"):
        return RollUp(tuple(read_hierarchies(connection, clocks, accounts, None)[1]))
    hierarchies, problems = read_hierarchies(connection, clocks, accounts, contracts)
    if problems:
        return RollUp(tuple(problems))
    rows = [(place, *pair) for place, (_, roots) in enumerate(hierarchies) for pair in roots.items()]
    pairs = zip(("hierarchy", "account_id", "root_id"), zip(*rows, strict=True), strict=True)
    connection.register("roots", pa.table(dict(pairs)))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {ROOTS} AS {_with_attributes(accounts)}")
    connection.unregister("roots")
    last_days = tuple(day for day, _ in hierarchies if day is not None)
    return RollUp((), tuple(warnings_of(connection, clocks, staged)), last_days)


def _with_attributes(accounts: Staged) -> str:
    """SELECT of `ROOTS` from `roots`: a root has its own attributes, else those of its accounts."""
    return f"""
        SELECT *, account_id = root_id OR root_id NOT IN (SELECT account_id FROM {accounts.name}
                                                          WHERE account_id IS NOT NULL) AS shown
        FROM roots WHERE account_id IN (SELECT account_id FROM {accounts.name})"""


def rolled_columns(staged: Staged) -> tuple[str, ...]:
    """The columns of a table once it is rolled up."""
    return (*staged.columns, MEMBER) if staged.table.name in ("accounts", "contracts") else staged.columns


def rolled_up(staged: Staged, rows: str, hierarchy: int) -> str:
    """SELECT of the rows of a table, which SELECT `rows` gives, as the rows of the roots of a hierarchy."""
    if not staged.has("account_id"):
        return rows
    cells = {"account_id": "a.root_id AS account_id", MEMBER: f"r.account_id AS {MEMBER}"}
    if staged.table.name == "accounts":
        cells[PARENT] = f"CAST(NULL AS VARCHAR) AS {PARENT}"
    columns = ", ".join(cells.get(column, f"r.{named(column)}") for column in rolled_columns(staged))
    shown = " AND a.shown" if staged.table.name == "accounts" else ""
    roots = f"{ROOTS} a ON a.account_id = r.account_id AND a.hierarchy = {hierarchy}{shown}"
    return f"SELECT {columns} FROM ({rows}) r JOIN {roots}"
