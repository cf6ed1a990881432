"""Facts about the business as whoever asks may see them: KPIs, cohorts, behaviours, fit, books, and the model watch."""

from typing import Any, Literal

from serving.access import sight
from serving.access.tokens import Caller
from serving.publication.insight_store import BEHAVIOURS, COHORTS, CUSTOMERS, KPIS, PAY, SCORECARDS, TEAMS
from serving.publication.last_watch import last_watch
from serving.publication.reader import Published
from serving.wire.answers import Refused

Row = dict[str, Any]
Whose = Literal["csm", "seller"]
NOBODY_LOOKED = "Nobody has looked yet: the nightly run does, and so does `holdfast watch`."


def kpis(published: Published, caller: Caller) -> Row:
    """The KPIs: of the whole company and by book, or of the one book that a caller sees."""
    return sight.kpis_for(published.insight(KPIS), caller)


def cohorts(published: Published, caller: Caller) -> Row:
    """What became of accounts by the quarter in which they began.

    Raises
    ------
    Refused
        403: whoever sees one book.
    """
    require_whole(caller, "Cohorts are")
    return {"definition": "", "left_out": 0, "rows": [], "ahead": [], **published.insight(COHORTS)}


def cohort_rows(published: Published, caller: Caller) -> list[Row]:
    """The cells of the triangles as rows of the table `cohort`: actual ones, then the forecast."""
    content = cohorts(published, caller)
    ends = dict.fromkeys(f"{name}_{end}" for name in ("logo_retention", "grr", "nrr") for end in ("low", "high"))
    shared = {"cut": "total", "value": "total", "as_of": published.about["as_of"], "definition": content["definition"]}
    actual = [{**ends, **row, **shared, "kind": "actual"} for row in content["rows"]]
    return [*actual, *({**row, **shared, "kind": "forecast"} for row in content["ahead"])]


def pay(published: Published, caller: Caller) -> Row:
    """Pay under the plans of the settings, as far as it is a caller's to see."""
    return sight.pay_for(published.insight(PAY), published.insight(TEAMS), caller)


def pay_rows(published: Published, caller: Caller) -> list[Row]:
    """The same, a row a plan and person."""
    content = pay(published, caller)
    of_a_plan = ("role", "is_in_force", "compared_with", "luck_share")
    return [
        {**row, **{name: plan[name] for name in of_a_plan}, "plan": plan["name"], "definition": content["definition"],
         "is_in_force": "yes" if plan["is_in_force"] else "no"}
        for plan in content["plans"]
        for row in plan["people"]
    ]  # fmt: skip


def behaviours(published: Published, caller: Caller) -> Row:
    """What goes with staying, and who has not done it yet: for whoever sees one book that of the book alone."""
    content = sight.behaviours_for(published.insight(BEHAVIOURS), caller)
    names = published.named((row["account_id"] for row in content["behind"]), caller.csm)
    behind = [row | names[row["account_id"]] for row in content["behind"] if row["account_id"] in names]
    return content | {"behind": behind}


def ideal_customer(published: Published, caller: Caller) -> Row:
    """Which accounts kept their ARR, by what was known at signing.

    Raises
    ------
    Refused
        403: whoever sees one book.
    """
    require_whole(caller, "The ideal customer is")
    empty: Row = {"definition": "", "note": "", "accounts": 0, "rows": [], "given": [], "sold": []}
    return {**empty, **published.insight(CUSTOMERS)}


def scorecards(published: Published, caller: Caller, by: Whose = "csm") -> Row:
    """Books beside what they were expected to do: all, or a caller's own."""
    return sight.scorecards_for({"by": by, **published.insight(SCORECARDS[by])}, caller)


def watch(published: Published, caller: Caller) -> Row:
    """What the watch of data, inputs and calibration found last.

    Raises
    ------
    Refused
        403: whoever sees one book.
    """
    require_whole(caller, "The model watch is")
    content = last_watch(published.file.parent)
    empty: Row = {"data": [], "inputs": {"rows": [], "moved_share": 0.0}, "calibration": {"charts": [], "months": []},
                  "ladder": {}}  # fmt: skip
    when = {"looked_as_of": content.pop("as_of", ""), "version": content.pop("model_version", "")}
    return {"lacking": "" if content else NOBODY_LOOKED, "verdict": "", "todo": "", **empty, **content, **when}


def require_whole(caller: Caller, what: str) -> None:
    """Refuse whoever sees one book what is of the whole company."""
    if not sight.sees_whole(caller):
        raise Refused(403, f"{what} of the whole company: ask with a token of role revops or admin.")
