"""Recommendations as plain data and as the terminal shows them."""

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.revenue.cut_labels import NO_LABEL
from models.words import counted
from serving.actions.followed_up import DONE_DAYS, HAPPENED, followed_summary
from serving.actions.recommending import Recommendations
from serving.forecast.declared.acting_tables import DO, NO_HOUR, POOLED, SHOWN
from serving.forecast.declared.column import names_of
from serving.forecast.refusals import BadRequest

if TYPE_CHECKING:
    from rich.table import Table

ROWS_SHOWN = 40
_HOURS_DIGITS = 2


def actions_json(recommended: Recommendations, csm: str | None = None) -> dict[str, Any]:
    """Recommendations as plain data.

    Parameters
    ----------
    recommended
        What is recommended.
    csm
        Only this CSM's book; None = all.

    Returns
    -------
    dict
        `rows`, the plays to do by CSM and rank; `by_pool`, of one book those that take the pool's hours; `others`, the
        accounts that get another answer; `capacity`; notes.

    Raises
    ------
    BadRequest
        The CSM has no account.
    """
    table, capacity = recommended.table, recommended.capacity
    if csm is not None:
        table = table[in_book(table, csm)]
        capacity = capacity[capacity["csm"] == csm]
    rows = plain_rows(table, recommended)
    doing = [row for row in rows if row["answer"] == DO]
    by_pool = [row for row in doing if csm is not None and row["csm"] == POOLED]
    first = recommended.table.iloc[0]
    return {
        "as_of": first["as_of"].date().isoformat(),
        "run_id": first["run_id"],
        "model_version": first["model_version"],
        "currency": recommended.currency,
        "rows": doing if csm is None else [row for row in doing if row["csm"] != POOLED],
        "by_pool": by_pool,
        "others": [row for row in rows if row["answer"] != DO],
        "capacity": capacity.to_dict(orient="records"),
        "notes": list(recommended.notes),
        "definition": first["definition"],
    }


def plain_rows(table: pd.DataFrame, recommended: Recommendations) -> list[dict[str, Any]]:
    """Rows of `recommended_action` with the names of accounts, in the order in which people read them."""
    pool_last = (table["csm"] == POOLED).to_numpy()
    rank = table["rank"].to_numpy()
    order = np.lexsort([table["account_id"].to_numpy(), rank, rank == 0, table["csm"].to_numpy(), pool_last])
    shown = table.iloc[order][names_of(SHOWN)]
    shown = shown.assign(hours=shown["hours"].round(_HOURS_DIGITS))
    per_hour = shown["arr_saved_per_hour"].round(2).astype(object)
    shown = shown.assign(arr_saved_per_hour=per_hour.where(per_hour.notna(), None))
    shown.insert(1, "name", [recommended.names[account] for account in shown["account_id"]])
    return [{str(name): value for name, value in row.items()} for row in shown.to_dict(orient="records")]


def in_book(table: pd.DataFrame, csm: str) -> "pd.Series[bool]":
    """Which rows are of a CSM's book or hours.

    Raises
    ------
    BadRequest
        The CSM has no account.
    """
    books = {*table["book"], *table["csm"]} - {NO_LABEL}
    if csm not in books:
        near = difflib.get_close_matches(csm, sorted(books), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"CSMs with accounts are {', '.join(sorted(books)[:5])}, ..."
        raise BadRequest(f"--csm {csm}: no customer is in such a book, so that there is nothing to recommend. {hint}")
    return (table["csm"] == csm) | (table["book"] == csm)


def actions_lines(content: dict[str, Any]) -> list[str]:
    """The answer first: how many plays, what they take and save; then what must be known."""
    rows, capacity = content["rows"], content["capacity"]
    saved, low, high = (sum(row[name] for row in rows) for name in ("arr_saved", "low", "high"))
    used = sum(row["hours"] for row in rows)
    spent = sum(row["spent"] for row in capacity)
    there = sum(row["hours"] for row in capacity) - spent
    late = sum(row["answer"] == NO_HOUR for row in content["others"])
    lines = [
        f"As of {content['as_of']}: {counted(len(rows), 'play')} in {used:,.0f} of {there:,.0f} hours, "
        f"{sum(bool(row['must_do']) for row in rows):,} of them for accounts that must be tended to.",
        f"Together they are expected to save {content['currency']} {saved:,.0f} of ARR [{low:,.0f}, {high:,.0f}].",
    ]
    if spent:
        lines.append(f"Plays done this month took {spent:,.0f} hours more, which are not offered again.")
    if late:
        lines.append(f"No hour is left for {counted(late, 'account')} that must be tended to.")
    return [*lines, *(f"Note: {note}" for note in content["notes"])]


def actions_table(content: dict[str, Any]) -> "Table":
    """The plays, as many as are shown."""
    from rich.table import Table

    grid = Table()
    for head in ("CSM", "#", "account", "play"):
        grid.add_column(head)
    for head in ("hours", "ARR saved [80 %]"):
        grid.add_column(head, justify="right")
    grid.add_column("why")
    for row in content["rows"][:ROWS_SHOWN]:
        money = f"{row['arr_saved']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]"
        grid.add_row(row["csm"], str(row["rank"]), row["name"], row["action"], f"{row['hours']:.1f}", money, row["why"])
    return grid


def capacity_table(content: dict[str, Any]) -> "Table":
    """Hours by CSM, and what one more would save."""
    from rich.table import Table

    grid = Table()
    grid.add_column("CSM")
    for head in ("accounts", "hours", "spent", "used", "plays", "one more hour saves"):
        grid.add_column(head, justify="right")
    for row in content["capacity"]:
        hours = (f"{row[name]:.0f}" for name in ("hours", "spent", "used"))
        numbers = (f"{row['accounts']:,}", *hours, f"{row[DO]:,}")
        grid.add_row(row["csm"], *numbers, f"{row['shadow_price']:,.0f}")
    return grid


RECORD_NOTE = (
    "What accounts did is no effect of the plays: those that got one were chosen. `holdfast effects` and a holdout "
    "tell effects."
)


def record_json(rows: list[dict[str, Any]], months: int) -> dict[str, Any]:
    """What came of the recommendations on record, as plain data."""
    return {"summary": followed_summary(rows), "outcome_months": months, "rows": rows, "note": RECORD_NOTE}


def record_lines(content: dict[str, Any]) -> list[str]:
    """How many were done and what the accounts did, and that this is no effect."""
    told = content["summary"]
    happened = ", ".join(f"{told[word]:,} {word}" for word in HAPPENED)
    return [
        f"{counted(told['recommended'], 'recommendation')} on record, {told['answered']:,} answered; "
        f"{told['done']:,} of {told['known_whether_done']:,} done within {DONE_DAYS} days.",
        f"Of {told['over']:,} whose {counted(content['outcome_months'], 'month')} have passed: {happened}.",
        content["note"],
    ]


def record_table(content: dict[str, Any]) -> "Table":
    """The newest of them, as many as are shown."""
    from rich.table import Table

    grid = Table()
    for head in ("recommended", "account", "play", "answer", "done on", "account then"):
        grid.add_column(head)
    for row in content["rows"][:ROWS_SHOWN]:
        done = {None: "not known yet", False: "no", True: row["done_on"]}[row["is_done"]]
        came = row["happened"] or "not known yet"
        grid.add_row(row["recommended_on"], row["account_id"], row["action"], row["answer"], done, came)
    return grid
