import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from threadpoolctl import threadpool_info, threadpool_limits

from models.hazards.calibration import Slope
from models.hazards.logistic import LogisticHazard
from models.outcomes.contributions import Decisions
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import OUTCOMES, Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from models.paths.simulate import PathSettings, simulate_paths
from models.reasons.attribution import horizon_probability
from models.reasons.drivers import drivers

pytestmark = pytest.mark.usefixtures("costly")

NEWEST = pd.Timestamp("2023-12-01")


def newest(world):
    return world.frame[world.frame["as_of"] == NEWEST].reset_index(drop=True)


def true_churn(frame, months):
    """The world's rule: expit(2 + 2 health) of the accounts whose term ends within the months renew."""
    due = (frame["term_ends_on"] <= NEWEST + pd.DateOffset(months=months)).to_numpy()
    return np.where(due, 1 / (1 + np.exp(2 + 2 * frame["health_score"].to_numpy())), 0.0)


@pytest.mark.parametrize("learner", ["ensemble", "lightgbm", "logistic"])
def test_churn_follows_the_true_probability(world, inputs, settings, learner):
    model = OutcomeModel(inputs, settings(learner=learner)).fit(world.frame, world.paths)
    frame = newest(world)
    known = frame["health_score"].notna().to_numpy()
    predicted = model.predict(frame).event_probability("churn")[:, 5]
    true = true_churn(frame, 6)
    assert np.corrcoef(predicted[known], true[known])[0, 1] > 0.85
    assert predicted[known].mean() == pytest.approx(true[known].mean(), abs=0.03)
    not_due = (true == 0) & known
    assert predicted[not_due].mean() < 0.01, "nobody leaves between term ends in this world"


def test_the_regression_of_an_ensemble_alone_is_the_one_fitted_anew(world, inputs, settings):
    ensemble = OutcomeModel(inputs, settings(learner="ensemble")).fit(world.frame, world.paths)
    anew = OutcomeModel(inputs, settings(learner="logistic")).fit(world.frame, world.paths)
    assert ensemble.logistic_alone(world.frame, world.paths).to_files() == anew.to_files()


def test_hazards_exclude_each_other(fitted, world):
    hazards = fitted.predict(newest(world)).hazards
    assert hazards.shape[1:] == (7, 3)
    assert (hazards >= 0).all()
    assert (hazards.sum(axis=-1) <= 1 + 1e-12).all()


def test_the_bundle_is_text_and_gives_the_same_predictions(fitted, world):
    files = fitted.to_files()
    again = OutcomeModel.from_files(files)
    assert json.loads(files["model.json"])["format"] == 8
    assert all(isinstance(text, str) for text in files.values())
    one, other = again.predict(newest(world)), fitted.predict(newest(world))
    np.testing.assert_array_equal(one.hazards, other.hazards)
    np.testing.assert_array_equal(one.cross_sell_probability(), other.cross_sell_probability())
    assert again.to_files() == files


def test_the_bundle_loads_with_pickle_forbidden(fitted, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("unpickled something")

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    assert OutcomeModel.from_files(fitted.to_files()).horizon_months == 6


def test_a_bundle_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"no model bundle of format 8 among the files \['notes.txt'\]"):
        OutcomeModel.from_files({"notes.txt": ""})


@pytest.mark.parametrize("learner", ["ensemble", "lightgbm", "logistic"])
def test_the_result_does_not_depend_on_threads(world, inputs, settings, learner):
    def bundle(threads):
        model = OutcomeModel(inputs, settings(threads=threads, learner=learner, trees=30))
        return model.fit(world.frame, world.paths, world.streams).to_files()

    assert bundle(1) == bundle(2) == bundle(4)


def test_sums_are_of_one_order_whatever_the_cores_of_a_machine(inputs, settings):
    threadpool_limits(2, user_api="blas")
    OutcomeModel(inputs, settings())
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_what_is_not_known_yet_is_not_learned_from(world, inputs, settings):
    """Censored months may hold anything: the model is the same as if they were NaN."""
    half = world.frame["as_of"] < pd.Timestamp("2023-01-01")
    frame = world.frame[half].reset_index(drop=True)
    censored = world.paths[half].copy()
    months_known = ((pd.Timestamp("2023-01-01") - frame["as_of"]).dt.days.to_numpy() / 30).round().astype(int)
    for ahead in range(1, censored.shape[1]):
        censored[months_known < ahead, ahead] = np.nan
    model = OutcomeModel(inputs, settings(trees=20)).fit(frame, censored)
    rows = sum(np.isfinite(censored[:, m]).sum() for m in range(1, censored.shape[1]))
    assert model.outcomes_["churn"].rows <= rows


def with_luck(model, frame):
    """Hazards of the horizon's months under the luck to be expected."""
    odds = model.predict(frame).hazards[:, :6] / (1 - model.predict(frame).hazards[:, :6])
    odds = odds * np.exp(model.luck_.expected(6))
    return odds / (1 + odds)


def test_contributions_add_up_to_the_hazard(fitted, world):
    frame = newest(world).head(20)
    found = fitted.contributions(frame, "churn")
    margin = found.slope * (found.base + found.margin.sum(axis=-1)) + found.intercept
    hazards = with_luck(fitted, frame)[:, :, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-margin)), hazards, rtol=1e-8)
    assert found.names[:3] == ("health_score", "noise", "segment")


@pytest.mark.parametrize("learner", ["ensemble", "lightgbm", "logistic"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_contributions_add_up_on_a_level_that_differs_by_month(world, inputs, settings, learner, outcome):
    term = replace(inputs[0], name="term_days", signal="renewal")
    model = OutcomeModel((*inputs, term), settings(learner=learner, trees=30)).fit(world.frame, world.paths)
    frame = newest(world).head(20)
    found = model.contributions(frame, outcome)
    hazard = model.outcomes_[outcome].hazard
    assert np.ptp(hazard.level(model.rows_next_month(newest(world)))) > 0.01, "else this would test nothing"
    margin = found.slope * (found.base + found.margin.sum(axis=-1)) + found.intercept
    expected = with_luck(model, frame)[:, :, OUTCOMES.index(outcome)]
    np.testing.assert_allclose(1 / (1 + np.exp(-margin)), expected, rtol=1e-8)


def test_the_level_is_put_down_to_the_term_that_ends(world, inputs, settings):
    term = replace(inputs[0], name="term_days", signal="renewal")
    model = OutcomeModel((*inputs, term), settings(learner="logistic")).fit(world.frame, world.paths)
    frame = newest(world)
    found = model.contributions(frame, "churn")
    ends = model._ahead(frame, 6)[:, :, 2] == 1
    assert (found.margin[ends].argmax(axis=-1) == found.names.index("term_ends_in_month")).mean() > 0.9


def test_nobody_leaves_at_the_end_of_a_term_whose_renewal_is_signed(fitted, world):
    frame = newest(world)
    due = (frame["term_ends_on"] <= NEWEST + pd.DateOffset(months=6)).to_numpy()
    signed = fitted.predict(frame.assign(presigned=1.0)).event_probability("churn")[:, 5]
    assert fitted.predict(frame).event_probability("churn")[due, 5].mean() > 0.05
    assert signed[due].mean() < 0.01


@pytest.mark.parametrize(
    ("under_notice", "due", "presigned", "leaves"),
    [(1.0, 1.0, 0.0, True), (0.6, 1.0, 0.0, False), (1.0, 0.6, 0.0, False), (1.0, 1.0, 1.0, False)],
)
def test_an_account_leaves_with_its_term_if_all_of_its_arr_is_under_notice(
    fitted, world, under_notice, due, presigned, leaves
):
    frame = newest(world).assign(notice_given=1.0, notice_share=under_notice, due_share=due, presigned=presigned)
    ends = (frame["term_ends_on"] <= NEWEST + pd.DateOffset(months=6)).to_numpy()
    prediction = fitted.predict(frame)
    assert ((prediction.hazards[ends, :6, 0] == 1).any(axis=1) == leaves).all()
    assert ((prediction.event_probability("churn")[ends, 5] > 1 - 1e-6) == leaves).all()
    assert not (prediction.hazards[~ends, :6, 0] == 1).any()


@pytest.mark.parametrize("unsure", [{"presigned": 1.0}, {"due_share": 0.8}, {"notice_share": 0.0}])
def test_a_part_under_notice_goes_with_the_term_unless_the_account_does(fitted, world, unsure):
    state = {"notice_given": 1.0, "notice_share": 0.4, "due_share": 1.0, "presigned": 0.0}
    frame = newest(world).assign(**state)
    ends = (frame["term_ends_on"] <= NEWEST + pd.DateOffset(months=6)).to_numpy()
    prediction = fitted.predict(frame)
    account, month = decided(prediction)
    np.testing.assert_array_equal(account, np.flatnonzero(ends))
    assert (prediction.hazards[account, month, 2] == 0).all()
    assert (prediction.hazards[account, month, 0] < 1).all()
    multipliers = [prediction.pools[pool] for pool in prediction.pool_index[account, month, 0]]
    np.testing.assert_allclose(np.concatenate(multipliers), 0.6)
    chunk = next(simulate_paths(prediction, PathSettings(draws=200, seed=1, min_change=0.01)))
    here = chunk.rows.start <= account
    here &= (account < chunk.rows.stop) & (month > 0)
    before, after = (chunk.arr[account[here], at] for at in (month[here] - 1, month[here]))
    assert set(np.round(after[before > 0] / before[before > 0], 9)) == {0.0, 0.6}
    assert not decided(fitted.predict(frame.assign(**unsure)))[0].size


def decided(prediction):
    """Accounts and months of which something is certain to happen."""
    return np.nonzero(np.isclose(prediction.hazards[:, :6].sum(axis=2), 1))


def test_nor_when_the_grace_after_it_runs_out(fitted, world):
    """The term ends at the end of a month, its grace in the next; the term after it is a matter of chance again."""
    frame = newest(world).assign(term_ends_on=NEWEST + pd.DateOffset(days=29))
    hazards = [fitted.predict(frame.assign(presigned=signed)).hazards[:, :, 0] for signed in (0.0, 1.0)]
    assert (hazards[0][:, :2] > 0).all()
    assert (hazards[1][:, :2] == 0).all()
    assert (hazards[1][:, 2:] > 0).all()


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize(
    "state",
    [{"presigned": 1.0}, {"notice_given": 1.0, "notice_share": 1.0}, {"notice_given": 1.0, "notice_share": 0.4}],
)
def test_what_is_certain_is_a_reason_and_the_reasons_still_add_up(fitted, world, state, outcome):
    frame = newest(world).assign(due_share=1.0, **state)
    due = (frame["term_ends_on"] <= NEWEST + pd.DateOffset(months=3)).to_numpy()
    explained = fitted.contributions(frame, outcome)
    table = drivers(explained, fitted.all_inputs, frame, outcome=outcome, top=99, reference=np.zeros(11))
    sums = table.groupby("account_id")["effect"].sum().reindex(frame["account_id"]).to_numpy()
    base = 1 - (1 - expit(explained.slope * explained.base + explained.intercept)).prod()
    np.testing.assert_allclose(sums, horizon_probability(explained) - base, atol=1e-9)
    first = table[table["rank"] == 1].set_index("account_id").reindex(frame["account_id"])["signal"]
    if (outcome, state.get("notice_share")) in {("churn", 1.0), ("contraction", 0.4)}:
        assert (horizon_probability(explained)[due] == 1).all()
        assert (first[due] == "renewal").all()


def test_who_leaves_for_sure_has_no_chance_of_expansion_afterwards(fitted, world):
    frame = newest(world).assign(notice_given=1.0, notice_share=1.0, due_share=1.0)
    frame = frame.assign(term_ends_on=NEWEST + pd.DateOffset(days=10))
    assert (horizon_probability(fitted.contributions(frame, "expansion")) == 0).all()
    np.testing.assert_array_equal(fitted.predict(frame).event_probability("expansion"), 0)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_is_explained_is_what_is_published_where_luck_has_no_spread(world, inputs, settings, outcome):
    """Of one month, in which nothing else can come first; how chances move with size is put down to ARR."""
    frame = newest(world).head(30)
    model = OutcomeModel((*inputs, replace(inputs[0], name="arr")), settings(trees=10)).fit(world.frame, world.paths)
    model.outcomes_ = {name: replace(one, tilt=Slope(-0.3, 0.2)) for name, one in model.outcomes_.items()}
    model.luck_ = SharedLuck()
    explained = horizon_probability(first_month(model.contributions(frame, outcome)))
    prediction = replace(model.predict(frame), estimation=Estimation(np.full(3, -0.3), np.zeros(3), np.zeros(99)))
    np.testing.assert_allclose(prediction.event_probability(outcome)[:, 0], explained, rtol=1e-5)


def first_month(explained):
    first = {name: getattr(explained, name)[:1] for name in ("slope", "intercept")}
    decisions = Decisions(explained.decisions.share[:, :1], explained.decisions.shift[:, :1])
    return replace(
        explained, margin=explained.margin[:, :1], facts=explained.facts[:, :1], decisions=decisions, **first
    )


def test_months_between_training_and_snapshot_let_the_luck_fade(fitted, world):
    later = newest(world).assign(as_of=pd.Timestamp("2024-06-01"))
    assert fitted.predict(newest(world)).gap_months == 0
    assert fitted.predict(later).gap_months == 6, "the last month seen is November, the first one ahead June"
    assert fitted.predict(newest(world).assign(as_of=pd.Timestamp("2022-02-01"))).gap_months == 0


def test_what_the_fit_leaves_open_is_in_the_level_of_luck(world, inputs, settings, monkeypatch):
    def level(variance):
        monkeypatch.setattr(LogisticHazard, "estimation_variance", lambda *given: variance)
        model = OutcomeModel(inputs, settings(learner="logistic")).fit(world.frame, world.paths)
        slopes = [model.outcomes_[outcome].calibrator.slope for outcome in OUTCOMES]
        return np.array([np.diagonal(state.covariance)[:3] for state in model.luck_.states]), np.square(slopes)

    (unsure, slopes), (sure, _) = level(0.5), level(0.0)
    known = [outcome for outcome in range(3) if slopes[outcome] != 1]  # the others are plain rates
    assert known
    np.testing.assert_allclose((unsure - sure)[:, known], np.tile(0.5 * slopes[known], (len(sure), 1)))


def test_an_outcome_that_never_came_is_a_small_constant(world, inputs, settings):
    paths = np.where((world.paths > 0), world.paths[:, :1], world.paths)  # nothing ever grows or shrinks
    model = OutcomeModel(inputs, settings(trees=10)).fit(world.frame, paths)
    hazards = model.predict(newest(world)).hazards
    assert model.outcomes_["expansion"].hazard is None
    assert np.ptp(hazards[:, :, 2]) == 0
    assert 0 < hazards[0, 0, 2] < 1e-3
    assert model.contributions(newest(world), "expansion").margin.any() == False  # noqa: E712


def test_a_missing_input_is_named(fitted, world):
    with pytest.raises(ValueError, match="lack 1 input the model was trained on: noise"):
        fitted.predict(newest(world).drop(columns="noise"))


def test_paths_of_another_length_are_refused(world, inputs, settings):
    with pytest.raises(ValueError, match=r"paths has shape \(\d+, 4\), expected \(\d+, 8\)"):
        OutcomeModel(inputs, settings()).fit(world.frame, world.paths[:, :4])
    with pytest.raises(ValueError, match=r"streams has shape \(\d+, 4\), expected \(\d+, 8\)"):
        OutcomeModel(inputs, settings()).fit(world.frame, world.paths, world.streams[:, :4])


def test_an_unknown_category_counts_as_missing(fitted, world):
    frame = newest(world).head(5)
    other, none = frame.assign(segment="never seen"), frame.assign(segment=None)
    np.testing.assert_array_equal(fitted.predict(other).hazards, fitted.predict(none).hazards)


def test_horizon_probabilities_from_monthly_hazards():
    hazards = np.array([[[0.1, 0.0, 0.2], [0.5, 0.0, 0.4]]])
    prediction = Prediction(
        account=np.zeros(1, np.uint64),
        first_month=0,
        arr=np.array([100.0]),
        size=np.zeros(1),
        hazards=hazards,
        pool_index=np.zeros((1, 2, 2), int),
        pools=(np.ones(1),),
        pool_names=("one",),
        luck=SharedLuck(),
        gap_months=0,
        estimation=Estimation.none(1),
        cross_sell_share=np.array([0.25]),
    )
    np.testing.assert_allclose(prediction.event_probability("churn"), [[0.1, 0.55]])
    # month 1: 0.2; month 2: neither left nor expanded before (0.7), then 0.4
    np.testing.assert_allclose(prediction.event_probability("expansion"), [[0.2, 0.2 + 0.7 * 0.4]], rtol=1e-6)
    # a quarter of both: 0.05; then neither left nor cross-sold to before (0.85), then 0.1
    np.testing.assert_allclose(prediction.cross_sell_probability(), [[0.05, 0.05 + 0.85 * 0.1]], rtol=1e-6)


def test_a_prediction_is_of_each_account_alone_to_the_last_digit(fitted, world, monkeypatch):
    """Whatever the blocks that accounts are worked on in, and whoever else is there."""
    frame = newest(world)
    whole = fitted.predict(frame)
    monkeypatch.setattr("models.hazards.model_inputs.BLOCK", 7)
    cut = fitted.predict(frame)
    np.testing.assert_array_equal(cut.hazards, whole.hazards)
    np.testing.assert_array_equal(cut.event_probability("churn"), whole.event_probability("churn"))
    np.testing.assert_array_equal(fitted.predict(frame.iloc[5:6]).hazards, whole.hazards[5:6])
