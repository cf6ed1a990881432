"""The holdout as it is told: whether it is on, who is in it, what it costs and can show, and what it showed."""

from datetime import date
from typing import Any

from features.tables.checked import Tables
from params import Params
from params_team import Actions
from serving.actions.followed_up import take_up_on_record
from serving.actions.recommending import Recommendations, known_enrolments, studied_effects
from serving.actions.trial_results import trial_results
from serving.actions.withheld import holdout_plan, quarter_of

OFF, ON, NOT_BEGUN = "off", "on", "not begun"
USUAL_SHARE = 0.1
Row = dict[str, Any]


def with_share(settings: Actions, share: float | None = None) -> Actions:
    """The settings with a share to be withheld: the one given, else theirs, else `USUAL_SHARE`."""
    chosen = share or settings.holdout.share or USUAL_SHARE
    return settings.model_copy(update={"holdout": settings.holdout.model_copy(update={"share": chosen})})


def holdout_told(recommended: Recommendations, tables: Tables, params: Params, as_of: date) -> Row:
    """The holdout of a date's quarter, as it is published: counts and sums, no account.

    Parameters
    ----------
    recommended
        What is recommended at the date, with who is withheld.
    tables
        What accounts and the team did; what was known before `as_of` counts.

    Returns
    -------
    dict
        `status`, `note`, `quarter`, `enrolled` and `withheld` accounts; `plan`, as `withheld.holdout_plan` gives it;
        `results`, as `trial_results.trial_results` gives them.
    """
    trial, studied = recommended.trial, studied_effects(params, as_of)
    settings = with_share(params.actions)
    status = OFF if params.actions.holdout.share == 0 else NOT_BEGUN if trial.note else ON
    return {
        "status": status,
        "note": trial.note,
        "quarter": quarter_of(as_of).isoformat(),
        "enrolled": int(trial.enrolled.sum()),
        "withheld": int(trial.is_withheld.sum()),
        "plan": holdout_plan(recommended.plan, recommended.customers, settings, take_up_on_record(params)),
        "results": trial_results(known_enrolments(params), tables, studied, params=params, as_of=as_of),
    }


def plan_row(content: Row) -> Row:
    """What a holdout would cost and could show, as a row of the table `holdout_plan`."""
    listed = {name: _listed(content[name]) for name in ("excluded", "kinds")}
    return {**content, **listed, "take_up_basis": "assumed" if content["take_up_is_assumed"] else "on record"}


def result_rows(content: Row) -> list[Row]:
    """What a holdout showed, as rows of the table `holdout_result`."""
    return [{**row, "as_of": content["as_of"], "outcome_months": content["outcome_months"]} for row in content["rows"]]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in counts.items())
