"""The success plan: what the customer wants to reach by when, whose tasks are late, and how far it has come."""

from functools import partial

from features.families.feature import ANY, Feature
from features.families.kinds import Value, balance, count, needing, ratio, running, spine_column, value, windowed_sum
from features.families.parts import Measure, Stream
from features.tables.sql import code, flag, later_of

PLAN = ("pain", "impact", "decision_criteria", "critical_event")
SCALE = 1000  # progress is counted in whole thousandths

_TASK = "owner_side IS NOT NULL AND set_on IS NOT NULL AND due_on IS NOT NULL"
_side = (f"{code('owner_side')} AS side",)
_OF_TASKS = ("goals.owner_side", "goals.set_on", "goals.due_on")
TASKS = Stream("tasks", "goals", needs=_OF_TASKS, columns=_side, where=_TASK)
TASKS_DUE = Stream("tasks_due", "goals", _OF_TASKS, _side, day=later_of("set_on", "due_on"), where=_TASK)
TASKS_DONE = Stream(
    "tasks_done",
    "goals",
    needs=("goals.achieved_on",),
    columns=_side,
    day=later_of(f"({later_of('set_on', 'due_on')})", "achieved_on"),
    where=f"{_TASK} AND achieved_on IS NOT NULL",
)

# The way from the baseline to the target, as far as it had been gone when somebody last looked.
_WAY = "(current_value - baseline_value) / NULLIF(target_value - baseline_value, 0)"
MEASURED = Stream(
    "measured",
    "goals",
    needs=tuple(f"goals.{name}" for name in ("updated_on", "current_value", "baseline_value", "target_value")),
    columns=(
        f"CAST(ROUND({SCALE} * CASE WHEN {_WAY} < 0 THEN 0 WHEN {_WAY} > 1 THEN 1 ELSE {_WAY} END) AS BIGINT) AS way",
    ),
    day="updated_on",
    where=f"{_WAY} IS NOT NULL",
)
PROGRESS = Measure(MEASURED, "way", "way", scale=SCALE)


def _overdue_share(side: str) -> Value:
    """Open tasks of a side past their day, over all of its tasks so far."""
    of_side = flag(f"side = '{side}'")
    overdue = balance(TASKS_DUE, TASKS_DONE, f"{side}_overdue", of_side)
    return ratio(overdue, running(TASKS, side, "SUM", of_side))


_filled = " + ".join(flag(f"{{{place}}} IS NOT NULL") for place in range(len(PLAN)))
_written = value(f"({_filled})", *(spine_column(f"attribute_{name}", f"accounts.{name}") for name in PLAN))

_plan = partial(Feature, family="csm_actions", signal="success plan", unit="share")

FEATURES: tuple[Feature, ...] = (
    Feature(
        name="days_to_critical_event",
        family="contract_history",
        value=needing(
            value("(CAST(attribute_critical_event_on AS DATE) - DATE '1970-01-01') - t"), "accounts.critical_event_on"
        ),
        unit="days",
        meaning="Days to the customer's critical event, below 0 once it is past; missing if there is none",
        span=ANY,
        sentence="the customer's critical event is in {value} days",
        signal="critical event",
    ),
    *(
        _plan(
            name=f"{side}_tasks_overdue_share",
            value=_overdue_share(side),
            meaning=f"Share of the {side}'s tasks so far that are past their due day and not done",
            sentence=f"{{value}} of the {side}'s tasks are overdue",
            expected=1,
        )
        for side in ("customer", "vendor")
    ),
    _plan(
        name="value_reached_share",
        value=ratio(windowed_sum(PROGRESS, 180), count(MEASURED, 180), scale=SCALE),
        meaning="How far goals measured in the last 180 days have come from their baseline to their target, on average",
        sentence="its goals are {value} of the way to their targets",
        expected=-1,
    ),
    Feature(
        name="plan_completeness",
        family="contract_history",
        signal="success plan",
        unit="share",
        value=ratio(_written, len(PLAN)),
        meaning="Share of pain, impact, decision criteria and critical event that are written down",
        sentence="{value} of the success plan is written down",
        expected=-1,
    ),
)
