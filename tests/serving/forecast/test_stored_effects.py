"""Effects in the data folder: written whole, read back the same, the latest by name."""

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from models.effects.action_effect import HELPFUL, NOT_KNOWN, ActionEffect
from serving.forecast.stored_effects import read_effects, write_effects

TRAINING = ActionEffect(
    level="action", action="training", treated_rows=3100, treated_accounts=412, missed_rows=120, decay=0.9,
    allowance=0.1, verdict=HELPFUL, evidence="good", reason="the interval lies below 0", rows_needed=9000, logit=-0.3,
    logit_se=0.05, logit_low=-0.48, logit_high=-0.12, pooled_logit=-0.25, pooled_se=0.06, churn_points=-2.0, se=0.4,
    low=-3.2, high=-0.8, refuters={"passed": True, "halves": 1.0},
)  # fmt: skip
CALL = ActionEffect(
    level="action", action="call", treated_rows=40, treated_accounts=30, missed_rows=0, decay=0.9, allowance=0.1,
    verdict=NOT_KNOWN, evidence="none yet", reason="40 account-months, and 300 are needed",
)  # fmt: skip


def written(folder: Path, run_id: str, *effects: ActionEffect, takes_charge: bool = True) -> Path:
    made = {"as_of": date(2026, 1, 1), "made_at": datetime(2026, 1, 2, tzinfo=UTC), "page": "<html>"}
    return write_effects(folder, effects, run_id=run_id, takes_charge=takes_charge, **made)  # type: ignore[arg-type]


def test_effects_come_back_as_they_were_written(tmp_path: Path) -> None:
    report = written(tmp_path, "run-1", TRAINING, CALL)
    stored = read_effects(tmp_path)
    assert stored is not None
    assert (stored.run_id, stored.as_of) == ("run-1", date(2026, 1, 1))
    assert stored.of("training") == TRAINING
    assert stored.of("call") == CALL
    assert stored.of("call", level="process") is None
    assert report.read_text() == "<html>"
    assert TRAINING.is_estimated
    assert not CALL.is_estimated


def test_the_latest_run_is_read_and_the_earlier_one_stays(tmp_path: Path) -> None:
    written(tmp_path, "run-1", TRAINING)
    written(tmp_path, "run-2", dataclasses.replace(TRAINING, logit=-0.4))
    stored = read_effects(tmp_path)
    assert stored is not None
    assert stored.effects[0].logit == -0.4
    assert sorted(entry.name for entry in (tmp_path / "effects").iterdir()) == ["latest", "run-1", "run-2"]


def test_a_study_that_does_not_take_charge_lies_beside_the_latest(tmp_path: Path) -> None:
    written(tmp_path, "run-1", TRAINING)
    report = written(tmp_path, "run-2", CALL, takes_charge=False)
    stored = read_effects(tmp_path)
    assert stored is not None
    assert stored.effects == (TRAINING,)
    assert report == tmp_path / "effects" / "run-2" / "report.html"
    assert report.exists()


def test_without_effects_there_are_none(tmp_path: Path) -> None:
    assert read_effects(tmp_path) is None


def test_a_table_of_another_version_is_not_read(tmp_path: Path) -> None:
    written(tmp_path, "run-1", TRAINING)
    file = tmp_path / "effects" / "latest" / "action_effect.parquet"
    pd.read_parquet(file).drop(columns="allowance").to_parquet(file)
    assert read_effects(tmp_path) is None
