"""The impact review sheet of an account: what may be handed to the customer, and nothing else.

It is built from a list of what the customer knows: its goals, the tasks of both sides, its own use of the product
beside that of customers like it who stayed, and what comes next. No probability, money at risk, health, fit or note.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.revenue.cut_labels import NO_LABEL
from serving.access.tokens import Caller
from serving.publication.reader import Published
from serving.wire.answers import Refused

Row = dict[str, Any]
OWN_WORDS = ("use_case", "impact", "critical_event", "critical_event_on")
USE: Mapping[str, tuple[str, bool]] = {
    "seat_utilisation_28d": ("Seats in use", True),
    "active_users_28d": ("People who use it", False),
    "active_days_28d": ("Days with use", False),
    "features_used_28d": ("Parts of the product in use", False),
}
FEWEST_PEERS = 10
YEAR_DAYS = 365
REACHED, OPEN, OVERDUE = "reached", "open", "overdue"


def impact_sheet(published: Published, account_id: str, caller: Caller) -> Row:
    """The sheet of an account, as plain data.

    Raises
    ------
    Refused
        404: no such account in what the caller sees.
    """
    detail = published.account(account_id, caller.csm)
    if detail is None:
        raise Refused(404, f"There is no account {account_id[:200]!r} among those you see.")
    as_of = str(published.about["as_of"])
    plan = [_state(row, as_of) for row in detail.get("plan", [])]
    return {
        "account_id": detail["account_id"],
        "name": detail["name"],
        "as_of": as_of,
        "own_words": {name: detail["labels"][name].removesuffix(" 00:00:00") for name in OWN_WORDS
                      if detail["labels"].get(name, NO_LABEL) != NO_LABEL},
        "goals": _goals(plan),
        **_use(published.snapshot, account_id),
        "steps": [row for row in plan if row["state"] != REACHED and row["due_on"]],
    }  # fmt: skip


def _state(row: Row, as_of: str) -> Row:
    """A goal or task with its state and, where it is measured, the share of the way that is behind it."""
    state = REACHED if row["reached_on"] else OVERDUE if row["due_on"] and row["due_on"] < as_of else OPEN
    start, target, current = (row[f"{name}_value"] for name in ("baseline", "target", "current"))
    way = None
    if None not in (start, target, current) and target != start:
        way = min(max((current - start) / (target - start), 0.0), 1.0)
    return row | {"state": state, "progress": way}


def _goals(plan: Sequence[Row]) -> list[Row]:
    """The goals, each with its tasks; a task whose goal is not there is with the others under no name."""
    names = [row["goal"] for row in plan if not row["milestone_of"]]
    goals = [row | {"tasks": [task for task in plan if task["milestone_of"] == row["goal"]]} for row in plan
             if not row["milestone_of"]]  # fmt: skip
    loose = [task for task in plan if task["milestone_of"] and task["milestone_of"] not in names]
    return goals + ([{**dict.fromkeys(loose[0]), "goal": "", "tasks": loose}] if loose else [])


def _use(snapshot: pd.DataFrame, account_id: str) -> Row:
    """Its use in the last 28 days beside customers of its segment that stayed a year and pay no less than then.

    How many of those there are is the vendor's own business: only whether there are enough is told.
    """
    account: Row = snapshot.loc[[account_id]].to_dict("records")[0]  # type: ignore[assignment]
    peers = _peers(snapshot, account)
    rows = [
        {"measure": measure, "title": title, "is_share": is_share, "own": float(account[measure]),
         **_usual(peers, measure)}
        for measure, (title, is_share) in USE.items()
        if measure in snapshot and np.isfinite(account[measure])
    ]  # fmt: skip
    return {"has_peers": len(peers) >= FEWEST_PEERS, "use": rows}


def _peers(snapshot: pd.DataFrame, account: Row) -> pd.DataFrame:
    """Nobody where it is not known of which segment an account is, or how long it has stayed."""
    others: pd.DataFrame = snapshot.loc[snapshot["account_id"] != account["account_id"]]
    if not {"segment", "tenure_days", "arr_change_365d"} <= set(snapshot) or pd.isna(account["segment"]):
        return others.head(0)
    has_stayed = (others["tenure_days"] >= YEAR_DAYS) & (others["arr_change_365d"] >= 0)
    peers: pd.DataFrame = others.loc[has_stayed.fillna(value=False) & (others["segment"] == account["segment"])]
    return peers


def _usual(peers: pd.DataFrame, measure: str) -> Row:
    """The median of the others and the ends of their middle half; nothing of fewer than ten."""
    values = peers[measure].dropna()
    if len(values) < FEWEST_PEERS:
        return {"usual": None, "low": None, "high": None}
    low, usual, high = (float(values.quantile(share)) for share in (0.25, 0.5, 0.75))
    return {"usual": usual, "low": low, "high": high}
