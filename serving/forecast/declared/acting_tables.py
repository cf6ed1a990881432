"""The tables of what to do next, of what if, of the quarter in review and of the holdout, declared once."""

from serving.forecast.declared.column import Form, Interval, Kind, OutColumn, OutTable, Place
from serving.forecast.declared.output_tables import (
    ACCOUNT_ID,
    DEFINITION,
    HORIZON,
    PUBLISHED,
    RUN_COLUMNS,
    YEARLY,
    markdown_of,
)

DO, NO_HOUR, NOTHING, LEAVE_ALONE = "do", "no hour left", "nothing", "leave alone"
ANSWERS = (DO, NO_HOUR, NOTHING, LEAVE_ALONE)
ESTIMATED, ASSUMED = "estimated", "assumed"
POOLED = "(pooled)"
LOW_HIGH = Interval("low", "high")

RECOMMENDED_ACTION = OutTable(
    "recommended_action",
    "One row per account: the play that is worth most within the hours, or why there is none",
    ("account_id",),
    (
        ACCOUNT_ID,
        OutColumn(
            "csm",
            Kind.TEXT,
            "",
            f"Whose hours it takes; {POOLED} = those for accounts without a CSM or with touch_model tech",
            places=PUBLISHED,
            head="CSM",
        ),
        OutColumn("book", Kind.TEXT, "", "The CSM whose book the account is in", places=PUBLISHED),
        OutColumn(
            "answer",
            Kind.TEXT,
            "",
            "do = the play is recommended; no hour left = it must be done, and the hours do not suffice; nothing = a "
            "play would help, and the hours save more elsewhere; leave alone = none helps, or none is allowed now",
            places=PUBLISHED,
            values=ANSWERS,
        ),
        OutColumn("action", Kind.TEXT, "", "The play: a kind of csm_actions.action; empty = none", places=PUBLISHED),
        OutColumn("rank", Kind.INTEGER, "", "Place among the plays of the same hours; 0 = none", places=PUBLISHED),
        OutColumn("must_do", Kind.TEXT, "", "Why it must be tended to; empty = it need not be", places=PUBLISHED),
        OutColumn("hours", Kind.NUMBER, "hours", "What it takes; of a session, the account's share", places=PUBLISHED),
        OutColumn(
            "arr_saved",
            Kind.MONEY,
            YEARLY,
            "What the play is expected to save and to add by the end of the horizon",
            places=PUBLISHED,
            head="ARR saved",
            interval=LOW_HIGH,
        ),
        OutColumn("low", Kind.MONEY, YEARLY, "10th percentile of it, by what is known of the effect", places=PUBLISHED),
        OutColumn("high", Kind.MONEY, YEARLY, "90th percentile of it", places=PUBLISHED),
        OutColumn(
            "arr_saved_per_hour", Kind.MONEY, "currency an hour", "arr_saved / hours; empty of a play without hours",
            places=PUBLISHED, optional=True,
        ),
        OutColumn(
            "evidence",
            Kind.TEXT,
            "",
            f"{ESTIMATED} = the effect was found by a study of past actions that stands; {ASSUMED} = it is taken from "
            "the settings; empty without a play",
            places=PUBLISHED,
        ),
        OutColumn(
            "probability_of_assignment",
            Kind.SHARE,
            "probability",
            "With which chance the recommendation is given and not withheld by design; 1 without a trial",
            places=PUBLISHED,
        ),
        OutColumn("why", Kind.TEXT, "", "In a sentence", places=PUBLISHED, form=Form.REASON),
        DEFINITION,
        *RUN_COLUMNS,
    ),
    lead=("rank", "csm"),
)  # fmt: skip


def _futures(prefix: str, what: str) -> tuple[OutColumn, ...]:
    """Mean and 80 % interval of something over the simulated futures."""
    return tuple(
        OutColumn(f"{prefix}{name}", Kind.NUMBER, "", f"{share} of {what}", places=PUBLISHED)
        for name, share in (("mean", "Mean"), ("p10", "10th percentile"), ("p90", "90th percentile"))
    )


SCENARIO_FORECAST = OutTable(
    "scenario_forecast",
    "One row per scenario, horizon and metric: the forecast as it would be, and by how much that differs",
    ("scenario", "horizon_months", "metric"),
    (
        OutColumn("scenario", Kind.TEXT, "", "Its name", places=PUBLISHED),
        HORIZON,
        OutColumn("metric", Kind.TEXT, "", "As in nrr_forecast", places=PUBLISHED),
        *_futures("base_", "the forecast as it is"),
        *_futures("", "the scenario"),
        *_futures("difference_", "the difference, future by future"),
        OutColumn(
            "marks",
            Kind.TEXT,
            "",
            f"What it changes, and whether the size of that is {ESTIMATED} or {ASSUMED}",
            places=PUBLISHED,
        ),
        DEFINITION,
        *RUN_COLUMNS,
    ),
)

MEASURE, FOLLOWS = "measure", "follows"
PROCESS_REVIEW = OutTable(
    "process_review",
    "One row per measure, kind of action and change: the quarter, what is known of effects, and what follows for NRR",
    ("part", "name", "change"),
    (
        OutColumn(
            "part",
            Kind.TEXT,
            "",
            "measure = of the team's work; process, action, playbook = a kind of that level; follows = for NRR",
            values=(MEASURE, "process", "action", "playbook", FOLLOWS),
        ),
        OutColumn("name", Kind.TEXT, "", "The measure or the kind; (all) = all kinds together"),
        OutColumn("change", Kind.TEXT, "", "Of follows: what would be otherwise; empty elsewhere"),
        OutColumn("unit", Kind.TEXT, "", "Of figure and before"),
        OutColumn("figure", Kind.NUMBER, "", "In the quarter: a measure, times done; of follows points of NRR",
                  optional=True),
        OutColumn("before", Kind.NUMBER, "", "The same in the quarter before", optional=True),
        OutColumn("kept_share", Kind.SHARE, "share", "Of a kind: done over done and missed", optional=True),
        OutColumn("coverage", Kind.SHARE, "share", "Of a kind: customers for whom it was done", optional=True),
        OutColumn("churn_points", Kind.NUMBER, "points", "Of a kind: what one more changes of 12-month churn",
                  optional=True),
        OutColumn("low", Kind.NUMBER, "points", "Of a kind 95 %, of follows 80 %: lower end of the interval",
                  optional=True),
        OutColumn("high", Kind.NUMBER, "points", "Upper end of it", optional=True),
        OutColumn("word", Kind.TEXT, "", "better or worse; the verdict on the effect; estimated or assumed"),
        OutColumn("text", Kind.TEXT, "", "What the measure means, or what may be said of the effect"),
        OutColumn("quarter_from", Kind.DATE, "date", "First day of the quarter"),
        OutColumn("quarter_to", Kind.DATE, "date", "The day after its last"),
        DEFINITION,
    ),
)  # fmt: skip
HOLDOUT_PLAN = OutTable(
    "holdout_plan",
    "One row: what withholding recommendations by lot would cost and could show",
    ("as_of",),
    (
        OutColumn("as_of", Kind.DATE, "date", "All that was known before this day began went in, nothing later"),
        OutColumn("share", Kind.SHARE, "share", "Of the eligible accounts that are withheld"),
        OutColumn("outcome_months", Kind.INTEGER, "months", "After which it is seen who has left"),
        OutColumn("eligible", Kind.INTEGER, "accounts", "Near the cut of the hours, and not excluded"),
        OutColumn("withheld", Kind.INTEGER, "accounts", "Of them, by lot"),
        OutColumn("arr_eligible", Kind.MONEY, YEARLY, "Their ARR"),
        OutColumn("arr_withheld", Kind.MONEY, YEARLY, "That of those withheld"),
        OutColumn("arr_at_stake", Kind.MONEY, "currency a quarter", "ARR that it may cost, at most"),
        OutColumn("arr_at_stake_low", Kind.MONEY, "currency a quarter", "Lower end of its 80 % interval"),
        OutColumn("arr_at_stake_high", Kind.MONEY, "currency a quarter", "Upper end of it"),
        OutColumn("churn", Kind.SHARE, "probability", "Of leaving within outcome_months, mean of the eligible"),
        OutColumn("take_up", Kind.SHARE, "share", "Of what is recommended, what is done"),
        OutColumn("take_up_basis", Kind.TEXT, "", "on record, or assumed", values=("on record", "assumed")),
        OutColumn(
            "detectable_points",
            Kind.NUMBER,
            "points",
            "The smallest effect on churn that it would show in 4 of 5 cases; empty = too few accounts",
            optional=True,
        ),
        OutColumn("expected_points", Kind.NUMBER, "points", "What these plays are expected to change", optional=True),
        OutColumn("excluded", Kind.TEXT, "", "Who may not be in it, with how many"),
        OutColumn("kinds", Kind.TEXT, "", "The plays of the eligible, with how many"),
    ),
)
_LOG_ODDS = "log-odds"
HOLDOUT_RESULT = OutTable(
    "holdout_result",
    "One row per kind of play: what the holdout on record showed, joined with the study of past actions",
    ("kind",),
    (
        OutColumn("kind", Kind.TEXT, "", "(all) = all kinds together"),
        OutColumn("as_of", Kind.DATE, "date", "All that was known before this day began went in, nothing later"),
        OutColumn("outcome_months", Kind.INTEGER, "months", "After which it is seen who has left"),
        OutColumn("offered", Kind.INTEGER, "accounts", "That were recommended the play, and are through their window"),
        OutColumn("withheld", Kind.INTEGER, "accounts", "That were not"),
        OutColumn("intention_points", Kind.NUMBER, "points", "Difference of churn, offered less withheld",
                  optional=True),
        OutColumn("intention_se", Kind.NUMBER, "points", "Its standard error", optional=True),
        OutColumn("take_up", Kind.SHARE, "share", "By how much the offer changed whether it was done", optional=True),
        OutColumn("effect_points", Kind.NUMBER, "points", "Effect where the offer was taken up", optional=True),
        OutColumn("low", Kind.NUMBER, "points", "Lower end of its 95 % interval", optional=True),
        OutColumn("high", Kind.NUMBER, "points", "Upper end of it", optional=True),
        OutColumn("logit", Kind.NUMBER, _LOG_ODDS, "The same as a shift", optional=True),
        OutColumn("logit_se", Kind.NUMBER, _LOG_ODDS, "Its standard error", optional=True),
        OutColumn("study_logit", Kind.NUMBER, _LOG_ODDS, "What the study of past actions found", optional=True),
        OutColumn("joined_logit", Kind.NUMBER, _LOG_ODDS, "Both together; empty where they are apart", optional=True),
        OutColumn("joined_low", Kind.NUMBER, _LOG_ODDS, "Lower end of its 95 % interval", optional=True),
        OutColumn("joined_high", Kind.NUMBER, _LOG_ODDS, "Upper end of it", optional=True),
        OutColumn("weight_of_trial", Kind.SHARE, "share", "How much of it is the trial's", optional=True),
        OutColumn("apart", Kind.NUMBER, "standard errors", "How far the two lie apart", optional=True),
        OutColumn("text", Kind.TEXT, "", "In a sentence or two"),
    ),
)  # fmt: skip
ACTING_TABLES = {
    table.name: table for table in (RECOMMENDED_ACTION, SCENARIO_FORECAST, PROCESS_REVIEW, HOLDOUT_PLAN, HOLDOUT_RESULT)
}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast actions`, `scenario`, `process` and `holdout` give",
        "",
        "Made from `serving/forecast/declared/acting_tables.py`; see [acting](acting.md).",
    ]
    return "\n".join([*head, *(line for table in ACTING_TABLES.values() for line in markdown_of(table))]) + "\n"


SHOWN = RECOMMENDED_ACTION.at(Place.API)
