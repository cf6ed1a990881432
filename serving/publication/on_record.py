"""A forecast on record before it is published, and what publications from before there was a record held."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Params
from serving.forecast.batch import Forecast
from serving.forecast.declared.output_tables import QUANTILES
from serving.forecast.declared.published_lists import FORECAST_METRICS
from serving.forecast.refusals import BadRequest
from serving.ledger.bridging.answer import bridge_table
from serving.ledger.bridging.recorded import bridge_to
from serving.ledger.chain.head import head_of
from serving.ledger.past import Past, read_past
from serving.ledger.record import Record, open_record
from serving.ledger.recording import OldRun, record_forecast, recorded_runs, take_over
from serving.ledger.yardsticks.actuals import record_actuals
from serving.publication import publication_file
from serving.publication.gather import PUBLISHED
from serving.track_record.track_record import track_record
from training.tracking.champion import Champion

NOT_TAKEN_OVER = "not-taken-over"  # beside the publications: those that could not be read, which hold names
_RUN = ["run_id", "as_of", "made_at", "model_version"]
_FIGURE = ["cut", "value", "horizon_months", "metric", "mean"]
_SCORE = ["account_id", "as_of", "model_version", "churn_probability", "arr"]


class _Unreadable(Exception):
    """A publication whose history cannot be read; the message says why."""


def put_on_record(
    tables: Tables,
    champion: Champion,
    forecast: Forecast,
    *,
    params: Params,
    code_version: str,
    progress: Progress = silent,
) -> Past:
    """Put a forecast on record, where it stays, and give what the runs before it said, and the bridge from the last.

    To be done before anything of the forecast is shown. What has become known of earlier ones is put on record with it.
    Publications that lie in the data folder and whose run is not
    on record, since an older Holdfast wrote them, are taken over first.

    Parameters
    ----------
    tables, champion, forecast
        The forecast, the model that made it and the checked tables it was made from.
    params
        All settings.
    code_version
        Of the code that made it.
    progress
        Told how far the work is.

    Raises
    ------
    NoRecord
        The record cannot be used.
    """
    progress("putting the forecast on record", 0, 1)
    with open_record(params) as record:
        notes = take_over_publications(record, publication_file.folder_of(params.data_dir), but=forecast.run_id)
        notes += record_forecast(record, tables, champion, forecast, params=params, code_version=code_version)
        record_actuals(record, tables, params, progress)
        publication_file.keep_head(publication_file.folder_of(params.data_dir), head_of(record))
        past = read_past(record, but=forecast.run_id, metrics=FORECAST_METRICS)
        progress("making the bridge from the last official forecast", 0, 1)
        bridge, lacking = _bridge_to(record, tables, champion, forecast, params)
    return replace(past, bridge=bridge, notes=(*notes, *past.notes, *lacking))


def _bridge_to(
    record: Record, tables: Tables, champion: Champion, forecast: Forecast, params: Params
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """The table `forecast_bridge` from the last official forecast, None without one, and notes.

    That there can be no bridge stops nothing: a note says why.
    """
    try:
        bridge = bridge_to(record, tables, champion, forecast, params=params)
    except BadRequest as refusal:
        return None, (f"There is no bridge from the last official forecast. {refusal}",)
    if bridge is None:
        return None, ()
    notes = (f"The bridge from the last official forecast is one step: {bridge.lacking}.",) if bridge.lacking else ()
    return bridge_table(bridge), notes


def read_track(params: Params, progress: Progress = silent) -> dict[str, Any]:
    """The track record as it is published: of the ratios, by all cuts."""
    progress("scoring the forecasts on record", 0, 1)
    with open_record(params) as record:
        content = track_record(record, params).to_json()
    del content["head"]  # beside the publication, see `publication_file.keep_head`
    return content | {"rows": [row for row in content["rows"] if row["unit"] == "points"]}


def take_over_publications(record: Record, folder: Path, *, but: str) -> tuple[str, ...]:
    """Take over what publications hold of runs that are not on record, but one that is about to be.

    Returns
    -------
    tuple of str
        A note for each publication that cannot be read: it is kept, in a folder of its own.
    """
    notes = []
    for file in publication_file.youngest_first(folder):
        recorded = recorded_runs(record)
        try:
            take_over(record, _old_runs(file, without={*recorded, but}))
        except _Unreadable as error:
            if _run_of(file) in recorded:
                continue
            copy = _keep(file, folder / NOT_TAKEN_OVER)
            notes.append(
                f"What the earlier publication {file.name} said could not be taken over into the record: {error}. "
                f"The file is kept in {copy.parent}; it holds names, and may be deleted once it has been read."
            )
    return tuple(notes)


def _run_of(file: Path) -> str:
    """The run that a publication's name tells."""
    return file.name.split(".")[1]


def _old_runs(file: Path, *, without: set[str]) -> list[OldRun]:
    """The runs that a publication tells of: its own, and those it carried over."""
    if not publication_file.is_whole(file):
        raise _Unreadable("it is damaged")
    try:
        with closing(publication_file.connect(file)) as connection:
            figures = _read(connection, "published", [*_RUN, *_FIGURE], list(QUANTILES))
            if figures["run_id"].isin(without).all():
                return []
            history = _read(connection, "history", [*_SCORE, "kind"], [])
    except sqlite3.Error as error:
        raise _Unreadable(str(error)) from None
    return list(_runs(figures, history[history["kind"] == PUBLISHED], file.name, without))


def _read(connection: sqlite3.Connection, table: str, needed: list[str], welcome: list[str]) -> pd.DataFrame:
    """The columns of a table by name, whatever else it has."""
    rows = connection.execute(f"SELECT * FROM {table}")
    present = [column[0] for column in rows.description]
    absent = [name for name in needed if name not in present]
    if absent:
        raise _Unreadable(f"its table {table} has no {', '.join(absent)}")
    frame = pd.DataFrame([tuple(row) for row in rows], columns=present)
    return frame[[*needed, *(name for name in welcome if name in present)]]


def _runs(figures: pd.DataFrame, scores: pd.DataFrame, source: str, without: set[str]) -> Iterator[OldRun]:
    """Each run with its figures. Scores name date and model only: they are the last such run's."""
    both = ["as_of", "model_version"]
    if not set(scores.groupby(both).groups) <= set(figures.groupby(both).groups):
        raise _Unreadable("its table history has scores of runs that its table published lacks")
    figures = figures[~figures["run_id"].isin(without)]
    last = figures.sort_values("made_at", kind="stable").drop_duplicates(both, keep="last")
    scores = scores.merge(last[["run_id", *both]], on=both)
    for (run_id, as_of, made_at, version), rows in figures.groupby(_RUN):
        yield OldRun(
            run_id=str(run_id),
            as_of=str(as_of),
            made_at=str(made_at),
            model_version=str(version),
            horizon_months=int(rows["horizon_months"].max()),
            figures=rows.drop(columns=_RUN),
            scores=scores.loc[scores["run_id"] == run_id, ["account_id", "churn_probability", "arr"]],
            source=source,
        )


def _keep(file: Path, folder: Path) -> Path:
    """Another name for a file, so that it stays when publications are cleared away."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / file.name
    if not copy.exists():
        try:
            os.link(file, copy)
        except OSError:  # another file system, or one without links
            shutil.copy2(file, copy)
    return copy
