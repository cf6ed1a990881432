"""KPIs of a simulated company against pandas over its raw rows, its targets, its workbook and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.account_facts import Window, account_facts
from features.kpis.lifetimes import customer_spells, leaving_rates
from features.revenue.cut_labels import labels_in_force
from features.revenue.paths import add_months
from features.revenue.retention import retention
from features.snapshots.building import build
from features.tables.checked import Tables
from params import Params
from serving.forecast.declared.kpi_tables import KPI
from serving.forecast.refusals import BadRequest
from serving.kpis.kpi_files import as_table, require_writable, write_facts
from serving.kpis.kpi_report import KpiReport, kpi_report, quarter_starts
from serving.kpis.kpi_workbook import write_kpi_workbook
from serving.kpis.lifetime_value import _forecast_first

pytestmark = pytest.mark.usefixtures("costly")

AS_OF = date(2025, 10, 1)
START = pd.Timestamp("2024-10-01")
END = pd.Timestamp(AS_OF)


@pytest.fixture(scope="module")
def report(team_tables: Tables, team_params: Params) -> KpiReport:
    return kpi_report(team_tables, as_of=AS_OF, params=team_params, by="segment", quarters=1)


def figures(report: KpiReport, value: str = "total") -> dict[str, Any]:
    rows = (row for row in report.rows if row["as_of"] == AS_OF and row["value"] == value)
    return {row["kpi"]: row["figure"] for row in rows}


def known(rows: pd.DataFrame, event: str) -> pd.DataFrame:
    """Rows that had happened, and were recorded, before the date."""
    recorded = rows["recorded_at"].fillna(rows[event]) if "recorded_at" in rows else rows[event]
    return rows[(rows[event] < END) & (recorded.dt.normalize() < END)]


def test_retention_is_the_engine_s(report: KpiReport, team_tables: Tables, team_params: Params) -> None:
    window = retention(
        team_tables, start=START.date(), end=AS_OF, known_by=AS_OF, rules=team_params.revenue, budget=team_params.budget
    )
    told = figures(report)
    assert (told["nrr"], told["grr"], told["logo_retention"]) == pytest.approx(
        (window.nrr, window.grr, window.logo_retention)
    )
    steps = (told["expansion_rate"] + told["price_rate"], told["churn_rate_revenue"] + told["contraction_rate"])
    assert 1 + steps[0] - steps[1] - told["pause_rate"] == pytest.approx(told["nrr"])


def test_touches_goals_and_surveys_are_what_pandas_counts(
    report: KpiReport, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    told = figures(report)
    touches = known(raw_rows("csm_actions"), "acted_on")
    due = touches[(touches["planned_on"] >= START) & (touches["planned_on"] + pd.Timedelta(days=7) < END)]
    in_time = (due["status"] == "done") & (due["acted_on"] - due["planned_on"] <= pd.Timedelta(days=7))
    assert told["cadence_kept"] == pytest.approx(in_time.mean())

    goals = raw_rows("goals")
    goals = goals[(goals["horizon"] == "twelve_month") & goals["due_on"].between(START, END, inclusive="left")]
    assert told["goals_reached"] == pytest.approx((goals["achieved_on"] <= goals["due_on"]).mean())

    surveys = known(raw_rows("surveys"), "sent_on")
    sent = surveys[surveys["sent_on"].between(START, END, inclusive="left")]
    answered = sent.index.isin(known(sent, "responded_on").index)
    deciders = sent["respondent_role"].isin(["decision_maker", "executive_sponsor"])
    assert told["survey_response"] == pytest.approx(answered.mean())
    assert told["decider_response"] == pytest.approx(answered[deciders].mean())


def test_people_and_advocates_are_what_pandas_counts(
    report: KpiReport, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    customers = report.accounts.index[report.accounts["arr"] > 0]
    engaged, acted = known(raw_rows("engagement"), "happened_on"), known(raw_rows("csm_actions"), "acted_on")
    since = END - pd.Timedelta(days=90)
    theirs = engaged[engaged["happened_on"] >= since].groupby("account_id")["contact_id"].nunique()
    ours = acted[(acted["acted_on"] >= since) & (acted["status"] == "done")].groupby("account_id")["csm"].nunique()
    theirs, ours = (people.reindex(customers).fillna(0).clip(upper=3) for people in (theirs, ours))
    told = figures(report)
    assert told["contact_redundancy"] == pytest.approx((theirs + ours).mean())
    assert told["single_threaded"] == pytest.approx((theirs <= 1).mean())
    of_year = engaged[(engaged["happened_on"] >= END - pd.Timedelta(days=365)) & engaged["account_id"].isin(customers)]
    given = {name: of_year[of_year["kind"] == name] for name in ("referral", "reference")}
    assert told["advocacy"] == pytest.approx(customers.isin(pd.concat(given.values())["account_id"]).mean())
    for name, rows in given.items():
        assert told[f"{name}_rate"] == pytest.approx(len(rows) / len(customers))
    assert sum(cell["accounts"] for cell in report.grid) == len(customers)


def test_contact_redundancy_is_the_feature(team_tables: Tables, team_params: Params, report: KpiReport) -> None:
    settings = team_params.snapshots
    frame = build(
        team_tables, [AS_OF], revenue=team_params.revenue, settings=settings, budget=team_params.budget
    ).frame.set_index("account_id")
    facts = report.accounts.loc[frame.index]
    assert (frame["contact_redundancy"] == facts["redundancy"]).all()


def test_first_value_is_a_loop_over_the_days_of_each_new_customer(
    report: KpiReport, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    goals = raw_rows("goals")
    reached_on = goals[goals["horizon"] == "first_value"].groupby("account_id")["achieved_on"].min()
    lives = []
    for account, row in report.accounts[report.accounts["began"] >= START].iterrows():
        reached = reached_on.get(account, pd.NaT)
        days = (reached - row["began"]).days if reached < END else np.inf
        if days <= row["lived_days"]:
            lives.append((days, "reached"))
        else:
            lives.append((row["lived_days"], "left" if row["left_by_now"] else "seen"))
    share, staying = 0.0, 1.0
    for day in range(61):
        there = sum(end >= day for end, _ in lives)
        today = [what for end, what in lives if end == day and what != "seen"]
        if there:
            share += staying * today.count("reached") / there
            staying *= 1 - len(today) / there
    assert figures(report)["first_value_by_day_60"] == pytest.approx(share)


def test_what_became_known_later_changes_nothing(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame], tmp_path: Path
) -> None:
    """The same company cut off at the date gives the same facts."""
    names = ("accounts", "contracts", "fx_rates", "goals", "csm_actions", "engagement", "surveys", "leads", "services")
    frames = {name: raw_rows(name)[list(team_tables.columns[name])] for name in names}
    days = {"goals": "set_on", "csm_actions": "acted_on", "engagement": "happened_on", "leads": "raised_on"}
    for name, event in (days | {"services": "delivered_on"}).items():
        frames[name] = known(frames[name], event)
    for name in ("won_on", "lost_on"):
        frames["leads"][name] = frames["leads"][name].where(frames["leads"][name] < END)
    frames["goals"] = frames["goals"].assign(
        achieved_on=lambda rows: rows["achieved_on"].where(rows["achieved_on"] < END)
    )
    frames["surveys"] = frames["surveys"][frames["surveys"]["sent_on"] < END]
    cut_off = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=team_tables.data_until)
    window = Window(AS_OF, 12, 7)
    rules = {"rules": team_params.revenue, "budget": team_params.budget}
    before = replace(cut_off, lag_days=team_tables.lag_days)
    pd.testing.assert_frame_equal(account_facts(before, window, **rules), account_facts(team_tables, window, **rules))


def test_each_date_s_figures_are_those_of_that_date_alone(
    report: KpiReport, team_tables: Tables, team_params: Params
) -> None:
    earlier = kpi_report(team_tables, as_of=date(2025, 7, 1), params=team_params, by="segment")
    assert [row for row in report.rows if row["as_of"] == date(2025, 7, 1)] == list(earlier.rows)
    assert quarter_starts(date(2025, 10, 1), 2) == [date(2025, 7, 1), date(2025, 4, 1)]
    assert quarter_starts(date(2025, 11, 5), 2) == [date(2025, 10, 1), date(2025, 7, 1)]


def test_cadence_is_told_by_touch_tier_without_being_asked(report: KpiReport) -> None:
    tiers = {row["value"] for row in report.rows if row["cut"] == "touch_model"}
    assert {"high", "low", "tech"} <= tiers


def test_parts_add_up_to_the_whole(report: KpiReport) -> None:
    rows = [row for row in report.rows if row["kpi"] == "nrr" and row["as_of"] == AS_OF]
    total, *parts = (row["n"] for row in rows)
    assert total == sum(parts)


def with_targets(tables: Tables, raw: Callable[[str], pd.DataFrame], folder: Path, *rows: dict[str, Any]) -> Tables:
    frames = {name: raw(name)[list(tables.columns[name])] for name in ("accounts", "contracts", "fx_rates")}
    base = {"cut": None, "value": None, "quarter": "2025-Q3"}
    frames["targets"] = pd.DataFrame([base | row for row in rows]).assign(
        set_on=lambda rows: pd.to_datetime(rows["set_on"])
    )
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=tables.data_until)


def test_figures_are_held_against_the_newest_target_known_and_keep_the_first(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame], tmp_path: Path
) -> None:
    tables = with_targets(
        team_tables,
        raw_rows,
        tmp_path,
        {"kpi": "grr", "target": 0.99, "set_on": "2025-01-01"},
        {"kpi": "grr", "target": 0.01, "set_on": "2025-08-01"},
        {"kpi": "grr", "target": 0.98, "set_on": "2025-12-01"},
        {"kpi": "churn_rate_logo", "target": 0.0001, "set_on": "2025-01-01"},
        {"kpi": "nrr", "cut": "segment", "value": "smb", "target": 9, "set_on": "2025-01-01"},
        {"kpi": "chrun_rate_logo", "target": 0.1, "set_on": "2025-01-01"},
    )
    told = kpi_report(tables, as_of=AS_OF, params=team_params, by="segment")
    rows = {(row["kpi"], row["value"]): row for row in told.rows}
    grr = rows["grr", "total"]
    assert (grr["quarter"], grr["target"], grr["first_target"], grr["reached"]) == ("2025-Q3", 0.01, 0.99, True)
    assert rows["churn_rate_logo", "total"]["reached"] is False
    assert rows["nrr", "total"]["target"] is None
    assert told.warnings == (
        "targets.kpi: chrun_rate_logo, of 1 target, is no KPI, so nothing is compared with it: "
        "did you mean churn_rate_logo?",
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"as_of": date(2027, 1, 1)}, "--as-of 2027-01-01 lies after 2026-01-01, where the data end"),
        (
            {"as_of": date(1995, 1, 1)},
            "--as-of 1995-01-01: no account had ARR then, nor on 1994-01-01, 12 months before",
        ),
        ({"by": "segmant"}, "--by segmant: accounts has no such column.*Did you mean segment"),
    ],
)
def test_what_cannot_be_told_is_refused(
    team_tables: Tables, team_params: Params, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        kpi_report(team_tables, **{"as_of": AS_OF, "params": team_params} | asked)


def test_a_file_that_could_not_be_written_is_refused(tmp_path: Path) -> None:
    require_writable(None)
    require_writable(tmp_path / "kpis.xlsx")
    for file in (tmp_path / "kpis.pdf", tmp_path / "absent" / "kpis.csv"):
        with pytest.raises(BadRequest, match=r"give a file that ends with \.xlsx, \.csv, \.parquet, in a folder"):
            require_writable(file)


def test_the_workbook_works_out_the_same(report: KpiReport, tmp_path: Path, spreadsheet: Callable[[Path], Any]) -> None:
    file = tmp_path / "kpis.xlsx"
    write_kpi_workbook(report, file)
    book = spreadsheet(file)
    checks = book.rows("Checks")
    assert len(checks) > 40
    assert [row[0] for row in checks if not row[3]] == []
    shown = {(row[0], row[2]): row[3] for row in book.rows("KPIs")}
    assert shown["nrr", "total"] == pytest.approx(figures(report)["nrr"])
    assert shown["first_value_by_day_60", "total"] == pytest.approx(figures(report)["first_value_by_day_60"])
    assert list(tmp_path.iterdir()) == [file]


def test_the_table_is_the_declared_one(report: KpiReport, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        write_facts(report.rows, KPI, tmp_path / f"kpis.{suffix}", lambda file: None)
    read = pd.read_parquet(tmp_path / "kpis.parquet")
    assert tuple(read.columns) == KPI.names
    assert len(read) == len(pd.read_csv(tmp_path / "kpis.csv")) == len(report.rows)
    assert set(as_table(report.rows, KPI)["reached"]) <= {"yes", "no", ""}
    json.dumps(report.to_json(), allow_nan=False)


def test_the_value_of_customers_is_a_loop_over_the_months(
    report: KpiReport, team_tables: Tables, team_params: Params
) -> None:
    """Without a forecast: by the rates of leaving alone, ARR held as it is."""
    told, window = figures(report), Window(AS_OF, 12, 7)
    facts = report.accounts[report.accounts["arr"] > 0]
    spells = customer_spells(team_tables, as_of=AS_OF, rules=team_params.revenue, budget=team_params.budget)
    spells["began"] = (report.accounts["began"] - pd.Timestamp(0)).dt.days
    spells["segment"] = labels_in_force(team_tables, AS_OF, ("segment",), team_params.budget)["segment"]
    leaving = leaving_rates(spells, first=add_months(AS_OF, -36), as_of=AS_OF)
    worth = 0.0
    for account, row in facts.iterrows():
        alive = leaving.survival(spells.loc[account, "segment"], row["lived_days"], 24)
        worth += sum(alive[m - 1] * row["arr"] / 12 * 0.8 / 1.1 ** (m / 12) for m in range(1, 25))
    assert told["cltv_24"] == pytest.approx(worth / len(facts), abs=0.01)
    assert 0 < told["cltv_beyond_share"] < 1
    assert told["cltv_12"] < told["cltv_24"] < told["cltv_36"] < told["cltv_60"]
    fresh = report.accounts[report.accounts["began"] >= pd.Timestamp(window.start)]
    assert (report.accounts["new_with_cost"] > 0).sum() == len(fresh)
    assert told["cac_payback"] == pytest.approx(fresh["new_cost"].sum() / fresh["new_margin"].sum(), rel=1e-6)


def test_the_forecast_gives_the_first_twelve_months_and_the_history_goes_on_from_its_end() -> None:
    alive, arr = np.full((2, 24), 0.9), np.full((2, 24), 100.0)
    alive[:, 12:] = 0.45
    months = list(range(1, 13))
    expected = pd.DataFrame([[60.0] * 12], index=["a"], columns=months)
    chance = pd.DataFrame([[0.5] * 12], index=["a"], columns=months)
    first, level = _forecast_first(pd.Index(["a", "b"]), alive, arr, (expected, chance))
    assert first[0].tolist() == [0.5] * 12 + [0.25] * 12
    assert level[0].tolist() == [120.0] * 24
    assert (first[1] == alive[1]).all()
