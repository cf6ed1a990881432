"""The output tables, declared once: columns, types, units and meaning.

What is written, how a spreadsheet formats it and `docs/outputs.md` all follow from these declarations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from serving.forecast.definitions import CROSS_SELL


class Kind(StrEnum):
    """What an output column holds."""

    TEXT = "text"
    INTEGER = "integer"
    MONEY = "money"
    SHARE = "share"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"

    @property
    def dtype(self) -> str:
        """The pandas type of the column."""
        return _DTYPES[self]


_DTYPES = {
    Kind.TEXT: "str",
    Kind.INTEGER: "int64",
    Kind.MONEY: "float64",
    Kind.SHARE: "float64",
    Kind.NUMBER: "float64",
    Kind.DATE: "datetime64[s]",
    Kind.TIME: "datetime64[s, UTC]",
}


@dataclass(frozen=True)
class OutColumn:
    """A column of an output table."""

    name: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True)
class OutTable:
    """An output table; `key` names the columns that tell its rows apart within one forecast."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[OutColumn, ...]

    def __iter__(self) -> Iterator[OutColumn]:
        """The columns, in order."""
        return iter(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    def shape(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with exactly these columns, in this order and of these types, sorted by the key.

        Raises
        ------
        ValueError
            A declared column is absent.
        """
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise ValueError(f"{self.name} lacks {', '.join(absent)}; every declared column must be given.")
        typed = frame[list(self.names)].astype({column.name: column.kind.dtype for column in self})
        return typed.sort_values(list(self.key), ignore_index=True)


DEFINITION = OutColumn(
    "definition", Kind.TEXT, "", "What the row's figures mean: window, cohort, reactivation and currency rule"
)

RUN_COLUMNS = (
    OutColumn("run_id", Kind.TEXT, "", "The forecast; the same inputs and settings give the same id"),
    OutColumn("as_of", Kind.DATE, "date", "All that was known before this day began went in, nothing later"),
    OutColumn("model_version", Kind.TEXT, "", "Version of the registered model that scored"),
    OutColumn("made_at", Kind.TIME, "UTC", "When the forecast was made"),
)


def _table(name: str, meaning: str, key: tuple[str, ...], *columns: OutColumn) -> OutTable:
    return OutTable(name, meaning, key, (*columns, DEFINITION, *RUN_COLUMNS))


_ACCOUNT = OutColumn("account_id", Kind.TEXT, "", "The account")
_CUT = OutColumn("cut", Kind.TEXT, "", "total, or the account attribute the portfolio is split by")
_VALUE = OutColumn("value", Kind.TEXT, "", "The value of that attribute at as_of; (none) where it is missing")
_HORIZON = OutColumn("horizon_months", Kind.INTEGER, "months", "The window is [as_of, as_of + horizon)")


def _quantiles(*percents: int) -> tuple[OutColumn, ...]:
    meaning = "{}th percentile of the simulated futures; money or a ratio, as the metric"
    return tuple(OutColumn(f"p{p:02d}", Kind.NUMBER, "", meaning.format(p)) for p in percents)


ACCOUNT_FORECAST = _table(
    "account_forecast",
    "A row an account and horizon",
    ("account_id", "horizon_months"),
    _ACCOUNT,
    _HORIZON,
    OutColumn("arr", Kind.MONEY, "currency a year", "ARR at as_of"),
    OutColumn("churn_probability", Kind.SHARE, "probability", "That no ARR is left at the window's end"),
    OutColumn("contraction_probability", Kind.SHARE, "probability", "That it stays, with less ARR than at as_of"),
    OutColumn("expansion_probability", Kind.SHARE, "probability", "That it ends with more ARR than at as_of"),
    OutColumn("cross_sell_probability", Kind.SHARE, "probability", f"That {CROSS_SELL}"),
    OutColumn("expected_arr", Kind.MONEY, "currency a year", "Mean ARR at the window's end"),
    OutColumn("arr_p10", Kind.MONEY, "currency a year", "10th percentile of it"),
    OutColumn("arr_p50", Kind.MONEY, "currency a year", "Median of it"),
    OutColumn("arr_p90", Kind.MONEY, "currency a year", "90th percentile of it"),
    OutColumn("arr_at_risk", Kind.MONEY, "currency a year", "arr x churn_probability"),
    OutColumn("renews_on", Kind.DATE, "date", "Earliest known term end of its lines; empty = evergreen"),
)

ACCOUNT_DRIVER = _table(
    "account_driver",
    "A row an account, outcome and reason, ranked",
    ("account_id", "outcome", "rank"),
    _ACCOUNT,
    OutColumn("outcome", Kind.TEXT, "", "churn or expansion"),
    OutColumn("rank", Kind.INTEGER, "", "1 = moves the probability most, up or down"),
    OutColumn("feature", Kind.TEXT, "", "The model input shown for the reason"),
    OutColumn("value", Kind.TEXT, "", "Its value at as_of; empty = not known"),
    OutColumn(
        "effect",
        Kind.NUMBER,
        "probability points",
        "What the reason adds to the probability, against the average account; 0.01 = one point",
    ),
    OutColumn(
        "text",
        Kind.TEXT,
        "",
        "The sentence a CSM reads; typical = the median of its third of the accounts by ARR",
    ),
)

NRR_FORECAST = _table(
    "nrr_forecast",
    "A row a cut, value, horizon and metric",
    ("cut", "value", "horizon_months", "metric"),
    _CUT,
    _VALUE,
    _HORIZON,
    OutColumn(
        "metric",
        Kind.TEXT,
        "",
        "Ratios: nrr, grr, logo_retention, reported_nrr. Money: ending_arr, churned_arr, contracted_arr, expanded_arr",
    ),
    OutColumn("mean", Kind.NUMBER, "", "Mean of the simulated futures; money or a ratio, as the metric"),
    *_quantiles(5, 10, 25, 50, 75, 90, 95),
    OutColumn("starting_arr", Kind.MONEY, "currency a year", "ARR of the cohort at as_of"),
    OutColumn("accounts", Kind.INTEGER, "accounts", "Accounts in the cohort"),
)

RENEWAL_FORECAST = _table(
    "renewal_forecast",
    "A row a cut, value and month in which terms end",
    ("cut", "value", "month"),
    _CUT,
    _VALUE,
    OutColumn("month", Kind.DATE, "date", "First day of the calendar month"),
    OutColumn("from_day", Kind.DATE, "date", "First day counted: that of the month, or as_of in the month of as_of"),
    OutColumn("until_day", Kind.DATE, "date", "First day not counted: that of the next month, or the horizon's end"),
    OutColumn(
        "available_to_renew", Kind.MONEY, "currency a year", "ARR whose known term ends in [from_day, until_day)"
    ),
    OutColumn("expected_renewed", Kind.MONEY, "currency a year", "Mean of what is kept of it after the grace"),
    OutColumn("renewal_rate", Kind.SHARE, "share", "expected_renewed / available_to_renew; not NRR"),
    OutColumn("p10", Kind.MONEY, "currency a year", "10th percentile of the renewed ARR"),
    OutColumn("p90", Kind.MONEY, "currency a year", "90th percentile of the renewed ARR"),
    OutColumn("accounts_due", Kind.INTEGER, "accounts", "Accounts with a term that ends in [from_day, until_day)"),
)

TABLES: dict[str, OutTable] = {
    table.name: table for table in (ACCOUNT_FORECAST, ACCOUNT_DRIVER, NRR_FORECAST, RENEWAL_FORECAST)
}


def render_markdown() -> str:
    """The declarations as `docs/outputs.md`."""
    parts = [
        "# What comes out",
        "",
        "Made by `make docs` from `serving/forecast/output_tables.py`; do not edit it here. Each table is written",
        "and all of them as one XLSX workbook, to `<data_dir>/forecasts/<as_of>/`.",
    ]
    for table in TABLES.values():
        parts += ["", f"## {table.name}", "", f"{table.meaning}.", "", "| column | type | unit | meaning |"]
        parts += ["|---|---|---|---|"]
        parts += [f"| {c.name} | {c.kind} | {c.unit} | {c.meaning} |" for c in table]
    return "\n".join(parts) + "\n"
