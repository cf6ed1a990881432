"""One day, two days."""

import pytest

from models.words import counted, format_value, of_one


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (1, "day", "", "1 day"),
        (0, "day", "", "0 days"),
        (2, "day", "", "2 days"),
        (1234, "account", "", "1,234 accounts"),
        (1, "window of its own", "windows of their own", "1 window of its own"),
        (2, "window of its own", "windows of their own", "2 windows of their own"),
    ],
)
def test_a_count_and_its_noun_agree(number: int, noun: str, plural: str, text: str) -> None:
    assert counted(number, noun, plural) == text


@pytest.mark.parametrize(
    ("rest", "one"),
    [
        (" active users in the last 28 days", " active user in the last 28 days"),
        (" tickets are open", " ticket is open"),
        (" users went quiet in the last 28 days", " user went quiet in the last 28 days"),
        (" trainings and webinars in the last 180 days", " training or webinar in the last 180 days"),
        (
            " self-help and referral contacts in the last 180 days",
            " self-help and referral contact in the last 180 days",
        ),
        (" pairs of people connect the two sides", " pair of people connects the two sides"),
        (" of the customer's people are known", " of the customer's people is known"),
        (" uses per seat paid for", " use per seat paid for"),
        (" times so far", " time so far"),
        (" times the use of the 90 days before", " times the use of the 90 days before"),
        (" CSM actions in the last 28 days", " CSM action in the last 28 days"),
        (" of the last 90 days", " of the last 90 days"),
        ("", ""),
    ],
)
def test_what_follows_a_value_of_one_agrees_with_it(rest: str, one: str) -> None:
    assert of_one(rest) == one


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.0, "users", "3"),
        (1234.0, "events", "1,234"),
        (12.345, "hours", "12.3"),
        (0.4567, "ratio", "0.46"),
        (-0.001, "points", "0"),
        (-2.0, "points", "-2"),
        (0.5, "share", "50%"),
        (0.0042, "share", "0.42%"),
        (-0.125, "share", "-12.5%"),
        (12345.6, "money a year", "EUR 12,346"),
        (1.0, "0/1", "yes"),
        (0.0, "0/1", "no"),
        (100.0, "days", "100"),
    ],
)
def test_numbers_are_formatted_by_their_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit, "EUR") == text


def test_money_without_a_currency() -> None:
    assert format_value(5.0, "money a year") == "5"
