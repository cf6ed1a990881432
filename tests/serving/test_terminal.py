"""What is printed of a forecast: the figures with their interval, the definition, the red flag; never markup."""

import dataclasses
import io
import json
from typing import Any

from rich.console import Console

from serving.forecast import Forecast
from serving.terminal import explanation, print_explanation, print_forecast, summarise


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
    text = printed(print_explanation, explained)
    assert "b: ARR 500, term ends never: evergreen" in text
    assert "1. churn because of -3.5" in text
    assert "2. expansion because of @risk" in text


def test_names_are_neither_markup_nor_terminal_codes(small_forecast: Forecast) -> None:
    drivers = small_forecast.account_driver.assign(text="[red]x[/red] \x1b[31mred")
    text = printed(print_explanation, explanation(dataclasses.replace(small_forecast, account_driver=drivers), "b"))
    assert "[red]x[/red] \N{REPLACEMENT CHARACTER}[31mred" in text
