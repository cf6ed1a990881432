"""The work on the accounts divided over the workers of a Spark; sums of all accounts come together here.

Each account's luck is keyed by the account, and amounts are added as whole multiples of a unit: so it is the same
whoever works on an account, in how many shares, and in which order they come back.
"""

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.engines.spark import Spark
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Outcome
from models.paths.rollup import Portfolio, RollUp, Trailing
from models.paths.simulate import AccountPaths
from models.paths.simulated_sums import Asked, Simulated, exact_unit, no_sums
from models.reasons.background import Background
from models.reasons.drivers import COLUMNS
from models.reasons.peers import Norms
from params import Params
from serving.forecast.account_reasons import EXPLAINED, Explained
from serving.forecast.spread import partition
from serving.forecast.spread.scoring import Array, Cuts, path_settings, predict
from training.tracking.champion import Champion

PLACE = partition.PLACE
SPARK_TYPES = {
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.string(): "string",
    pa.binary(): "binary",
}


class ScoringOnSpark:
    """The work on a Spark, which is started or joined; see `serving.forecast.spread.scoring.Scoring`."""

    def __init__(self, champion: Champion, customers: pd.DataFrame, params: Params) -> None:
        self.champion, self.customers, self.params = champion, customers, params
        self._rows = pa.Table.from_pandas(customers, preserve_index=False)
        self._bundle = partition.Bundle(tuple(sorted(champion.model.to_files().items())), self._rows.schema)
        self._spark = Spark(str(params.scoring.spark), budget=params.budget, setting="scoring.spark")
        self._explained: Any = None

    def __enter__(self) -> Self:
        self._spark.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._spark.__exit__(kind, error, at)

    def roll_up(self, *, cuts: Cuts, trailing: Trailing, due: Array) -> tuple[RollUp, Array]:
        """See `Scoring`."""
        first = predict(self.champion, self.customers.iloc[:1])  # refuses columns that are absent
        months, settings = self.champion.model.horizon_months, path_settings(self.params)
        arr = self.customers["arr"].to_numpy(dtype=float)
        portfolio = Portfolio.of(streams(self.customers["account_id"]), arr, months, cuts, trailing, due)
        asked, place = portfolio.asked(), np.argsort(portfolio.order)
        beside = {"group": asked.group[place], "cohort_arr": trailing.cohort_arr, "due": due}
        simulation = partition.Simulation(self._bundle, settings, months, due.shape[1], exact_unit(arr))
        work = partial(partition.simulate_accounts, simulation)
        with self._spark.failing("the roll-up"):
            shares = self._sent(beside).mapInArrow(work, _types(partition.SUMS)).persist()
            figures = self._figures(shares)
            simulated = _summed(shares, asked, settings.draws, figures[0].rows(portfolio.order))
        shares.unpersist()
        rolled = portfolio.rolled_up(simulated, settings, returns=first.returns, first_month=first.first_month)
        return rolled, figures[1]

    def explain(self, compared: Background) -> Mapping[Outcome, Explained]:
        """See `Scoring`."""
        past = compared.earlier.reindex(self.customers["account_id"]).to_numpy(dtype=float)
        frame = self._sent({"past": past})
        types = type(frame.schema)(
            [*frame.schema.fields, *type(frame.schema).fromDDL(_types(partition.EFFECTS)).fields]
        )
        with self._spark.failing("what the inputs do"):
            self._explained = frame.mapInArrow(partial(partition.explain_accounts, self._bundle), types).persist()
            table = self._explained.select(PLACE, *partition.EFFECTS.names).toArrow().sort_by(PLACE)
        return partition.explained_of(table)

    def reasons(self, explained: Mapping[Outcome, Explained], compared: Background, norms: Norms) -> pd.DataFrame:
        """See `Scoring`."""
        del explained  # the workers have kept it
        telling = partition.Telling(
            self._bundle,
            self.params.forecast.drivers,
            self.params.revenue.currency,
            norms,
            compared.peers,
            compared.typical,
            tuple(compared.earlier.columns),
            compared.earlier_on,
        )
        with self._spark.failing("the reasons"):
            work = partial(partition.tell_reasons, telling)
            told = self._explained.mapInArrow(work, _types(partition.REASONS)).toArrow()
        self._explained.unpersist()
        return _in_order(told.to_pandas())

    def _sent(self, beside: Mapping[str, NDArray[Any]]) -> Any:
        """The snapshot rows on the workers, and arrays of each row beside them."""
        columns = dict(zip(map(str, range(self._rows.num_columns)), self._rows.columns, strict=True))
        columns |= {name: pa.array(partition.as_bytes(rows), pa.binary()) for name, rows in beside.items()}
        columns |= {PLACE: pa.array(range(self._rows.num_rows), pa.int64())}
        session = self._spark.session
        shares = self.params.scoring.shares or session.sparkContext.defaultParallelism
        return session.createDataFrame(pa.table(columns)).repartition(shares)

    def _figures(self, shares: Any) -> tuple[AccountPaths, Array]:
        """The figures of each account, and the chances of a cross-sell, in the order of the customers."""
        table = shares.filter("NOT is_group").select(PLACE, "content").toArrow().sort_by(PLACE)
        months = self.champion.model.horizon_months
        cells = partition.arrays(table["content"]).reshape(table.num_rows, -1, months).swapaxes(0, 1)
        return AccountPaths(**dict(zip(partition.FIGURES, cells[:-1], strict=True))), cells[-1]


def _summed(shares: Any, asked: Asked, draws: int, accounts: AccountPaths) -> Simulated:
    """The sums of all shares, group after group, beside the accounts' figures."""
    sums = no_sums(asked, draws)
    by_group = shares.filter("is_group").select(PLACE, "content").groupBy(PLACE)
    for row in by_group.applyInArrow(partition.add_groups, _types(partition.GROUP_SUMS)).toLocalIterator():
        parts, content = sums.of_group(row[PLACE]), np.frombuffer(row["content"])
        ends = np.cumsum([part.size for part in parts.values()])
        for part, values in zip(parts.values(), np.split(content, ends[:-1]), strict=True):
            part[...] = values.reshape(part.shape)
    return Simulated(sums, accounts)


def _in_order(told: pd.DataFrame) -> pd.DataFrame:
    """Reasons by outcome, account and rank, the index the account's row."""
    outcome = told["outcome"].map({outcome: place for place, outcome in enumerate(EXPLAINED)})
    ordered = told.iloc[np.lexsort([told["rank"], told[PLACE], outcome])]
    return ordered.set_index(PLACE).rename_axis(None)[list(COLUMNS)]


def _types(schema: pa.Schema) -> str:
    """Columns and types of a schema in Spark's words."""
    return ", ".join(f"`{field.name}` {SPARK_TYPES[field.type]}" for field in schema)
