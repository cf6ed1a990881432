"""Lists as CSV and XLSX: the same rows as the API's, text guarded against being run as a formula."""

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from serving.forecast.declared.book_tables import BUSINESS_LISTS
from serving.forecast.declared.column import Kind, OutTable, Place
from serving.forecast.declared.customer_tables import CUSTOMER_LISTS
from serving.forecast.declared.published_lists import LISTS
from serving.forecast.declared.team_tables import TEAM_LISTS
from serving.forecast.export import write_csv
from serving.forecast.forecast_workbook import write_table

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_ONE_WORKBOOK = threading.Lock()  # a workbook takes seconds and memory: one at a time


def render(name: str, rows: Sequence[Mapping[str, Any]], kind: str, about: Mapping[str, str]) -> bytes:
    """A list as a file: `kind` csv or xlsx; a workbook's first sheet says what the columns mean, and `about`."""
    declared = {**LISTS, **TEAM_LISTS, **CUSTOMER_LISTS, **BUSINESS_LISTS}[name]
    table = replace(declared, columns=declared.at(Place.DOWNLOAD))
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
        elif column.kind in (Kind.DATE, Kind.TIME):
            frame[column.name] = pd.to_datetime(values, utc=column.kind is Kind.TIME)
        else:
            frame[column.name] = pd.to_numeric(values)
    return frame
