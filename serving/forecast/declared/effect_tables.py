"""The table of `holdfast effects`, declared once: what each kind of action changes."""

from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import AS_OF, markdown_of

_LOG_ODDS = "log-odds"
_POINTS = "points"


def _figure(name: str, unit: str, meaning: str) -> OutColumn:
    return OutColumn(name, Kind.NUMBER, unit, meaning, optional=True)


def _of_outcome(outcome: str) -> tuple[OutColumn, ...]:
    return (
        _figure(f"{outcome}_logit", _LOG_ODDS, f"Shift of the log-odds of {outcome} in the month of the action"),
        _figure(f"{outcome}_logit_se", _LOG_ODDS, "Its standard error, by account, of the sample alone"),
        _figure(f"{outcome}_points", _POINTS, f"Points of 12-month {outcome} of those it was done with"),
        _figure(f"{outcome}_low", _POINTS, "Lower end of its 95 % interval, the allowance within"),
        _figure(f"{outcome}_high", _POINTS, "Upper end of it"),
    )


ACTION_EFFECT = OutTable(
    "action_effect",
    "One row per kind of action: what one more done action changes, later actions as usual; empty = not estimated",
    ("level", "action"),
    (
        OutColumn("level", Kind.TEXT, "", "What the kind is", values=("action", "process", "playbook")),
        OutColumn("action", Kind.TEXT, "", "The kind's name"),
        OutColumn("treated_rows", Kind.INTEGER, "account-months", "In which it was done at least once"),
        OutColumn("treated_accounts", Kind.INTEGER, "accounts", "Of how many accounts these are"),
        OutColumn("missed_rows", Kind.INTEGER, "account-months", "In which it was planned and missed, and not done"),
        _figure("logit", _LOG_ODDS, "Shift of the log-odds of churn in the month of the action"),
        _figure("logit_se", _LOG_ODDS, "Its standard error, by account, of the sample alone"),
        _figure("logit_low", _LOG_ODDS, "Lower end of its 95 % interval, the allowance within"),
        _figure("logit_high", _LOG_ODDS, "Upper end of it"),
        OutColumn("decay", Kind.SHARE, "share", "How much of the shift is left a month later"),
        OutColumn("allowance", Kind.NUMBER, _LOG_ODDS, "How far hidden confounding may have moved it"),
        _figure("pooled_logit", _LOG_ODDS, "The shift drawn towards the mean of all kinds: what to rank by"),
        _figure("pooled_se", _LOG_ODDS, "Its standard error"),
        _figure("churn_points", _POINTS, "Points of 12-month churn of those it was done with; below 0 is less churn"),
        _figure("se", _POINTS, "Its standard error, of the sample alone"),
        _figure("low", _POINTS, "Lower end of its 95 % interval, the allowance within"),
        _figure("high", _POINTS, "Upper end of it"),
        *_of_outcome("expansion"),
        *_of_outcome("contraction"),
        _figure("arr_points", _POINTS, "Points of ARR a year later, of the ARR at the month start"),
        _figure("arr_low", _POINTS, "Lower end of its 95 % interval"),
        _figure("arr_high", _POINTS, "Upper end of it"),
        OutColumn("verdict", Kind.TEXT, "", "What may be said"),
        OutColumn("evidence", Kind.TEXT, "", "good, weak or none yet"),
        OutColumn("reason", Kind.TEXT, "", "Why that may be said, in a sentence"),
        _figure("rows_needed", "account-months", "Treated ones to see twice the allowance; empty = no number will do"),
        OutColumn("refuters", Kind.TEXT, "JSON", "What tried to refute the estimate, and whether it passed"),
        OutColumn("run_id", Kind.TEXT, "", "The run in MLflow that estimated it"),
        AS_OF,
        OutColumn("model_version", Kind.TEXT, "", "Empty: effects are estimated without the model in charge"),
        OutColumn("made_at", Kind.TIME, "UTC", "When it was estimated"),
    ),
)


def render_markdown() -> str:
    """The declaration as the last part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast effects` writes",
        "",
        "Made from `serving/forecast/declared/effect_tables.py`, to `<data_dir>/effects/latest/`; see",
        "[the effects of actions](effects.md).",
    ]
    return "\n".join([*head, *markdown_of(ACTION_EFFECT)]) + "\n"
