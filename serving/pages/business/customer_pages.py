"""What the pages about customers show, as plain values: why revenue was lost, what customers say, what is not owned."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from features.families.catalogue import FEATURES
from models.words import counted
from params_team import comparison_of
from serving.access import sight
from serving.access.tokens import Caller
from serving.desk.customers_desk import (
    ALL,
    BEYOND_US,
    UNKNOWN,
    UNWARNED,
    WARNED,
    LossQuery,
    WhitespaceQuery,
    loss_rows,
    whitespace_rows,
    whitespace_sums,
)
from serving.pages.formats import number, percent, short
from serving.pages.views import Row, head
from serving.publication.reader import Published

MOST_ROWS = 50
CAUSES = {
    "stakeholder": "People on their side",
    "fit": "Poor fit",
    "product": "Product",
    "service": "Our service",
    "value": "No value reached",
    "competitor": "Competitor",
    "price": "Price",
    "insolvency": "Insolvency",
    UNKNOWN: "Not written down",
}
AVOIDABLE = {
    WARNED: ("In our hands, and a sign showed before", "There was time to act."),
    UNWARNED: ("In our hands, and no sign showed", "Look for an earlier sign."),
    BEYOND_US: ("Beyond us", "Nobody here could have done anything."),
    UNKNOWN: ("Nobody wrote the cause down", "Cannot be told: ask whoever had the account."),
}
SURVEYS = {"nps": "NPS", "csat": "Satisfaction (CSAT, 1 to 5)", "ces": "Effort (CES, 1 to 7)"}
Rows = Sequence[Row]
_MEANINGS = {feature.name: feature.meaning for feature in FEATURES}
_OPERATORS = {"<": "below ", "<=": "at most ", ">": "above ", ">=": "at least ", "=": "", "!=": "other than "}


def losses(published: Published, caller: Caller, query: LossQuery) -> Row:
    """Accounts that left, why, whether somebody could have done something, and what customers say beside it."""
    (total, rows), sums = loss_rows(published, query, caller, all_rows=True)
    customers = published.about["customers"]
    about, whole = sight.losses_for(customers, caller), [row for row in sums["causes"] if row["quarter"] == ALL]
    lost = sum(row["arr_lost"] for row in whole)
    every = loss_rows(published, LossQuery(), caller, all_rows=True)[0][1] if _file_query(query) else rows
    return {
        **head(published),
        "title": "Losses",
        "query": query,
        "total": total,
        "lost": lost,
        "rows": rows[:MOST_ROWS],
        "file_query": _file_query(query),
        "causes": whole,
        "quarters": _quarters(sums["causes"]),
        "avoidable": [(*AVOIDABLE[row["kind"]], row) for row in sums["avoidable"]],
        "about": about | {"signs": {cause: sign_words(text) for cause, text in about["signs"].items()}},
        "cause_titles": CAUSES,
        "choices": _choices(every),
        "since": customers.get("losses", {}).get("from", ""),
        "answer": _loss_answer(sums["avoidable"], total, lost),
        "more": _loss_more(whole, lost),
        "voice": _voice(sight.voice_for(customers, caller)),
    }


def _file_query(query: LossQuery | WhitespaceQuery) -> str:
    """What is asked for, for the address of the file that has all of it."""
    fields = query.model_dump(mode="json", exclude_none=True, exclude={"limit", "offset"})
    return f"?{urlencode(fields)}" if fields else ""


def _loss_answer(avoidable: Rows, total: int, lost: float) -> str:
    if not total:
        return "No account left"
    warned = next(row for row in avoidable if row["kind"] == WARNED)
    left = f"{counted(total, 'account')} left with {short(lost)} of ARR"
    if not warned["arr_lost"]:
        return left
    return f"{left}; {percent(warned['share'], 0)} of it was in our hands and showed a sign in time"


def _loss_more(causes: Rows, lost: float) -> str:
    """The causes that weigh most, and how much nobody wrote down."""
    if not lost:
        return ""
    known = [(_cause(row).lower(), row["share"]) for row in causes if row["cause"] != UNKNOWN][:3]
    named = ", ".join(f"{title} ({percent(share, 0)})" for title, share in known)
    unknown = next((row["share"] for row in causes if row["cause"] == UNKNOWN), 0.0)
    most = f"What weighs most: {named}. " if known else ""
    return most + (f"Of {percent(unknown, 0)} of the ARR lost, nobody wrote the cause down." if unknown else "")


def sign_words(conditions: str) -> list[str]:
    """What counts as a sign, as people read it: `champions = 0 or ..` -> `Champions present: 0`."""
    try:
        return [_condition_words(condition) for condition in conditions.split(" or ")] if conditions else []
    except ValueError:  # a value that holds the word: told as it stands in the settings
        return [conditions]


def _condition_words(condition: str) -> str:
    name, operator, value = comparison_of(condition)
    meaning = _MEANINGS.get(name, name)
    if meaning.startswith("Whether") and value in ("0", "1"):
        return f"{meaning}: {'no' if value == '0' else 'yes'}"
    return f"{meaning}: {_OPERATORS.get(operator, operator + ' ')}{value}"


def _cause(row: Row) -> str:
    """What people call a cause."""
    return CAUSES.get(row["cause"], str(row["cause"]))


def _quarters(causes: Rows) -> Rows:
    """The quarters, newest first, each with the cause of most ARR lost."""
    told: dict[str, Row] = {}
    for row in causes:
        if row["quarter"] != ALL:
            sums = told.setdefault(row["quarter"], {"accounts": 0, "arr_lost": 0.0, "most": row})
            sums["accounts"] += row["accounts"]
            sums["arr_lost"] += row["arr_lost"]
    return [{"quarter": quarter, **told[quarter]} for quarter in sorted(told, reverse=True)]


def _choices(rows: Rows) -> dict[str, list[str]]:
    """What can be chosen among losses."""
    names = {"cause": "cause", "department": "owner_department", "quarter": "quarter"}
    return {name: sorted({row[column] for row in rows if row[column]}) for name, column in names.items()}


def _voice(voice: Mapping[str, Any]) -> Row:
    """Scores of all customers and by role, themes that have a name, and tickets."""
    scores = [row for row in voice["rows"] if row["moment"] == ALL and row["n"]]
    themes = [row for row in voice["themes"] if row["theme"] != "not said"]
    kinds = [(kind, title, [row for row in scores if row["kind"] == kind]) for kind, title in SURVEYS.items()]
    whole = {**voice, "themes": sorted(themes, key=lambda row: -row["arr"])[:10]}
    return whole | {"kinds": [kind for kind in kinds if kind[2]]}


def whitespace(published: Published, caller: Caller, query: WhitespaceQuery) -> Row:
    """What customers do not own, and what came of expansions."""
    rows = whitespace_rows(published, query.model_copy(update={"limit": MOST_ROWS, "offset": 0}), caller)[1]
    sums = whitespace_sums(published, query, caller)
    return {
        **head(published),
        "title": "Whitespace",
        "query": query,
        "total": sums["rows"],
        "rows": rows,
        "file_query": _file_query(query),
        "kinds": whitespace_sums(published, WhitespaceQuery(), caller)["kinds"],
        "about": sight.whitespace_for(published.about["customers"], caller),
        "answer": _whitespace_answer(sums),
        "more": _whitespace_more(sums) if rows else "",
    }


def _whitespace_answer(sums: Row) -> str:
    if not sums["rows"]:
        return "Customers own all that customers like them own"
    accounts, worth = counted(sums["accounts"], "customer"), short(sums["worth"])
    if not sums["worth"]:
        return f"{accounts} could own more than they do"
    return f"{accounts} could own more: products worth {worth} of ARR, at the rate at which others like them buy"


def _whitespace_more(sums: Row) -> str:
    """What seats come to, of which there is no such rate."""
    worth = f"Seats they could use and do not pay for come on top: {short(sums['seats'])} of ARR if all were bought."
    return "It is what could be sold, not what will be. " + (worth if sums["seat_rows"] else "")


def sheet(content: Row) -> Row:
    """The impact review sheet, which is for the customer: nothing is added to what it holds but words."""
    shown = [{**row, **_in_words(row)} for row in content["use"]]
    return {"title": f"Impact review: {content['name']}", "sheet": content | {"use": shown}}


def _in_words(row: Row) -> dict[str, str]:
    """The figures of a measure of use with their unit."""
    show = partial(percent, digits=0) if row["is_share"] else number
    middle = "" if row["usual"] is None else f"{show(row['low'])} to {show(row['high'])}"
    return {"own_shown": show(row["own"]), "usual_shown": show(row["usual"]), "middle": middle}
