"""The tables of `holdfast kpis` and `holdfast cohorts`, declared once: facts, without a model."""

from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import CUT_AND_VALUE, DEFINITION, YEARLY, markdown_of

_AS_OF = OutColumn("as_of", Kind.DATE, "date", "All that was known before this day began went in, nothing later")
KPI = OutTable(
    "kpi",
    "One row per KPI, cut, value and date: a fact, with what it is of",
    ("as_of", "cut", "value", "kpi"),
    (
        OutColumn("kpi", Kind.TEXT, "", "Its name, as a target names it"),
        *CUT_AND_VALUE,
        _AS_OF,
        OutColumn("quarter", Kind.TEXT, "", "The quarter of the day before as_of, whose target it is held against"),
        OutColumn("figure", Kind.NUMBER, "", "The figure, in its unit; empty = there is none, and note says why"),
        OutColumn("n", Kind.INTEGER, "", "Of how many accounts, goals, touches or surveys"),
        OutColumn("unit", Kind.TEXT, "", "share, ratio, people, days, months or currency"),
        OutColumn("target", Kind.NUMBER, "", "The newest target of that quarter known at as_of", optional=True),
        OutColumn("first_target", Kind.NUMBER, "", "The one that was set first, where it was moved", optional=True),
        OutColumn("reached", Kind.TEXT, "", "yes or no; empty = no target", values=("yes", "no", "")),
        OutColumn("note", Kind.TEXT, "", "What else is to be said of it"),
        DEFINITION,
    ),
)
COHORT = OutTable(
    "cohort",
    "One row per cohort, age, cut and value: what the accounts that began in a quarter came to",
    ("cut", "value", "cohort", "age_quarters"),
    (
        OutColumn("kind", Kind.TEXT, "", "actual, or forecast with --ahead", values=("actual", "forecast")),
        OutColumn("cohort", Kind.TEXT, "", "The quarter in which its accounts began, such as 2024-Q1"),
        OutColumn("age_quarters", Kind.INTEGER, "quarters", "From each account's own first day"),
        *CUT_AND_VALUE,
        OutColumn("accounts", Kind.INTEGER, "accounts", "That began then"),
        OutColumn("starting_arr", Kind.MONEY, YEARLY, "Their ARR, each on its first day"),
        OutColumn("logo_retention", Kind.SHARE, "share", "Of them, those that are customers at that age"),
        OutColumn("grr", Kind.SHARE, "share", "Their ARR at that age, each capped at its first, over the first"),
        OutColumn("nrr", Kind.SHARE, "share", "Their ARR at that age over the first"),
        *(
            OutColumn(f"{figure}_{side}", Kind.SHARE, "share", f"{end} end of its 80 % interval", optional=True)
            for figure in ("logo_retention", "grr", "nrr")
            for side, end in (("low", "Lower"), ("high", "Upper"))
        ),
        _AS_OF,
        DEFINITION,
    ),
)
KPI_TABLES = {table.name: table for table in (KPI, COHORT)}


def render_markdown() -> str:
    """The declarations as the third part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast kpis --out` and `holdfast cohorts --out` write",
        "",
        "Made from `serving/forecast/declared/kpi_tables.py`. As `.csv` or `.parquet`; an `.xlsx` has live formulas.",
        "See [the operating model](operating-model.md).",
    ]
    return "\n".join([*head, *(line for table in KPI_TABLES.values() for line in markdown_of(table))]) + "\n"
