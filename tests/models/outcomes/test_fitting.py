from dataclasses import replace

import numpy as np
import pytest

from models.hazards.ensemble import EnsembleHazard
from models.hazards.model_inputs import learn_categories
from models.outcomes import fitting
from models.outcomes.fitting import fit_outcome, notice_holds
from models.outcomes.outcome import OutcomeModel

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture(scope="module")
def material(world, inputs, settings):
    model = OutcomeModel(inputs, settings())
    model.inputs = learn_categories(inputs, world.frame)
    return model._material(world.frame, world.paths)


def test_predictions_for_accounts_not_seen_expect_what_came(material):
    """Calibrated on such predictions, the months' expected events add up to those that came."""
    counts = fit_outcome("churn", material).counts
    expected = (counts.at_risk / (1 + np.exp(-counts.log_odds))).sum()
    assert expected == pytest.approx(counts.events.sum(), rel=0.1)
    assert len(counts.events) == material.at_risk.months


def test_months_count_by_the_accounts_at_risk_and_each_of_their_rows_alike(material):
    """Copies of an account's month do not count for less: accounts that have few would set the level of all."""
    rows = material.at_risk
    counted = np.isin(rows.ahead, fitting.COUNTED_AHEAD)
    counts = fit_outcome("churn", material).counts
    accounts = [len(np.unique(rows.account[counted & (rows.month == month)])) for month in range(rows.months)]
    np.testing.assert_allclose(counts.at_risk.sum(axis=1), accounts)
    came = [rows.event("churn", 0.001)[counted & (rows.month == month)].mean() for month in range(rows.months)]
    np.testing.assert_allclose(counts.events, np.multiply(accounts, came))


def test_learners_are_given_more_weight_for_months_nearby(material, monkeypatch):
    learned = []
    learner = fitting._learner

    def watched(*given):
        made = learner(*given)
        fit = made.fit
        made.fit = lambda rows, others=None: (learned.append(rows), fit(rows, others))[1]
        return made

    monkeypatch.setattr(fitting, "_learner", watched)
    fit_outcome("churn", material)
    rows = learned[-1]
    ahead = rows.inputs[:, [item.name for item in material.inputs].index("months_ahead")]
    weights = [rows.weight[(ahead == month) & (rows.event == 0)] for month in (1, 4)]
    assert [each.std() for each in weights] == pytest.approx([0, 0])
    assert weights[0][0] == pytest.approx(2 * weights[1][0])
    everything = np.ones_like(material.at_risk.row, dtype=bool)
    assert rows.weight.sum() == pytest.approx(material.at_risk.distinct(everything))


def test_the_level_is_wanted_for_the_accounts_of_the_last_snapshot_while_chance_decides(material, world):
    latest = (world.frame["as_of"] == world.frame["as_of"].max()).to_numpy()
    facts = np.full_like(material.facts, np.nan)
    facts[np.flatnonzero(latest)[0], 3:, 0] = 1
    ahead = list(replace(material, facts=facts).ahead("churn"))
    assert len(ahead) == material.settings.horizon_months
    health = [item.name for item in material.inputs].index("health_score")
    np.testing.assert_array_equal(ahead[3][0][:, health], world.frame.loc[latest, "health_score"])
    arr = world.frame.loc[latest, "arr"].to_numpy()
    np.testing.assert_array_equal(ahead[2][1], arr)
    np.testing.assert_array_equal(ahead[3][1], np.append(0, arr[1:]))


def test_the_estimation_variance_is_at_the_slope_of_months_far_ahead(material, monkeypatch):
    monkeypatch.setattr(EnsembleHazard, "estimation_variance", lambda *given: 0.5)
    found = fit_outcome("churn", material)
    assert found.estimation_variance == 0.5 * found.outcome.calibrator.slope**2


def test_the_level_of_accounts_unlike_those_learned_from_is_less_certain(material, world):
    healthy = np.flatnonzero(world.frame["health_score"] > world.frame["health_score"].quantile(0.98))
    everyone, odd = (replace(material, latest=rows) for rows in (np.arange(len(world.frame)), healthy))
    usual, unusual = (fit_outcome("churn", each).estimation_variance for each in (everyone, odd))
    assert 0 < usual < unusual / 2


def spread(counts):
    """Standard deviation of the log-odds predicted for accounts not seen."""
    weight = counts.at_risk.sum(axis=0)
    away = counts.log_odds - np.average(counts.log_odds, weights=weight)
    return np.sqrt(np.average(away**2, weights=weight))


def test_noise_is_not_taken_for_knowledge(material):
    """Outcomes that fall on accounts and months at random leave nothing to tell accounts apart by."""
    rows = material.at_risk
    unlucky = np.random.default_rng(3).random((rows.account.max() + 1, rows.months)) < 0.05
    dealt = replace(rows, after=np.where(unlucky[rows.account, rows.month], 0.0, rows.before))
    assert spread(fit_outcome("churn", replace(material, at_risk=dealt)).counts) < 0.2
    assert spread(fit_outcome("churn", material).counts) > 1.0, "what is known of those that truly leave"


def test_too_few_events_give_the_rate_of_all(material, monkeypatch):
    monkeypatch.setattr(fitting, "FEWEST_EVENTS", 10**6)
    found = fit_outcome("churn", material)
    pairs = found.outcome.rows
    assert found.outcome.hazard is None
    chance = 1 / (1 + np.exp(-found.outcome.log_odds(np.zeros((2, 1)), np.ones(2))))
    assert chance == pytest.approx([(found.outcome.events + 0.5) / (pairs + 1)] * 2)


def test_what_is_certain_is_not_learned_from(material):
    """Whatever became of rows whose churn is a fact, the fit is the same."""
    facts = np.full_like(material.facts, np.nan)
    facts[::3, 2] = (1.0, 0.0, 0.0)
    rows = material.at_risk
    fact = facts[rows.row, rows.ahead - 1, 0] == 1
    turned = replace(rows, after=np.where(fact, np.where(rows.after > 0, 0.0, rows.before), rows.after))
    told = [fit_outcome("churn", replace(material, facts=facts, at_risk=each)) for each in (rows, turned)]
    assert told[0].outcome.calibrator == told[1].outcome.calibrator
    assert told[0].outcome.calibrator != fit_outcome("churn", replace(material, at_risk=turned)).outcome.calibrator
    np.testing.assert_array_equal(told[0].counts.events, told[1].counts.events)


@pytest.mark.parametrize(("stayed", "holds"), [(0, 1.0), (1, 3.5 / 5), (4, 0.5 / 5)])
def test_notice_is_certain_unless_some_who_gave_it_stayed(material, stayed, holds):
    facts, row = noticed(material, (1.0, 0.0, 0.0))
    before, after = material.at_risk.before, material.at_risk.after.copy()
    after[row] = np.where(np.arange(4) < stayed, before[row], 0.0)
    found = notice_holds(replace(material, facts=facts, at_risk=replace(material.at_risk, after=after)))
    assert found == pytest.approx([holds, 1.0, 1.0])


@pytest.mark.parametrize(("factors", "holds"), [((0.5, 0.5, 0.5, 0), 1.0), ((0.5, 0.5, 1, 0), 2.5 / 4)])
def test_notice_of_a_part_is_certain_unless_some_who_gave_it_kept_all(material, factors, holds):
    facts, row = noticed(material, (np.nan, 1.0, 0.0))
    before, after = material.at_risk.before, material.at_risk.after.copy()
    after[row] = before[row] * factors
    found = notice_holds(replace(material, facts=facts, at_risk=replace(material.at_risk, after=after)))
    assert found == pytest.approx([1.0, holds, 1.0])


def test_without_a_notice_in_the_history_it_is_certain(material):
    facts = np.full_like(material.facts, np.nan)
    assert notice_holds(replace(material, facts=facts)).tolist() == [1.0, 1.0, 1.0]


def noticed(material, facts_of_month):
    """Facts of the first month ahead of four rows, and where these are among the rows at risk."""
    row = np.flatnonzero(material.at_risk.ahead == 1)[:4]
    facts = np.full_like(material.facts, np.nan)
    facts[material.at_risk.row[row], 0] = facts_of_month
    return facts, row
