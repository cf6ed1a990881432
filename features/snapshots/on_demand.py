"""Snapshots of one account after another, for live scoring."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from features.engines.single import Single
from features.snapshots import spine
from features.snapshots.assembly import Assembly, assembly_of, ranked_column
from features.snapshots.building import Snapshots, require_rates, snapshots_of
from features.snapshots.snapshot_files import newest_file, read_snapshot
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from params import Params


class LiveSnapshots:
    """Snapshots of one account after another at one date, for live scoring: all is set up once.

    Use it as a context; one thread at a time. Ranks among peers are those in the stored snapshot of that date, or else
    of the newest one before it; missing where there is none.

    Parameters
    ----------
    tables
        The checked tables.
    as_of
        The date of the snapshots.
    params
        Rules and features, and where the store is.
    """

    def __init__(self, tables: Tables, as_of: date, *, params: Params) -> None:
        if tables.warehouse is not None:
            what = f"is {tables.warehouse.engine}, where the rows of a single account are not looked up"
            raise BadInput([Finding("source.engine", what, "Make the snapshots of the date: `holdfast snapshots`.")])
        tables = tables.at(as_of)
        self._assembly = assembly_of(tables, [as_of], params.revenue, params.snapshots, params.declared)
        self._peers = _Peers(self._assembly, as_of, params)
        self._priced = tables.has("contracts", "currency")
        self._engine = Single(tables, self._assembly.steps, budget=params.budget)

    def __enter__(self) -> Self:
        """The context is the object itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the session."""
        self._engine.close()

    def of(self, account_id: str) -> Snapshots:
        """The snapshot of one account: no row where there is no such account, or it has no ARR then.

        Raises
        ------
        BadInput
            A currency in force has no rate.
        """
        self._engine.show(account_id)
        if self._priced:
            require_rates(self._engine.fetch(spine.lines_without_rate()))
        rows = self._engine.snapshot()
        rows = rows.set_column(0, "account_id", pa.array([account_id] * rows.num_rows, pa.string()))
        return snapshots_of(self._assembly, self._assembly.finished(rows, self._peers.ranks(rows)))


def of_account(tables: Tables, account_id: str, as_of: date, *, params: Params) -> Snapshots:
    """The snapshot of one account at any date; `LiveSnapshots` where there are several."""
    with LiveSnapshots(tables, as_of, params=params) as live:
        return live.of(account_id)


class _Peers:
    """What the values ranked among peers were for all accounts of a stored snapshot."""

    def __init__(self, assembly: Assembly, as_of: date, params: Params) -> None:
        self._names = assembly.ranks
        file = newest_file(assembly, as_of, params) if self._names else None
        columns = ["account_id", "segment", *map(ranked_column, self._names)]
        frame = read_snapshot(file, columns).to_pandas() if file else pd.DataFrame(columns=columns)
        self._by_segment = dict(list(frame.groupby("segment")))

    def ranks(self, rows: pa.Table) -> pa.Table:
        """The ranks of one account, or of none, among the others of its segment."""
        accounts = rows.to_pylist() if self._names else []
        ranks = {name: [self._rank(account, name) for account in accounts] for name in self._names}
        return pa.table({name: pa.array(values, pa.float64()) for name, values in ranks.items()})

    def _rank(self, account: Mapping[str, Any], name: str) -> float | None:
        peers, value = self._by_segment.get(account["segment"]), account[ranked_column(name)]
        if peers is None or value is None:
            return None
        others = peers[ranked_column(name)].to_numpy()[peers["account_id"].to_numpy() != account["account_id"]]
        comparable = others[~np.isnan(others)]
        return float((comparable < value).mean()) if len(comparable) else None
