"""The output tables, declared once: columns, types, units, meaning, and where each is shown.

A new figure of an account is one line of `ACCOUNT_FIGURES` and its computation in `batch.account_figures`; a new figure
of the portfolio is one line of `METRICS` and its computation in `models.paths.rollup`.
"""

from dataclasses import dataclass, replace

from models.paths.rollup import QUANTILES as PERCENTS
from serving.forecast.declared.bridge_steps import ROLLING, STEP_WORDS
from serving.forecast.declared.column import Form, Interval, Kind, OutColumn, OutTable, Place
from serving.forecast.declared.reason_columns import OF_A_REASON, OF_PEERS

YEARLY = "currency a year"
PUBLISHED = (Place.API, Place.DOWNLOAD)
EVERYWHERE = tuple(Place)
_EXPLAINED = (*PUBLISHED, Place.DATA)
_SUMMED_UP = (*_EXPLAINED, Place.TERMINAL, Place.PAGE)
_HORIZONS_SHOWN = (3, 6, 12)


def horizons_shown(longest: int) -> list[int]:
    """The horizons that people are shown, in months: a few, and the longest."""
    return sorted({horizon for horizon in _HORIZONS_SHOWN if horizon < longest} | {longest})


@dataclass(frozen=True)
class Metric:
    """A figure of the portfolio, one a row of `nrr_forecast`.

    Attributes
    ----------
    definition
        What it means; {start} and {end} are the window's, {year_before} lies twelve months before its end.
    cut_head
        How the tables by cut head its mean; empty where they do not show it.
    """

    name: str
    kind: Kind
    title: str
    definition: str
    cut_head: str = ""


METRICS = (
    Metric(
        "nrr",
        Kind.SHARE,
        "NRR",
        "NRR: ARR at {end} of the accounts with ARR at {start}, over their ARR at {start}",
        "NRR",
    ),
    Metric("grr", Kind.SHARE, "GRR", "GRR: as NRR, each account capped at its ARR at {start}", "GRR"),
    Metric(
        "logo_retention",
        Kind.SHARE,
        "Logo retention",
        "Logo retention: share of the accounts with ARR at {start} that have ARR at {end}",
        "Logos kept",
    ),
    Metric(
        "reported_nrr",
        Kind.SHARE,
        "Reported NRR",
        "Reported NRR, trailing twelve months: ARR at {end} of the accounts with ARR at {year_before}, over their ARR "
        "at {year_before}; what came before {start} is realised, the rest forecast",
    ),
    Metric("ending_arr", Kind.MONEY, "Ending ARR", "ARR at {end} of the accounts with ARR at {start}"),
    Metric(
        "churned_arr",
        Kind.MONEY,
        "Churned ARR",
        "ARR at {start} of the accounts that have none at {end}",
        "Churned ARR",
    ),
    Metric(
        "contracted_arr",
        Kind.MONEY,
        "Contracted ARR",
        "ARR lost from {start} to {end} by accounts that stay with less",
    ),
    Metric(
        "expanded_arr",
        Kind.MONEY,
        "Expanded ARR",
        "ARR gained from {start} to {end} by accounts that end with more",
    ),
)
METRIC_OF = {metric.name: metric for metric in METRICS}
RATIOS = tuple(metric.name for metric in METRICS if metric.kind is Kind.SHARE)
AMOUNTS = tuple(metric.name for metric in METRICS if metric.kind is Kind.MONEY)
CUT_METRICS = tuple(metric for metric in METRICS if metric.cut_head)
QUANTILES = tuple(f"p{percent:02d}" for percent in PERCENTS)
INTERVAL = Interval("p10", "p90")

DEFINITION = OutColumn(
    "definition", Kind.TEXT, "", "What the row's figures mean: window, cohort, reactivation and currency rule"
)
RUN_ID = OutColumn("run_id", Kind.TEXT, "", "The forecast; the same inputs and settings give the same id")
AS_OF = OutColumn("as_of", Kind.DATE, "date", "All that was known before this day began went in, nothing later")
MODEL_VERSION = OutColumn("model_version", Kind.TEXT, "", "Version of the registered model that scored")
MADE_AT = OutColumn("made_at", Kind.TIME, "UTC", "When the forecast was made")
RUN_COLUMNS = (RUN_ID, AS_OF, MODEL_VERSION, MADE_AT)


def _table(name: str, meaning: str, key: tuple[str, ...], *columns: OutColumn, lead: tuple[str, ...] = ()) -> OutTable:
    return OutTable(name, meaning, key, (*columns, DEFINITION, *RUN_COLUMNS), lead)


ACCOUNT_ID = OutColumn("account_id", Kind.TEXT, "", "The account", places=PUBLISHED, sortable=True)
HORIZON = OutColumn(
    "horizon_months",
    Kind.INTEGER,
    "months",
    "The window is [as_of, as_of + horizon)",
    places=_SUMMED_UP,
    head="Months",
)
_CUT = OutColumn("cut", Kind.TEXT, "", "total, or the account attribute the portfolio is split by", places=PUBLISHED)
_VALUE = OutColumn(
    "value", Kind.TEXT, "", "The value of that attribute at as_of; (none) where it is missing", places=PUBLISHED
)
CUT_AND_VALUE = (_CUT, _VALUE)

ARR = OutColumn(
    "arr",
    Kind.MONEY,
    YEARLY,
    "ARR at as_of",
    places=(*PUBLISHED, Place.BOOK, Place.AT_RISK),
    head="ARR",
    sortable=True,
)
RENEWS_ON = OutColumn(
    "renews_on",
    Kind.DATE,
    "date",
    "Earliest known term end of its lines; empty = evergreen",
    places=(*PUBLISHED, Place.BOOK, Place.AT_RISK),
    form=Form.TERM_END,
    optional=True,
    sortable=True,
)
ACCOUNT_FACTS = (ARR, RENEWS_ON)
"""What account_forecast says of an account whatever the horizon, in `batch.account_facts`."""
CROSS_SELL = (
    "ARR grows in some month of the window while more products or buying centres come to be paid for, whatever follows "
    "(empty where no contract tells products or buying centres)"
)
ACCOUNT_FIGURES = (
    OutColumn(
        "churn_probability",
        Kind.SHARE,
        "probability",
        "That no ARR is left at the window's end",
        places=EVERYWHERE,
        head="Churn",
        sortable=True,
    ),
    OutColumn(
        "contraction_probability",
        Kind.SHARE,
        "probability",
        "That it stays, with less ARR than at as_of",
        places=_SUMMED_UP,
        head="Contraction",
    ),
    OutColumn(
        "expansion_probability",
        Kind.SHARE,
        "probability",
        "That it ends with more ARR than at as_of",
        places=_SUMMED_UP,
        head="Expansion",
        sortable=True,
    ),
    OutColumn(
        "cross_sell_probability",
        Kind.SHARE,
        "probability",
        f"That {CROSS_SELL}",
        places=(*_EXPLAINED, Place.PAGE),
        head="Cross-sell",
        optional=True,
        definition=f"cross-sell = {CROSS_SELL}",
    ),
    OutColumn(
        "expected_arr",
        Kind.MONEY,
        YEARLY,
        "Mean ARR at the window's end",
        places=_SUMMED_UP,
        head="Expected ARR",
        interval=Interval("arr_p10", "arr_p90"),
        sortable=True,
    ),
    OutColumn("arr_p10", Kind.MONEY, YEARLY, "10th percentile of it", places=_EXPLAINED),
    OutColumn("arr_p50", Kind.MONEY, YEARLY, "Median of it", places=PUBLISHED),
    OutColumn("arr_p90", Kind.MONEY, YEARLY, "90th percentile of it", places=_EXPLAINED),
    OutColumn(
        "arr_at_risk",
        Kind.MONEY,
        YEARLY,
        "arr x churn_probability",
        places=(*PUBLISHED, Place.BOOK, Place.AT_RISK),
        head="ARR at risk",
        sortable=True,
        definition="ARR at risk = ARR x churn probability",
    ),
    OutColumn(
        "first_leaving_probability",
        Kind.SHARE,
        "probability",
        "That it leaves at least once in the window; where returns count, more than churn_probability",
    ),
)
"""What account_forecast says of an account over each horizon, computed in `batch.account_figures`."""
ACCOUNT_FORECAST = _table(
    "account_forecast",
    "One row per account and horizon",
    ("account_id", "horizon_months"),
    ACCOUNT_ID,
    HORIZON,
    ARR,
    *ACCOUNT_FIGURES,
    RENEWS_ON,
)

ACCOUNT_DRIVER = _table(
    "account_driver",
    "One row per account, outcome and reason, ranked",
    ("account_id", "outcome", "rank"),
    replace(ACCOUNT_ID, places=()),
    *OF_A_REASON,
)
ACCOUNT_PEERS = _table(
    "account_peers",
    "One row per account and outcome: peer_probability and the four effects add up to probability",
    ("account_id", "outcome"),
    replace(ACCOUNT_ID, places=()),
    *OF_PEERS,
)


def _of_futures(name: str, what: str) -> OutColumn:
    """A mean or a quantile of the portfolio's futures."""
    places = _EXPLAINED if name in ("mean", "p50", *INTERVAL[:2]) else PUBLISHED
    meaning = f"{what} of the simulated futures; money or a ratio, as the metric"
    return OutColumn(name, Kind.NUMBER, "", meaning, places=places)


NRR_FORECAST = _table(
    "nrr_forecast",
    "One row per cut, value, horizon and metric",
    ("cut", "value", "horizon_months", "metric"),
    *CUT_AND_VALUE,
    HORIZON,
    OutColumn(
        "metric",
        Kind.TEXT,
        "",
        f"Ratios: {', '.join(RATIOS)}. Money: {', '.join(AMOUNTS)}",
        places=_EXPLAINED,
        values=tuple(METRIC_OF),
    ),
    _of_futures("mean", "Mean"),
    *(_of_futures(name, f"{percent}th percentile") for name, percent in zip(QUANTILES, PERCENTS, strict=True)),
    OutColumn("starting_arr", Kind.MONEY, YEARLY, "ARR of the cohort at as_of", places=_EXPLAINED, head="ARR"),
    OutColumn("accounts", Kind.INTEGER, "accounts", "Accounts in the cohort", places=_EXPLAINED),
)

RENEWAL_FORECAST = _table(
    "renewal_forecast",
    "One row per cut, value and month in which terms end",
    ("cut", "value", "month"),
    *CUT_AND_VALUE,
    OutColumn("month", Kind.DATE, "date", "First day of the calendar month", places=_SUMMED_UP, form=Form.MONTH),
    OutColumn(
        "from_day",
        Kind.DATE,
        "date",
        "First day counted: that of the month, or as_of in the month of as_of",
        places=(Place.DATA,),
    ),
    OutColumn(
        "until_day",
        Kind.DATE,
        "date",
        "First day not counted: that of the next month, or the horizon's end",
        places=(Place.DATA,),
    ),
    OutColumn(
        "available_to_renew",
        Kind.MONEY,
        YEARLY,
        "ARR whose known term ends on a day of the month that is counted",
        places=_SUMMED_UP,
    ),
    OutColumn(
        "expected_renewed",
        Kind.MONEY,
        YEARLY,
        "Mean of what is kept of it after the grace",
        places=_SUMMED_UP,
        interval=INTERVAL._replace(brief=True),
    ),
    OutColumn(
        "renewal_rate",
        Kind.SHARE,
        "share",
        "expected_renewed / available_to_renew; not NRR",
        places=_SUMMED_UP,
        head="Rate",
        optional=True,
    ),
    OutColumn("p10", Kind.MONEY, YEARLY, "10th percentile of the renewed ARR", places=_EXPLAINED),
    OutColumn("p90", Kind.MONEY, YEARLY, "90th percentile of the renewed ARR", places=_EXPLAINED),
    OutColumn(
        "accounts_due",
        Kind.INTEGER,
        "accounts",
        "Accounts with a term that ends on a day of the month that is counted",
        places=_SUMMED_UP,
    ),
    lead=("month", "accounts_due"),
)

TABLES: dict[str, OutTable] = {
    table.name: table for table in (ACCOUNT_FORECAST, ACCOUNT_DRIVER, ACCOUNT_PEERS, NRR_FORECAST, RENEWAL_FORECAST)
}


_PREVIOUS = "the last official forecast before"
FORECAST_BRIDGE = _table(
    "forecast_bridge",
    "One row per account: from what the last official forecast expected of it at a date to what this one expects, in "
    "steps that add up to the cent",
    ("account_id",),
    ACCOUNT_ID,
    OutColumn("from_as_of", Kind.DATE, "date", f"as_of of {_PREVIOUS}", places=PUBLISHED),
    OutColumn("from_run_id", Kind.TEXT, "", f"Run of {_PREVIOUS}"),
    OutColumn("target", Kind.DATE, "date", "The date whose ARR both forecast: where the first's window ends"),
    OutColumn("expected_before", Kind.MONEY, YEARLY, f"Expected ARR then by {_PREVIOUS}", places=PUBLISHED),
    *(
        OutColumn(step.value, Kind.MONEY, YEARLY, words.meaning, places=PUBLISHED, head=words.title)
        for step, words in STEP_WORDS.items()
        if step not in ROLLING
    ),
    OutColumn("expected_now", Kind.MONEY, YEARLY, "Expected ARR then by this forecast", places=PUBLISHED),
    OutColumn(
        "reason",
        Kind.TEXT,
        "",
        "What moved it most, in a sentence; empty if nothing did",
        places=PUBLISHED,
        optional=True,
    ),
)


def render_markdown() -> str:
    """The declarations as `docs/outputs.md`."""
    parts = [
        "# What comes out",
        "",
        "Made by `make docs` from `serving/forecast/declared/output_tables.py`; do not edit it here. Each table is",
        "written as `export` says, to `<data_dir>/forecasts/<as_of>/`: Parquet, CSV, and with `xlsx` all of them",
        "as one workbook with a summary and the names of the accounts.",
    ]
    for table in (*TABLES.values(), FORECAST_BRIDGE):
        parts += markdown_of(table)
    return "\n".join(parts) + "\n"


def markdown_of(table: OutTable) -> list[str]:
    """A table's declaration as lines of Markdown."""
    head = [
        "",
        f"## {table.name}",
        "",
        f"{table.meaning}.",
        "",
        "| column | type | unit | meaning |",
        "|---|---|---|---|",
    ]
    return head + [f"| {c.name} | {c.kind} | {c.unit} | {c.meaning} |" for c in table]
