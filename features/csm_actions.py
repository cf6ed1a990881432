"""CSM actions: what the team did, by process, planned against delivered, and the goals reached with it."""

from functools import partial

from features.asof import AsOf
from features.feature import Feature
from features.tiles import (
    Sum,
    changes,
    code,
    column,
    distinct_counts,
    flag,
    later_of,
    ratio,
    running,
    window_sums,
)

EDGES = (28, 90, 180)
DONE, MISSED = flag("status = 'done'"), flag("status = 'missed'")
PROCESSES = ("onboarding", "expansion", "retention", "success_plan", "advocacy")


def tiles(asof: AsOf) -> dict[str, str]:
    """Work tables: none."""
    del asof
    return {}


def columns(asof: AsOf) -> dict[str, str]:
    """Temp tables of per-snapshot columns, each as its SELECT; none where there are no actions and no goals."""
    selects = {}
    if asof.tables.has("csm_actions"):
        done = asof.events("csm_actions", where=f"{_status(asof)} = 'done'")
        selects["csm_sums"] = _sums(asof)
        selects["csm_recency"] = running(done, last_acted=("MAX", "day"))
    if asof.tables.has("csm_actions", "playbook"):
        selects["csm_playbooks"] = _playbooks(asof)
    if asof.tables.has("goals", "achieved_on"):
        selects["goals_reached"] = running(asof.events("goals", day="achieved_on"), reached=("SUM", "1"))
    if asof.tables.has("goals", "achieved_on", "horizon"):
        first_value = asof.events("goals", day="achieved_on", where="horizon = 'first_value'")
        selects["goals_first_value"] = running(first_value, first_value_day=("MIN", "day"))
    if asof.tables.has("goals", "achieved_on", "due_on"):
        selects["goals_overdue"] = running(_overdue(asof), overdue=("SUM", "change"))
    return selects


def _status(asof: AsOf) -> str:
    return f"COALESCE({code(column(asof, 'csm_actions.status'))}, 'done')"


def _sums(asof: AsOf) -> str:
    process, planned = column(asof, "csm_actions.process"), column(asof, "csm_actions.planned_on")
    shown = [
        f"{_status(asof)} AS status",
        f"{code(process)} AS process",
        f"CAST(acted_on AS DATE) - CAST({planned} AS DATE) AS days_late",
    ]
    by_process = (Sum(f"acted_{process}_180", _done_of(process), 180) for process in PROCESSES)
    return window_sums(
        asof,
        asof.events("csm_actions", shown),
        Sum("acted_28", DONE, 28),
        Sum("acted_90", DONE, 90),
        Sum("missed_90", MISSED, 90),
        Sum("acted_180", DONE, 180),
        Sum("missed_180", MISSED, 180),
        Sum("planned_180", flag("status = 'done' AND days_late IS NOT NULL"), 180),
        Sum("days_late_180", "CASE WHEN status = 'done' THEN COALESCE(days_late, 0) ELSE 0 END", 180),
        *by_process,
    )


def _done_of(process: str) -> str:
    return flag(f"status = 'done' AND process = '{process}'")


def _playbooks(asof: AsOf) -> str:
    shown = [f"{code('playbook')} AS playbook"]
    done = asof.events("csm_actions", shown, where=f"{_status(asof)} = 'done'")
    return distinct_counts(asof, done, "playbook", seen={"playbooks_180": 180})


def _overdue(asof: AsOf) -> str:
    """A goal turns overdue on its due day, unless reached before, and stops being so on the day it is reached."""
    due = asof.events("goals", day="due_on")
    reached_day = later_of("due_on", "achieved_on")
    return changes(due, asof.events("goals", day=reached_day, where="due_on IS NOT NULL AND achieved_on IS NOT NULL"))


_feature = partial(Feature, family="csm_actions")
_acted = partial(_feature, needs=("csm_actions.acted_on",), signal="CSM actions", unit="actions")
_cadence = partial(_feature, needs=("csm_actions.status",), signal="CSM cadence")
_goals = partial(_feature, needs=("goals.achieved_on",), signal="goals", expected=-1)
_value = partial(_feature, needs=("goals.achieved_on", "goals.horizon"), signal="first value")


def _by_process(process: str, words: str) -> Feature:
    return _acted(
        name=f"csm_{process}_180d",
        needs=("csm_actions.process",),
        window_days=180,
        expression=f"COALESCE(acted_{process}_180, 0)",
        meaning=f"Actions done in the {words} process in the last 180 days",
        sentence=f"{{value}} {words} actions by the CSM in the last 180 days",
    )


FEATURES: tuple[Feature, ...] = (
    _acted(
        name="csm_actions_28d",
        window_days=28,
        expression="COALESCE(acted_28, 0)",
        meaning="Actions done in the last 28 days",
        sentence="{value} CSM actions in the last 28 days",
    ),
    _acted(
        name="csm_actions_90d",
        window_days=90,
        expression="COALESCE(acted_90, 0)",
        meaning="Actions done in the last 90 days",
        sentence="{value} CSM actions in the last 90 days",
    ),
    _acted(
        name="days_since_csm_action",
        expression="t - last_acted",
        unit="days",
        meaning="Days since the last action done",
        sentence="the last CSM action was {value} days ago",
    ),
    *(_by_process(process, process.replace("_", " ")) for process in PROCESSES),
    _acted(
        name="csm_playbooks_180d",
        needs=("csm_actions.playbook",),
        window_days=180,
        expression="COALESCE(playbooks_180, 0)",
        unit="playbooks",
        meaning="Distinct playbooks run in the last 180 days",
        sentence="{value} playbooks run in the last 180 days",
    ),
    _cadence(
        name="csm_missed_90d",
        window_days=90,
        expression="COALESCE(missed_90, 0)",
        unit="actions",
        meaning="Actions planned but missed in the last 90 days",
        sentence="{value} planned CSM actions missed in the last 90 days",
        expected=1,
    ),
    _cadence(
        name="csm_delivered_share_180d",
        window_days=180,
        expression=ratio("acted_180", "(acted_180 + missed_180)"),
        unit="share",
        meaning="Actions done over those done or missed in the last 180 days",
        sentence="{value} of the planned CSM actions delivered in the last 180 days",
        expected=-1,
    ),
    _cadence(
        name="csm_days_late_180d",
        needs=("csm_actions.planned_on",),
        window_days=180,
        expression=ratio("days_late_180", "planned_180"),
        unit="days",
        meaning="Mean days between the planned day of an action and the day it was done, in the last 180 days",
        sentence="CSM actions came {value} days after their planned day",
        expected=1,
    ),
    _value(
        name="first_value_reached",
        expression="CASE WHEN first_value_day IS NULL THEN 0 ELSE 1 END",
        unit="0/1",
        meaning="Whether a first-value goal has been reached",
        sentence="first value reached: {value}",
        expected=-1,
    ),
    _value(
        name="days_to_first_value",
        expression="first_value_day - customer_from",
        unit="days",
        meaning="Time to first value: days from the account's start to its first-value goal reached",
        sentence="first value was reached after {value} days",
        expected=1,
    ),
    _goals(
        name="goals_reached",
        expression="COALESCE(reached, 0)",
        unit="goals",
        meaning="Goals reached so far",
        sentence="{value} goals reached so far",
    ),
    _goals(
        name="goals_overdue",
        needs=("goals.achieved_on", "goals.due_on"),
        expression="COALESCE(overdue, 0)",
        unit="goals",
        meaning="Goals past their due day and not reached",
        sentence="{value} goals are overdue",
        expected=1,
    ),
)
