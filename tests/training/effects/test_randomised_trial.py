"""A real randomised trial, confounded on purpose: the effect that the trial found is found again.

Thornton (2008) drew lots for incentives to fetch the result of an HIV test in rural Malawi. The package `causaldata`
has the data. Who lives near and is older fetches it more often anyway; of those we keep the treated, and of the others
the untreated, so that the plain difference is too large.
"""

import numpy as np
import pandas as pd
import pytest

import params as settings
from models.effects.orthogonal import Estimate
from params import Params
from training.effects.table_effect import table_effect

causaldata = pytest.importorskip("causaldata", reason="the package causaldata is not installed")
pytestmark = pytest.mark.usefixtures("costly")
COVARIATES = ("distvct", "age", "hiv2004")
DRAWS, ENOUGH = 10, 8


@pytest.fixture(scope="module")
def trial() -> pd.DataFrame:
    frame = causaldata.thornton_hiv.load_pandas().data
    return frame.dropna(subset=["got", "any", "villnum", *COVARIATES]).reset_index(drop=True)


@pytest.fixture(scope="module")
def quick() -> Params:
    return settings.load(None, ["threads=1", "effects.trees=40"])


def difference(frame: pd.DataFrame) -> tuple[float, float]:
    """Of means, and its standard error."""
    arms = [frame.loc[frame["any"] == arm, "got"] for arm in (1, 0)]
    return arms[0].mean() - arms[1].mean(), float(np.sqrt(sum(arm.var() / len(arm) for arm in arms)))


def confounded(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Some of the units: treated where the outcome is likely without treatment, untreated where it is not."""
    control = frame[frame["any"] == 0]
    columns = np.column_stack([np.ones(len(frame)), frame["distvct"], frame["age"]])
    here = (frame["any"] == 0).to_numpy()
    index = columns @ np.linalg.lstsq(columns[here], control["got"].to_numpy(), rcond=None)[0]
    likely = (index - index.mean()) / index.std()
    side = np.where(frame["any"] == 1, 1.0, -1.0)
    kept = np.random.default_rng([7, seed]).random(len(frame)) < 1 / (1 + np.exp(-1.5 * side * likely))
    return frame[kept].reset_index(drop=True)


def estimated(frame: pd.DataFrame, params: Params) -> Estimate:
    return table_effect(frame, outcome="got", treatment="any", covariates=COVARIATES, params=params)


def test_the_trial_s_effect_is_found_again_where_the_plain_difference_is_not(
    trial: pd.DataFrame, quick: Params
) -> None:
    truth, se = difference(trial)
    low, high = truth - 1.96 * se, truth + 1.96 * se
    parts = [confounded(trial, seed) for seed in range(DRAWS)]
    plain = [difference(part)[0] for part in parts]
    found = [float(estimated(part, quick).shift[0]) for part in parts]
    assert sum(low <= shift <= high for shift in found) >= ENOUGH, (low, high, found)
    assert sum(low <= each <= high for each in plain) < ENOUGH, (low, high, plain)
    assert abs(np.mean(found) - truth) < abs(np.mean(plain) - truth) / 2


def test_the_trial_itself_gives_its_own_effect(trial: pd.DataFrame, quick: Params) -> None:
    truth, se = difference(trial)
    found = estimated(trial, quick)
    assert float(found.shift[0]) == pytest.approx(truth, abs=0.5 * se)
    assert float(found.se[0]) == pytest.approx(se, rel=0.1)


def test_what_is_no_flag_is_refused(trial: pd.DataFrame, quick: Params) -> None:
    with pytest.raises(ValueError, match=r"tinc holds .* it must hold 0 and 1"):
        table_effect(trial, outcome="got", treatment="tinc", covariates=COVARIATES, params=quick)
    with pytest.raises(ValueError, match="any holds"):
        estimated(trial[trial["any"] == 1], quick)
