"""What is of the whole company, and what of it somebody may know who sees one book: decided here, field by field.

Rows are the book's own wherever lists are read (`serving.publication.reader`). Everything else that an answer holds is
of the whole company unless it is named here: a field that is added is hidden from the role csm until it is.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from serving.access.tokens import Caller

Row = Mapping[str, Any]
OF_THE_PUBLICATION = ("run_id", "as_of", "model_version", "made_at", "currency", "horizon_months", "definition")
# which model, and what it was made from: no figure of its test, no count, and no setting
OF_THE_MODEL = (
    "name", "version", "run_id", "trained_as_of", "trained_at", "data_digest", "data_until", "digest", "commit",
    "has_skill", "horizon_months", "inputs",
)  # fmt: skip
OF_THE_TRACK = ("basis", "currency", "next_known_on", "definitions")
# its categories are those of all accounts
OF_AN_INPUT = ("name", "kind", "unit", "meaning", "least", "most")


def sees_whole(caller: Caller) -> bool:
    """Whether somebody sees all books, and so the company."""
    return caller.csm is None


def publication_for(about: Row, caller: Caller, book_accounts: int | None = None) -> dict[str, Any]:
    """What is published, with the book's own number of accounts for whoever sees one book."""
    whole = ("accounts", "cuts", "red_flag", "notes")
    if caller.csm is None:
        return {name: about[name] for name in (*OF_THE_PUBLICATION, *whole)}
    own: Row = {"accounts": book_accounts, "cuts": {"csm": [caller.csm]}, "red_flag": "", "notes": []}
    return {**{name: about[name] for name in OF_THE_PUBLICATION}, **own}


def notes_for(about: Row, caller: Caller) -> list[str]:
    """Notes that must be read with the figures; they count and name what is in other books."""
    return list(about["notes"]) if sees_whole(caller) else []


def card_for(card: Row, caller: Caller) -> dict[str, Any]:
    """The model card."""
    return {name: value for name, value in card.items() if sees_whole(caller) or name in OF_THE_MODEL}


def inputs_for(inputs: Iterable[Row], caller: Caller) -> list[dict[str, Any]]:
    """The inputs of the model."""
    if sees_whole(caller):
        return [dict(item) for item in inputs]
    return [{name: value for name, value in item.items() if name in OF_AN_INPUT} for item in inputs]


def health_for(about: Row, caller: Caller) -> dict[str, Any]:
    """What goes with the health of accounts; the rule is everybody's, notes are of all tables."""
    return {
        "definition": about["definition"],
        "rule": about["rule"],
        "notes": about["notes"] if sees_whole(caller) else [],
    }


def escalations_for(rows: Iterable[Row], caller: Caller) -> list[dict[str, Any]]:
    """What was passed up: of the own book alone for whoever sees one, without causes, which are of all accounts."""
    if caller.csm is None:
        return [dict(row) for row in rows]
    return [{**row, "causes": []} for row in rows if (row["cut"], row["group"]) == ("csm", caller.csm)]


def losses_for(customers: Row, caller: Caller) -> dict[str, Any]:
    """What goes with the losses: what signs mean and who can avoid what is everybody's, counts are of the company."""
    about: Row = customers.get("losses", {})
    counts = ("departments", "at_risk", "agreement")
    return {
        "definition": about.get("definition", ""),
        "signs": about.get("signs", {}),
        "beyond_us": about.get("beyond_us", []),
        **{name: about.get(name, []) if sees_whole(caller) else [] for name in counts},
    }


def whitespace_for(customers: Row, caller: Caller) -> dict[str, Any]:
    """What goes with what is not owned; sums are of the whole company."""
    about: Row = customers.get("whitespace", {})
    sums = {name: about.get(name, []) if sees_whole(caller) else [] for name in ("totals", "log", "leads")}
    return {"definition": about.get("definition", ""), **sums}


def voice_for(customers: Row, caller: Caller) -> dict[str, Any]:
    """What customers say; nothing of it for whoever sees one book, since scores are of all accounts."""
    empty: Row = {"definition": "", "rows": [], "themes": [], "tickets": []}
    return dict({**empty, **customers.get("voice", {})} if sees_whole(caller) else empty)


def track_for(track: Row, caller: Caller) -> dict[str, Any]:
    """The track record, with the scores of the book alone for whoever sees one book."""
    if caller.csm is None:
        return dict(track)
    told = {name: track[name] for name in OF_THE_TRACK}
    counts: Row = dict.fromkeys(("official", "withdrawn", "scored", "waiting"))
    lists: Row = {name: [] for name in ("answer", "accounts", "misses", "notes")}
    own = [row for row in track["rows"] if (row["cut"], row["value"]) == ("csm", caller.csm)]
    return {**told, **counts, **lists, "rows": own}


def capacity_for(actions: Row, caller: Caller) -> dict[str, Any]:
    """Hours, and what one more would save, with the notes: of the own hours alone for whoever sees one book."""
    if caller.csm is None:
        return {"capacity": list(actions["capacity"]), "notes": list(actions["notes"])}
    return {"capacity": [row for row in actions["capacity"] if row["csm"] == caller.csm], "notes": []}


def kpis_for(kpis: Row, caller: Caller) -> dict[str, Any]:
    """The KPIs: for whoever sees one book the rows of that book, under the definitions that are everybody's."""
    whole = {"months": 0, "definitions": {}, "rows": [], "grid": [], "warnings": [], **kpis}
    if caller.csm is None:
        return whole
    own = [row for row in whole["rows"] if (row["cut"], row["value"]) == ("csm", caller.csm)]
    told = {name: whole[name] for name in ("lacking", "months", "definitions")}
    return {**told, "rows": own, "grid": [], "warnings": []}


def behaviours_for(behaviours: Row, caller: Caller) -> dict[str, Any]:
    """What goes with staying: rows and counts are of all accounts; who is behind is cut to the book by the reader."""
    whole = {"accounts": 0, "definition": "", "rows": [], "behind": [], **behaviours}
    if caller.csm is None:
        return whole
    return {name: whole[name] for name in ("lacking", "definition", "behind")} | {"accounts": 0, "rows": []}


def scorecards_for(scorecards: Row, caller: Caller) -> dict[str, Any]:
    """Books beside what they were expected to do; whoever sees one book sees its own card, and nobody else's."""
    whole = {"definition": "", "notes": [], "rows": [], **scorecards}
    if caller.csm is None:
        return whole
    own = [row for row in whole["rows"] if whole["by"] == "csm" and row["person"] == caller.csm]
    return {name: whole[name] for name in ("lacking", "by", "definition", "notes")} | {"rows": own}


def pay_for(pay: Row, people: Row, caller: Caller) -> dict[str, Any]:
    """Pay under the plans: people's own is theirs to see, and their manager's and leadership's.

    Admins and whoever `people` calls a leader see everybody. A manager sees the own people, and others who see the
    whole company see what all pay together comes to, without names. Whoever sees one book sees the own pay under the
    plan in force: no plan that is being weighed, no sum, nobody else. Who somebody is follows from the token's name.
    """
    whole = {"definition": "", "plans": [], **pay}
    if caller.role == "admin" or caller.name in people.get("leaders", []):
        return whole
    if caller.csm is None:
        seen = {caller.name, *people.get("teams", {}).get(caller.name, [])}
        return whole | {"plans": [{**plan, "people": _of(plan["people"], seen)} for plan in whole["plans"]]}
    told = ("name", "role", "is_in_force", "lacking", *OF_A_PLAN)
    plans = [plan for plan in whole["plans"] if plan["role"] == "csm" and plan["is_in_force"]]
    own = [{**{name: plan[name] for name in told}, "people": _of(plan["people"], {caller.csm})} for plan in plans]
    sums: Row = dict.fromkeys(OF_ALL_PAY)
    return {name: whole[name] for name in ("lacking", "definition")} | {"plans": [{**sums, **plan} for plan in own]}


OF_A_PLAN = ("split", "on_target_pay", "components", "clawback_months", "expansion_credit", "notes", "compared_with",
             "compared_plan")  # fmt: skip
OF_ALL_PAY = ("cost", "luck_share", "compared_cost", "same_ranking", "steady_ranking")


def _of(rows: Iterable[Row], names: Collection[str]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows if row["person"] in names]


def tracking_for(place: str | None, caller: Caller, *, is_path: bool) -> str:
    """Where people open MLflow, which knows of all accounts; a path of this machine is for administrators alone."""
    return (place or "") if caller.role == "admin" or (sees_whole(caller) and not is_path) else ""
