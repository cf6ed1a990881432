"""Conditions of the settings over the columns of snapshots: which rows they hold for."""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from params_team import terms_of

_SIGNS: dict[str, Callable[[Any, float], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


def features_named(condition: str) -> Iterator[str]:
    """The features that a condition compares.

    Raises
    ------
    ValueError
        It asks for the use of a part of the product, which only the snapshot itself can look up.
    """
    for term in terms_of(condition):
        if term.measure is not None:
            raise ValueError(
                f"{term.name}.{term.measure} cannot be asked for here: declare it as a feature (docs/own-features.md) "
                "and compare that"
            )
        yield term.name


def holds(frame: pd.DataFrame, condition: str) -> NDArray[np.bool_]:
    """Of each row, whether all comparisons of a condition hold; a missing value, or an absent column, fulfils none."""
    result = np.ones(len(frame), dtype=bool)
    for term in terms_of(condition):
        values = frame[term.name].to_numpy(float) if term.name in frame.columns else np.full(len(frame), np.nan)
        result &= _SIGNS[term.sign](values, term.number)
    return result
