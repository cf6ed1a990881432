"""Whom a team would have called, and who of them left."""

from typing import Any

import pandas as pd
import pytest

from models.scores.capacity import capacity_curve, capacity_table


def cohort(**columns: Any) -> pd.DataFrame:
    """Five accounts of one origin: the second and the fourth left."""
    frame = pd.DataFrame(
        {
            "origin": pd.Timestamp("2024-01-01"),
            "horizon_months": 3,
            "churned": [0.0, 1.0, 0.0, 1.0, 0.0],
            "arr": [10.0, 30.0, 10.0, 10.0, 40.0],
            "churn_probability": [0.1, 0.9, 0.3, 0.2, 0.05],
            "health_score": [0.9, 0.5, 0.1, 0.4, 0.2],
        }
    )
    return frame.assign(**columns)


def row_of(table: pd.DataFrame, ranking: str, called: float = 2) -> dict[str, Any]:
    (row,) = table[(table["ranking"] == ranking) & (table["called"] == called)].to_dict(orient="records")
    return row


@pytest.mark.parametrize(
    ("ranking", "caught"),
    [
        ("model", 1.0),  # the second (0.9) and the third (0.3)
        ("health", 0.0),  # the third and the fifth, of the worst health
        ("random", 0.8),  # two of five
    ],
)
def test_of_those_who_left_how_many_were_called(ranking: str, caught: float) -> None:
    row = row_of(capacity_table(cohort(), (2,)), ranking)
    assert row["caught"] == pytest.approx(caught)
    assert row["share_caught"] == pytest.approx(caught / 2)
    assert row["precision"] == pytest.approx(caught / 2)
    assert row["lift"] == pytest.approx(caught / 2 / 0.4)


def test_arr_counts_what_left_was_worth() -> None:
    assert row_of(capacity_table(cohort(), (2,)), "model")["arr_caught"] == pytest.approx(0.75)


def test_accounts_alike_share_the_calls() -> None:
    """All of one health: the calls are as good as random, whatever the order of the rows."""
    row = row_of(capacity_table(cohort(health_score=0.5), (2,)), "health")
    assert row["caught"] == pytest.approx(0.8)


def test_more_calls_than_accounts_reach_all() -> None:
    table = capacity_table(cohort(), (50,))
    assert (table["called"] == 5).all()
    assert (table["share_caught"] == 1).all()
    assert (table["lift"] == 1).all()


def test_origins_are_averaged_and_those_where_nobody_left_pass() -> None:
    quiet = cohort(origin=pd.Timestamp("2024-02-01"), churned=0.0)
    perfect = cohort(origin=pd.Timestamp("2024-03-01"), churn_probability=[0.0, 1.0, 0.0, 1.0, 0.0])
    row = row_of(capacity_table(pd.concat([cohort(), quiet, perfect]), (2,)), "model")
    assert row["caught"] == pytest.approx(1.5)
    assert capacity_table(quiet, (2,)).empty
    assert capacity_curve(quiet).empty


def test_the_curve_runs_from_nobody_to_all() -> None:
    curve = capacity_curve(cohort())
    for _, line in curve.groupby("ranking"):
        assert line["share_caught"].iloc[0] == 0
        assert line["share_caught"].iloc[-1] == 1
        assert line["share_caught"].is_monotonic_increasing
    random = curve[curve["ranking"] == "random"]
    assert random["share_caught"].tolist() == pytest.approx(random["share_called"].tolist())
