"""The way in: opens the source, maps and types its columns, checks them, and stores the checked tables.

The tables are written to a working folder and put in place by renaming, so that a run that dies at any point leaves
the last good ones as they were. They are made again only when the settings or the files have changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from features.asof.knowledge import finish, write_knowledge
from features.engines.engine import WarehouseEngine
from features.families.catalogue import catalogue
from features.families.own_checks import require_sound
from features.inputs.attribute_history import without_history
from features.inputs.check_report import CheckReport, TableReport, absent_tables
from features.inputs.checks.moved_targets import moved_targets
from features.inputs.checks.rules import any_far
from features.inputs.checks.table_check import Checked, check_table, keyed_share
from features.inputs.contradictions import contradictions
from features.inputs.data_until import Until, data_until, reach_warnings, set_until
from features.inputs.files.locate import open_source, readable_by_queries
from features.inputs.files.source_reader import SourceReader, share
from features.inputs.fingerprint import fingerprint_of
from features.inputs.in_place import DATABASE, PAST, QUARANTINE, put_in_place, working_folder
from features.inputs.reading.columns import raw
from features.inputs.reading.own_columns import extra_columns
from features.inputs.reading.written_calls import with_written_calls
from features.inputs.roll_up import RollUp, plan_roll_up, rolled_columns, rolled_up
from features.inputs.simulated_source import simulated_source
from features.inputs.staged import Staged
from features.inputs.staging import stage_table
from features.inputs.warehouse import Remote, look, open_kept, warehouse, with_remotes
from features.tables import contract
from features.tables.checked import Tables, open_tables, write_table
from features.tables.database import open_duckdb
from features.tables.problems import BadInput, Finding
from features.tables.progress import Progress, silent
from features.tables.scratch import scratch_folder
from features.tables.sql import named, quoted
from params import Budget, Params, Source

REPORT = "holdfast_check"
WRITING_GB = 1.0  # sorting the largest table within this takes no longer than within twice as much


@dataclass(frozen=True)
class Loaded:
    """The checked tables, and what the check tells about them."""

    tables: Tables
    report: CheckReport


@dataclass(frozen=True)
class Passed:
    """Staged tables with what the check found in each, their `keyed_share`, and what stays in the warehouse.

    `roll_up` tells how accounts are rolled up by their parents, where they are.
    """

    staged: Mapping[str, Staged]
    checked: Mapping[str, Checked]
    keyed: Mapping[str, float]
    remotes: Mapping[str, Remote]
    roll_up: RollUp

    @property
    def there(self) -> "dict[str, Staged | Remote]":
        """All tables, wherever they are."""
        return {**self.staged, **self.remotes}

    @property
    def extra_numbers(self) -> dict[str, tuple[str, ...]]:
        """Of each table, the columns of numbers that the contract does not declare."""
        return {name: table.extra_numbers for name, table in self.there.items() if table.extra_numbers}

    def as_tables(self, place: Path) -> Tables:
        """What is there, before it is written."""
        columns = {name: table.columns for name, table in self.there.items()}
        return Tables(place, columns, {}, date.max, "", "", numbers=self.extra_numbers)


def load_tables(params: Params, *, calls: pd.DataFrame | None = None, progress: Progress = silent) -> Loaded:
    """Open the source, check its tables and store them in `data_dir/tables.duckdb`, or reuse what is stored.

    Parameters
    ----------
    calls
        People's calls that were written here, with the columns of `written_calls.COLUMNS`: they count as those that the
        source brings do.
    progress
        Told what is being done.

    Raises
    ------
    BadInput
        The input cannot be used; every problem is named, and nothing was written.
    SettingsError
        A feature of the settings cannot be; nothing was written.
    """
    require_sound(params.features)
    if params.source.engine != "duckdb":
        with warehouse(params) as engine:  # what changed there shows only in a scan, so nothing stored is reused
            return _load(params, params.source, fingerprint_of(params, params.source), progress, engine)
    source = simulated_source(params, progress) if params.source.kind == "simulated" else params.source
    fingerprint = fingerprint_of(params, source, calls)
    stored = _stored(params.data_dir / DATABASE, fingerprint)
    if stored is None:
        return _load(params, source, fingerprint, progress, None, calls)
    catalogue(stored.tables, params.declared)  # names and types, which the stored tables do not answer for
    return stored


def _load(
    params: Params,
    source: Source,
    fingerprint: str,
    progress: Progress,
    engine: WarehouseEngine | None,
    calls: pd.DataFrame | None = None,
) -> Loaded:
    """Read and check the tables anew, and put them in place of those that are stored."""
    with _engine(share(params.budget, source)) as (connection, copies):
        passed = _staged_and_checked(connection, params, source, progress, engine, copies)
        catalogue(passed.as_tables(params.data_dir), params.declared)
        with working_folder(params.data_dir) as working:
            progress("writing the checked tables")
            unwritten = Tables(working / DATABASE, {}, _lags(source), date.max, "", fingerprint)
            loaded = _write(connection, passed, params, source, unwritten, calls)
            put_in_place(working, params.data_dir)
    return replace(loaded, tables=replace(loaded.tables, database=params.data_dir / DATABASE))


def _stored(database: Path, fingerprint: str) -> Loaded | None:
    """The stored tables, if they were made from the same files by the same settings."""
    if not database.exists():
        return None
    try:
        tables = open_tables(database)
        if tables.fingerprint != fingerprint or not all(file.exists() for file in tables.files):
            return None
        with duckdb.connect(str(database), read_only=True) as connection:
            row = connection.execute(f"SELECT content FROM {REPORT}").fetchone()
    except (duckdb.Error, ValueError, KeyError):  # written by another version, or damaged: made again
        return None
    return Loaded(tables, CheckReport.from_json(row[0])) if row else None


@contextmanager
def _engine(budget: Budget) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """An in-memory database that spills to the system's temporary folder, and a folder there for copies of files."""
    with (
        scratch_folder() as folder,
        open_duckdb(budget, spill=folder / "spill") as connection,
    ):
        # DuckDB 2.0.0 fails inside on rowid in a query that keeps row_number() = 1; without this step it is right
        connection.execute("SET disabled_optimizers = 'top_n_window_elimination'")
        yield connection, folder / "copies"


def _staged_and_checked(
    connection: duckdb.DuckDBPyConnection,
    params: Params,
    source: Source,
    progress: Progress,
    engine: WarehouseEngine | None,
    copies: Path,
) -> Passed:
    """Stage every table, hold the rules against it, and raise what is wrong with all of them at once."""
    staged, problems = _staged(connection, params, source, progress, engine, copies)
    checked = {}
    keyed = _keyed(connection, staged, problems)
    for name, stage in staged.items():
        progress(f"checking {name}")
        checked[name] = check_table(connection, stage, source, params.revenue, keyed)
        problems += checked[name].errors
    remotes, findings = ({}, []) if engine is None else look(engine, source, extra_columns(params, source), progress)
    problems += findings
    roll_up = plan_roll_up(connection, staged, _lags(source)) if params.revenue.by_parent else RollUp()
    problems += roll_up.problems
    if params.source.kind != "simulated":  # another size or seed is another company
        problems += moved_targets(connection, staged, params.data_dir / DATABASE)
    passed = Passed(staged, checked, keyed, remotes, roll_up)
    if problems:
        progress("checking the tables together")
        raise BadInput(sorted(problems, key=_by_table), _warnings_beside_problems(connection, passed, params))
    return passed


def _staged(
    connection: duckdb.DuckDBPyConnection,
    params: Params,
    source: Source,
    progress: Progress,
    engine: WarehouseEngine | None,
    copies: Path,
) -> tuple[dict[str, Staged], list[Finding]]:
    """Stage every table; the connection that the source's own SQL runs on is closed then."""
    staged: dict[str, Staged | None] = {}
    with SourceReader(source, params.budget, copies.parent, readable_by_queries(source, copies)) as reader:
        opened, problems = (
            open_source(connection, source, copies, reader) if engine is None else open_kept(connection, engine, source)
        )
        for name, table in opened.items():
            progress(f"reading {name}")
            staged[name], findings = stage_table(connection, contract.TABLES[name], table, params, source)
            problems += findings
    return {name: stage for name, stage in staged.items() if stage is not None}, problems


def _keyed(
    connection: duckdb.DuckDBPyConnection, staged: Mapping[str, Staged], problems: Sequence[Finding]
) -> dict[str, float]:
    """`keyed_share` of the tables that others are held against; those that the source lacks are left out."""
    keys = {"accounts": "account_id", "contracts": "contract_id", "fx_rates": "currency"}
    failed = {problem.table for problem in problems}
    return {
        name: keyed_share(connection, staged[name], key) if name in staged else 0.0
        for name, key in keys.items()
        if name in staged or name in failed
    }


def _warnings_beside_problems(
    connection: duckdb.DuckDBPyConnection, passed: Passed, params: Params
) -> tuple[Finding, ...]:
    """All warnings about tables that will not be written, as far as the rows and columns they need are there."""
    whole = {
        name: staged
        for name, staged in passed.staged.items()
        if staged.has(*_required(name)) and passed.keyed.get(name, 1.0) == 1.0
    }
    for name, staged in whole.items():
        near = f"NOT {any_far(staged, params.source)}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {_kept(staged)} AND {near}")
    columns = {name: staged.columns for name, staged in whole.items()}
    until = _until(connection, columns, params) if "contracts" in whole else None
    if until is None or "accounts" not in whole:
        return _warnings(passed, [], written=False)
    tables = Tables(params.data_dir, columns, {}, until.day, "", "")
    return _warnings(passed, _cross_checks(connection, tables, until, params), written=False)


def _required(table: str) -> tuple[str, ...]:
    """The columns without which a table cannot be held against the others."""
    return tuple(name for name in contract.TABLES[table].required_names if name != "mrr")


def _warnings(passed: Passed, more: Sequence[Finding], *, written: bool) -> tuple[Finding, ...]:
    warnings = [warning for checked in passed.checked.values() for warning in checked.warnings(written=written)]
    return tuple(sorted([*warnings, *passed.roll_up.notes, *more], key=_by_table))


def _cross_checks(connection: duckdb.DuckDBPyConnection, tables: Tables, until: Until, params: Params) -> list[Finding]:
    """What the tables say together that deserves a warning."""
    return [
        *without_history(
            connection, tables, drop=params.snapshots.drop, own=params.features, cuts=params.forecast.cuts
        ),
        *reach_warnings(connection, tables, until),
        *contradictions(connection, tables, grace_days=params.revenue.grace_days),
    ]


def _until(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, Sequence[str]], params: Params) -> Until | None:
    return set_until(params) or data_until(connection, columns)


def _by_table(problem: Finding) -> int:
    """Problems of the settings first, then in the order of the contract."""
    names = list(contract.TABLES)
    return names.index(problem.table) if problem.table in names else -1


def _write(
    connection: duckdb.DuckDBPyConnection,
    passed: Passed,
    params: Params,
    source: Source,
    unwritten: Tables,
    calls: pd.DataFrame | None,
) -> Loaded:
    """Write the tables that passed, what is left out of them, calls from elsewhere, the manifest and the report."""
    writing_gb = max(params.memory_gb / 2, min(params.memory_gb, WRITING_GB))
    connection.execute(f"SET memory_limit = '{writing_gb}GB'")
    columns = {name: _columns(staged, params) for name, staged in passed.staged.items()}
    tables = _write_past(connection, passed, params, replace(unwritten, columns=columns, numbers=passed.extra_numbers))
    _write_tables(connection, passed, params, tables.database, len(tables.hierarchies))
    with open_duckdb(params.budget, tables.database) as stored:
        until = _until(stored, tables.columns, params)
        if until is None:
            raise ValueError("the checked contracts hold no start")
        tables = replace(tables, data_until=until.day)
        report = _report(stored, passed, tables, until, params)
    tables = with_written_calls(connection, tables, calls)
    with open_duckdb(params.budget, tables.database) as stored:
        return _finish(stored, passed, report, source, tables)


def _write_past(connection: duckdb.DuckDBPyConnection, passed: Passed, params: Params, tables: Tables) -> Tables:
    """Write the tables of each hierarchy but the newest; gives the tables with these, and a digest of theirs."""
    hierarchies, digest = [], ""
    for place, last_day in enumerate(passed.roll_up.last_days):
        file = PAST.format(fingerprint=tables.fingerprint, place=place)
        past = replace(tables, database=tables.database.with_name(file), digest=digest)
        _write_tables(connection, passed, params, past.database, place)
        with open_duckdb(params.budget, past.database) as stored:
            digest = write_knowledge(stored, past)
        hierarchies.append((last_day.isoformat(), file))
    return replace(tables, digest=digest, hierarchies=tuple(hierarchies))


def _write_tables(
    connection: duckdb.DuckDBPyConnection, passed: Passed, params: Params, database: Path, hierarchy: int
) -> None:
    """Write the tables, rolled up by a hierarchy if they are; with the last, what is left out, and forget the rest."""
    connection.execute(f"ATTACH {quoted(str(database))} AS made")
    for name, staged in passed.staged.items():
        rows = rolled_up(staged, _kept(staged), hierarchy) if params.revenue.by_parent else _kept(staged)
        write_table(connection, name, _columns(staged, params), rows)
        if hierarchy == len(passed.roll_up.last_days):
            if passed.checked[name].left_out:
                _write_quarantine(connection, staged, database.with_name(QUARANTINE))
            connection.execute(f"DROP TABLE {staged.name}")  # it is stored now, and may be large
    connection.execute("DETACH made")


def _finish(
    connection: duckdb.DuckDBPyConnection, passed: Passed, report: CheckReport, source: Source, tables: Tables
) -> Loaded:
    """Store what is known about the tables that were written, and what the check tells of them."""
    if source.engine != "duckdb":
        tables, report = with_remotes(tables, report, passed.remotes, source)
    tables = finish(connection, tables)
    connection.execute(f"CREATE TABLE {REPORT} (content VARCHAR)")
    connection.execute(f"INSERT INTO {REPORT} VALUES (?)", [report.to_json()])
    return Loaded(tables, report)


def _lags(source: Source) -> dict[str, int]:
    """How long after their day the rows of a table become known, of those that say so."""
    return {name: setting.lag_days for name, setting in source.tables.items() if setting.lag_days}


def _columns(staged: Staged, params: Params) -> tuple[str, ...]:
    """The columns of a table as it is stored."""
    return rolled_columns(staged) if params.revenue.by_parent else staged.columns


def _kept(staged: Staged) -> str:
    """SELECT of the rows that are not left out."""
    columns = ", ".join(named(column) for column in staged.columns)
    return f"SELECT {columns} FROM {staged.name} WHERE rowid NOT IN (SELECT bad FROM bad_{staged.table.name})"


def _write_quarantine(connection: duckdb.DuckDBPyConnection, staged: Staged, folder: Path) -> None:
    """Store the rows that are left out, as they came, each with the reason."""
    folder.mkdir(exist_ok=True)
    texts = {column: f"CAST(s.{named(column)} AS VARCHAR)" for column in staged.columns}
    texts |= {column.name: f"COALESCE({texts[column.name]}, s.{raw(column.name)})" for column in staged.unread}
    columns = ", ".join(f"{text} AS {named(column)}" for column, text in texts.items())
    file = quoted(str(folder / f"{staged.table.name}.parquet"))
    connection.execute(f"""
        COPY (SELECT b.reason, {columns} FROM {staged.name} s JOIN bad_{staged.table.name} b ON b.bad = s.rowid
              UNION ALL BY NAME SELECT reason FROM unread_{staged.table.name}
              ORDER BY ALL) TO {file} (FORMAT parquet)""")


def _report(
    connection: duckdb.DuckDBPyConnection, passed: Passed, tables: Tables, until: Until, params: Params
) -> CheckReport:
    reports = tuple(_table_report(connection, passed.staged[name], passed.checked[name]) for name in passed.staged)
    warnings = _warnings(passed, _cross_checks(connection, tables, until, params), written=True)
    return CheckReport(reports, absent_tables(passed.staged), warnings, until.day, until.decided_by, until.why)


def _table_report(connection: duckdb.DuckDBPyConnection, staged: Staged, checked: Checked) -> TableReport:
    table = staged.table
    day = "starts_on" if table.name == "contracts" else table.event_day or ("month" if table.name == "fx_rates" else "")
    days = f"min({day})::DATE, max({day})::DATE" if day in staged.columns else "NULL, NULL"
    first, last = connection.execute(f"SELECT {days} FROM {table.name}").fetchone() or (None, None)
    columns = tuple(column.name for column in staged.declared if column.name not in staged.extra)
    absent = tuple(name for name in contract.TABLES[table.name].names if name not in columns)
    rows_kept = checked.rows - checked.left_out
    return TableReport(
        table.name, checked.rows, rows_kept, checked.left_out, columns, absent, staged.extra, first, last
    )
