"""Sums over accounts, each looked at in a month of its own: a slow loop over the same futures, and a closed form."""

import numpy as np
import pytest

from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from models.paths.cells import Looks, cell_sums
from models.paths.simulate import PathSettings, simulate_paths

pytestmark = pytest.mark.usefixtures("costly")

ACCOUNTS, MONTHS, CELLS = 70, 6, 4
SETTINGS = PathSettings(draws=500, seed=3, min_change=0.001)


def prediction(churn: float, other: float = 0.0, accounts: int = ACCOUNTS) -> Prediction:
    rng = np.random.default_rng(1)
    return Prediction(
        account=streams(f"a{number}" for number in range(accounts)),
        first_month=12 * 2026 + 1,
        arr=rng.lognormal(4, 1, accounts),
        size=np.ones(accounts),
        hazards=np.broadcast_to([churn, other, other], (accounts, MONTHS, 3)).astype(float),
        pool_index=np.broadcast_to([0, 1], (accounts, MONTHS, 2)),
        pools=(np.array([0.5, 0.7]), np.array([1.2, 1.4])),
        pool_names=("down", "up"),
        luck=SharedLuck(),
        gap_months=0,
        estimation=Estimation.none(2),
        cross_sell_share=np.full(accounts, 0.5),
    )


def looks(of: Prediction) -> Looks:
    rng = np.random.default_rng(2)
    account = np.sort(rng.integers(0, len(of.arr), 150))
    month = rng.integers(0, MONTHS + 1, 150)
    return Looks(account, rng.integers(0, CELLS, 150), month, of.arr[account] * rng.uniform(0.5, 1.5, 150))


def test_the_sums_are_those_of_a_slow_loop_whatever_the_threads() -> None:
    of = prediction(0.05, 0.1)
    entries = looks(of)
    paths = np.concatenate([chunk.arr for chunk in simulate_paths(of, SETTINGS)])
    slow = np.zeros((3, CELLS, SETTINGS.draws))
    for account, cell, month, first in zip(
        entries.account, entries.cell, entries.month, entries.first_arr, strict=True
    ):
        for draw in range(SETTINGS.draws):
            arr = of.arr[account] if month == 0 else paths[account, month - 1, draw]
            slow[:, cell, draw] += (arr, min(arr, first), arr > 0)
    for threads in (1, 2):
        sums = cell_sums(of, SETTINGS, entries, CELLS, threads=threads)
        np.testing.assert_allclose([sums.arr, sums.kept, sums.customers], slow, rtol=1e-12)


def test_independent_churn_is_binomial() -> None:
    of = prediction(0.1)
    account = np.arange(ACCOUNTS)
    month = account % 3
    entries = Looks(account, np.zeros(ACCOUNTS, np.int64), month, of.arr)
    customers = cell_sums(of, PathSettings(4000, 1, 0.001), entries, 1).customers[0]
    stays = 0.9**month
    assert customers.mean() == pytest.approx(stays.sum(), abs=0.2)
    assert customers.std() == pytest.approx(np.sqrt((stays * (1 - stays)).sum()), rel=0.05)
