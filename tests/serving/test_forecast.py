"""The batch forecast on a small company: 60 accounts on yearly terms, a fifth of which leave at their renewal."""

import dataclasses
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.revenue import retention
from features.tables import tables_from_frames
from serving.forecast import Forecast, run_id
from serving.problems import BadRequest
from serving.tables import TABLES

AS_OF = date(2026, 1, 1)


@pytest.fixture(scope="module")
def made(world: Any) -> Forecast:
    return world.forecast()


def test_tables_are_as_declared_and_stamped(made: Forecast) -> None:
    for name, frame in made.tables.items():
        assert tuple(frame.columns) == TABLES[name].names
        assert set(frame["run_id"]) == {made.run_id}
        assert set(frame["model_version"]) == {"3"}
        assert frame["definition"].str.len().min() > 0
        assert not frame.duplicated(list(TABLES[name].key)).any()


def test_every_customer_has_every_horizon(made: Forecast) -> None:
    accounts = made.account_forecast
    assert accounts.groupby("account_id").size().unique().tolist() == [6]
    start = made.nrr_forecast["starting_arr"][made.nrr_forecast["cut"] == "total"].iloc[0]
    assert accounts.drop_duplicates("account_id")["arr"].sum() == pytest.approx(start)


def test_probabilities_and_amounts_keep_their_bounds(made: Forecast) -> None:
    rows = made.account_forecast
    chances = rows[["churn_probability", "contraction_probability", "expansion_probability"]]
    assert chances.min().min() >= 0
    assert (chances.sum(axis=1) <= 1 + 0.1).all(), "churn is exact, the others are shares of draws"
    assert (rows["arr_p10"] <= rows["arr_p50"]).all()
    assert (rows["arr_p50"] <= rows["arr_p90"]).all()
    np.testing.assert_allclose(rows["arr_at_risk"], rows["arr"] * rows["churn_probability"])
    grown = rows.groupby("account_id")["churn_probability"].diff().dropna()
    assert (grown >= 0).all(), "who has left stays away"


def test_cuts_add_up_to_the_total(made: Forecast) -> None:
    for metric in ("ending_arr", "churned_arr", "contracted_arr", "expanded_arr"):
        rows = made.nrr_forecast[made.nrr_forecast["metric"] == metric]
        by_cut = rows.groupby(["horizon_months", "cut"])["mean"].sum().unstack()
        np.testing.assert_allclose(by_cut["region"], by_cut["total"])


def test_missing_labels_and_missing_cuts_are_named(made: Forecast) -> None:
    values = made.nrr_forecast.loc[made.nrr_forecast["cut"] == "region", "value"]
    assert set(values) == {"North", "South", "(none)"}
    assert "No cut by csm: accounts has no such column." in made.notes


def test_reported_nrr_starts_from_what_is_realised(world: Any, made: Forecast) -> None:
    """One month ahead, eleven of its twelve months are history: it lies near the realised figure."""
    rules, engine = world.params.revenue, {"threads": 1, "memory_gb": 1.0}
    past = retention(world.tables, start=date(2025, 2, 1), end=AS_OF, known_by=AS_OF, rules=rules, **engine)
    rows = made.nrr_forecast
    total = rows[(rows["cut"] == "total") & (rows["metric"] == "reported_nrr")].set_index("horizon_months")
    assert total.loc[1, "mean"] == pytest.approx(past.nrr, abs=0.03)


def test_renewals_are_those_due_in_the_month(made: Forecast) -> None:
    """Five accounts begin in each month; of those of January 2023 one left: a00 in 2025."""
    total = made.renewal_forecast[made.renewal_forecast["cut"] == "total"]
    assert total["month"].dt.strftime("%Y-%m").tolist() == [f"2026-0{month}" for month in range(1, 7)]
    assert (total["expected_renewed"] <= total["available_to_renew"]).all()
    assert (total["p10"] <= total["p90"]).all()
    np.testing.assert_allclose(total["renewal_rate"], total["expected_renewed"] / total["available_to_renew"])


def test_the_same_inputs_give_the_same_tables_whatever_the_threads(world: Any, made: Forecast) -> None:
    again = world.forecast(threads=1, memory_gb=1.0)
    assert again.describe() == made.describe()
    for name, frame in made.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], frame, check_exact=True)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda world: dataclasses.replace(world, params=world.params.model_copy(update={"threads": 1})), True),
        (lambda world: dataclasses.replace(world, params=world.params.model_copy(update={"seed": 8})), False),
        (lambda world: dataclasses.replace(world, tables=dataclasses.replace(world.tables, digest="other")), False),
        (lambda world: dataclasses.replace(world, champion=dataclasses.replace(world.champion, digest="o")), False),
    ],
    ids=["threads", "seed", "data", "model"],
)
def test_the_run_id_stands_for_what_decides_the_figures(
    world: Any, made: Forecast, change: Callable[[Any], Any], same: bool
) -> None:
    other = change(world)
    assert (run_id(other.tables, other.champion, AS_OF, other.params) == made.run_id) is same


def test_a_forecast_of_the_past_says_that_the_model_knew_more(world: Any) -> None:
    notes = world.forecast(as_of=date(2025, 6, 1)).notes
    assert any("The model learned from data up to 2026-01-01, after 2025-06-01" in note for note in notes)


def test_a_champion_without_skill_is_named_as_such(world: Any, made: Forecast) -> None:
    unskilled = dataclasses.replace(world, champion=dataclasses.replace(world.champion, has_skill=False))
    assert unskilled.forecast().notes[-1].startswith("NO SKILL FOUND")
    assert not [note for note in made.notes if "NO SKILL" in note]


def test_a_date_that_the_data_do_not_reach_is_refused(world: Any) -> None:
    with pytest.raises(BadRequest, match=r"The data end before 2026-01-01.* Forecast as of 2026-01-01 or earlier"):
        world.forecast(as_of=date(2026, 1, 2))


def test_a_date_without_customers_is_refused(world: Any) -> None:
    with pytest.raises(BadRequest, match="No account has ARR on 2020-01-01"):
        world.forecast(as_of=date(2020, 1, 1))


def test_rules_that_the_champion_did_not_learn_are_refused(world: Any) -> None:
    rules = world.params.revenue.model_copy(update={"grace_days": 10})
    with pytest.raises(BadRequest, match="grace_days is 10, but the champion learned from 30"):
        world.forecast(revenue=rules)


def test_inputs_that_the_data_lack_are_named(world: Any) -> None:
    """The champion was trained with regions; a company without them cannot be scored by it."""
    frames = world.company()
    bare = {"accounts": frames["accounts"][["account_id"]], "contracts": frames["contracts"]}
    file = world.params.data_dir / "bare.duckdb"
    tables = tables_from_frames(bare, file, data_until=AS_OF)
    with pytest.raises(BadRequest, match="The snapshots lack 1 inputs the model was trained on: region"):
        dataclasses.replace(world, tables=tables).forecast()
