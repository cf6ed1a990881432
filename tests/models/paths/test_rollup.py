import numpy as np
import pandas as pd
import pytest

from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.rollup import Trailing, roll_up
from models.paths.simulate import PathSettings, account_paths, expected_arr, simulate_paths

pytestmark = pytest.mark.usefixtures("costly")

FIRST_MONTH = 12 * 2026 + 1
ZERO = (0.0, 0.0, 0.0)
DOWN, UP = np.array([0.5, 0.7]), np.array([1.2, 1.4])


def luck(sd, persistence=ZERO, level_sd=ZERO, correlation=0.0):
    """Shared luck around 0, as wide in the first month ahead as in the long run."""
    now = np.diag(np.square([*level_sd, *sd]))
    return SharedLuck((LuckState((0.0,) * 6, tuple(map(tuple, now)), sd, persistence, correlation),))


def predict(accounts, churn=0.0, contraction=0.0, expansion=0.0, months=4, arr=100.0, shared=None, estimation=None):
    hazards = np.broadcast_to([churn, contraction, expansion], (accounts, months, 3)).astype(float)
    index = np.broadcast_to([0, 1], (accounts, months, 2))
    return Prediction(
        account=streams(f"a{number}" for number in range(accounts)),
        first_month=FIRST_MONTH,
        arr=np.full(accounts, arr),
        size=np.ones(accounts),
        hazards=hazards,
        pool_index=index,
        pools=(DOWN, UP),
        pool_names=("down", "up"),
        luck=shared or SharedLuck(),
        gap_months=0,
        estimation=estimation or Estimation.none(2),
        cross_sell_share=np.full(accounts, 0.5),
    )


def settings(draws=4000, seed=1):
    return PathSettings(draws=draws, seed=seed, min_change=0.001)


def metric(rolled, name, group=0):
    return rolled.draws[name][group]


def test_independent_churn_is_binomial():
    rolled = roll_up(predict(200, churn=0.02), settings(), horizon_months=4)
    stays = 0.98 ** np.arange(1, 5)
    nrr = metric(rolled, "nrr")
    np.testing.assert_allclose(nrr.mean(axis=1), stays, atol=0.001)
    np.testing.assert_allclose(nrr.std(axis=1), np.sqrt(stays * (1 - stays) / 200), rtol=0.05)


def test_shared_luck_widens_the_interval():
    """Variance of the sum = own luck / n + what is shared: p (1 - p) sd squared, for a small shift of the logit."""
    shaken_world = predict(2000, churn=0.1, months=1, shared=luck((0.3, 0.0, 0.0)))
    calm = roll_up(shaken_world.independent(), settings(), horizon_months=1).draws["nrr"][0, 0]
    shaken = roll_up(shaken_world, settings(), horizon_months=1).draws["nrr"][0, 0]
    assert shaken.mean() == pytest.approx(calm.mean(), abs=0.005)
    assert shaken.std() == pytest.approx(np.hypot(calm.std(), 0.09 * 0.3), rel=0.1)
    assert shaken.std() > 3 * calm.std()


def test_expected_arr_is_the_mean_of_the_draws():
    prediction = predict(300, churn=0.03, contraction=0.05, expansion=0.1)
    drawn = np.concatenate([paths.arr.mean(axis=2) for paths in simulate_paths(prediction, settings())])
    factor = 1 - 0.03 + 0.05 * (0.6 - 1) + 0.1 * (1.3 - 1)
    np.testing.assert_allclose(expected_arr(prediction)[0], 100 * factor ** np.arange(1, 5))
    np.testing.assert_allclose(drawn.mean(axis=0), expected_arr(prediction)[0], rtol=0.003)


@pytest.mark.parametrize("threads", [1, 2])
def test_accounts_by_themselves_are_those_of_the_roll_up(threads):
    prediction = predict(300, churn=0.03, contraction=0.05, expansion=0.1)
    alone = account_paths(prediction, settings(), horizon_months=3, threads=threads)
    rolled = roll_up(prediction, settings(), horizon_months=3).accounts
    for name, values in vars(rolled).items():
        np.testing.assert_array_equal(getattr(alone, name), values)


def test_no_accounts_have_no_paths():
    assert account_paths(predict(0), settings(), horizon_months=3).expected_arr.shape == (0, 3)


def test_accounts_and_portfolio_tell_the_same_under_persistent_shared_luck():
    """The mean over shared luck of a product of months is not the product of the months' means."""
    shared = luck((0.6, 0.2, 0.3), (0.9, 0.5, 0.7), (0.25, 0.1, 0.1), correlation=-0.5)
    prediction = predict(400, churn=0.05, contraction=0.02, expansion=0.06, months=12, shared=shared)
    rolled = roll_up(prediction, settings(), horizon_months=12)
    accounts = rolled.accounts
    np.testing.assert_allclose(accounts.expected_arr.sum(axis=0), rolled.draws["ending_arr"][0].mean(axis=1), rtol=2e-3)
    np.testing.assert_allclose(
        1 - accounts.churn_probability.mean(axis=0), rolled.draws["logo_retention"][0].mean(axis=1), atol=2e-3
    )
    no_luck = prediction.independent().event_probability("churn")
    assert abs(accounts.churn_probability[0, 11] - no_luck[0, 11]) > 0.005
    np.testing.assert_allclose(accounts.churn_probability, prediction.event_probability("churn"), atol=0.03)


def test_what_is_not_known_of_large_accounts_widens_the_interval():
    """Each account lies one standard deviation above the mean size: a tilt of 0.3 shifts it by 0.3."""
    tilted = Estimation(np.array([0.5, 0.0, 0.0]), np.array([0.3, 0.0, 0.0]), np.zeros(2))
    rolled = roll_up(predict(2000, churn=0.1, months=1, estimation=tilted), settings(), horizon_months=1)
    left = 1 - rolled.draws["nrr"][0, 0]
    odds = 0.1 / 0.9 * np.exp(0.5 + 0.3 * np.random.default_rng(0).standard_normal(100_000))
    assert left.mean() == pytest.approx((odds / (1 + odds)).mean(), abs=0.004)
    assert left.std() == pytest.approx((odds / (1 + odds)).std(), rel=0.1)


def test_what_is_not_known_of_amounts_widens_the_interval_and_keeps_the_mean():
    open_amounts = Estimation(np.zeros(3), np.zeros(3), np.array([0.0, 0.4]))
    calm = roll_up(predict(1500, expansion=0.5, months=1), settings(), horizon_months=1).draws["nrr"][0, 0]
    wide = roll_up(predict(1500, expansion=0.5, months=1, estimation=open_amounts), settings(), horizon_months=1)
    wide = wide.draws["nrr"][0, 0]
    assert wide.mean() == pytest.approx(calm.mean(), abs=0.005)
    assert wide.std() == pytest.approx(0.5 * 0.3 * np.sqrt(np.exp(0.4**2) - 1), rel=0.1)


def test_movements_add_up_in_every_draw():
    rolled = roll_up(predict(50, 0.05, 0.1, 0.1), settings(300), horizon_months=4)
    start = rolled.groups["starting_arr"].to_numpy()[:, None, None]
    d = rolled.draws
    np.testing.assert_allclose(
        d["ending_arr"], start - d["churned_arr"] - d["contracted_arr"] + d["expanded_arr"], rtol=1e-12
    )
    assert (d["nrr"] >= d["grr"] - 1e-12).all()
    assert (d["grr"] <= 1 + 1e-12).all()
    assert (d["logo_retention"] <= 1).all()


def test_parts_of_a_cut_add_up_to_the_total_in_every_draw():
    region = np.array(["north", "south", "west"] * 70, dtype=object)
    rolled = roll_up(predict(210, 0.05, 0.1, 0.1), settings(200), horizon_months=3, cuts={"region": region})
    assert rolled.groups[["cut", "value", "accounts"]].values.tolist() == [
        ["total", "total", 210],
        ["region", "north", 70],
        ["region", "south", 70],
        ["region", "west", 70],
    ]
    for name in ("ending_arr", "churned_arr", "contracted_arr", "expanded_arr"):
        np.testing.assert_allclose(rolled.draws[name][1:].sum(axis=0), rolled.draws[name][0], rtol=1e-12)


def test_the_same_seed_gives_the_same_bytes_whatever_else_is_cut():
    prediction = predict(300, 0.05, 0.1, 0.1)
    cuts = {"half": np.array(["a", "b"] * 150, dtype=object)}
    plain = roll_up(prediction, settings(100), horizon_months=3)
    cut = roll_up(prediction, settings(100), horizon_months=3, cuts=cuts)
    assert plain.draws["nrr"][0].tobytes() == cut.draws["nrr"][0].tobytes()
    other = roll_up(prediction, settings(100, seed=2), horizon_months=3)
    assert plain.draws["nrr"].tobytes() != other.draws["nrr"].tobytes()


@pytest.mark.parametrize(("churn", "left"), [(0.0, 1.0), (1.0, 0.0)])
def test_certain_outcomes_are_certain(churn, left):
    rolled = roll_up(predict(3, churn=churn, shared=luck((0.5, 0.5, 0.5))), settings(100), horizon_months=2)
    assert (metric(rolled, "nrr") == left).all()


def test_account_probabilities_and_quantiles():
    rolled = roll_up(predict(1, churn=0.2, contraction=0.35, expansion=0.4), settings(20_000), horizon_months=1)
    found = rolled.accounts
    assert found.churn_probability[0, 0] == pytest.approx(0.2)
    assert found.contraction_probability[0, 0] == pytest.approx(0.35, abs=0.01)
    assert found.expansion_probability[0, 0] == pytest.approx(0.4, abs=0.01)
    assert (found.p10[0, 0], found.p50[0, 0]) == (0.0, 70.0)
    assert found.p90[0, 0] == pytest.approx(140.0)


def test_reported_nrr_mixes_what_is_realised_with_what_is_forecast():
    """One account grew from 80 to 100 in the past eleven months, one of 120 left, one joined since: it never counts."""
    cohort = np.array([[80.0, 100.0], [0.0, 100.0]])
    lost = pd.DataFrame({"month": [1], "arr": [120.0]})
    rolled = roll_up(predict(2), settings(100), horizon_months=2, trailing=Trailing(cohort, lost))
    np.testing.assert_allclose(rolled.draws["reported_nrr"][0, :, 0], [100 / 200, 1.0])


def test_a_group_without_a_cohort_has_no_reported_nrr():
    lost = pd.DataFrame({"month": np.empty(0, int), "arr": np.empty(0)})
    rolled = roll_up(predict(1), settings(100), horizon_months=1, trailing=Trailing(np.zeros((1, 1)), lost))
    assert np.isnan(rolled.draws["reported_nrr"]).all()
    assert rolled.table().query("metric == 'reported_nrr'")["mean"].isna().all()


def test_renewed_is_what_of_the_due_arr_is_there_once_the_grace_is_over():
    due = np.array([[0.0, 60.0], [0.0, 100.0]])
    rolled = roll_up(predict(2, churn=0.1, months=3), settings(20_000), horizon_months=2, due=due)
    row = rolled.renewals.iloc[0]
    assert len(rolled.renewals) == 1
    assert (row["month_ahead"], row["available_to_renew"], row["accounts_due"]) == (2, 160.0, 2)
    assert row["renewal_rate"] == pytest.approx(0.9**3, abs=0.01), "three months: two and one of grace"
    assert row["p90"] == 160.0


def test_a_horizon_that_ends_within_a_month_has_a_row_for_that_part_of_it():
    """Two months from the middle of one reach into a third calendar month; what is due there is settled by the end."""
    due = np.array([[10.0, 60.0, 30.0], [0.0, 0.0, 100.0]])
    rolled = roll_up(predict(2, churn=0.1, months=3), settings(20_000), horizon_months=2, due=due)
    table = rolled.renewals.set_index("month_ahead")
    assert table["available_to_renew"].to_dict() == {1: 10.0, 2: 60.0, 3: 130.0}
    assert table["renewal_rate"].tolist() == pytest.approx([0.9**2, 0.9**3, 0.9**3], abs=0.01)


def test_the_table_has_a_row_for_each_group_horizon_and_metric():
    table = roll_up(predict(5, churn=0.1), settings(100), horizon_months=2).table()
    assert len(table) == 2 * 7
    assert table["metric"].tolist()[:3] == ["nrr", "grr", "logo_retention"]
    assert table.columns.tolist() == [
        *("cut", "value", "accounts", "starting_arr", "horizon_months", "metric"),
        *("mean", "p05", "p10", "p25", "p50", "p75", "p90", "p95"),
    ]
    assert (table["p05"] <= table["p95"]).all()
