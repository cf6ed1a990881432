"""What is printed of a forecast: the figures with their interval, the definition, the red flag; never markup."""

import dataclasses
import io
import json
import re
from typing import Any

import pandas as pd
from rich.console import Console

from serving.forecast.batch import Forecast
from serving.forecast.terminal import SKEWED, explanation, print_explanation, print_forecast, summarise


def printed(show: Any, content: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=140, markup=False, highlight=False)
    show(console, content)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_summary_is_plain_data(small_forecast: Forecast) -> None:
    summary = summarise(small_forecast)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert {row["horizon_months"] for row in summary["portfolio"]} == {2}
    assert summary["cuts"]["region"][0]["value"] == "North"
    assert summary["renewals"][0] == {
        "month": "2026-01-01",
        "from_day": "2026-01-01",
        "until_day": "2026-02-01",
        "accounts_due": 0,
        "available_to_renew": 0.0,
        "expected_renewed": 0.0,
        "renewal_rate": None,
        "p10": 0.0,
        "p90": 0.0,
    }


def test_the_most_arr_at_risk_comes_first_with_what_raises_it(small_forecast: Forecast) -> None:
    worst = summarise(small_forecast)["at_risk"]
    assert [(row["account_id"], row["arr_at_risk"], row["renews_on"]) for row in worst] == [
        ("=2+5", 200.0, "2026-03-01"),
        ("b", 100.0, None),
    ]
    assert worst[0]["reason"] == "churn because of @risk", "rank 1 lowers the probability, so it is no reason"


def test_what_only_lowers_the_risk_is_no_reason_for_it(small_forecast: Forecast) -> None:
    lowering = small_forecast.account_driver.assign(effect=-0.01)
    summary = summarise(dataclasses.replace(small_forecast, account_driver=lowering))
    unusual = ["Nothing unusual; renews in 59 days (2026-03-01)", "Nothing unusual; no end date"]
    assert [row["reason"] for row in summary["at_risk"]] == unusual
    assert "Nothing unusual; no end date" in printed(print_forecast, summary)


def test_what_nobody_can_act_on_is_no_reason_to_call(small_forecast: Forecast) -> None:
    calendar = small_forecast.account_driver.assign(leads=0)
    summary = summarise(dataclasses.replace(small_forecast, account_driver=calendar))
    assert [row["reason"].partition(";")[0] for row in summary["at_risk"]] == ["Nothing unusual"] * 2


def test_accounts_are_called_by_their_names(small_forecast: Forecast) -> None:
    summary = summarise(small_forecast, {"b": "Bluehill 9"})
    assert [(row["account_id"], row["name"]) for row in summary["at_risk"]] == [("=2+5", "=2+5"), ("b", "Bluehill 9")]
    assert "Bluehill 9" in printed(print_forecast, summary)
    assert "Bluehill 9 (b): ARR 500" in printed(print_explanation, explanation(small_forecast, "b", "Bluehill 9"))


def test_the_points_printed_lead_from_the_peers_to_the_account(small_forecast: Forecast) -> None:
    text = printed(print_explanation, explanation(small_forecast, "b")).partition("Reasons for its churn")[2]
    told = [line.strip() for line in text.splitlines() if re.match(r"  [-+\d]", line)][:6]
    assert told == [
        "10.0 % on average of 12 peers (largest third by ARR, no end date)",
        "+6.0 points What the customer does",
        "-1.0 points What we do",
        "+4.0 points The contract: calendar, price, size and fit",
        "+1.0 points all else",
        "20.0 % of this account",
    ]


def test_months_of_which_a_part_is_counted_are_marked_in_words(small_forecast: Forecast) -> None:
    renewals = small_forecast.renewal_forecast.assign(
        from_day=pd.to_datetime(["2026-01-22", "2026-02-01"]), until_day=pd.to_datetime(["2026-02-01", "2026-02-22"])
    )
    text = printed(print_forecast, summarise(dataclasses.replace(small_forecast, renewal_forecast=renewals)))
    assert "2026-01 from the 22nd" in text
    assert "2026-02 until the 21st" in text
    whole = printed(print_forecast, summarise(small_forecast))
    assert "from the" not in whole.partition("Renewals by month")[2]


def test_a_mean_outside_its_interval_is_marked_and_explained(small_forecast: Forecast) -> None:
    told = "* The mean lies outside the 80 % interval where a few futures"
    assert told not in printed(print_forecast, summarise(small_forecast))
    nrr = small_forecast.nrr_forecast
    nrr = nrr.assign(mean=nrr["mean"].where(nrr["metric"] != "grr", 0.5))
    text = printed(print_forecast, summarise(dataclasses.replace(small_forecast, nrr_forecast=nrr)))
    assert "50.0 %* [76.5 %, 99.0 %]" in text
    assert text.count(told) == 1


def test_one_is_not_counted_as_many(small_forecast: Forecast) -> None:
    one = small_forecast.nrr_forecast[small_forecast.nrr_forecast["horizon_months"] == 1].assign(accounts=1)
    accounts = small_forecast.account_forecast[small_forecast.account_forecast["horizon_months"] == 1]
    forecast = dataclasses.replace(small_forecast, nrr_forecast=one, account_forecast=accounts)
    text = printed(print_forecast, summarise(forecast))
    assert "model version 7: 1 account, ARR" in text
    assert "By region, 1 month" in text
    assert not re.search(r"\b1 (months|accounts|days)", text)


def test_the_table_shows_mean_and_interval_and_the_definition(small_forecast: Forecast) -> None:
    text = printed(print_forecast, summarise(small_forecast))
    assert "Forecast as of 2026-01-01 by model version 7: 2 accounts, ARR 1,500 USD" in text
    assert "100.0 % [85.0 %, 110.0 %]" in text
    assert "NRR = ..." in text
    assert "Note: No cut by csm" in text
    assert "RED FLAG" not in text


def test_a_red_flag_is_shown_as_one(small_forecast: Forecast) -> None:
    flagged = dataclasses.replace(small_forecast, red_flag="NRR of 120% stands far above GRR of 80%")
    assert "RED FLAG: NRR of 120%" in printed(print_forecast, summarise(flagged))


def test_an_account_is_explained_with_its_horizons_and_reasons(small_forecast: Forecast) -> None:
    explained = explanation(small_forecast, "b")
    assert [row["churn_probability"] for row in explained["horizons"]] == [0.1, 0.2]
    assert [row["cross_sell_probability"] for row in explained["horizons"]] == [0.1, 0.1]
    text = printed(print_explanation, explained)
    assert "b: ARR 500, term ends never: evergreen" in text
    assert "    churn because of -3.5" in text
    assert text.index("churn because of @risk") < text.index("churn because of -3.5"), "display_rank leads"
    assert "    expansion because of @risk" in text


def test_a_chance_that_cannot_be_told_is_none_for_machines(small_forecast: Forecast) -> None:
    horizons = explanation(small_forecast, "=2+5")["horizons"]
    assert [row["cross_sell_probability"] for row in horizons] == [None, None]


def test_an_account_is_explained_with_the_notes_of_the_forecast(small_forecast: Forecast) -> None:
    noted = dataclasses.replace(
        small_forecast, notes=("NO SKILL FOUND for churn", "learned from data up to 2026-02-01")
    )
    explained = explanation(noted, "b")
    assert explained["notes"] == list(noted.notes)
    text = printed(print_explanation, explained)
    assert "Note: NO SKILL FOUND for churn\nNote: learned from data up to 2026-02-01\n" in text


def test_an_account_s_mean_outside_its_interval_is_marked_and_noted(small_forecast: Forecast) -> None:
    """An account that leaves in 5 % of the futures has both ends of its interval above the mean."""
    accounts = small_forecast.account_forecast.assign(expected_arr=475.0, arr_p10=500.0, arr_p90=500.0)
    explained = explanation(dataclasses.replace(small_forecast, account_forecast=accounts), "b")
    assert explained["notes"] == [*small_forecast.notes, SKEWED]
    text = printed(print_explanation, explained)
    assert "475*" in text
    assert text.count(SKEWED) == 1


def test_names_are_neither_markup_nor_terminal_codes(small_forecast: Forecast) -> None:
    drivers = small_forecast.account_driver.assign(text="[red]x[/red] \x1b[31mred")
    text = printed(print_explanation, explanation(dataclasses.replace(small_forecast, account_driver=drivers), "b"))
    assert "[red]x[/red] \N{REPLACEMENT CHARACTER}[31mred" in text
