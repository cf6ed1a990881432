"""Exported forecasts without who was erased: the forms in which their tables lie are written again.

A workbook is written without the names of accounts, which nothing beside it holds."""

import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.forgetting.suppression import ACCOUNT, Suppressed
from serving.forecast import export
from serving.forecast.batch import Forecast
from serving.forgetting.publications import is_theirs

_PAIRS = (("cut", "value"), ("second_cut", "second_value"))  # columns that name a group, and who may be its value


def forget_exports(forecasts: Path, suppressed: Suppressed, names: frozenset[str]) -> int:
    """Write the forecasts of a folder again without them; gives how many named any.

    Those that an older version wrote in another form, or that are damaged, are removed: they cannot be written again.
    """
    count = _clear_unlinked(forecasts)
    for link in _links(forecasts):
        try:
            forecast = export.read_published(forecasts, date.fromisoformat(link.name))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            forecast = None
        if forecast is None:
            remove_export(link)
            count += 1
        elif (kept := _all_without(forecast, export.read_beside(link.resolve()), suppressed, names)) is not None:
            export.publish(kept[0], forecasts, export.forms_of(link), beside=kept[1])
            count += 1
    return count


def remove_export(link: Path) -> None:
    """Remove a forecast that was exported, and the link to the newest where it was that."""
    with suppress(OSError):
        shutil.rmtree(link.resolve(strict=True))
    link.unlink(missing_ok=True)
    latest = link.with_name(export.LATEST)
    if latest.is_symlink() and not latest.exists():
        latest.unlink()


def _links(forecasts: Path) -> list[Path]:
    return sorted(file for file in forecasts.glob("[0-9]*") if file.is_symlink())


def _clear_unlinked(forecasts: Path) -> int:
    """Remove what killed runs left half written; gives how many."""
    linked = {link.resolve() for link in _links(forecasts)}
    leftovers = [folder for folder in (forecasts / export.KEPT).glob("*") if folder.resolve() not in linked]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


def _all_without(
    forecast: Forecast, beside: dict[str, pd.DataFrame], suppressed: Suppressed, names: frozenset[str]
) -> tuple[Forecast, dict[str, pd.DataFrame]] | None:
    """A forecast and the tables that lie beside it without their rows; None where none of them has any."""
    kept = _without(forecast, suppressed, names)
    others = {name: frame[_stays(frame, suppressed, names)].reset_index(drop=True) for name, frame in beside.items()}
    if kept is None and all(len(others[name]) == len(frame) for name, frame in beside.items()):
        return None
    return kept or forecast, others


def _without(forecast: Forecast, suppressed: Suppressed, names: frozenset[str]) -> Forecast | None:
    """A forecast without their rows; None where it has none."""
    kept: dict[str, Any] = {
        name: frame[_stays(frame, suppressed, names)].reset_index(drop=True) for name, frame in forecast.tables.items()
    }
    if all(len(kept[name]) == len(frame) for name, frame in forecast.tables.items()):
        return None
    return replace(forecast, **kept)


def _stays(frame: pd.DataFrame, suppressed: Suppressed, names: frozenset[str]) -> "pd.Series[bool]":
    """Which rows are not theirs."""
    if "account_id" in frame.columns:
        return ~frame["account_id"].isin(suppressed.among(ACCOUNT, frame["account_id"].unique()))
    stays = np.ones(len(frame), bool)
    for cut, value in _PAIRS:
        if cut in frame.columns:
            pairs = list(zip(frame[cut], frame[value], strict=True))
            theirs = {pair for pair in set(pairs) if is_theirs(*pair, suppressed, names)}
            stays &= np.array([pair not in theirs for pair in pairs], dtype=bool)
    return pd.Series(stays, index=frame.index, dtype=bool)
