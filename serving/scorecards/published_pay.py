"""Pay plans of the settings, replayed for publication: of each role the first is in force, others stand beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.tables.checked import Tables
from params import Params
from serving.forecast.refusals import BadRequest
from serving.scorecards.pay_plan import PlanFile, read_plan
from serving.scorecards.pay_replay import DEFINITION, replay_plan

Row = dict[str, Any]
NO_PLAN = (
    "No pay plan is named in serving.pay_plans: write one as docs/scorecards.md shows, name its file, publish again."
)


def published_pay(tables: Tables, params: Params) -> Row:
    """Each plan of `serving.pay_plans` over the last quarters that can be judged, as plain data.

    Returns
    -------
    dict
        `definition` and `plans`: of each its `name` (the file's, without ending), `role`, whether it `is_in_force`, its
        terms, and what `pay_replay.PayReplay` says; `lacking` says why one could not be replayed.

    Raises
    ------
    BadRequest
        No plan is named.
    """
    if not params.serving.pay_plans:
        raise BadRequest(NO_PLAN)
    return {"definition": DEFINITION, "plans": list(_plans(tables, params))}


def _plans(tables: Tables, params: Params) -> Iterator[Row]:
    """In the order of the settings, each compared with the first of its role; that one, with what was paid."""
    in_force: dict[str, tuple[str, PlanFile]] = {}
    for file in params.serving.pay_plans:
        try:
            plan = read_plan(file)
            name, first = in_force.setdefault(plan.role, (file.stem, plan))
            against = None if first is plan else first
            result = replay_plan(tables, plan, params, params.serving.insight_quarters, against).to_json()
        except BadRequest as refusal:
            yield _empty(file, str(refusal))
            continue
        del result["definition"]
        compared = name if against is not None else ""
        yield {**_empty(file), **_terms(plan), "is_in_force": first is plan, "compared_plan": compared, **result}


def _terms(plan: PlanFile) -> Row:
    """What a plan says, as plain data."""
    said = plan.model_dump(mode="json")
    return {**said, "clawback_months": None if plan.clawback is None else plan.clawback.months}


def _empty(file: Path, lacking: str = "") -> Row:
    nothing = dict.fromkeys(("cost", "luck_share", "compared_cost", "same_ranking", "steady_ranking"))
    words = {"role": "", "split": "", "compared_with": "", "compared_plan": ""}
    lists: Row = {"components": [], "people": [], "notes": []}
    return {"name": file.stem, "lacking": lacking, "is_in_force": False, "on_target_pay": None,
            "clawback_months": None, "expansion_credit": 1.0, **words, **lists, **nothing}  # fmt: skip
