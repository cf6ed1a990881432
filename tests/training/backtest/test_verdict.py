"""The verdict of a backtest names, for each outcome and horizon, whom the model beat."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from training.backtest.verdict import backtest_verdict

SINCE = date(2025, 1, 1)


def skill(*rows: tuple[str, int, str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["outcome", "horizon_months", "label", "skill", "finding"])


def windows(**apart: int) -> pd.DataFrame:
    """Horizons in months, as `m3=7`, with how many of nine windows lie apart."""
    rows = [
        {"metric": "nrr", "horizon_months": int(name[1:]), "origins": 9, "windows_apart": n}
        for name, n in apart.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [("nrr", 3, "trailing NRR", 0.12, "better"), ("nrr", 3, "segment rates", 0.03, "no difference shown")],
            "NRR 3 months ahead: better CRPS than trailing NRR (+12%, beyond chance), segment rates (+3%), all that it "
            "was held against.",
        ),
        (
            [("churn", 1, "the base rate", 0.2, "better"), ("churn", 1, "logistic regression", -0.1, "worse")],
            "Churn 1 month ahead: better log-loss than the base rate (+20%, beyond chance); no better than logistic "
            "regression (-10%, beyond chance).",
        ),
        (
            [("churn", 3, "the base rate", 0.76, "too few events")],
            "Churn 3 months ahead, as a trace: better log-loss than the base rate (+76%), all that it was "
            "held against.",
        ),
        (
            [("churn", 3, "the base rate", -0.2, "too few events")],
            "Churn 3 months ahead, as a trace: no better log-loss than any of the base rate (-20%).",
        ),
        (
            [
                ("expansion", 6, "the base rate", 0.0, "no difference shown"),
                ("expansion", 6, "the 60/40 health score", -0.3, "worse"),
            ],
            "BEATS NO BASELINE: Expansion 6 months ahead has no better log-loss than any of the base rate (0%), "
            "the 60/40 health score (-30%, beyond chance).",
        ),
    ],
)
def test_each_outcome_and_horizon_names_whom_it_beat(found: Any, said: str) -> None:
    assert backtest_verdict([], skill(*found), windows(m3=7), SINCE) == [said]


def test_what_beats_nothing_comes_first(scored: Any) -> None:
    score = scored(probability=[0.9] * 15 + [0.1] * 15, base=[0.5] * 30, event=[1.0] * 15 + [0.0] * 15)
    table = skill(("churn", 3, "the base rate", 0.5, "better"), ("nrr", 3, "trailing NRR", -0.1, "worse"))
    first, second, third = backtest_verdict([score], table, windows(m3=7), SINCE)
    assert first.startswith("BEATS NO BASELINE: NRR 3 months ahead")
    assert second.startswith("Churn probabilities beat the base rate")
    assert third.startswith("Churn 3 months ahead: better log-loss")


def test_too_few_origins_are_said_with_the_horizons_they_are_too_few_for() -> None:
    table = skill(("nrr", 3, "trailing NRR", 0.1, "better"))
    first, *_ = backtest_verdict([], table, windows(m3=6, m6=5, m12=1), SINCE)
    assert first == (
        "TOO FEW FORECAST DATES to tell skill from luck, whose windows do not overlap: 6 months ahead 5 of 9 forecast "
        "dates; 12 months ahead 1 of 9 forecast dates (6 are needed). "
        "Read these comparisons as a trace, not as a proof."
    )
