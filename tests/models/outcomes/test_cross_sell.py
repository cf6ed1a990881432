import numpy as np
import pandas as pd
import pytest

from models.hazards.at_risk import at_risk
from models.outcomes.cross_sell import PRIOR_EXPANSIONS, cross_sold, fit_shares, share_of
from models.outcomes.outcome import OutcomeModel

pytestmark = pytest.mark.usefixtures("costly")

NAN = np.nan
MIN_CHANGE = 0.001


def snapshots(*rows):
    """Snapshot rows from (account, as_of, products)."""
    frame = pd.DataFrame(rows, columns=["account_id", "as_of", "products"])
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]))


def a_month_later(*products):
    """An account each, with so many products, at one date."""
    return snapshots(*((f"a{n}", "2025-01-01", count) for n, count in enumerate(products)))


GREW = np.array([10.0, 12.0])


@pytest.mark.parametrize(
    ("arr", "streams", "sold"),
    [
        ([10, 12], [1, 2], 1),
        ([10, 12], [1, 1], 0),
        ([10, 12], [2, 1], 0),
        ([10, 10], [1, 2], 0),
        ([10, 8], [1, 2], 0),
        ([10, 10.005], [1, 2], 0),
        ([10, 0], [1, 0], 0),
        ([10, 12], [NAN, 2], NAN),
        ([10, 12], [1, NAN], NAN),
        ([10, 10], [NAN, NAN], NAN),
    ],
)
def test_a_cross_sell_is_growth_with_more_streams(arr, streams, sold):
    rows = at_risk(a_month_later(1), np.array([arr], dtype=float))
    np.testing.assert_array_equal(cross_sold(rows, np.array([streams]), MIN_CHANGE), [sold])


def test_only_months_at_risk_are_told():
    rows = at_risk(a_month_later(1), np.array([[10.0, 12.0, 0.0, 5.0]]))
    assert cross_sold(rows, np.array([[1.0, 2.0, 0.0, 1.0]]), MIN_CHANGE).tolist() == [1, 0]


def test_shares_are_drawn_towards_the_portfolio_s():
    """Of 6 expansions 3 are cross-sells: 1 of 3 by accounts with one product, 2 of 2 with two, 0 of 1 with five."""
    frame = a_month_later(1, 1, 1, 2, 2, 5)
    streams = np.array([[1, 2], [1, 1], [1, 1], [2, 3], [2, 3], [5, 5]], dtype=float)
    shares = fit_shares(at_risk(frame, np.tile(GREW, (6, 1))), frame, streams, MIN_CHANGE)
    assert PRIOR_EXPANSIONS == 20
    np.testing.assert_allclose(shares, [3.5 / 7, (1 + 10) / 23, (2 + 10) / 22, 10 / 21])


def test_many_expansions_outweigh_the_portfolio():
    frame = a_month_later(*[1] * 400, *[2] * 400)
    streams = np.array([[1, 1]] * 400 + [[2, 3]] * 400, dtype=float)
    shares = fit_shares(at_risk(frame, np.tile(GREW, (800, 1))), frame, streams, MIN_CHANGE)
    np.testing.assert_allclose(shares, [0.5, 10 / 420, 410 / 420, 0.5])


def test_an_account_and_month_counts_once_however_many_snapshots_speak_of_it():
    """January's cross-sell of `a` is told by three snapshots, February's upsell of `b` by one."""
    frame = snapshots(("a", "2024-11-01", 1), ("a", "2024-12-01", 1), ("a", "2025-01-01", 2), ("b", "2025-01-01", 1))
    paths = np.array([[10, 10, 10, 12], [10, 10, 12, NAN], [10, 12, NAN, NAN], [10, 10, 12, NAN]])
    streams = np.array([[1, 1, 1, 2], [1, 1, 2, NAN], [1, 2, NAN, NAN], [1, 1, 1, NAN]])
    shares = fit_shares(at_risk(frame, paths), frame, streams, MIN_CHANGE)
    two_thirds, one_third = (2 / 3 + 10) / (1 + 2 / 3 + 20), (1 / 3 + 10) / (1 / 3 + 20)
    np.testing.assert_allclose(shares, [1.5 / 3, two_thirds, one_third, 0.5])


@pytest.mark.parametrize(("paths", "streams"), [(GREW, [NAN, NAN]), ([10.0, 10.0], [1.0, 2.0])])
def test_where_no_expansion_is_told_there_are_no_shares(paths, streams):
    frame = a_month_later(1)
    assert fit_shares(at_risk(frame, np.array([paths])), frame, np.array([streams]), MIN_CHANGE) is None
    np.testing.assert_array_equal(share_of(None, frame), [NAN])


@pytest.mark.parametrize(
    ("products", "share"), [(0, 0.1), (NAN, 0.1), (1, 0.2), (2, 0.3), (3, 0.4), (17, 0.4), (-1, 0.1), (None, 0.1)]
)
def test_an_account_has_the_share_of_its_number_of_products(products, share):
    assert share_of(np.array([0.1, 0.2, 0.3, 0.4]), a_month_later(products)).tolist() == [share]


def test_without_products_all_have_the_portfolio_s_share():
    frame = a_month_later(1, 2).drop(columns="products")
    streams = np.array([[1.0, 2.0], [1.0, 1.0]])
    shares = fit_shares(at_risk(frame, np.tile(GREW, (2, 1))), frame, streams, MIN_CHANGE)
    np.testing.assert_allclose(share_of(shares, frame), [0.5, 0.5])


def newest(world):
    return world.frame[world.frame["as_of"] == world.frame["as_of"].max()].reset_index(drop=True)


def test_the_chance_of_a_cross_sell_is_part_of_that_of_an_expansion(fitted, world):
    prediction = fitted.predict(newest(world))
    cross, expansion = prediction.cross_sell_probability(), prediction.event_probability("expansion")
    assert ((cross > 0) & (cross <= expansion)).all()
    assert (np.diff(cross, axis=1) >= 0).all()
    share, products = cross / expansion, newest(world)["products"].to_numpy()
    assert share[products == 2].min() > 0.5 > 1 / 3 > share[products == 1].max(), "only who has two was cross-sold to"


def test_a_model_of_paths_alone_tells_no_cross_sells(world, inputs, settings):
    model = OutcomeModel(inputs, settings(trees=10)).fit(world.frame, world.paths)
    again = OutcomeModel.from_files(model.to_files())
    for one in (model, again):
        prediction = one.predict(newest(world))
        assert np.isnan(prediction.cross_sell_probability()).all()
        assert not np.isnan(prediction.event_probability("expansion")).any()
