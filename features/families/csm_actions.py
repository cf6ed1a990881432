"""CSM actions: what the team did, by process, planned against delivered, and the goals reached with it."""

from functools import partial

from features.families.feature import ANY, Feature
from features.families.kinds import (
    Value,
    balance,
    days_since,
    distinct,
    flag_of,
    needing,
    ratio,
    running,
    share,
    value,
    windowed_sum,
)
from features.families.parts import Measure, Stream
from features.tables.sql import code, flag, later_of

PROCESSES = ("onboarding", "expansion", "retention", "success_plan", "advocacy")
YEAR = 365

ACTIONS = Stream(
    "csm",
    "csm_actions",
    needs=("csm_actions.acted_on",),
    columns=(
        f"{code('status')} AS status",
        f"{code('process')} AS process",
        f"{code('playbook')} AS playbook",
        "CAST(acted_on AS DATE) - CAST(planned_on AS DATE) AS days_late",
    ),
    active="status = 'done'",
    few="playbook",
)
DONE = Measure(ACTIONS, "done", flag("status = 'done'"))
MISSED = Measure(ACTIONS, "missed", flag("status = 'missed'"))
PLANNED = Measure(ACTIONS, "planned", flag("status = 'done' AND days_late IS NOT NULL"))
LATE = Measure(ACTIONS, "late", "CASE WHEN status = 'done' THEN COALESCE(days_late, 0) ELSE 0 END")
ON_TIME = Measure(ACTIONS, "on_time", flag("status = 'done' AND days_late <= 0"))

WHOLE = "milestone_of IS NULL"  # a goal, and no milestone on the way to one
REACHED = Stream(
    "goals_reached",
    "goals",
    needs=("goals.achieved_on",),
    columns=("horizon", "due_on", "achieved_on"),
    day="achieved_on",
    where=WHOLE,
)
AGREED = Stream("goals_agreed", "goals", needs=("goals.set_on",), where=WHOLE)
# A goal turns overdue on its due day, unless reached before, and stops being so on the day it is reached.
DUE = Stream("goals_due", "goals", needs=("goals.due_on",), day="due_on", where=WHOLE)
MADE_UP = Stream(
    "goals_made_up",
    "goals",
    needs=("goals.achieved_on",),
    day=later_of("due_on", "achieved_on"),
    where=f"due_on IS NOT NULL AND achieved_on IS NOT NULL AND {WHOLE}",
)


def _by_process(process: str) -> Measure:
    return Measure(ACTIONS, process, flag(f"status = 'done' AND process = '{process}'"))


def _since_process(process: str) -> Value:
    where = f"status = 'done' AND process = '{process}'"
    return needing(days_since(ACTIONS, YEAR, name=process, where=where), "csm_actions.process")


_first_value_day = needing(
    running(REACHED, "first_value", "MIN", "CASE WHEN horizon = 'first_value' THEN day END"), "goals.horizon"
)
_late = needing(running(REACHED, "late", "SUM", flag("achieved_on > due_on")), "goals.due_on")
_reached = running(REACHED, "count", "SUM", "1")

_feature = partial(Feature, family="csm_actions")
_acted = partial(_feature, signal="CSM actions", unit="actions")
_cadence = partial(_feature, signal="CSM cadence")
_goals = partial(_feature, signal="goals", unit="goals")
_value = partial(_feature, signal="first value")

FEATURES: tuple[Feature, ...] = (
    *(
        _acted(
            name=f"csm_actions_{days}d",
            value=windowed_sum(DONE, days),
            meaning=f"Actions done in the last {days} days",
            sentence=f"{{value}} CSM actions in the last {days} days",
        )
        for days in (28, 90)
    ),
    _acted(
        name="days_since_csm_action",
        value=days_since(ACTIONS, YEAR),
        unit="days",
        meaning="Days since the last action done; missing if there was none in a year",
        sentence="the last CSM action was {value} days ago",
    ),
    *(
        _acted(
            name=f"csm_{process}_180d",
            value=needing(windowed_sum(_by_process(process), 180), "csm_actions.process"),
            meaning=f"Actions done in the {process.replace('_', ' ')} process in the last 180 days",
            sentence=f"{{value}} {process.replace('_', ' ')} actions by the CSM in the last 180 days",
        )
        for process in PROCESSES
    ),
    *(
        _acted(
            name=f"days_since_csm_{process}",
            value=_since_process(process),
            unit="days",
            meaning=f"Days since the last action done in the {process.replace('_', ' ')} process; "
            "missing if there was none in a year",
            sentence=f"the last {process.replace('_', ' ')} action was {{value}} days ago",
        )
        for process in ("retention", "success_plan")
    ),
    _acted(
        name="csm_playbooks_180d",
        value=distinct(ACTIONS, "playbook", 180),
        unit="playbooks",
        meaning="Distinct playbooks run in the last 180 days",
        sentence="{value} playbooks run in the last 180 days",
    ),
    _cadence(
        name="csm_missed_90d",
        value=needing(windowed_sum(MISSED, 90), "csm_actions.status"),
        unit="actions",
        meaning="Actions planned but missed in the last 90 days",
        sentence="{value} planned CSM actions missed in the last 90 days",
        expected=1,
    ),
    _cadence(
        name="csm_delivered_share_180d",
        value=needing(share(windowed_sum(DONE, 180), windowed_sum(MISSED, 180)), "csm_actions.status"),
        unit="share",
        meaning="Actions done over those done or missed in the last 180 days",
        sentence="{value} of the planned CSM actions delivered in the last 180 days",
        expected=-1,
    ),
    _cadence(
        name="csm_on_time_share_180d",
        value=needing(ratio(windowed_sum(ON_TIME, 180), windowed_sum(PLANNED, 180)), "csm_actions.planned_on"),
        unit="share",
        meaning="Actions done by their planned day over those that had one, in the last 180 days",
        sentence="{value} of the planned CSM actions came on time in the last 180 days",
        expected=-1,
    ),
    _cadence(
        name="csm_days_late_180d",
        value=needing(ratio(windowed_sum(LATE, 180), windowed_sum(PLANNED, 180)), "csm_actions.planned_on"),
        unit="days",
        meaning="Mean days between the planned day of an action and the day it was done, in the last 180 days",
        span=ANY,
        sentence="CSM actions came {value} days after their planned day",
        expected=1,
    ),
    _value(
        name="first_value_reached",
        value=flag_of("{} IS NOT NULL", _first_value_day),
        unit="0/1",
        meaning="Whether a first-value goal has been reached",
        sentence="first value reached: {value}",
        expected=-1,
    ),
    _value(
        name="days_to_first_value",
        value=value("{} - customer_from", _first_value_day),
        unit="days",
        meaning="Time to first value: days from the account's start to its first-value goal reached",
        sentence="first value was reached after {value} days",
        expected=1,
    ),
    _value(
        name="days_without_first_value",
        value=value("CASE WHEN {} IS NULL THEN t - customer_from END", _first_value_day),
        unit="days",
        meaning="Days since the account's start without a first-value goal reached; missing if one was reached",
        sentence="{value} days without first value",
        expected=1,
    ),
    _goals(
        name="goals_reached",
        value=value("COALESCE({}, 0)", _reached),
        meaning="Goals reached so far",
        sentence="{value} goals reached so far",
        expected=-1,
    ),
    _goals(
        name="goals_reached_share",
        value=ratio(value("COALESCE({}, 0)", _reached), running(AGREED, "count", "SUM", "1")),
        unit="share",
        meaning="Goals reached over those agreed so far",
        sentence="{value} of its goals are reached",
        expected=-1,
    ),
    _goals(
        name="goals_reached_late",
        value=value("COALESCE({}, 0)", _late),
        meaning="Goals reached after their due day so far",
        sentence="{value} goals were reached late",
        expected=1,
    ),
    _goals(
        name="goals_overdue",
        value=balance(DUE, MADE_UP, "open"),
        meaning="Goals past their due day and not reached",
        sentence="{value} goals are overdue",
        expected=1,
    ),
)
