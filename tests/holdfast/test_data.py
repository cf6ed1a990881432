"""Check, simulate, snapshots."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result


def test_check_says_what_decided_where_the_data_end(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id\na\n")
    (tmp_path / "contracts.csv").write_text(
        "contract_id,account_id,starts_on,signed_on,mrr\n1,a,2024-01-01,2023-12-01,5\n"
    )
    options = ["--set", "source.kind=files", "--set", f"source.path={tmp_path}", "--set", "forecast.cuts=[]"]
    result = run("check", *options)
    assert "2 rows in 2 tables, 0 left out; the data end before 2023-12-02: contracts.signed_on reaches to " in (
        result.stdout
    )
    content = json.loads(run("check", "--json", *options).stdout)
    assert (content["data_until"], content["data_until_from"]) == ("2023-12-02", ["contracts.signed_on"])
    assert content["data_until_why"] == "contracts.signed_on reaches to 2023-12-01"


def test_check_ends_with_money_and_traps(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id,name\na,Ann\nb,Bob\n")
    (tmp_path / "contracts.csv").write_text(
        "contract_id,account_id,starts_on,ended_on,mrr\n"
        "1,a,2023-01-10,2024-03-01,100\n2,a,2024-04-01,,100\n3,b,2023-01-10,,300\n"
    )
    places = [f"source.path={tmp_path}", f"data_dir={tmp_path / 'data'}", "source.data_until=2024-07-01"]
    options = [part for place in ("source.kind=files", "forecast.cuts=[]", *places) for part in ("--set", place)]
    result = run("check", *options)
    assert "Revenue as of 2024-07-01: 2 customers, ARR USD 4,800; median 2,400, largest 3,600 (75.0%): Bob (b)." in (
        result.stdout
    )
    assert (
        "A year before: 2 customers, ARR USD 4,800. Of these: NRR 75.0%, GRR 75.0%, logo retention 50.0% (1 left)."
        in (result.stdout)
    )
    assert "came back after a gap of 31 days" in result.stdout
    content = json.loads(run("check", "--json", *options).stdout)
    assert [month["churned"] for month in content["revenue"]["months"]][-5:] == [1, 0, 0, 0, 0]
    assert content["revenue"]["largest"] == {"account_id": "b", "name": "Bob", "arr": 3_600.0, "share": 0.75}
    (warning,) = content["warnings"]
    assert {"rule", "table", "column", "rows", "message", "todo"} <= set(warning)
    assert (warning["rule"], warning["table"], warning["rows"]) == ("short_gap", "contracts", 1)
    assert warning["message"].startswith("contracts.starts_on: 1 of 2 accounts came back after a gap of 31 days")
    assert "revenue.gap_days: 31" in warning["todo"]


def test_check_looks_for_leaks_when_asked(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("check", "--leaks", data_dir=tmp_path / "data")
    assert result.exit_code == 0, result.stderr
    for words in ("No leak found.", "Risks:", "contracts.ended_on", "Each column alone was tried on", "Known facts"):
        assert words in result.stdout
    found = run("check", "--leaks", "--json", data_dir=tmp_path / "data")
    leaks = json.loads(found.stdout)["leaks"]
    assert {leak["grade"] for leak in leaks["found"]} == {"risk", "cut"}
    assert {"honest_auc", "naive_auc", "rise"} <= set(leaks["cost"])
    assert "leaks" not in json.loads(run("check", "--json", data_dir=tmp_path / "data").stdout)


def test_simulate_writes_the_same_company_twice(tiny: list[str], run: Callable[..., Result], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        result = run("simulate", str(tmp_path / folder), "--json", *tiny)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["folder"] == str(tmp_path / folder)
    files = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.parquet")}
    assert {path.name for path in files} >= {"accounts.parquet", "contracts.parquet"}
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_simulate_writes_the_truth_of_a_date(tiny: list[str], run: Callable[..., Result], tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    command = ["simulate", str(tmp_path / "company"), "--truth", str(truth), "--as-of", "2025-01-01", *tiny]
    result = run(*command)
    assert result.exit_code == 0, result.stderr
    assert f"Wrote {tmp_path / 'company'} and {truth}" in result.stdout.replace("\n", "")
    assert truth.exists()
    assert not list((tmp_path / "company").rglob("*truth*")), "the truth is kept apart from the tables"


@pytest.mark.parametrize(
    ("verb", "words"),
    [("check", "the data end before 2026-01-01"), ("snapshots", "Stored in")],
)
def test_readable_results(run: Callable[..., Result], demo_data: tuple[Path, Result], verb: str, words: str) -> None:
    result = run(verb, data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    assert words in result.stdout


@pytest.mark.parametrize(("verb", "key"), [("check", "tables"), ("snapshots", "features")])
def test_results_for_machines(run: Callable[..., Result], demo_data: tuple[Path, Result], verb: str, key: str) -> None:
    result = run(verb, "--json", data_dir=demo_data[0])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)[key]


def test_check_lists_features_of_ones_own_with_what_they_mean(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id,plan\na,pro\n")
    (tmp_path / "contracts.csv").write_text("contract_id,account_id,starts_on,mrr\n1,a,2024-01-01,5\n")
    (tmp_path / "usage.csv").write_text("account_id,used_on,feature\na,2024-02-01,Invite Sent\n")
    invites = "features.invites_28d={table: usage, filter: {feature: Invite Sent}, window: 28}"
    settings = ["source.kind=files", f"source.path={tmp_path}", "forecast.cuts=[]", invites]
    options = [part for setting in settings for part in ("--set", setting)]
    assert "Rows of usage where feature is Invite Sent" in run("check", *options).stdout
    (listed,) = json.loads(run("check", "--json", *options).stdout)["own_features"]
    assert (listed["name"], listed["sentence"]) == ("invites_28d", "{value} invites in the last 28 days")
    assert listed["needs"] == ["usage.used_on", "usage.feature"]
    never = ("--set", "features.invites_28d.filter={feature: [Nonexistent]}")
    absent = ("--set", "features.hard_28d={table: tickets, window: 28}")
    journey = ("--set", "journey.default={first_value: invites.users >= 3, phases: {all: {}}}")
    shown = run("check", *options, *never, *absent)
    assert shown.stdout.count("(no row yet)") == 2
    found = json.loads(run("check", "--json", *options, *never, *absent, *journey).stdout)["warnings"]
    (use,) = (warning for warning in found if warning["table"].startswith("journey"))
    assert f"{use['message']} {use['todo']}" == (
        "journey.default.first_value: counts nothing: feature is invites in none of 1 rows of usage. Correct "
        "journey.default.first_value. There is feature: Invite Sent."
    )
    found = [warning for warning in found if warning is not use]
    told = {warning["rule"]: f"{warning['message']} {warning['todo']}" for warning in found}
    assert told["feature_without_rows"] == (
        "features.invites_28d: counts nothing: feature is Nonexistent in none of 1 rows of usage. Correct "
        "features.invites_28d.filter. There is feature: Invite Sent."
    )
    assert told["feature_without_table"].startswith("features.hard_28d: is made from tickets, which the source lacks")
    for setting, message in (
        ("features.invites_28d.table=usge", "there is no table usge. Did you mean usage?"),
        ("features.invites_28d.measure=cuont", "did you mean count?"),
        ("features.invites_28d.filter={featur: x}", "Did you mean feature?"),
    ):
        refused = run("check", *options, "--set", setting)
        assert refused.exit_code == 2
        assert message in refused.stderr.replace("\n", " ")
