"""What a reason's value is held against: what is typical of the account's peers, and the account's own past."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.horizon import SIGNAL as CALENDAR_SIGNAL
from models.hazards.model_inputs import Input
from models.reasons.peers import Peers, medians_by_group, peers_of
from models.words import counted, format_value

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST = 10  # accounts whose value is known: the median of fewer is not called typical
NOTICEABLE = 0.1  # a difference smaller than this share of the larger value is not worth a word
_SIZE = "arr"
_AGAINST_ITS_PAST = re.compile("times (the|its) |changed by |half a year")
_LOOKS_BACK = re.compile(r"_(\d+)d$")
_TWICE = re.compile(r"times the .* before|ratio")
_TENURE = "tenure_days"


@dataclass(frozen=True)
class Background:
    """Values to hold an account's inputs against.

    Attributes
    ----------
    peers
        Whom accounts are compared with.
    typical
        Medians: a row a peer group, a column an input of which it is said; NaN where few are known.
    earlier
        Values of earlier, of accounts that were customers then: index `account_id`, a column an input of which it is
        said.
    earlier_on
        When that was; empty if nothing earlier is known.
    """

    peers: Peers
    typical: pd.DataFrame
    earlier: pd.DataFrame
    earlier_on: str

    def typical_of(self, items: Sequence[Input], place: Integers) -> Array:
        """What is typical of the peer groups at some positions, shape (positions, inputs); NaN where it is not said."""
        return self._matrix("typical", items)[place]

    def past_of(self, items: Sequence[Input], frame: pd.DataFrame) -> Array:
        """The values of earlier of each row's account, shape (rows, inputs); NaN where they are not known or said."""
        past = np.full((len(frame), len(items)), np.nan)
        if not self.earlier.empty:
            row = self.earlier.index.get_indexer(pd.Index(frame["account_id"]))
            past[row >= 0] = self._matrix("earlier", items)[row[row >= 0]]
        return past

    def _matrix(self, table: str, items: Sequence[Input]) -> Array:
        """A table's values of some inputs, shape (rows, inputs): made once, since whoever scores asks for the same."""
        names = tuple(item.name for item in items)
        if (table, names) not in self._matrices:
            whole = getattr(self, table).reindex(columns=list(names)).to_numpy(dtype=float)
            self._matrices[table, names] = np.ascontiguousarray(whole)
        return self._matrices[table, names]

    @cached_property
    def _matrices(self) -> dict[tuple[str, tuple[str, ...]], Array]:
        return {}


def background(inputs: Sequence[Input], frame: pd.DataFrame, earlier: pd.DataFrame | None = None) -> Background:
    """What the inputs of accounts are held against.

    Labels and the renewal calendar are held against nothing, and neither a flag nor the time since something happened
    against the past. The past is not said where the sentence compares with it.

    Parameters
    ----------
    inputs
        Descriptions of the inputs.
    frame
        Snapshot rows of all accounts at one date: `as_of`, `arr`, `term_ends_on` and the inputs. Typical is the median
        of those in the same peer group, if at least 10 are known.
    earlier
        Snapshot rows of an earlier date: `account_id`, `as_of`, `arr` and the inputs. Accounts without ARR then have
        no past.
    """
    peers = peers_of(frame)
    present = [item for item in inputs if item.name in frame.columns and _has_typical(item)]
    typical = medians_by_group(peers, frame, [item.name for item in present], FEWEST)
    if earlier is None or earlier.empty:
        return Background(peers, typical, pd.DataFrame(), "")
    customers = earlier[earlier[_SIZE] > 0] if _SIZE in earlier.columns else earlier
    names = [item.name for item in inputs if item.name in earlier.columns and _has_past(item)]
    past = customers.set_index("account_id")[names]
    return Background(peers, typical, past, f"{earlier['as_of'].iloc[0]:%Y-%m-%d}")


def youth(item: Input, frame: pd.DataFrame, rows: Sequence[int]) -> list[str]:
    """What to add where an account is younger than the time its input looks back on: a note for each row."""
    back = _looks_back_days(item)
    if _TENURE not in frame.columns or back is None:
        return [""] * len(rows)
    ages = frame[_TENURE].iloc[list(rows)].to_numpy(dtype=float)
    return [f"a customer for {counted(int(age), 'day')} only" if age < back else "" for age in ages]


def noticeable(one: Array, other: Array) -> Array:
    """The sign of each difference `one - other` that is worth a word; 0 where it is not, or one is not known."""
    with np.errstate(invalid="ignore"):
        differs = np.abs(one - other) >= NOTICEABLE * np.maximum(np.abs(one), np.abs(other))
    return np.where(differs, np.sign(np.nan_to_num(one - other)), 0.0)


def reads_alike(item: Input, one: float, other: float) -> bool:
    """Whether two values read the same in a sentence."""
    return format_value(one, item.unit) == format_value(other, item.unit)


def _looks_back_days(item: Input) -> int | None:
    """How many days of the past an input tells of: with those it compares them with."""
    days = _LOOKS_BACK.search(item.name)
    if days is None:
        return 180 if "half a year" in item.sentence else None
    return int(days[1]) * (2 if _TWICE.search(item.sentence) else 1)


def _has_typical(item: Input) -> bool:
    """Whether values of an input may be held against those of others."""
    return item.kind == "number" and item.signal != CALENDAR_SIGNAL and item.name != _SIZE and not _is_coded(item)


def _has_past(item: Input) -> bool:
    """Whether values of an input may be held against each other over time."""
    elapsed = item.unit == "days" and "of the last" not in item.sentence
    amount = item.kind == "number" and item.unit != "0/1" and item.signal != CALENDAR_SIGNAL and not _is_coded(item)
    return amount and not elapsed and not _AGAINST_ITS_PAST.search(item.sentence)


def _is_coded(item: Input) -> bool:
    """Whether the sentence has to explain the scale."""
    return "(" in item.sentence
