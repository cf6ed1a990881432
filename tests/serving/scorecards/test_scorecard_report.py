"""Scorecards of a company: actuals by hand, whose accounts count, what stands in, and plans that are none."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Params, load
from serving.forecast.refusals import BadRequest
from serving.scorecards.pay_plan import read_plan
from serving.scorecards.pay_replay import replay_plan
from serving.scorecards.report import NONE_YET, scorecard_report

STARTS = (date(2025, 1, 1), date(2025, 4, 1), date(2025, 7, 1))
PLAN = """
on_target_pay: 100000
split: 80/20
components:
  - {measure: nrr, weight: 0.5, threshold: 0.5, target: 1.0}
  - {measure: nrr_against_expected, weight: 0.5, threshold: -0.5, target: 0.0}
"""


def contract(account: int, mrr: float, ended_on: str | None = None) -> dict[str, Any]:
    return {
        "contract_id": f"c{account}", "account_id": f"a{account}", "starts_on": "2024-01-01", "ends_on": "2026-12-31",
        "ended_on": ended_on, "mrr": mrr,
    }  # fmt: skip


@pytest.fixture(scope="module")
def company(costly: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, Params]:
    """Ada has a0 to a3, of which the largest leaves in May 2025; Ben has a4 to a7, and takes a8 over in June."""
    folder = tmp_path_factory.mktemp("company")
    accounts = [{"account_id": f"a{i}", "csm": "Ada" if i < 4 else "Ben", "valid_from": "2024-01-01"} for i in range(8)]
    accounts += [{"account_id": "a8", "csm": "Ada", "valid_from": "2024-01-01"}]
    accounts += [{"account_id": "a8", "csm": "Ben", "valid_from": "2025-06-10"}]
    contracts = [contract(i, 100.0 + 100 * (i == 0), "2025-05-15" if i == 0 else None) for i in range(9)]
    frames = {"accounts": pd.DataFrame(accounts), "contracts": pd.DataFrame(contracts)}
    frames["accounts"]["valid_from"] = pd.to_datetime(frames["accounts"]["valid_from"])
    for name in ("starts_on", "ends_on", "ended_on"):
        frames["contracts"][name] = pd.to_datetime(frames["contracts"][name])
    tables = tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))
    params = load(None, [f"data_dir={folder}"])
    expected = [
        {"role": "csm", "person": person, "horizon_months": 3, "accounts": 4, "starting_arr": 1000.0,
         "expected_arr": 950.0, "p10": 900.0, "p90": 1000.0, "churn_slope": -50.0, "contraction_slope": -10.0,
         "expansion_slope": 20.0, "origin": pd.Timestamp(start)}
        for start in STARTS for person in ("Ada", "Ben", "(none)")
    ]  # fmt: skip
    latest = folder / "backtests" / "latest"
    latest.mkdir(parents=True)
    pd.DataFrame(expected).to_parquet(latest / "books.parquet")
    return tables, params


def test_actuals_are_those_of_the_owners_accounts(company: Any) -> None:
    report = scorecard_report(company[0], "csm", company[1])
    periods = report.periods.set_index(["period", "person"])
    arr = periods["starting_arr"].to_dict()
    assert arr["2025-01-01", "Ada"] == 12 * 600, "a0 to a3 and a8"
    assert arr["2025-07-01", "Ada"] == 12 * 300, "a0 has left, a8 has changed hands"
    assert arr["2025-07-01", "Ben"] == 12 * 400, "a8 came to Ben three weeks before: it is nobody's yet"
    assert arr["2025-07-01", "(none)"] == 12 * 100
    assert periods.loc[("2025-04-01", "Ada"), "actual_arr"] == 12 * 400, "a0 left in May"
    assert periods.loc[("2025-04-01", "Ada"), "effective_n"] == pytest.approx(600**2 / (200**2 + 4 * 100**2))
    assert periods.loc[("2025-04-01", "Ada"), "expected_arr"] == pytest.approx(0.95 * 12 * 600)


def test_people_have_cards_and_the_unowned_have_none(company: Any) -> None:
    report = scorecard_report(company[0], "csm", company[1])
    cards = {row["person"]: row for row in report.rows}
    assert sorted(cards) == ["Ada", "Ben"]
    assert cards["Ada"]["actual"] == pytest.approx((600 + 400 + 300) / (600 + 600 + 300))
    assert cards["Ada"]["verdict"] == "too little to tell", "accounts worth fewer than 8"
    assert cards["Ben"]["actual"] == 1.0
    assert all(row["basis"] == "replayed" for row in cards.values())
    assert "no official forecast" in " ".join(report.notes)


def test_the_last_quarters_can_be_asked_for(company: Any) -> None:
    assert {row["periods"] for row in scorecard_report(company[0], "csm", company[1], 2).rows} == {2}


def test_a_role_without_a_column_is_refused(company: Any) -> None:
    with pytest.raises(BadRequest, match="accounts has no column seller"):
        scorecard_report(company[0], "seller", company[1])


def test_without_a_forecast_it_says_what_it_takes(company: Any, tmp_path: Path) -> None:
    params = company[1].model_copy(update={"data_dir": tmp_path})
    report = scorecard_report(company[0], "csm", params)
    assert (report.rows, report.notes) == ([], [NONE_YET])


def test_a_plan_is_replayed_over_the_quarters(company: Any, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    result = replay_plan(company[0], read_plan(file), company[1], 3)
    by_person = {row["person"]: row for row in result.people}
    assert by_person["Ben"]["on_target"] == 75_000
    assert result.cost == pytest.approx(sum(row["pay"] for row in result.people))
    assert by_person["Ben"]["pay"] > by_person["Ada"]["pay"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("80/20", "80/30"), "the split 80/30 does not add up to 100"),
        (("weight: 0.5, threshold: -0.5", "weight: 0.4, threshold: -0.5"), "add up to 0.9, not 1"),
        (("target: 1.0", "target: 0.4"), "the target 0.4 must lie above the threshold 0.5"),
        (("measure: nrr,", "measure: smiles,"), "components.0.measure"),
        (("on_target_pay: 100000", "on_target_pay: -1"), "on_target_pay"),
        (("split: 80/20", "colour: red"), "colour"),
        ((PLAN, "[: :"), "is not YAML"),
    ],
)
def test_a_plan_that_is_none_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN.replace(*change), encoding="utf-8")
    with pytest.raises(BadRequest) as refusal:
        read_plan(file)
    assert message in str(refusal.value)
