"""Whom an account is compared with: accounts of its size and segment, at the same place of the renewal calendar."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST = 10  # accounts in a group: fewer are joined with others of their size, then of their calendar, then with all
MONTHLY_DAYS = 45  # a term no longer than this is a plan by the month
EVERYONE = "all accounts"
_SIZES = ("smallest third by ARR", "middle third by ARR", "largest third by ARR")
_UNTIL_DAYS = (90, 180, 365)
_CALENDAR = (
    "term over or ending within 90 days",
    "term ending in 3 to 6 months",
    "term ending in 6 to 12 months",
    "term ending in over a year",
)
_MONTHLY, _EVERGREEN, _SIGNED = "monthly plan", "no end date", "next renewal signed"


@dataclass(frozen=True)
class Peers:
    """The peer groups of a company at a date.

    Attributes
    ----------
    edges
        ARR at which one third of the accounts ends and the next begins, shape (2,).
    names
        What the accounts of each group have in common; the last group is all accounts.
    accounts
        How many accounts each group has.
    """

    edges: Array
    names: tuple[str, ...]
    accounts: tuple[int, ...]

    def places(self, frame: pd.DataFrame) -> Integers:
        """The position in `names` of the narrowest group of each row that has enough accounts."""
        index = pd.Index(self.names)
        place = np.full(len(frame), len(self.names) - 1)
        for keys in reversed(list(_keys(frame, self.edges))):  # from the widest to the narrowest
            at = index.get_indexer(pd.Index(keys))
            place = np.where(at >= 0, at, place)
        return place


def peers_of(frame: pd.DataFrame) -> Peers:
    """The peer groups among the customers of one date.

    Parameters
    ----------
    frame
        Snapshot rows: `as_of`, `arr`, `term_ends_on`, and where known `term_days`, `presigned` and `segment`.
    """
    edges = np.quantile(frame["arr"].to_numpy(dtype=float), [1 / 3, 2 / 3])
    sizes: dict[str, int] = {}
    for keys in _keys(frame, edges):
        counts = pd.Series(keys).value_counts().sort_index()
        sizes |= {str(key): int(count) for key, count in counts.items() if count >= FEWEST}
    sizes.pop(EVERYONE, None)
    sizes[EVERYONE] = len(frame)
    return Peers(edges, tuple(sizes), tuple(sizes.values()))


def means_by_group(peers: Peers, frame: pd.DataFrame, values: Array) -> Array:
    """The mean of values, with a row an account, over each peer group: shape (groups, ...).

    A wide group counts all of its accounts, those with a narrower group of their own too. A group without any row has
    the mean over all.
    """
    means = np.tile(values.mean(axis=0), (len(peers.names), *([1] * (values.ndim - 1))))
    for place, rows in _members(peers, frame):
        means[place] = values[rows].mean(axis=0)
    return means


def medians_by_group(peers: Peers, frame: pd.DataFrame, names: Sequence[str], fewest: int) -> pd.DataFrame:
    """The median of columns over each peer group, NaN where fewer of them are known: a row a group."""
    columns = frame[list(names)].astype(float)
    medians = pd.DataFrame(np.nan, index=range(len(peers.names)), columns=list(names))
    for place, rows in _members(peers, frame):
        part = columns.iloc[rows]
        medians.iloc[place] = part.median().where(part.notna().sum() >= fewest)
    return medians


@dataclass(frozen=True)
class Norms:
    """What is usual in each peer group: what effects, probabilities and sentences are held against.

    Attributes
    ----------
    effects
        By outcome: the mean effect of each input, shape (groups, inputs).
    probability
        By outcome: the mean probability that people read, shape (groups,).
    explained
        By outcome: the mean probability that the effects explain, shape (groups,).
    directions
        By outcome: whether more of an input raises the probability (above 0) or lowers it, 1 and -1 where that is
        declared, half of it where the model learned it, 0 where it is not known: shape (inputs,).
    """

    effects: Mapping[str, Array]
    probability: Mapping[str, Array]
    explained: Mapping[str, Array]
    directions: Mapping[str, Array]

    def as_data(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            name: {outcome: values.tolist() for outcome, values in getattr(self, name).items()}
            for name in self.__dataclass_fields__
        }

    @classmethod
    def from_data(cls, content: Mapping[str, Mapping[str, Any]]) -> Self:
        """What `as_data` gave."""
        return cls(**{name: {o: np.asarray(v) for o, v in by.items()} for name, by in content.items()})


def _keys(frame: pd.DataFrame, edges: Array) -> Iterator[list[str]]:
    """What each row has in common with its peers: the narrowest group first, all accounts last."""
    calendar = _calendar(frame)
    size = [_SIZES[third] for third in thirds(frame["arr"], edges)]
    if "segment" in frame.columns:
        segment = frame["segment"].astype(object).where(frame["segment"].notna(), "not known")
        yield [f"segment {s}, {z}, {c}" for s, z, c in zip(segment, size, calendar, strict=True)]
    yield [f"{z}, {c}" for z, c in zip(size, calendar, strict=True)]
    yield calendar
    yield [EVERYONE] * len(frame)


def _calendar(frame: pd.DataFrame) -> list[str]:
    """Where each row stands on its renewal calendar."""
    days = (frame["term_ends_on"] - frame["as_of"]).dt.days.to_numpy(dtype=float)
    stages = np.array(_CALENDAR, dtype=object)[np.searchsorted(np.array(_UNTIL_DAYS), np.nan_to_num(days))]
    is_monthly = _column(frame, "term_days", np.inf) <= MONTHLY_DAYS
    is_signed = _column(frame, "presigned", 0.0) > 0
    return [str(s) for s in np.select([is_signed, np.isnan(days), is_monthly], [_SIGNED, _EVERGREEN, _MONTHLY], stages)]


def _column(frame: pd.DataFrame, name: str, absent: float) -> Array:
    values = frame[name].to_numpy(dtype=float) if name in frame.columns else np.full(len(frame), absent)
    return np.where(np.isnan(values), absent, values)


def _members(peers: Peers, frame: pd.DataFrame) -> Iterator[tuple[int, Integers]]:
    """Each group's position and the rows that belong to it, where there are any."""
    place = {name: number for number, name in enumerate(peers.names)}
    for keys in _keys(frame, peers.edges):
        for key, rows in pd.Series(keys).groupby(keys).indices.items():
            if key in place:
                yield place[str(key)], np.asarray(rows, dtype=np.int64)


def thirds(arr: "pd.Series[Any]", edges: Array) -> NDArray[np.intp]:
    """Which third of ARR: 0, 1 or 2."""
    return np.searchsorted(edges, arr.to_numpy(dtype=float), side="right")
