"""Triangles of cohorts: logos kept, GRR and NRR of the accounts that began in a quarter, by their age in quarters."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from features.kpis.cohorts import Cohorts, cohorts, triangle
from features.revenue.cut_labels import NO_LABEL, in_order, labels_in_force
from features.tables.checked import Tables
from params import Params
from serving.forecast.refusals import BadRequest

TOTAL = "total"
FIGURES = ("logo_retention", "grr", "nrr")
AHEAD = (*FIGURES, *(f"{name}_{side}" for name in FIGURES for side in ("low", "high")))
Row = dict[str, Any]
Completion = Callable[[Cohorts], list[Row]]


@dataclass(frozen=True)
class CohortReport:
    """The cells of the triangles as `rows`, in total and by value; `ages` the accounts behind the total.

    `ahead` are the cells to come, as `serving.kpis.cohorts_ahead` forecasts them, of the total; none where not asked.
    """

    as_of: date
    cut: str
    currency: str
    definition: str
    rows: tuple[Row, ...]
    ages: pd.DataFrame
    left_out: int
    ahead: tuple[Row, ...] = ()

    def table_rows(self) -> list[Row]:
        """Rows of the table `cohort`: the actual ones, then the forecast."""
        shared = {"cut": TOTAL, "value": TOTAL, "as_of": self.as_of, "definition": self.definition}
        forecast = [{**row, **shared, "kind": "forecast"} for row in self.ahead]
        return [*({**row, "kind": "actual"} for row in self.rows), *forecast]

    def triangles(self) -> dict[str, dict[str, list[float]]]:
        """The total as triangles: of each figure, by cohort, its values at ages 0, 1, 2, ... quarters."""
        shapes: dict[str, dict[str, list[float]]] = {name: {} for name in FIGURES}
        for row in self.rows:
            if row["cut"] == TOTAL:
                for name in FIGURES:
                    shapes[name].setdefault(row["cohort"], []).append(row[name])
        return shapes

    def to_json(self) -> Row:
        """The same as plain data."""
        return {
            "as_of": self.as_of.isoformat(),
            "by": None if self.cut == TOTAL else self.cut,
            "currency": self.currency,
            "rows": [row | {"as_of": self.as_of.isoformat()} for row in self.rows],
            "triangles": self.triangles(),
            "ahead": list(self.ahead),
            "left_out": self.left_out,
            "definition": self.definition,
        }


def cohort_report(
    tables: Tables,
    *,
    as_of: date,
    params: Params,
    by: str | None = None,
    completion: Completion | None = None,
    completed_by: str = "",
) -> CohortReport:
    """Work out the triangles from what was known before `as_of`.

    Parameters
    ----------
    by
        A column of `accounts`, as known at `as_of`.
    completion, completed_by
        What forecasts the cells to come, and how, for the definition; None leaves them out.

    Raises
    ------
    BadRequest
        The date lies outside the data, or there is no such column.
    """
    _require(tables, as_of, by)
    history = cohorts(tables, as_of=as_of, rules=params.revenue, budget=params.budget)
    words = _definition(as_of, params)
    rows = _rows(history.ages, as_of, TOTAL, TOTAL, words)
    if by:
        labels = labels_in_force(tables, as_of, (by,), params.budget, params.forecast)[by]
        values = history.ages["account_id"].map(labels).fillna(NO_LABEL).astype("str")
        parts = {str(value): part for value, part in history.ages.groupby(values)}
        for value in in_order(parts):
            rows += _rows(parts[value], as_of, by, value, words)
    if not rows:
        raise BadRequest(
            f"--as-of {as_of}: no account began in a quarter that is over by then. Ask for a later day, up to "
            f"{tables.data_until}, where the data end."
        )
    ahead = () if completion is None else tuple(completion(history))
    told = f"{words} {completed_by}".strip()
    return CohortReport(
        as_of, by or TOTAL, params.revenue.currency, told, tuple(rows), history.ages, history.left_out, ahead
    )


def _rows(ages: pd.DataFrame, as_of: date, cut: str, value: str, definition: str) -> list[Row]:
    if ages.empty:
        return []
    named = {"cut": cut, "value": value, "as_of": as_of, "definition": definition}
    return [{str(name): cell for name, cell in row.items()} | named for row in triangle(ages, as_of).to_dict("records")]


def _definition(as_of: date, params: Params) -> str:
    back = "counts 0" if params.revenue.reactivation == "exclude" else "counts with the ARR it came back with"
    return (
        f"Accounts by the quarter in which they began; age in quarters from each one's own first day, as known before "
        f"{as_of}. NRR: ARR at that age over ARR on the first day; GRR: each account capped at it; logo retention: "
        f"share that are customers. One that left and came back {back}; ARR in {params.revenue.currency} at the rates "
        f"of {as_of:%Y-%m}. A cell is there once all of its accounts are so old."
    )


def _require(tables: Tables, as_of: date, by: str | None) -> None:
    if as_of > tables.data_until:
        raise BadRequest(
            f"--as-of {as_of} lies after {tables.data_until}, where the data end. Ask for a day up to then, or, if the "
            "source is complete further on, set source.data_until."
        )
    columns = tables.attribute_columns
    if by is not None and by not in columns:
        near = difflib.get_close_matches(by, columns, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise BadRequest(f"--by {by}: accounts has no such column. The columns are {', '.join(columns)}.{hint}")
