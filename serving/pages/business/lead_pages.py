"""What leadership decides by, as plain values: what was passed up to it, and the review of accounts at risk."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.words import counted
from serving.access.tokens import Caller
from serving.desk.escalation_desk import EXPECTED_LOSS_ROSE, LOST_BEYOND_LUCK, NOTHING, OPEN, SHARED_CAUSE, TOTAL, WORDS
from serving.pages.formats import DASH, label, money, percent, points, short
from serving.pages.views import Row, head
from serving.publication.reader import Published

ROWS_A_PAGE = 50
UNREADABLE = "The record cannot be read just now"
DEPARTMENTS = ("csm", "seller", "manager", "onboarding", "support", "product", "leader")
OUTCOMES = {"kept": "Stayed, with no less ARR", "kept with less": "Stayed with less", "left": "Left"}
MEANINGS = {
    "arr_at_risk_share": "ARR times churn probability over the longest horizon, as a share of all ARR.",
    "arr_at_risk": "ARR times churn probability over the longest horizon.",
    "accounts": "Accounts whose churn probability over the longest horizon makes them likely to leave.",
    LOST_BEYOND_LUCK: "What was lost or is under notice since the quarter began, as a share of its ARR. The limit is "
    "what luck explains in 19 of 20 quarters, by the forecast of the quarter’s first day.",
    EXPECTED_LOSS_ROSE: "Nothing is lost yet. Expected loss is ARR times churn probability over the longest horizon, "
    "as a share of all ARR; what is shown is its rise since the month began. In 19 of 20 months it rises by less than "
    "the limit, by the forecasts that were published then.",
    SHARED_CAUSE: "Accounts whose risk rose have this in common more often than chance explains, in standard "
    "deviations.",
}
Rows = Sequence[dict[str, Any]]


def escalations(published: Published, rows: Rows | None, number: int = 1) -> Row:
    """A page of what stands before leadership; None where the record cannot be read."""
    some, place = _part(rows or (), number)
    shown = [row | {"name": _name(row), "meaning": MEANINGS[row["what"]], **_figures(row)} for row in some]
    return {
        **head(published),
        "title": "Escalations",
        "rows": None if rows is None else shown,
        **place,
        "answer": UNREADABLE if rows is None else _escalation_answer(rows),
    }


def _part(rows: Rows, number: int) -> tuple[Rows, Row]:
    """The rows of a page, the last one where there are not so many, and which of how many pages it is."""
    pages = max(1, -(-len(rows) // ROWS_A_PAGE))
    number = min(max(1, number), pages)
    return rows[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE], {"page_number": number, "pages": pages}


def _escalation_answer(rows: Rows) -> str:
    if not rows:
        return "Nothing stands before leadership"
    waiting = sum(row["status"] == OPEN for row in rows)
    stand = f"{counted(len(rows), 'escalation')} stand{'s' if len(rows) == 1 else ''}"
    if not waiting:
        return f"{stand}, and somebody has taken up {'it' if len(rows) == 1 else 'each'}"
    if waiting == len(rows):
        return f"{stand}, and nobody has taken {'it' if len(rows) == 1 else 'any of them'} up"
    return f"{stand}, and nobody has taken up {waiting} of them"


def _name(row: Row) -> str:
    """What it is about, in words."""
    title = WORDS[row["what"]].title
    if row["what"] == SHARED_CAUSE:
        return f"{title}: {row['group']}"
    return title if row["cut"] == TOTAL else f"{title} in {label(row['cut']).lower()} {row['group']}"


def _figures(row: Row) -> dict[str, str]:
    """The value and its limit with their unit."""
    return {f"{name}_shown": _figure(row["what"], row[name]) for name in ("value", "limit")}


def _figure(what: str, value: float) -> str:
    if what == SHARED_CAUSE:
        return f"{value:.1f}"
    if what == EXPECTED_LOSS_ROSE:
        return f"{points(value)} points of ARR"
    return percent(value) if what.endswith("_share") else money(value)


def review(
    published: Published, content: Mapping[str, Rows] | None, csm: str | None, caller: Caller, number: int = 1
) -> Row:
    """A page of the accounts at risk with what comes next; None where the record cannot be read."""
    rows = [] if content is None else content["rows"]
    shown, place = _part(rows, number)
    at_risk = sum(row["arr_at_risk"] for row in rows)
    return {
        **head(published),
        "title": "At-risk review",
        "readable": content is not None,
        "rows": shown,
        **place,
        "total": len(rows),
        "at_risk": at_risk,
        "overdue": sum(row["overdue"] for row in rows),
        "undecided": sum(row["state"] == NOTHING for row in rows),
        "outcomes": [] if content is None else content["outcomes"],
        "outcome_words": OUTCOMES,
        "departments": DEPARTMENTS,
        "csm": csm,
        "csms": [] if caller.csm is not None else published.labels("csm", None),
        "answer": UNREADABLE if content is None else _review_answer(rows, at_risk),
        "dash": DASH,
    }


def _review_answer(rows: Rows, at_risk: float) -> str:
    if not rows:
        return "No account is at risk"
    undecided = sum(row["state"] == NOTHING for row in rows)
    stake = f"{counted(len(rows), 'account')} on the list, with {short(at_risk)} of ARR at risk"
    return stake + (f"; for {undecided} of them nothing is decided or proposed" if undecided else "")
