"""Snapshots: what was known about each account at each date, made from the checked tables and kept on disk.

A snapshot is made of the spine (accounts with ARR, see `features.spine`) and the columns of each family of
features, joined on account and snapshot. The store holds one Parquet file a date under a key that stands for the
data, the rules and the features, so that a date is made once and never mixed with another definition.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import catalogue, contract, spine
from features.asof import EPOCH, AsOf
from features.catalogue import Selection
from features.engines import emitted
from features.engines.chosen import engine_of
from features.engines.engine import Engine
from features.feature import Feature
from features.problems import BadInput, Finding
from features.tables import Tables
from features.tiles import tables_of
from params import Params, Revenue
from params import Snapshots as SnapshotSettings

VERSION = 1  # raise it when a change of code alters a snapshot without altering its SQL or its features
HISTORY_DAYS = 90
HAPPENINGS = ("usage", "csm_actions", "engagement", "tickets", "surveys", "calls")
BATCH = 60  # dates made at once: bounds memory, and what a killed run loses

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Snapshots:
    """Snapshots as one frame, sorted by date and account.

    Parameters
    ----------
    frame
        `account_id` (str), `as_of` (datetime64), `arr` (reporting currency a year), `term_ends_on` (earliest
        known end of an active line; NaT = evergreen), `term_days` (scheduled length of that line's term),
        `due_share` (share of ARR that ends then), `overdue_days`, `notice_given` and `presigned` (0/1), the
        attributes of the account in force, and every feature: float64, or str for a category; missing is NaN.
        A feature of the name of another column is that column.
    features
        The features in the frame.
    attributes
        The columns of `accounts` in the frame.
    left_out
        For each feature that the tables cannot give, the columns they lack.
    """

    frame: pd.DataFrame
    features: tuple[Feature, ...]
    attributes: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def note(self) -> str:
        """One line that says which features are left out and which columns are absent; empty if none."""
        if not self.left_out:
            return ""
        absent = sorted({column for columns in self.left_out.values() for column in columns})
        return f"{len(self.left_out)} features are left out ({', '.join(self.left_out)}): no {', '.join(absent)}."


def month_starts(tables: Tables, settings: SnapshotSettings) -> list[date]:
    """The default dates: month starts up to and including `tables.data_until`.

    They begin at `settings.first` or, where it is null, with the first month start at least 90 days after the
    data begin: after the first contract start and, where anything that happens is recorded, its first event.
    Earlier contracts are those of accounts that lasted, so that churn before the events would look too rare.

    Raises
    ------
    BadInput
        There is no month start between the two.
    """
    first = settings.first or _begin(tables) + timedelta(days=HISTORY_DAYS)
    starts = pd.date_range(first, tables.data_until, freq="MS")
    if starts.empty:
        what = f"no month starts between {first}, where snapshots begin, and {tables.data_until}, where the data end"
        todo = f"Bring more than {HISTORY_DAYS} days of history, or set snapshots.first or source.data_until"
        raise BadInput([Finding("snapshots", what, todo)])
    return [start.date() for start in starts]


def build(
    tables: Tables,
    dates: Sequence[date],
    *,
    revenue: Revenue,
    settings: SnapshotSettings,
    threads: int,
    memory_gb: float,
) -> Snapshots:
    """Snapshots at any dates, in memory.

    Parameters
    ----------
    tables
        The checked tables.
    dates
        When; order and repeats do not matter.
    revenue
        Reporting currency and grace.
    settings
        Which features to drop.
    threads, memory_gb
        What the engine may use; the result does not depend on them.

    Raises
    ------
    BadInput
        A currency in force has no rate.
    SettingsError
        `settings.drop` names a feature that does not exist.
    """
    recipe = _recipe(tables, dates, revenue, settings)
    with engine_of(tables, threads=threads, memory_gb=memory_gb) as engine:
        return _snapshots(recipe, _make(engine, recipe))


def script(
    tables: Tables, dates: Sequence[date], dialect: str, *, revenue: Revenue, settings: SnapshotSettings
) -> Iterator[str]:
    """The statements that make the snapshots, in a dialect of `features.dialects.EMITTED`; `as_of` and
    `term_ends_on` of the last one are days since 1970-01-01.
    """
    recipe = _recipe(tables, dates, revenue, settings)
    return emitted.script(dialect, frames=recipe.asof.frames(), statements=recipe.statements, assembly=recipe.assembly)


def stored(
    tables: Tables,
    dates: Sequence[date],
    *,
    params: Params,
    progress: Progress = lambda what, done, total: None,
) -> Snapshots:
    """Snapshots at any dates from the store in `params.data_dir`; those that are missing are made and kept.

    Each file appears under its name only once it is whole, so a run killed anywhere can be run again.
    """
    recipe = _recipe(tables, dates, params.revenue, params.snapshots)
    folder = params.data_dir / "snapshots" / recipe.key
    folder.mkdir(parents=True, exist_ok=True)
    missing = [day for day in recipe.asof.dates if not _file(folder, day).exists()]
    progress("snapshots", 0, len(missing))
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        with engine_of(tables, threads=params.threads, memory_gb=params.memory_gb) as engine:
            made = _make(engine, _recipe(tables, batch, params.revenue, params.snapshots))
        for day in batch:
            _write(made.filter(pa.compute.equal(made["as_of"], pd.Timestamp(day))), _file(folder, day))
        progress("snapshots", min(start + BATCH, len(missing)), len(missing))
    files = [pq.read_table(_file(folder, day)) for day in recipe.asof.dates]
    return _snapshots(recipe, pa.concat_tables(files))


@dataclass(frozen=True)
class _Recipe:
    """All that decides what a snapshot holds."""

    asof: AsOf
    revenue: Revenue
    selection: Selection

    @property
    def key(self) -> str:
        """Stands for the data, the rules, the features and their SQL, but not for the dates."""
        anchor = _Recipe(AsOf(self.asof.tables, (EPOCH,), catalogue.EDGES), self.revenue, self.selection)
        content = [
            str(VERSION),
            self.asof.tables.digest,
            self.revenue.model_dump_json(),
            *(repr(feature) for feature in self.selection.features),
            *anchor.statements,
            anchor.assembly,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    @property
    def statements(self) -> list[str]:
        """What makes the temp tables."""
        families = catalogue.tiles(self.asof) | catalogue.columns(self.asof)
        return [*spine.statements(self.asof, self.revenue), *tables_of(families)]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Columns of `accounts`, but for those whose name a number of the snapshot has."""
        taken = {"as_of", "term_ends_on", *spine.COLUMNS}
        taken |= {f.name for f in self.selection.features if f.expression != f"attribute_{f.name}"}
        return tuple(name for name in spine.attribute_names(self.asof) if name not in taken)

    @property
    def assembly(self) -> str:
        """SELECT of the snapshots, with dates still as day numbers."""
        columns = {name: f"CAST({sql} AS DOUBLE)" for name, sql in spine.COLUMNS.items()}
        columns |= {name: _attribute(name) for name in self.attributes}
        columns |= {f.name: _cast(f) for f in self.selection.features if f.name not in columns}
        shown = "".join(f', {sql} AS "{name}"' for name, sql in columns.items())
        joins = " ".join(
            f"LEFT JOIN {name} USING (account_id, k)" for name in ("attributes", *catalogue.columns(self.asof))
        )
        return (
            f"SELECT account_id, t AS as_of, term_ends AS term_ends_on{shown} FROM spine {joins} ORDER BY k, account_id"
        )


def _recipe(tables: Tables, dates: Sequence[date], revenue: Revenue, settings: SnapshotSettings) -> _Recipe:
    asof = AsOf(tables, tuple(sorted(set(dates))), catalogue.EDGES)
    return _Recipe(asof, revenue, catalogue.select(tables, settings.drop))


def _make(engine: Engine, recipe: _Recipe) -> pa.Table:
    engine.load(recipe.asof.frames())
    engine.make(recipe.statements)
    _require_rates(engine)
    table = engine.fetch(recipe.assembly)
    for name in ("as_of", "term_ends_on"):
        table = table.set_column(table.schema.get_field_index(name), name, _timestamps(table[name]))
    return table


def _snapshots(recipe: _Recipe, table: pa.Table) -> Snapshots:
    frame = table.to_pandas()
    return Snapshots(frame, recipe.selection.features, recipe.attributes, recipe.selection.left_out)


def _timestamps(days: pa.ChunkedArray) -> pa.ChunkedArray:
    microseconds = pa.compute.multiply(days.cast(pa.int64()), 86_400_000_000)
    return microseconds.cast(pa.timestamp("us"))


def _cast(feature: Feature) -> str:
    return f"CAST({feature.expression} AS {'VARCHAR' if feature.kind == 'category' else 'DOUBLE'})"


def _attribute(name: str) -> str:
    """An attribute as text, number or timestamp; a column that the contract does not declare is text."""
    declared = {column.name: column.type for column in contract.ACCOUNTS}.get(name, contract.Type.TEXT)
    kinds = {
        contract.Type.MONEY: "DOUBLE",
        contract.Type.NUMBER: "DOUBLE",
        contract.Type.INTEGER: "DOUBLE",
        contract.Type.DATE: "TIMESTAMP",
        contract.Type.TS: "TIMESTAMP",
    }
    return f'CAST("attribute_{name}" AS {kinds.get(declared, "VARCHAR")})'


def _require_rates(engine: Engine) -> None:
    missing = engine.fetch(spine.lines_without_rate()).to_pylist()
    if missing:
        raise BadInput([
            Finding(
                "fx_rates",
                f"no rate for {row['currency']} in the month of {EPOCH + timedelta(days=row['first_day'])} or before, "
                f"but {row['lines']:,} contract lines are in {row['currency']}",
                "Add a row for that month or an earlier one.",
            )
            for row in missing
        ])  # fmt: skip


def _begin(tables: Tables) -> date:
    """The later of the first contract start and the first thing that happened, whatever it was."""
    happened = {name: str(contract.TABLES[name].event_day) for name in HAPPENINGS if tables.has(name)}
    there = tables.warehouse.first_days if tables.warehouse else {}
    firsts = [
        f"SELECT DATE '{there[name]}' AS day"
        if name in there
        else f"SELECT MIN(CAST({day} AS DATE)) AS day FROM raw.{name}"
        for name, day in happened.items()
    ]
    starts = "SELECT MIN(starts_on) AS day FROM raw.contracts"
    happening = f"SELECT MIN(day) AS day FROM ({' UNION ALL '.join(firsts or [starts])})"
    with tables.connect(threads=1, memory_gb=1) as connection:
        row = connection.execute(f"SELECT MAX(day) FROM ({starts} UNION ALL {happening})").fetchone()
    return row[0] if row and row[0] else tables.data_until


def _file(folder: Path, day: date) -> Path:
    return folder / f"{day.isoformat()}.parquet"


def _write(table: pa.Table, file: Path) -> None:
    """Write under a name of this process's own, then rename: nobody ever sees half a file."""
    partial = file.with_suffix(f".{os.getpid()}.partial")
    pq.write_table(table.combine_chunks(), partial, compression="zstd")
    partial.replace(file)
