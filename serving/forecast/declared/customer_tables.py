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


def _with_ends(name: str, kind: Kind, unit: str, meaning: str) -> tuple[OutColumn, ...]:
    """A figure and the ends of its 95 % interval, all of which may be empty."""
    ends = (
        (f"{name}_{side}", f"{end} end of its 95 % interval") for side, end in (("low", "Lower"), ("high", "Upper"))
    )
    return (
        OutColumn(name, kind, unit, meaning, optional=True),
        *(OutColumn(end, kind, unit, words, optional=True) for end, words in ends),
    )


_CLASS = ("good", "stretch", "bad")


def _first_year(name: str, meaning: str, key: tuple[str, ...], fit: str) -> OutTable:
    """What accounts came to in their first year, by what was known when they signed."""
    columns = (
        OutColumn("attribute", Kind.TEXT, "", "What was known at signing"),
        OutColumn("value", Kind.TEXT, "", "Its value, or a range of a number"),
        OutColumn("n", Kind.INTEGER, "accounts", "Accounts with it whose first year is over"),
        OutColumn("proposed_fit", Kind.TEXT, "", fit, values=_CLASS),
        OutColumn("kept", Kind.SHARE, "share", "Share of its ARR that the average account kept", optional=True),
        OutColumn("low", Kind.SHARE, "share", "Lower end of its 95 % interval", optional=True),
        OutColumn("high", Kind.SHARE, "share", "Upper end of its 95 % interval", optional=True),
        *_with_ends("grr", Kind.SHARE, "share", "GRR of the first year"),
        *_with_ends("nrr", Kind.SHARE, "share", "NRR of the first year"),
        *_with_ends("first_value_by_day_90", Kind.SHARE, "share", "That reached first value by day 90"),
        *_with_ends("ttfv_median", Kind.NUMBER, "days", "Day by which half had reached it; empty = not in the year"),
        *_with_ends("cac_payback", Kind.NUMBER, "months", "Cost to win them over the year's gross profit a month"),
        *(OutColumn(f"given_{one}", Kind.SHARE, "share", f"Judged {one}", optional=True) for one in _CLASS),
    )
    return OutTable(name, meaning, key, columns)


_VALUES = _first_year(
    "fit_values", "One row per attribute and value: the first year of its accounts", ("attribute", "value"),
    "good or bad if older accounts and newer ones say so, else stretch",
)  # fmt: skip
_GIVEN = _first_year(
    "fit_given", "One row per class of fit as judged: the first year of its accounts", ("value",), "The class itself"
)
_SOLD = OutTable(
    "fit_sold",
    "One row per quarter, cut and value: the bad fit among the accounts that began",
    ("quarter", "cut", "value"),
    (
        OutColumn("quarter", Kind.TEXT, "", "In which they began, such as 2025-Q3; or all"),
        OutColumn("cut", Kind.TEXT, "", "total, source or seller"),
        OutColumn("value", Kind.TEXT, "", "Value of the cut"),
        OutColumn("accounts", Kind.INTEGER, "accounts", "That began, of which the fit is known"),
        OutColumn("bad", Kind.INTEGER, "accounts", "Of them, of bad fit"),
        *_with_ends("share", Kind.SHARE, "share", "bad over accounts"),
    ),
)
_DISAGREEMENTS = OutTable(
    "fit_disagreements",
    "One row per customer whose fit as judged speaks against what the data say",
    ("account_id",),
    (
        ACCOUNT_ID,
        OutColumn("name", Kind.TEXT, "", "Its name"),
        OutColumn("seller", Kind.TEXT, "", "Who sold it"),
        OutColumn("source", Kind.TEXT, "", "Where it came from"),
        OutColumn("arr", Kind.MONEY, YEARLY, "Its ARR"),
        OutColumn("given_fit", Kind.TEXT, "", "As judged, or by the mean of the fits known", values=("good", "bad")),
        OutColumn("proposed_fit", Kind.TEXT, "", "By its values that are good or bad", values=("good", "bad")),
        OutColumn("why", Kind.TEXT, "", "Those values"),
    ),
)
ICP_TABLES = {"rows": _VALUES, "given": _GIVEN, "sold": _SOLD, "disagreements": _DISAGREEMENTS}
"""The parts of what `holdfast icp` gives, by their name in its JSON."""
BEHAVIOUR = OutTable(
    "behaviours",
    "One row per behaviour and segment: how many of those with it and without it stayed",
    ("behaviour", "segment"),
    (
        OutColumn("behaviour", Kind.TEXT, "", "Such as 3 users of invites"),
        OutColumn("of", Kind.TEXT, "", "use of the product, or content", values=("use", "content")),
        OutColumn("segment", Kind.TEXT, "", "The segment; all = of all"),
        OutColumn("by_day", Kind.INTEGER, "days", "By which age"),
        OutColumn("kept_above", Kind.SHARE, "share", "Of those with it, still customers a year after that age"),
        OutColumn("kept_below", Kind.SHARE, "share", "Of those without"),
        OutColumn("difference", Kind.NUMBER, "share", "Their difference within segment and size"),
        OutColumn("low", Kind.NUMBER, "share", "Lower end of its 95 % interval"),
        OutColumn("high", Kind.NUMBER, "share", "Upper end of its 95 % interval"),
        OutColumn("n", Kind.INTEGER, "accounts", "Accounts that judge it"),
        OutColumn("leavings", Kind.INTEGER, "accounts", "Of those of all segments, that left"),
        OutColumn("p_value", Kind.NUMBER, "probability", "Of so much or more by luck, of all segments"),
        OutColumn("confirmed", Kind.TEXT, "", "Whether newer accounts confirm it", values=("yes", "no", "")),
        OutColumn("says", Kind.TEXT, "", "What it says, and what not"),
        OutColumn("condition", Kind.TEXT, "", "To paste into `journey`; empty of content"),
        OutColumn("yaml", Kind.TEXT, "", "A line of settings that makes a feature of it"),
        OutColumn("yaml_health", Kind.TEXT, "", "The same with a measure of the health score, of weight 0"),
        OutColumn("yaml_alert", Kind.TEXT, "", "The same with an alert of young accounts that lack it"),
        OutColumn("effect", Kind.TEXT, "", "The action that is to bring it about, if any"),
        OutColumn("effect_says", Kind.TEXT, "", "What the study of actions says of that action"),
    ),
)
CUSTOMER_LISTS: dict[str, OutTable] = {table.name: table for table in (LOSS, WHITESPACE)}
CUSTOMER_TABLES: dict[str, OutTable] = {table.name: table for table in (LOSS, WHITESPACE, VOICE)}
STAYING_TABLES: dict[str, OutTable] = {table.name: table for table in (BEHAVIOUR, *ICP_TABLES.values())}


def render_markdown() -> str:
    """The declarations as a part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast losses`, `whitespace` and `voice` write with `--out`",
        "",
        "Made from `serving/forecast/declared/customer_tables.py`. See [the operating model](operating-model.md).",
    ]
    more = [
        "",
        "# What `holdfast behaviours` and `icp` write with `--out`",
        "",
        "The same file. A workbook of `icp` has a sheet for each; of `.csv` and `.parquet` three lie beside the first.",
    ]
    parts = [*head, *(line for table in CUSTOMER_TABLES.values() for line in markdown_of(table))]
    parts += [*more, *(line for table in STAYING_TABLES.values() for line in markdown_of(table))]
    return "\n".join(parts) + "\n"
