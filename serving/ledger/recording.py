"""Putting forecasts on record: a run's rows all at once or not at all, its files before them, each run once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.revenue.cut_labels import NO_LABEL
from features.tables.checked import Tables
from params import Params
from serving.forecast.batch import Forecast
from serving.ledger import whole_numbers
from serving.ledger.account_rows import account_rows, horizons_kept
from serving.ledger.archive import parts_of, write_archive
from serving.ledger.chain.entries import RUN as CHAINED_RUN
from serving.ledger.chain.entries import append
from serving.ledger.chain.head import note_head
from serving.ledger.figure_rows import figure_rows, rival_rows
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile, RecordFiles, canonical_json
from serving.ledger.record_tables import FIGURE, OFFICIAL, RERUN, REVISION, RIVAL, RUN
from serving.ledger.subjects import Subjects, is_personal, subjects_of
from serving.ledger.withdrawals import is_withdrawn, official_of, withdrawal_notes, withdrawn_official
from serving.ledger.yardsticks.frozen_rivals import frozen_rivals
from training.tracking.champion import Champion

SETTINGS = ("seed", "revenue", "snapshots", "forecast", "model")  # those that decide what is forecast
_Row = dict[str, Any]


@dataclass(frozen=True)
class OldRun:
    """What is left of a run from before there was a record.

    Attributes
    ----------
    figures
        `cut`, `value`, `horizon_months`, `metric`, `mean` and what there is of the quantiles.
    scores
        `account_id`, `churn_probability` over the longest horizon, `arr`.
    source
        Where it was found.
    """

    run_id: str
    as_of: str
    made_at: str
    model_version: str
    horizon_months: int
    figures: pd.DataFrame
    scores: pd.DataFrame
    source: str


def recorded_runs(record: Record) -> frozenset[str]:
    """Ids of all runs on record."""
    with record.reading() as connection:
        return frozenset(connection.execute(sa.select(RUN.c.run_id)).scalars())


def record_forecast(
    record: Record, tables: Tables, champion: Champion, forecast: Forecast, *, params: Params, code_version: str
) -> tuple[str, ...]:
    """Put a forecast on record, and what an official one was made of; what is there already stays as it is.

    The first of a month start is official unless made in hindsight, from later data or by a later model: that is a
    rerun. Any other is a revision. The same run with other figures, after an upgrade, is recorded once more.

    Parameters
    ----------
    record
        The open record.
    tables, champion, forecast
        The forecast, the model that made it and the checked tables it was made from.
    params
        All settings.
    code_version
        Of the code that made it.

    Returns
    -------
    tuple of str
        A note if the same run is on record with other figures.
    """
    names = _names(forecast.account_forecast, forecast.nrr_forecast)
    subjects = subjects_of(record, names)
    row = _described(record, tables, champion, forecast, subjects, params) | {"code_version": code_version}
    figures = figure_rows(forecast.nrr_forecast, subjects, whole_numbers.unit_of)
    with record.reading() as connection:
        if _is_recorded(connection, record.files, row, figures):
            return withdrawal_notes(connection, forecast.run_id)
        notes = _notes(_newest(connection, forecast.run_id), code_version)
        official = _kind(connection, row) == OFFICIAL
    if official:
        parts = parts_of(tables, champion, forecast, params=params)
        subjects = subjects_of(record, _together(names, parts.names()))
        row |= {"archive": write_archive(record.files, parts, subjects, champion, forecast, params)}
    rivals = rival_rows(frozen_rivals(tables, forecast, params), subjects)
    _insert(record, [NewRun(row, figures, rivals)])
    record.files.clear_leftovers()
    return notes


def _described(
    record: Record, tables: Tables, champion: Champion, forecast: Forecast, subjects: Subjects, params: Params
) -> _Row:
    """The row of a forecast, its account rows kept."""
    longest = int(forecast.account_forecast["horizon_months"].max())
    horizon_kept = forecast.account_forecast["horizon_months"].isin(horizons_kept(forecast.as_of, longest))
    return {
        "run_id": forecast.run_id,
        "as_of": forecast.as_of.isoformat(),
        "made_at": forecast.made_at.isoformat(),
        "model_version": forecast.model_version,
        "currency": forecast.currency,
        "definition": forecast.definition,
        "horizon_months": longest,
        "accounts": int(forecast.account_forecast["account_id"].nunique()),
        "model_digest": champion.digest,
        "data_digest": tables.digest,
        "data_until": tables.data_until.isoformat(),
        "trained_as_of": champion.trained_as_of.isoformat(),
        "settings": canonical_json(params.model_dump(mode="json", include=set(SETTINGS))),
        "account_rows": record.files.add_table(account_rows(forecast.account_forecast[horizon_kept], subjects)),
        "archive": None,
    }


def take_over(record: Record, runs: Sequence[OldRun]) -> None:
    """Put runs from before there was a record on it, in the order in which they were made."""
    rows = []
    for run in sorted(runs, key=lambda run: (run.made_at, run.as_of, run.run_id)):
        subjects = subjects_of(record, _names(run.scores, run.figures))
        scores = run.scores.assign(horizon_months=run.horizon_months)
        row = {
            "run_id": run.run_id,
            "as_of": run.as_of,
            "made_at": run.made_at,
            "model_version": run.model_version,
            "horizon_months": run.horizon_months,
            "accounts": len(scores),
            "account_rows": record.files.add_table(account_rows(scores, subjects)) if len(scores) else None,
            "taken_over_from": run.source,
        }
        rows.append(NewRun(row, figure_rows(run.figures, subjects, whole_numbers.unit_taken_over)))
    if rows:
        _insert(record, rows)


@dataclass(frozen=True)
class NewRun:
    """The rows of a run before they are added: its own, its figures, and what its rivals said."""

    row: _Row
    figures: list[_Row]
    rivals: Sequence[_Row] = ()


def _insert(record: Record, runs: Iterable[NewRun]) -> None:
    """Add the rows of runs that are not there yet, each with its entry in the chain, in one transaction."""
    with record.writing() as connection:
        for run in runs:
            if _is_recorded(connection, record.files, run.row, run.figures):
                continue
            number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(RUN.c.number), 0) + 1)).scalar_one()
            kind = _kind(connection, run.row)
            replaces = withdrawn_official(connection, run.row["as_of"]) if kind == OFFICIAL else None
            connection.execute(sa.insert(RUN), [run.row | {"number": number, "kind": kind, "replaces": replaces}])
            for table, rows in ((FIGURE, run.figures), (RIVAL, run.rivals)):
                if rows:
                    connection.execute(sa.insert(table), [{"run_number": number, **figure} for figure in rows])
            append(connection, CHAINED_RUN, number)
    note_head(record)


def _is_recorded(connection: sa.Connection, files: RecordFiles, row: _Row, figures: list[_Row]) -> bool:
    """Whether the newest run of an id says the same; of one that is taken over, whether there is any."""
    newest = _newest(connection, row["run_id"])
    if newest is None or row.get("taken_over_from"):
        return newest is not None
    names = list(figures[0]) if figures else []
    query = sa.select(*(FIGURE.c[name] for name in names)).where(FIGURE.c.run_number == newest.number)
    recorded = {tuple(there) for there in connection.execute(query)} if names else set()
    return recorded == {tuple(figure.values()) for figure in figures} and _same_table(
        files, newest.account_rows, row["account_rows"]
    )


def _newest(connection: sa.Connection, run_id: str) -> Any:
    """The last row with an id, None if there is none."""
    return connection.execute(sa.select(RUN).where(RUN.c.run_id == run_id).order_by(RUN.c.number.desc())).first()


def _same_table(files: RecordFiles, recorded: str | None, other: str) -> bool:
    """Whether two tables are the same, though another version of the library may have written other bytes."""
    if recorded is None or recorded == other:
        return recorded == other
    try:
        return bool(files.table(recorded).equals(files.table(other)))
    except BrokenFile:
        return False


def _notes(newest: Any, code_version: str) -> tuple[str, ...]:
    """That a run is on record with other figures; what is taken over is only part of one."""
    if newest is None or newest.taken_over_from:
        return ()
    return (
        f"The same run, {newest.run_id}, is on record with other figures, by version {newest.code_version}; these are "
        f"by version {code_version}. Model, data and settings are the same: the code or its libraries have changed. "
        "Both stay on record, and the newer one is shown.",
    )


def _kind(connection: sa.Connection, row: _Row) -> str:
    """What the next run of a date is; of what is taken over it cannot be known whether it was made in hindsight."""
    as_of = row["as_of"]
    if any(row.get(name) and row[name] > as_of for name in ("data_until", "trained_as_of")):
        return RERUN
    if not as_of.endswith("-01"):
        return REVISION
    newest = _newest(connection, row["run_id"])
    was_withdrawn = newest is not None and is_withdrawn(connection, newest.number)
    return REVISION if was_withdrawn or official_of(connection, as_of) else OFFICIAL


def _together(*names: dict[str, set[Any]]) -> dict[str, set[Any]]:
    """The names in all of them, by column."""
    columns = {column for some in names for column in some}
    return {column: set().union(*(some.get(column, set()) for some in names)) for column in columns}


def _names(accounts: pd.DataFrame, figures: pd.DataFrame) -> dict[str, set[Any]]:
    """The accounts, and the values of cuts that may name someone."""
    names = {"account_id": set(accounts["account_id"])}
    for cut, part in figures.groupby("cut"):
        if is_personal(str(cut)):
            names[str(cut)] = names.get(str(cut), set()) | set(part["value"]) - {NO_LABEL}
    return names
