"""Figures as the record holds them: whole numbers of cents or millionths, days and moments as ISO text, no floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import METRIC_OF

CENTS, MILLIONTHS = "cents", "millionths"
PER_UNIT: Mapping[str, int] = {CENTS: 100, MILLIONTHS: 1_000_000}
_MOST = 9.2e18  # what 64 bits hold


def unit_of(metric: str) -> str:
    """The unit of a metric of nrr_forecast.

    Raises
    ------
    LookupError
        It is not declared.
    """
    if metric not in METRIC_OF:
        raise LookupError(f"there is no metric {metric} among {', '.join(METRIC_OF)}: its unit is not known")
    return CENTS if METRIC_OF[metric].kind is Kind.MONEY else MILLIONTHS


def unit_taken_over(metric: str) -> str:
    """The unit of a metric that another version may have published: if it is not known, the finer one."""
    return unit_of(metric) if metric in METRIC_OF else MILLIONTHS


def whole(values: Any, unit: str) -> pa.Array:
    """Figures as whole numbers of a unit; NaN as null.

    Raises
    ------
    OverflowError
        A figure is infinite, or too large for 64 bits.
    """
    scaled = np.rint(np.asarray(values, dtype=float) * PER_UNIT[unit])
    missing = np.isnan(scaled)
    if (np.abs(scaled[~missing]) > _MOST).any():
        raise OverflowError(f"a figure of the forecast is too large to be recorded in {unit}")
    return pa.array(np.where(missing, 0, scaled).astype("int64"), mask=missing)


def figures(values: Any, unit: str) -> Any:
    """The figures again, as floats; what is missing as NaN."""
    return np.asarray(values, dtype=float) / PER_UNIT[unit]


def column(values: "pd.Series[Any]", kind: Kind) -> pa.Array:
    """A column of an output table without floats."""
    if kind is Kind.MONEY:
        return whole(values, CENTS)
    if kind in (Kind.SHARE, Kind.NUMBER):
        return whole(values, MILLIONTHS)
    if kind is Kind.INTEGER:
        return pa.array(values, pa.int64())
    if kind is Kind.TEXT:
        return pa.array(values.where(values.notna(), None), pa.string())
    form = "%Y-%m-%d" if kind is Kind.DATE else "%Y-%m-%dT%H:%M:%SZ"
    text = values.dt.strftime(form)
    return pa.array(text.where(values.notna(), None), pa.string())
