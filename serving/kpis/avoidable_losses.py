"""Whether losses could have been avoided: by whose hands the cause lay in, and whether anything showed before."""

from collections.abc import Collection, Iterable
from typing import Any

Row = dict[str, Any]
UNKNOWN = "unknown"
WARNED, UNWARNED, BEYOND_US = "warned", "unwarned", "beyond us"
KINDS = (WARNED, UNWARNED, BEYOND_US, UNKNOWN)


def avoidability_of(event: Row, beyond_us: Collection[str]) -> str:
    """Which of `KINDS` an account that left is of.

    Parameters
    ----------
    event
        `cause`, and `showed`: the causes of which it showed a sign before; empty or None where it showed none.
    beyond_us
        Causes about which nobody here could have done anything (`losses.beyond_us`).

    Returns
    -------
    str
        `UNKNOWN` where nobody wrote a cause down, `BEYOND_US`; else `WARNED` where a sign of any cause was there
        before, and `UNWARNED` where none was.
    """
    if event["cause"] == UNKNOWN:
        return UNKNOWN
    if event["cause"] in beyond_us:
        return BEYOND_US
    return WARNED if event["showed"] else UNWARNED


def by_avoidability(events: Iterable[Row], beyond_us: Collection[str]) -> list[Row]:
    """Accounts and ARR lost by kind, each of `KINDS` once; `share` is of the ARR lost, None where none was."""
    kinds = [(avoidability_of(event, beyond_us), event["arr"]) for event in events]
    lost = sum(arr for _, arr in kinds)
    rows = []
    for kind in KINDS:
        amounts = [arr for other, arr in kinds if other == kind]
        share = sum(amounts) / lost if lost else None
        rows.append({"kind": kind, "accounts": len(amounts), "arr_lost": round(sum(amounts), 2), "share": share})
    return rows
