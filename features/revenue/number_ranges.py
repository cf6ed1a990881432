"""Numbers as ranges that people read, such as `1,000 to 4,999`: to cut a portfolio by a number."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PLAIN_NUMBER = r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"  # no postal code, which may begin with a zero
_WRITTEN = r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?"
DIGITS = 2  # of an edge between ranges of about as many accounts each
Array = NDArray[np.float64]


def in_ranges(values: "pd.Series", *, bins: int, edges: Sequence[float] | None = None) -> "pd.Series":
    """The range that each value of a column lies in; a column that is no numbers as it is.

    Parameters
    ----------
    values
        Numbers, or text that is all numbers; what is missing stays missing.
    bins
        How many ranges of about as many values each, where no edges are given. A column of no more different values
        than these is not cut.
    edges
        Where ranges begin, ascending; none at all keeps the values as they are.
    """
    numbers = _as_numbers(values)
    if numbers is None or numbers.nunique() <= (bins if edges is None else 0) or (edges is not None and not edges):
        return values
    there = np.asarray(numbers.dropna(), dtype=np.float64)
    cuts = np.asarray(edges or _even_edges(there, bins), dtype=np.float64)
    names = _names(cuts, whole=bool((there == np.floor(there)).all() and (cuts == np.floor(cuts)).all()))
    return numbers.map(lambda number: names[int(np.searchsorted(cuts, number, side="right"))], na_action="ignore")


def as_text(values: "pd.Series") -> "pd.Series":
    """Numbers as text, whole ones without a point; what is no numbers as it is."""
    if not pd.api.types.is_float_dtype(values):
        return values
    return values.map(lambda number: str(int(number)) if number == int(number) else str(number), na_action="ignore")


def range_start(label: str) -> float | None:
    """Where a range begins, or the number that a label is; None for what is neither."""
    if re.fullmatch(f"under {_WRITTEN}", label):
        return -math.inf
    begins = re.fullmatch(f"({_WRITTEN})( or more| to (under )?{_WRITTEN})?", label)
    return float(begins[1].replace(",", "")) if begins else None


def _as_numbers(values: "pd.Series") -> "pd.Series | None":
    """The values as numbers, if they are; flags are none."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return None
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(np.float64)
    texts = values.dropna().astype("str").str.strip()
    return pd.to_numeric(values) if texts.str.fullmatch(PLAIN_NUMBER).all() else None


def _even_edges(numbers: Array, bins: int) -> list[float]:
    """Edges between ranges of about as many numbers each: round ones where these tell the ranges apart as well."""
    shares = np.arange(1, bins) / bins
    least = numbers.min()
    quantiles = sorted({float(q) for q in np.quantile(numbers, shares, method="higher") if q > least})
    exact = quantiles or [float(numbers[numbers > least].min())]
    rounded = sorted({float(f"{edge:.{DIGITS}g}") for edge in exact})
    return rounded if len(rounded) == len(exact) and least < rounded[0] and rounded[-1] <= numbers.max() else exact


def _names(edges: Array, *, whole: bool) -> list[str]:
    """What the ranges between edges are called, from the one below the first to the one from the last on."""
    between = [_between(low, high, whole=whole) for low, high in pairwise(edges)]
    return [f"under {_written(edges[0])}", *between, f"{_written(edges[-1])} or more"]


def _between(low: float, high: float, *, whole: bool) -> str:
    if not whole:
        return f"{_written(low)} to under {_written(high)}"
    return _written(low) if high - low == 1 else f"{_written(low)} to {_written(high - 1)}"


def _written(number: float) -> str:
    """A number as people write it: 1,234 and 0.25."""
    return f"{int(number):,}" if number == int(number) else f"{number:,.6g}"
