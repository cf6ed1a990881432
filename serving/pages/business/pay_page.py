"""Pay under the plans of the settings, as plain values: what each would have paid, and how much of it is luck."""

from collections.abc import Sequence
from typing import Any

from models.words import counted
from serving.access.tokens import Caller
from serving.desk import business
from serving.pages.formats import DASH, label, money, percent
from serving.pages.views import Row, head
from serving.publication.reader import Published

STEADY = 0.5  # rank correlation of halves, from which on the best are said to stay the best


def pay(published: Published, caller: Caller, asked: str) -> Row:
    """One plan, the one asked for or the first: pay by person, cost, luck, and what the plan says."""
    content = business.pay(published, caller)
    plans = {plan["name"]: plan for plan in content["plans"]}
    plan = plans.get(asked) or next(iter(plans.values()), None)
    return {
        **head(published),
        "title": "Pay",
        "pay": content,
        "plans": list(plans.values()),
        "plan": plan,
        "rows": [] if plan is None else [_row(row) for row in plan["people"]],
        "terms": [] if plan is None else [_terms(one) for one in plan["components"]],
        "figs": [] if plan is None else _figs(plan),
        "answer": _answer(plan, caller),
    }


def _row(row: Row) -> Row:
    change = row["difference"]
    signed = DASH if change is None else f"{change:+,.0f}".replace("-", "−")
    return row | {"of_target": row["pay"] / row["on_target"], "signed": signed}


def _answer(plan: Row | None, caller: Caller) -> str:
    if plan is None:
        return "There is no pay plan to show"
    if plan["lacking"]:
        return f"The plan “{plan['name']}” could not be replayed"
    if caller.csm is not None:
        return _own_answer(plan["people"])
    luck = plan["luck_share"]
    if luck is None:
        return f"Under the plan “{plan['name']}” nobody’s pay differs"
    share = "all" if luck >= 1 else percent(luck, 0)
    return f"Luck alone would make {share} of the differences in pay under the plan “{plan['name']}”"


def _own_answer(people: Sequence[Row]) -> str:
    if not people:
        return "There is no quarter yet that your pay under the plan can be told of"
    own = people[0]
    share, quarters = percent(own["pay"] / own["on_target"], 0), counted(own["quarters"], "quarter")
    return f"Under the plan in force you would have had {share} of target in {quarters}"


def _figs(plan: Row) -> list[tuple[str, str, str]]:
    """Cost, luck, and whether the best stay the best; nothing where those are not a caller's to see."""
    if plan["cost"] is None:
        return []
    steady, luck = plan["steady_ranking"], plan["luck_share"]
    against = "" if plan["compared_cost"] is None else f"{money(plan['compared_cost'])} {_compared_words(plan)}"
    stays = "the best stay the best" if steady is not None and steady >= STEADY else "who is best changes"
    return [
        ("Cost", money(plan["cost"]), against),
        (
            "Differences that luck makes",
            DASH if luck is None else percent(min(luck, 1.0), 0),
            "variance between people",
        ),
        (
            "First half against second",
            DASH if steady is None else f"{steady:.2f}".replace("-", "−"),
            stays if steady is not None else "",
        ),
    ]


def _compared_words(plan: Row) -> str:
    return "was paid" if plan["compared_with"] == "paid" else f"under “{plan['compared_plan']}”"


def _terms(component: Row) -> dict[str, Any]:
    """A component in words."""
    in_points = component["measure"] == "nrr_against_expected"
    ends = {
        name: f"{100 * component[name]:+.1f} points".replace("-", "−") if in_points else percent(component[name])
        for name in ("threshold", "target")
    }
    quarters = component["in_quarters"]
    when = "all" if len(quarters) == 4 else ", ".join(f"Q{number}" for number in quarters)
    return {**component, **ends, "title": label(component["measure"]).replace("Nrr", "NRR"), "when": when}
