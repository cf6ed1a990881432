"""The bridge adds up to the cent, account by account, and shows nothing where nothing happened."""

import dataclasses
from itertools import chain, combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.hazards.term_ends import TermEnds
from models.outcomes.after_change import AfterChange
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.returns import Returns
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.bridge import (
    FACTORS,
    STEPS,
    Passage,
    Step,
    bridge_between,
    in_cents,
    largest_remainder,
    shapley,
    unsplit,
)
from models.paths.outlook import Outlook, outlook
from models.paths.simulate import PathSettings, account_paths

MONTHS, ACCOUNTS = 12, 40
SETTINGS = PathSettings(draws=200, seed=7, min_change=0.01)
STATE = LuckState(
    mean=(0.1, 0.0, -0.1, 0.3, 0.0, 0.1),
    covariance=tuple(tuple(0.04 * (i == j) for j in range(6)) for i in range(6)),
    sd=(0.3, 0.2, 0.2),
    persistence=(0.8, 0.5, 0.5),
    correlation=-0.4,
)


def prediction() -> Prediction:
    random = np.random.default_rng(4)
    shares = random.uniform(0, 0.06, (ACCOUNTS, MONTHS, 3))
    return Prediction(
        account=streams(range(len(shares))),
        first_month=24312,
        arr=random.lognormal(9, 1, len(shares)),
        size=random.normal(size=len(shares)),
        hazards=shares,
        pool_index=np.broadcast_to([0, 1], (*shares.shape[:2], 2)),
        pools=(np.array([0.5, 0.9]), np.array([1.1, 1.5])),
        pool_names=("contraction", "expansion"),
        luck=SharedLuck((STATE,)),
        gap_months=0,
        estimation=Estimation(np.array([0.1, 0, 0]), np.array([0.05, 0.1, 0.1]), np.zeros(2)),
        cross_sell_share=np.full(len(shares), np.nan),
    )


def a_month_later(of: Prediction, *, months: int) -> Prediction:
    """What the same model says of the same accounts when nothing has happened and nothing is news."""
    rows = {"hazards": of.hazards[:, months:], "pool_index": of.pool_index[:, months:]}
    return dataclasses.replace(of, **rows, first_month=of.first_month + months, gap_months=months)


def decided_and_returning() -> Prediction:
    """The same with all that a forecast knows: ends of terms that are decided, returns, amounts that are open."""
    of, random = prediction(), np.random.default_rng(5)
    ends = random.random((ACCOUNTS, MONTHS)) < 0.3
    is_open = np.roll(ends, 1, axis=1)
    is_open[:, 0] = False
    changed = np.where(is_open[:, :, None], of.hazards / 4, of.hazards)
    return dataclasses.replace(
        of,
        decisions=AfterChange(TermEnds(ends, is_open), changed),
        returns=Returns(np.array([0.4, 0.3, 0.2, 0.1, 0.1, 0.1]), np.array([0.4, 0.8])),
        estimation=dataclasses.replace(of.estimation, change_error=np.full(2, 0.3)),
    )


@pytest.mark.parametrize("of", [prediction(), decided_and_returning()], ids=["plain", "decided and returning"])
def test_an_outlook_is_the_expected_arr_that_a_forecast_publishes(of: Prediction) -> None:
    published = account_paths(of, SETTINGS, horizon_months=MONTHS).expected_arr
    for months in (1, 5, MONTHS):
        np.testing.assert_array_equal(of.arr * outlook(of, SETTINGS, months=months).whole, published[:, months - 1])


def test_an_outlook_does_not_depend_on_threads() -> None:
    one, two = (outlook(prediction(), SETTINGS, months=MONTHS, passed=3, threads=threads) for threads in (1, 2))
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(two, name))


@pytest.mark.parametrize("known", [prediction(), decided_and_returning()], ids=["plain", "decided and returning"])
@pytest.mark.parametrize("passed", [1, 2, 2.4])
def test_what_the_months_that_passed_do_is_told_by_outcome(passed: float, known: Prediction) -> None:
    of = outlook(known, SETTINGS, months=MONTHS, passed=passed)
    np.testing.assert_allclose(of.whole - of.later, of.change.sum(axis=1), atol=1e-6)
    assert (of.change[:, :2] <= 0).all()
    assert (of.change[:, 2] >= 0).all()


def test_half_a_month_lies_between_none_and_all_of_it() -> None:
    none, half, one = (outlook(prediction(), SETTINGS, months=4, passed=passed) for passed in (0, 0.5, 1))
    near = [outlook(prediction(), SETTINGS, months=months).whole for months in (3, 3.5, 4)]
    for low, middle, high in ((none.later, half.later, one.later), near):
        assert ((middle - low) * (high - middle) > 0).all()


def quiet(passed: int) -> tuple[Prediction, Passage]:
    """A cohort of whose months so many have passed without any event."""
    of = prediction()
    expected = outlook(of, SETTINGS, months=MONTHS, passed=passed)
    return of, Passage(
        published=np.round(of.arr * expected.whole, 2),
        start=of.arr,
        restated=of.arr,
        reached=of.arr,
        expected=expected,
        overdue=np.zeros(ACCOUNTS, dtype=bool),
    )


def amounts(bridge: object) -> dict[Step, int]:
    return dict(zip(STEPS, bridge.steps.sum(axis=0).tolist(), strict=True))  # type: ignore[attr-defined]


def test_forecasts_of_the_same_date_data_and_model_give_zeros() -> None:
    of, passage = quiet(0)
    now = outlook(of, SETTINGS, months=MONTHS).whole
    bridge = bridge_between(passage, dict.fromkeys(FACTORS, now), of.arr * now)
    assert not bridge.steps.any()
    np.testing.assert_array_equal(bridge.start, bridge.end)


def test_a_month_without_events_is_what_was_expected_of_it_and_no_news() -> None:
    of, passage = quiet(1)
    later = outlook(a_month_later(of, months=1), SETTINGS, months=MONTHS - 1).whole
    bridge = bridge_between(passage, dict.fromkeys(FACTORS, later), of.arr * later)
    steps = amounts(bridge)
    expected_losses = -(of.arr * passage.expected.change[:, :2].sum(axis=1)).sum()
    expected_gains = (of.arr * passage.expected.change[:, 2]).sum()
    realised = steps[Step.CHURN] + steps[Step.CONTRACTION] + steps[Step.EXPANSION]
    assert realised / 100 == pytest.approx(expected_losses - expected_gains, rel=1e-4)
    assert steps[Step.CHURN] > 0 > steps[Step.EXPANSION]
    others = {
        step: amount for step, amount in steps.items() if step not in (Step.CHURN, Step.CONTRACTION, Step.EXPANSION)
    }
    assert not any(others.values()), others
    assert bridge.residual == 0


def test_who_left_loses_what_was_expected_of_it_and_no_more() -> None:
    _, passage = quiet(1)
    left = dataclasses.replace(passage, reached=np.zeros(ACCOUNTS))
    bridge = bridge_between(left, dict.fromkeys(FACTORS, np.zeros(ACCOUNTS)), np.zeros(ACCOUNTS))
    np.testing.assert_array_equal(bridge.steps.sum(axis=1), -bridge.start)
    steps = amounts(bridge)
    assert steps[Step.CHURN] < 0
    assert steps[Step.NEWS] == steps[Step.MODEL] == steps[Step.TIMING] == 0


def test_an_overdue_renewal_is_a_matter_of_timing() -> None:
    of, passage = quiet(1)
    overdue = dataclasses.replace(passage, overdue=np.arange(ACCOUNTS) < 10)
    bridge = bridge_between(overdue, dict.fromkeys(FACTORS, passage.expected.later), of.arr * passage.expected.later)
    churn, timing = (bridge.steps[:, STEPS.index(step)] for step in (Step.CHURN, Step.TIMING))
    assert (timing[:10] > 0).all()
    assert not churn[:10].any()
    assert not timing[10:].any()
    assert (churn[10:] > 0).all()


def test_each_factor_has_a_step_of_its_own() -> None:
    of, passage = quiet(1)
    multiples = {factor: np.full(ACCOUNTS, 1.0 - 0.1 * place) for place, factor in enumerate(FACTORS)}
    bridge = bridge_between(passage, multiples, of.arr * 0.7 + 1)
    steps = amounts(bridge)
    arr = of.arr.sum() * 100
    for step in (Step.MARKET, Step.RECALIBRATION, Step.MODEL):
        assert steps[step] == pytest.approx(-0.1 * arr, abs=ACCOUNTS)
    assert steps[Step.RULES] == pytest.approx(100 * ACCOUNTS, abs=ACCOUNTS)


def test_a_restated_start_and_a_moved_window_have_steps_of_their_own() -> None:
    of, passage = quiet(0)
    now = passage.expected.whole
    joined = np.arange(ACCOUNTS) >= 35
    none = np.where(joined, 0.0, 1.0)
    restated = dataclasses.replace(
        passage, published=passage.published * none, start=of.arr * none, restated=of.arr * 1.1 * none,
        reached=of.arr * 1.1 * none,
    )  # fmt: skip
    end = of.arr * now * np.where(joined, 1.0, 1.1)
    bridge = bridge_between(restated, dict.fromkeys(FACTORS, now), end, moved=end * 0.9)
    steps = amounts(bridge)
    assert steps[Step.RESTATED] == pytest.approx(10 * (of.arr * now * none).sum(), abs=ACCOUNTS)
    assert steps[Step.COHORT] == pytest.approx(100 * (of.arr * now)[joined].sum(), abs=ACCOUNTS)
    assert steps[Step.WINDOW] == pytest.approx(-10 * end.sum(), abs=ACCOUNTS)
    assert bridge.residual == 0


MONEY = st.floats(-1e9, 1e9, allow_nan=False, width=64)


@settings(deadline=None)
@given(arrays.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=MONEY), st.integers(-3, 3))
def test_largest_remainder_adds_up_and_is_near(parts: np.ndarray, off: int) -> None:
    total = np.rint(parts.sum(axis=1)).astype(np.int64) + off
    whole = largest_remainder(parts, total)
    np.testing.assert_array_equal(whole.sum(axis=1), total)
    assert (np.abs(whole - parts) <= 2 + abs(off)).all()


@settings(deadline=None)
@given(
    arrays.arrays(float, (5, 8), elements=st.one_of(st.just(0.0), st.floats(-1e7, 1e7))),
    arrays.arrays(float, 5, elements=st.floats(0, 1e8)),
)
def test_whatever_the_amounts_nothing_is_left_over(changes: np.ndarray, start: np.ndarray) -> None:
    """Each account's cents add up, and so do those of any set of accounts; what did not change shows no cent."""
    steps = dict(zip(STEPS, changes.T, strict=False))
    bridge = in_cents(start, steps, start + changes.sum(axis=1))
    np.testing.assert_array_equal(bridge.start + bridge.steps.sum(axis=1), bridge.end)
    assert bridge.residual == 0
    quiet_accounts = ~changes.any(axis=1)
    assert not bridge.steps[quiet_accounts].any()


@pytest.fixture(scope="module")
def expected() -> Outlook:
    return outlook(prediction(), SETTINGS, months=3, passed=2)


@settings(deadline=None)
@given(data=st.data())
def test_a_bridge_of_any_passage_leaves_nothing_over(expected: Outlook, data: st.DataObject) -> None:
    of = prediction()
    share = arrays.arrays(float, ACCOUNTS, elements=st.floats(0, 1.5))
    draw = {name: data.draw(share) for name in ("published", "start", "restated", "reached", "end", *FACTORS)}
    money = {name: of.arr * draw[name] for name in ("published", "start", "restated", "reached")}
    overdue = np.asarray(data.draw(st.lists(st.booleans(), min_size=ACCOUNTS, max_size=ACCOUNTS)))
    passage = Passage(**money, expected=expected, overdue=overdue)
    bridge = bridge_between(passage, {factor: draw[factor] for factor in FACTORS}, of.arr * draw["end"])
    np.testing.assert_array_equal(bridge.start + bridge.steps.sum(axis=1), bridge.end)
    np.testing.assert_array_equal(bridge.end, np.rint(of.arr * draw["end"] * 100))
    assert bridge.residual == 0


def test_without_what_it_takes_all_is_one_step() -> None:
    bridge = unsplit(np.array([10.0, 0.0]), np.array([12.5, 3.0]))
    assert bridge.steps[:, STEPS.index(Step.UNSPLIT)].tolist() == [250, 300]
    assert bridge.steps.sum() == 550


def test_shapley_is_the_mean_over_all_orders() -> None:
    sets = [frozenset(some) for some in chain.from_iterable(combinations(FACTORS, n) for n in range(5))]
    random = np.random.default_rng(1)
    values = {some: float(random.normal()) for some in sets}
    worth = shapley(values)
    assert sum(worth.values()) == pytest.approx(values[frozenset(FACTORS)] - values[frozenset()])
    orders = list(permutations(FACTORS))
    for factor in FACTORS:
        before = [frozenset(order[: order.index(factor)]) for order in orders]
        mean = np.mean([values[some | {factor}] - values[some] for some in before])
        assert worth[factor] == pytest.approx(mean)


def test_an_outlook_of_no_months_leaves_arr_as_it_is() -> None:
    none = outlook(prediction(), SETTINGS, months=0)
    assert isinstance(none, Outlook)
    assert (none.whole == 1).all()
    assert (none.later == 1).all()
