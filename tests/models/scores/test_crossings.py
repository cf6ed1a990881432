"""When an alert is due, step by step against a slow loop, and what rules are worth by hand."""

import time

import numpy as np
import pytest

from models.scores.alert_replay import BETTER, NO_BETTER, TOO_FEW, aftermath, replay_row
from models.scores.crossings import Crossing, replay
from params import SettingsError, load

NAN = float("nan")


def fired(values: list[float], rule: Crossing, *, days: int = 30, fits: list[bool] | None = None) -> list[int]:
    """At which scorings one account is told of; None is a date on which it was not there."""
    column = np.array([[NAN if value is None else value] for value in values])
    present = np.array([[value is not None] for value in values])
    suits = np.ones(column.shape, dtype=bool) if fits is None else np.array(fits)[:, None]
    return np.flatnonzero(replay(column, present, suits, [days * n for n in range(len(values))], rule)).tolist()


UP = Crossing(rises=True, enter=0.35, leave=0.25, hold_days=0, cooldown_days=0)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.1, 0.4, 0.5], [1]),
        ([0.4, 0.5], []),  # seen first across: it has not crossed
        ([0.1, 0.35], [1]),  # the threshold itself is across
        ([0.1, 0.4, 0.3, 0.4], [1]),  # between the two it stays as it was
        ([0.1, 0.4, 0.25, 0.4], [1]),  # nor has it come back at the lower one
        ([0.1, 0.4, 0.24, 0.4], [1, 3]),
        ([0.1, 0.4, NAN, 0.4], [1]),  # what is not known changes nothing
        ([NAN, 0.4], [1]),
        ([0.1, None, 0.4], [2]),
        ([None, 0.4, 0.1, 0.4], [3]),
    ],
)
def test_a_rule_tells_of_a_crossing_and_not_again_before_it_has_come_back(values: list[float], told: list[int]) -> None:
    assert fired(values, UP) == told


def test_a_rule_downwards_is_the_mirror() -> None:
    down = Crossing(rises=False, enter=0.5, leave=0.8, hold_days=0, cooldown_days=0)
    assert fired([1.0, 0.5, 0.7, 0.4, 0.9, 0.5], down) == [1, 5]


def test_what_must_hold_is_told_of_at_the_second_scoring_at_least_so_many_days_later() -> None:
    held = Crossing(rises=True, enter=0.35, leave=0.25, hold_days=7, cooldown_days=0)
    assert fired([0.1, 0.4, 0.4], held) == [2]
    assert fired([0.1, 0.4, 0.3, 0.4, 0.4], held) == [4], "one below the threshold begins anew"
    assert fired([0.1, *[0.4] * 9], held, days=1) == [8], "seven days after the first"


def test_nothing_is_told_of_again_within_the_cooldown_and_then_it_is() -> None:
    rested = Crossing(rises=True, enter=0.35, leave=0.25, hold_days=0, cooldown_days=30)
    assert fired([0.1, 0.4, 0.1, 0.4, 0.4, 0.4, 0.4], rested, days=10) == [1, 4]


def test_an_account_that_the_rule_is_not_for_any_more_has_come_back() -> None:
    assert fired([0.1, 0.4, 0.4, 0.4], UP, fits=[True, True, False, True]) == [1, 3]


def slow(values: np.ndarray, rule: Crossing, days: list[int]) -> list[tuple[int, int]]:
    """The same account by account, in plain Python."""
    told = []
    for account in range(values.shape[1]):
        inside: bool | None = None
        since = last = None
        for place, day in enumerate(days):
            value = values[place, account]
            across = value >= rule.enter
            if inside is None:
                inside = bool(across)
                continue
            if inside:
                inside = not value < rule.leave
                continue
            since = (day if since is None else since) if across else None
            if across and day - since >= rule.hold_days and (last is None or day - last >= rule.cooldown_days):
                told.append((place, account))
                inside, since, last = True, None, day
    return sorted(told)


@pytest.mark.parametrize("seed", range(5))
def test_many_accounts_at_once_are_told_of_as_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((24, 80)) < 0.1, NAN, rng.random((24, 80)))
    days = np.cumsum(rng.integers(1, 30, 24)).tolist()
    rule = Crossing(rises=True, enter=0.7, leave=0.4, hold_days=int(rng.integers(0, 20)), cooldown_days=45)
    everyone = np.ones(values.shape, dtype=bool)
    found = replay(values, everyone, everyone, days, rule)
    assert [tuple(pair) for pair in np.argwhere(found)] == slow(values, rule, days)


def test_ten_thousand_accounts_two_years_and_ten_rules_take_seconds() -> None:
    rng = np.random.default_rng(1)
    values, everyone = rng.random((24, 10_000)), np.ones((24, 10_000), dtype=bool)
    paths = np.where(rng.random((24, 10_000, 7)) < 0.02, 0.0, 100.0)
    start = time.process_time()
    after = aftermath(paths, loses=True, min_change=0.001)
    for enter in np.linspace(0.5, 0.95, 10):
        told = replay(values, everyone, everyone, list(range(0, 720, 30)), Crossing(True, enter, 0.4, 7, 30))
        replay_row(told, everyone, after, values)
    assert time.process_time() - start < 20


def test_a_rule_is_worth_what_came_true_how_early_and_what_it_missed() -> None:
    """Three accounts of two dates: the first leaves in month 2, the second shrinks in month 5, the third stays."""
    paths = np.full((2, 3, 7), 100.0)
    paths[0, 0, 2:], paths[1, 0, 1:], paths[0, 1, 5:], paths[1, 1, 4:] = 0, 0, 60, 60
    told, present = np.array([[True, False, True], [False, False, False]]), np.ones((2, 3), dtype=bool)
    after = aftermath(paths, loses=True, min_change=0.001)
    ranking = np.array([[0.9, 0.8, 0.1], [NAN, NAN, NAN]])
    row = replay_row(told, present, after, ranking)
    assert (row["fired"], row["judged"], row["true"], row["true_90"]) == (2, 2, 1, 1)
    assert row["precision"] == 0.5
    assert row["random_precision"] == pytest.approx(2 / 3)
    assert row["by_probability_precision"] == 1.0
    assert row["lead_days"] == pytest.approx(2 * 365.25 / 12)
    assert (row["moved_arr"], row["missed_arr"]) == (100, 0), "the one that left was told of in the half year before"
    assert row["verdict"] == TOO_FEW
    nobody = replay_row(np.zeros((2, 3), dtype=bool), present, after, ranking)
    assert (nobody["precision"], nobody["lead_days"], nobody["missed_arr"]) == (None, None, 100)


def test_what_is_not_known_yet_is_not_judged_and_a_gain_is_no_loss() -> None:
    paths = np.full((1, 2, 7), 100.0)
    paths[0, 0, 4:], paths[0, 1, 3:] = NAN, 150
    told = present = np.ones((1, 2), dtype=bool)
    lost = replay_row(told, present, aftermath(paths, loses=True, min_change=0.001), np.full((1, 2), NAN))
    won = replay_row(told, present, aftermath(paths, loses=False, min_change=0.001), np.full((1, 2), NAN))
    assert (lost["judged"], lost["true"], won["true"]) == (1, 0, 1)
    assert lost["by_probability_precision"] is None


def test_a_rule_that_is_right_no_more_often_than_chance_is_called_so() -> None:
    rng = np.random.default_rng(3)
    left = rng.random((1, 400)) < 0.2
    paths = np.where(left[:, :, None] & (np.arange(7) > 2), 0.0, 100.0)
    after, everyone = aftermath(paths, loses=True, min_change=0.001), np.ones((1, 400), dtype=bool)
    noise, signal = rng.random((1, 400)) < 0.25, left & (rng.random((1, 400)) < 0.5)
    ranking = np.full((1, 400), NAN)
    assert replay_row(noise, everyone, after, ranking)["verdict"] == NO_BETTER
    assert replay_row(signal, everyone, after, ranking)["verdict"] == BETTER


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("alerts.rules.usage_down.leave=0.4", r"leave 0\.4 must lie above at_most 0\.5, or it would flicker"),
        ("alerts.rules.churn_likely.leave=0.35", r"leave 0\.35 must lie below at_least 0\.35"),
        ("alerts.rules.churn_likely.at_most=0.1", "give at_least or at_most, one of them"),
        ("alerts.rules.churn_likely.at_least=null", "give at_least or at_most, one of them"),
        ("alerts.rules.churn_likely.playbook=save_plam", r"there is no playbook save_plam; did you mean save_plan\?"),
        ("alerts.rules.churn_likely.where=presigned", "cannot be read"),
        ("alerts.rules.churn_likely.at_leas=1", r"did you mean alerts\.rules\.churn_likely\.at_least\?"),
        ("alerts.playbooks.renewal=[]", "playbooks.renewal: .* at least 1 item"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(overrides=[override])


def test_each_playbook_has_three_to_six_steps_in_the_order_of_their_days() -> None:
    alerts = load().alerts
    for name, steps in alerts.playbooks.items():
        assert 3 <= len(steps) <= 6, name
        assert [step.due_days for step in steps] == sorted(step.due_days for step in steps), name
    assert {rule.playbook for rule in alerts.rules.values()} == set(alerts.playbooks)
    assert {rule.kind for rule in alerts.rules.values()} == {"risk", "opportunity"}
