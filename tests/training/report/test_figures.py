"""Figures show the numbers they are made from, and the same numbers give the same bytes."""

from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.scores.baselines import NRR_RIVALS
from models.scores.capacity import RANKINGS
from training.learn.importance import Explanation
from training.report import figures

pytestmark = pytest.mark.usefixtures("costly")


def portfolio(horizon_months: int, mean: list[float], actual: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"origin": pd.date_range("2024-01-01", periods=len(mean), freq="MS"), "mean": mean})
    frame = frame.assign(horizon_months=horizon_months, metric="nrr", actual=actual, crps=0.01)
    for points, low, high in ((0.01, "p25", "p75"), (0.02, "p10", "p90"), (0.03, "p05", "p95")):
        frame[low], frame[high] = frame["mean"] - points, frame["mean"] + points
    return frame.assign(**dict.fromkeys(NRR_RIVALS, 1.0), **{f"{name}_crps": 0.1 for name in NRR_RIVALS})


def picture(figure: Any) -> bytes:
    """The figure drawn; overlapping layouts and missing glyphs would warn."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def test_the_backtest_figure_shows_a_panel_a_horizon_with_the_actual_nrr() -> None:
    both = pd.concat([portfolio(12, [1.0], [0.9]), portfolio(3, [1.0, 1.1, 1.2], [1.01, 1.02, 1.03])])
    figure = figures.sheet(figures.backtest_panels(both), "NRR")
    assert [axes.get_title() for axes in figure.axes] == ["3 months ahead", "12 months ahead"]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert lines["actual"] == pytest.approx([101, 102, 103])
    assert set(lines) == {"forecast", "actual", *NRR_RIVALS.values()}
    assert picture(figure).startswith(b"\x89PNG")


def test_the_calibration_figure_shows_predicted_against_observed(scored: Any) -> None:
    score = scored(probability=[0.9] * 15 + [0.1] * 15, base=[0.5] * 30, event=[1.0] * 15 + [0.0] * 15)
    (panel,) = figures.calibration_panels([score])
    figure = figures.alone(panel)
    assert panel.title == "churn, 3 months (AUC 1.00)"
    points = figure.axes[0].containers[0].lines[0].get_xydata()
    assert points == pytest.approx(np.array([(cell.predicted, cell.observed) for cell in score.bins]))


def test_the_importance_figure_puts_the_strongest_on_top() -> None:
    importance = pd.Series([0.5, 0.3, *[0.01] * 30], index=[f"input {number}" for number in range(32)])
    (panel,) = figures.importance_panels([Explanation("churn", importance, pd.DataFrame())])
    figure = figures.alone(panel)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert (widths[-1], widths[-2], len(widths)) == (0.5, 0.3, 20)
    assert picture(figure).startswith(b"\x89PNG")


def test_the_coverage_figure_shows_kept_against_promised() -> None:
    (panel,) = figures.coverage_panels(portfolio(12, [1.0, 1.0], [1.015, 1.5]))
    kept = {line.get_label(): line.get_ydata() for line in figures.alone(panel).axes[0].lines}
    assert kept["12 months"] == pytest.approx([0, 50, 50])


def test_the_capacity_figure_has_a_line_a_ranking() -> None:
    curve = pd.DataFrame(
        [
            {"horizon_months": 3, "ranking": name, "share_called": share, "share_caught": share}
            for name in RANKINGS
            for share in (0.0, 1.0)
        ]
    )
    (panel,) = figures.capacity_panels(curve)
    assert [line.get_label() for line in figures.alone(panel).axes[0].lines] == list(RANKINGS.values())
    assert figures.capacity_panels(pd.DataFrame()) == []


def skill_axes(*found: tuple[float, float, float], finding: str = "better") -> Any:
    """The panel of rows given as skill and the ends of its interval."""
    rows = pd.DataFrame(found, columns=["skill", "low", "high"])
    rows = rows.assign(outcome="nrr", horizon_months=3, label="trailing NRR", finding=finding)
    (panel,) = figures.skill_panels(rows)
    return figures.alone(panel).axes[0]


@pytest.mark.parametrize(("finding", "full", "hollow"), [("better", 1, 0), ("too few origins", 0, 1)])
def test_skill_that_cannot_be_trusted_is_hollow(finding: str, full: int, hollow: int) -> None:
    lines = skill_axes((0.2, 0.1, 0.3), finding=finding).lines[1:]
    assert [len(line.get_xdata()) for line in lines] == [full, hollow]
    assert lines[1].get_markerfacecolor() == "white"


NONE = float("nan")


@pytest.mark.parametrize(
    ("found", "least", "most"),
    [
        ([(0.2, 0.1, 0.3)], 0, 30),
        ([(0.2, 0.1, 0.3), (-0.4, -0.6, 0.1)], -60, 30),
        ([(0.85, NONE, NONE), (0.17, NONE, NONE)], 0, 85),  # one origin: points without any interval
        ([(0.5, NONE, NONE), (-9.0, NONE, NONE)], 0, 50),  # the second would squash the first
        ([(-9.0, NONE, NONE), (-8.0, -8.5, -2.0)], -900, 0),  # there is no other to squash
        ([(0.0, 0.0, 0.0)], 0, 0),
    ],
)
def test_the_skill_axis_fits_the_points_and_their_intervals(found: Any, least: float, most: float) -> None:
    left, right = skill_axes(*found).get_xlim()
    margin = max(0.06 * (most - least), 1)
    assert (left, right) == pytest.approx((least - margin, most + margin))


def test_skill_beyond_the_axis_is_an_arrow_at_its_edge_with_the_number() -> None:
    axes = skill_axes((0.5, 0.4, 0.6), (-9.0, NONE, NONE), (-0.1, -3.0, 0.2))
    arrows = [line for line in axes.lines if line.get_marker() == "<"]
    edge = axes.get_xlim()[0]
    assert [(line.get_xdata(), line.get_ydata()) for line in arrows] == [([edge], [1]), ([edge], [0])]
    assert [text.get_text() for text in axes.texts] == ["-900 %", "to -300 %"]
    assert picture(axes.figure).startswith(b"\x89PNG")


def test_the_same_panel_gives_the_same_svg() -> None:
    (panel,) = figures.backtest_panels(portfolio(3, [1.0, 1.1], [1.0, 1.2]))
    first = figures.svg(panel)
    assert first == figures.svg(panel)
    assert b"<svg" in first
