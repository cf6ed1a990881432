"""Snapshots: what was known about each account at each date, made from the checked tables and kept on disk.

A snapshot is made of the spine (accounts with ARR, see `features.snapshots.spine`) and the parts of all features,
joined on account and snapshot; accounts are made a range at a time, so that memory stays flat. The store holds one
Parquet file a date, in a folder that stands for the features and rules (the definition), under a name that stands for
what was known before that date. So a new date is made alone, rows that arrive late leave earlier snapshots as they are,
and a changed definition or a rewritten past gets new files beside the old ones: a file is never rewritten.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.asof.knowledge import digest_of, known_before
from features.asof.view import EPOCH, AsOf
from features.engines import emitted
from features.engines.chosen import engine_of
from features.engines.engine import Engine
from features.engines.single import Single, Steps
from features.families import catalogue
from features.families.catalogue import Selection
from features.families.feature import Feature
from features.families.kinds import columns_of
from features.snapshots import spine
from features.snapshots.compiler import compile_parts, edge_sets, edges, table_of
from features.snapshots.pieces import Pieces
from features.tables import contract
from features.tables.checked import Tables
from features.tables.problems import TABLES_STORED, BadInput, Finding
from features.tables.progress import Progress, silent
from features.tables.sql import named
from params import Budget, Params, Revenue
from params import Snapshots as SnapshotSettings

VERSION = 2  # raise it when a change of code alters a snapshot without altering its SQL or its features
HISTORY_DAYS = 90
ANCHOR = (EPOCH, EPOCH + timedelta(days=365))  # dates whose SQL stands for that of any
HAPPENINGS = ("usage", "csm_actions", "engagement", "tickets", "surveys", "calls")


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


def first_date(tables: Tables, settings: SnapshotSettings) -> date:
    """From when on there is enough history behind a snapshot.

    That is `settings.first` or, where it is null, 90 days after the data begin: after the first contract start and,
    where anything that happens is recorded, its first event. Earlier contracts are those of accounts that lasted, so
    that churn before the events would look too rare.
    """
    return settings.first or _begin(tables) + timedelta(days=HISTORY_DAYS)


def month_starts(tables: Tables, settings: SnapshotSettings) -> list[date]:
    """The default dates: month starts up to and including `tables.data_until`.

    They begin with the first month start from `first_date` on.

    Raises
    ------
    BadInput
        There is no month start between the two.
    """
    first = first_date(tables, settings)
    starts = pd.date_range(first, tables.data_until, freq="MS")
    if starts.empty:
        what = f"no month starts between {first}, where snapshots begin, and {tables.data_until}, where the data end"
        todo = f"Bring more than {HISTORY_DAYS} days of history, or set snapshots.first or source.data_until"
        raise BadInput([Finding("snapshots", what, todo)], stored=TABLES_STORED)
    return [start.date() for start in starts]


def build(
    tables: Tables,
    dates: Sequence[date],
    *,
    revenue: Revenue,
    settings: SnapshotSettings,
    budget: Budget,
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

    Raises
    ------
    BadInput
        A currency in force has no rate.
    SettingsError
        `settings.drop` names a feature that does not exist.
    """
    recipe = _recipe(tables, dates, revenue, settings)
    with engine_of(tables, budget=budget) as engine, Pieces(tables.database.parent) as pieces:
        made = pa.concat_tables(_assembled(engine, recipe, pieces))
    return _snapshots(recipe, made)


def script(
    tables: Tables, dates: Sequence[date], dialect: str, *, revenue: Revenue, settings: SnapshotSettings
) -> Iterator[str]:
    """The statements that make the snapshots, in a dialect of `features.engines.dialects.EMITTED`; `as_of` and
    `term_ends_on` of the last one are days since 1970-01-01.
    """
    recipe = _recipe(tables.elsewhere(), dates, revenue, settings)
    made = [*recipe.statements, *recipe.ranking]
    return emitted.script(dialect, frames=recipe.asof.frames(), statements=made, assembly=recipe.final)


@dataclass(frozen=True)
class Stored:
    """Where the snapshots of some dates lie or will lie, which of them are to be made, and why.

    `files` by date; `missing` the dates to make; `why` a line for each that is not simply new; `features` as in
    `Snapshots`; `known` the digests of what was known before each date, by table; `definition` of what they hold.
    """

    files: Mapping[date, Path]
    missing: tuple[date, ...]
    why: tuple[str, ...]
    features: tuple[Feature, ...]
    known: Mapping[date, Mapping[str, str]]
    definition: Mapping[str, Any]

    def totals(self) -> tuple[int, int]:
        """How many rows and distinct accounts the files hold, once they are made."""
        ids = pa.concat_tables(pq.read_table(file, columns=["account_id"]) for file in self.files.values())
        return ids.num_rows, len(pa.compute.unique(ids["account_id"]))


def plan(tables: Tables, dates: Sequence[date], *, params: Params) -> Stored:
    """What the store in `params.data_dir` holds of these dates, and what is to be made."""
    recipe = _recipe(tables, dates, params.revenue, params.snapshots)
    folder = params.data_dir / "snapshots" / recipe.key
    known = known_before(tables, recipe.asof.dates)
    files = {day: _file(folder, day, known[day]) for day in recipe.asof.dates}
    missing = tuple(day for day, file in files.items() if _told(file) is None)
    why = tuple(_why(recipe, folder, {day: files[day] for day in missing}, known))
    return Stored(files, missing, why, recipe.selection.features, known, recipe.definition)


def make(tables: Tables, dates: Sequence[date], *, params: Params, progress: Progress = silent) -> Stored:
    """Make and keep the snapshots of these dates that the store lacks; gives what was to be made.

    Each file appears under its name only once it is whole, so a run killed anywhere can be run again.
    """
    todo = plan(tables, dates, params=params)
    progress("snapshots", 0, len(todo.missing))
    if not todo.missing:
        return todo
    recipe = _recipe(tables, todo.missing, params.revenue, params.snapshots)
    folder = next(iter(todo.files.values())).parent
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.partial"):  # of runs that were killed
        left.unlink(missing_ok=True)
    with (
        engine_of(tables, budget=params.budget) as engine,
        Pieces(tables.database.parent) as pieces,
    ):
        for place, made in enumerate(_assembled(engine, recipe, pieces), start=1):
            day = recipe.asof.dates[place - 1]
            told = json.dumps({"definition": todo.definition, "known": todo.known[day]})
            _write(made.replace_schema_metadata({METADATA: told}), todo.files[day])
            progress("snapshots", place, len(todo.missing))
    return todo


def stored(
    tables: Tables,
    dates: Sequence[date],
    *,
    params: Params,
    progress: Progress = silent,
) -> Snapshots:
    """Snapshots at any dates from the store in `params.data_dir`; those that are missing are made and kept."""
    todo = make(tables, dates, params=params, progress=progress)
    recipe = _recipe(tables, dates, params.revenue, params.snapshots)
    files = [pq.read_table(todo.files[day]) for day in recipe.asof.dates]
    return _snapshots(recipe, pa.concat_tables(table.replace_schema_metadata(None) for table in files))


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
        self._recipe = _recipe(tables, [as_of], params.revenue, params.snapshots)
        self._peers = _Peers(self._recipe, as_of, params)
        self._priced = tables.has("contracts", "currency")
        self._engine = Single(tables, self._recipe.steps, budget=params.budget)

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
            _require_rates(self._engine.fetch(spine.lines_without_rate()))
        made = self._engine.snapshot()
        made = made.set_column(0, "account_id", pa.array([account_id] * made.num_rows, pa.string()))
        return _snapshots(self._recipe, self._recipe.finished(made, self._peers.ranks(made)))


def of_account(tables: Tables, account_id: str, as_of: date, *, params: Params) -> Snapshots:
    """The snapshot of one account at any date; `LiveSnapshots` where there are several."""
    with LiveSnapshots(tables, as_of, params=params) as live:
        return live.of(account_id)


@dataclass(frozen=True)
class _Recipe:
    """All that decides what a snapshot holds."""

    asof: AsOf
    revenue: Revenue
    selection: Selection

    @property
    def key(self) -> str:
        """Stands for the rules, the features and their SQL, but not for the dates nor the data."""
        return hashlib.sha256(json.dumps(self.definition).encode()).hexdigest()[:16]

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The rules, and a digest of each feature and of the SQL all stand on."""
        anchor = _recipe_at(self.asof.tables.elsewhere(), ANCHOR, self.revenue, self.selection)
        common = [str(VERSION), *spine.statements(anchor.asof, anchor.revenue), *anchor.ranking, anchor.final]
        return {
            "rules": self.revenue.model_dump(mode="json"),
            "lag_days": dict(self.asof.tables.lag_days),
            "features": {
                feature.name: _short_digest(repr((feature.value, feature.kind)), *_selects_of(feature, anchor.asof))
                for feature in self.selection.features
            },
            "common": _short_digest(*common),
        }

    @cached_property
    def selects(self) -> dict[str, str]:
        """The work tables of all features."""
        return compile_parts(columns_of([feature.value for feature in self.selection.features]), self.asof)

    @cached_property
    def statements(self) -> list[str]:
        """What makes the temp tables."""
        made = (f"CREATE TEMP TABLE {name} AS {select}" for name, select in self.selects.items())
        return [*spine.statements(self.asof, self.revenue), *made]

    @property
    def made(self) -> tuple[str, ...]:
        """Names of the temp tables that the statements leave."""
        return ("rates", "lines", "attributes", "spine", *self.selects)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Columns of `accounts`, but for those whose name a number of the snapshot has."""
        taken = {"as_of", "term_ends_on", "k", *spine.COLUMNS}
        taken |= {f.name for f in self.selection.features if f.value.sql != f"attribute_{f.name}"}
        return tuple(name for name in spine.attribute_names(self.asof) if name.lower() not in taken)

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of a snapshot and their SQL, but for ids and dates."""
        columns = {name: f"CAST({sql} AS DOUBLE)" for name, sql in spine.COLUMNS.items()}
        columns |= {name: _attribute(name) for name in self.attributes}
        return columns | {f.name: _cast(f) for f in self.selection.features if f.name not in columns}

    @property
    def assembly(self) -> str:
        """SELECT of the snapshots of some accounts, with dates still as day numbers, and what the ranks are of.

        Features are joined family by family, since a row that grows join by join costs.
        """
        families = self._families
        columns = self.columns | {f.name: f"{family}.{named(f.name)}" for family, own in families.items() for f in own}
        joined = _left_joins({"attributes": "attributes"} | {name: self._of(own) for name, own in families.items()})
        return f"SELECT {self._shown(columns, of='spine')} FROM spine {joined}"

    @property
    def steps(self) -> Steps:
        """What makes the rows of `assembly` an account at a time."""
        parts = _tables_of(self.selection.features)
        computed = f"SELECT {self._shown(self.columns, of='parts')} FROM parts"
        return Steps(self.asof.frames(), self.statements, ("spine", *parts), f"spine {_left_joins(parts)}", computed)

    def _shown(self, columns: Mapping[str, str], *, of: str) -> str:
        """The columns of `assembly`, of a relation with those of the spine."""
        shown = {name: sql for name, sql in columns.items() if name not in self.ranks}
        shown |= {_ranked(name): columns[name] for name in self.ranks}
        selected = "".join(f", {sql} AS {named(name)}" for name, sql in shown.items())
        return f"{of}.account_id, {of}.k, t AS as_of, term_ends AS term_ends_on{selected}"

    @cached_property
    def _families(self) -> dict[str, list[Feature]]:
        """The features that are to be computed, by family."""
        given = {*spine.COLUMNS, *self.attributes}
        computed = [feature for feature in self.selection.features if feature.name not in given]
        return {
            f"family_{family}": [f for f in computed if f.family == family]
            for family in dict.fromkeys(f.family for f in computed)
        }

    def _of(self, features: Sequence[Feature]) -> str:
        """SELECT of some features."""
        shown = "".join(f", {self.columns[f.name]} AS {named(f.name)}" for f in features)
        return f"(SELECT spine.account_id, spine.k{shown} FROM spine {_left_joins(_tables_of(features))})"

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
            return self.assembly
        shown = [f"{'r' if name in self.ranks else 'f'}.{named(name)}" for name in self.columns]
        shown += [f"f.{named(_ranked(name))}" for name in self.ranks]
        joined = f"({self.assembly}) f JOIN ({self.ranked}) r ON r.account_id = f.account_id AND r.k = f.k"
        return f"SELECT f.account_id, f.k, f.as_of, f.term_ends_on, {', '.join(shown)} FROM {joined}"

    def finished(self, made: pa.Table, ranks: pa.Table) -> pa.Table:
        """Rows of `assembly`, in the order of columns of `final`, with their ranks and with dates as dates."""
        for name in ("as_of", "term_ends_on"):
            made = made.set_column(made.schema.get_field_index(name), name, _timestamps(made[name]))
        for name in self.ranks:
            made = made.append_column(name, ranks[name])
        return made.select(["account_id", "as_of", "term_ends_on", *self.columns, *map(_ranked, self.ranks)])


METADATA = b"holdfast"


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
    known = f"{named(name)} IS NOT NULL AND segment IS NOT NULL AND COUNT(*) OVER ({peers}) > 1"
    return f"CASE WHEN {known} THEN {rank} END AS {named(name)}"


def _recipe(tables: Tables, dates: Sequence[date], revenue: Revenue, settings: SnapshotSettings) -> _Recipe:
    return _recipe_at(tables, tuple(sorted(set(dates))), revenue, catalogue.select(tables, settings.drop))


def _recipe_at(tables: Tables, dates: tuple[date, ...], revenue: Revenue, selection: Selection) -> _Recipe:
    parts = columns_of([feature.value for feature in selection.features])
    asof = AsOf(tables, dates, edge_sets(parts), max(edges(parts), default=0))
    return _Recipe(asof, revenue, selection)


def _selects_of(feature: Feature, asof: AsOf) -> list[str]:
    """The SQL of one feature's own parts."""
    return list(compile_parts(feature.value.parts, asof).values())


def _short_digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def _assembled(engine: Engine, recipe: _Recipe, pieces: Pieces) -> Iterator[pa.Table]:
    """The snapshots of one date after another, by account: made a range of accounts at a time, and kept in pieces."""
    engine.load(recipe.asof.frames())
    for place, _ in enumerate(engine.ranges(len(recipe.asof.dates))):
        engine.make(recipe.statements)
        _require_rates(engine.fetch(spine.lines_without_rate()))
        pieces.add(engine.snapshots(recipe.assembly))
        engine.make([f"INSERT INTO peers {recipe.peers}"] if place and recipe.ranks else recipe.ranking)
        engine.make([f"DROP TABLE {table}" for table in recipe.made])
    ranks = engine.snapshots(recipe.ranked) if recipe.ranks else pa.table({"k": pa.array([], pa.int64())})
    for k in range(1, len(recipe.asof.dates) + 1):
        yield recipe.finished(pieces.of(k), ranks.filter(pa.compute.equal(ranks["k"], k)))


def _why(
    recipe: _Recipe, folder: Path, missing: Mapping[date, Path], known: Mapping[date, Mapping[str, str]]
) -> list[str]:
    """What is to be made and is not simply new: because the definition changed, or a past was rewritten."""
    if not missing:
        return []
    if not folder.exists():
        return _definition_changes(recipe, folder)
    damaged = [day for day, file in missing.items() if file.exists()]
    lines = [f"{day} is made again: its file cannot be read" for day in damaged]
    for day in missing:
        others = sorted(folder.glob(f"{day.isoformat()}.*.parquet"), key=lambda file: file.stat().st_mtime)
        told = _told(others[-1]) if others else None
        if told and day not in damaged:
            before = told["known"]
            changed = sorted(name for name in known[day] if before.get(name) != known[day][name])
            lines.append(f"{day} is made again: what was known before it has changed in {', '.join(changed)}")
    return lines


def _definition_changes(recipe: _Recipe, folder: Path) -> list[str]:
    """What differs from the definition that was used last."""
    files = sorted(folder.parent.glob("*/*.parquet"), key=lambda file: file.stat().st_mtime)
    told = _told(files[-1]) if files else None
    if told is None:
        return []
    before, now = told["definition"], recipe.definition
    changes = [f"{key} {before['rules'].get(key)} -> {value}" for key, value in now["rules"].items()
               if before["rules"].get(key) != value]  # fmt: skip
    old, new = before["features"], now["features"]
    named_changes = {
        "added": [name for name in new if name not in old],
        "gone": [name for name in old if name not in new],
        "changed": [name for name in new if name in old and old[name] != new[name]],
    }
    for what, names in named_changes.items():
        few = f"{', '.join(names[:3])}{', ...' * (len(names) > 3)}"
        changes += [f"{len(names)} feature{'s' * (len(names) > 1)} {what} ({few})"] if names else []
    changes += ["the lags of the tables changed"] * (before["lag_days"] != now["lag_days"])
    changes += ["what all features stand on"] * (not changes)
    return [f"All dates are made: {'; '.join(changes)}"]


def _told(file: Path) -> dict[str, Any] | None:
    """What a stored snapshot says of itself; None if it cannot be read."""
    try:
        content: dict[str, Any] = json.loads((pq.read_metadata(file).metadata or {})[METADATA])
    except (OSError, pa.ArrowInvalid, KeyError):  # not ours, or damaged
        return None
    return content


class _Peers:
    """What the values ranked among peers were for all accounts of a stored snapshot."""

    def __init__(self, recipe: _Recipe, as_of: date, params: Params) -> None:
        self._names = recipe.ranks
        file = _newest_stored(recipe, as_of, params) if self._names else None
        columns = ["account_id", "segment", *map(_ranked, self._names)]
        frame = pq.read_table(file, columns=columns).to_pandas() if file else pd.DataFrame(columns=columns)
        self._by_segment = dict(list(frame.groupby("segment")))

    def ranks(self, made: pa.Table) -> pa.Table:
        """The ranks of one account, or of none, among the others of its segment."""
        own = made.to_pylist() if self._names else []
        return pa.table({name: pa.array([self._rank(row, name) for row in own], pa.float64()) for name in self._names})

    def _rank(self, own: Mapping[str, Any], name: str) -> float | None:
        peers, value = self._by_segment.get(own["segment"]), own[_ranked(name)]
        if peers is None or value is None:
            return None
        others = peers[_ranked(name)].to_numpy()[peers["account_id"].to_numpy() != own["account_id"]]
        known = others[~np.isnan(others)]
        return float((known < value).mean()) if len(known) else None


def _ranked(name: str) -> str:
    """Name of the stored column with the value that a rank among peers is of."""
    return f"of:{name}"


def _newest_stored(recipe: _Recipe, as_of: date, params: Params) -> Path | None:
    """The stored snapshot of a date, else of the newest one before it, of what is known now to have been known then."""
    folder = params.data_dir / "snapshots" / recipe.key
    days = sorted({date.fromisoformat(file.name[:10]) for file in folder.glob("*.parquet")}, reverse=True)
    known = known_before(recipe.asof.tables, [day for day in days if day <= as_of])
    files = (_file(folder, day, known[day]) for day in known)
    return next((file for file in files if file.exists()), None)


def _snapshots(recipe: _Recipe, table: pa.Table) -> Snapshots:
    shown = [name for name in table.column_names if not name.startswith(_ranked(""))]
    frame = table.select(shown).to_pandas()
    return Snapshots(frame, recipe.selection.features, recipe.attributes, recipe.selection.left_out)


def _timestamps(days: pa.ChunkedArray) -> pa.ChunkedArray:
    microseconds = pa.compute.multiply(days.cast(pa.int64()), 86_400_000_000)
    return microseconds.cast(pa.timestamp("us"))


def _cast(feature: Feature) -> str:
    return f"CAST({feature.value} AS {'VARCHAR' if feature.kind == 'category' else 'DOUBLE'})"


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


def _require_rates(without: pa.Table) -> None:
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
    with tables.connect(budget=Budget(1, 1.0)) as connection:
        row = connection.execute(f"SELECT MAX(day) FROM ({starts} UNION ALL {happening})").fetchone()
    return row[0] if row and row[0] else tables.data_until


def _file(folder: Path, day: date, known: Mapping[str, str]) -> Path:
    """Where the snapshot of a date lies, by the digests of what was known before it."""
    return folder / f"{day.isoformat()}.{digest_of(known)}.parquet"


def _write(table: pa.Table, file: Path) -> None:
    """Write under a name of this process's own, then rename: nobody ever sees half a file."""
    partial = file.with_suffix(f".{os.getpid()}.partial")
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(table.combine_chunks(), partial, compression="lz4", use_dictionary=texts)
    with partial.open("rb+") as written:
        os.fsync(written.fileno())  # else the name could outlive the content in a power cut
    partial.replace(file)
