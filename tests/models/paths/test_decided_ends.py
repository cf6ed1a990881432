"""The end of a term as one decision: who changed at it seldom leaves after it, in draws and in closed form alike."""

from dataclasses import replace

import numpy as np
import pytest

from models.hazards.term_ends import TermEnds
from models.outcomes.after_change import AfterChange
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.given_luck import given_expected_luck, level_slopes
from models.paths.rollup import roll_up
from models.paths.simulate import PathSettings, expected_arr, simulate_paths

pytestmark = pytest.mark.usefixtures("costly")

ACCOUNTS, MONTHS, END = 60, 5, 1
MAY_CHANGE, MAY_LEAVE, HAS_CHANGED = (0.0, 0.1, 0.3), (0.25, 0.02, 0.05), (0.01, 0.0, 0.1)
SETTINGS = PathSettings(draws=16_000, seed=2, min_change=0.001)


def prediction(shared: SharedLuck | None = None, *, monthly: bool = False) -> Prediction:
    """A term ends in the second month, the grace in the third; or a term every month."""
    hazards = np.tile([0.01, 0.005, 0.02], (ACCOUNTS, MONTHS, 1))
    ends, is_open = np.zeros((2, ACCOUNTS, MONTHS), dtype=bool)
    ends[:, END], is_open[:, END + 1] = True, True
    hazards[:, END], hazards[:, END + 1] = MAY_CHANGE, MAY_LEAVE
    if monthly:
        ends[:], is_open[:, 1:], hazards[:] = True, True, (0.05, 0.1, 0.2)
    changed = np.where(is_open[:, :, None], HAS_CHANGED, hazards)
    return Prediction(
        account=streams(f"a{number}" for number in range(ACCOUNTS)),
        first_month=12 * 2026,
        arr=np.linspace(50, 150, ACCOUNTS),
        size=np.linspace(-1, 1, ACCOUNTS),
        hazards=hazards,
        pool_index=np.tile([0, 1], (ACCOUNTS, MONTHS, 1)),
        pools=(np.array([0.5, 0.7]), np.array([1.2, 1.4])),
        pool_names=("down", "up"),
        luck=shared or SharedLuck(),
        gap_months=0,
        estimation=Estimation(np.array([0.2, 0.0, 0.1]), np.zeros(3), np.full(2, 0.3 if shared else 0.0)),
        cross_sell_share=np.full(ACCOUNTS, 0.5),
        decisions=AfterChange(TermEnds(ends, is_open), changed),
    )


def luck() -> SharedLuck:
    covariance = tuple(tuple(0.09 * (row == column) for column in range(6)) for row in range(6))
    return SharedLuck((LuckState((0.0,) * 6, covariance, (0.4, 0.2, 0.3), (0.9, 0.5, 0.7), -0.3),))


def test_who_changed_at_the_end_of_the_term_leaves_as_seldom_as_it_says() -> None:
    calm = replace(prediction(), size=np.zeros(ACCOUNTS))
    paths = np.concatenate([chunk.arr for chunk in simulate_paths(calm, SETTINGS)])
    before, at_end, after = paths[:, END - 1], paths[:, END], paths[:, END + 1]
    there = at_end > 0
    changed = there & (before != at_end)
    assert (after[changed] == 0).mean() == pytest.approx(HAS_CHANGED[0], abs=0.003)
    assert (after[there & ~changed] == 0).mean() == pytest.approx(MAY_LEAVE[0], abs=0.005)
    assert (after[changed] > at_end[changed]).mean() == pytest.approx(HAS_CHANGED[2], abs=0.005)


@pytest.mark.parametrize("monthly", [False, True])
@pytest.mark.parametrize("shared", [None, luck()])
def test_closed_forms_tell_what_the_draws_do(shared: SharedLuck | None, monthly: bool) -> None:
    forecast = prediction(shared, monthly=monthly)
    rolled = roll_up(forecast, SETTINGS, horizon_months=MONTHS)
    drawn, accounts = rolled.draws, rolled.accounts
    np.testing.assert_allclose(accounts.expected_arr.sum(axis=0), drawn["ending_arr"][0].mean(axis=1), rtol=2e-3)
    stays = 1 - accounts.churn_probability.mean(axis=0)
    np.testing.assert_allclose(stays, drawn["logo_retention"][0].mean(axis=1), atol=1.5e-3)
    if shared is None:
        np.testing.assert_allclose(accounts.churn_probability, forecast.event_probability("churn"), atol=1e-5)
        without_tilt = replace(forecast, size=np.zeros(ACCOUNTS))
        by_account = roll_up(without_tilt, SETTINGS, horizon_months=MONTHS).accounts.expected_arr
        np.testing.assert_allclose(by_account, expected_arr(without_tilt), rtol=1e-5)


def test_probabilities_of_a_year_with_one_end() -> None:
    """By hand, of an account of mean size: churn, an expansion, and a cross-sell, which half of the expansions are."""
    calm = replace(prediction(), size=np.zeros(ACCOUNTS))
    there = 0.99 * (1 - 0.6 * MAY_LEAVE[0] - 0.4 * HAS_CHANGED[0])
    np.testing.assert_allclose(1 - calm.event_probability("churn")[0, : END + 2], [0.99, 0.99, there], rtol=1e-5)
    expands = 0.02 + 0.97 * (0.3 + 0.1 * HAS_CHANGED[2] + 0.6 * MAY_LEAVE[2])
    np.testing.assert_allclose(calm.event_probability("expansion")[0, END + 1], expands, rtol=1e-5)
    sold = 0.01 + 0.98 * (0.15 + 0.25 * HAS_CHANGED[2] / 2 + 0.6 * MAY_LEAVE[2] / 2)
    np.testing.assert_allclose(calm.cross_sell_probability()[0, END + 1], sold, rtol=1e-5)
    np.testing.assert_allclose(calm.decided_share("churn")[0], [0, 0, 0.4, 0, 0])
    np.testing.assert_allclose(calm.decided_share("expansion")[0], [0, 0, 0.1 / 0.7, 0, 0])


@pytest.mark.parametrize("monthly", [False, True])
@pytest.mark.parametrize("outcome", range(3))
def test_slopes_are_the_change_for_a_small_move_of_the_odds(outcome: int, monthly: bool) -> None:
    given, step, ends = given_expected_luck(prediction(luck(), monthly=monthly)), 1e-5, []
    assert given.decisions is not None
    for sign in (-1, 1):
        tables = [given.hazards.copy(), given.decisions.hazards.copy()]
        for table in tables:
            odds = table[..., outcome] / (1 - table[..., outcome]) * np.exp(sign * step)
            table[..., outcome] = odds / (1 + odds)
        moved = replace(given, hazards=tables[0], decisions=replace(given.decisions, hazards=tables[1]))
        ends.append(expected_arr(moved))
    slopes = (ends[1] - ends[0]) / (2 * step)
    np.testing.assert_allclose(level_slopes(given)[:, :, outcome], slopes, rtol=1e-5, atol=1e-6)


def test_hazards_follow_what_came() -> None:
    forecast = prediction()
    paths = np.full((ACCOUNTS, MONTHS + 1), 100.0)
    paths[1, END + 1 :] = 120.0
    along = forecast.along(paths, 0.001)
    assert along[0, END + 1].tolist() == list(MAY_LEAVE)
    assert along[1, END + 1].tolist() == list(HAS_CHANGED)
    np.testing.assert_array_equal(along[0], forecast.hazards[0])


def test_the_portfolios_means_are_what_the_accounts_add_up_to_in_every_cut() -> None:
    """To the last digits, though the draws are few: what is off between dice and chances is in no mean."""
    cuts = {"region": np.array(["north", "south", "north"] * (ACCOUNTS // 3), dtype=object)}
    forecast = prediction(luck())
    rolled = roll_up(forecast, replace(SETTINGS, draws=50), horizon_months=MONTHS, cuts=cuts)
    table = rolled.table()
    mean = table.pivot_table(index=["cut", "value", "horizon_months"], columns="metric", values="mean")
    for cut, value in (("total", "total"), ("region", "north"), ("region", "south")):
        here = np.ones(ACCOUNTS, dtype=bool) if cut == "total" else cuts["region"] == value
        figures, start = mean.loc[cut, value], forecast.arr[here].sum()
        accounts = rolled.accounts.rows(np.flatnonzero(here))
        np.testing.assert_allclose(figures["ending_arr"], accounts.expected_arr.sum(axis=0), rtol=1e-12)
        at_risk = (forecast.arr[here, None] * accounts.churn_probability).sum(axis=0)
        np.testing.assert_allclose(figures["churned_arr"], at_risk, rtol=1e-12)
        np.testing.assert_allclose(figures["logo_retention"], 1 - accounts.churn_probability.mean(axis=0), rtol=1e-12)
        kept = start - figures["churned_arr"] - figures["contracted_arr"]
        np.testing.assert_allclose(figures["ending_arr"], kept + figures["expanded_arr"], rtol=1e-12)
        np.testing.assert_allclose(figures["grr"], kept / start, rtol=1e-12)
        assert (figures["nrr"] >= figures["grr"]).all()
        for name in ("ending_arr", "contracted_arr", "expanded_arr"):
            drawn = rolled.draws[name][rolled.groups.query("value == @value").index[0]].mean(axis=1)
            np.testing.assert_allclose(figures[name], drawn, atol=0.05 * start)
