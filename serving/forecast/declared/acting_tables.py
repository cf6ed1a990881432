"""The tables of what to do next and of what if, declared once."""

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

ACTING_TABLES = {table.name: table for table in (RECOMMENDED_ACTION, SCENARIO_FORECAST)}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast actions` and `holdfast scenario` give",
        "",
        "Made from `serving/forecast/declared/acting_tables.py`; see [acting](acting.md).",
    ]
    return "\n".join([*head, *(line for table in ACTING_TABLES.values() for line in markdown_of(table))]) + "\n"


SHOWN = RECOMMENDED_ACTION.at(Place.API)
