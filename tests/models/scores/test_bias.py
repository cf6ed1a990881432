"""Where a forecast is biased: events expected and seen by kinds of accounts and months."""

import numpy as np
import pandas as pd

from models.scores.bias import bias_table


def events(origin: str, value: str, month: int, expected: float, seen: float) -> dict[str, object]:
    """A hundred rows of churn of one kind."""
    chance = expected / 100
    return {
        "origin": origin,
        "cut": "month",
        "value": value,
        "outcome": "churn",
        "month": month,
        "rows": 100,
        "expected": expected,
        "variance": 100 * chance * (1 - chance),
        "seen": seen,
        "expected_arr": -1000 * expected,
        "seen_arr": -1000 * seen,
    }


def test_what_differs_beyond_chance_is_found_and_a_month_counts_once_however_many_dates_forecast_it() -> None:
    table = bias_table(
        pd.DataFrame([
            events("2024-01-01", "a grace runs out", 24_300, 20.0, 4.0),
            events("2024-02-01", "a grace runs out", 24_300, 22.0, 4.0),
            events("2024-02-01", "a term ends", 24_300, 2.0, 10.0),
            events("2024-01-01", "in between", 24_300, 10.0, 10.0),
            events("2024-01-01", "in between", 24_299, 10.0, 8.0),
        ])
    ).set_index("value")  # fmt: skip
    assert table["rows"].tolist() == [100, 50, 150]
    assert table["expected"].tolist() == [21, 1, 15]
    assert table["seen"].tolist() == [4, 5, 13]
    assert table["finding"].tolist() == ["too high", "too low", ""]
    assert table["expected_arr"].tolist() == [-21_000, -1_000, -15_000]
    np.testing.assert_allclose(table["ratio"], [5.25, 0.2, 15 / 13])


def test_few_events_are_no_finding_and_without_any_there_is_no_ratio() -> None:
    table = bias_table(pd.DataFrame([events("2024-01-01", "in between", 24_300, 2.0, 0.0)]))
    assert table["finding"].tolist() == [""]
    assert table["ratio"].isna().all()
    assert bias_table(pd.DataFrame()).empty
