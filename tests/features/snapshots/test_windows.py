"""Windows are half-open, `[t - W, t)`, whatever the date."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

LINE = {"contract_id": "c", "account_id": "a", "starts_on": date(2020, 1, 1), "mrr": 10}
DAYS = [date(2024, 2, 29), date(2024, 3, 1), date(2023, 12, 31), date(2024, 1, 1), date(2023, 7, 19)]


@pytest.fixture
def used(checked: Callable[..., Any], snapshots_of: Callable[..., Any]) -> Callable[..., pd.DataFrame]:
    """Snapshots of one evergreen account used on these days (day, and when it became known)."""

    def snapshots(days: list[tuple[date, date | None]], dates: list[date], **more: Any) -> pd.DataFrame:
        rows = [
            {"account_id": "a", "used_on": day, "user_id": "u", "feature": "f", "recorded_at": recorded}
            for day, recorded in days
        ]
        tables = checked({"accounts": [{"account_id": "a"}], "contracts": [LINE], "usage": rows}, **more)
        return snapshots_of(tables, dates).frame

    return snapshots


@pytest.mark.parametrize("t", DAYS)
def test_the_first_day_of_a_window_counts_and_the_snapshot_day_does_not(
    used: Callable[..., pd.DataFrame], t: date
) -> None:
    back = [(t - timedelta(days=days), None) for days in (0, 1, 28, 29, 90, 91, 180, 181)]
    row = used(back, [t]).iloc[0]
    counted = {
        "usage_28d": 2, "usage_90d": 4, "active_days_28d": 2, "active_days_90d": 4,
        "days_since_usage": 1,
        "usage_ratio_28d": 2 / 1, "usage_ratio_90d": 4 / 2, "usage_vs_baseline_28d": 2 / 28 * 180 / 6,
    }  # fmt: skip
    assert row[list(counted)].to_dict() == pytest.approx(counted)


@pytest.mark.parametrize("days", [1, 28, 29, 90, 91])
def test_users_and_features_count_up_to_the_edge(used: Callable[..., pd.DataFrame], days: int) -> None:
    t = date(2024, 2, 29)
    row = used([(t - timedelta(days=days), None)], [t]).iloc[0]
    assert row["active_users_28d"] == row["features_used_28d"] == (days <= 28)
    assert row["active_users_90d"] == row["new_features_90d"] == (days <= 90)


@pytest.mark.parametrize(
    ("features", "parts", "events"),
    [
        ([None, None], 0, 2),
        ([None, "0"], 1, 2),
        (["0", "0", "f", None], 2, 4),
        ([str(number) for number in range(130)] + [None], 130, 131),
    ],
)
def test_use_of_no_feature_is_use_but_no_part_of_the_product(
    checked: Callable[..., Any], snapshots_of: Callable[..., Any], features: list[str | None], parts: int, events: int
) -> None:
    t = date(2024, 2, 29)
    rows = [
        {"account_id": "a", "used_on": t - timedelta(days=2), "user_id": "u", "feature": feature}
        for feature in features
    ]
    tables = checked({"accounts": [{"account_id": "a"}], "contracts": [LINE], "usage": rows})
    for dates in ([t], [t, t + timedelta(days=1)]):
        row = snapshots_of(tables, dates).frame.iloc[0]
        counted = ["usage_28d", "features_used_28d", "new_features_90d", "active_days_28d", "active_users_28d"]
        assert row[counted].tolist() == [events, parts, parts, 1, 1]


# What a wrong engine emits: pattern and what is there in its place.
WRONG_EDGES = {
    "the first day of a window falls into the slice before it": (
        r"(day_slice AS SELECT \*)",
        r"\1 REPLACE (CASE WHEN on_day = slice_start THEN LAG(slice_start, 1, slice_start) OVER "
        "(PARTITION BY stream ORDER BY on_day) ELSE slice_start END AS slice_start)",
    ),
    "rows left out a day too early": (r">= (DATE '\d{4}-\d\d-\d\d')", r"> \1"),
}


@pytest.mark.parametrize("wrong", WRONG_EDGES)
def test_a_wrong_edge_is_caught(used: Callable[..., pd.DataFrame], emitted: Any, wrong: str) -> None:
    emitted.sub(*WRONG_EDGES[wrong])
    with pytest.raises(AssertionError):
        test_the_first_day_of_a_window_counts_and_the_snapshot_day_does_not(used, DAYS[0])


@pytest.mark.parametrize(
    ("recorded", "lag", "seen"),
    [
        (date(2024, 2, 28), 0, 1),
        (date(2024, 2, 29), 0, 0),
        (date(2024, 2, 29), 9, 0),
        (None, 0, 1),
        (None, 1, 1),
        (None, 2, 0),
    ],
)
def test_a_row_counts_once_known(used: Callable[..., pd.DataFrame], recorded: date | None, lag: int, seen: int) -> None:
    row = used([(date(2024, 2, 27), recorded)], [date(2024, 2, 29)], lag_days={"usage": lag}).iloc[0]
    assert row["usage_28d"] == row["active_users_28d"] == row["active_days_28d"] == seen


def test_a_late_row_counts_from_when_it_became_known_and_only_while_in_the_window(
    used: Callable[..., pd.DataFrame],
) -> None:
    dates = [date(2024, 3, 1) + timedelta(days=days) for days in range(0, 60, 10)]
    frame = used([(date(2024, 2, 25), date(2024, 3, 5))], dates)
    assert frame["usage_28d"].tolist() == [0, 1, 1, 0, 0, 0]
    assert frame["days_since_usage"].tolist() == pytest.approx([float("nan"), 15, 25, 35, 45, 55], nan_ok=True)


def test_a_snapshot_does_not_depend_on_those_made_with_it(
    company_tables: Any, snapshots_of: Callable[..., Any]
) -> None:
    dates = [date(2022, 5, 31), date(2023, 10, 14), date(2023, 10, 15), date(2024, 2, 29)]
    together = snapshots_of(company_tables, dates).frame
    apart = pd.concat([snapshots_of(company_tables, [day]).frame for day in dates], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart, check_exact=True)


@pytest.mark.parametrize("cut", ["e.day < ", "e.known_day < ", "r.known_day < "])
def test_a_date_alone_that_sees_what_comes_later_is_caught(
    company_tables: Any, snapshots_of: Callable[..., Any], emitted: Any, cut: str
) -> None:
    emitted.replace(cut, f"-1 * {cut}")
    with pytest.raises(AssertionError, match="DataFrame"):
        test_a_snapshot_does_not_depend_on_those_made_with_it(company_tables, snapshots_of)
