"""The account rows of a run as one file: a row an account and horizon that is kept, ids for names, whole numbers."""

from datetime import date

import pandas as pd
import pyarrow as pa

from serving.forecast.declared.output_tables import ACCOUNT_FORECAST, DEFINITION, RUN_COLUMNS
from serving.ledger import whole_numbers
from serving.ledger.subjects import Subjects

HORIZONS = (1, 3, 6, 12)
_ELSEWHERE = {"account_id", DEFINITION.name, *(column.name for column in RUN_COLUMNS)}


def horizons_kept(as_of: date, longest: int) -> tuple[int, ...]:
    """Months ahead whose account rows are kept: 1, 3, 6, 12, to the calendar year's end, and the longest."""
    year_end = 13 - as_of.month
    return tuple(sorted({months for months in (*HORIZONS, year_end) if months < longest} | {longest}))


def account_rows(rows: pd.DataFrame, subjects: Subjects) -> pa.Table:
    """What there is of the columns of account_forecast, sorted by the ids that stand for the accounts.

    Parameters
    ----------
    rows
        `account_id`, `horizon_months` and any other columns of account_forecast.
    subjects
        Of all their accounts.
    """
    columns = {"subject_id": subjects.hide("account_id", rows["account_id"])}
    for column in ACCOUNT_FORECAST:
        if column.name in rows.columns and column.name not in _ELSEWHERE:
            columns[column.name] = whole_numbers.column(rows[column.name], column.kind)
    table = pa.table(columns)
    return table.sort_by([("subject_id", "ascending"), ("horizon_months", "ascending")])
