"""What a test was asked for and could not be had is said, with why."""

from typing import Any

import pytest

from training.backtest.untested import missing_origins, untested_horizons


@pytest.mark.parametrize(
    ("tested", "said"),
    [
        ({3, 6, 12}, []),
        (
            {3, 6},
            [
                "NOT TESTED 12 months ahead, for the history is too short: that takes 24 monthly snapshots (12 to "
                "learn from, model.min_months, and the months ahead), and there are 22. How good forecasts so far "
                "ahead are is not known."
            ],
        ),
    ],
)
def test_horizons_that_were_not_tested_are_named(tested: set[int], said: list[str], changed: Any) -> None:
    params = changed(backtest={"horizons": (3, 6, 12)}, model={"min_months": 12})
    assert untested_horizons(tested, 22, params) == said


def test_the_headed_horizon_is_named_where_nobody_asked_for_its_test(changed: Any) -> None:
    (line,) = untested_horizons({3}, 40, changed(backtest={"horizons": (3,)}))
    assert line.startswith("NOT TESTED 12 months ahead, which forecasts are headed by (model.horizon_months)")


def test_fewer_origins_than_asked_for_are_said(changed: Any) -> None:
    params = changed(backtest={"horizons": (3, 6, 12), "origins": 30, "every_months": 2}, model={"min_months": 12})
    assert missing_origins(30, 80, params) == []
    assert missing_origins(4, 22, params) == [
        "FEWER ORIGINS THAN ASKED FOR: 4 of 30 (backtest.origins). Of 22 monthly snapshots, 12 to learn from "
        "(model.min_months) and 3 months ahead leave room for 4, 2 months apart (backtest.every_months)."
    ]
