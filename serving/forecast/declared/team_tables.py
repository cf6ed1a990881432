"""What teams work by, declared once: tables of each publication, and lists of the API."""

from dataclasses import replace

from serving.forecast.declared.column import Form, Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import (
    ACCOUNT_ID,
    ARR,
    DEFINITION,
    PUBLISHED,
    RUN_COLUMNS,
    markdown_of,
)
from serving.forecast.declared.published_lists import CSM

_POINTS = "points"
_BANDS = ("A", "B", "C", "D", "")
_NAME = OutColumn("name", Kind.TEXT, "", "Its name", places=PUBLISHED, form=Form.ACCOUNT)


def _points(name: str, meaning: str) -> OutColumn:
    return OutColumn(name, Kind.NUMBER, _POINTS, meaning, places=PUBLISHED, optional=True)


HEALTH_FIGURES = (
    _points("score", "Health score, 0 to 100; empty where too little is known"),
    _points("csm_half", "What the team did, 0 to 100; empty where too little is known"),
    _points("customer_half", "What the customer did, 0 to 100; empty where too little is known"),
    OutColumn("coverage", Kind.SHARE, "share", "Share of the rule's weight that is known", places=PUBLISHED),
    OutColumn("band", Kind.TEXT, "", "A to D; empty without a score", places=PUBLISHED, values=_BANDS),
    OutColumn("colour", Kind.TEXT, "", "green, yellow or red; empty without a score", places=PUBLISHED),
    OutColumn("cap", Kind.TEXT, "", "What holds the band down whatever the score; empty if nothing", places=PUBLISHED),
    _points("change", "Change of the score over health.trend_days; empty where it was not known then"),
    OutColumn("trend", Kind.TEXT, "", "up, down or level, with hysteresis; empty where not known", places=PUBLISHED),
    OutColumn("stale", Kind.TEXT, "", "Measures too old to count, with commas", places=PUBLISHED),
    OutColumn(
        "status", Kind.TEXT, "", "scored, not enough data, or frozen: as it was before it left", places=PUBLISHED
    ),
    OutColumn(
        "frozen_on",
        Kind.DATE,
        "date",
        "Of an account that left: the snapshot whose score stays",
        places=PUBLISHED,
        optional=True,
    ),
)
_ARR = replace(ARR, places=PUBLISHED, meaning="ARR at as_of; of an account that left, at its last snapshot")
HEALTH_SCORE = OutTable(
    "health_score",
    "One row per account: its health by the rule of `health` in the settings, which is no probability",
    ("account_id",),
    (ACCOUNT_ID, CSM, _ARR, *HEALTH_FIGURES, DEFINITION, *RUN_COLUMNS),
)
HEALTH = OutTable(
    "health", "The health of accounts, by rule", HEALTH_SCORE.key, (ACCOUNT_ID, _NAME, CSM, _ARR, *HEALTH_FIGURES)
)
ALERT = OutTable(
    "alert",
    "One row per alert that is open: which account, what happened, what to do",
    ("alert_id",),
    (
        OutColumn("alert_id", Kind.INTEGER, "", "Its number"),
        OutColumn("rule", Kind.TEXT, "", "The rule of `alerts` in the settings"),
        OutColumn("kind", Kind.TEXT, "", "risk or opportunity"),
        ACCOUNT_ID,
        CSM,
        ARR,
        OutColumn("feature", Kind.TEXT, "", "What the rule watches"),
        OutColumn("value", Kind.NUMBER, "", "Its value when the alert was given"),
        OutColumn("fired_on", Kind.DATE, "date", "When it was given"),
        OutColumn("expires_on", Kind.DATE, "date", "When it is closed if nobody takes it up"),
        OutColumn("delivery", Kind.TEXT, "", "new, or digest: beyond the CSM's budget of that week"),
        OutColumn("status", Kind.TEXT, "", "open, acknowledged or snoozed"),
        OutColumn("by", Kind.TEXT, "", "Who answered; empty if nobody did"),
        OutColumn("says", Kind.TEXT, "", "What happened, in words"),
        OutColumn("playbook", Kind.TEXT, "", "What to do, by `alerts.playbooks`"),
        DEFINITION,
        *RUN_COLUMNS,
    ),
)
SHARED_CAUSE = OutTable(
    "shared_cause",
    "One row per slice of the accounts that stands out more than any would by chance; mostly none",
    ("rank",),
    (
        OutColumn("rank", Kind.INTEGER, "", "1 stands out most"),
        OutColumn("slice", Kind.TEXT, "", "What the accounts have in common, in words"),
        OutColumn("cut", Kind.TEXT, "", "The column of it"),
        OutColumn("value", Kind.TEXT, "", "Its value"),
        OutColumn("second_cut", Kind.TEXT, "", "A second column of it; empty if it takes one"),
        OutColumn("second_value", Kind.TEXT, "", "Its value"),
        OutColumn("scan", Kind.TEXT, "", "Which figure moved: score rose, left against the odds, or signals fell"),
        OutColumn("since", Kind.DATE, "date", "From when on"),
        OutColumn("accounts", Kind.INTEGER, "accounts", "How many accounts"),
        ARR,
        OutColumn("arr_at_risk", Kind.MONEY, "currency", "ARR x churn probability over the longest horizon"),
        OutColumn("z", Kind.NUMBER, "standard deviations", "How far they stand out"),
        OutColumn("threshold", Kind.NUMBER, "standard deviations", "From which on a slice is named"),
        OutColumn("p_value", Kind.SHARE, "share", "How often any slice of any scan stands out as much by chance"),
        DEFINITION,
        *RUN_COLUMNS,
    ),
)
TEAM_LISTS: dict[str, OutTable] = {table.name: table for table in (HEALTH,)}
TEAM_TABLES: dict[str, OutTable] = {table.name: table for table in (HEALTH_SCORE, ALERT, SHARED_CAUSE)}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What teams work by",
        "",
        "Made from `serving/forecast/declared/team_tables.py`, beside the tables of each published forecast.",
        "See [health](health.md) and [alerts](alerts.md).",
    ]
    return "\n".join([*head, *(line for table in TEAM_TABLES.values() for line in markdown_of(table))]) + "\n"
