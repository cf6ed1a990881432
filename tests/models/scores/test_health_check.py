"""The check of the rule by hand: bands, the model beside it, what was green before, the weights data choose."""

import numpy as np
import pandas as pd
import pytest

from models.scores.health_check import Scored, against_model, by_band, green_before, weights_of_data

COLOURS = {"A": "green", "D": "red"}


def past(rows: int, seed: int = 0) -> Scored:
    """Accounts of 24 month starts: the customer's half tells who leaves within a year, the team's says nothing."""
    rng = np.random.default_rng(seed)
    months = pd.date_range("2022-01-01", periods=24, freq="MS")
    customer, csm = rng.uniform(0, 100, rows), rng.uniform(0, 100, rows)
    left = rng.uniform(0, 100, rows) > customer
    score = 0.6 * csm + 0.4 * customer
    frame = pd.DataFrame(
        {
            "account_id": [f"a{i}" for i in range(rows)],
            "as_of": months[np.arange(rows) % 24],
            "arr": 100.0,
            "score": score,
            "csm_half": csm,
            "customer_half": customer,
            "band": np.where(score >= 50, "A", "D"),
            "colour": np.where(score >= 50, "green", "red"),
            "days_to_term_end": 100.0,
        }
    )
    paths = np.where(left[:, None] & (np.arange(13) >= 3), 0.0, 100.0)
    return Scored(frame, paths)


def test_churn_and_nrr_by_band_count_what_is_known_alone() -> None:
    scored = past(4)
    frame = scored.frame.assign(band=["A", "A", "D", "D"])
    paths = np.full((4, 13), 100.0)
    paths[0, 3:], paths[2, 3:], paths[3, 1:] = 0.0, 150.0, np.nan
    rows = {(row["band"], row["horizon_months"]): row for row in by_band(Scored(frame, paths), (3, 12), COLOURS)}
    assert (rows["A", 3]["churn"], rows["A", 3]["nrr"], rows["A", 3]["rows"]) == (0.5, 0.5, 2)
    assert (rows["D", 3]["churn"], rows["D", 3]["nrr"], rows["D", 3]["rows"]) == (0.0, 1.5, 1)
    assert (rows[None, 3]["rows"], rows[None, 3]["churn"]) == (0, None)


def test_churned_arr_that_was_green_counts_each_leaving_once() -> None:
    scored = past(2000)
    left = scored.paths[:, 3] == 0
    green = (scored.frame["colour"] == "green").to_numpy()
    found = {row["days"]: row for row in green_before(scored)}
    assert found[90]["accounts"] == left.sum()
    assert found[90]["green_share"] == pytest.approx(green[left].mean())
    assert found[180] == {"days": 180, "accounts": 0, "churned_arr": 0.0, "green_share": None}


def test_the_data_choose_the_half_that_tells_and_say_by_how_much() -> None:
    found = weights_of_data(past(8000), 0.6, 12)
    assert found is not None
    assert found["weight"] <= 0.1
    assert found["gain"] > 0.1
    assert found["auc"] == pytest.approx(found["own_auc"] + found["gain"])


def test_no_weights_are_chosen_from_a_handful_of_accounts() -> None:
    assert weights_of_data(past(12), 0.6, 12) is None


def test_rivals_are_scored_on_the_same_accounts_with_rates_known_at_the_date() -> None:
    scored = past(4000)
    origin = pd.Timestamp("2023-08-01")
    now = scored.frame[scored.frame["as_of"] == origin]
    event = (scored.paths[now.index, 12] == 0).astype(float)
    forecasts = pd.DataFrame(
        {
            "account_id": now["account_id"],
            "origin": origin,
            "horizon_months": 12,
            "churned": event,
            "churn_probability": 1 - now["customer_half"] / 100,
        }
    )
    rows = {row["by"]: row for row in against_model(scored, forecasts, (3, 12))}
    assert set(rows) == {"health", "model", "days_to_renewal", "base_rate"}
    assert rows["model"]["auc"] > rows["health"]["auc"] > rows["base_rate"]["auc"] == 0.5
    assert rows["model"]["log_loss"] < rows["health"]["log_loss"] < rows["base_rate"]["log_loss"] + 0.02
    early = forecasts.assign(origin=pd.Timestamp("2022-03-01"))
    assert against_model(scored, early, (12,)) == [], "no window of a year had ended then"
