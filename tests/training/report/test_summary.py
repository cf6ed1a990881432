"""What a run says in words, tables and figures."""

import json
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.scores.portfolio import portfolio_table, windows_apart
from training.backtest.verdict import verdict
from training.report import summary
from training.tracking.evidence import Figure, Metric, Table

SINCE = date(2025, 1, 1)


def forecasts(*, horizon_months: int = 12, metric: str = "nrr", **columns: list[float]) -> pd.DataFrame:
    """Forecasts at successive origins; quantiles lie 1, 2 and 3 points around the mean."""
    mean = np.array(columns.pop("mean"))
    months = pd.date_range("2024-01-01", periods=len(mean), freq="MS")
    frame = pd.DataFrame({"origin": months, "horizon_months": horizon_months, "metric": metric, "mean": mean})
    for points, low, high in ((0.01, "p25", "p75"), (0.02, "p10", "p90"), (0.03, "p05", "p95")):
        frame[low], frame[high] = mean - points, mean + points
    naive = dict.fromkeys(("everything_renews", "trailing_nrr", "segment_rates"), np.nan if metric == "grr" else 1.0)
    frame = frame.assign(**({"crps": 0.01} | naive | columns))
    return frame.assign(**{f"{name}_crps": (frame[name] - frame["actual"]).abs() for name in naive})


@pytest.fixture
def skilled(scored: Any) -> Any:
    return scored(probability=[0.9] * 15 + [0.1] * 15, base=[0.5] * 30, event=[1.0] * 15 + [0.0] * 15)


@pytest.fixture
def unskilled(scored: Any) -> Any:
    return scored(probability=[0.1] * 15 + [0.9] * 15, base=[0.5] * 30, event=[1.0] * 15 + [0.0] * 15, horizon_months=6)


RIGHT = {"probability": [0.9] * 15 + [0.1] * 15, "base": [0.5] * 30, "event": [1.0] * 15 + [0.0] * 15}


def test_the_verdict_names_the_horizons_with_skill(scored: Any, unskilled: Any) -> None:
    said = (
        "Churn probabilities beat the base rate 1, 3 months ahead, tested out of time from 2025-01-01. They also beat "
        "the past rates by segment and term end 3 months ahead. They are not better, beyond chance, than the past "
        "rates by segment and term end 1 month ahead."
    )
    better, equal = scored(**RIGHT), scored(**RIGHT, segments=RIGHT["probability"], horizon_months=1)
    assert verdict([equal, better, unskilled], SINCE) == [said]


def test_the_verdict_without_skill_quotes_what_decided_it_at_each_horizon(unskilled: Any, scored: Any) -> None:
    """A log-loss 20 % better and a high AUC at one horizon, of 5 accounts, are not the reason: the 5 are."""
    few = scored(probability=[0.6] * 5 + [0.1] * 20, base=[0.5] * 25, event=[1.0] * 5 + [0.0] * 20, horizon_months=1)
    level = scored(probability=[0.5] * 80, base=[0.1] * 80, event=[1.0, 0.0] * 40)
    assert few.skill > 0.2
    assert verdict([few, level, unskilled], SINCE) == [
        "NO SKILL FOUND for churn, tested out of time from 2025-01-01: "
        "3 months ahead, the AUC 0.50 (95 % interval from 0.37) is not above 0.5 beyond chance; "
        "6 months ahead, the log-loss was 232.2% worse than the base rate's (95 % interval from -232.2%) and "
        "the AUC 0.00 (95 % interval from 0.00) is not above 0.5 beyond chance. "
        "Do not act on single accounts' churn probabilities or reasons.",
        "TOO FEW EVENTS to tell how good the churn probabilities are, tested out of time from 2025-01-01: 1 month "
        "ahead churn came to 5 accounts; 10 accounts are needed.",
    ]


def test_the_verdict_where_all_left_says_so(scored: Any) -> None:
    (line,) = verdict([scored(probability=[0.01] * 30, base=[0.5] * 30, event=[1.0] * 30)], SINCE)
    assert " and churn came to all, so that nothing tells them apart. Do not act" in line


@pytest.mark.parametrize(("came", "said"), [(0, "0 accounts"), (1, "1 account"), (9, "9 accounts")])
def test_the_verdict_on_too_few_accounts_says_how_few(came: int, said: str, scored: Any) -> None:
    few = scored(probability=[0.9] * came + [0.1] * 20, base=[0.5] * (came + 20), event=[1.0] * came + [0.0] * 20)
    (line,) = verdict([few], SINCE)
    assert line == (
        "TOO FEW EVENTS to tell how good the churn probabilities are, tested out of time from 2025-01-01: 3 months "
        f"ahead churn came to {said}; 10 accounts are needed. Let the churn probabilities order whom you look at "
        "first; act on what you find, not on the figures."
    )


def test_rows_of_one_account_are_told_from_accounts(scored: Any) -> None:
    few = scored(probability=[0.9] * 2 + [0.1], base=[0.5] * 3, event=[1.0, 1.0, 0.0], accounts=["a", "a", "b"])
    (line,) = verdict([few], SINCE)
    assert "churn came to 1 account (2 rows); 10 accounts are needed. A row is an account at one forecast date" in line


def test_each_outcome_has_its_verdict(unskilled: Any, scored: Any) -> None:
    right = {"probability": [0.9] * 15 + [0.1] * 15, "base": [0.5] * 30, "event": [1.0] * 15 + [0.0] * 15}
    churn, expansion = verdict([unskilled, scored("expansion", **right)], SINCE)
    assert churn.startswith("NO SKILL FOUND for churn")
    assert expansion.startswith("Expansion probabilities beat the base rate 3 months ahead")


def test_scores_as_json_have_no_nan_and_no_bins(scored: Any) -> None:
    one_class = scored(probability=[0.1, 0.2], base=[0.2, 0.2], event=[0.0, 0.0])
    (row,) = json.loads(json.dumps(summary.score_rows([one_class]), allow_nan=False))
    assert (row["outcome"], row["horizon_months"], row["rows"], row["auc"]) == ("churn", 3, 2, None)
    assert "bins" not in row


def test_tables_as_json_have_dates_as_text() -> None:
    frame = pd.DataFrame({"origin": [pd.Timestamp(SINCE)], "horizon_months": [3], "actual": [np.nan]})
    assert summary.json_rows(frame) == [{"origin": "2025-01-01", "horizon_months": 3, "actual": None}]


def test_score_lines_have_a_line_a_score_under_a_head(skilled: Any, unskilled: Any) -> None:
    head, *lines = summary.score_lines([skilled, unskilled])
    assert head.split()[:6] == ["outcome", "months", "rows", "events", "accounts", "AUC"]
    assert [line.split("   ")[-1] for line in (head, *lines)] == ["finding", "skill", "no skill"]
    assert [line.split()[:6] for line in lines] == [
        ["churn", "3", "30", "15", "15", "1.000"],
        ["churn", "6", "30", "15", "15", "0.000"],
    ]


def test_errors_bias_crps_coverage_and_width_by_hand() -> None:
    table = portfolio_table(
        forecasts(
            mean=[1.00, 1.05, 1.10],
            actual=[1.005, 1.035, 1.20],
            crps=[0.01, 0.02, 0.06],
            trailing_nrr=[1.105, 1.135, 1.30],
            segment_rates=[1.005, 1.035, 1.23],
        )
    )
    (row,) = table.to_dict(orient="records")
    assert row == pytest.approx(
        {
            "metric": "nrr",
            "horizon_months": 12,
            "origins": 3,
            "windows_apart": 1,
            "model_error": (0.5 + 1.5 + 10) / 3,
            "model_bias": (-0.5 + 1.5 - 10) / 3,
            "model_crps": 3.0,
            "everything_renews_error": (0.5 + 3.5 + 20) / 3,
            "everything_renews_crps": (0.5 + 3.5 + 20) / 3,
            "trailing_nrr_error": 10.0,
            "trailing_nrr_crps": 10.0,
            "segment_rates_error": 1.0,
            "segment_rates_crps": 1.0,
            "coverage_50": 1 / 3,
            "coverage_80": 2 / 3,
            "coverage_90": 2 / 3,
            "width_50": 2.0,
            "width_80": 4.0,
            "width_90": 6.0,
        }
    )


@pytest.mark.parametrize(
    ("months", "horizon", "apart"),
    [
        ([0], 12, 1),
        ([0, 2, 4], 12, 1),
        ([0, 6, 12], 12, 2),
        ([12, 0, 24], 12, 3),
        ([0, 2, 4, 6], 3, 2),
        ([0, 1, 2], 1, 3),
    ],
)
def test_windows_beside_each_other(months: list[int], horizon: int, apart: int) -> None:
    origins = [pd.Timestamp("2024-01-01") + pd.DateOffset(months=number) for number in months]
    assert windows_apart(origins, horizon) == apart


def test_portfolio_lines_show_the_model_then_the_rivals_crps() -> None:
    frame = pd.concat([forecasts(mean=[1.1], actual=[1.0]), forecasts(metric="grr", mean=[0.9], actual=[0.9])])
    _, nrr, grr, head, rivals = summary.portfolio_lines(portfolio_table(frame))
    assert nrr.split() == ["nrr", "12", "1", "10.0", "+10.0", "1.00", "0%", "0%", "0%", "4.0"]
    assert grr.split() == ["grr", "12", "1", "0.0", "+0.0", "1.00", "100%", "100%", "100%", "4.0"]
    assert "everything renews" in head
    assert rivals.split() == ["12", "1.00", "0.00", "0.00", "0.00"]


def test_evidence_of_scores_is_metrics_a_table_a_score_and_one_figure(skilled: Any, unskilled: Any) -> None:
    evidence = summary.score_evidence([skilled, unskilled])
    metrics = {item.name: item.value for item in evidence if isinstance(item, Metric)}
    assert metrics["churn_3m_skill"] == skilled.skill
    assert metrics["churn_6m_auc"] == 0
    tables = {item.name: item.frame for item in evidence if isinstance(item, Table)}
    assert tables["reliability_churn_3m"]["rows"].sum() == 30
    assert [item.name for item in evidence if isinstance(item, Figure)] == ["calibration"]


def test_what_a_forecast_warns_by_is_recorded(skilled: Any, unskilled: Any) -> None:
    evidence = summary.score_evidence([skilled, unskilled])
    metrics = {item.name: item.value for item in evidence if isinstance(item, Metric)}
    assert (metrics["churn_3m_has_skill"], metrics["churn_6m_has_skill"]) == (1, 0)
    assert metrics["churn_3m_skill_low"] == skilled.skill_low


def test_no_scores_are_no_evidence() -> None:
    assert summary.score_evidence([]) == []


def test_evidence_of_the_portfolio_is_metrics_tables_and_a_figure() -> None:
    portfolio = forecasts(mean=[1.1, 1.0], actual=[1.0, 1.0])
    evidence = summary.portfolio_evidence(portfolio, portfolio_table(portfolio))
    assert {item.name: item.value for item in evidence if isinstance(item, Metric)} == pytest.approx(
        {
            "nrr_12m_model_error": 5.0,
            "nrr_12m_model_bias": 5.0,
            "nrr_12m_model_crps": 1.0,
            "nrr_12m_coverage_80": 0.5,
            "nrr_12m_width_80": 4.0,
        }
    )
    assert [item.name for item in evidence if isinstance(item, Table)] == ["forecasts", "portfolio"]
    assert [item.name for item in evidence if isinstance(item, Figure)] == ["backtest"]
