"""When a model is to be trained again."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from params import Params
from training import retraining
from training.retraining import Schedule, due, settings_to_train

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


@pytest.mark.parametrize(
    ("learned", "day", "months", "should_tune"),
    [
        ([OCTOBER, date(2025, 11, 20)], JANUARY, 3, True),  # trained out of turn, and wrong again
        ([OCTOBER, date(2025, 11, 20)], date(2025, 12, 10), 3, False),  # left alone for a month
        ([OCTOBER, date(2025, 11, 20)], date(2026, 5, 20), 3, False),  # too long ago to be of one piece
        ([OCTOBER, JANUARY], date(2026, 3, 1), 3, False),  # trained by schedule
        ([OCTOBER, date(2025, 11, 20)], JANUARY, 0, True),
        ([OCTOBER, OCTOBER], JANUARY, 3, False),  # two models of one day are one training
        ([OCTOBER], JANUARY, 3, False),
    ],
)
def test_settings_are_searched_where_a_training_on_an_alarm_did_not_help(
    learned: list[date], day: date, months: int, should_tune: bool
) -> None:
    schedule = due(learned, day, months, "slope")
    assert schedule.should_tune == should_tune
    assert ("settings are searched too" in schedule.reason) == should_tune


def test_a_night_trains_with_tuning_where_it_is_due_or_the_champion_was_tuned(
    changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = Params.model_validate(changed())
    plain, tuned = SimpleNamespace(settings={}), SimpleNamespace(settings={"tune": {"enabled": True}})
    for champion, should_tune, expected in (
        (None, False, False), (None, True, True), (plain, False, False), (plain, True, True), (tuned, False, True),
    ):  # fmt: skip
        monkeypatch.setattr(retraining, "incumbent", lambda params, champion=champion: champion)
        settings = settings_to_train(params, Schedule(True, "", should_tune))
        assert settings.tune.enabled is expected
        assert settings.model_copy(update={"tune": params.tune}) == params
