"""The quarterly review: what the team's processes were, what changed, what is estimated of them, and what follows."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from features.actions.quarter_counts import action_counts
from features.kpis.account_facts import Window, account_facts
from features.kpis.declared_kpis import direction
from features.kpis.figures import kpis_of
from features.revenue import add_months
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.effects.action_effect import ActionEffect
from models.effects.conclusions import conclusion
from models.words import counted
from params import Params
from serving.actions.planning import Plan
from serving.actions.recommending import open_plan
from serving.forecast.refusals import BadRequest
from serving.forecast.stored_effects import StoredEffects, read_effects
from serving.processes.kept_or_changed import ALL_KINDS, Outlook, Rates, what_follows
from training.tracking.champion import Champion

LEVELS = ("process", "action", "playbook")
MEASURES = (
    *("cadence_kept", "goals_reached", "first_value_by_day_90", "ttfv_median", "survey_response", "decider_response"),
    *("contact_redundancy", "single_threaded", "advocacy"),
)
COVERAGE, RESPONSE = "coverage", "response_hours"
RESPONSE_FEATURE = "response_hours_90d"
MONTHS = 3
Row = dict[str, Any]


def process_review(
    tables: Tables,
    champion: Champion,
    *,
    as_of: date,
    params: Params,
    progress: Progress = silent,
    planned: tuple[Plan, pd.DataFrame] | None = None,
) -> Row:
    """The review of the last whole quarter before a date, against the quarter before it, as plain data.

    Parameters
    ----------
    tables, champion
        The checked tables, and the model whose forecast is what follows if all is kept.
    as_of
        Nothing that became known on this day or later is used.
    planned
        The date's plan and the customers' snapshot rows, where `recommending.open_plan` gave them already.

    Returns
    -------
    dict
        `measures` of the operating model, `processes` with their effects, `follows` for NRR if each were changed.

    Raises
    ------
    BadRequest
        The model cannot be used, or nothing can be planned from what the team did.
    """
    end = _quarter_start(as_of)
    days = (add_months(end, -2 * MONTHS), add_months(end, -MONTHS), end)
    plan, customers = planned or open_plan(tables, champion, as_of=as_of, params=params, progress=progress)
    progress("reviewing the quarter", 0, 1)
    counts = {level: _counted(tables, level, days, params) for level in LEVELS}
    if counts["action"][1].empty:
        raise BadRequest(f"csm_actions holds no action from {days[1]} to {end}: there is nothing to review.")
    stored = read_effects(params.data_dir)
    studied = stored if stored is not None and stored.as_of <= as_of else None
    processes = [row for level in LEVELS for row in _processes(counts[level], level, len(customers), studied)]
    rates = {row["kind"]: _rates(row) for row in processes if row["level"] == "action"}
    measures = (_team(counts["action"], len(customers)), _measures(tables, days[1:], params), _response(customers))
    return {
        **_about(as_of, days, len(customers)),
        "measures": [row for part in measures for row in part],
        "processes": processes,
        **_for_nrr(plan, rates),
        "definition": DEFINITION,
        "notes": list(_notes(studied, rates, plan.kinds.names)),
    }


def _about(as_of: date, days: tuple[date, date, date], customers: int) -> Row:
    before, start, end = (day.isoformat() for day in days)
    quarters = {"quarter": {"from": start, "to": end}, "quarter_before": {"from": before, "to": start}}
    return {"as_of": as_of.isoformat(), **quarters, "customers": customers}


def _for_nrr(plan: Plan, rates: Mapping[str, Rates]) -> Row:
    """NRR if all is kept, and what would follow if it were not."""
    outlook = Outlook(plan.prediction, plan.horizon_months, plan.decay)
    follows = what_follows(outlook, {kind.name: kind for kind in plan.kinds.kinds}, rates)
    return {"nrr": outlook.nrr(), "horizon_months": plan.horizon_months, "follows": follows}


DEFINITION = (
    "NRR is expected ARR at the horizon's end over today's: what is forecast if the team keeps on as it does, since "
    "the model learned while it did. Each row says by how many points it would differ if a kind were stopped, if none "
    "that is due were missed, or if it were done as in the quarter before; the 80 % interval is of the effect alone. "
    "Estimated: the effect was found by a study that stands, and the change is of one a year and account at most."
)


def _quarter_start(day: date) -> date:
    return date(day.year, day.month - (day.month - 1) % MONTHS, 1)


def _counted(
    tables: Tables, level: str, days: tuple[date, date, date], params: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was done by account and kind, in the quarter before and in the quarter."""
    before, now = (action_counts(tables, level, *pair, params.budget) for pair in (days[:2], days[1:]))
    return before, now


def _processes(
    counts: tuple[pd.DataFrame, pd.DataFrame], level: str, customers: int, studied: StoredEffects | None
) -> list[Row]:
    """A row a kind of a level: how often it was done in both quarters, for how many, and its effect."""
    quarters = [_of_kinds(frame, customers) for frame in counts]
    kinds = sorted({*quarters[0], *quarters[1]}, key=lambda kind: (-quarters[1].get(kind, _NONE)["done"], kind))
    return [
        {
            "level": level,
            "kind": kind,
            **quarters[1].get(kind, _NONE),
            "before": quarters[0].get(kind, _NONE),
            **_effect(None if studied is None else studied.of(kind, level)),
        }
        for kind in kinds
    ]


_NONE: Mapping[str, Any] = {"done": 0, "missed": 0, "kept_share": None, "coverage": 0.0, "per_account_month": 0.0}


def _of_kinds(frame: pd.DataFrame, customers: int) -> dict[str, Row]:
    return {
        str(kind): {
            "done": int(part["done"].sum()),
            "missed": int(part["missed"].sum()),
            "kept_share": _share(part["done"].sum(), part["done"].sum() + part["missed"].sum()),
            "coverage": _share((part["done"] > 0).sum(), customers),
            "per_account_month": float(part["done"].sum()) / (customers * MONTHS),
        }
        for kind, part in frame.groupby("kind")
    }


def _share(over: float, under: float) -> float | None:
    return min(float(over) / float(under), 1.0) if under else None


def _effect(studied: ActionEffect | None) -> Row:
    if studied is None:
        return {"verdict": "not studied", "churn_points": None, "low": None, "high": None, "conclusion": ""}
    figures = {name: getattr(studied, name) for name in ("verdict", "churn_points", "low", "high")}
    return {**figures, "conclusion": conclusion(studied)}


def _rates(row: Row) -> Rates:
    now, kept = row["per_account_month"], row["kept_share"]
    return Rates(now, now / kept if kept else now, row["before"]["per_account_month"])


def _team(counts: tuple[pd.DataFrame, pd.DataFrame], customers: int) -> list[Row]:
    """The share of customers for whom anything was done."""
    reached = [_share(frame.loc[frame["done"] > 0, "account_id"].nunique(), customers) for frame in counts]
    meaning = "customers for whom any action was done in the quarter, over today's customers"
    return [_measure(COVERAGE, "share", meaning, reached[1], reached[0], 1)]


def _measures(tables: Tables, ends: Sequence[date], params: Params) -> list[Row]:
    """KPIs of the operating model in both quarters; those that the data do not give are absent."""
    tolerance = params.cadence.tolerance_days
    quarters = []
    for end in ends:
        window = Window(end, MONTHS, tolerance)
        facts = account_facts(tables, window, rules=params.revenue, budget=params.budget)
        quarters.append({kpi.kpi: kpi for kpi in kpis_of(facts, window, "total", "total")})
    before, now = quarters
    figures = {name: quarter.figure for name, quarter in before.items()}
    return [
        _measure(name, kpi.unit, kpi.definition, kpi.figure, figures.get(name), direction(name))
        for name in MEASURES
        if (kpi := now.get(name)) is not None
    ]


def _response(customers: pd.DataFrame) -> list[Row]:
    """The mean of customers' hours until a first answer, as their features tell it today."""
    if RESPONSE_FEATURE not in customers.columns or customers[RESPONSE_FEATURE].notna().sum() == 0:
        return []
    meaning = "hours until a ticket's first answer in the last 90 days: mean over customers with tickets, today"
    return [_measure(RESPONSE, "hours", meaning, float(customers[RESPONSE_FEATURE].mean()), None, -1)]


def _measure(name: str, unit: str, meaning: str, now: float | None, before: float | None, better: int) -> Row:
    now, before = (None if value is None or math.isnan(value) else float(value) for value in (now, before))
    change = None if now is None or before is None else now - before
    went = "" if not change or not better else "better" if change * better > 0 else "worse"
    if now is not None and before is not None and _as_read(now, unit) == _as_read(before, unit):
        went = ""
    figures = {"now": now, "before": before, "change": change, "went": went}
    return {"measure": name, "unit": unit, "definition": meaning, **figures}


def _as_read(value: float, unit: str) -> str:
    """A measure as people read it: one that reads the same did not go anywhere."""
    return f"{value:.1%}" if unit == "share" else f"{value:.1f}"


def _notes(studied: StoredEffects | None, rates: Mapping[str, Rates], kinds: Sequence[str]) -> list[str]:
    notes = []
    if studied is None:
        notes.append("No study of past actions: the sizes of all effects are assumed (`holdfast effects`).")
    if left := sorted(set(rates) - set(kinds)):
        notes.append(f"Done, and not weighed for NRR since actions.kinds does not name them: {', '.join(left)}.")
    return notes


def review_lines(content: Row) -> list[str]:
    """The answer first: the quarter, NRR if all is kept, and the change that matters most."""
    quarter = content["quarter"]
    lines = [
        f"The quarter {quarter['from']} to {quarter['to']}: {counted(content['customers'], 'customer')}. NRR in "
        f"{counted(content['horizon_months'], 'month')} if the team keeps on as it does: {content['nrr']:.1%}."
    ]
    whole = [row for row in content["follows"] if row["kind"] == ALL_KINDS] or content["follows"]
    lines += [f"{_named(row)}: {row['nrr_points']:+.1f} points of NRR {_within(row)}." for row in whole]
    return [*lines, *(f"Note: {note}" for note in content["notes"])]


def _named(row: Row) -> str:
    return f"{'All kinds' if row['kind'] == ALL_KINDS else row['kind']} {row['change']}"


def _within(row: Row) -> str:
    return f"[{row['low']:+.1f}, {row['high']:+.1f}], {row['mark']}"
