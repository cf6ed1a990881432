"""Putting forecasts on record: a run's rows all at once or not at all, its files before them, each run once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
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
from serving.ledger.record import Record
from serving.ledger.record_files import canonical_json
from serving.ledger.record_tables import FIGURE, QUANTILES, RUN
from serving.ledger.subjects import Subjects, is_personal, subjects_of
from training.tracking.champion import Champion

OFFICIAL, REVISION = "official", "revision"
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
) -> None:
    """Put a forecast on record, and what an official one was made of; one that is there already stays as it is.

    The first of a month start is official, any other a revision.

    Parameters
    ----------
    record
        The open record.
    tables, champion, made
        The forecast, the model that made it and the checked tables it was made from.
    params
        All settings.
    code_version
        Of the code that made it.
    """
    with record.reading() as connection:
        if _knows(connection, forecast.run_id):
            return
        official = _kind(connection, forecast.as_of.isoformat()) == OFFICIAL
    parts = parts_of(tables, champion, forecast, params=params) if official else None
    subjects = subjects_of(
        record, _names(forecast.account_forecast, forecast.nrr_forecast) | (parts.names() if parts else {})
    )
    longest = int(forecast.account_forecast["horizon_months"].max())
    horizon_kept = forecast.account_forecast["horizon_months"].isin(horizons_kept(forecast.as_of, longest))
    row = _run(forecast, longest) | {
        "model_digest": champion.digest,
        "data_digest": tables.digest,
        "data_until": tables.data_until.isoformat(),
        "trained_as_of": champion.trained_as_of.isoformat(),
        "code_version": code_version,
        "settings": canonical_json(params.model_dump(mode="json", include=set(SETTINGS))),
        "account_rows": record.files.add_table(account_rows(forecast.account_forecast[horizon_kept], subjects)),
        "archive": write_archive(record.files, parts, subjects, champion, forecast, params) if parts else None,
    }
    _insert(record, [(row, _figures(forecast.nrr_forecast, subjects))])
    record.files.clear_leftovers()


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
        rows.append((row, _figures(run.figures, subjects)))
    if rows:
        _insert(record, rows)


def _insert(record: Record, runs: Iterable[tuple[_Row, list[_Row]]]) -> None:
    """Add the rows of runs that are not there yet, in one transaction."""
    with record.writing() as connection:
        for row, figures in runs:
            if _knows(connection, row["run_id"]):
                continue
            number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(RUN.c.number), 0) + 1)).scalar_one()
            connection.execute(sa.insert(RUN), [row | {"number": number, "kind": _kind(connection, row["as_of"])}])
            if figures:
                connection.execute(sa.insert(FIGURE), [{"run_number": number, **figure} for figure in figures])


def _knows(connection: sa.Connection, run_id: str) -> bool:
    return connection.execute(sa.select(RUN.c.number).where(RUN.c.run_id == run_id)).first() is not None


def _kind(connection: sa.Connection, as_of: str) -> str:
    """What the next run of a date is."""
    if date.fromisoformat(as_of).day > 1:
        return REVISION
    there = sa.select(RUN.c.number).where(RUN.c.as_of == as_of, RUN.c.kind == OFFICIAL)
    return REVISION if connection.execute(there).first() else OFFICIAL


def _run(forecast: Forecast, longest: int) -> _Row:
    return {
        "run_id": forecast.run_id,
        "as_of": forecast.as_of.isoformat(),
        "made_at": forecast.made_at.isoformat(),
        "model_version": forecast.model_version,
        "currency": forecast.currency,
        "definition": forecast.definition,
        "horizon_months": longest,
        "accounts": int(forecast.account_forecast["account_id"].nunique()),
    }


def _names(accounts: pd.DataFrame, figures: pd.DataFrame) -> dict[str, set[Any]]:
    """The accounts, and the values of cuts that may name someone."""
    names = {"account_id": set(accounts["account_id"])}
    for cut, part in figures.groupby("cut"):
        if is_personal(str(cut)):
            names[str(cut)] = names.get(str(cut), set()) | set(part["value"]) - {NO_LABEL}
    return names


def _figures(rows: pd.DataFrame, subjects: Subjects) -> list[_Row]:
    """A row a cut, value, horizon and metric."""
    figures = []
    for metric, part in rows.groupby("metric"):
        unit = whole_numbers.unit_of(str(metric))
        columns = {"metric": [metric] * len(part), "horizon_months": part["horizon_months"].tolist()}
        columns |= {"cut": part["cut"].tolist()}
        columns |= {name: _whole(part, name, unit) for name in ("mean", *QUANTILES)}
        columns |= {"starting_arr_cents": _whole(part, "starting_arr", whole_numbers.CENTS)}
        columns |= {"accounts": part["accounts"].tolist() if "accounts" in part else [None] * len(part)}
        values = [_value(*pair, subjects) for pair in zip(part["cut"], part["value"], strict=True)]
        for row, value in zip(zip(*columns.values(), strict=True), values, strict=True):
            figures.append({"unit": unit, **dict(zip(columns, row, strict=True)), **value})
    return figures


def _whole(rows: pd.DataFrame, name: str, unit: str) -> list[int | None]:
    return whole_numbers.whole(rows[name], unit).to_pylist() if name in rows else [None] * len(rows)


def _value(cut: str, value: str, subjects: Subjects) -> _Row:
    """The value of a cut, or the id that stands for whom it names."""
    if is_personal(cut) and value != NO_LABEL:
        return {"value": subjects.id_of(cut, value), "is_subject": 1}
    return {"value": value, "is_subject": 0}
