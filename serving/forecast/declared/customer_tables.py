"""The tables of customers, declared once: who was lost and why, what is not owned yet, what was said."""

from serving.forecast.declared.column import Form, Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import ACCOUNT_ID, PUBLISHED, YEARLY, markdown_of
from serving.forecast.declared.published_lists import CSM

_NAME = OutColumn("name", Kind.TEXT, "", "Its name", places=PUBLISHED, form=Form.ACCOUNT)
LOSS = OutTable(
    "losses",
    "One row per account that left: when, with how much ARR, and why",
    ("account_id",),
    (
        ACCOUNT_ID,
        _NAME,
        CSM,
        OutColumn("left_on", Kind.DATE, "date", "The first day on which it was no customer", places=PUBLISHED),
        OutColumn("quarter", Kind.TEXT, "", "The quarter of that day, such as 2025-Q3", places=PUBLISHED),
        OutColumn("arr", Kind.MONEY, YEARLY, "ARR on the last day that it paid", places=PUBLISHED, head="ARR lost"),
        OutColumn("cause", Kind.TEXT, "", "As written down; unknown where nobody did", places=PUBLISHED),
        OutColumn("reason", Kind.TEXT, "", "In the words of churn_events", places=PUBLISHED),
        OutColumn("competitor", Kind.TEXT, "", "Whom it was lost to", places=PUBLISHED),
        OutColumn("owner_department", Kind.TEXT, "", "The department that owns the cause", places=PUBLISHED),
        OutColumn(
            "showed",
            Kind.TEXT,
            "",
            "Causes of which a sign was there losses.before_days before, with commas; empty = none, or not known",
            places=PUBLISHED,
        ),
    ),
    lead=("name", "csm", "left_on", "arr", "cause"),
)
WHITESPACE = OutTable(
    "whitespace",
    "One row per customer and what it does not own: a product, or seats that it could use",
    ("account_id", "what"),
    (
        ACCOUNT_ID,
        _NAME,
        CSM,
        OutColumn("what", Kind.TEXT, "", "A product, or seats", places=PUBLISHED, head="Not owned"),
        OutColumn("missing", Kind.NUMBER, "", "Seats that it could use and does not pay for; 1 of a product",
                  places=PUBLISHED),
        OutColumn("attach_rate", Kind.SHARE, "share", "Customers of its segment that own the product",
                  places=PUBLISHED, optional=True),
        OutColumn("similar", Kind.INTEGER, "accounts", "Customers of its segment, of a product", places=PUBLISHED),
        OutColumn("arr", Kind.MONEY, YEARLY, "What it would be worth: the median of those who own it, or ARR a seat",
                  places=PUBLISHED, head="Worth"),
        OutColumn("owner_role", Kind.TEXT, "", "csm or seller: whose it is to sell, by `expansion` in the settings",
                  places=PUBLISHED),
        OutColumn("owner", Kind.TEXT, "", "That person", places=PUBLISHED),
    ),
    lead=("name", "csm", "what", "arr", "attach_rate"),
)  # fmt: skip
VOICE = OutTable(
    "voice",
    "One row per kind of survey, role and moment: what customers answered",
    ("kind", "role", "moment"),
    (
        OutColumn("kind", Kind.TEXT, "", "nps, csat or ces"),
        OutColumn("role", Kind.TEXT, "", "The respondent's role; all = of all roles"),
        OutColumn("moment", Kind.TEXT, "", "On which occasion; all = on all"),
        OutColumn("sent", Kind.INTEGER, "surveys", "Sent in the window, where the source says when"),
        OutColumn("answered", Kind.INTEGER, "surveys", "Of them, answered"),
        OutColumn("response_rate", Kind.SHARE, "share", "answered over sent", optional=True),
        OutColumn("n", Kind.INTEGER, "answers", "Answers in the window, whenever sent"),
        OutColumn("figure", Kind.NUMBER, "points", "NPS, or the mean score", optional=True),
        OutColumn("low", Kind.NUMBER, "points", "Lower end of its 95 % interval", optional=True),
        OutColumn("high", Kind.NUMBER, "points", "Upper end of its 95 % interval", optional=True),
        OutColumn("accounts", Kind.INTEGER, "accounts", "That answered"),
        OutColumn("arr", Kind.MONEY, YEARLY, "Their ARR today"),
    ),
)
CUSTOMER_LISTS: dict[str, OutTable] = {table.name: table for table in (LOSS, WHITESPACE)}
CUSTOMER_TABLES: dict[str, OutTable] = {table.name: table for table in (LOSS, WHITESPACE, VOICE)}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast losses`, `whitespace` and `voice` write with `--out`",
        "",
        "Made from `serving/forecast/declared/customer_tables.py`. See [the operating model](operating-model.md).",
    ]
    return "\n".join([*head, *(line for table in CUSTOMER_TABLES.values() for line in markdown_of(table))]) + "\n"
