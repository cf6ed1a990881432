"""What the accounts of a forecast came to, added up in whole cents by the cuts of the forecast."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.revenue.cut_labels import NO_LABEL
from models.paths.rollup import TOTAL
from serving.ledger import whole_numbers
from serving.ledger.subjects import is_personal

MILLION = whole_numbers.PER_UNIT[whole_numbers.MILLIONTHS]
RATIOS = ("nrr", "grr", "logo_retention")
AMOUNTS = ("ending_arr", "churned_arr", "contracted_arr", "expanded_arr")
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Cohort:
    """The accounts of a forecast by id, and of each cut their labels, ids for names; None where one has none."""

    subjects: list[bytes]
    labels: Mapping[str, NDArray[np.object_]]


def actual_rows(table: pa.Table, cohort: Cohort) -> list[dict[str, Any]]:
    """A row a cut, value and metric.

    Parameters
    ----------
    table
        `starting_arr` and `ending_arr` in cents and `customer` (0/1) of the accounts of the cohort, in their order;
        accounts that are empty there count nowhere.
    """
    there = ~pd.isna(table["starting_arr"].to_pandas()).to_numpy()
    start, end, customer = (
        table[name].to_pandas().fillna(0).to_numpy("int64")[there]
        for name in ("starting_arr", "ending_arr", "customer")
    )
    rows = []
    for cut, labels in {TOTAL: None, **cohort.labels}.items():
        values, group = _grouped(labels, there)
        for place, value in enumerate(values):
            here = group == place
            sums = _sums(start[here], end[here], customer[here])
            described = {"cut": cut, **_value(cut, value)}
            rows += [described | row for row in _figures(sums, int(here.sum()))]
    return rows


def _grouped(labels: NDArray[np.object_] | None, there: NDArray[np.bool_]) -> tuple[list[Any], NDArray[np.int64]]:
    if labels is None:
        return [TOTAL] if there.any() else [], np.zeros(int(there.sum()), dtype=np.int64)
    codes, values = pd.factorize(labels[there], use_na_sentinel=False)
    return [None if pd.isna(value) else value for value in values], np.asarray(codes, dtype=np.int64)


def _value(cut: str, label: Any) -> dict[str, Any]:
    if label is None:
        return {"value": NO_LABEL, "is_subject": 0}
    if is_personal(cut) and cut != TOTAL:
        return {"value": label.hex(), "is_subject": 1}
    return {"value": label, "is_subject": 0}


def _sums(start: Whole, end: Whole, customer: Whole) -> dict[str, int]:
    kept = np.minimum(start, end)
    sums = {
        "starting_arr": start,
        "ending_arr": end,
        "kept": kept,
        "churned_arr": np.where(end == 0, start, 0),
        "contracted_arr": np.where(end > 0, start - kept, 0),
        "expanded_arr": end - kept,
        "customers": customer,
    }
    return {name: int(values.sum()) for name, values in sums.items()}


def _figures(sums: Mapping[str, int], accounts: int) -> Iterator[dict[str, Any]]:
    cohort = {"starting_arr_cents": sums["starting_arr"], "accounts": accounts}
    parts = {
        "nrr": (sums["ending_arr"], sums["starting_arr"]),
        "grr": (sums["kept"], sums["starting_arr"]),
        "logo_retention": (sums["customers"], accounts),
    }
    for metric in RATIOS:
        part, whole = parts[metric]
        yield {"metric": metric, "unit": whole_numbers.MILLIONTHS, "actual": _ratio(part, whole), **cohort}
    for metric in AMOUNTS:
        yield {"metric": metric, "unit": whole_numbers.CENTS, "actual": sums[metric], **cohort}


def _ratio(part: int, whole: int) -> int:
    """In millionths, rounded half up, without a float in between."""
    return (2 * part * MILLION + whole) // (2 * whole)
