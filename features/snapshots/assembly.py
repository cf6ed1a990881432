"""The SQL of snapshots: the statements that an engine runs, and the SELECTs that put its work tables together.

A snapshot is made of the spine (accounts with ARR, see `features.snapshots.spine`) and the parts of all features,
joined on account and snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa

from features.asof.view import AsOf
from features.engines.single import Steps
from features.families import catalogue
from features.families.catalogue import Selection
from features.families.feature import Feature
from features.families.kinds import columns_of
from features.snapshots import spine
from features.snapshots.compiler import compile_parts, table_of
from features.snapshots.streams import edge_sets, edges
from features.tables import contract
from features.tables.checked import Tables
from features.tables.sql import named
from params import OwnFeature, Revenue
from params import Snapshots as SnapshotSettings


@dataclass(frozen=True)
class Assembly:
    """All that decides what the snapshots of some dates hold."""

    asof: AsOf
    revenue: Revenue
    selection: Selection

    @cached_property
    def selects(self) -> dict[str, str]:
        """The work tables of all features."""
        return compile_parts(columns_of([feature.value for feature in self.selection.features]), self.asof)

    @cached_property
    def statements(self) -> list[str]:
        """What makes the temp tables."""
        parts = [f"CREATE TEMP TABLE {name} AS {select}" for name, select in self.selects.items()]
        return [*spine.statements(self.asof, self.revenue), *parts]

    @property
    def temp_tables(self) -> tuple[str, ...]:
        """Names of the temp tables that the statements leave."""
        return ("rates", "lines", "attributes", "spine", *self.selects)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Columns of `accounts`, but for what people wrote and those whose name a number of the snapshot has."""
        taken = {"as_of", "term_ends_on", "k", *spine.COLUMNS}
        taken |= {f.name for f in self.selection.features if f.value.sql != f"attribute_{f.name}"}
        taken |= {column.name for column in contract.ACCOUNTS if column.free_text}
        return tuple(name for name in self.asof.tables.attribute_columns if name.lower() not in taken)

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of a snapshot and their SQL, but for ids and dates."""
        columns = {name: f"CAST({sql} AS DOUBLE)" for name, sql in spine.COLUMNS.items()}
        columns |= {name: _attribute(self.asof.tables.column("accounts", name)) for name in self.attributes}
        return columns | {f.name: _cast(f) for f in self.selection.features if f.name not in columns}

    @property
    def unranked(self) -> str:
        """SELECT of the snapshots of some accounts, with dates still as day numbers, and what the ranks are of.

        Features are joined family by family, since a row that grows join by join costs.
        """
        families = self._families.items()
        columns = self.columns | {f.name: f"{family}.{named(f.name)}" for family, members in families for f in members}
        selects = {family: f"({self.select_of(members)})" for family, members in families}
        joined = _left_joins({"attributes": "attributes"} | selects)
        return f"SELECT {self._selected(columns, of='spine')} FROM spine {joined}"

    @property
    def steps(self) -> Steps:
        """What makes the rows of `unranked` an account at a time."""
        parts = _tables_of(self.selection.features)
        computed = f"SELECT {self._selected(self.columns, of='parts')} FROM parts"
        return Steps(self.asof.frames(), self.statements, ("spine", *parts), f"spine {_left_joins(parts)}", computed)

    def _selected(self, columns: Mapping[str, str], *, of: str) -> str:
        """The columns of `unranked`, of a relation with those of the spine."""
        stored = {name: sql for name, sql in columns.items() if name not in self.ranks}
        stored |= {ranked_column(name): columns[name] for name in self.ranks}
        items = "".join(f", {sql} AS {named(name)}" for name, sql in stored.items())
        return f"{of}.account_id, {of}.k, t AS as_of, term_ends AS term_ends_on{items}"

    @cached_property
    def _families(self) -> dict[str, list[Feature]]:
        """The features that are to be computed, by family."""
        copied = {*spine.COLUMNS, *self.attributes}
        computed = [feature for feature in self.selection.features if feature.name not in copied]
        return {
            f"family_{family}": [f for f in computed if f.family == family]
            for family in dict.fromkeys(f.family for f in computed)
        }

    def select_of(self, features: Sequence[Feature]) -> str:
        """SELECT of some features, once the work tables are there."""
        items = "".join(f", {self.columns[f.name]} AS {named(f.name)}" for f in features)
        return f"SELECT spine.account_id, spine.k{items} FROM spine {_left_joins(_tables_of(features))}"

    @cached_property
    def ranks(self) -> tuple[str, ...]:
        """Features that are ranks among peers."""
        return tuple(f.name for f in self.selection.features if f.value.peers)

    @property
    def peers(self) -> str:
        """SELECT of what is ranked, of some accounts."""
        columns = "".join(f", {self.columns[name]} AS {named(name)}" for name in ("segment", *self.ranks))
        joined = _left_joins(_tables_of([feature for feature in self.selection.features if feature.value.peers]))
        return f"SELECT spine.account_id, spine.k{columns} FROM spine {joined}"

    @property
    def ranking(self) -> list[str]:
        """What makes the table of what is ranked, if anything is."""
        return [f"CREATE TEMP TABLE peers AS {self.peers}"] if self.ranks else []

    @property
    def ranked(self) -> str:
        """SELECT of the ranks, once the peers of all accounts are there."""
        return f"SELECT account_id, k, {', '.join(map(_rank, self.ranks))} FROM peers"

    @property
    def final(self) -> str:
        """SELECT of the snapshots, ranks included."""
        if not self.ranks:
            return self.unranked
        items = [f"{'r' if name in self.ranks else 'f'}.{named(name)}" for name in self.columns]
        items += [f"f.{named(ranked_column(name))}" for name in self.ranks]
        joined = f"({self.unranked}) f JOIN ({self.ranked}) r ON r.account_id = f.account_id AND r.k = f.k"
        return f"SELECT f.account_id, f.k, f.as_of, f.term_ends_on, {', '.join(items)} FROM {joined}"

    def finished(self, rows: pa.Table, ranks: pa.Table) -> pa.Table:
        """Rows of `unranked`, in the order of columns of `final`, with their ranks and with dates as dates."""
        for name in ("as_of", "term_ends_on"):
            rows = rows.set_column(rows.schema.get_field_index(name), name, _timestamps(rows[name]))
        for name in self.ranks:
            rows = rows.append_column(name, ranks[name])
        return rows.select(["account_id", "as_of", "term_ends_on", *self.columns, *map(ranked_column, self.ranks)])


def assembly_of(
    tables: Tables, dates: Sequence[date], revenue: Revenue, settings: SnapshotSettings, own: Mapping[str, OwnFeature]
) -> Assembly:
    """That of any dates, in any order, of the features that the tables can give; `own` are those of the settings."""
    return assembly_at(tables, tuple(sorted(set(dates))), revenue, catalogue.select(tables, settings.drop, own))


def assembly_at(tables: Tables, dates: tuple[date, ...], revenue: Revenue, selection: Selection) -> Assembly:
    """That of dates in ascending order, of selected features."""
    parts = columns_of([feature.value for feature in selection.features])
    asof = AsOf(tables, dates, edge_sets(parts), max(edges(parts), default=0))
    return Assembly(asof, revenue, selection)


def ranked_column(name: str) -> str:
    """Name of the stored column with the value that a rank among peers is of."""
    return f"of:{name}"


def _tables_of(features: Sequence[Feature]) -> dict[str, str]:
    """The attributes and the tables that hold the parts of some features, each by its own name."""
    parts = columns_of([feature.value for feature in features])
    return {name: name for name in ("attributes", *map(table_of, parts))}


def _left_joins(relations: Mapping[str, str]) -> str:
    """Joins of the spine to relations, by the names they have in the statement."""
    return " ".join(
        f"LEFT JOIN {sql} {name} ON {name}.account_id = spine.account_id AND {name}.k = spine.k"
        for name, sql in relations.items()
    )


def _rank(name: str) -> str:
    """The share of the other accounts of a snapshot's segment that have less; missing where the value is, or alone."""
    peers = f"PARTITION BY k, segment, CASE WHEN {named(name)} IS NULL THEN 0 ELSE 1 END"
    rank = f"PERCENT_RANK() OVER ({peers} ORDER BY {named(name)})"
    comparable = f"{named(name)} IS NOT NULL AND segment IS NOT NULL AND COUNT(*) OVER ({peers}) > 1"
    return f"CASE WHEN {comparable} THEN {rank} END AS {named(name)}"


def _cast(feature: Feature) -> str:
    return f"CAST({feature.value} AS {'VARCHAR' if feature.kind == 'category' else 'DOUBLE'})"


def _attribute(column: contract.Column) -> str:
    """An attribute as text, number or timestamp."""
    kinds = {
        contract.Type.MONEY: "DOUBLE",
        contract.Type.NUMBER: "DOUBLE",
        contract.Type.INTEGER: "DOUBLE",
        contract.Type.DATE: "TIMESTAMP",
        contract.Type.TS: "TIMESTAMP",
    }
    return f"CAST({named(f'attribute_{column.name}')} AS {kinds.get(column.type, 'VARCHAR')})"


def _timestamps(days: pa.ChunkedArray) -> pa.ChunkedArray:
    microseconds = pa.compute.multiply(days.cast(pa.int64()), 86_400_000_000)
    return microseconds.cast(pa.timestamp("us"))
