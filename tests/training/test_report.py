"""What a run says in words, tables and figures."""

import json
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training import report
from training.tracking import Figure, Metric, Table

SINCE = date(2025, 1, 1)


def forecasts(*, horizon_months: int = 12, metric: str = "nrr", **columns: list[float]) -> pd.DataFrame:
    """Forecasts at successive origins; quantiles lie 1, 2 and 3 points around the mean."""
    mean = np.array(columns.pop("mean"))
    months = pd.date_range("2024-01-01", periods=len(mean), freq="MS")
    frame = pd.DataFrame({"origin": months, "horizon_months": horizon_months, "metric": metric, "mean": mean})
    for points, low, high in ((0.01, "p25", "p75"), (0.02, "p10", "p90"), (0.03, "p05", "p95")):
        frame[low], frame[high] = mean - points, mean + points
    naive = dict.fromkeys(report.NAIVE, np.nan if metric == "grr" else 1.0)
    return frame.assign(**(naive | columns))


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
    assert report.verdict([equal, better, unskilled], SINCE) == [said]


def test_the_verdict_without_skill_quotes_what_decided_it_at_each_horizon(unskilled: Any, scored: Any) -> None:
    """A log-loss 20 % better and a high AUC at one horizon, of 5 accounts, are not the reason: the 5 are."""
    few = scored(probability=[0.6] * 5 + [0.1] * 20, base=[0.5] * 25, event=[1.0] * 5 + [0.0] * 20, horizon_months=1)
    level = scored(probability=[0.5] * 80, base=[0.1] * 80, event=[1.0, 0.0] * 40)
    assert few.skill > 0.2
    assert report.verdict([few, level, unskilled], SINCE) == [
        "NO SKILL FOUND for churn, tested out of time from 2025-01-01: "
        "1 month ahead, churn came to 5 accounts, too few to tell (10 are needed); "
        "3 months ahead, the AUC 0.50 (95 % interval from 0.37) is not above 0.5 beyond chance; "
        "6 months ahead, the log-loss was 232.2% worse than the base rate's (95 % interval from -232.2%) and "
        "the AUC 0.00 (95 % interval from 0.00) is not above 0.5 beyond chance. "
        "Do not act on single accounts' churn probabilities or reasons."
    ]


def test_the_verdict_where_all_left_says_so(scored: Any) -> None:
    (line,) = report.verdict([scored(probability=[0.01] * 30, base=[0.5] * 30, event=[1.0] * 30)], SINCE)
    assert " and churn came to all, so that nothing tells them apart. Do not act" in line


@pytest.mark.parametrize(("came", "said"), [(0, "0 accounts"), (1, "1 account"), (9, "9 accounts")])
def test_the_verdict_on_too_few_accounts_says_how_few(came: int, said: str, scored: Any) -> None:
    few = scored(probability=[0.9] * came + [0.1] * 20, base=[0.5] * (came + 20), event=[1.0] * came + [0.0] * 20)
    (line,) = report.verdict([few], SINCE)
    assert line.startswith("NO SKILL FOUND for churn")
    assert f" churn came to {said}, too few to tell (10 are needed). Do not act" in line


def test_each_outcome_has_its_verdict(unskilled: Any, scored: Any) -> None:
    right = {"probability": [0.9] * 15 + [0.1] * 15, "base": [0.5] * 30, "event": [1.0] * 15 + [0.0] * 15}
    churn, expansion = report.verdict([unskilled, scored("expansion", **right)], SINCE)
    assert churn.startswith("NO SKILL FOUND for churn")
    assert expansion.startswith("Expansion probabilities beat the base rate 3 months ahead")


def test_scores_as_json_have_no_nan_and_no_bins(scored: Any) -> None:
    one_class = scored(probability=[0.1, 0.2], base=[0.2, 0.2], event=[0.0, 0.0])
    (row,) = json.loads(json.dumps(report.score_rows([one_class]), allow_nan=False))
    assert (row["outcome"], row["horizon_months"], row["rows"], row["auc"]) == ("churn", 3, 2, None)
    assert "bins" not in row


def test_tables_as_json_have_dates_as_text() -> None:
    frame = pd.DataFrame({"origin": [pd.Timestamp(SINCE)], "horizon_months": [3], "actual": [np.nan]})
    assert report.json_rows(frame) == [{"origin": "2025-01-01", "horizon_months": 3, "actual": None}]


def test_score_lines_have_a_line_a_score_under_a_head(skilled: Any, unskilled: Any) -> None:
    head, *lines = report.score_lines([skilled, unskilled])
    assert head.split()[:5] == ["outcome", "months", "rows", "events", "AUC"]
    assert [line.split()[:5] for line in lines] == [
        ["churn", "3", "30", "15", "1.000"],
        ["churn", "6", "30", "15", "0.000"],
    ]


def test_errors_bias_and_coverage_by_hand() -> None:
    table = report.portfolio_table(
        forecasts(
            mean=[1.00, 1.05, 1.10],
            actual=[1.005, 1.035, 1.20],
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
            "everything_renews_error": (0.5 + 3.5 + 20) / 3,
            "trailing_nrr_error": 10.0,
            "segment_rates_error": 1.0,
            "coverage_50": 1 / 3,
            "coverage_80": 2 / 3,
            "coverage_90": 2 / 3,
        }
    )


@pytest.mark.parametrize(
    ("actual", "said"),
    [
        (
            1.10,
            [
                "was off by 0.0 points on average over 1 origin; better than everything renews, trailing NRR.",
                "It was no better than: segment rates.",
            ],
        ),
        (1.00, ["was off by 10.0 points on average over 1 origin; no better than any naive forecast."]),
    ],
)
def test_the_portfolio_verdict_names_whom_the_model_beat(actual: float, said: list[str]) -> None:
    short = forecasts(horizon_months=3, mean=[1.0], actual=[1.0])
    grr = forecasts(metric="grr", mean=[0.9], actual=[0.5])
    long = forecasts(mean=[1.10], actual=[actual], trailing_nrr=[1.0], segment_rates=[actual])
    first, *rest = report.portfolio_verdict(pd.concat([short, grr, long]))
    assert first == f"NRR 12 months ahead {said[0]}"
    assert rest == [*said[1:], "With 1 origin this says little: read it as a trace, not as a proof."]


def test_six_origins_a_year_apart_are_no_mere_trace() -> None:
    yearly = forecasts(mean=[1.1] * 6, actual=[1.1] * 6)
    yearly["origin"] = pd.date_range("2018-01-01", periods=6, freq="YS")
    assert len(report.portfolio_verdict(yearly)) == 1


def test_origins_whose_windows_overlap_are_counted_as_what_they_are() -> None:
    assert report.portfolio_verdict(forecasts(mean=[1.1] * 14, actual=[1.1] * 14))[1:] == [
        "The windows of 12 months overlap: only 2 of the 14 fit beside each other, the rest repeat what these show.",
        "With 2 windows of their own this says little: read it as a trace, not as a proof.",
    ]


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
    assert report.windows_apart(origins, horizon) == apart


def test_portfolio_lines_show_a_dash_where_there_is_no_naive_forecast() -> None:
    frame = pd.concat([forecasts(mean=[1.1], actual=[1.0]), forecasts(metric="grr", mean=[0.9], actual=[0.9])])
    _, nrr, grr = report.portfolio_lines(frame)
    assert nrr.split() == ["nrr", "12", "1", "10.0", "0.0", "0.0", "0.0", "0%", "0%", "0%"]
    assert grr.split() == ["grr", "12", "1", "0.0", "-", "-", "-", "100%", "100%", "100%"]


def test_evidence_of_scores_is_metrics_a_table_a_score_and_one_figure(skilled: Any, unskilled: Any) -> None:
    evidence = report.score_evidence([skilled, unskilled])
    metrics = {item.name: item.value for item in evidence if isinstance(item, Metric)}
    assert metrics["churn_3m_skill"] == skilled.skill
    assert metrics["churn_6m_auc"] == 0
    tables = {item.name: item.frame for item in evidence if isinstance(item, Table)}
    assert tables["reliability_churn_3m"]["rows"].sum() == 30
    assert [item.name for item in evidence if isinstance(item, Figure)] == ["calibration"]


def test_what_a_forecast_warns_by_is_recorded(skilled: Any, unskilled: Any) -> None:
    evidence = report.score_evidence([skilled, unskilled])
    metrics = {item.name: item.value for item in evidence if isinstance(item, Metric)}
    assert (metrics["churn_3m_has_skill"], metrics["churn_6m_has_skill"]) == (1, 0)
    assert metrics["churn_3m_skill_low"] == skilled.skill_low


def test_no_scores_are_no_evidence() -> None:
    assert report.score_evidence([]) == []


def test_evidence_of_the_portfolio_is_metrics_tables_and_a_figure() -> None:
    portfolio = forecasts(mean=[1.1, 1.0], actual=[1.0, 1.0])
    evidence = report.portfolio_evidence(portfolio)
    assert {item.name: item.value for item in evidence if isinstance(item, Metric)} == pytest.approx(
        {"nrr_12m_model_error": 5.0, "nrr_12m_model_bias": 5.0, "nrr_12m_coverage_80": 0.5}
    )
    assert [item.name for item in evidence if isinstance(item, Table)] == ["forecasts", "portfolio"]
    assert [item.name for item in evidence if isinstance(item, Figure)] == ["backtest"]


def picture(figure: Any) -> bytes:
    """The figure drawn; overlapping layouts and missing glyphs would warn."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def test_the_calibration_figure_shows_predicted_against_observed(skilled: Any, unskilled: Any) -> None:
    figure = report.calibration_figure([skilled, unskilled])
    assert [axes.get_title() for axes in figure.axes] == ["churn, 3 months (AUC 1.00)", "churn, 6 months (AUC 0.00)"]
    points = figure.axes[0].containers[0].lines[0].get_xydata()
    assert points == pytest.approx(np.array([(cell.predicted, cell.observed) for cell in skilled.bins]))
    assert picture(figure).startswith(b"\x89PNG")


def test_the_backtest_figure_shows_a_panel_a_horizon_with_what_came() -> None:
    short = forecasts(horizon_months=3, mean=[1.0, 1.1, 1.2], actual=[1.01, 1.02, 1.03])
    figure = report.backtest_figure(pd.concat([forecasts(mean=[1.0], actual=[0.9]), short]))
    assert [axes.get_title() for axes in figure.axes] == ["3 months ahead", "12 months ahead"]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert lines["came"] == pytest.approx([101, 102, 103])
    assert set(lines) == {"forecast", "came", *report.NAIVE.values()}
    assert picture(figure).startswith(b"\x89PNG")


def test_the_importance_figure_puts_the_strongest_on_top() -> None:
    importance = pd.Series([0.5, 0.3, *[0.01] * 30], index=[f"input {number}" for number in range(32)])
    figure = report.importance_figure(importance, "churn")
    (axes,) = figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert (widths[-1], widths[-2], len(widths)) == (0.5, 0.3, 20)
    assert picture(figure).startswith(b"\x89PNG")
