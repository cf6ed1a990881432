"""Lists as CSV and XLSX: the same rows as the API's, declared once, text guarded against being run as a formula."""

import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from serving.forecast.definitions import CROSS_SELL
from serving.forecast.export import write_csv, write_table
from serving.forecast.output_tables import Kind, OutColumn, OutTable

_ACCOUNT = OutColumn("account_id", Kind.TEXT, "", "The account")
_CSM = OutColumn("csm", Kind.TEXT, "", "The CSM whose book it is in")
_HORIZON = OutColumn("horizon_months", Kind.INTEGER, "months", "The window is [as_of, as_of + this many months)")
_YEARLY = "currency a year"
_SCOPE = (
    OutColumn("cut", Kind.TEXT, "", "total, or a column of accounts"),
    OutColumn("value", Kind.TEXT, "", "Its value"),
)

ACCOUNTS = OutTable(
    "accounts",
    "Accounts over one horizon",
    ("account_id",),
    (
        _ACCOUNT,
        OutColumn("name", Kind.TEXT, "", "Its name"),
        _CSM,
        OutColumn("segment", Kind.TEXT, "", "Its segment"),
        OutColumn("region", Kind.TEXT, "", "Its region"),
        OutColumn("arr", Kind.MONEY, _YEARLY, "ARR at as_of"),
        OutColumn("renews_on", Kind.DATE, "date", "Earliest known term end of its lines; empty = evergreen"),
        _HORIZON,
        OutColumn("churn_probability", Kind.SHARE, "probability", "That no ARR is left at the window's end"),
        OutColumn("contraction_probability", Kind.SHARE, "probability", "That it stays, with less ARR than at as_of"),
        OutColumn("expansion_probability", Kind.SHARE, "probability", "That it ends with more ARR than at as_of"),
        OutColumn("cross_sell_probability", Kind.SHARE, "probability", f"That {CROSS_SELL}"),
        OutColumn("expected_arr", Kind.MONEY, _YEARLY, "Mean ARR at the window's end"),
        OutColumn("arr_p10", Kind.MONEY, _YEARLY, "10th percentile of it"),
        OutColumn("arr_p50", Kind.MONEY, _YEARLY, "Median of it"),
        OutColumn("arr_p90", Kind.MONEY, _YEARLY, "90th percentile of it"),
        OutColumn("arr_at_risk", Kind.MONEY, _YEARLY, "arr x churn_probability"),
        OutColumn("trend", Kind.NUMBER, "probability", "Change of the churn probability since the snapshot before"),
        OutColumn(
            "top_reason",
            Kind.TEXT,
            "",
            "The strongest reason that raises its churn probability; empty if none of its main reasons does",
        ),
    ),
)
NRR = OutTable(
    "nrr",
    "NRR, GRR and what they are made of",
    ("cut", "value", "horizon_months", "metric"),
    (
        *_SCOPE,
        _HORIZON,
        OutColumn("metric", Kind.TEXT, "", "nrr, grr, logo_retention, reported_nrr, or an amount of ARR"),
        OutColumn("mean", Kind.NUMBER, "", "Mean of the simulated futures; money or a ratio, as the metric"),
        *(OutColumn(f"p{p:02d}", Kind.NUMBER, "", f"{p}th percentile of them") for p in (5, 10, 25, 50, 75, 90, 95)),
        OutColumn("starting_arr", Kind.MONEY, _YEARLY, "ARR of the cohort at as_of"),
        OutColumn("accounts", Kind.INTEGER, "accounts", "Accounts in the cohort"),
        OutColumn("definition", Kind.TEXT, "", "What the figure means"),
    ),
)
RENEWALS = OutTable(
    "renewals",
    "Renewals by the month in which terms end",
    ("cut", "value", "month"),
    (
        *_SCOPE,
        OutColumn("month", Kind.DATE, "date", "First day of the month"),
        OutColumn("available_to_renew", Kind.MONEY, _YEARLY, "ARR whose known term ends in the month"),
        OutColumn("expected_renewed", Kind.MONEY, _YEARLY, "Mean of what is kept of it after the grace"),
        OutColumn("renewal_rate", Kind.SHARE, "share", "expected_renewed / available_to_renew; not NRR"),
        OutColumn("p10", Kind.MONEY, _YEARLY, "10th percentile of the renewed ARR"),
        OutColumn("p90", Kind.MONEY, _YEARLY, "90th percentile of the renewed ARR"),
        OutColumn("accounts_due", Kind.INTEGER, "accounts", "Accounts with a term that ends in the month"),
    ),
)
MOVEMENTS = OutTable(
    "movements",
    "Movements of ARR in the last twelve months",
    ("account_id", "movement", "product"),
    (
        _ACCOUNT,
        _CSM,
        OutColumn(
            "movement",
            Kind.TEXT,
            "",
            "new, reactivation, upsell, cross_sell, price_change, currency, contraction, churn",
        ),
        OutColumn("product", Kind.TEXT, "", "The product, where lines name one"),
        OutColumn("amount", Kind.MONEY, _YEARLY, "Change of ARR"),
    ),
)
HISTORY = OutTable(
    "history",
    "Past churn probabilities over the longest horizon",
    ("account_id", "as_of", "kind"),
    (
        _ACCOUNT,
        OutColumn("as_of", Kind.DATE, "date", "Nothing known later was used"),
        OutColumn("kind", Kind.TEXT, "", "published = said then; rescored = today's model on what was known then"),
        OutColumn("model_version", Kind.TEXT, "", "The model"),
        OutColumn("churn_probability", Kind.SHARE, "probability", "That no ARR is left at the window's end"),
        OutColumn("arr", Kind.MONEY, _YEARLY, "ARR then"),
    ),
)
FORECASTS = OutTable(
    "forecasts",
    "NRR and GRR as this and earlier publications forecast them",
    ("cut", "value", "metric", "horizon_months", "as_of"),
    (
        *_SCOPE,
        OutColumn("metric", Kind.TEXT, "", "nrr or grr"),
        _HORIZON,
        OutColumn("as_of", Kind.DATE, "date", "Nothing known later was used"),
        OutColumn("run_id", Kind.TEXT, "", "The run"),
        OutColumn("model_version", Kind.TEXT, "", "The model"),
        OutColumn("mean", Kind.NUMBER, "", "Mean of the simulated futures"),
        OutColumn("p10", Kind.NUMBER, "", "10th percentile of them"),
        OutColumn("p90", Kind.NUMBER, "", "90th percentile of them"),
    ),
)
LISTS: Mapping[str, OutTable] = {t.name: t for t in (ACCOUNTS, NRR, RENEWALS, MOVEMENTS, HISTORY, FORECASTS)}
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_ONE_WORKBOOK = threading.Lock()  # a workbook takes seconds and memory: one at a time


def render(name: str, rows: Sequence[Mapping[str, Any]], kind: str, about: Mapping[str, str]) -> bytes:
    """A list as a file: `kind` csv or xlsx; a workbook's first sheet says what the columns mean, and `about`."""
    table = LISTS[name]
    frame = _frame(table, rows)
    if kind == "csv":
        text = io.StringIO()
        write_csv(table, frame, text)
        return text.getvalue().encode()
    content = io.BytesIO()
    with _ONE_WORKBOOK:
        write_table(table, frame, content, about)
    return content.getvalue()


def _frame(table: OutTable, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(table.names))
    for column in table:
        values = frame[column.name]
        if column.kind is Kind.TEXT:
            frame[column.name] = values.astype("str").where(values.notna())
        elif column.kind is Kind.DATE:
            frame[column.name] = pd.to_datetime(values)
        else:
            frame[column.name] = pd.to_numeric(values)
    return frame
