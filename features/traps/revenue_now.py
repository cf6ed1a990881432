"""What the checked tables come to in money: customers, ARR and retention now, and month by month."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from features.revenue import add_months
from features.revenue.paths import arr_of_lines
from features.revenue.retention import definition, retention_of_lines, summarise
from features.tables.checked import Tables
from params import Params

MONTHS = 24
YEAR = 12


@dataclass(frozen=True)
class MonthRow:
    """Customers and ARR on the first day of a month, and who came, came back and left since that of the month before.

    The newest row is that of the day where the data end, whichever it is. `new_arr` is what those who are new come to
    then, `churned_arr` what those who left came to before.
    """

    month: str
    accounts: int
    arr: float
    new: int
    returned: int
    churned: int
    new_arr: float
    churned_arr: float


@dataclass(frozen=True)
class RevenueNow:
    """The figures of the whole portfolio as of `as_of`; what cannot be told is None."""

    as_of: str
    currency: str
    accounts: int
    arr: float
    median_arr: float | None
    largest: Mapping[str, Any] | None
    accounts_12m_ago: int | None
    arr_12m_ago: float | None
    nrr_12m: float | None
    grr_12m: float | None
    logo_retention_12m: float | None
    churned_accounts_12m: int | None
    months: tuple[MonthRow, ...]
    definition: str

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return asdict(self) | {"months": [asdict(month) for month in self.months]}


def revenue_now(connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params) -> RevenueNow:
    """Customers, ARR and retention as the tables tell them, by the rules of `params.revenue`.

    `connection` holds the lines known before the data end, see `lines_known`.

    Raises
    ------
    NoRate
        A line in force has a currency that has no rate by then.
    """
    as_of = tables.data_until
    names, first_paid = _accounts(connection, tables)
    instants = _instants(as_of, first_paid)
    history = arr_of_lines(connection, tables, instants, rules=params.revenue, rates_on=as_of)
    year_back = _year_back(connection, tables, params, first_paid)
    table = history.pivot(index="account_id", columns="instant", values="arr").reindex(
        columns=pd.DatetimeIndex(pd.to_datetime(instants)).as_unit("us")
    )
    arr = table.to_numpy(dtype="float64", na_value=0.0)
    months = tuple(_months(instants, arr, first_paid.reindex(table.index).to_numpy(dtype="datetime64[D]")))
    now = pd.Series(arr[:, -1], index=table.index)
    now = now[now > 0]
    return RevenueNow(
        as_of=as_of.isoformat(),
        currency=params.revenue.currency,
        accounts=len(now),
        arr=round(float(now.sum()), 2),
        median_arr=round(float(now.median()), 2) if len(now) else None,
        largest=_largest(now, names),
        **year_back,
        months=months,
    )


def _accounts(
    connection: duckdb.DuckDBPyConnection, tables: Tables
) -> tuple[Mapping[str, str], "pd.Series[pd.Timestamp]"]:
    """Names of the accounts, and the day each first had a paid line."""
    rows = connection.execute(
        "SELECT account_id, max(name) FROM raw.accounts WHERE name IS NOT NULL GROUP BY 1"
        if tables.has("accounts", "name")
        else "SELECT 1, 2 WHERE FALSE"
    ).fetchall()
    starts = connection.execute(
        "SELECT account_id, min(starts_on) AS starts_on FROM raw.contracts WHERE mrr > 0 GROUP BY 1"
    ).df()
    return dict(rows), pd.Series(pd.to_datetime(starts["starts_on"]).to_numpy(), index=starts["account_id"])


def _instants(as_of: date, first_paid: "pd.Series[pd.Timestamp]") -> list[date]:
    """The month starts of the last two years, or as far back as there are lines, and where the data end."""
    first = first_paid.min().date() if len(first_paid) else as_of
    earliest = max(add_months(as_of, -MONTHS), add_months(first, -1))
    starts = [day.date() for day in pd.date_range(earliest.replace(day=1), as_of, freq="MS") if day.date() < as_of]
    return [*starts, as_of]


def _months(instants: list[date], arr: Any, first_paid: Any) -> list[MonthRow]:
    rows = []
    for place, (since, day) in enumerate(pairwise(instants)):
        before, after = arr[:, place], arr[:, place + 1]
        came, left = (before == 0) & (after > 0), (before > 0) & (after == 0)
        is_new = came & (first_paid > np.datetime64(since))
        rows.append(
            MonthRow(
                month=day.isoformat(),
                accounts=int((after > 0).sum()),
                arr=round(float(after.sum()), 2),
                new=int(is_new.sum()),
                returned=int((came & ~is_new).sum()),
                churned=int(left.sum()),
                new_arr=round(float(after[is_new].sum()), 2),
                churned_arr=round(float(before[left].sum()), 2),
            )
        )
    return rows


def _largest(now: "pd.Series[float]", names: Mapping[str, str]) -> dict[str, Any] | None:
    """The account with the most ARR, and its share of all."""
    if now.empty:
        return None
    account = str(now.sort_index().idxmax())
    arr = float(now.max())
    return {"account_id": account, "name": names.get(account), "arr": round(arr, 2), "share": arr / float(now.sum())}


def _year_back(
    connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params, first_paid: "pd.Series[pd.Timestamp]"
) -> dict[str, Any]:
    """Retention of the last twelve months; nothing where there was no customer a year ago."""
    as_of = tables.data_until
    start = add_months(as_of, -YEAR)
    names = ("accounts_12m_ago", "arr_12m_ago", "nrr_12m", "grr_12m", "logo_retention_12m", "churned_accounts_12m")
    window = (
        f"ARR = 12 x MRR of the lines in force, in {params.revenue.currency} a year at the rates of {as_of:%Y-%m}; a "
        "row counts customers on its day, and who came and left since the row before"
    )
    if not len(first_paid) or first_paid.min().date() >= start:
        return dict.fromkeys(names) | {"definition": f"{window}."}
    accounts = retention_of_lines(connection, tables, start=start, end=as_of, rules=params.revenue)
    year = summarise(accounts, definition(start, as_of, as_of, params.revenue))
    figures = (year.nrr, year.grr, year.logo_retention)
    ratios = [None if math.isnan(figure) else figure for figure in figures]
    kept = ratios[2]
    churned = None if kept is None else year.accounts - round(kept * year.accounts)
    values = (year.accounts, year.starting_arr, *ratios, churned)
    return dict(zip(names, values, strict=True)) | {
        "definition": f"{window}. NRR, GRR and logo retention: {year.definition}"
    }
