"""The default dates are month starts with enough history behind them."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

import params
from features.snapshots.dates import month_starts
from features.tables.problems import TABLES_STORED, BadInput

LINE = {"account_id": "a", "product": "p", "starts_on": date(2023, 1, 1), "ends_on": date(2024, 1, 1), "mrr": 10}
APRIL = date(2024, 4, 1)


@pytest.mark.parametrize(
    ("first", "contract", "used", "expected"),
    [
        ("null", date(2023, 11, 2), None, [date(2024, 2, 1), date(2024, 3, 1), APRIL]),
        ("null", date(2023, 11, 4), None, [date(2024, 3, 1), APRIL]),
        ("null", date(2023, 11, 2), date(2023, 9, 1), [date(2024, 2, 1), date(2024, 3, 1), APRIL]),
        ("null", date(2015, 1, 1), date(2023, 12, 2), [date(2024, 3, 1), APRIL]),
        ("2024-02-02", date(2023, 11, 2), None, [date(2024, 3, 1), APRIL]),
        ("2024-04-01", date(2023, 11, 2), None, [APRIL]),
    ],
)
def test_default_dates_are_month_starts_with_three_months_of_history_behind_them(
    checked: Callable[..., Any], first: str, contract: date, used: date | None, expected: list[date]
) -> None:
    rows = {
        "accounts": [{"account_id": "a"}],
        "contracts": [{"contract_id": "1", **LINE, "starts_on": contract}],
        "goals": [{"account_id": "a", "goal": "g", "set_on": date(2010, 1, 1)}],
    }
    if used:
        rows["usage"] = [{"account_id": "a", "used_on": used}]
    settings = params.load(overrides=[f"snapshots.first={first}"]).snapshots
    assert month_starts(checked(rows), settings) == expected


def test_no_month_start_in_reach_is_said_with_both_days(checked: Callable[..., Any]) -> None:
    rows = {"accounts": [{"account_id": "a"}], "contracts": [{"contract_id": "1", **LINE}]}
    settings = params.load(overrides=["snapshots.first=2024-04-02"]).snapshots
    with pytest.raises(BadInput, match="no month starts between 2024-04-02, where snapshots begin, and 2") as refused:
        month_starts(checked(rows), settings)
    assert TABLES_STORED in str(refused.value)
