"""What `lifelines` says of the same lives: first value with competing churn, and retention on a curve that is known."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from scipy.special import beta as beta_function

import params
from features.inputs.frames import tables_from_frames
from features.kpis.account_facts import Window
from features.kpis.cohorts import cohorts, triangle
from features.kpis.figures import kpis_of
from features.kpis.incidence import CENSORED, LEFT, REACHED, incidence

AS_OF = date(2025, 1, 1)
ALPHA, BETA = 0.668, 3.806  # the shifted beta-geometric of "high end" customers (Fader and Hardie, 2007)


def lifelines_shares(days: np.ndarray, outcomes: np.ndarray, by: tuple[float, ...]) -> list[float]:
    fitter = AalenJohansenFitter(calculate_variance=False)
    fitter.fit(days, outcomes, event_of_interest=REACHED)
    share = fitter.cumulative_density_.iloc[:, 0]
    return [float(share[share.index <= day].iloc[-1]) for day in by]


@pytest.mark.parametrize("seed", range(10))
def test_first_value_with_competing_churn_is_that_of_lifelines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = rng.permutation(np.arange(1, 400))[:150]  # without ties, which lifelines moves apart by chance
    outcomes = rng.choice([CENSORED, REACHED, LEFT], len(days), p=[0.3, 0.4, 0.3])
    ours = incidence(days, outcomes)
    by = (30, 60, 90, 200, 399)
    assert [ours.by(day) for day in by] == pytest.approx(lifelines_shares(days, outcomes, by), abs=1e-9)


def test_the_kpis_of_first_value_are_those_of_lifelines() -> None:
    """From facts of accounts: some reached it, some left first, some are still on the way."""
    rng = np.random.default_rng(7)
    count = 120
    lived = rng.permutation(np.arange(1, 366))[:count]
    left = rng.random(count) < 0.3
    reached = np.where(rng.random(count) < 0.5, rng.permutation(np.arange(400, 800))[:count] / 1000 * lived, np.nan)
    facts = pd.DataFrame({
        "began": [pd.Timestamp(AS_OF) - pd.Timedelta(days=365)] * count, "lived_days": lived,
        "left_by_now": left.astype(int), "first_value": np.floor(reached),
    })  # fmt: skip
    days = np.where(np.isnan(reached), lived, np.floor(reached)).astype("int64")
    outcomes = np.where(~np.isnan(reached), REACHED, np.where(left, LEFT, CENSORED))
    apart = days + rng.permutation(count) / 1e6  # ties moved apart, as lifelines would: censored and left ones after
    apart = apart + np.where(outcomes == REACHED, 0, 1e-3)
    shares = {kpi.kpi: kpi.figure for kpi in kpis_of(facts, Window(AS_OF, 12, 7), "total", "total")}
    theirs = lifelines_shares(apart, outcomes, (30.5, 60.5, 90.5))
    assert [shares[f"first_value_by_day_{day}"] for day in (30, 60, 90)] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.usefixtures("costly")
def test_retention_is_that_of_lifelines_on_the_shifted_beta_geometric_curve(tmp_path: Path) -> None:
    """A thousand accounts that leave by the curve, a period a quarter of age, watched for 11 of them."""
    periods, count = 11, 1000
    curve = beta_function(ALPHA, BETA + np.arange(periods + 1)) / beta_function(ALPHA, BETA)
    stay = np.round(count * curve).astype(int)
    ages = np.concatenate([np.repeat(np.arange(1, periods + 1), -np.diff(stay)), np.full(stay[-1], 99)])
    first = pd.Timestamp("2022-01-10")
    ends = [first + pd.DateOffset(months=3 * int(age)) if age < 99 else pd.NaT for age in ages]
    contracts = pd.DataFrame({
        "contract_id": [f"c{n}" for n in range(count)], "account_id": [f"a{n}" for n in range(count)],
        "starts_on": first, "ends_on": pd.NaT, "ended_on": ends, "product": "p", "mrr": 10.0,
    })  # fmt: skip
    frames = {"accounts": contracts[["account_id"]], "contracts": contracts}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)
    loaded = params.load(overrides=["threads=1"])
    history = cohorts(tables, as_of=AS_OF, rules=loaded.revenue, budget=loaded.budget)
    cells = triangle(history.ages, AS_OF).set_index("age_quarters")["logo_retention"]
    fitter = KaplanMeierFitter().fit(np.minimum(ages, periods), ages < 99)
    assert cells.index.tolist() == list(range(periods + 1))
    for age, share in cells.items():
        assert share == pytest.approx(float(fitter.predict(age)), abs=1e-12)
        assert share == pytest.approx(curve[age], abs=0.0006)
