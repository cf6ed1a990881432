"""Pay by hand: a company of two people and five accounts, one of which grows, earns somebody pay, and leaves."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Params, load
from serving.forecast.declared.book_tables import COMP_REPLAY, SCORECARD
from serving.forecast.refusals import BadRequest
from serving.kpis.kpi_files import as_table
from serving.scorecards import pay_replay
from serving.scorecards.pay_measures import book_accounts, book_measures, credited
from serving.scorecards.pay_plan import PlanFile
from serving.scorecards.pay_replay import replay_plan
from serving.scorecards.published_pay import published_pay
from serving.scorecards.report import scorecard_report

STARTS = (date(2025, 1, 1), date(2025, 4, 1))
LINES = (  # account, product, starts, ended, MRR
    ("a0", "p", "2024-01-01", "2025-05-15", 100),
    ("a0", "more", "2025-02-01", "2025-05-15", 100),
    ("a1", "p", "2024-01-01", None, 100),
    ("b0", "p", "2024-01-01", None, 100),
    ("b1", "p", "2024-01-01", "2025-02-10", 100),
    ("b1", "p", "2025-02-10", None, 50),
    ("b2", "p", "2024-12-15", None, 100),
)
GOALS = (  # account, horizon, due, achieved
    ("a0", "twelve_month", "2025-03-01", None),
    ("a1", "twelve_month", "2025-02-15", "2025-02-10"),
    ("b2", "first_value", "2025-01-15", "2025-02-01"),
)
NRR = {"measure": "nrr", "weight": 0.5, "threshold": 0.5, "target": 1.0}
EXPANSION = {"measure": "expansion_rate", "weight": 0.5, "threshold": 0.0, "target": 0.25}


def plan(*components: dict[str, Any], **settings: Any) -> PlanFile:
    return PlanFile.model_validate({"on_target_pay": 100_000, "split": "80/20", "components": components} | settings)


@pytest.fixture(scope="module")
def company(costly: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, Params]:
    folder = tmp_path_factory.mktemp("company")
    owners = {account: "Ada" if account.startswith("a") else "Ben" for account, *_ in LINES}
    frames = {
        "accounts": pd.DataFrame({"account_id": owners.keys(), "csm": owners.values(), "seller": None}),
        "contracts": pd.DataFrame(
            [
                {"contract_id": f"c{n}", "account_id": account, "starts_on": starts, "ends_on": None,
                 "ended_on": ended, "product": product, "mrr": mrr}
                for n, (account, product, starts, ended, mrr) in enumerate(LINES)
            ],
            dtype=object,
        ),
        "goals": pd.DataFrame(
            [
                {"goal": f"g{n}", "account_id": account, "horizon": horizon, "due_on": due, "achieved_on": achieved,
                 "set_on": "2024-12-15"}
                for n, (account, horizon, due, achieved) in enumerate(GOALS)
            ],
            dtype=object,
        ),
        "pay": pd.DataFrame(
            {"person": ["Ada", "Ada", "Ben"], "quarter": ["2025-Q1", "2025-Q2", "2025-Q1"], "paid": [5000, 4000, 3000]}
        ),
    }  # fmt: skip
    tables = tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))
    expected = [
        {"role": role, "person": person, "horizon_months": 3, "accounts": 3, "starting_arr": 1000.0,
         "expected_arr": 950.0, "p10": 900.0, "p90": 1000.0, "churn_slope": -50.0, "contraction_slope": -10.0,
         "expansion_slope": 20.0, "origin": pd.Timestamp(start)}
        for start in STARTS for role, person in (("csm", "Ada"), ("csm", "Ben"), ("seller", "(none)"))
    ]  # fmt: skip
    (folder / "backtests" / "latest").mkdir(parents=True)
    pd.DataFrame(expected).to_parquet(folder / "backtests" / "latest" / "books.parquet")
    return tables, load(None, [f"data_dir={folder}"])


def paid(company: Any, *asked: Any, **more: Any) -> tuple[dict[str, Any], Any]:
    result = replay_plan(company[0], asked[0], company[1], 2, **more)
    return {row["person"]: row for row in result.people}, result


def test_measures_are_those_by_hand(company: Any) -> None:
    rows = pd.DataFrame(
        [(start.isoformat(), person) for start in STARTS for person in ("Ada", "Ben")], columns=["period", "person"]
    )
    accounts = book_accounts(company[0], STARTS, "csm", company[1])
    measures = book_measures(accounts, rows)
    nan = float("nan")
    assert measures["grr"].tolist() == pytest.approx([1, 2.5 / 3, 1 / 3, 1])
    assert measures["expansion_rate"].tolist() == pytest.approx([1 / 2, 0, 0, 0])
    assert measures["logo_retention"].tolist() == pytest.approx([1, 1, 1 / 2, 1])
    assert measures["goals_reached"].tolist() == pytest.approx([1 / 2, nan, nan, nan], nan_ok=True)
    assert measures["first_value_by_day_90"].tolist() == pytest.approx([nan, 1, nan, nan], nan_ok=True)
    assert "cadence_kept" not in measures, "no touches on file"


def test_growth_of_an_account_that_left_is_taken_back(company: Any) -> None:
    people, result = paid(company, plan(NRR, EXPANSION, clawback={"months": 6}))
    # Ada: NRR 1.5 pays 2.0 and expansion .5 pays 2.0, without a0's growth 1.0 and 0; then NRR 1/3 pays nothing
    assert people["Ada"]["clawback"] == pytest.approx(25_000 * 0.2 * (2.0 - 0.5))
    assert people["Ada"]["pay"] == pytest.approx(25_000 * (0.8 + 0.2 * 0.5) + 25_000 * 0.8)
    # Ben: NRR 2.5/3 pays 2/3, then 1
    assert people["Ben"]["clawback"] == 0
    assert people["Ben"]["pay"] == pytest.approx(
        25_000 * (0.8 + 0.2 * 0.5 * 2 / 3) + 25_000 * (0.8 + 0.2 * 0.5), abs=0.01
    )
    assert result.cost == pytest.approx(people["Ada"]["pay"] + people["Ben"]["pay"], abs=0.01)


def test_what_left_later_than_the_rule_reaches_is_not_taken_back(company: Any) -> None:
    assert paid(company, plan(NRR, EXPANSION, clawback={"months": 1}))[0]["Ada"]["clawback"] == 0


def test_who_gains_is_told_against_what_was_paid_where_all_of_it_is_on_file(company: Any) -> None:
    people, result = paid(company, plan(NRR, EXPANSION))
    assert people["Ada"]["compared_pay"] == 2 * 20_000 + 5000 + 4000
    assert people["Ada"]["outcome"] == "gains"
    assert people["Ada"]["difference"] == pytest.approx(people["Ada"]["pay"] - 49_000)
    assert (people["Ben"]["compared_pay"], people["Ben"]["outcome"]) == (None, "")
    assert (result.compared_with, result.compared_cost) == ("paid", 49_000)


def test_another_plan_is_compared_person_by_person(company: Any) -> None:
    whole = {**NRR, "weight": 1.0}
    people, result = paid(company, plan(NRR, EXPANSION), against=plan(whole))
    alone, _ = paid(company, plan(whole))
    assert [people[name]["compared_pay"] for name in ("Ada", "Ben")] == [alone[name]["pay"] for name in ("Ada", "Ben")]
    assert (result.compared_with, people["Ben"]["outcome"]) == ("plan", "loses")
    assert result.same_ranking is None, "two people have no ranking to speak of"
    assert result.luck_share is not None
    assert result.luck_share > 0


def test_two_plans_share_the_accounts_of_the_books(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def counted(*asked: Any) -> pd.DataFrame:
        calls.append(asked)
        return book_accounts(*asked)

    monkeypatch.setattr(pay_replay, "book_accounts", counted)
    whole = plan({**NRR, "weight": 1.0})
    paid(company, plan(NRR, EXPANSION), against=plan({**EXPANSION, "weight": 1.0}))
    assert len(calls) == 1
    paid(company, whole, against=plan(NRR, EXPANSION))
    assert len(calls) == 2, "the other plan alone needs them"
    paid(company, whole, against=whole)
    assert len(calls) == 2, "neither needs them"


def test_expansion_of_a_shared_account_counts_in_part(costly: None, tmp_path: Path) -> None:
    """Ada grows two accounts by 100 each, one of which Sue sells to as well: of that, a quarter is Ada's."""
    lines = [
        (account, f"{account}{place}", starts)
        for account in ("shared", "alone")
        for place, starts in enumerate(("2024-01-01", "2025-02-01"))
    ]
    frames = {
        "accounts": pd.DataFrame({"account_id": ["shared", "alone"], "csm": "Ada", "seller": ["Sue", None]}),
        "contracts": pd.DataFrame(
            [
                {"contract_id": name, "account_id": account, "starts_on": starts, "ends_on": None, "product": name,
                 "mrr": 100}
                for account, name, starts in lines
            ],
            dtype=object,
        ),
    }  # fmt: skip
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2026, 1, 1))
    params = load(None, [f"data_dir={tmp_path}"])
    rows = pd.DataFrame({"period": ["2025-01-01"], "person": ["Ada"]})
    rates = []
    for share in (1.0, 0.25):
        accounts = credited(book_accounts(tables, STARTS[:1], "csm", params), share)
        rates.append(book_measures(accounts, rows)["expansion_rate"].item())
    assert rates == pytest.approx([200 / 200, (100 + 25) / 200])
    sellers = credited(book_accounts(tables, STARTS[:1], "seller", params), 0.75)
    assert book_measures(sellers, rows.assign(person="Sue"))["expansion_rate"].item() == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("asked", "other", "message"),
    [
        (
            plan({**NRR, "weight": 1.0, "measure": "cadence_kept"}),
            None,
            "cadence_kept, which takes csm_actions.planned_on",
        ),
        (plan({**NRR, "weight": 1.0}), plan({**NRR, "weight": 1.0}, role="seller"), "a csm and a seller"),
        (
            plan({**NRR, "weight": 1.0}, role="seller"),
            None,
            r"no seller's book .*2025-01-01 \(5 accounts\), 2025-04-01 \(5 accounts\): .* Fill accounts.seller",
        ),
    ],
)
def test_a_plan_that_cannot_be_worked_out_is_refused(company: Any, asked: Any, other: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        replay_plan(company[0], asked, company[1], 2, other)


def test_the_tables_are_the_declared_ones(company: Any) -> None:
    result = replay_plan(company[0], plan(NRR, EXPANSION), company[1], 2)
    frame = as_table(result.table_rows(), COMP_REPLAY)
    assert tuple(frame.columns) == COMP_REPLAY.names
    assert frame["pay"].tolist() == [row["pay"] for row in result.people]
    cards = as_table(scorecard_report(company[0], "csm", company[1]).table_rows(), SCORECARD)
    assert tuple(cards.columns) == SCORECARD.names
    assert cards["person"].tolist() == ["Ada", "Ben"]


def test_plans_of_the_settings_are_weighed_against_the_one_in_force(company: Any, tmp_path: Path) -> None:
    files = []
    for name, components in (("now", (NRR, EXPANSION)), ("next", ({**NRR, "weight": 1.0},))):
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(plan(*components).model_dump(mode="json")), encoding="utf-8")
    files.append(tmp_path / "absent.yaml")
    data = load(None, [f"data_dir={company[1].data_dir}", f"serving.pay_plans={list(map(str, files))}"])
    told = published_pay(company[0], data)["plans"]
    assert [(one["name"], one["is_in_force"], one["compared_with"], one["compared_plan"]) for one in told] == [
        ("now", True, "paid", ""), ("next", False, "plan", "now"), ("absent", False, "", "")
    ]  # fmt: skip
    assert "cannot be read" in told[2]["lacking"]
    assert told[0]["people"] == replay_plan(company[0], plan(NRR, EXPANSION), data, 4).people
    assert told[1]["compared_cost"] == told[0]["cost"]
    with pytest.raises(BadRequest, match="No pay plan is named"):
        published_pay(*company)


def test_a_plan_s_file_may_say_all_of_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in_quarters"):
        plan({**NRR, "weight": 1.0, "in_quarters": [5]})
    with pytest.raises(ValueError, match="months"):
        plan({**NRR, "weight": 1.0}, clawback={"months": 0})
