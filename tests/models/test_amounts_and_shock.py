import numpy as np
import pytest
from scipy.special import expit, logit

from models.amounts import ChangePools, Changes
from models.shock import MonthlyShock, fit_shock

NOTHING = Changes(np.empty(0), np.empty(0), np.empty(0, bool))


def expansions(before, factor, renewal):
    return Changes(np.asarray(before, float), np.asarray(before) * factor, np.asarray(renewal))


def test_pools_keep_the_mean_of_what_was_seen():
    rng = np.random.default_rng(1)
    factor = 1 + rng.gamma(1.0, 0.2, 4000)
    pools = ChangePools().fit(
        np.arange(1.0, 301),
        {"expansion": expansions(np.full(4000, 50.0), factor, [True] * 4000), "contraction": NOTHING},
    )
    index = pools.choose(np.array([50.0]), np.array([[True]]))[0, 0, 1]
    assert pools.pools_[index].mean() == pytest.approx(np.minimum(factor, 5).mean())


def test_sizes_and_renewals_have_their_own_pools_where_enough_was_seen():
    arr = np.arange(1.0, 301)
    before = np.r_[np.full(40, 50.0), np.full(40, 250.0), np.full(5, 250.0)]
    factor = np.r_[np.full(40, 2.0), np.full(40, 1.1), np.full(5, 1.5)]
    renewal = np.r_[np.ones(80, bool), np.zeros(5, bool)]
    pools = ChangePools().fit(arr, {"expansion": expansions(before, factor, renewal), "contraction": NOTHING})
    chosen = pools.choose(np.array([50.0, 250.0]), np.array([[True, False], [True, False]]))[:, :, 1]
    means = np.array([pool.mean() for pool in pools.pools_])[chosen]
    common = factor.mean()
    np.testing.assert_allclose(means, [[2.0, common], [1.1, common]])


def test_nothing_seen_falls_back_to_a_quarter():
    pools = ChangePools().fit(np.array([1.0, 2.0, 3.0]), {"expansion": NOTHING, "contraction": NOTHING})
    np.testing.assert_allclose([pool.mean() for pool in pools.pools_], [0.75, 1.25])


def test_pools_survive_json():
    pools = ChangePools().fit(np.arange(9.0), {"expansion": expansions([2.0], 1.5, [True]), "contraction": NOTHING})
    again = ChangePools.from_dict(pools.to_dict())
    assert again.to_dict() == pools.to_dict()


def months_of_luck(shift, rows=2000, seed=5):
    rng = np.random.default_rng(seed)
    month = np.repeat(np.arange(len(shift)), rows)
    probability = expit(rng.normal(-3, 0.5, month.size))
    event = (rng.random(month.size) < expit(logit(probability) + shift[month])).astype(float)
    return probability, event, month


@pytest.mark.parametrize("sd", [0.0, 0.3, 0.6])
def test_the_spread_of_the_shared_shock_is_found(sd):
    shift = np.random.default_rng(4).normal(0, sd, 60)
    assert fit_shock(*months_of_luck(shift))[0] == pytest.approx(sd, abs=0.1)


@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_the_persistence_of_the_shared_shock_is_found(persistence):
    months = 400
    drawn = MonthlyShock((0.4,) * 3, (persistence,) * 3).draw(months, 1, np.random.default_rng(8))
    found = fit_shock(*months_of_luck(drawn[:, 0, 0], rows=500))
    assert found == pytest.approx((0.4, persistence), abs=0.12)


def test_one_month_says_nothing_about_the_spread_between_months():
    assert fit_shock(np.full(9, 0.1), np.zeros(9), np.zeros(9, int)) == (0.0, 0.0)


def test_a_shock_has_the_spread_persistence_and_common_level_it_says():
    shock = MonthlyShock((0.3, 0.0, 0.2), (0.5, 0.0, 0.0), (0.0, 0.1, 0.4))
    drawn = shock.draw(6, 40_000, np.random.default_rng(2))
    np.testing.assert_allclose(drawn.var(axis=(0, 2)), shock.variance, atol=0.01)
    assert np.corrcoef(drawn[2, 0], drawn[3, 0])[0, 1] == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(drawn[0, 1], drawn[5, 1])[0, 1] == pytest.approx(1.0), "nothing but the common level"
    assert np.corrcoef(drawn[0, 2], drawn[5, 2])[0, 1] == pytest.approx(0.16 / 0.2, abs=0.02)
