"""What one worker of a Spark does with its share of the accounts.

Snapshot rows come as batches of Arrow whose columns have numbers for names, since Spark tells no capitals apart; what
goes with each row stands beside them, arrays as their bytes.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import Outcome
from models.paths.simulate import AccountPaths, PathSettings
from models.paths.simulated_sums import Asked, Simulated, simulated_sums
from models.reasons.background import Background
from models.reasons.drivers import COLUMNS
from models.reasons.peers import Norms, Peers
from serving.forecast.account_reasons import EXPLAINED, Explained, explain, reasons

Array = NDArray[np.float64]
Batches = Iterator[pa.RecordBatch]
PLACE = "place"  # of an account among those that are forecast
FIGURES = tuple(AccountPaths.__dataclass_fields__)
SUMS = pa.schema([(PLACE, pa.int64()), ("is_group", pa.bool_()), ("content", pa.binary())])
GROUP_SUMS = pa.schema([(PLACE, pa.int64()), ("content", pa.binary())])
EFFECTS = pa.schema(
    [
        *((f"{outcome}_effects", pa.binary()) for outcome in EXPLAINED),
        *((f"{outcome}_probability", pa.float64()) for outcome in EXPLAINED),
    ]
)
NUMBERS = {"rank": pa.int64(), "display_rank": pa.int64(), "leads": pa.int64(), "effect": pa.float64()}
REASONS = pa.schema([(PLACE, pa.int64()), *((name, NUMBERS.get(name, pa.string())) for name in COLUMNS)])


@dataclass(frozen=True)
class Bundle:
    """A champion's files, which hold text only, and the schema of the snapshot rows that it reads."""

    files: tuple[tuple[str, str], ...]
    schema: pa.Schema

    def model(self) -> OutcomeModel:
        """The model, read once a worker."""
        return _model(self.files)

    def frame(self, batch: pa.RecordBatch | pa.Table) -> pd.DataFrame:
        """The snapshot rows of a batch as the driver has them."""
        table = pa.table({name: batch.column(str(place)) for place, name in enumerate(self.schema.names)})
        frame: pd.DataFrame = table.cast(self.schema).to_pandas()
        return frame


@dataclass(frozen=True)
class Simulation:
    """What is simulated: as in `Asked`, for all workers alike."""

    bundle: Bundle
    settings: PathSettings
    horizon_months: int
    calendar_months: int
    unit: float


@dataclass(frozen=True)
class Telling:
    """What reasons are told with; `earlier` names the columns of the accounts' past."""

    bundle: Bundle
    top: int
    currency: str
    norms: Norms
    peers: Peers
    typical: pd.DataFrame
    earlier: tuple[str, ...]
    earlier_on: str


def simulate_accounts(simulation: Simulation, batches: Batches) -> Batches:
    """The figures of each account of a share, and the sums of each group that has accounts in it, as `SUMS`."""
    rows = [batch for batch in batches if batch.num_rows]
    if not rows:
        return  # a share of no account comes as no batch at all
    share = pa.Table.from_batches(rows)
    prediction = simulation.bundle.model().predict(simulation.bundle.frame(share))
    numbers, group = np.unique(arrays(share["group"], np.int64), return_inverse=True)
    asked = Asked(
        simulation.horizon_months,
        group.reshape(share.num_rows, -1),
        len(numbers),
        cohort_arr=arrays(share["cohort_arr"]),
        due=arrays(share["due"]) if simulation.calendar_months else None,
        unit=simulation.unit,
    )
    simulated = simulated_sums(prediction, simulation.settings, asked, threads=1)
    cross_sell = prediction.cross_sell_probability()[:, : simulation.horizon_months]
    yield _batch(SUMS, share[PLACE], np.zeros(share.num_rows, bool), _figures(simulated, cross_sell))
    for place, number in enumerate(numbers):
        parts = simulated.sums.of_group(place).values()
        yield _batch(SUMS, [number], [True], [b"".join(part.tobytes() for part in parts)])


def add_groups(shares: pa.Table) -> pa.Table:
    """The sums of one group over all shares; they are exact, whatever their order."""
    total = sum(np.frombuffer(one.as_py()) for one in shares["content"])
    return pa.table([shares[PLACE][:1], pa.array([np.asarray(total).tobytes()], pa.binary())], schema=GROUP_SUMS)


def explain_accounts(bundle: Bundle, batches: Batches) -> Batches:
    """Each batch with what the inputs do, `EFFECTS`, beside it."""
    for batch in batches:
        if batch.num_rows:
            explained = explain(bundle.model(), bundle.frame(batch)).values()
            effects = [pa.array(as_bytes(part.effects), pa.binary()) for part in explained]
            columns = [*batch.columns, *effects, *(pa.array(part.probability) for part in explained)]
            yield pa.RecordBatch.from_arrays(columns, schema=pa.schema([*batch.schema, *EFFECTS]))


def tell_reasons(telling: Telling, batches: Batches) -> Batches:
    """The reasons of the accounts of each batch in words, as `REASONS`."""
    for batch in batches:
        if batch.num_rows:
            frame = telling.bundle.frame(batch)
            earlier = pd.DataFrame()
            if telling.earlier:
                past = arrays(batch.column("past"))
                earlier = pd.DataFrame(past, columns=list(telling.earlier), index=frame["account_id"])
            compared = Background(telling.peers, telling.typical, earlier, telling.earlier_on)
            against = (explained_of(pa.Table.from_batches([batch])), compared, telling.norms)
            told = reasons(telling.bundle.model(), frame, *against, top=telling.top, currency=telling.currency)
            place = batch.column(PLACE).to_numpy()[told.index.to_numpy()]
            yield _batch(REASONS, place, *(told[name].to_numpy() for name in COLUMNS))


def explained_of(table: pa.Table) -> dict[Outcome, Explained]:
    """What `explain_accounts` put beside the rows."""
    return {
        outcome: Explained(arrays(table[f"{outcome}_effects"]), table[f"{outcome}_probability"].to_numpy())
        for outcome in EXPLAINED
    }


def as_bytes(rows: NDArray[np.generic]) -> list[bytes]:
    """Each row of an array as its bytes."""
    return [row.tobytes() for row in np.ascontiguousarray(rows)]


def arrays(column: pa.Array | pa.ChunkedArray, kind: type[np.generic] = np.float64) -> Array:
    """What `as_bytes` gave, as one array again."""
    cells = column.to_pylist()
    return np.frombuffer(b"".join(cells), dtype=kind).reshape(len(cells), -1)


@functools.lru_cache(maxsize=1)
def _model(files: tuple[tuple[str, str], ...]) -> OutcomeModel:
    return OutcomeModel.from_files(dict(files), threads=1)


def _figures(simulated: Simulated, cross_sell: Array) -> list[bytes]:
    """Of each account its `FIGURES` and the chances of a cross-sell, by month ahead."""
    figures = (getattr(simulated.accounts, name) for name in FIGURES)
    return as_bytes(np.stack([*figures, cross_sell], axis=1))


def _batch(schema: pa.Schema, *columns: Sequence[object] | NDArray[np.generic] | pa.ChunkedArray) -> pa.RecordBatch:
    cells = [column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in columns]
    return pa.RecordBatch.from_arrays(
        [pa.array(part, type=field.type) for part, field in zip(cells, schema, strict=True)], schema=schema
    )
