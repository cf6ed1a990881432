import numpy as np
import pytest

from models.outcomes.amounts import ChangePools, Changes

pytestmark = pytest.mark.usefixtures("costly")

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
    index = pools.of(np.array([50.0]), np.array([[True]])).index[0, 0, 1]
    assert pools.pools_[index].mean() == pytest.approx(np.minimum(factor, 5).mean())


def test_sizes_and_renewals_have_their_own_pools_where_enough_was_seen():
    arr = np.arange(1.0, 301)
    before = np.r_[np.full(40, 50.0), np.full(40, 250.0), np.full(5, 250.0)]
    factor = np.r_[np.full(40, 2.0), np.full(40, 1.1), np.full(5, 1.5)]
    renewal = np.r_[np.ones(80, bool), np.zeros(5, bool)]
    pools = ChangePools().fit(arr, {"expansion": expansions(before, factor, renewal), "contraction": NOTHING})
    chosen = pools.of(np.array([50.0, 250.0]), np.array([[True, False], [True, False]])).index[:, :, 1]
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


def test_the_error_of_a_mean_change_is_known():
    factor = np.tile([1.1, 1.3], 50)
    seen = {"expansion": expansions([2.0] * 100, factor, [True] * 100), "contraction": NOTHING}
    pools = ChangePools().fit(np.arange(1.0, 4.0), seen)
    assert pools.errors_[1] == pytest.approx(factor.std(ddof=1) / 10 / 0.2)
    assert pools.errors_[0] == 0.5, "nothing was seen of contraction"
