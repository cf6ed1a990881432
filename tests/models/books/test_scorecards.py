"""Books against their expectation: the level out, limits that hold, words that are rare without skill."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from models.books.scorecards import (
    ABOVE,
    AS_EXPECTED,
    BELOW,
    TOO_LITTLE,
    at_the_level_of_others,
    effective_n,
    scorecards,
    sd_of_quantiles,
)

BOOKS, ACCOUNTS, QUARTERS = 12, 40, 4


def test_a_bad_year_is_nobodys_fault() -> None:
    expected, slope = np.array([100.0, 200.0, 300.0]), np.array([-10.0, -20.0, -60.0])
    level = 0.7
    adjusted = at_the_level_of_others(expected, np.full(3, 5.0), slope, expected + slope * level)
    assert adjusted.expected == pytest.approx(expected + slope * level)


def test_a_book_has_no_say_in_its_own_bar() -> None:
    expected, sd, slope = np.array([100.0, 200.0, 300.0]), np.full(3, 5.0), np.array([-10.0, -20.0, -60.0])
    actual = np.array([90.0, 185.0, 280.0])
    worse = at_the_level_of_others(expected, sd, slope, actual - np.array([50.0, 0, 0]))
    assert at_the_level_of_others(expected, sd, slope, actual).expected[0] == worse.expected[0]


def test_by_hand_with_two_books() -> None:
    """The other book fell 10 short at a slope of -20: the level is 0.5, which costs the first 10 x 0.5."""
    adjusted = at_the_level_of_others(
        np.array([100.0, 200.0]), np.array([3.0, 4.0]), np.array([-10.0, -20.0]), np.array([100.0, 190.0])
    )
    assert adjusted.expected[0] == pytest.approx(95.0)
    assert adjusted.sd[0] == pytest.approx(np.sqrt(9 + 100 * 16 / 400))
    assert adjusted.expected[1] == pytest.approx(200.0), "the first came out as expected"


def test_one_book_alone_stays_as_it_was_forecast() -> None:
    adjusted = at_the_level_of_others(np.array([100.0]), np.array([3.0]), np.array([-10.0]), np.array([80.0]))
    assert (adjusted.expected[0], adjusted.sd[0]) == (100.0, 3.0)


@pytest.mark.parametrize(("arr", "count"), [([1.0, 1, 1, 1], 4.0), ([100.0], 1.0), ([3.0, 1], 1.6), ([], 0.0)])
def test_effective_n(arr: list[float], count: float) -> None:
    assert effective_n(np.array(arr)) == pytest.approx(count)


def test_sd_of_quantiles_is_that_of_a_bell() -> None:
    assert sd_of_quantiles(np.array([-1.2815515655]), np.array([1.2815515655])) == pytest.approx([1.0])


def period(number: int, person: str, *, expected: float, actual: float, **more: float) -> dict[str, object]:
    row = {"period": number, "person": person, "accounts": 20, "starting_arr": 100.0, "expected_arr": expected,
           "sd": 2.0, "slope": 0.0, "actual_arr": actual, "effective_n": 15.0, "largest_starting": 10.0,
           "largest_actual": 0.0}  # fmt: skip
    return row | more


def test_words_come_late_and_only_outside_the_range() -> None:
    rows = [period(number, "Ada", expected=95.0, actual=80.0) for number in range(3)]
    rows += [period(number, "Ben", expected=95.0, actual=95.5) for number in range(3)]
    rows += [period(number, "Cem", expected=95.0, actual=99.5) for number in range(3)]
    rows += [period(number, "New", expected=95.0, actual=80.0) for number in range(2)]
    rows += [period(number, "Few", expected=95.0, actual=80.0, effective_n=7.9) for number in range(3)]
    cards = scorecards(pd.DataFrame(rows)).set_index("person")
    assert cards["verdict"].to_dict() == {
        "Ada": BELOW, "Ben": AS_EXPECTED, "Cem": ABOVE, "New": TOO_LITTLE, "Few": TOO_LITTLE,
    }  # fmt: skip
    ada = cards.loc["Ada"]
    assert (ada["expected"], ada["actual"], ada["difference_points"]) == pytest.approx((0.95, 0.80, -15.0))
    half = 1.2815515655 * np.sqrt(3 * 4) / 300
    assert (ada["low"], ada["high"]) == pytest.approx((0.95 - half, 0.95 + half))
    assert ada["without_largest_points"] == pytest.approx(100 * (3 * 80 - 3 * 95 * 0.9) / 270)


def world(seed: int, skill_points: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Books of unequal accounts in a shared market, expected and actual; skill adds points of NRR a year."""
    rng = np.random.default_rng(seed)
    skill = rng.normal(0, skill_points / 100, BOOKS)
    hard = rng.normal(-3.2, 0.8, BOOKS)  # about 15 % of ARR lost a year, and between books sd over 8 points
    rows = []
    for quarter in range(QUARTERS):
        market = rng.normal(0, 0.3)
        for book in range(BOOKS):
            arr = np.exp(rng.normal(9, 1.0, ACCOUNTS))
            log_odds = hard[book] + rng.normal(0, 0.7, ACCOUNTS)
            chance = 1 / (1 + np.exp(-log_odds))
            came = 1 / (1 + np.exp(-(log_odds + market)))
            kept = arr * (rng.random(ACCOUNTS) >= came) + arr * skill[book] / QUARTERS
            largest = int(arr.argmax())
            rows.append(
                {
                    "period": quarter, "person": f"P{book:02d}", "accounts": ACCOUNTS, "starting_arr": arr.sum(),
                    "expected_arr": (arr * (1 - chance)).sum(), "slope": -(arr * chance * (1 - chance)).sum(),
                    "sd": np.sqrt((arr**2 * chance * (1 - chance)).sum()), "actual_arr": kept.sum(),
                    "effective_n": effective_n(arr), "largest_starting": arr[largest],
                    "largest_actual": kept[largest],
                }
            )  # fmt: skip
    return pd.DataFrame(rows), skill


def test_it_ranks_skill_better_than_raw_nrr() -> None:
    """Ninety worlds, skill with a standard deviation of 4 points a year, books whose expected NRR differ widely.

    In thirty of them luck decides: the same comparison gave t from 0.7 to 4 in four times thirty.
    """
    gains = []
    for seed in range(90):
        rows, skill = world(seed, 4.0)
        cards = scorecards(rows)
        raw = spearmanr(cards["actual"], skill).statistic
        gains.append(spearmanr(cards["beyond_luck_points"], skill).statistic - raw)
    assert np.mean(gains) / (np.std(gains, ddof=1) / np.sqrt(len(gains))) > 2


def test_without_skill_the_range_holds_what_it_says_and_words_are_rare() -> None:
    cards = pd.concat([scorecards(world(seed, 0.0)[0]) for seed in range(100, 140)])
    inside = ((cards["actual"] >= cards["low"]) & (cards["actual"] <= cards["high"])).mean()
    assert 0.75 <= inside <= 0.85
    assert (cards["verdict"] == AS_EXPECTED).mean() > 0.7
