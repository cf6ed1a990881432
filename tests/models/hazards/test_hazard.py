import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.hazards.ensemble import EnsembleHazard
from models.hazards.hazard import Rows
from models.hazards.horizon import CALENDAR_INPUTS
from models.hazards.logistic import LogisticHazard
from models.hazards.model_inputs import Input
from models.hazards.trees import TreeHazard

pytestmark = pytest.mark.usefixtures("costly")

TERM = Input(
    name="term_days",
    kind="number",
    family="contract_history",
    signal="renewal",
    unit="days",
    meaning="Length of the term",
    sentence="on a term of {value} days",
)
INPUTS = (TERM, *CALENDAR_INPUTS)
PLACE = {item.name: place for place, item in enumerate(INPUTS)}
YEARLY, MONTHLY = 365.0, 30.0


@pytest.fixture
def learners(settings):
    """Unfitted learners of some inputs, by name."""

    def make(name, inputs=INPUTS):
        sizes = {"trees": 40, "leaves": 4, "learning_rate": 0.05, "min_rows_per_leaf": 20, "l2": 1.0}
        trees = TreeHazard(inputs, **sizes, seed=1, threads=1, tuning=settings().tuning)
        logistic = LogisticHazard(inputs, l2=100.0)
        return {"lightgbm": trees, "logistic": logistic, "ensemble": EnsembleHazard(trees, logistic)}[name]

    return make


def months(ends, term, rows):
    """So many rows of one kind of month."""
    made = np.zeros((rows, len(INPUTS)))
    made[:, PLACE["term_ends_in_month"]] = ends
    made[:, PLACE["term_days"]] = term
    return made


@pytest.fixture(scope="module")
def rows():
    """One in four leaves when a yearly term ends, one in fifty when a monthly one does, and one in 500 in mid-term."""
    kinds = ((1, YEARLY, 400, 100), (1, MONTHLY, 1000, 20), (0, YEARLY, 5000, 10))
    inputs = np.vstack([months(ends, term, count) for ends, term, count, _ in kinds])
    event = np.concatenate([np.arange(count) < came for _, _, count, came in kinds]).astype(float)
    return Rows(inputs, event, np.where(inputs[:, PLACE["term_days"]] == MONTHLY, 0.5, 1.0))


@pytest.mark.parametrize(("ends", "term", "chance"), [(1, YEARLY, 0.25), (1, MONTHLY, 0.02), (0, YEARLY, 0.002)])
def test_a_penalty_that_holds_the_inputs_back_leaves_each_kind_of_month_its_level(rows, ends, term, chance):
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(rows)
    expected = 1 / (1 + np.exp(-fitted.margin(months(ends, term, 1))[0]))
    assert expected == pytest.approx(chance, rel=0.3)


@pytest.mark.parametrize("learner", ["lightgbm", "logistic", "ensemble"])
def test_effects_add_up_on_top_of_the_level_of_the_kind_of_month(rows, learners, learner):
    fitted = learners(learner).fit(rows)
    level, beyond = fitted.level(rows.inputs), fitted.beyond(rows.inputs)
    effects, base = fitted.contributions(rows.inputs)
    np.testing.assert_allclose(effects.sum(axis=1) + base, beyond, atol=1e-9)
    np.testing.assert_array_equal(fitted.margin(rows.inputs), level + beyond)
    assert np.average(level, weights=rows.weight) == pytest.approx(fitted.mean_level_)
    again = type(fitted).from_text(fitted.to_text(), INPUTS, threads=1)
    np.testing.assert_array_equal(again.margin(rows.inputs), fitted.margin(rows.inputs))


@pytest.mark.parametrize("learner", ["lightgbm", "logistic", "ensemble"])
def test_the_level_is_learned_and_not_left_to_what_is_held_back(rows, learners, learner):
    fitted = learners(learner).fit(rows)
    level, beyond = fitted.level(rows.inputs), fitted.beyond(rows.inputs)
    assert level[0] - level[-1] > 4, "one in four against one in 500"
    assert np.abs(beyond).max() < 1


def test_without_the_calendar_the_level_is_the_mean(learners):
    event = (np.arange(200) < 20).astype(float)
    fitted = learners("lightgbm", (TERM,)).fit(Rows(np.full((200, 1), YEARLY), event, np.ones(200)))
    np.testing.assert_allclose(fitted.margin(np.full((3, 1), YEARLY)), np.log(0.1 / 0.9))


def test_the_level_of_a_kind_of_month_bends_with_how_far_it_lies_ahead():
    ahead = {1: 400, 2: 100, 12: 40}
    parts = [months(1, MONTHLY, 2000) for _ in ahead]
    for part, month in zip(parts, ahead, strict=True):
        part[:, PLACE["months_ahead"]] = month
    event = np.concatenate([np.arange(2000) < came for came in ahead.values()]).astype(float)
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(Rows(np.vstack(parts), event, np.ones(6000)))
    expected = [1 / (1 + np.exp(-fitted.margin(part[:1])[0])) for part in parts]
    np.testing.assert_allclose(expected, [0.2, 0.05, 0.02], rtol=0.1)


def test_evergreen_months_are_a_kind_of_their_own(rows):
    evergreen = months(0, np.nan, 300)
    event = (np.arange(300) < 30).astype(float)
    both = Rows(np.vstack([rows.inputs, evergreen]), np.r_[rows.event, event], np.ones(rows.event.size + 300))
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(both)
    assert 1 / (1 + np.exp(-fitted.margin(evergreen[:1])[0])) == pytest.approx(0.1, rel=0.15)


@pytest.fixture(scope="module")
def terms():
    """The longer a term, the rarer its account leaves."""
    rng = np.random.default_rng(4)
    inputs = rng.normal(YEARLY, 20.0, (1500, 1))
    leaves = rng.random(1500) < 1 / (1 + np.exp(1.5 + (inputs[:, 0] - YEARLY) / 20.0))
    return Rows(inputs, leaves.astype(float), np.ones(1500))


def longer(days, accounts=100):
    """Inputs of accounts whose terms are longer, three months ahead."""
    return list(np.random.default_rng(5).normal(YEARLY + days, 20.0, (3, accounts, 1)))


def test_the_estimation_variance_is_that_of_fits_to_other_outcomes(terms):
    fitted, ahead, rng = LogisticHazard((TERM,), l2=0.01).fit(terms), longer(25), np.random.default_rng(6)
    chances = [1 / (1 + np.exp(-fitted.margin(inputs))) for inputs in (np.vstack(ahead), terms.inputs)]
    apart = []
    for _ in range(200):
        event = (rng.random(len(terms.inputs)) < chances[1]).astype(float)
        again = LogisticHazard((TERM,), l2=0.01).fit(Rows(terms.inputs, event, terms.weight))
        means = [
            np.average(again.margin(inputs), weights=chance * (1 - chance))
            for inputs, chance in zip((np.vstack(ahead), terms.inputs), chances, strict=True)
        ]
        apart.append(means[0] - means[1])
    said = fitted.estimation_variance(terms, ((inputs, np.ones(100)) for inputs in ahead))
    assert said == pytest.approx(np.var(apart), rel=0.2)


def test_the_estimation_variance_grows_with_the_distance_and_falls_with_rows_and_penalty(terms):
    def variance(days, *, l2=1.0, times=1.0, weight=1.0):
        rows = Rows(terms.inputs, terms.event, terms.weight * times)
        fitted = LogisticHazard((TERM,), l2=l2).fit(rows)
        return fitted.estimation_variance(rows, [(inputs, np.full(100, weight)) for inputs in longer(days)])

    assert variance(25) > 3 * variance(5)
    assert variance(25, times=4.0) == pytest.approx(variance(25) / 4, rel=0.1)
    assert variance(25, l2=1000.0) < variance(25) / 2
    assert variance(25, weight=7.0) == pytest.approx(variance(25))
    fitted = LogisticHazard((TERM,), l2=1.0).fit(terms)
    assert fitted.estimation_variance(terms, [(terms.inputs, terms.weight)]) == pytest.approx(0, abs=1e-12)
    assert fitted.estimation_variance(terms, [(terms.inputs, 0 * terms.weight)]) == 0


def test_rows_count_by_their_weight_in_the_estimation_variance(terms):
    fitted, inputs = LogisticHazard((TERM,), l2=1.0).fit(terms), np.array([[YEARLY], [YEARLY + 60]])
    near, far = (fitted.estimation_variance(terms, [(inputs, np.array(of))]) for of in ([9.0, 1.0], [1.0, 9.0]))
    assert far > 3 * near


def test_kinds_of_months_hardly_seen_are_left_to_the_level(rows):
    """Who is forecast may end terms in months that few rows tell of; that is no doubt about the accounts."""
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(rows)
    graced = months(1, YEARLY, 5)
    graced[:, PLACE["grace_ends_in_month"]], graced[:, PLACE["months_ahead"]] = 1, 12
    usual, rare = (
        fitted.estimation_variance(rows, [(inputs, np.ones(5))]) for inputs in (months(1, YEARLY, 5), graced)
    )
    assert rare < 3 * usual + 0.01


@pytest.mark.parametrize(("learner", "share"), [("logistic", 1), ("ensemble", 1), ("lightgbm", 0)])
def test_only_a_regression_tells_its_estimation_variance(rows, learners, learner, share):
    ahead = [(months(1, YEARLY, 5), np.ones(5))]
    alone = learners("logistic").fit(rows).estimation_variance(rows, ahead)
    assert alone > 0.0001
    assert learners(learner).fit(rows).estimation_variance(rows, ahead) == pytest.approx(share * alone)


def test_a_regression_that_starts_from_the_level_ends_where_one_from_nothing_does(rows, learners):
    """By scikit-learn's own Newton steps from zero, to a tighter tolerance."""
    fitted = learners("logistic").fit(rows)
    design = fitted._with_kinds(rows.inputs)
    anew = LogisticRegression(C=1 / 100.0, solver="newton-cholesky", max_iter=100, tol=1e-10)
    anew.fit(design, rows.event, sample_weight=rows.weight)
    np.testing.assert_allclose(fitted.margin(rows.inputs), anew.decision_function(design), atol=2e-3)
