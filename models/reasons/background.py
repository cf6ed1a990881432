"""What a reason's value is held against: the account's own past, and what is typical for accounts of its size."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.horizon import SIGNAL as CALENDAR_SIGNAL
from models.hazards.model_inputs import Input
from models.words import format_value

Array = NDArray[np.float64]

FEWEST = 10  # accounts of a size whose value is known: the median of fewer is not called typical
NOTICEABLE = 0.1  # a difference smaller than this share of the larger value is not worth a word
_SIZE = "arr"
_AGAINST_ITS_PAST = re.compile("times (the|its) |changed by ")
_AGAINST_OTHERS = " accounts of its segment"


@dataclass(frozen=True)
class Background:
    """Values to hold an account's inputs against.

    Attributes
    ----------
    edges
        ARR at which one third of the accounts ends and the next begins, shape (2,).
    typical
        Medians: a row a third of ARR (0, 1, 2), a column an input of which it is said; NaN where few are known.
    earlier
        Values of earlier: index `account_id`, a column an input of which it is said.
    earlier_on
        When that was; empty if nothing earlier is known.
    """

    edges: Array
    typical: pd.DataFrame
    earlier: pd.DataFrame
    earlier_on: str

    def notes(self, item: Input, frame: pd.DataFrame, rows: list[int], currency: str) -> list[tuple[str, ...]]:
        """What is said beside the value of an input: for each of some rows of a frame, none to two notes."""
        if item.name not in self.earlier.columns and item.name not in self.typical.columns:
            return [()] * len(rows)
        now = frame[item.name].iloc[rows].to_numpy(dtype=float)
        past = self._past(item, now, frame["account_id"].iloc[rows], currency)
        typical = self._typical(item, now, frame[_SIZE].iloc[rows], currency)
        return [tuple(filter(None, pair)) for pair in zip(past, typical, strict=True)]

    def _past(self, item: Input, now: Array, account_ids: "pd.Series[str]", currency: str) -> Iterable[str]:
        if item.name not in self.earlier.columns:
            return [""] * len(now)
        before = self.earlier[item.name].to_numpy(dtype=float)
        places = self.earlier.index.get_indexer(pd.Index(account_ids))
        return [
            self._of_then(item, value, before[at], currency) if at >= 0 else ""
            for value, at in zip(now, places, strict=True)
        ]

    def _of_then(self, item: Input, now: float, before: float, currency: str) -> str:
        """The value of earlier where it tells something: it was another, or one of the two is not known."""
        if np.isnan(before):
            return "" if np.isnan(now) else f"not known as of {self.earlier_on}"
        if not np.isnan(now) and not _differ(item, now, before):
            return ""
        return f"{format_value(before, item.unit, currency)} as of {self.earlier_on}"

    def _typical(self, item: Input, now: Array, arr: "pd.Series[float]", currency: str) -> Iterable[str]:
        if item.name not in self.typical.columns:
            return [""] * len(now)
        medians = self.typical[item.name].to_numpy()[_third(arr, self.edges)]
        return [
            f"typical for its size: {format_value(median, item.unit, currency)}" if _differ(item, value, median) else ""
            for value, median in zip(now, medians, strict=True)
        ]


def background(inputs: Sequence[Input], frame: pd.DataFrame, earlier: pd.DataFrame | None = None) -> Background:
    """What the inputs of accounts are held against.

    Labels, flags, the renewal calendar and the time since something happened are held against nothing; the past is not
    said where the sentence compares with it, nor what is typical where the sentence compares with other accounts.

    Parameters
    ----------
    inputs
        Descriptions of the inputs.
    frame
        Snapshot rows of all accounts at one date: `arr` and the inputs. Typical is the median of those in the same
        third of ARR, if at least 10 are known.
    earlier
        Snapshot rows of an earlier date: `account_id`, `as_of` and the inputs. Accounts without a row have no past.
    """
    measures = [item for item in inputs if _is_measure(item)]
    edges = np.quantile(frame[_SIZE].to_numpy(dtype=float), [1 / 3, 2 / 3])
    names = [item.name for item in measures if item.name != _SIZE and _AGAINST_OTHERS not in item.sentence]
    groups = frame[[name for name in names if name in frame.columns]].groupby(_third(frame[_SIZE], edges))
    typical = groups.median().where(groups.count() >= FEWEST).reindex(range(3))
    if earlier is None or earlier.empty:
        return Background(edges, typical, pd.DataFrame(), "")
    names = [item.name for item in measures if not _AGAINST_ITS_PAST.search(item.sentence)]
    past = earlier.set_index("account_id")[[name for name in names if name in earlier.columns]]
    return Background(edges, typical, past, f"{earlier['as_of'].iloc[0]:%Y-%m-%d}")


def _is_measure(item: Input) -> bool:
    """Whether values of an input may be held against each other as amounts."""
    if item.kind != "number" or item.unit == "0/1" or item.signal == CALENDAR_SIGNAL:
        return False
    elapsed = item.unit == "days" and "of the last" not in item.sentence
    coded = "(" in item.sentence  # it has to explain the scale
    return not elapsed and not coded


def _third(arr: "pd.Series[Any]", edges: Array) -> NDArray[np.intp]:
    """Which third of ARR: 0, 1 or 2."""
    return np.searchsorted(edges, arr.to_numpy(dtype=float), side="right")


def _differ(item: Input, one: float, other: float) -> bool:
    """Whether two values are known, differ by a share worth a word, and read differently."""
    if not abs(one - other) >= NOTICEABLE * max(abs(one), abs(other)):  # NaN is never that far away
        return False
    return format_value(one, item.unit) != format_value(other, item.unit)
