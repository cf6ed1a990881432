"""What to do next and what if, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import Result

Demo = tuple[Path, Result]


@pytest.fixture(scope="module")
def recommended(run: Callable[..., Result], demo_data: Demo) -> dict[str, Any]:
    result = run("actions", "--json", data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_plays_fit_into_the_hours_and_have_what_others_rely_on(recommended: dict[str, Any]) -> None:
    keys = {"csm", "account_id", "name", "action", "hours", "arr_saved", "low", "high", "evidence", "rank",
            "probability_of_assignment", "why"}  # fmt: skip
    assert recommended["rows"]
    assert all(keys <= set(row) for row in recommended["rows"])
    for hours in recommended["capacity"]:
        rows = [row for row in recommended["rows"] if row["csm"] == hours["csm"]]
        told = sum(row["hours"] for row in rows)
        assert told == pytest.approx(hours["used"], abs=0.005 * len(rows) + 1e-6)  # each to the hundredth
        assert hours["used"] <= hours["hours"]
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert hours["shadow_price"] >= 0
    accounts = [row["account_id"] for name in ("rows", "others") for row in recommended[name]]
    assert len(accounts) == len(set(accounts))
    assert {row["evidence"] for row in recommended["rows"]} <= {"assumed", "estimated"}


def test_less_hours_save_less_and_one_more_is_worth_something(
    run: Callable[..., Result], demo_data: Demo, recommended: dict[str, Any]
) -> None:
    scarce = ("--set", "actions.pooled_hours_per_month=5")
    content = json.loads(run("actions", "--json", *scarce, data_dir=demo_data[0]).stdout)
    pool = next(row for row in content["capacity"] if row["csm"] == "(pooled)")
    assert pool["shadow_price"] > 0
    saved = [sum(row["arr_saved"] for row in one["rows"]) for one in (content, recommended)]
    assert saved[0] < saved[1]
    assert pool["used"] <= 5


def test_one_csm_and_the_table_as_files(
    run: Callable[..., Result], demo_data: Demo, recommended: dict[str, Any], tmp_path: Path
) -> None:
    name = next(row["csm"] for row in recommended["rows"] if row["csm"] != "(pooled)")
    result = run("actions", "--csm", name, "--out", str(tmp_path / "out"), data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    assert name in result.stdout
    table = pd.read_parquet(tmp_path / "out" / "recommended_action.parquet")
    assert 0 < len(table) < len(recommended["rows"]) + len(recommended["others"])
    assert ((table["book"] == name) | (table["csm"] == name)).all()
    assert (tmp_path / "out" / "recommended_action.xlsx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("actions", "--csm", "Nobody"), "--csm Nobody: no customer is in such a book"),
        (("actions", "--set", "actions.kinds.traning={hours: 2}"), "traning (did you mean training?)"),
        (("actions", "--set", "actions.hours_per_month=0"), "actions.hours_per_month: Input should be greater than 0"),
        (("actions", "--set", "actions.kinds.training.hours=-1"), "actions.kinds.training.hours"),
        (("scenario",), "give one of a file, --preset NAME and --target"),
        (("scenario", "absent.yaml"), "No scenario file absent.yaml"),
        (("scenario", "--preset", "worst"), "there is no such preset"),
        (("scenario", "--target", "nrr=110"), "nrr is a ratio"),
    ],
)
def test_bad_input_is_one_message_and_code_2(
    run: Callable[..., Result], demo_data: Demo, arguments: tuple[str, ...], message: str
) -> None:
    verb, *options = arguments
    result = run(verb, *options, data_dir=demo_data[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_scenario_differs_from_the_forecast_by_its_own_interval(
    run: Callable[..., Result], demo_data: Demo, tmp_path: Path
) -> None:
    file = tmp_path / "squeeze.yaml"
    file.write_text("market: {sd: 1.5}\nactions: this month\n", encoding="utf-8")
    options = ("--out", str(tmp_path / "out"), "--json")
    result = run("scenario", str(file), *options, data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert set(content["difference"]) == {"mean", "p10", "p90"}
    assert content["scenario"]["name"] == "squeeze"
    assert content["scenario"]["mean"] - content["base"]["mean"] == pytest.approx(content["difference"]["mean"])
    assert {mark["mark"] for mark in content["marks"]} == {"assumed"}
    forecast = pd.read_parquet(demo_data[0] / "forecasts" / "latest" / "nrr_forecast.parquet")
    total = forecast.query("cut == 'total' and metric == 'nrr' and horizon_months == 12").iloc[0]
    assert content["base"]["mean"] == pytest.approx(total["mean"], abs=1e-9)
    assert content["base"]["p10"] == pytest.approx(total["p10"], abs=1e-9)
    table = pd.read_parquet(tmp_path / "out" / "scenario_forecast.parquet")
    assert set(table["horizon_months"]) == {3, 6, 12}


def test_what_it_takes_to_reach_a_target(run: Callable[..., Result], demo_data: Demo) -> None:
    result = run("scenario", "--target", "nrr=1.2", "--json", data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert 0 <= content["probability"] <= 1
    churn = next(lever for lever in content["levers"] if lever["lever"] == "churn")
    assert churn["shift"] is None or abs(churn["probability"] - 0.5) < 0.1
    assert content["feasible"]["is_feasible"] in (True, False)
    assert "sufficient" in content


def test_the_quarter_is_reviewed_with_what_would_follow(
    run: Callable[..., Result], demo_data: Demo, tmp_path: Path
) -> None:
    result = run("process", "--json", "--out", str(tmp_path / "review.parquet"), data_dir=demo_data[0])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert {"coverage", "cadence_kept"} <= {row["measure"] for row in content["measures"]}
    levels = {row["level"] for row in content["processes"]}
    assert {"process", "action"} <= levels
    assert {row["mark"] for row in content["follows"]} == {"assumed"}, "nothing was studied"
    assert any("No study of past actions" in note for note in content["notes"])
    stopped = [row for row in content["follows"] if row["change"] == "stopped"]
    assert all(row["nrr_points"] < 0 and row["low"] < row["nrr_points"] < row["high"] for row in stopped)
    assert 0.3 < content["nrr"] < 2
    table = pd.read_parquet(tmp_path / "review.parquet").set_index(["part", "name", "change"])
    assert len(table) == sum(len(content[name]) for name in ("measures", "processes", "follows"))
    assert table.loc[("measure", "coverage", ""), "figure"] == next(
        row["now"] for row in content["measures"] if row["measure"] == "coverage"
    )
    for row in stopped:
        assert table.loc[("follows", row["kind"], "stopped"), "figure"] == row["nrr_points"]


def test_a_holdout_is_looked_at_first_and_changes_nothing(
    run: Callable[..., Result], demo_data: Demo, tmp_path: Path
) -> None:
    planned, shown = tmp_path / "plan.csv", tmp_path / "results.xlsx"
    content = json.loads(
        run("holdout", "--share", "0.3", "--json", "--out", str(planned), data_dir=demo_data[0]).stdout
    )
    row = pd.read_csv(planned).iloc[0]
    assert (row["eligible"], row["withheld"], row["take_up_basis"]) == (
        content["eligible"], content["withheld"], "assumed",
    )  # fmt: skip
    assert row["arr_at_stake"] == pytest.approx(content["arr_at_stake"], abs=0.01)
    assert content["eligible"] >= content["withheld"]
    assert content["arr_at_stake"] >= 0
    assert content["take_up_is_assumed"]
    told = run("holdout", data_dir=demo_data[0]).stdout
    assert "acknowledged_arr" in told
    none = json.loads(run("holdout", "--results", "--json", "--out", str(shown), data_dir=demo_data[0]).stdout)
    assert (none["enrolled"], none["rows"][0]["effect_points"]) == (0, None)
    assert pd.read_excel(shown, sheet_name="holdout_result")["kind"].tolist() == ["(all)"]
    refused = run("holdout", "--out", str(tmp_path / "plan.txt"), data_dir=demo_data[0])
    assert (refused.exit_code, (tmp_path / "plan.txt").exists()) == (2, False)
    assert "give a file that ends with .xlsx, .csv, .parquet" in refused.output
    wrong = run("holdout", "--share", "0.7", data_dir=demo_data[0])
    assert wrong.exit_code == 2
    assert "up to 0.5" in wrong.output


def test_what_came_of_recommendations_is_told_of_all_or_not_at_all(run: Callable[..., Result], demo_data: Demo) -> None:
    content = json.loads(run("actions", "--record", "--json", data_dir=demo_data[0]).stdout)
    assert content["summary"]["recommended"] == len(content["rows"])
    assert "no effect of the plays" in run("actions", "--record", data_dir=demo_data[0]).stdout
    refused = run("actions", "--record", "--csm", "Ada", data_dir=demo_data[0])
    assert refused.exit_code == 2
