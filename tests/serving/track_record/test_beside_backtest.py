"""Scores in service beside those of the backtest: the same figures of the same horizon, said together."""

import pytest

from serving.track_record.beside_backtest import beside_backtest

TESTED = {
    **{"version": "3", "tested_by": "backtest", "tested_on": "2026-01-02"},
    **{"horizon_months": 12, "nrr_crps": 1.84, "coverage_80": 0.75, "log_loss": 0.3021, "auc": 0.7},
}
ROW = {"cut": "total", "metric": "nrr", "forecasts": 12, "not_overlapping": 1, "inside_80": 0.5}
ROWS = [
    {**ROW, "horizon_months": 6, "crps": 9.0},
    {**ROW, "horizon_months": 12, "crps": 2.26},
    {**ROW, "horizon_months": 12, "crps": 8.0, "cut": "region"},
    {**ROW, "horizon_months": 12, "crps": 7.0, "metric": "grr"},
]
ACCOUNTS = [
    {"outcome": "expansion", "horizon_months": 12, "log_loss": 0.9},
    {"outcome": "churn", "horizon_months": 12, "log_loss": 0.41},
]
EXPECTED = "CRPS of NRR 1.8 points, 75% inside the 80 % interval, log-loss of churn 0.302"


def test_the_same_figures_of_the_same_horizon_stand_together() -> None:
    beside = beside_backtest(ROWS, ACCOUNTS, TESTED)
    assert beside["tested"] == TESTED
    assert beside["on_record"] == {
        **{"forecasts": 12, "not_overlapping": 1, "nrr_crps": 2.26, "coverage_80": 0.5, "log_loss": 0.41}
    }
    assert beside["words"] == (
        f"12 months ahead, in the backtest of version 3: {EXPECTED}. On record, 12 forecasts (1 apart): "
        "CRPS of NRR 2.3 points, 50% inside the 80 % interval, log-loss of churn 0.410."
    )


@pytest.mark.parametrize(
    ("rows", "tested", "words"),
    [
        (ROWS[:1], TESTED, f"12 months ahead, in the backtest of version 3: {EXPECTED}. No forecast on record is that"),
        (ROWS, TESTED | {"horizon_months": None}, "Version 3 was not tested on past dates"),
        (ROWS, TESTED | {"nrr_crps": None, "coverage_80": None}, "12 months ahead, in the backtest of version 3: log-"),
    ],
)
def test_what_is_not_known_is_said(rows: list[dict[str, object]], tested: dict[str, object], words: str) -> None:
    beside = beside_backtest(rows, [], tested)
    assert beside["words"].startswith(words)
    assert bool(beside["on_record"]) == ("On record" in beside["words"])
