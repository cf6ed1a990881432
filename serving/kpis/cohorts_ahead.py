"""Triangles completed: the cells that the next twelve months will fill, by the forecast, with intervals."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.kpis.cohorts import QUARTER, Cohorts, is_whole
from features.revenue.paths import add_months
from models.outcomes.prediction import Prediction
from models.paths.cells import CellSums, Looks, cell_sums
from models.paths.simulate import PathSettings
from params import Params
from serving.forecast.spread.scoring import path_settings
from serving.kpis.cohort_report import Completion

Row = dict[str, Any]
MONTHS_AHEAD = 12
MONTH_DAYS = 365.25 / 12
LOW, HIGH = 0.1, 0.9
WORDS = (
    "Forecast cells: what is known already of accounts that are so old, and of the others their simulated ARR in the "
    "month of that age, counted in whole months from {as_of}; low and high hold 80 %. Who has no ARR on {as_of} is "
    "taken to stay away."
)


def completion_by(
    account_ids: "pd.Series[str]", prediction: Prediction, *, as_of: date, horizon_months: int, params: Params
) -> Completion:
    """What forecasts the cells to come.

    Parameters
    ----------
    account_ids, prediction
        Of the accounts with ARR at `as_of`, in the same order.
    horizon_months
        How far the model looks ahead.
    """
    return partial(
        cells_ahead,
        account_ids=account_ids,
        prediction=prediction,
        as_of=as_of,
        months=min(MONTHS_AHEAD, horizon_months),
        settings=path_settings(params),
        threads=params.budget.threads,
    )


def cells_ahead(
    history: Cohorts,
    account_ids: "pd.Series[str]",
    prediction: Prediction,
    *,
    as_of: date,
    months: int,
    settings: PathSettings,
    threads: int,
) -> list[Row]:
    """The cells that will be whole within so many months and are not yet.

    Parameters
    ----------
    history
        What the accounts came to so far.
    account_ids, prediction
        Of the accounts with ARR at `as_of`, in the same order.
    as_of, months
        From when, and how far ahead.
    settings, threads
        How futures are drawn.

    Returns
    -------
    list of dict
        As `features.kpis.cohorts.triangle` gives them, with `low` and `high` of each figure, and `known_arr`,
        `known_kept`, `known_customers`: what is known already, in the sums that the figures are shares of.
    """
    looks = _looks(history, as_of, months)
    if looks.empty:
        return []
    cells = looks[["cohort", "age_quarters"]].drop_duplicates().sort_values(["cohort", "age_quarters"])
    looks = looks.merge(cells.assign(cell=range(len(cells))), on=["cohort", "age_quarters"])
    place = pd.Series(np.arange(len(account_ids)), index=account_ids.to_numpy())
    looks["row"] = looks["account_id"].map(place).where(looks["month"].notna() & looks["here"])
    open_ones = looks[looks["row"].notna()].sort_values(["row", "cell"], kind="stable")
    sums = cell_sums(prediction, settings, _as_looks(open_ones), len(cells), threads=threads)
    return [*_rows(looks, cells, sums)]


def _looks(history: Cohorts, as_of: date, months: int) -> pd.DataFrame:
    """A row an account and cell to come: `arr` and `customer` where its day is past, else `month`, how far ahead."""
    until = add_months(as_of, months)
    seen = history.ages.set_index(["account_id", "age_quarters"])[["arr", "customer"]]
    rows = []
    for account in history.now.itertuples(index=False):
        cohort, age = str(account.cohort), 1
        while is_whole(cohort, 0, as_of) and is_whole(cohort, age, until):
            if not is_whole(cohort, age, as_of):
                ahead = add_months(account.first_day, QUARTER * age) - as_of
                rows.append((account.account_id, cohort, age, account.starting_arr, account.customer, ahead.days))
            age += 1
    names = ["account_id", "cohort", "age_quarters", "starting_arr", "here", "days"]
    looks = pd.DataFrame(rows, columns=names).join(seen, on=["account_id", "age_quarters"])
    looks["month"] = np.rint(looks["days"] / MONTH_DAYS).where(looks["days"] > 0)
    return looks


def _as_looks(rows: pd.DataFrame) -> Looks:
    account, cell, month = (rows[name].to_numpy("int64") for name in ("row", "cell", "month"))
    return Looks(account, cell, month, rows["starting_arr"].to_numpy(float))


def _rows(looks: pd.DataFrame, cells: pd.DataFrame, sums: CellSums) -> Iterator[Row]:
    past = looks.assign(
        known_arr=looks["arr"].fillna(0.0),
        known_kept=looks[["arr", "starting_arr"]].min(axis=1).where(looks["arr"].notna(), 0.0),
        known_customers=looks["customer"].fillna(False).astype("int64"),
    ).groupby("cell")
    known = past[["known_arr", "known_kept", "known_customers", "starting_arr"]].sum().assign(accounts=past.size())
    keys = zip(cells["cohort"], cells["age_quarters"], strict=True)
    for place, ((cohort, age), of_cell) in enumerate(zip(keys, known.to_dict("records"), strict=True)):
        start, count = of_cell["starting_arr"], of_cell["accounts"]
        figures = {
            "logo_retention": (of_cell["known_customers"] + sums.customers[place]) / count,
            "grr": (of_cell["known_kept"] + sums.kept[place]) / start,
            "nrr": (of_cell["known_arr"] + sums.arr[place]) / start,
        }
        named = {str(name): value for name, value in of_cell.items()}
        row: Row = {"cohort": cohort, "age_quarters": int(age), **named}
        for name, draws in figures.items():
            row |= _summary(name, draws)
        yield row


def _summary(name: str, draws: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(draws, [LOW, HIGH])
    return {name: float(draws.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
