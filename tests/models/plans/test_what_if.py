"""Scenarios: the same futures, what is changed, and a difference that can be worked out."""

import numpy as np
import pytest

from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.rollup import roll_up
from models.paths.simulate import PathSettings
from models.plans import what_if
from models.plans.even_odds import fewest, over_represented, smallest_shift
from models.plans.futures import simulate_futures
from models.plans.what_if import CHURN, NEVER, Lever

pytestmark = pytest.mark.usefixtures("costly")
DRAWS = 2000
SETTINGS = PathSettings(draws=DRAWS, seed=5, min_change=0.001)
LUCK = SharedLuck((LuckState((0.0,) * 6, tuple(map(tuple, np.eye(6) * 0.01)), (0.3, 0.3, 0.3), (0.5,) * 3, 0.0),))


def futures(prediction, **options):
    return simulate_futures(prediction, SETTINGS, months=12, **options)


def test_figures_are_those_of_the_forecast_draw_by_draw(predict):
    prediction = predict([0.03] * 50, np.linspace(1, 50, 50), 0.02, 0.05, luck=LUCK)
    ours, theirs = futures(prediction), roll_up(prediction, SETTINGS, horizon_months=12)
    for metric in ("nrr", "logo_retention", "ending_arr", "churned_arr"):
        np.testing.assert_allclose(ours.draws[metric], theirs.draws[metric][0], atol=1e-6)
        np.testing.assert_allclose(ours.means[metric], theirs.means[metric][0], rtol=1e-6)


def test_a_lever_shifts_the_odds_of_its_accounts_in_its_months_by_its_strength(predict):
    prediction = predict([0.04, 0.04], [100.0, 100.0])
    shape = np.zeros((2, 12, 3))
    shape[0, :6, CHURN] = 1.0
    changed = what_if.with_levers(prediction, [Lever(shape, np.full(DRAWS, 0.7))])
    odds = 0.04 / 0.96 * np.exp(0.7)
    stays = (1 - odds / (1 + odds)) ** 6 * 0.96**6
    assert futures(changed).means["nrr"][-1] == pytest.approx((stays + 0.96**12) / 2, rel=1e-5)


def test_two_levers_add_up_and_the_order_of_accounts_does_not_matter(predict):
    prediction = predict([0.02, 0.05, 0.08], [3.0, 2.0, 1.0])
    levers = [Lever(np.full((3, 12, 3), 0.1), np.full(DRAWS, k)) for k in (1.0, 2.0)]
    both = what_if.with_levers(what_if.with_levers(prediction, levers[:1]), levers[1:])
    one = what_if.with_levers(prediction, [Lever(np.full((3, 12, 3), 0.3), np.ones(DRAWS))])
    np.testing.assert_allclose(futures(both).draws["nrr"], futures(one).draws["nrr"])
    turned = both.rows(np.array([2, 0, 1]))
    assert np.array_equal(futures(turned).draws["nrr"], futures(both).draws["nrr"])


def test_the_difference_is_narrower_than_what_differs(predict):
    prediction = predict([0.03] * 40, [10.0] * 40, luck=LUCK)
    lever = Lever(np.broadcast_to([-1.0, 0.0, 0.0], (40, 12, 3)), np.full(DRAWS, 0.2))
    base, better = futures(prediction), futures(what_if.with_levers(prediction, [lever]))
    difference, spread = better.less(base, "nrr", 12), base.summary("nrr", 12)
    assert 0 <= difference["p10"] < difference["mean"] < difference["p90"]
    assert difference["p90"] - difference["p10"] < (spread["p90"] - spread["p10"]) / 2
    assert (better.draws["nrr"] >= base.draws["nrr"]).all()  # the same dice: nobody leaves who stayed


def test_what_is_not_known_of_a_lever_widens_the_difference(predict):
    prediction = predict([0.03] * 40, [10.0] * 40)
    shape = np.broadcast_to([1.0, 0.0, 0.0], (40, 12, 3))
    strengths = [what_if.normal_strength("x", -0.3, sd, draws=DRAWS, seed=5) for sd in (0.0, 0.3)]
    sure, unsure = (futures(what_if.with_levers(prediction, [Lever(shape, one)])) for one in strengths)
    base = futures(prediction)
    widths = [one.less(base, "nrr", 12)["p90"] - one.less(base, "nrr", 12)["p10"] for one in (sure, unsure)]
    assert widths[1] > 1.3 * widths[0]


def test_strengths_are_what_they_are_said_to_be():
    drawn = what_if.normal_strength("effect", -0.2, 0.1, draws=20_000, seed=1)
    assert (drawn.mean(), drawn.std()) == (pytest.approx(-0.2, abs=0.005), pytest.approx(0.1, abs=0.003))
    spread = what_if.uniform_strength("elasticity", 1.0, 3.0, draws=20_000, seed=1)
    assert 1.0 <= spread.min() < 1.01 < 2.99 < spread.max() <= 3.0
    assert np.array_equal(drawn[:100], what_if.normal_strength("effect", -0.2, 0.1, draws=100, seed=1))


def test_something_done_twice_fades_from_either_time():
    shape = what_if.fading(5, np.array([1, NEVER]), 0.5)
    assert shape.tolist() == [[0.0, 1.0, 0.5, 0.25, 0.125], [0.0] * 5]


def test_a_price_comes_with_the_first_renewal_to_whoever_stays(predict):
    prediction = predict([0.0, 0.0], [100.0, 300.0], ends=[3, 20])
    growth = what_if.raised_at_renewal(prediction, np.array([0.1, 0.1]))
    assert growth[0].tolist() == [1.0] * 3 + [1.1] * 9
    assert growth[1].tolist() == [1.0] * 12
    raised = futures(prediction, growth=growth)
    assert raised.means["ending_arr"].tolist() == [400.0] * 3 + [pytest.approx(410.0)] * 9
    assert raised.means["expanded_arr"][-1] == pytest.approx(10.0)
    assert what_if.first_renewal(prediction)[0].nonzero()[0].tolist() == [3, 4]  # the month and its grace


def test_accounts_that_are_forced_leave_in_their_month_or_stay(predict):
    prediction = predict([0.1, 0.1, 0.1], [100.0, 200.0, 400.0], ends=[2, 2, 2])
    fate = what_if.forced(prediction, np.array([4, NEVER, NEVER]), np.array([False, True, False]))
    kept = futures(fate, keep_ends=True)
    assert (kept.ends[0] == 0).all()
    assert (kept.ends[1] == 200).all()
    assert 0 < (kept.ends[2] == 0).mean() < 1
    first = futures(fate).draws["churned_arr"]
    assert (first[3] <= 400).all()
    assert (first[4] >= 100).all()


def test_the_smallest_shift_makes_the_odds_even():
    def reach(shift):
        return 1 / (1 + np.exp(-(shift - 0.8)))

    assert smallest_shift(reach, furthest=3.0, steps=20) == pytest.approx(0.8, abs=1e-4)
    assert smallest_shift(lambda shift: reach(shift + 2.0), furthest=3.0, steps=20) == pytest.approx(-1.2, abs=1e-4)
    assert smallest_shift(lambda shift: 0.1, furthest=3.0, steps=5) is None
    assert smallest_shift(lambda shift: 0.9, furthest=3.0, steps=5) is None


def test_the_fewest_that_suffice():
    assert fewest(lambda number: number / 10, 9) == 5
    assert fewest(lambda number: 0.4, 9) is None
    assert fewest(lambda number: 1.0, 9) == 0


def test_who_has_more_where_the_target_is_reached():
    ends = np.array([[0, 0, 10, 10], [5, 5, 5, 5]], dtype=np.float32)
    more, stays = over_represented(ends, np.array([False, False, True, False]))
    assert more.tolist() == [5.0, 0.0]
    assert stays.tolist() == [0.5, 0.0]
