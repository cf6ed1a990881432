"""Realised retention between two dates, on the habits of sources that made it wrong, and its workbook."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from serving.forecast.refusals import BadRequest
from serving.retention.realised_nrr import RealisedNrr, realised_nrr
from serving.retention.workbook import write_workbook

pytestmark = pytest.mark.usefixtures("costly")

START, END = date(2024, 6, 1), date(2025, 6, 1)
OPTIONAL = ("kind", "buying_center", "ends_on", "ended_on", "notice_on", "seats", "status", "product")
BASE = {"account_id": "z", "product": "p", "starts_on": "2023-01-01", "mrr": 100.0}
YEAR = {"starts_on": "2024-01-01", "ends_on": "2025-01-01", "mrr": 100.0, "product": "p", "account_id": "a"}


def store(folder: Path, lines: list[dict[str, Any]], segments: dict[str, str] | None = None) -> Tables:
    """Lines of account `a` beside an evergreen line of account `z` with MRR 100."""
    rows = [{"contract_id": f"c{n}"} | dict.fromkeys(OPTIONAL) | line for n, line in enumerate([BASE, *lines])]
    names = sorted({row["account_id"] for row in rows})
    segments = {"z": "small"} | (segments or {})
    accounts = pd.DataFrame({"account_id": names, "segment": [segments.get(name, "large") for name in names]})
    frames = {"accounts": accounts, "contracts": pd.DataFrame(rows, dtype=object)}
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))


def realised(tables: Tables, *settings: str, **asked: Any) -> RealisedNrr:
    window = {"start": START, "end": END} | asked
    return realised_nrr(tables, params=params.load(overrides=["threads=1", *settings]), **window)


def test_paused_accounts_are_listed_with_the_day_their_pause_runs_out(tmp_path: Path) -> None:
    pause = YEAR | {"ends_on": None, "starts_on": "2025-04-01", "mrr": 0.0}
    back = YEAR | {"ends_on": None, "starts_on": "2025-07-01"}
    lines = [
        line | {"account_id": account}
        for account, more in {"a": [pause], "b": [pause | {"ended_on": "2025-07-01"}, back], "c": []}.items()
        for line in [YEAR | {"ends_on": None, "ended_on": "2025-04-01"}, *more]
    ]
    result = realised(store(tmp_path, lines), end=date(2025, 6, 1))
    paused = {"paused_from": "2025-04-01", "runs_out_on": "2025-06-30"}
    assert result.to_json()["paused"] == [{"account_id": name, "name": name} | paused for name in ("a", "b")]
    write_workbook(result, tmp_path / "nrr.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "nrr.xlsx")["Paused"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()][:2] == [
        ["account_id", "name", "paused_from", "runs_out_on"], ["a", "a", "2025-04-01", "2025-06-30"]
    ]  # fmt: skip
    assert realised(store(tmp_path, lines), end=date(2025, 7, 1)).to_json()["paused"] == []


CASES = [  # what is in the source, settings, NRR, GRR, logo retention, and the movements
    pytest.param(
        [YEAR | {"ended_on": "2025-01-01"}, YEAR | {"starts_on": "2025-01-01", "mrr": 120.0, "ends_on": None}],
        (), 1.1, 1, 1, {"price_change": 240}, id="renewed for more",
    ),
    pytest.param(
        [YEAR | {"product": "Basic"},
         YEAR | {"product": "Pro", "starts_on": "2025-01-01", "mrr": 200.0, "kind": "upsell", "ends_on": "2026-01-01"}],
        (), 1.5, 1, 1, {"upsell": 1200}, id="upgraded at its term",
    ),
    pytest.param(
        [YEAR | {"product": "Basic", "ends_on": None, "ended_on": "2025-03-15"},
         YEAR | {"product": "Pro", "starts_on": "2025-03-15", "ends_on": None, "mrr": 200.0, "kind": "cross_sell"}],
        (), 1.5, 1, 1, {"upsell": 1200}, id="upgraded in mid-term, and called a cross-sell",
    ),
    pytest.param(
        [YEAR | {"product": "Core"}, YEAR | {"product": "Seats", "mrr": 50.0, "kind": "upsell"},
         YEAR | {"product": "Core", "mrr": 150.0, "kind": "renewal", "starts_on": "2025-01-01", "ends_on": None}],
        (), 1, 1, 1, {}, id="two lines renewed as one",
    ),
    pytest.param(
        [YEAR | {"notice_on": "2024-12-01"}, YEAR | {"starts_on": "2025-01-05", "ends_on": "2026-01-05"}],
        (), 1, 1, 1, {}, id="saved after notice",
    ),
    pytest.param(
        [YEAR, YEAR | {"starts_on": "2024-12-15", "ends_on": "2026-01-01", "kind": "renewal", "mrr": 120.0}],
        (), 1.1, 1, 1, {"price_change": 240}, id="renewed early",
    ),
    pytest.param(
        [YEAR | {"ends_on": None, "ended_on": "2025-03-01"}, YEAR | {"ends_on": None, "starts_on": "2025-04-01"}],
        (), 0.5, 0.5, 0.5, {"reactivation": 1200, "churn": -1200}, id="back after a gap of 31 days",
    ),
    pytest.param(
        [YEAR | {"ends_on": None, "ended_on": "2025-03-01"}, YEAR | {"ends_on": None, "starts_on": "2025-04-01"}],
        ("revenue.gap_days=31",), 1, 1, 1, {}, id="the same, where such gaps are pauses",
    ),
    pytest.param(
        [YEAR | {"ends_on": None, "ended_on": "2025-04-01"},
         YEAR | {"ends_on": None, "starts_on": "2025-04-01", "mrr": 0.0}],
        (), 0.5, 0.5, 1, {"pause": -1200}, id="paused at the end: a customer without ARR",
    ),
    pytest.param(
        [YEAR | {"ends_on": None}, YEAR | {"ends_on": None, "mrr": -20.0, "product": "Discount"}],
        (), 1, 1, 1, {}, id="a discount all along",
    ),
    pytest.param(
        [YEAR | {"ends_on": None, "mrr": 8.333333}, YEAR | {"ends_on": None, "mrr": 0.416667, "product": "q"}],
        (), 1, 1, 1, {}, id="amounts a year",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "settings", "nrr", "grr", "logos", "moves"), CASES)
def test_habits_of_sources(
    lines: list[dict[str, Any]],
    settings: tuple[str, ...],
    nrr: float,
    grr: float,
    logos: float,
    moves: dict[str, float],
    tmp_path: Path,
) -> None:
    row = realised(store(tmp_path, lines), *settings).rows[0]
    assert (row["nrr"], row["grr"], row["logo_retention"]) == pytest.approx((nrr, grr, logos))
    assert {name: amount for name, amount in row["movements"].items() if amount} == moves
    change = row["ending_arr"] - row["starting_arr"]
    assert change == pytest.approx(sum(moves.values()) - moves.get("reactivation", 0))
    lost = row["starting_arr"] * (1 - row["grr"])
    assert row["gross_losses"] - row["netted_within_accounts"] == pytest.approx(lost)


GROWN = [
    YEAR | {"ends_on": None, "ended_on": "2025-01-01"},
    YEAR | {"ends_on": None, "starts_on": "2025-01-01", "mrr": 150.0, "kind": "upsell"},
    YEAR | {"account_id": "b", "ends_on": None, "ended_on": "2025-01-01"},
    YEAR | {"account_id": "b", "product": "q", "mrr": 60.0, "ends_on": None, "ended_on": "2025-02-01"},
    YEAR | {"account_id": "b", "product": "r", "starts_on": "2025-01-20", "mrr": 25.0, "ends_on": None},
    YEAR | {"account_id": "n", "starts_on": "2025-01-01", "ends_on": None},
]


def test_losses_and_gains_of_one_account_are_told_apart_and_netted(tmp_path: Path) -> None:
    row = realised(store(tmp_path, GROWN)).rows[0]
    assert (row["accounts"], row["starting_arr"], row["ending_arr"]) == (3, 4320, 3300)
    moves = {"new": 1200, "upsell": 600, "cross_sell": 300, "contraction": -1920}
    assert {name: amount for name, amount in row["movements"].items() if amount} == moves
    assert (row["gross_losses"], row["netted_within_accounts"]) == (1920, 300)


def test_by_a_column_the_parts_add_up(tmp_path: Path) -> None:
    tables = store(tmp_path, GROWN)
    total, large, small = realised(tables, by="segment").rows
    assert [row["value"] for row in (total, large, small)] == ["total", "large", "small"]
    for name in ("accounts", "starting_arr", "ending_arr", "gross_losses", "netted_within_accounts"):
        assert large[name] + small[name] == pytest.approx(total[name])
    assert large["movements"]["new"] == 1200  # an account that came later, by its label at the end


def test_by_a_feature_ranges_are_sorted_and_its_last_words_are_enough(tmp_path: Path) -> None:
    ended = {"ends_on": None, "ended_on": "2025-01-01"}
    lines = [
        YEAR | ended | {"account_id": name, "mrr": mrr}
        for name, mrr in {"a": 20.0, "b": 200.0, "c": 2000.0, "d": 8.0, "e": 90.0}.items()
    ]
    tables = store(tmp_path, [*lines, YEAR | {"account_id": "n", "starts_on": "2025-01-01", "ends_on": None}])
    settings = (f"data_dir={tmp_path}", "forecast.cuts=[arr]", "forecast.cut_edges={arr: [900, 2000, 10000]}")
    result = realised(tables, *settings, by="arr")
    values = [row["value"] for row in result.rows]
    assert values == ["total", "under 900", "900 to 1,999", "2,000 to 9,999", "10,000 or more"]  # n came later: no row
    assert result.rows[0]["movements"]["new"] == 1200
    assert result.definition.endswith("Accounts that came later have no arr: their movements are in the total alone.")
    write_workbook(result, tmp_path / "nrr.xlsx")
    assert {row["cut"] for row in realised(tables, *settings, by="phase").rows} == {"total", "tenure_phase"}
    with pytest.raises(BadRequest, match=r"--by days: .* Did you mean .*_days or "):
        realised(tables, *settings, by="days")


def test_each_account_may_count_the_same(tmp_path: Path) -> None:
    row = realised(store(tmp_path, GROWN), weight="account").rows[0]
    assert row["nrr"] == pytest.approx((1 + 1.5 + 300 / 1920) / 3)
    assert row["grr"] == pytest.approx((1 + 1 + 300 / 1920) / 3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"start": END, "end": START}, "--from 2025-06-01 must lie before --to 2024-06-01"),
        (
            {"end": date(2026, 6, 1)},
            "--to 2026-06-01 lies after 2026-01-01: what was .* set source.data_until",
        ),
        (
            {"known_by": date(2027, 1, 1)},
            "--known-by 2027-01-01 lies after 2026-01-01, .* set source.data_until",
        ),
        ({"known_by": date(2025, 1, 1)}, "--to 2025-06-01 lies after 2025-01-01: what .* Give a later --known-by"),
        ({"by": "segmnt"}, "--by segmnt: accounts has no such column.* Did you mean segment?"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=message):
        realised(store(tmp_path, [YEAR]), f"data_dir={tmp_path}", **asked)


@pytest.mark.parametrize("weight", ["arr", "account"])
def test_the_workbook_has_live_formulas_and_its_checks_hold(
    weight: Any, tmp_path: Path, spreadsheet: Callable[[Path], Any]
) -> None:
    """Worked out anew, the formulas give the figures; so do the results that are kept beside them."""
    result = realised(store(tmp_path, GROWN), by="segment", weight=weight)
    write_workbook(result, tmp_path / "nrr.xlsx")
    assert [file.name for file in tmp_path.glob("*.xlsx*")] == ["nrr.xlsx"]
    sheets = spreadsheet(tmp_path / "nrr.xlsx")
    kept, formulas = (openpyxl.load_workbook(tmp_path / "nrr.xlsx", data_only=only) for only in (True, False))
    assert sheets.rows("NRR") == [
        [row["value"], row["accounts"], row["starting_arr"], row["ending_arr"], pytest.approx(row["nrr"]),
         pytest.approx(row["grr"]), pytest.approx(row["logo_retention"]), *row["movements"].values(),
         row["gross_losses"], pytest.approx(row["netted_within_accounts"]), number]
        for number, row in enumerate(result.rows)
    ]  # fmt: skip
    for name in ("NRR", "Checks"):
        kept_rows = [list(row) for row in kept[name].iter_rows(min_row=2, values_only=True)]
        assert [[pytest.approx(cell) for cell in row] for row in sheets.rows(name)] == kept_rows
    cells = [cell for row in formulas["NRR"].iter_rows(min_row=2, min_col=2, values_only=True) for cell in row[:-1]]
    assert all(str(cell).startswith("=") for cell in cells)
    checks = sheets.rows("Checks")
    assert len(checks) == 5
    assert all(equal for *_, equal in checks)
    assert result.definition in [row[1] for row in kept["Definition"].iter_rows(values_only=True)]


def test_a_check_of_the_workbook_that_does_not_hold_says_so(tmp_path: Path, spreadsheet: Callable[[Path], Any]) -> None:
    result = realised(store(tmp_path, GROWN), by="segment")
    wrong = result.accounts.assign(gross_losses=0.0, churn=-1.0)
    rows = tuple(row | {"accounts": 7, "gross_losses": 0.0} for row in result.rows)
    write_workbook(replace(result, accounts=wrong, rows=rows), tmp_path / "nrr.xlsx")
    kept = openpyxl.load_workbook(tmp_path / "nrr.xlsx", data_only=True)["Checks"]
    assert [row[3] for row in kept.iter_rows(min_row=2, values_only=True)] == [False, False, False, True, True]
    worked_out = [row[3] for row in spreadsheet(tmp_path / "nrr.xlsx").rows("Checks")]
    assert worked_out == [False, False, True, True, True]  # accounts are counted, whatever the rows say


@pytest.mark.parametrize("weight", ["arr", "account"])
def test_labels_that_a_spreadsheet_would_take_for_conditions(
    weight: Any, tmp_path: Path, spreadsheet: Callable[[Path], Any]
) -> None:
    labels = ["<12k", ">250k", "a*", "A1", "a1", "=", "<>x"]
    accounts = [f"k{number}" for number in range(len(labels))]
    lines = [YEAR | {"account_id": name, "ends_on": None, "mrr": 10.0 + 2**n} for n, name in enumerate(accounts)]
    tables = store(tmp_path, lines, dict(zip(accounts, labels, strict=True)))
    result = realised(tables, by="segment", weight=weight)
    write_workbook(result, tmp_path / "nrr.xlsx")
    rows = spreadsheet(tmp_path / "nrr.xlsx").rows("NRR")
    assert {row[0] for row in rows} == {"total", "small", *labels}
    assert [row[:5] for row in rows] == [
        [row[name] for name in ("value", "accounts", "starting_arr", "ending_arr", "nrr")] for row in result.rows
    ]


def test_names_in_the_workbook_are_text_and_nothing_else(tmp_path: Path) -> None:
    """Formulas are its own alone; a name stays text when its cell is edited, and shows what it holds."""
    hostile = [YEAR | {"account_id": name, "ends_on": None} for name in ("=1+1", "a\tb", "\uff1dSUM(A1)")]
    write_workbook(realised(store(tmp_path, hostile)), tmp_path / "nrr.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "nrr.xlsx")["Accounts"]
    cells = [sheet.cell(row, 1) for row in range(2, sheet.max_row + 1)]
    assert {cell.value for cell in cells} == {"=1+1", "a\u2409b", "\uff1dSUM(A1)", "z"}
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in cells)
