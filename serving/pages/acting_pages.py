"""What acting rests on: what past actions changed, and what the team's processes were in the quarter."""

from collections.abc import Sequence

from models.effects.action_effect import GOOD, NOT_KNOWN
from models.words import counted
from params import Params
from serving.access.tokens import Caller
from serving.desk.acting import known_effects, known_holdout, quarterly_review
from serving.pages.business.kpi_words import kpi_title
from serving.pages.formats import DASH, MINUS, label, percent, short
from serving.pages.views import Row, head
from serving.publication.reader import Published

NOTHING_KNOWN = "What actions change is not known yet"
ALL_KINDS = "(all)"  # as the review names them together


def effects(published: Published, caller: Caller) -> Row:
    """What past actions changed by level of kinds, and how many effects stand."""
    content = known_effects(published, caller)
    levels: dict[str, list[Row]] = {}
    for row in content["rows"]:
        levels.setdefault(row["level"], []).append(row)
    standing = sum(row["evidence"] == GOOD for row in content["rows"])
    total = counted(len(content["rows"]), "kind")
    have = "has" if standing == 1 else "have"
    answer = f"{standing} of {total} of actions {have} an effect that stands" if standing else NOTHING_KNOWN
    answer += f": {total} were studied" if content["rows"] and not standing else ""
    most = max((abs(row["churn_points"]) for row in content["rows"] if row["churn_points"] is not None), default=0.0)
    untold = [row["action"] for row in content["rows"] if row["verdict"] == NOT_KNOWN and row["logit"] is not None]
    told = {"title": "What actions change", "levels": levels, "answer": answer, "most": most, "untold": untold}
    return {**head(published), **content, **told}


def process(published: Published, caller: Caller) -> Row:
    """The quarterly review: how the quarter went, what would follow if it were otherwise, and what was done."""
    content = quarterly_review(published, caller)
    levels: dict[str, list[Row]] = {}
    for row in content["processes"]:
        levels.setdefault(row["level"], []).append(row)
    ahead = counted(content["horizon_months"], "month")
    return {
        **head(published),
        **content,
        "title": "Quarterly review",
        "levels": levels,
        "measures": [row | {"title": kpi_title(row["measure"])} for row in content["measures"]],
        "went": _went(content["measures"]),
        "kinds": _by_kind(content["follows"]),
        "changes": list(dict.fromkeys(row["change"] for row in content["follows"])),
        "answer": f"NRR in {ahead}: {percent(content['nrr'])} if the team keeps on as it does",
        "more": _all_together(content["follows"]),
    }


def _went(measures: Sequence[Row]) -> str:
    """How many measures went which way."""
    better, worse = (sum(row["went"] == way for row in measures) for way in ("better", "worse"))
    return f"The team’s quarter: {better} of {counted(len(measures), 'measure')} went better, {worse} went worse"


def _by_kind(follows: Sequence[Row]) -> list[tuple[str, dict[str, Row], str]]:
    """Each kind, all together last, with what would follow by change, and whether the size was estimated."""
    kinds: dict[str, dict[str, Row]] = {}
    for row in follows:
        kinds.setdefault(row["kind"], {})[row["change"]] = row
    order = sorted(kinds, key=lambda kind: kind == ALL_KINDS)
    titles = {ALL_KINDS: "All of them together"}
    return [(titles.get(kind, label(kind)), kinds[kind], next(iter(kinds[kind].values()))["mark"]) for kind in order]


def _all_together(follows: Sequence[Row]) -> str:
    """What all kinds together would come to, each way that it could be otherwise."""
    whole = [row for row in follows if row["kind"] == ALL_KINDS]
    said = [f"if {row['change']}, {row['nrr_points']:+.1f}".replace("-", MINUS) for row in whole]
    return f"All kinds of action together, in points of NRR: {'; '.join(said)}." if said else ""


def holdout(published: Published, caller: Caller, params: Params) -> Row:
    """The holdout: whether it is on, what it costs and can show, who is in it, and what it showed."""
    content = known_holdout(published, caller, params)
    plan = content["plan"]
    return {
        **head(published),
        "title": "Holdout",
        "holdout": content,
        "answer": _holdout_answer(content),
        "figs": [] if plan is None else _holdout_figs(plan),
        "verdict_of_size": "" if plan is None else _can_it_tell(plan),
        "kinds": _kinds_by_arm(content["assignments"]),
    }


def _holdout_answer(content: Row) -> str:
    if content["lacking"]:
        return "There is no holdout to show"
    if content["status"] == "off":
        return "No recommendation is withheld: the holdout is off"
    if content["status"] == "not begun":
        return "The holdout has not begun: more ARR is at stake than was accepted"
    enrolled = counted(content["enrolled"], "account")
    return f"{content['withheld']:,} of {enrolled} in the holdout go without a recommendation this quarter"


def _holdout_figs(plan: Row) -> list[tuple[str, str, str]]:
    """What must be known before it is switched on: a name, a value and a note each."""
    least = plan["detectable_points"]
    stake = f"{short(plan['arr_at_stake_low'])} to {short(plan['arr_at_stake_high'])}, 80 %"
    months = counted(plan["outcome_months"], "month")
    expected = plan["expected_points"]
    return [
        ("Accounts that may be in it", f"{plan['eligible']:,}", f"{short(plan['arr_eligible'])} of ARR"),
        ("Of them withheld", f"{plan['withheld']:,}", f"a share of {percent(plan['share'], 0)}"),
        ("ARR at stake a quarter, at most", short(plan["arr_at_stake"]), stake),
        (
            "Smallest effect that it shows",
            DASH if least is None else f"{least:.1f} points",
            f"of churn within {months}, in 4 of 5 cases",
        ),
        (
            "Effect that is expected",
            DASH if expected is None else f"{expected:+.1f} points".replace("-", MINUS),
            "of churn, of the plays of these accounts",
        ),
    ]


def _can_it_tell(plan: Row) -> str:
    """Whether so small a trial can see an effect of the size that is expected."""
    least, expected = plan["detectable_points"], plan["expected_points"]
    if least is None or expected is None:
        return "Too few accounts lie near the cut of the hours: a holdout would show nothing."
    if least > abs(expected):
        return (
            f"It is too small to tell: the effect would have to be {least / max(abs(expected), 1e-9):.0f} times the "
            "one expected. It can only rule out very large effects, for better or worse."
        )
    return "It is large enough to see the effect that is expected."


def _kinds_by_arm(assignments: Sequence[Row]) -> list[tuple[str, int, int]]:
    """Each kind of play, with how many accounts are offered it and how many are withheld."""
    kinds = sorted({row["action"] for row in assignments})
    arms = {kind: [row["is_withheld"] for row in assignments if row["action"] == kind] for kind in kinds}
    return [(label(kind), arm.count(False), arm.count(True)) for kind, arm in arms.items()]
