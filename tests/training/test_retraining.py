"""When a model is to be trained again."""

from datetime import date

import pytest

from training.retraining import due

OCTOBER, JANUARY = date(2025, 10, 1), date(2026, 1, 1)


@pytest.mark.parametrize(
    ("learned", "day", "months", "is_due", "reason"),
    [
        ([], JANUARY, 3, True, "no model has learned as of 2026-01-01 or before"),
        ([], JANUARY, 0, True, "no model has learned"),
        ([OCTOBER], date(2025, 12, 31), 3, False, "the next is due from 2026-01-01"),
        ([OCTOBER], JANUARY, 3, True, "learned as of 2025-10-01, 3 months or more before"),
        ([JANUARY, OCTOBER], JANUARY, 3, False, "learned as of 2026-01-01"),
        ([OCTOBER], JANUARY, 0, False, "promotion.retrain_months is 0"),
        ([JANUARY], OCTOBER, 3, True, "no model has learned as of 2025-10-01 or before"),  # a past night, run again
        ([date(2025, 11, 30)], date(2026, 2, 28), 3, True, "3 months or more"),
    ],
)
def test_a_model_is_due_once_the_newest_is_old_enough(
    learned: list[date], day: date, months: int, is_due: bool, reason: str
) -> None:
    schedule = due(learned, day, months)
    assert schedule.is_due == is_due
    assert reason in schedule.reason


@pytest.mark.parametrize(
    ("day", "is_due", "reason"),
    [
        (
            date(2026, 1, 31),
            False,
            "slope; the newest model learned as of 2026-01-01 and is left alone until 2026-02-01",
        ),
        (date(2026, 2, 1), True, "the watch asks for it: slope"),
    ],
)
def test_an_alarm_trains_again_but_gives_a_new_model_a_month(day: date, is_due: bool, reason: str) -> None:
    schedule = due([OCTOBER, JANUARY], day, 0, "slope")
    assert (schedule.is_due, schedule.reason) == (is_due, reason)
