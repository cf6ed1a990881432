"""The record as tables to take away: every forecast, what came of it, and the scores, with the head of the chain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from serving.forecast.declared.column import Kind, OutTable
from serving.forecast.declared.ledger_tables import ACTUAL, FORECAST_LEDGER, FORECAST_SCORE
from serving.forecast.declared.output_tables import QUANTILES
from serving.forecast.take_away import require_new_folder, write_tables
from serving.ledger import whole_numbers
from serving.ledger.record import Record
from serving.ledger.record_tables import ACTUAL as ACTUALS
from serving.ledger.record_tables import FIGURE, OUTCOME, RIVAL, SUBJECT
from serving.track_record.run_list import recorded
from serving.track_record.track_record import TrackRecord

MODEL = "model"
ABOUT = "record.json"
_KEY = ["run_number", "cut", "value", "horizon_months", "metric"]


def export_record(record: Record, track: TrackRecord, folder: Path) -> dict[str, int]:
    """Write all tables as Parquet, CSV and XLSX to a folder that is not there yet; gives the rows of each table.

    Raises
    ------
    BadRequest
        The folder is there and holds something, or the one that it would lie in is not there.
    """
    require_new_folder(folder)
    tables = record_tables(record, track)
    about = {"head": track.head, "currency": track.currency, "basis": track.to_json()["basis"]}
    counts = {table.name: len(frame) for table, frame in tables}
    write_tables(tables, folder, about, {ABOUT: json.dumps(about | {"rows": counts}, indent=1) + "\n"})
    return counts


def record_tables(record: Record, track: TrackRecord) -> list[tuple[OutTable, pd.DataFrame]]:
    """The tables as they are declared."""
    runs = pd.DataFrame(recorded(record)).rename(columns={"number": "run_number"})
    with record.reading() as connection:
        figures = _figures(connection, FIGURE).assign(source=MODEL)
        rivals = _figures(connection, RIVAL).rename(columns={"rival": "source"})
        actuals = _actuals(connection)
    scores = pd.DataFrame(track.rows).assign(basis=track.to_json()["basis"])
    ledger = pd.concat([figures, rivals], ignore_index=True)
    if runs.empty:
        runs = pd.DataFrame(columns=["run_number", *(name for name in FORECAST_LEDGER.names if name not in ledger)])
    ledger = _with_actuals(ledger, actuals).merge(
        runs.drop(columns=["accounts", "horizon_months", "actuals"], errors="ignore"), on="run_number"
    )
    actuals = actuals.merge(runs[["run_number", "run_id", "as_of"]], on="run_number")
    frames = ((FORECAST_LEDGER, ledger), (ACTUAL, actuals), (FORECAST_SCORE, scores))
    return [(table, table.shape(_typed(table, frame))) for table, frame in frames]


def _figures(connection: sa.Connection, table: Any) -> pd.DataFrame:
    rows = _rows(connection, table)
    per_unit = rows["unit"].map(whole_numbers.PER_UNIT).to_numpy(dtype=float)
    numbers = {name: rows[name].to_numpy(dtype=float) / per_unit for name in ("mean", *QUANTILES)}
    cohort = {name: rows[name].to_numpy(dtype=float) if name in rows else np.nan for name in _COHORT}
    return rows.assign(**numbers, starting_arr=cohort["starting_arr_cents"] / 100, accounts=cohort["accounts"])


_COHORT = ("starting_arr_cents", "accounts")


def _actuals(connection: sa.Connection) -> pd.DataFrame:
    window = ["run_number", "horizon_months", "edition"]
    outcome = sa.select(*(OUTCOME.c[name] for name in (*window, "known_on", "data_digest")))
    answer = connection.execute(outcome)
    outcomes = pd.DataFrame(answer.all(), columns=list(answer.keys()), dtype=object)
    rows = _rows(connection, ACTUALS)
    rows["actual"] = rows["actual"].to_numpy(float) / rows["unit"].map(whole_numbers.PER_UNIT).to_numpy(float)
    rows["starting_arr"] = rows["starting_arr_cents"].to_numpy(float) / 100
    return rows.merge(outcomes, on=window)


def _rows(connection: sa.Connection, table: Any) -> pd.DataFrame:
    """All rows, with names in place of ids; the value of who was erased is missing."""
    answer = connection.execute(sa.select(table))
    rows = pd.DataFrame(answer.all(), columns=list(answer.keys()), dtype=object)
    names = dict(connection.execute(sa.select(SUBJECT.c.subject_id, SUBJECT.c.name)).all())
    return rows.assign(value=rows["value"].where(rows["is_subject"] == 0, rows["value"].map(names)))


def _with_actuals(ledger: pd.DataFrame, actuals: pd.DataFrame) -> pd.DataFrame:
    ordered = actuals.sort_values("edition").groupby(_KEY, dropna=False)["actual"]
    known = pd.DataFrame({"first_actual": ordered.first(), "latest_actual": ordered.last()}).reset_index()
    return ledger.merge(known, on=_KEY, how="left")


def _typed(table: OutTable, frame: pd.DataFrame) -> pd.DataFrame:
    """Days and moments as such, and the columns that no row has."""
    absent: Mapping[str, Any] = {name: None for name in table.names if name not in frame}
    times = {
        column.name: pd.to_datetime(frame[column.name], utc=column.kind is Kind.TIME)
        for column in table
        if column.kind in (Kind.DATE, Kind.TIME) and column.name in frame
    }
    return frame.assign(**absent, **times)
