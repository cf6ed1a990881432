"""Trials that withhold recommendations: lots that stay, and intervals that hold the truth."""

import numpy as np
import pytest
from scipy.special import expit

from models.effects.holdout import as_log_odds, detectable_difference, join, lots, trial_effect

ACCOUNTS = [f"A-{number:05d}" for number in range(5000)]


def test_lots_stay_when_accounts_come_and_go_and_in_any_order() -> None:
    everyone = dict(zip(ACCOUNTS, lots(ACCOUNTS, "salt"), strict=True))
    some = ACCOUNTS[4000:10:-7]
    assert [everyone[account] for account in some] == lots(some, "salt").tolist()


def test_lots_are_even_and_those_of_another_salt_have_nothing_to_do_with_them() -> None:
    ours, theirs = lots(ACCOUNTS, "salt"), lots(ACCOUNTS, "pepper")
    counts = np.histogram(ours, bins=10, range=(0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 27.9  # chi-square of 9: exceeded in 1 of 1,000
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.05
    assert (ours >= 0).all()
    assert (ours < 1).all()


def test_a_lot_is_what_it_was_in_earlier_versions() -> None:
    assert lots(["A-1", "Zürich"], "salt").round(9).tolist() == [LOT_ONE, LOT_TWO]


LOT_ONE, LOT_TWO = 0.486615878, 0.488111212


def a_trial(rng: np.random.Generator, effect: float, accounts: int = 3000) -> tuple[np.ndarray, ...]:
    """A trial whose CSMs do the play more for who is at risk, in both arms: a third on their own, half if offered."""
    risk = rng.uniform(0.05, 0.35, accounts)
    withheld = rng.random(accounts) < 0.3
    wish = rng.random(accounts) < 0.4 + risk
    done = wish & (~withheld | (rng.random(accounts) < 0.3))
    left = rng.random(accounts) < risk + effect * done
    return left, done, withheld


def test_the_interval_of_the_effect_on_those_who_take_it_up_holds_the_truth() -> None:
    rng = np.random.default_rng(7)
    results = [trial_effect(*a_trial(rng, -0.05)) for _ in range(300)]
    inside = [low <= -0.05 <= high for low, high in (result.interval or (0, 0) for result in results)]
    assert 0.91 <= np.mean(inside) <= 0.985
    assert np.mean([result.effect for result in results]) == pytest.approx(-0.05, abs=0.01)


def test_what_it_can_show_is_shown_in_four_of_five_trials() -> None:
    rng, size = np.random.default_rng(8), 3000
    take_up = trial_effect(*a_trial(rng, 0.0, 200_000)).take_up or 0.0
    effect = detectable_difference(0.3, size, 0.2, take_up)
    shown = [trial_effect(*a_trial(rng, effect, size)).interval for _ in range(300)]
    assert np.mean([interval is not None and interval[0] > 0 for interval in shown]) == pytest.approx(0.8, abs=0.08)


def test_a_trial_that_changed_nothing_of_what_was_done_tells_no_effect() -> None:
    rng = np.random.default_rng(9)
    left, done, withheld = a_trial(rng, -0.1)
    result = trial_effect(left, rng.random(len(left)) < 0.5, withheld)
    assert result.effect is None
    assert "hardly changed" in result.reason
    assert result.intention is not None
    assert trial_effect(left[:15], done[:15], withheld[:15]).reason.startswith("fewer than 10 accounts")


@pytest.mark.parametrize("shift", [-0.8, -0.1, 0.0, 0.4])
def test_a_difference_goes_back_to_the_shift_that_makes_it(shift: float) -> None:
    monthly, months, decay = 0.03, 6, 0.9
    without = 1 - (1 - monthly) ** months
    shifted = expit(np.log(monthly / (1 - monthly)) + shift * decay ** np.arange(months))
    difference = 1 - np.prod(1 - shifted) - without
    back = as_log_odds(difference, 0.01, without, months, decay)
    assert back is not None
    assert back[0] == pytest.approx(shift, abs=1e-8)
    assert back[1] > 0


def test_no_shift_takes_more_than_leave() -> None:
    assert as_log_odds(-0.3, 0.01, 0.2, 6, 0.9) is None
    assert as_log_odds(-0.1, 0.01, 0.0, 6, 0.9) is None


def test_trial_and_study_are_joined_by_precision_with_the_study_s_allowance() -> None:
    joined = join((-0.4, 0.1), (-0.2, 0.0), 0.1)
    assert (joined.shift, joined.weight_of_trial) == (pytest.approx(-0.3), pytest.approx(0.5))
    assert joined.se == pytest.approx(0.1 / np.sqrt(2))
    surer = join((-0.4, 0.1), (-0.3, 0.01), 0.0)
    assert surer.weight_of_trial == pytest.approx(1 / 101)


def test_what_contradicts_itself_is_not_joined() -> None:
    apart = join((0.5, 0.1), (-0.2, 0.05), 0.1)
    assert apart.shift is None
    assert apart.interval is None
    assert apart.apart > 2
    assert apart.p_value < 0.05


def test_the_joined_interval_holds_the_truth_where_the_study_is_off_by_its_allowance() -> None:
    rng, truth, inside, total = np.random.default_rng(10), -0.3, 0, 0
    for _ in range(500):
        bias = rng.uniform(-0.1, 0.1)
        joined = join((truth + 0.12 * rng.normal(), 0.12), (truth + bias + 0.05 * rng.normal(), 0.05), 0.1)
        if joined.interval is not None:
            inside += joined.interval[0] <= truth <= joined.interval[1]
            total += 1
    assert total > 450
    assert inside / total > 0.95
