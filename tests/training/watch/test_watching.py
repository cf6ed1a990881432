"""The watch as a whole, on a small company: which months it looks at, and what it says of them."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.asof.table_history import BLOCKS, table_histories
from features.revenue import add_months, settled_before
from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from models.watch.moved_inputs import Moved
from models.watch.verdict import Chart
from params import Params
from training.learn.dataset import Dataset
from training.tracking.champion import Champion
from training.watch import watching
from training.watch.hazard_months import SLOPE, STRONGEST, luck_of, watched_months
from training.watch.watching import Watch, watch

LEARNED = date(2025, 6, 1)


@pytest.fixture(scope="module")
def champion(model: OutcomeModel) -> Champion:
    return Champion(model, "3", "run", LEARNED, "digest")


def test_the_months_watched_are_those_that_were_not_known_when_the_model_learned(
    company: Tables, dataset: Dataset, champion: Champion, small_params: Params
) -> None:
    watched = watched_months(company, dataset, champion, small_params)
    rules = small_params.revenue
    assert add_months(watched.dates[0], 1) > settled_before(company, LEARNED, rules) >= watched.dates[0]
    assert add_months(watched.dates[-1], 1) <= settled_before(company, dataset.as_of, rules)
    assert len(watched.dates) >= 6
    for day, month in zip(watched.dates, watched.months, strict=True):
        here = dataset.cohort(day)
        assert month.event.sum() <= (dataset.paths[here, 1] == 0).sum()
        assert month.covariates.shape == (len(month.event), len(watched.names))
    assert watched.names[0] == SLOPE
    assert list(watched.names[1 : 1 + STRONGEST]) == list(watched.weights.index[:STRONGEST])
    luck = luck_of(champion.model)
    assert luck.level_variance > 0
    assert 0 <= luck.persistence < 1


def test_the_whole_watch_says_what_it_found_and_is_plain(
    company: Tables, champion: Champion, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "load_champion", lambda params: champion)
    found = watch(company, params=small_params)
    content = found.to_json()
    assert set(content) >= {"data", "inputs", "calibration", "verdict", "todo"}
    assert {"statistic", "limit", "alarm", "since", "cause"} <= set(content["calibration"])
    assert content["calibration"]["charts"][0]["name"] == "level"
    assert 0 <= content["inputs"]["moved_share"] <= 1
    assert content["served_log_loss"] > 0
    assert content["before"] is None, "it is not wrong, or not young"
    assert content["inputs"]["rows"][0]["weight"] >= content["inputs"]["rows"][-1]["weight"]
    assert sum(row["weight"] for row in content["inputs"]["rows"]) == pytest.approx(1)
    again = watch(company, params=small_params)
    assert again == found, "the same data say the same"


def test_each_table_is_held_against_its_own_history(company: Tables, small_params: Params) -> None:
    histories = {one.name: one for one in table_histories(company, budget=small_params.budget)}
    usage = histories["usage"]
    assert len(usage.rows) == BLOCKS
    assert usage.rows[0] > 0
    assert watching._table_row(usage)["alarm"] is False
    stopped = replace(usage, rows=(0, *usage.rows[1:]), age_days=40, longest_gap_days=3)
    row = watching._table_row(stopped)
    assert (row["alarm"], row["stale"], row["volume_score"] < -5) == (True, True, True)
    column = next(iter(usage.missing))
    emptied = replace(usage, missing={column: (0.9, *[0.1] * (BLOCKS - 1))})
    assert watching._table_row(emptied)["missing"] == {column: pytest.approx(0.8)}


def chart(name: str, cause: Any, statistic: float) -> Chart:
    return Chart(name, cause, statistic, 4.0, 0)


BROKEN = {"table": "usage", "alarm": True}
MOVED = Moved("usage_28d", 1.0, 0.04, 0.4)


@pytest.mark.parametrize(
    ("changes", "verdict", "retrain", "todo"),
    [
        ({}, "ok", False, ""),
        ({"charts": ()}, "nothing to watch yet", False, ""),
        ({"charts": (chart("level", "market", 5.0),)}, "market", False, "Leave the model as it is"),
        (
            {"charts": (chart("level", "market", 5.0), chart(SLOPE, "model", -5.0))},
            "model",
            True,
            "calibration is learned",
        ),
        ({"charts": (chart("usage_28d", "model", -5.0),)}, "model", True, "Train again (usage_28d)"),
        ({"charts": (chart("usage_28d", "model", -5.0),), "data": (BROKEN,)}, "data", False, "source of usage first"),
        ({"inputs": (MOVED,)}, "inputs", False, "Look at what moved"),
    ],
)
def test_data_come_first_and_the_model_is_blamed_by_its_own_charts_alone(
    changes: dict[str, Any], verdict: str, retrain: bool, todo: str
) -> None:
    quiet = Watch(LEARNED, "3", LEARNED, (), (), (chart("level", "market", 1.0),), (LEARNED,))
    found = replace(quiet, **changes)
    assert (found.verdict, found.asks_to_retrain) == (verdict, retrain)
    assert todo in found.todo
    assert found.summary()["verdict"] == verdict


def test_months_are_the_same_whatever_the_order_of_the_rows(
    company: Tables, dataset: Dataset, champion: Champion, small_params: Params
) -> None:
    turned = np.arange(len(dataset.frame))[::-1]
    frame = dataset.frame.iloc[turned].reset_index(drop=True)
    other = replace(dataset, frame=frame, paths=dataset.paths[turned])
    one, two = (watched_months(company, each, champion, small_params) for each in (dataset, other))
    assert [month.event.sum() for month in one.months] == [month.event.sum() for month in two.months]
    pd.testing.assert_series_equal(one.weights, two.weights, check_exact=False)
