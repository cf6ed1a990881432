"""Events expected and seen by kinds of months, in a world where the end of a term decides what follows it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.hazards.fit_settings import Settings, Tuning
from models.hazards.model_inputs import Input
from models.outcomes.outcome import OutcomeModel
from models.scores.bias import bias_table
from training.backtest.expected_events import expected_events

pytestmark = pytest.mark.usefixtures("costly")

ACCOUNTS, MONTHS, AHEAD = 500, 30, 7
DECIDES, SILENT_LEAVES = 0.4, 0.3


def settings() -> Settings:
    tuning = Tuning(0.1, False, 0.5, 0.7, 50.0, 50.0, 127, 25, 20, 0.25, 0.3)
    fits: dict[str, Any] = {"horizon_months": 6, "grace_days": 30, "min_change": 0.001, "learner": "logistic"}
    trees = {"trees": 10, "leaves": 4, "learning_rate": 0.1, "min_rows_per_leaf": 20, "l2": 5.0}
    return Settings(**fits, **trees, logistic_l2=1.0, max_rows=20_000, seed=3, threads=1, tuning=tuning)


def world() -> tuple[pd.DataFrame, np.ndarray]:
    """Yearly terms, over in mid-month: 40 % renew at another price, 30 % of the others are silent until the grace ends.

    Snapshots know who is overdue.
    """
    random = np.random.default_rng(5)
    first_end = random.integers(1, 13, ACCOUNTS)
    arr = np.zeros((ACCOUNTS, MONTHS + AHEAD + 1))
    arr[:, 0], silent = random.lognormal(9, 0.5, ACCOUNTS), np.zeros(arr.shape, dtype=bool)
    for month in range(1, arr.shape[1]):
        due = (month - first_end) % 12 == 0
        decides = due & (random.random(ACCOUNTS) < DECIDES)
        step = np.where(decides, np.where(random.random(ACCOUNTS) < 0.7, 1.2, 0.8), 1.0)
        silent[:, month] = due & ~decides & (random.random(ACCOUNTS) < SILENT_LEAVES)
        arr[:, month] = arr[:, month - 1] * step * ~silent[:, month - 1]
    frames, paths = [], []
    for month in range(MONTHS):
        here = np.flatnonzero(arr[:, month] > 0)
        as_of = pd.Timestamp("2022-01-01") + pd.DateOffset(months=month)
        ahead = np.where(silent[here, month], -1, (first_end[here] - month - 1) % 12)
        ends = [as_of + pd.DateOffset(months=int(one), days=14) for one in ahead]
        frames.append(pd.DataFrame({"account_id": here.astype(str), "as_of": as_of, "term_ends_on": ends}))
        path = arr[here, month : month + AHEAD + 1].copy()
        path[:, max(0, MONTHS - 7 - month) + 1 :] = np.nan
        paths.append(path)
    frame = pd.concat(frames, ignore_index=True)
    whole = {"due_share": 1.0, "notice_given": 0.0, "notice_share": 0.0, "presigned": 0.0, "term_days": 365.0}
    labels = np.vstack(paths)
    return frame.assign(**whole, arr=labels[:, 0], health=random.normal(size=len(frame)), tenure_days=200.0), labels


def test_the_month_after_the_end_of_a_term_expects_what_came_of_those_who_changed_and_those_who_did_not() -> None:
    frame, paths = world()
    health = Input(name="health", kind="number", family="usage", signal="", unit="", meaning="", sentence="{value}")
    last = frame["as_of"].unique()[-8]
    learned = (frame["as_of"] <= last).to_numpy()
    model = OutcomeModel((health,), settings()).fit(frame[learned].reset_index(drop=True), paths[learned])
    now = (frame["as_of"] == last).to_numpy()
    cohort = frame[now].reset_index(drop=True)
    came = _what_came(frame, cohort, last)
    events = expected_events(cohort, came, model.predict(cohort), grace_days=30, min_change=0.001)
    table = bias_table(events.assign(origin=last)).set_index(["cut", "value", "outcome"])
    churn = table.xs("churn", level="outcome")
    changed = churn.loc[("after the end of a term", "ARR changed when the term ended")]
    silent = churn.loc[("after the end of a term", "ARR did not change when the term ended")]
    assert changed["seen"] == 0
    assert changed["expected"] < 0.02 * changed["rows"]
    assert silent["expected"] / silent["rows"] == pytest.approx(SILENT_LEAVES, abs=0.05)
    assert abs(silent["deviation"]) < 3
    between = churn.loc[("month", "in between")]
    assert between["seen"] == 0
    assert between["expected"] < 0.002 * between["rows"]
    for cut in ("term", "month", "months ahead", "tenure"):
        assert churn.loc[cut][["rows", "seen"]].sum().tolist() == churn.loc["term"][["rows", "seen"]].sum().tolist()


def _what_came(frame: pd.DataFrame, cohort: pd.DataFrame, day: pd.Timestamp) -> np.ndarray:
    """ARR of the cohort at the snapshots after it, 0 where an account is in none of them."""
    days = [day + pd.DateOffset(months=month) for month in range(AHEAD)]
    table = frame.pivot_table(index="account_id", columns="as_of", values="arr")
    return table.reindex(cohort["account_id"])[days].fillna(0.0).to_numpy()
