"""Attributes and rates become known late, too."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.asof.view import AsOf
from features.inputs.frames import tables_from_frames
from params import Budget

DATES = (date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1))


def seen(tmp_path: Path, table: str, frame: pd.DataFrame, column: str, lag_days: int = 0) -> dict[int, Any]:
    """The value each snapshot sees, by its number."""
    tables = tables_from_frames(
        {table: frame}, tmp_path / "t.duckdb", data_until=date(2024, 4, 1), lag_days={table: lag_days}
    )
    asof = AsOf(tables, DATES)
    with tables.connect(budget=Budget(1, 0.5)) as connection:
        for name, calendar in asof.frames().items():
            connection.register("frame", calendar)
            connection.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM frame")
        select = asof.attributes() if table == "accounts" else asof.rates()
        return dict(connection.execute(f"SELECT k, {column} FROM ({select}) ORDER BY k").fetchall())


@pytest.mark.parametrize(
    ("lag_days", "segments"),
    [(0, ["new", "new", "new"]), (30, ["old", "new", "new"]), (60, ["old", "old", "new"])],
)
def test_an_attribute_is_known_after_the_lag_of_accounts(tmp_path: Path, lag_days: int, segments: list[str]) -> None:
    rows = {"account_id": ["a", "a"], "segment": ["old", "new"]}
    frame = pd.DataFrame(rows | {"valid_from": pd.to_datetime(["2020-01-01", "2023-12-20"])})
    assert list(seen(tmp_path, "accounts", frame, "segment", lag_days).values()) == segments


@pytest.mark.parametrize(
    ("lag_days", "recorded_at", "rates"),
    [
        (0, None, {1: 1.0, 2: 2.0, 3: 2.0}),
        (10, None, {1: 1.0, 2: 1.0, 3: 2.0}),
        (0, "2024-02-01", {1: 1.0, 2: 1.0, 3: 2.0}),
        (0, "2024-01-31", {1: 1.0, 2: 2.0, 3: 2.0}),
    ],
)
def test_a_rate_is_known_after_its_lag_and_its_recording(
    tmp_path: Path, lag_days: int, recorded_at: str | None, rates: dict[int, float]
) -> None:
    frame = pd.DataFrame({"month": [date(2023, 12, 1), date(2024, 2, 1)], "currency": "EUR", "rate": [1.0, 2.0]})
    if recorded_at:
        frame["recorded_at"] = pd.to_datetime([None, recorded_at])
    assert seen(tmp_path, "fx_rates", frame, "rate", lag_days) == rates
