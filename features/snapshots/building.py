"""Snapshots made by an engine, a range of accounts at a time, so that memory stays flat; and as one frame."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa

from features.asof.view import EPOCH
from features.engines.chosen import engine_of
from features.engines.engine import Engine
from features.families.feature import Feature
from features.snapshots import spine
from features.snapshots.assembly import Assembly, assembly_of, ranked_column
from features.snapshots.pieces import Pieces
from features.tables.checked import Tables
from features.tables.problems import TABLES_STORED, BadInput, Finding
from params import Budget, OwnFeature, Revenue
from params import Snapshots as SnapshotSettings


@dataclass(frozen=True)
class Snapshots:
    """Snapshots as one frame, sorted by date and account.

    Parameters
    ----------
    frame
        `account_id` (str), `as_of` (datetime64), `arr` (reporting currency a year), `term_ends_on` (earliest
        known end of an active line; NaT = evergreen), `term_days` (length of that term, from its first line on),
        `due_share` (share of ARR that ends then), `overdue_days`, `notice_given` and `presigned` (0/1),
        `notice_share` (share of ARR under notice), the attributes of the account in force, and every feature: float64,
        or str for a category; missing is NaN. A feature of the name of another column is that column: dropped as a
        feature, it stays in the frame, since what is certain of the months ahead rests on it.
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


def build(
    tables: Tables,
    dates: Sequence[date],
    *,
    revenue: Revenue,
    settings: SnapshotSettings,
    budget: Budget,
    own: Mapping[str, OwnFeature] | None = None,
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
    budget
        What the engine may use; the result does not depend on them.
    own
        The features that the settings declare.

    Raises
    ------
    BadInput
        A currency in force has no rate.
    SettingsError
        `settings.drop` names a feature that does not exist, or one of `own` cannot be.
    """
    assembly = assembly_of(tables, dates, revenue, settings, {} if own is None else own)
    rows: list[pa.Table] = []
    for rolled, days in tables.by_hierarchy(dates):
        with engine_of(rolled, budget=budget) as engine, Pieces(tables.database.parent) as pieces:
            rows += made_by(engine, assembly_of(rolled, days, revenue, settings, {} if own is None else own), pieces)
    return snapshots_of(assembly, pa.concat_tables(rows))


def made_by(engine: Engine, assembly: Assembly, pieces: Pieces) -> Iterator[pa.Table]:
    """The snapshots of one date after another, by account: made a range of accounts at a time, and kept in pieces."""
    engine.load(assembly.asof.frames())
    for place, _ in enumerate(engine.ranges(len(assembly.asof.dates))):
        engine.make(assembly.statements)
        require_rates(engine.fetch(spine.lines_without_rate()))
        pieces.add(engine.snapshots(assembly.unranked))
        engine.make([f"INSERT INTO peers {assembly.peers}"] if place and assembly.ranks else assembly.ranking)
        engine.make([f"DROP TABLE {table}" for table in assembly.temp_tables])
    ranks = engine.snapshots(assembly.ranked) if assembly.ranks else pa.table({"k": pa.array([], pa.int64())})
    for k in range(1, len(assembly.asof.dates) + 1):
        yield assembly.finished(pieces.of(k), ranks.filter(pa.compute.equal(ranks["k"], k)))


def snapshots_of(assembly: Assembly, table: pa.Table) -> Snapshots:
    """Finished rows as snapshots, without the values that ranks are of."""
    columns = [name for name in table.column_names if not name.startswith(ranked_column(""))]
    frame = table.select(columns).to_pandas()
    return Snapshots(frame, assembly.selection.features, assembly.attributes, assembly.selection.left_out)


def require_rates(without: pa.Table) -> None:
    """Raise if some currency lacks a rate, from what `spine.lines_without_rate` gives."""
    problems = [
        Finding(
            "fx_rates",
            f"no rate for {row['currency']} in the month of {EPOCH + timedelta(days=row['first_day'])} or before, "
            f"but {row['lines']:,} contract lines are in {row['currency']}",
            "Add a row for that month or an earlier one.",
        )
        for row in without.to_pylist()
    ]
    if problems:
        raise BadInput(problems, stored=TABLES_STORED)
