import json

import numpy as np
import pytest
from scipy.special import expit

from models.outcomes.luck_posterior import count_months, fit_luck
from models.outcomes.shared_luck import LuckState, SharedLuck

pytestmark = pytest.mark.slow

MONTHS = 60
FIRST_MONTH = 12 * 2026 + 1


def autoregression(sd, persistence, rng, correlation=0.0):
    """A path of three outcomes' luck, the noise of the first and the last correlated."""
    noise = rng.standard_normal((MONTHS + 50, 3))
    noise[:, 2] = correlation * noise[:, 0] + np.sqrt(1 - correlation**2) * noise[:, 2]
    luck = np.zeros((MONTHS + 50, 3))
    for month in range(1, len(luck)):
        luck[month] = persistence * luck[month - 1] + sd * np.sqrt(1 - persistence**2) * noise[month]
    return luck[50:]


def counted(luck, rng, rows=1500):
    """Accounts with known log-odds, and what came of them under the luck of each month."""
    month = np.repeat(np.arange(len(luck)), rows)
    found = []
    for outcome in range(3):
        log_odds = rng.normal(-3, 0.7, month.size)
        event = (rng.random(month.size) < expit(log_odds + luck[month, outcome])).astype(float)
        found.append(count_months(log_odds, event, month, months=len(luck)))
    return found


def fit(counts):
    return fit_luck(counts, prior_sd=0.3, level_sd=0.25, seed=1)


def mean(fitted, name):
    return np.mean([getattr(state, name) for state in fitted.states], axis=0)


@pytest.mark.parametrize(("sd", "persistence"), [(0.0, 0.0), (0.3, 0.0), (0.4, 0.9)])
def test_spread_persistence_and_latest_level_are_found(sd, persistence):
    rng = np.random.default_rng(11)
    luck = autoregression(sd, persistence, rng)
    fitted = fit(counted(luck, rng))
    np.testing.assert_allclose(mean(fitted, "sd"), sd, atol=0.15)
    if persistence:
        assert (mean(fitted, "persistence") > 0.7).all()
        now = mean(fitted, "mean")
        np.testing.assert_allclose(now[:3] + now[3:], luck[-1], atol=0.25)
        ahead = fitted.draw(12, 2000, seed=2, first_month=FIRST_MONTH).mean(axis=2)
        assert (np.abs(ahead[-1]) < np.abs(ahead[0]) + 0.05).all(), "the luck fades"


def test_luck_that_goes_together_is_seen_to():
    rng = np.random.default_rng(5)
    fitted = fit(counted(autoregression(0.6, 0.8, rng, correlation=-0.9), rng))
    assert mean(fitted, "correlation") < -0.3
    drawn = fitted.draw(12, 4000, seed=3, first_month=FIRST_MONTH)
    assert np.corrcoef(drawn[6, 0], drawn[6, 2])[0, 1] < -0.15


def test_the_posterior_is_that_of_a_slow_computation():
    """Level and x of the last month by sampling: paths of the prior weighted by their likelihood."""
    rng = np.random.default_rng(8)
    at_risk, chance = 400, 0.1
    log_odds = np.full(4 * at_risk, np.log(chance / (1 - chance)))
    came = np.array([55, 60, 70, 75])
    event = np.concatenate([np.repeat([1.0, 0.0], [events, at_risk - events]) for events in came])
    counts = count_months(log_odds, event, np.repeat(np.arange(4), at_risk), months=4)
    fitted = fit_luck([counts] * 3, prior_sd=0.3, level_sd=0.25, seed=1)
    state = fitted.states[0]
    sd, persistence = state.sd[1], state.persistence[1]  # contraction stands alone, whatever the correlation
    level, x = 0.25 * rng.standard_normal(400_000), sd * rng.standard_normal(400_000)
    weight, expected = np.zeros((2, 400_000))
    for month, events in enumerate(came):
        if month:
            x = persistence * x + sd * np.sqrt(1 - persistence**2) * rng.standard_normal(400_000)
        share = expit(log_odds[0] + level + x)
        weight += events * np.log(share) + (at_risk - events) * np.log(1 - share)
        expected += share / 4
    weight = np.exp(weight - weight.max())
    mean, covariance = np.average([level, x], axis=1, weights=weight), np.cov([level, x], aweights=weight)
    long_run = np.log(np.average(expected, weights=weight) / chance) - (1 - 2 * chance) * (covariance[0, 0] + sd**2) / 2
    moved = mean + covariance[:, 0] / covariance[0, 0] * (long_run - mean[0])
    np.testing.assert_allclose(np.array(state.mean)[[1, 4]], moved, rtol=0, atol=0.02)
    np.testing.assert_allclose(np.array(state.covariance)[np.ix_([1, 4], [1, 4])], covariance, rtol=0.2, atol=1e-4)


@pytest.mark.parametrize("sd", [0.2, 0.4])
@pytest.mark.parametrize("typical", [-4.0, -1.0, 1.0])
def test_the_gain_tells_by_how_much_luck_raises_the_events_expected(sd, typical):
    rng = np.random.default_rng(6)
    log_odds = rng.normal(typical, 0.8, 2000)
    counts = count_months(log_odds, np.zeros(2000), np.zeros(2000, int), months=1)
    luck = sd * rng.standard_normal((4000, 1))
    luck = sd * (luck - luck.mean()) / luck.std()

    def events(shift):
        return (counts.at_risk * expit(counts.log_odds + shift)).sum() / len(shift)

    raised, said = events(luck) - events(np.zeros((1, 1))), events(np.full((1, 1), counts.gain * sd**2 / 2))
    assert said - events(np.zeros((1, 1))) == pytest.approx(raised, rel=0.15)


def test_nothing_seen_leaves_the_prior():
    empty = count_months(np.empty(0), np.empty(0), np.empty(0, int), months=3)
    fitted = fit([empty] * 3)
    np.testing.assert_allclose(fitted.log_mean_odds(12), 0, atol=1e-12)
    drawn = fitted.draw(1, 20_000, seed=4, first_month=FIRST_MONTH)
    assert (drawn.std(axis=2) > 0.25).all(), "at least what is unknown of the level"


def test_the_expected_luck_makes_as_many_events_expected_as_the_draws_do():
    rng = np.random.default_rng(9)
    counts = counted(autoregression(0.4, 0.9, rng), rng)
    fitted = fit(counts)
    drawn, expected = (
        fitted.draw(6, 64_000, seed=7, first_month=FIRST_MONTH, gap_months=2),
        fitted.expected(6, gap_months=2),
    )
    for number, one in enumerate(counts):
        rows = one.at_risk.sum(axis=0)
        by_draws = np.array([(rows @ expit(one.log_odds[:, None] + month)).mean() for month in drawn[:, number]])
        by_shift = expit(one.log_odds + expected[:, number, None]) @ rows
        np.testing.assert_allclose(by_shift, by_draws, rtol=0.015)
    odds = np.log(np.exp(drawn).mean(axis=2))
    np.testing.assert_allclose(fitted.log_mean_odds(6, gap_months=2), odds, rtol=0, atol=0.01)
    assert not SharedLuck().expected(4).any()


@pytest.mark.parametrize("came", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("sd", [0.0, 0.4])
def test_as_many_events_are_expected_in_the_long_run_as_were_seen(came, sd):
    """As many as predicted, where predictions were matched to the months they are counted in; else it is learned."""
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        log_odds, month = rng.normal(-3, 0.7, (3, MONTHS * 400)), np.repeat(np.arange(MONTHS), 400)
        luck = autoregression(sd, 0.8, rng)[month].T
        event = (rng.random(log_odds.shape) < expit(log_odds + luck)).astype(float)
        matched = log_odds + np.log(event.sum(axis=1) / expit(log_odds).sum(axis=1))[:, None] - np.log(came)
        counts = [count_months(one, each, month, months=MONTHS) for one, each in zip(matched, event, strict=True)]
        drawn = fit(counts).draw(1, 16_000, seed=7, first_month=FIRST_MONTH, gap_months=200)[0]
        found += [
            (rows @ expit(one.log_odds[:, None] + shift)).mean() / (rows @ expit(one.log_odds))
            for one, shift in zip(counts, drawn, strict=True)
            for rows in [one.at_risk.sum(axis=0)]
        ]
    assert np.mean(found) == pytest.approx(came, rel=0.01 if came == 1 else 0.1)


def test_estimation_makes_the_level_less_certain_and_moves_no_events():
    rng = np.random.default_rng(12)
    counts = counted(autoregression(0.2, 0.8, rng), rng)
    plain = fit(counts)
    unsure = fit_luck(counts, prior_sd=0.3, level_sd=0.25, seed=1, estimation_variance=(0.09, 0.0, 0.04))
    for one, other in zip(plain.states, unsure.states, strict=True):
        np.testing.assert_allclose(
            np.subtract(other.covariance, one.covariance), np.diag([0.09, 0, 0.04, 0, 0, 0]), atol=1e-12
        )
    np.testing.assert_allclose(unsure.expected(12), plain.expected(12), atol=1e-9)


def test_a_gap_lets_the_state_fade_and_the_level_stay():
    now = np.diag([0.0] * 6)
    state = LuckState((0.1, 0, 0, 0.8, 0, 0), tuple(map(tuple, now)), (0.3,) * 3, (0.5,) * 3, 0.0)
    luck = SharedLuck((state,))
    near, far = (luck.draw(1, 20_000, seed=6, first_month=FIRST_MONTH, gap_months=gap)[0, 0] for gap in (0, 3))
    assert near.mean() == pytest.approx(0.1 + 0.8 * 0.5, abs=0.01)
    assert far.mean() == pytest.approx(0.1 + 0.8 * 0.5**4, abs=0.01)
    assert far.std() > near.std()


def test_no_states_are_no_luck():
    assert not SharedLuck().draw(3, 10, seed=1, first_month=FIRST_MONTH).any()


def test_weights_count_and_the_expected_number_of_events_is_kept():
    rng = np.random.default_rng(2)
    log_odds, weight = rng.normal(-2, 1, 5000), rng.uniform(0.1, 2, 5000)
    event = (rng.random(5000) < 0.2).astype(float)
    counts = count_months(log_odds, event, np.zeros(5000, int), months=1, weight=weight)
    assert counts.events[0] == pytest.approx(weight @ event)
    assert (counts.at_risk @ expit(counts.log_odds))[0] == pytest.approx(weight @ expit(log_odds))


def test_luck_survives_json():
    rng = np.random.default_rng(3)
    fitted = fit(counted(autoregression(0.2, 0.5, rng), rng, rows=50))
    again = SharedLuck.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again == fitted
