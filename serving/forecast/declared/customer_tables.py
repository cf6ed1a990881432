"""The tables of single customers, declared once: who was lost and why."""

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
CUSTOMER_LISTS: dict[str, OutTable] = {table.name: table for table in (LOSS,)}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast losses --out` writes",
        "",
        "Made from `serving/forecast/declared/customer_tables.py`. See [the operating model](operating-model.md).",
    ]
    return "\n".join([*head, *(line for table in CUSTOMER_LISTS.values() for line in markdown_of(table))]) + "\n"
