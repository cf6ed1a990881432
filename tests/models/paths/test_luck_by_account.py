"""Each account has its own luck in each calendar month, whatever else is forecast with it.

So two forecasts differ by what is known, and not by their dice.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths import simulate
from models.paths.rollup import RollUp, Trailing, roll_up
from models.paths.simulate import PathSettings, account_paths, simulate_paths

FIRST_MONTH, MONTHS, DRAWS = 12 * 2026 + 1, 5, 203
POOLS = {"shrinks": np.array([0.5, 0.7, 0.9]), "grows": np.array([1.1, 1.2, 1.4]), "grows much": np.array([2.0, 3.0])}
COVARIANCE = tuple(map(tuple, np.diag([0.1] * 6)))
LUCK = SharedLuck(
    tuple(LuckState((0.0,) * 6, COVARIANCE, (sd, 0.2, 0.3), (0.9, 0.5, 0.7), -0.4) for sd in (0.2, 0.4, 0.6))
)


def company(accounts: int = 70) -> Prediction:
    """Accounts of all sorts, under shared luck and with parameters that are not well known."""
    rng = np.random.default_rng(0)
    return Prediction(
        account=streams(f"a{number}" for number in range(accounts)),
        first_month=FIRST_MONTH,
        arr=rng.lognormal(9, 1, accounts),
        size=rng.normal(size=accounts),
        hazards=rng.uniform(0, 0.1, (accounts, MONTHS, 3)),
        pool_index=np.stack([np.zeros((accounts, MONTHS), int), rng.integers(1, 3, (accounts, MONTHS))], axis=-1),
        pools=tuple(POOLS.values()),
        pool_names=tuple(POOLS),
        luck=LUCK,
        gap_months=1,
        estimation=Estimation(np.full(3, 0.1), np.full(3, 0.2), np.array([0.1, 0.2, 0.3])),
        cross_sell_share=np.full(accounts, 0.5),
    )


def settings(draws: int = DRAWS) -> PathSettings:
    return PathSettings(draws=draws, seed=3, min_change=0.001)


def paths(prediction: Prediction, draws: int = DRAWS) -> np.ndarray:
    """ARR, shape (accounts, months, draws)."""
    return np.concatenate([chunk.arr for chunk in simulate_paths(prediction, settings(draws))])


def added_up(prediction: Prediction, order: np.ndarray, threads: int = 1) -> RollUp:
    """Everything that is added up, of the accounts in some order."""
    rng, accounts = np.random.default_rng(1), len(prediction.arr)
    cohort = np.where(rng.random((accounts, 4)) < 0.7, prediction.arr[:, None], 0.0)
    due = np.where(rng.random((accounts, 4)) < 0.3, prediction.arr[:, None], 0.0)
    region = rng.choice(["north", "south", "west"], accounts).astype(object)
    return roll_up(
        prediction.rows(order),
        settings(),
        horizon_months=4,
        cuts={"region": region[order]},
        trailing=Trailing(cohort[order], pd.DataFrame({"month": [1], "arr": [99.0], "region": ["west"]})),
        due=due[order],
        threads=threads,
    )


def as_bytes(rolled: RollUp, order: np.ndarray) -> dict[str, bytes]:
    accounts = {name: values[np.argsort(order)] for name, values in vars(rolled.accounts).items()}
    tables = {"groups": rolled.groups, "renewals": rolled.renewals, "table": rolled.table()}
    return {
        **{name: values.tobytes() for name, values in {**rolled.draws, **accounts}.items()},
        **{name: table.to_csv(float_format="%.17g").encode() for name, table in tables.items()},
    }


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shuffled", [False, True])
def test_chunks_threads_and_the_order_of_accounts_change_no_byte(
    chunk: int, threads: int, shuffled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = company()
    order = np.arange(len(prediction.arr))
    expected = as_bytes(added_up(prediction, order), order)
    other = np.random.default_rng(2).permutation(order) if shuffled else order
    monkeypatch.setattr(simulate, "CHUNK", chunk)
    assert as_bytes(added_up(prediction, other, threads), other) == expected


def test_other_accounts_change_no_account() -> None:
    everybody, some = company(), np.array([50, 3, 20])
    np.testing.assert_array_equal(paths(everybody.rows(some)), paths(everybody)[some])
    alone = account_paths(everybody.rows(some), settings(), horizon_months=4)
    together = account_paths(everybody, settings(), horizon_months=4)
    for name, values in vars(together).items():
        np.testing.assert_array_equal(getattr(alone, name), values[some])


def test_what_a_model_says_of_others_changes_no_account() -> None:
    prediction = company()
    riskier = replace(prediction, hazards=np.concatenate([prediction.hazards[:40], 2 * prediction.hazards[40:]]))
    np.testing.assert_array_equal(paths(riskier)[:40], paths(prediction)[:40])
    assert (paths(riskier)[40:] != paths(prediction)[40:]).any()


def test_a_forecast_a_month_later_has_the_same_luck_in_the_same_months() -> None:
    """Where nothing happened in the month between: accounts' own luck and what they share go by the calendar."""
    quiet = company()
    quiet.hazards[:, 0] = 0
    later = replace(
        quiet,
        first_month=FIRST_MONTH + 1,
        hazards=quiet.hazards[:, 1:],
        pool_index=quiet.pool_index[:, 1:],
        gap_months=quiet.gap_months + 1,
    )
    np.testing.assert_array_equal(paths(later), paths(quiet)[:, 1:])


def test_a_month_more_ahead_changes_none_before_it() -> None:
    prediction = company()
    shorter = replace(prediction, hazards=prediction.hazards[:, :3], pool_index=prediction.pool_index[:, :3])
    np.testing.assert_array_equal(paths(shorter), paths(prediction)[:, :3])


def test_a_pool_that_comes_or_goes_changes_no_account_of_another() -> None:
    prediction = company()
    error = prediction.estimation.change_error
    more = replace(
        prediction,
        pools=(np.array([0.2]), *prediction.pools),
        pool_names=("new", *prediction.pool_names),
        pool_index=prediction.pool_index + 1,
        estimation=replace(prediction.estimation, change_error=np.array([0.4, *error])),
    )
    np.testing.assert_array_equal(paths(more), paths(prediction))


def test_more_draws_are_the_same_and_more() -> None:
    states = replace(company(), luck=SharedLuck(LUCK.states[:1]))
    np.testing.assert_array_equal(paths(states, 50), paths(states, 203)[:, :, :50])


def test_the_order_of_a_pool_says_nothing() -> None:
    prediction = company()
    turned = replace(prediction, pools=tuple(pool[::-1] for pool in prediction.pools))
    np.testing.assert_array_equal(paths(turned), paths(prediction))


def test_a_likelier_outcome_takes_the_draws_it_took_before_and_more() -> None:
    """Common numbers: where churn is a little likelier, nobody stays who left before."""
    prediction = company().independent()
    riskier = replace(prediction, hazards=prediction.hazards * [1.2, 1.0, 1.0])
    before, after = paths(prediction)[:, 0] == 0, paths(riskier)[:, 0] == 0
    assert after[before].all()
    assert after.sum() > before.sum()


def test_the_amount_has_luck_of_its_own() -> None:
    """Given that an account grows, how much has nothing to do with how near it was to not growing."""
    hazards = np.zeros((70, MONTHS, 3))
    hazards[:, :, 2] = np.linspace(0.2, 0.9, 70)[:, None]
    prediction = replace(company().independent(), hazards=hazards, pool_index=np.full((70, MONTHS, 2), 1))
    first = paths(prediction, 4000)[:, 0] / prediction.arr[:, None]
    share = np.array([np.bincount(np.searchsorted([1.15, 1.3], row[row > 1]), minlength=3) for row in first])
    np.testing.assert_allclose(share.sum(axis=0) / share.sum(), 1 / 3, atol=0.01)
    np.testing.assert_allclose(share / share.sum(axis=1, keepdims=True), 1 / 3, atol=0.06)
