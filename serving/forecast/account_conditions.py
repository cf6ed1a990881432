"""Conditions on accounts in settings, such as `touch_model = tech`, and who meets them."""

import difflib
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.families.catalogue import FEATURES
from features.tables.contract import ACCOUNTS
from params_team import comparison_of
from serving.forecast.refusals import BadRequest

Bools = NDArray[np.bool_]
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


def meets(customers: pd.DataFrame, condition: str, where: str) -> Bools:
    """Which accounts meet a condition such as `touch_model = tech`; nobody does on what the data do not tell.

    Raises
    ------
    BadRequest
        There is no such column, or it holds numbers and the value is none.
    """
    name, sign, value = comparison_of(condition)
    if name not in customers.columns:
        _require_declared(name, condition, where, customers)
        return np.zeros(len(customers), dtype=bool)
    column = customers[name]
    if not pd.api.types.is_numeric_dtype(column):
        if sign not in ("=", "!="):
            raise BadRequest(f"{where}: {condition!r} compares text: {name} can be = or != a value.")
        return np.asarray(_SIGNS[sign](column.astype("object"), value) & column.notna())
    try:
        number = float(value)
    except ValueError:
        raise BadRequest(f"{where}: {condition!r} needs a number: {name} holds numbers.") from None
    values = column.to_numpy(dtype=float)
    return np.asarray(_SIGNS[sign](values, number) & ~np.isnan(values))


def _require_declared(name: str, condition: str, where: str, customers: pd.DataFrame) -> None:
    declared = {*(feature.name for feature in FEATURES), *(column.name for column in ACCOUNTS)}
    if name in declared:
        return
    near = difflib.get_close_matches(name, [*declared, *map(str, customers.columns)], n=1)
    hint = f"Did you mean {near[0]}?" if near else "docs/data-dictionary.md lists the features and columns of accounts."
    raise BadRequest(f"{where}: {condition!r} is on a column that there is not. {hint}")
