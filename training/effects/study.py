"""`holdfast effects`: the study from snapshots to a recorded result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from features.actions.action_windows import require_actions
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from features.tables.progress import Progress, silent
from models.effects.action_effect import NOT_KNOWN, ActionEffect
from params import Params
from training.effects.design import make_study
from training.effects.effects_page import render
from training.effects.estimates import effects_of, refusals
from training.tracking.evidence import Evidence, Metric, Page, Table
from training.tracking.runs import RecordedRun, record_evaluation, require_store


@dataclass(frozen=True)
class EffectsResult:
    """The effects of all kinds as of a date, their report, and where they were recorded."""

    as_of: date
    effects: tuple[ActionEffect, ...]
    trials: int
    accounts: int
    first: date
    last: date
    page: str
    record: RecordedRun


def estimate_effects(
    tables: Tables,
    *,
    params: Params,
    first: date | None = None,
    last: date | None = None,
    with_doubleml: bool = False,
    progress: Progress = silent,
) -> EffectsResult:
    """Estimate what each kind of action changes, and record it in MLflow.

    Parameters
    ----------
    tables
        The checked tables.
    params
        The settings.
    first, last
        Trials from the first month start on, and before the last; None = all there are.
    with_doubleml
        Ask DoubleML for the same estimates, beside ours.
    progress
        Told how far it is.

    Raises
    ------
    BadInput
        No actions, kinds that are not there, or none that can be estimated.
    StoreUnreachable
        The tracking store does not answer.
    """
    require_store(params)
    require_actions(tables)
    dates = [day for day in month_starts(tables, params.snapshots) if _within(day, first, last)]
    if not dates:
        raise BadInput([Finding("training data", "no month start lies between --from and --to", "Widen the two")])
    study = make_study(
        tables,
        stored(tables, dates, params=params, progress=progress),  # no name keeps them: the study has its own rows
        known_by=tables.data_until,
        params=params,
    )
    _require_one(refusals(study))
    effects = effects_of(study, params=params, with_doubleml=with_doubleml, progress=progress)
    days = study.frame["as_of"]
    span = days.min().date(), days.max().date()
    about = _about(tables, params, study.frame)
    page = render(effects, about)
    record = record_evaluation(_evidence(effects, page), tables=tables, params=params, name="effects")
    accounts = study.frame["account_id"].nunique()
    return EffectsResult(tables.data_until, effects, len(study.frame), accounts, *span, page, record)


def _within(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or day >= first) and (last is None or day < last)


def _require_one(reasons: Sequence[tuple[str, str]]) -> None:
    """Refuse where no kind can be estimated at all: every reason is named."""
    if all(reason for _, reason in reasons):
        raise BadInput(
            [
                Finding("csm_actions", f"{kind} cannot be estimated: {reason}", "Bring more history of it")
                for kind, reason in reasons
            ]
        )


def _about(tables: Tables, params: Params, frame: pd.DataFrame) -> dict[str, str]:
    """What the report says of itself."""
    days = frame["as_of"]
    return {
        "Data": f"{params.source_name}, until {tables.data_until}, digest {tables.digest}",
        "Trials": f"{len(frame):,} account-months of {frame['account_id'].nunique():,} accounts, "
        f"{days.min().date()} to {days.max().date()}",
        "Rules": ", ".join(f"{name} {value}" for name, value in params.rules.items()),
    }


def _evidence(effects: Sequence[ActionEffect], page: str) -> list[Evidence]:
    """What MLflow keeps: a metric a figure and kind, the table and the report."""
    metrics: list[Evidence] = []
    for effect in effects:
        name = f"{effect.level}.{''.join(sign if sign.isalnum() else '_' for sign in effect.action)}"
        figures: dict[str, Any] = {"logit": effect.logit, "logit_se": effect.logit_se, "points": effect.churn_points}
        metrics += [Metric(f"{name}.{key}", value) for key, value in figures.items() if value is not None]
    known = sum(effect.verdict != NOT_KNOWN for effect in effects)
    table = pd.DataFrame([effect.to_row() for effect in effects])
    return [
        Metric("kinds", len(effects)),
        Metric("kinds_known", known),
        *metrics,
        Table("effects", table),
        Page("report", page),
    ]
