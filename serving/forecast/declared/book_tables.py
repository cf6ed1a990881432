"""The tables of books and of pay, declared once: each person against an own expectation, and a pay plan replayed."""

from dataclasses import replace

from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.declared.kpi_tables import COHORT
from serving.forecast.declared.output_tables import PUBLISHED, YEARLY, markdown_of

_PERSON = OutColumn("person", Kind.TEXT, "", "The CSM or seller")
_POINTS = "points"
SCORECARD = OutTable(
    "scorecard",
    "One row per person: NRR of the book over the quarters beside what it was expected to be",
    ("person",),
    (
        _PERSON,
        OutColumn("role", Kind.TEXT, "", "csm or seller", values=("csm", "seller")),
        OutColumn("periods", Kind.INTEGER, "quarters", "That were judged"),
        OutColumn("accounts", Kind.INTEGER, "accounts", "In the book, on average"),
        OutColumn("effective_n", Kind.NUMBER, "accounts", "How many accounts of one size it is worth, on average"),
        OutColumn("starting_arr", Kind.MONEY, YEARLY, "ARR at the quarters' starts, added up"),
        OutColumn("expected", Kind.SHARE, "share", "NRR expected, at the level of all other books"),
        OutColumn("actual", Kind.SHARE, "share", "NRR"),
        OutColumn("difference_points", Kind.NUMBER, _POINTS, "actual less expected"),
        OutColumn("low", Kind.SHARE, "share", "8 of 10 quarters of an average book end above it and below high"),
        OutColumn("high", Kind.SHARE, "share", "See low"),
        OutColumn(
            "without_largest_points",
            Kind.NUMBER,
            _POINTS,
            "The difference without the largest account of each quarter",
            optional=True,
        ),
        OutColumn("beyond_luck_points", Kind.NUMBER, _POINTS, "What is left of the difference once luck is taken off"),
        OutColumn("verdict", Kind.TEXT, "", "above, as expected, below, or too little to tell"),
        OutColumn("basis", Kind.TEXT, "", "on record, or replayed: by a backtest, and no pay should rest on it"),
        OutColumn("definition", Kind.TEXT, "", "What the figures mean"),
    ),
)
COMP_REPLAY = OutTable(
    "comp_replay",
    "One row per person: pay under a plan over past quarters",
    ("person",),
    (
        _PERSON,
        OutColumn("quarters", Kind.INTEGER, "quarters", "That were replayed"),
        OutColumn("on_target", Kind.MONEY, "currency", "Pay at target over them"),
        OutColumn("pay", Kind.MONEY, "currency", "Pay under the plan, less clawback"),
        OutColumn("clawback", Kind.MONEY, "currency", "What growth of accounts had earned that left since"),
        OutColumn(
            "compared_pay",
            Kind.MONEY,
            "currency",
            "Pay under the other plan; without one, the plan's fixed pay and the variable pay on file",
            optional=True,
        ),
        OutColumn("difference", Kind.MONEY, "currency", "pay less compared_pay", optional=True),
        OutColumn("outcome", Kind.TEXT, "", "gains, loses or same; empty = nothing to compare with"),
        OutColumn("compared_with", Kind.TEXT, "", "plan, or paid; empty = nothing to compare with"),
        OutColumn(
            "luck_share",
            Kind.NUMBER,
            "share",
            "Of the differences in pay between people, what luck makes; the same in all rows",
            optional=True,
        ),
        OutColumn("definition", Kind.TEXT, "", "What the figures mean"),
    ),
)
PAY = OutTable(
    "pay",
    "One row per plan and person: pay under the plans of the settings over past quarters",
    ("plan", "person"),
    tuple(
        replace(column, places=PUBLISHED)
        for column in (
            OutColumn("plan", Kind.TEXT, "", "The plan's name: that of its file"),
            OutColumn("role", Kind.TEXT, "", "csm or seller", values=("csm", "seller")),
            OutColumn("is_in_force", Kind.TEXT, "", "yes = the first of its role; no = one that is weighed",
                      values=("yes", "no")),
            *COMP_REPLAY,
        )
    ),
)  # fmt: skip
COHORTS = OutTable(
    "cohorts", COHORT.meaning, (*COHORT.key, "kind"), tuple(replace(column, places=PUBLISHED) for column in COHORT)
)
BUSINESS_LISTS = {table.name: table for table in (PAY, COHORTS)}
BOOK_TABLES = {table.name: table for table in (SCORECARD, COMP_REPLAY)}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast scorecard` and `holdfast comp` write with `--out`",
        "",
        "Made from `serving/forecast/declared/book_tables.py`. See [books and pay](scorecards.md).",
    ]
    return "\n".join([*head, *(line for table in BOOK_TABLES.values() for line in markdown_of(table))]) + "\n"
