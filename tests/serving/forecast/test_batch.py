"""The batch forecast on a small company: 60 accounts on yearly terms, a fifth of which leave at their renewal."""

import dataclasses
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.revenue import available_to_renew, retention
from features.snapshots.snapshot_files import stored
from models.words import format_value
from params import Budget
from serving.forecast.batch import Forecast, earlier_snapshot, run_id
from serving.forecast.declared.output_tables import TABLES
from serving.forecast.refusals import BadRequest

AS_OF = date(2026, 1, 1)


def customers(world: Any, day: date) -> pd.DataFrame:
    return stored(world.tables, [day], params=world.params).frame


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


def test_where_contracts_name_no_product_no_cross_sell_is_told(made: Forecast) -> None:
    assert made.account_forecast["cross_sell_probability"].isna().all()
    assert made.account_forecast["expansion_probability"].notna().all()
    assert "(empty where no contract tells products or buying centres)" in made.account_forecast["definition"].iloc[0]


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
    rules, engine = world.params.revenue, {"budget": Budget(1, 1.0)}
    past = retention(world.tables, start=date(2025, 2, 1), end=AS_OF, known_by=AS_OF, rules=rules, **engine)
    rows = made.nrr_forecast
    total = rows[(rows["cut"] == "total") & (rows["metric"] == "reported_nrr")].set_index("horizon_months")
    assert total.loc[1, "mean"] == pytest.approx(past.nrr, abs=0.03)


def test_renewals_are_those_due_in_the_month(made: Forecast) -> None:
    """Five accounts begin in each month; those of January have renewed on the day of the forecast, and are not due."""
    total = made.renewal_forecast[made.renewal_forecast["cut"] == "total"]
    assert total["month"].dt.strftime("%Y-%m").tolist() == [f"2026-0{month}" for month in range(2, 7)]
    assert (total["expected_renewed"] <= total["available_to_renew"]).all()
    assert (total["p10"] <= total["p90"]).all()
    np.testing.assert_allclose(total["renewal_rate"], total["expected_renewed"] / total["available_to_renew"])


def test_the_same_inputs_give_the_same_tables_whatever_the_threads(world: Any, made: Forecast) -> None:
    again = world.forecast(budget=Budget(1, 1.0))
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


def test_reasons_hold_values_against_the_snapshot_of_three_months_before_and_the_peers(world: Any) -> None:
    """Every past and typical value that is said is that of the snapshots, worked out here row by row."""
    now = customers(world, AS_OF).set_index("account_id")
    before = customers(world, date(2025, 10, 1)).set_index("account_id")
    third = pd.qcut(now["arr"], 3, labels=["smallest", "middle", "largest"])
    unit = {item.name: item.unit for item in world.champion.model.all_inputs}
    checked = {"as of": 0, "typical": 0}
    every = world.forecast(forecast=world.params.forecast.model_copy(update={"drivers": 99}))
    group_of = every.account_peers.drop_duplicates("account_id").set_index("account_id")["peer_group"]
    for row in every.account_driver.itertuples():
        if past := re.search(r"[(](.+) as of 2025-10-01", row.text):
            value = before.loc[row.account_id, row.feature]
            assert past[1].rpartition("; ")[2] == format_value(value, unit[row.feature], "USD")
            checked["as of"] += 1
        if typical := re.search(r"typical of its peers: ([^;)]+)", row.text):
            group = group_of[row.account_id]
            days = (now["term_ends_on"] - pd.Timestamp(AS_OF)).dt.days
            within = {"within 90": days <= 90, "3 to 6": (days > 90) & (days <= 180), "6 to 12": days > 180}
            members = next((held for words, held in within.items() if words in group), days == days)
            members &= (third == third[row.account_id]) if "third" in group else members
            assert typical[1] == format_value(now.loc[members, row.feature].median(), unit[row.feature], "USD")
            checked["typical"] += 1
    assert checked["typical"] > 3, "the past is said of usage, which this company lacks: see models/test_background"


@pytest.mark.parametrize(
    ("as_of", "day"),
    [
        (date(2026, 1, 1), "2025-10-01"),
        (date(2025, 12, 20), "2025-09-01"),
        (date(2023, 7, 1), "2023-04-01"),  # contracts begin on 2023-01-01, and a snapshot needs 90 days before it
        (date(2023, 6, 30), None),
    ],
)
def test_the_past_is_the_month_start_three_months_before_if_the_data_reach_back(
    world: Any, as_of: date, day: str | None
) -> None:
    found = earlier_snapshot(world.tables, as_of, world.params)
    assert (None if found is None else found["as_of"].dt.strftime("%Y-%m-%d").unique().tolist()) == (day and [day])


def test_a_forecast_of_the_past_says_that_the_model_knew_more(world: Any) -> None:
    notes = world.forecast(as_of=date(2025, 6, 1)).notes
    assert any("The model learned from data up to 2026-01-01, after 2025-06-01" in note for note in notes)


def test_what_training_warned_by_comes_first_in_the_notes(world: Any) -> None:
    said = ("TOO FEW EVENTS to tell how good the churn probabilities are.", "NOT TESTED 12 months ahead.")
    champion = dataclasses.replace(world.champion, cautions=said)
    assert dataclasses.replace(world, champion=champion).forecast().notes[:2] == said


def test_a_mean_outside_its_interval_is_told_in_the_notes(made: Forecast) -> None:
    """Hardly an account shrinks in this company: nine in ten futures hold no contraction, and the mean holds some."""
    total = made.nrr_forecast[made.nrr_forecast["cut"] == "total"].set_index(["metric", "horizon_months"])
    (note,) = [note for note in made.notes if "outside the 80 % interval" in note]
    outside = total[(total["mean"] < total["p10"] * 0.9995) | (total["mean"] > total["p90"] * 1.0005)]
    assert ("contracted_arr", 3) in outside.index
    for metric, rows in outside.reset_index().groupby("metric"):
        assert f"{metric} ({', '.join(str(month) for month in rows['horizon_months'])})" in note


def test_a_date_that_the_data_do_not_reach_is_refused(world: Any) -> None:
    with pytest.raises(BadRequest, match=r"The data end before 2026-01-01.* Forecast as of 2026-01-01 or earlier"):
        world.forecast(as_of=date(2026, 1, 2))


def test_a_date_without_customers_is_refused(world: Any) -> None:
    with pytest.raises(BadRequest, match="No account has ARR on 2020-01-01"):
        world.forecast(as_of=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("section", "change", "trained", "now"),
    [
        ("revenue", {"grace_days": 10}, "30", "10"),
        ("model", {"min_change": 0.1}, "0.001", "0.1"),
        ("revenue", {"currency": "EUR"}, "USD", "EUR"),
        ("revenue", {"reactivation": "include"}, "exclude", "include"),
        ("revenue", {"account_level": "parent"}, "account", "parent"),
    ],
)
def test_rules_that_the_champion_did_not_learn_are_refused(
    world: Any, section: str, change: dict[str, Any], trained: str, now: str
) -> None:
    ruled = dataclasses.replace(world, champion=dataclasses.replace(world.champion, rules=world.params.rules))
    (name,) = (f"{section}.{key}" for key in change)
    told = f"trained with {name} {trained}, and now it is {now}: run `holdfast train`, or set {name}={trained}."
    with pytest.raises(BadRequest, match=told):
        ruled.forecast(**{section: getattr(world.params, section).model_copy(update=change)})


def test_a_champion_from_before_accounts_could_be_rolled_up_learned_accounts(world: Any) -> None:
    with pytest.raises(BadRequest, match=r"trained with revenue\.account_level account, and now it is parent"):
        world.forecast(revenue=world.params.revenue.model_copy(update={"account_level": "parent"}))


def test_all_other_rules_are_named_at_once(world: Any) -> None:
    other = {"revenue.currency": "EUR", "revenue.reactivation": "include"}
    ruled = dataclasses.replace(world, champion=dataclasses.replace(world.champion, rules=other))
    with pytest.raises(BadRequest, match=r"(?s)currency EUR, and now it is USD.*reactivation include, and now it is"):
        ruled.forecast()


@pytest.mark.parametrize(
    ("source", "data_digest", "noted"),
    [
        ("the same", "older", False),  # a nightly refresh
        ("files exports", "older", True),
        ("files exports", "the same", False),  # the very data, moved
        ("", "", False),  # a version that does not say
    ],
)
def test_data_from_another_place_are_noted_and_newer_ones_are_not(
    world: Any, made: Forecast, source: str, data_digest: str, noted: bool
) -> None:
    source = world.params.source_name if source == "the same" else source
    data_digest = world.tables.digest if data_digest == "the same" else data_digest
    champion = dataclasses.replace(world.champion, source=source, data_digest=data_digest)
    found = dataclasses.replace(world, champion=champion).forecast()
    notes = [note for note in found.notes if "was trained on the data of files exports, and this forecast" in note]
    assert bool(notes) is noted
    assert (found.run_id != made.run_id) is noted, "the note is a part of what is published"


@pytest.mark.parametrize(
    ("as_of", "first", "last"),
    [
        (date(2026, 1, 1), ("2026-02-01", "2026-03-01"), ("2026-06-01", "2026-07-01")),
        (date(2025, 12, 20), ("2026-01-01", "2026-02-01"), ("2026-06-01", "2026-06-20")),  # none ends in December
    ],
)
def test_renewals_cover_the_whole_window_and_say_which_part_of_a_month(
    world: Any, as_of: date, first: tuple[str, str], last: tuple[str, str]
) -> None:
    """All ARR whose term ends in [as_of, as_of + 6 months) is in the rows, and each says where it begins and ends."""
    spent = {"rules": world.params.revenue, "budget": Budget(1, 1.0)}
    end = (pd.Timestamp(as_of) + pd.DateOffset(months=6)).date()
    due = available_to_renew(world.tables, start=as_of, end=end, as_of=as_of, **spent)
    rows = world.forecast(as_of=as_of).renewal_forecast
    rows = rows[rows["cut"] == "total"]
    assert rows["available_to_renew"].sum() == pytest.approx(due["available_to_renew"].sum())
    days = rows[["from_day", "until_day"]].apply(lambda column: column.dt.strftime("%Y-%m-%d"))
    assert (tuple(days.iloc[0]), tuple(days.iloc[-1])) == (first, last)
    for row in rows.itertuples():
        part = row.from_day.day > 1 or row.until_day.day > 1
        assert f"ends in [{row.from_day:%Y-%m-%d}, {row.until_day:%Y-%m-%d})" in row.definition
        assert ("a part of the month" in row.definition) is part


def test_inputs_that_the_data_lack_are_named(world: Any) -> None:
    """The champion was trained with regions; a company without them cannot be scored by it."""
    frames = world.company()
    bare = {"accounts": frames["accounts"][["account_id"]], "contracts": frames["contracts"]}
    file = world.params.data_dir / "bare.duckdb"
    tables = tables_from_frames(bare, file, data_until=AS_OF)
    with pytest.raises(BadRequest, match="The snapshots lack 1 input the model was trained on: region"):
        dataclasses.replace(world, tables=tables).forecast()
