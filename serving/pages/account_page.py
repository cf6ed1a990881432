"""One account: why it stands where it stands, what happened when, who knows whom, and what was agreed."""

from collections import Counter
from collections.abc import Mapping, Sequence

from features.revenue.cut_labels import NO_LABEL
from features.revenue.timelines import DISTINCT, SIGNALS
from features.tables import contract
from models.reasons.groups import BEHAVIOUR, GROUPS
from models.reasons.sentences import TYPICAL
from models.words import counted
from serving.forecast.declared.column import Place
from serving.forecast.declared.output_tables import ACCOUNT_FORECAST
from serving.pages import findings
from serving.pages.formats import day
from serving.pages.views import Row, head, horizons
from serving.publication.gather import RESCORED
from serving.publication.reader import Published

CALL_COLUMNS = {column.name: column for column in contract.TABLES["calls"]}
GROUP_TITLES: Mapping[str, str] = {
    "customer": "What the customer does",
    "team": "What we do",
    "contract": "The contract: calendar, price, size, fit",
}
OUTCOMES = {"churn": "Why it may leave or stay", "expansion": "Why it may grow or not"}
ENOUGH_PEOPLE = 3  # on each side: an account that hangs on fewer is one departure away from nobody
KEY_ROLES = ("champion", "executive_sponsor", "decision_maker")
_COMPARED = (TYPICAL, " as of ", "points: not known:")
_CONTRACT_WORDS = {"starts": "starts", "ends": "term ends", "ended early": "ended early", "notice given": "notice"}


def account(published: Published, detail: Row, calls: Sequence[Row] | None) -> Row:
    """One account, with what people expect of it."""
    months, life = published.about["months"], detail.get("life", [])
    as_of = published.about["as_of"]
    return {
        **head(published),
        "title": detail["name"],
        "account": detail,
        "trend_days": published.about["health"]["rule"]["trend_days"] if published.about.get("health") else None,
        "labels": {name: _plain_label(value) for name, value in detail["labels"].items() if value != NO_LABEL},
        "summary": findings.account_summary(detail, as_of),
        "calls": calls,
        "call_outcomes": CALL_COLUMNS["outcome"].allowed,
        "call_categories": CALL_COLUMNS["category"].allowed,
        "columns": ACCOUNT_FORECAST.laid_out(Place.PAGE),
        "chances": [row for row in detail["horizons"] if row["horizon_months"] in horizons(published)],
        "longest": detail["horizons"][-1],
        "why": [reasons_by_group(detail, outcome, title) for outcome, title in OUTCOMES.items()],
        "months": months,
        "signals": [
            (SIGNALS[name], detail["activity"][name], name not in DISTINCT)
            for name in SIGNALS
            if name in detail["activity"]
        ],
        "timeline": timeline(detail, months, as_of),
        "people": people(life),
        "people_title": people_title(people(life)),
        "goals": goals(life, as_of),
        "moves": published.moves(None, detail["account_id"], None, 0)[1],
        "rescored": [row for row in detail["history"] if row["kind"] == RESCORED],
        "definition": published.about["account_definition"],
    }


def _plain_label(value: str) -> str:
    """A label as people read it: a day without its midnight."""
    return value.removesuffix(" 00:00:00")


def reasons_by_group(detail: Row, outcome: str, title: str) -> Row:
    """The reasons of an outcome by group, each with its sum, so that the points add up in sight."""
    peers = detail["peers"][outcome]
    groups = []
    for group in GROUPS:
        rows = [row for row in detail["drivers"][outcome] if row["group"] == group and _explains(row)]
        total = peers[f"{group}_effect"]
        groups.append(
            {
                "title": GROUP_TITLES[group],
                "total": total,
                "rows": sorted(rows, key=lambda row: row["display_rank"]),
                "rest": total - sum(row["effect"] for row in rows),
            }
        )
    return {"outcome": outcome, "title": title, "peers": peers, "groups": groups}


def _explains(reason: Row) -> bool:
    """Whether what a reason says can explain its points: what either side does tells nothing unless it is unusual.

    The points of what does not are counted among the others of its group.
    """
    text = reason["text"]
    return reason["group"] not in BEHAVIOUR or bool(reason["leads"]) or any(word in text for word in _COMPARED)


def people(life: Sequence[Row]) -> Row:
    """Who is there on each side by role, who came and left last, and how many count: at most 3 of each side."""
    present: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], str] = {}
    for row in life:
        if row["event"] in ("joined", "left"):
            key = (row["side"] or "customer", row["what"] or "person")
            present[key] += 1 if row["event"] == "joined" else -1
            last[key] = f"{row['event']} {day(row['day'])}"
    roles = sorted(last, key=_role_order)
    sides: dict[str, list[Row]] = {
        side: [{"role": held[1], "present": present[held], "last": last[held]} for held in roles if held[0] == side]
        for side in ("customer", "vendor")
    }
    counts = {side: sum(row["present"] for row in rows) for side, rows in sides.items()}
    redundancy = sum(min(max(count, 0), ENOUGH_PEOPLE) for count in counts.values())
    missing = [role for role in KEY_ROLES if last and not present["customer", role]]
    return {"sides": sides, "counts": counts, "redundancy": redundancy, "missing": missing}


def _role_order(held: tuple[str, str]) -> tuple[bool, str]:
    return held[1] not in KEY_ROLES, held[1]


def goals(life: Sequence[Row], as_of: str) -> list[Row]:
    """The success plan's goals and milestones: whose they are, when due, and whether reached, open or overdue."""
    reached = {row["what"]: row["day"] for row in life if row["event"] == "goal reached"}
    plan = []
    for row in life:
        if row["event"] == "goal set":
            done, due = reached.get(row["what"]), row["due"]
            state = "reached" if done else "overdue" if due and due < as_of else "open"
            late = bool(done and due and done > due)
            plan.append({"goal": row["what"], "side": row["side"], "due": due, "done": done, "state": state,
                         "late": late})  # fmt: skip
    order = {"overdue": 0, "open": 1, "reached": 2}
    return sorted(plan, key=lambda row: (order[row["state"]], row["due"] or "9999"))


def timeline(detail: Row, months: Sequence[str], as_of: str) -> Row | None:
    """Lanes of what happened on one axis of time, and the same events as a list; None where nothing is known."""
    if not months:
        return None
    life = detail.get("life", [])
    rescored = [row for row in detail["history"] if row["kind"] == RESCORED]
    lanes = [{"name": "Chance of leaving", "spots": [(row["as_of"], row["churn_probability"]) for row in rescored]}]
    for name in ("users", "usage", "tickets", "csm_actions", "engagement"):
        if name in detail["activity"]:
            amounts = zip(months, detail["activity"][name], strict=True)
            lanes.append({"name": SIGNALS[name].partition(",")[0], "bars": list(amounts)})
    marks = {
        "Surveys": [(r["day"], _answer(r), _mood(r)) for r in life if r["event"] == "answered"],
        "Severe tickets": [(r["day"], f"{r['what']} ticket", "bad") for r in life if r["event"] == "severe ticket"],
        "People": [_person(r) for r in life if r["event"] in ("joined", "left")],
        "Goals": [(r["day"], f"reached: {r['what']}", "good") for r in life if r["event"] == "goal reached"],
        "Contract": [(r["day"], _CONTRACT_WORDS[r["event"]], _term(r)) for r in detail["events"]],
    }
    first = months[0]
    shown = {name: [mark for mark in lane if mark[0] >= first] for name, lane in marks.items()}
    lanes += [{"name": name, "marks": lane} for name, lane in shown.items() if lane]
    events = sorted(((*mark, name) for name, lane in shown.items() for mark in lane), reverse=True)
    return {"lanes": lanes, "first": first, "as_of": as_of, "events": [(d, name, text) for d, text, _, name in events]}


def _answer(row: Row) -> str:
    return f"{str(row['what']).upper()} {row['score']:g}" if row["score"] is not None else str(row["what"]).upper()


_GOOD_FROM = {"nps": (9, 7), "csat": (4, 3), "ces": (6, 4)}  # good from, and not bad from


def _mood(row: Row) -> str:
    good, fair = _GOOD_FROM.get(str(row["what"]), (9, 7))
    if row["score"] is None or fair <= row["score"] < good:
        return "plain"
    return "good" if row["score"] >= good else "bad"


def _person(row: Row) -> tuple[str, str, str]:
    who = ("our " if row["side"] == "vendor" else "") + str(row["what"] or "person").replace("_", " ")
    return row["day"], f"{who} {row['event']}", "good" if row["event"] == "joined" else "bad"


def _term(row: Row) -> str:
    return "bad" if row["event"] in ("ended early", "notice given") else "plain"


def people_title(told: Row) -> str:
    """How far the account hangs on few people."""
    customers, ours = told["counts"]["customer"], told["counts"]["vendor"]
    if customers <= 0:
        return "Nobody of the customer is known"
    return f"{counted(customers, 'person', 'people')} of theirs and {counted(ours, 'person', 'people')} of ours"
