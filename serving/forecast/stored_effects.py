"""The effects of actions as they lie in the data folder: who wants the latest reads them here."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from models.effects.action_effect import ActionEffect
from serving.forecast.declared.effect_tables import ACTION_EFFECT
from serving.forecast.export import write_csv

LATEST = "latest"
TABLE = f"{ACTION_EFFECT.name}.parquet"
REPORT = "report.html"
_MAKING = ".making-"


@dataclass(frozen=True)
class StoredEffects:
    """The effects of all kinds of actions, as of a date, and the run that estimated them."""

    as_of: date
    run_id: str
    effects: tuple[ActionEffect, ...]

    def of(self, action: str, level: str = "action") -> ActionEffect | None:
        """The effect of a kind; None of one that is not there."""
        return next((effect for effect in self.effects if (effect.level, effect.action) == (level, action)), None)


def effects_folder(data_dir: Path) -> Path:
    """Where effects lie in a data folder."""
    return data_dir / "effects"


def read_effects(data_dir: Path) -> StoredEffects | None:
    """The effects that were estimated last; None where there are none, or of another version's columns.

    Parameters
    ----------
    data_dir
        The data folder (`params.data_dir`).
    """
    file = effects_folder(data_dir) / LATEST / TABLE
    if not file.exists():
        return None
    frame = pd.read_parquet(file)
    if frame.empty or set(ACTION_EFFECT.names) - set(frame.columns):
        return None
    rows = frame.to_dict(orient="records")
    effects = tuple(ActionEffect.from_row({str(name): value for name, value in row.items()}) for row in rows)
    return StoredEffects(frame["as_of"].iloc[0].date(), str(frame["run_id"].iloc[0]), effects)


def write_effects(
    data_dir: Path,
    effects: Sequence[ActionEffect],
    *,
    run_id: str,
    as_of: date,
    made_at: datetime,
    page: str,
    takes_charge: bool = True,
) -> Path:
    """Write effects and their report to a folder of the run that appears whole, then turn `latest` to it.

    Unless it `takes_charge`, `latest` stays: what is recommended goes on by the study before.

    Returns
    -------
    Path
        The report, by the link if it was turned.
    """
    folder = effects_folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    run = {"run_id": run_id, "as_of": as_of, "model_version": "", "made_at": made_at}
    frame = ACTION_EFFECT.shape(pd.DataFrame([effect.to_row() | run for effect in effects]))
    working = Path(tempfile.mkdtemp(prefix=_MAKING, dir=folder))
    frame.to_parquet(working / TABLE, index=False)
    write_csv(ACTION_EFFECT, frame, working / f"{ACTION_EFFECT.name}.csv")
    (working / REPORT).write_text(page, encoding="utf-8")
    working.rename(folder / run_id)
    _clear_killed(folder)
    if not takes_charge:
        return folder / run_id / REPORT
    fresh = folder / f".{LATEST}-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run_id, target_is_directory=True)
    fresh.replace(folder / LATEST)
    return folder / LATEST / REPORT


def _clear_killed(folder: Path) -> None:
    """Remove what runs that were killed left half written; who writes holds the lock of the data folder."""
    for entry in folder.glob(f"{_MAKING}*"):
        shutil.rmtree(entry, ignore_errors=True)
