"""A small world whose truth is known: yearly terms, churn at term ends by a known logistic rule."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from models.hazards.fit_settings import Settings, Tuning
from models.hazards.model_inputs import Input
from models.outcomes.outcome import OutcomeModel

MONTHS_AHEAD = 7
TUNING = Tuning(
    min_hessian_per_leaf=0.1,
    extra_trees=False,
    feature_fraction=0.5,
    bagging_fraction=0.7,
    category_smoothing=50.0,
    category_l2=50.0,
    max_bins=127,
    patience=25,
    min_trees=20,
    calibration_prior_sd=0.25,
    luck_prior_sd=0.3,
)


@dataclass(frozen=True)
class World:
    frame: pd.DataFrame
    paths: np.ndarray
    streams: np.ndarray
    health: np.ndarray


def number(name: str, signal: str = "health") -> Input:
    return Input(
        name=name,
        kind="number",
        family="usage",
        signal=signal,
        unit="points",
        meaning=name,
        sentence=f"{name} is {{value}}",
    )


def make_settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "horizon_months": 6,
        "grace_days": 30,
        "min_change": 0.001,
        "learner": "ensemble",
        "trees": 60,
        "leaves": 7,
        "learning_rate": 0.1,
        "min_rows_per_leaf": 20,
        "l2": 5.0,
        "logistic_l2": 1.0,
        "max_rows": 20_000,
        "seed": 3,
        "threads": 2,
        "tuning": TUNING,
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]


def make_world(accounts: int = 300, months: int = 24, seed: int = 0) -> World:
    """Every account renews each 12 months with chance expit(2 + 2 x health), and expands by 20 % now and then.

    Every third account expands by one more product each time, the others by more of their only one.
    """
    rng = np.random.default_rng(seed)
    health = rng.normal(size=accounts)
    first_end = rng.integers(1, 13, accounts)
    arr = np.zeros((accounts, months + MONTHS_AHEAD + 1))
    arr[:, 0] = rng.lognormal(9, 0.5, accounts)
    products = np.ones(arr.shape)
    for month in range(1, arr.shape[1]):
        due = (month - first_end) % 12 == 0
        leaves = due & (rng.random(accounts) > 1 / (1 + np.exp(-2 - 2 * health)))
        grows = rng.random(accounts) < 0.03 * (1 + (health > 0))
        shrinks = rng.random(accounts) < 0.01
        step = np.where(grows, 1.2, np.where(shrinks, 0.7, 1.0))
        arr[:, month] = arr[:, month - 1] * step * ~leaves
        products[:, month] = products[:, month - 1] + (grows & (np.arange(accounts) % 3 == 0))
    return World(*_snapshots(arr, products, first_end, health, months, rng), health)


def _snapshots(arr, products, first_end, health, months, rng):
    frames, paths, streams = [], [], []
    for month in range(months):
        here = np.flatnonzero(arr[:, month] > 0)
        as_of = pd.Timestamp("2022-01-01") + pd.DateOffset(months=month)
        ahead = (first_end[here] - month - 1) % 12 + 1
        path = arr[here, month : month + MONTHS_AHEAD + 1].copy()
        path[:, max(0, months - month) :] = np.nan
        path[:, 0] = arr[here, month]
        frames.append(
            pd.DataFrame(
                {
                    "account_id": [f"a{i:04d}" for i in here],
                    "as_of": as_of,
                    "arr": arr[here, month],
                    "term_ends_on": [as_of + pd.DateOffset(months=int(m)) for m in ahead],
                    "term_days": 365.0,
                    "due_share": 1.0,
                    "overdue_days": 0.0,
                    "notice_given": 0.0,
                    "notice_share": 0.0,
                    "presigned": 0.0,
                    "products": products[here, month],
                    "health_score": np.where(rng.random(len(here)) < 0.05, np.nan, health[here]),
                    "noise": rng.normal(size=len(here)),
                    "segment": np.where(here % 2 == 0, "small", "large"),
                }
            )
        )
        paths.append(path)
        streams.append(np.where(np.isnan(path), np.nan, products[here, month : month + MONTHS_AHEAD + 1]))
    return pd.concat(frames, ignore_index=True), np.vstack(paths), np.vstack(streams)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def settings():
    """Settings with any field changed: settings(trees=5)."""
    return make_settings


@pytest.fixture(scope="session")
def fitted(costly: None, world: World, inputs: tuple[Input, ...]) -> OutcomeModel:
    return OutcomeModel(inputs, make_settings()).fit(world.frame, world.paths, world.streams)


@pytest.fixture(scope="session")
def inputs() -> tuple[Input, ...]:
    segment = Input(
        name="segment",
        kind="category",
        family="contract_history",
        signal="segment",
        unit="",
        meaning="segment",
        sentence="segment {value}",
    )
    return (number("health_score"), number("noise", "noise"), segment)
