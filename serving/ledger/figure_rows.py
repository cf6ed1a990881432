"""Figures of a portfolio as rows of the record: whole numbers, and ids for the values of cuts that may name someone."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from features.revenue.cut_labels import NO_LABEL
from serving.forecast.declared.output_tables import QUANTILES
from serving.ledger import whole_numbers
from serving.ledger.subjects import Subjects, is_personal

Row = dict[str, Any]


def figure_rows(rows: pd.DataFrame, subjects: Subjects, unit_of: Callable[[str], str]) -> list[Row]:
    """A row a cut, value, horizon and metric, with the cohort it is of."""
    figures = []
    for metric, part in rows.groupby("metric"):
        cohort = {
            "starting_arr_cents": _whole(part, "starting_arr", whole_numbers.CENTS),
            "accounts": part["accounts"].tolist() if "accounts" in part else [None] * len(part),
        }
        figures += _rows(part, subjects, unit_of(str(metric)), cohort)
    return figures


def rival_rows(rows: pd.DataFrame, subjects: Subjects) -> list[Row]:
    """A row a rival, cut, value, horizon and metric."""
    return _rows(rows, subjects, whole_numbers.MILLIONTHS, {"rival": rows["rival"].tolist()})


def _rows(part: pd.DataFrame, subjects: Subjects, unit: str, more: dict[str, list[Any]]) -> list[Row]:
    columns = {name: part[name].tolist() for name in ("metric", "horizon_months", "cut")}
    columns |= {name: _whole(part, name, unit) for name in ("mean", *QUANTILES)} | more
    values = [_value(*pair, subjects) for pair in zip(part["cut"], part["value"], strict=True)]
    return [
        {"unit": unit, **dict(zip(columns, row, strict=True)), **value}
        for row, value in zip(zip(*columns.values(), strict=True), values, strict=True)
    ]


def _whole(rows: pd.DataFrame, name: str, unit: str) -> list[int | None]:
    return whole_numbers.whole(rows[name], unit).to_pylist() if name in rows else [None] * len(rows)


def _value(cut: str, value: str, subjects: Subjects) -> Row:
    """The value of a cut, or the id that stands for whom it names."""
    if is_personal(cut) and value != NO_LABEL:
        return {"value": subjects.id_of(cut, value), "is_subject": 1}
    return {"value": value, "is_subject": 0}
