"""The compiled futures, against the same months passed over whole arrays by NumPy: equal to the last bit."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models.hazards.term_ends import TermEnds
from models.outcomes.after_change import AfterChange
from models.outcomes.keyed_draws import Purpose, streams, uniforms, uniforms_at
from models.outcomes.levers import Levers
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.returns import Returns
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.absent import Absent
from models.paths.closed_form import ClosedForm
from models.paths.group_sums import add_changes
from models.paths.rollup import roll_up
from models.paths.simulate import Common, PathSettings, account_paths, draw_common, monthly, simulate_paths

pytestmark = pytest.mark.usefixtures("costly")

ACCOUNTS, MONTHS = 70, 14
SETTINGS = PathSettings(draws=203, seed=11, min_change=0.001)
Found = tuple[np.ndarray, np.ndarray]


def company(*, shared: bool, terms: bool, returns: bool, levers: bool) -> Prediction:
    """Accounts some of whose months are certain, some crowded, and of whom some decide at the end of a term."""
    chance = np.random.default_rng(5)
    hazards = chance.uniform(0, 1, (ACCOUNTS, MONTHS, 3)) ** 2 * np.array([0.2, 0.3, 0.4])
    hazards[3, 5] = 1, 0, 0
    hazards[4, 6] = 0, 1, 0
    hazards[5, 7] = 0, 0, 0
    hazards[6, 8] = 0.3, 0.3, 0.4
    hazards[7] = 0.2, 0.35, 0.44
    ends = chance.random((ACCOUNTS, MONTHS)) < 0.2
    opened = np.pad(ends, ((0, 0), (1, 0)))[:, :-1] | (np.pad(ends, ((0, 0), (2, 0)))[:, :-2])
    after = AfterChange(TermEnds(ends, opened), np.where(opened[:, :, None], hazards[::-1] * 0.4, hazards))
    luck = LuckState((0.1, -0.1, 0.2, 0.3, 0.0, -0.2), tuple(map(tuple, np.eye(6) * 0.1)), (0.5,) * 3, (0.8,) * 3, -0.4)
    estimation = Estimation(np.array([-0.2, 0.1, 0.1]), np.array([0.1, 0.2, 0.1]), np.array([0.1, 0.0, 0.3]))
    shape = chance.normal(0, 0.3, (2, ACCOUNTS, MONTHS, 3)).astype(np.float32)
    strength = chance.normal(1, 0.2, (2, SETTINGS.draws)).astype(np.float32)
    return Prediction(
        account=streams(range(ACCOUNTS)),
        first_month=12 * 2026 + 3,
        arr=chance.lognormal(10, 1, ACCOUNTS),
        size=chance.normal(size=ACCOUNTS),
        hazards=hazards,
        pool_index=np.stack([chance.integers(0, 2, (ACCOUNTS, MONTHS)), np.full((ACCOUNTS, MONTHS), 2)], axis=2),
        pools=(np.array([0.5, 0.7, 0.0001]), np.array([0.9]), np.array([1.4, 1.2])),
        pool_names=("down", "less", "up"),
        luck=SharedLuck((luck,)) if shared else SharedLuck(),
        gap_months=1,
        estimation=estimation if shared else Estimation.none(3),
        cross_sell_share=np.full(ACCOUNTS, np.nan),
        decisions=after if terms else None,
        returns=Returns(np.array([0.4, 0.3, 0.2, 0.1, 0.05, 0.0]), np.array([0.4, 0.8, 1.1])) if returns else None,
        levers=Levers(shape, strength) if levers else None,
    )


KINDS = [
    {"shared": False, "terms": False, "returns": False, "levers": False},
    {"shared": True, "terms": False, "returns": False, "levers": False},
    {"shared": True, "terms": True, "returns": False, "levers": True},
    {"shared": True, "terms": True, "returns": True, "levers": False},
    {"shared": False, "terms": False, "returns": True, "levers": True},
]


def by_arrays(prediction: Prediction) -> Iterator[Found]:
    """Month by month: ARR, shape (accounts, draws), and the three closed means, shape (3, accounts)."""
    common, rows = draw_common(prediction, SETTINGS), slice(0, ACCOUNTS)
    after = prediction.after_change.rows(rows)
    arr = np.repeat(prediction.arr[:, None], SETTINGS.draws, axis=1)
    masses = ClosedForm(after, prediction.returns, SETTINGS.draws)
    absent = Absent(prediction.returns, SETTINGS.seed, prediction.account, SETTINGS.draws)
    decided = np.zeros(arr.shape, dtype=bool)
    for month, (hazards, others, gains) in enumerate(monthly(prediction, rows, common)):
        here = after.open_rows(month)
        masses.step(month, hazards, others, gains)
        hazards[here] = np.where(decided[here, None], others, hazards[here])
        before = arr.copy()
        account, draw = change(arr, hazards, prediction, common, month)
        decided = after.decided(decided, account, draw, month)
        one, other, back = absent.come_back(prediction.first_month + month)
        left = arr[account, draw] == 0
        absent.pass_month(account[left], draw[left], before[account, draw][left])
        arr[one, other] = back
        yield arr.copy(), np.array(masses.means())


def change(arr: np.ndarray, hazards: np.ndarray, of: Prediction, common: Common, month: int) -> Found:
    """Let a month pass, in place; gives the account and draw of what changes."""
    calendar, stream = of.first_month + month, of.account
    luck = uniforms(SETTINGS.seed, stream, calendar, Purpose.OUTCOME, draws=arr.shape[1])
    low, middle = hazards[:, 0], hazards[:, 0] + hazards[:, 1]
    account, draw = np.nonzero((luck < middle + hazards[:, 2]) & (arr > 0))
    value = luck[account, draw]
    which = (value >= low[account, draw]).astype(int) + (value >= middle[account, draw])
    pool = of.pool_index[account, month, np.maximum(which - 1, 0)]
    place = uniforms_at(SETTINGS.seed, stream[account], calendar, Purpose.AMOUNT, draw=draw)
    amount = common.pools[pool, (place * common.lengths[pool]).astype(int)] - 1
    arr[account, draw] *= np.where(which == 0, 0.0, np.maximum(1 + amount * common.change[pool, draw], 0.01))
    return account, draw


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "+".join(name for name, on in kind.items() if on) or "plain")
def test_futures_and_closed_forms_are_those_of_whole_arrays(kind: dict[str, bool]) -> None:
    prediction = company(**kind)
    arr, means = zip(*by_arrays(prediction), strict=True)
    chunks = list(simulate_paths(prediction, SETTINGS))
    np.testing.assert_array_equal(np.concatenate([one.arr for one in chunks]), np.stack(arr, axis=1))
    left, first_left, grown = np.stack(means, axis=2)
    np.testing.assert_array_equal(np.concatenate([one.left for one in chunks]), left)
    np.testing.assert_array_equal(np.concatenate([one.first_left for one in chunks]), first_left)
    expected = np.concatenate([one.expected_arr for one in chunks])
    np.testing.assert_array_equal(expected, prediction.arr[:, None] * grown)


def test_figures_of_accounts_are_quantiles_and_shares_of_their_futures() -> None:
    prediction = company(**KINDS[3])
    arr, start = (
        np.concatenate([one.arr for one in simulate_paths(prediction, SETTINGS)]),
        prediction.arr[:, None, None],
    )
    accounts = account_paths(prediction, SETTINGS, horizon_months=MONTHS)
    for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        np.testing.assert_array_equal(getattr(accounts, name), np.quantile(arr, share, axis=2))
    shrunk = ((arr > 0) & (arr < start * (1 - SETTINGS.min_change))).mean(axis=2)
    np.testing.assert_array_equal(accounts.contraction_probability, shrunk)
    np.testing.assert_array_equal(
        accounts.expansion_probability, (arr > start * (1 + SETTINGS.min_change)).mean(axis=2)
    )


@pytest.mark.parametrize("draws", [1, 2, 3, 10, 11, 2000])
def test_few_draws_have_quantiles_too(draws: int) -> None:
    few, prediction = replace(SETTINGS, draws=draws), company(**KINDS[3])
    arr = np.concatenate([one.arr for one in simulate_paths(prediction, few)])
    accounts = account_paths(prediction, few, horizon_months=MONTHS)
    for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        np.testing.assert_array_equal(getattr(accounts, name), np.quantile(arr, share, axis=2))


def test_metrics_are_what_the_changes_of_each_group_add_up_to() -> None:
    prediction, horizon = company(**KINDS[3]), 12
    label = np.array([f"csm {number % 5}" for number in range(ACCOUNTS)], dtype=object)
    rolled = roll_up(prediction, SETTINGS, horizon_months=horizon, cuts={"csm": label})
    order = np.argsort(prediction.account, kind="stable")
    ordered = prediction.rows(order)
    arr = np.concatenate([one.arr for one in simulate_paths(ordered, SETTINGS)])
    for row, (cut, value) in enumerate(zip(rolled.groups["cut"], rolled.groups["value"], strict=True)):
        here = np.ones(ACCOUNTS, dtype=bool) if cut == "total" else label[order] == value
        start = ordered.arr[here].sum()
        changes = np.zeros((4, 1, horizon, SETTINGS.draws))
        add_changes(changes, np.zeros((here.sum(), 1), dtype=np.int64), ordered.arr[here], arr[here])
        lost, shrunk, grown, gone = np.cumsum(changes[:, 0], axis=1)
        lost, shrunk, grown = (np.where(np.abs(one) < start * 1e-9, 0, one) for one in (lost, shrunk, grown))
        capped = np.maximum(start - lost - shrunk, 0)
        expected = {"nrr": (capped + grown) / start, "grr": capped / start, "logo_retention": 1 - gone / here.sum()}
        expected |= {"ending_arr": capped + grown, "churned_arr": lost, "contracted_arr": shrunk, "expanded_arr": grown}
        for name, values in expected.items():
            np.testing.assert_allclose(rolled.draws[name][row], values, rtol=1e-12, atol=1e-12)
        kept = arr[here][:, :horizon]
        np.testing.assert_allclose(rolled.draws["ending_arr"][row], kept.sum(axis=0), rtol=1e-9)
