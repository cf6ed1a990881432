"""What is told of each account, made when it is asked for, and how it is stored.

As plain data all of it would take many times the room: it is made account by account, and compressed against the
phrases that many accounts share. A phrase is a run of text without digits that occurs among at least `LEAST_ACCOUNTS`
of the accounts looked at, so that none tells of one account: when an account is erased, nothing of it is left in them.
"""

import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serving.forecast.batch import Forecast
from serving.forecast.live import SCORED, Score, as_scores

Ints = NDArray[np.int64]
BLOCK = 1000  # accounts whose scores are plain data at a time
LEAST_ACCOUNTS = 10
_PHRASE = re.compile(rb"[^0-9]{4,}")
_MOST_BYTES = 1 << 15  # as far back as the compression looks
_LEVEL, _RAW, _MEMORY = 9, -15, 9


class Rows:
    """The rows of a table by account.

    Parameters
    ----------
    account_ids
        Of each row of the table.
    ids
        The accounts that are asked for.
    """

    def __init__(self, account_ids: "pd.Series[Any]", ids: Sequence[str]) -> None:
        place = pd.Index(ids).get_indexer(pd.Index(account_ids))
        self.order: Ints = np.argsort(place, kind="stable")
        self._bounds = np.searchsorted(place[self.order], np.arange(len(ids) + 1))

    def span(self, place: int) -> tuple[int, int]:
        """Where the rows of an account, given by its place in `ids`, begin and end in `order`."""
        return int(self._bounds[place]), int(self._bounds[place + 1])

    def of(self, places: Ints) -> Ints:
        """The rows of some accounts, account by account."""
        spans = [self.order[slice(*self.span(place))] for place in places.tolist()]
        return np.concatenate([np.empty(0, dtype=np.int64), *spans])


class ToldOf(Mapping[str, Any]):
    """What is told of each account by the rows of a table that are its own; accounts without any are absent.

    Parameters
    ----------
    frame
        `account_id` and `names`; NaN and NaT count as not known.
    names
        The columns that are told.
    plain
        Makes plain data of the columns of one account's rows.
    """

    def __init__(
        self, frame: pd.DataFrame, names: Sequence[str], plain: Callable[[list[list[Any]]], Any] | None = None
    ) -> None:
        self._ids = pd.unique(frame["account_id"]).tolist()
        self._places = {account: place for place, account in enumerate(self._ids)}
        self._rows = Rows(frame["account_id"], self._ids)
        sorted_rows = frame[list(names)].iloc[self._rows.order]
        self._columns = [_column(sorted_rows[name]) for name in names]
        self._plain = plain or (
            lambda columns: [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        )

    def __getitem__(self, account_id: str) -> Any:
        start, end = self._rows.span(self._places[account_id])
        return self._plain([column.slice(start, end - start).to_pylist() for column in self._columns])

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def _column(values: "pd.Series[Any]") -> pa.Array:
    """A column as it is told: days as text, None where nothing is known."""
    column = pa.array(values, from_pandas=True)
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.strftime(whole, format="%Y-%m-%d") if pa.types.is_timestamp(whole.type) else whole


class Scores:
    """The scores of a forecast as plain data, some accounts at a time; its tables are sorted by account and horizon."""

    def __init__(self, forecast: Forecast) -> None:
        rows = forecast.account_forecast
        self._months = int(rows["horizon_months"].max())
        self._facts = rows.iloc[:: self._months]
        self._figures = {figure.name: self._by_month(rows[figure.name]) for figure in SCORED}
        self._drivers, self._peers = forecast.account_driver, forecast.account_peers
        self.account_ids: list[str] = self._facts["account_id"].tolist()
        tables = (self._drivers, self._peers)
        self._of_drivers, self._of_peers = (Rows(table["account_id"], self.account_ids) for table in tables)

    def at(self, places: Ints) -> list[Score]:
        """The scores of some accounts, given by their places in `account_ids`."""
        figures = {name: values[places] for name, values in self._figures.items()}
        drivers, peers = self._drivers.iloc[self._of_drivers.of(places)], self._peers.iloc[self._of_peers.of(places)]
        return as_scores(self._facts.iloc[places], figures, drivers, peers)

    def __iter__(self) -> Iterator[Score]:
        for start in range(0, len(self), BLOCK):
            yield from self.at(np.arange(start, min(start + BLOCK, len(self))))

    def __len__(self) -> int:
        return len(self.account_ids)

    def _by_month(self, values: "pd.Series[Any]") -> NDArray[np.float64]:
        return values.to_numpy(dtype=float).reshape(-1, self._months)


def shared_phrases(texts: Iterable[Iterable[bytes]]) -> bytes:
    """The phrases that the texts of many accounts share, the most worth last; empty for few accounts.

    Parameters
    ----------
    texts
        Of each account looked at: the texts that will be packed.
    """
    accounts_with = Counter[bytes]()
    for of_account in texts:
        accounts_with.update({bytes(phrase) for text in of_account for phrase in _PHRASE.findall(text)})
    worth = sorted((n * len(phrase), phrase) for phrase, n in accounts_with.items() if n >= LEAST_ACCOUNTS)
    return b"".join(phrase for _, phrase in worth)[-_MOST_BYTES:]


def pack(content: bytes, phrases: bytes) -> bytes:
    """Content as it is stored."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, phrases)
    return packer.compress(content) + packer.flush()


def unpack(stored: bytes, phrases: bytes | None) -> bytes:
    """What `pack` stored; without phrases what publications of format 4 hold."""
    if phrases is None:
        return zlib.decompress(stored)
    unpacker = zlib.decompressobj(_RAW, phrases)
    return unpacker.decompress(stored) + unpacker.flush()


def read_phrases(connection: sqlite3.Connection) -> bytes | None:
    """What the texts of accounts are packed against; None in a publication of format 4."""
    row = connection.execute("SELECT value FROM about WHERE key = 'phrases'").fetchone()
    return None if row is None else bytes(row[0])
