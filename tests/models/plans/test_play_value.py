"""The value of a play against the same sums written out month by month."""

import numpy as np
import pytest

from models.outcomes.shared_luck import LuckState, SharedLuck
from models.plans.play_value import PlaySize, PlayValues

MONTHS = 12


def shifted(hazard, logit):
    odds = hazard / (1 - hazard) * np.exp(logit)
    return odds / (1 + odds)


@pytest.mark.parametrize("months", [1, 6, 12])
def test_value_is_arr_times_what_the_chance_of_leaving_loses(predict, months):
    churn, arr = [0.01, 0.05, 0.3], [1e5, 2e4, 7e6]
    value = PlayValues(predict(churn, arr), horizon_months=months, decay=0.9).of(PlaySize(-0.4))
    for account, (hazard, money) in enumerate(zip(churn, arr, strict=True)):
        before = 1 - (1 - hazard) ** months
        after = 1 - np.prod([1 - shifted(hazard, -0.4 * 0.9**month) for month in range(months)])
        assert value.churned_arr_saved[account] == pytest.approx(money * (before - after), rel=1e-4)
        assert value.expansion_arr[account] == 0.0


def test_the_part_of_expansion_is_what_growth_adds_to_those_who_stay(predict):
    value = PlayValues(predict([0.04], [1e5], 0.02, 0.03), horizon_months=MONTHS, decay=0.9).of(PlaySize(-0.3, 0.5))
    grown = {}
    for name, up in (("churn alone", 0.0), ("both", 0.5)):
        factors = [
            1 - shifted(0.04, -0.3 * 0.9**m) - 0.02 * 0.5 + shifted(0.03, up * 0.9**m) * 0.2 for m in range(MONTHS)
        ]
        grown[name] = 1e5 * np.prod(factors)
    assert value.expansion_arr[0] == pytest.approx(grown["both"] - grown["churn alone"], rel=1e-3)
    assert value.arr_saved[0] == pytest.approx(value.churned_arr_saved[0] + value.expansion_arr[0])


def test_what_is_certain_no_play_moves(predict):
    values = PlayValues(predict([0.0, 1.0, 0.2], [100.0] * 3), horizon_months=MONTHS, decay=0.9)
    saved = values.of(PlaySize(-1.0)).arr_saved
    assert saved[:2].tolist() == [0.0, 0.0]
    assert saved[2] > 0


def test_a_play_of_no_size_is_worth_nothing_and_a_harmful_one_less(predict):
    values = PlayValues(predict([0.03], [100.0]), horizon_months=MONTHS, decay=0.9)
    assert values.of(PlaySize(0.0)).arr_saved[0] == 0.0
    assert values.of(PlaySize(0.2)).arr_saved[0] < 0 < values.of(PlaySize(-0.2)).arr_saved[0]


def test_the_luck_that_is_expected_counts(predict):
    luck = SharedLuck((LuckState((0.8, 0, 0, 0, 0, 0), tuple(map(tuple, np.zeros((6, 6)))), (0,) * 3, (0,) * 3, 0.0),))
    lucky, plain = (
        PlayValues(predict([0.02], [100.0], luck=one), horizon_months=1, decay=0.9).gone[0] for one in (luck, None)
    )
    assert lucky == pytest.approx(shifted(plain, 0.8), rel=1e-5)
