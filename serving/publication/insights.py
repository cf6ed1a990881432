"""Facts about the business as they are published: KPIs, cohorts, behaviours, fit, and books against expected."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

from features.kpis.care_done import staff_hours, staff_managers
from features.tables.checked import Tables
from features.tables.problems import BadInput
from features.tables.progress import Progress, silent
from params import Params
from serving.forecast.refusals import BadRequest
from serving.forecast.spread.scoring import predict
from serving.kpis.behaviour_report import StayingReports
from serving.kpis.cohort_report import AHEAD, Completion, cohort_report
from serving.kpis.cohorts_ahead import WORDS, completion_by
from serving.kpis.kpi_report import kpi_report
from serving.publication.gather import customers_at
from serving.publication.insight_store import (
    BEHAVIOURS,
    COHORTS,
    CUSTOMERS,
    KPIS,
    PAY,
    SCORECARDS,
    TEAMS,
    lacking,
)
from serving.scorecards.published_pay import published_pay
from serving.scorecards.report import scorecard_report
from training.tracking.champion import Champion

Row = dict[str, Any]
BOOK, LEADER = "csm", "leader"
_OF_A_KPI = ("kpi", "cut", "value", "as_of", "figure", "n", "unit", "note", "target", "first_target", "reached")
_OF_A_COHORT = ("cohort", "age_quarters", "accounts", "starting_arr", "logo_retention", "grr", "nrr")
_OF_ONE_BEHIND = ("account_id", "behaviour", "by_day", "users")


def gather_insights(
    tables: Tables,
    as_of: date,
    params: Params,
    progress: Progress = silent,
    *,
    staying: StayingReports | None = None,
    champion: Champion | None = None,
) -> dict[str, Row]:
    """Work out what is published of the business beside the forecast.

    Parameters
    ----------
    tables
        The checked tables.
    as_of
        From what was known before that day.
    params
        All settings; `serving.insight_quarters` says over how many past quarters KPIs and books are told.
    progress
        Told how far the work is.
    staying
        What goes with staying, at the same date, where others tell of it too.
    champion
        The model that forecasts the cells of cohorts that are to come; None leaves them out.

    Returns
    -------
    dict
        One for each of `insight_store.INSIGHTS`, as plain data; `lacking` says why there is nothing, if so.
    """
    staying = staying or StayingReports(tables, as_of, params)
    makers: Mapping[str, Callable[[], Row]] = {
        KPIS: partial(_kpis, tables, as_of, params),
        COHORTS: partial(_cohorts, tables, as_of, params, champion),
        BEHAVIOURS: partial(_behaviours, staying),
        CUSTOMERS: partial(_ideal_customer, staying),
        TEAMS: partial(_teams, tables, as_of, params),
        PAY: lambda: published_pay(tables, params),
        **{name: partial(_scorecards, tables, role, params) for role, name in SCORECARDS.items()},
    }
    told = {}
    for place, (name, make) in enumerate(makers.items()):
        progress("facts about the business", place, len(makers))
        told[name] = _whole_or_why(make)
    return told


def _whole_or_why(make: Callable[[], Row]) -> Row:
    """What a report says; that it cannot be made stops no publication."""
    try:
        return {"lacking": "", **make()}
    except (BadInput, BadRequest) as refusal:
        return lacking(" ".join(str(refusal).split()))


def _kpis(tables: Tables, as_of: date, params: Params) -> Row:
    """By book where accounts have one: a definition once, and not with each of its rows."""
    by = BOOK if BOOK in tables.attribute_columns else None
    report = kpi_report(tables, as_of=as_of, params=params, by=by, quarters=params.serving.insight_quarters).to_json()
    newest = [row for row in report["rows"] if row["as_of"] == report["as_of"]]
    rows = [{name: row[name] for name in _OF_A_KPI} for row in report["rows"]]
    return {**report, "definitions": {row["kpi"]: row["definition"] for row in newest}, "rows": rows}


def _cohorts(tables: Tables, as_of: date, params: Params, champion: Champion | None) -> Row:
    """The triangles and, where there is a model, the cells that the next twelve months fill."""
    completion = None if champion is None else _completion(tables, champion, as_of, params)
    words = "" if completion is None else WORDS.format(as_of=as_of)
    report = cohort_report(tables, as_of=as_of, params=params, completion=completion, completed_by=words).to_json()
    del report["triangles"]
    kept = {"rows": _OF_A_COHORT, "ahead": (*_OF_A_COHORT, *AHEAD[3:])}
    return {
        **report,
        **{name: [{key: row[key] for key in keys} for row in report[name]] for name, keys in kept.items()},
    }


def _completion(tables: Tables, champion: Champion, as_of: date, params: Params) -> Completion:
    customers = customers_at(tables, as_of, params)
    ids, prediction = customers["account_id"], predict(champion, customers)
    months = champion.model.horizon_months
    return completion_by(ids, prediction, as_of=as_of, horizon_months=months, params=params)


def _teams(tables: Tables, as_of: date, params: Params) -> Row:
    """Each manager's people, at the forecast's date."""
    teams: dict[str, list[str]] = {}
    for name, manager in staff_managers(tables, as_of, params.budget).items():
        teams.setdefault(manager, []).append(name)
    staff = staff_hours(tables, as_of, params.budget)
    return {"teams": teams, "leaders": staff.loc[staff["role"] == LEADER, "name"].tolist()}


def _scorecards(tables: Tables, role: str, params: Params) -> Row:
    return scorecard_report(tables, role, params, params.serving.insight_quarters).to_json()


def _ideal_customer(staying: StayingReports) -> Row:
    """Without the accounts of which judgement and data disagree: the command lists them."""
    return {name: told for name, told in staying.ideal_customer.items() if name != "disagreements"}


def _behaviours(staying: StayingReports) -> Row:
    """Who is behind is told by id: names stand once in a publication."""
    report = staying.behaviours
    return {**report, "behind": [{name: row[name] for name in _OF_ONE_BEHIND} for row in report["behind"]]}
