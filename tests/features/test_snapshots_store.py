"""The spine, and the store: the same bytes whatever the threads, only what is missing is made, nothing half written."""

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features import snapshots
from features.problems import BadInput
from features.revenue import arr_by_account
from features.snapshots import build, month_starts, stored

DATES = [date(2023, 3, 1), date(2023, 4, 1), date(2024, 2, 29)]


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., params.Params]:
    def load(*overrides: str) -> params.Params:
        return params.load(overrides=[f"data_dir={tmp_path / 'data'}", "memory_gb=0.5", *overrides])

    return load


def files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_same_bytes_whatever_the_threads(
    company: Any, checked: Callable[..., Any], settings: Callable[..., params.Params], tmp_path: Path
) -> None:
    tables = checked(company)
    hashes = []
    for threads in (1, 2, 4):
        folder = tmp_path / f"threads {threads}"
        stored(tables, DATES, params=settings(f"threads={threads}", f"data_dir={folder}"))
        hashes.append(files(folder))
    assert len(hashes[0]) == len(DATES)
    assert hashes[0] == hashes[1] == hashes[2]


def test_the_store_gives_what_build_gives_sorted_and_typed(
    company: Any, checked: Callable[..., Any], settings: Callable[..., params.Params], snapshots_of: Callable[..., Any]
) -> None:
    tables = checked(company)
    found = stored(tables, [*reversed(DATES), DATES[0]], params=settings())
    built = snapshots_of(tables, DATES)
    pd.testing.assert_frame_equal(found.frame, built.frame, check_exact=True)
    assert (found.features, found.attributes, found.left_out) == (built.features, built.attributes, built.left_out)
    assert found.frame.equals(found.frame.sort_values(["as_of", "account_id"], ignore_index=True))
    kinds = {feature.name: feature.kind for feature in found.features}
    assert all((found.frame[name].dtype == "float64") == (kind == "number") for name, kind in kinds.items())
    assert found.frame[["as_of", "term_ends_on"]].dtypes.map(str).tolist() == ["datetime64[us]"] * 2


def test_only_missing_dates_are_made(
    company: Any,
    checked: Callable[..., Any],
    settings: Callable[..., params.Params],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = checked(company)
    told: list[tuple[str, int, int]] = []
    stored(tables, DATES[:2], params=settings())
    monkeypatch.setattr(snapshots, "BATCH", 1)
    stored(tables, DATES, params=settings(), progress=lambda *news: told.append(news))
    assert told == [("snapshots", 0, 1), ("snapshots", 1, 1)]


def test_a_killed_run_leaves_whole_files_and_can_be_run_again(
    company: Any,
    checked: Callable[..., Any],
    settings: Callable[..., params.Params],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    tables = checked(company)
    whole = stored(tables, DATES, params=settings(f"data_dir={tmp_path / 'whole'}"))
    write = snapshots.pq.write_table

    def die(table: Any, file: Path, **more: Any) -> None:
        write(table, file, **more)
        if DATES[1].isoformat() in file.name:
            file.write_bytes(file.read_bytes()[:100])
            raise KeyboardInterrupt

    monkeypatch.setattr(snapshots.pq, "write_table", die)
    with pytest.raises(KeyboardInterrupt):
        stored(tables, DATES, params=settings())
    monkeypatch.undo()
    again = stored(tables, DATES, params=settings())
    pd.testing.assert_frame_equal(again.frame, whole.frame, check_exact=True)


@pytest.mark.parametrize(
    ("override", "shared"),
    [
        ("revenue.grace_days=10", False),
        ("revenue.currency=EUR", False),
        ("snapshots.drop=[usage_28d]", False),
        ("snapshots.first=2023-01-01", True),
        ("threads=1", True),
    ],
)
def test_other_rules_have_a_store_of_their_own(
    company: Any, checked: Callable[..., Any], settings: Callable[..., params.Params], override: str, shared: bool
) -> None:
    tables = checked(company | {"fx_rates": company["fx_rates"] + usd(company)})
    folders = []
    for overrides in ([], [override]):
        used = settings(*overrides)
        stored(tables, DATES[:1], params=used)
        folders.append(len(list((used.data_dir / "snapshots").iterdir())))
    assert folders == ([1, 1] if shared else [1, 2])


def usd(company: Any) -> list[dict[str, Any]]:
    return [row | {"currency": "USD", "rate": 0.9} for row in company["fx_rates"]]


def test_other_data_have_a_store_of_their_own(
    company: Any, checked: Callable[..., Any], settings: Callable[..., params.Params]
) -> None:
    for rows in (company, company | {"usage": company["usage"][1:]}):
        stored(checked(rows), DATES[:1], params=settings())
    assert len(list((settings().data_dir / "snapshots").iterdir())) == 2


def test_arr_is_that_of_the_revenue_arithmetic(
    company: Any, checked: Callable[..., Any], snapshots_of: Callable[..., Any]
) -> None:
    tables = checked(company)
    for day in DATES:
        frame = snapshots_of(tables, [day]).frame
        ledger = arr_by_account(tables, [day], known_by=day, rules=params.load().revenue, threads=1, memory_gb=0.5)
        assert frame[["account_id", "arr"]].equals(ledger[["account_id", "arr"]])


LINE = {"account_id": "a", "product": "p", "starts_on": date(2023, 1, 1), "ends_on": date(2024, 1, 1), "mrr": 10}


@pytest.mark.parametrize(
    ("lines", "as_of", "expected"),
    [
        ([{}], date(2023, 7, 1), {"arr": 120, "term_days": 365, "due_share": 1, "overdue_days": 0, "presigned": 0}),
        ([{"ends_on": None}], date(2023, 7, 1), {"arr": 120, "due_share": 0, "overdue_days": 0, "presigned": 0}),
        ([{}], date(2024, 1, 1), {"arr": 120, "overdue_days": 0, "due_share": 1}),
        ([{}], date(2024, 1, 30), {"arr": 120, "overdue_days": 29}),
        (
            [{}, {"product": "q", "mrr": 30, "starts_on": date(2022, 6, 1), "ends_on": date(2024, 6, 1)}],
            date(2023, 7, 1),
            {"arr": 480, "due_share": 0.25, "term_days": 365},
        ),
        (
            [{"signed_on": date(2023, 1, 1)}, {"starts_on": date(2024, 1, 1), "ends_on": date(2025, 1, 1),
              "signed_on": date(2023, 6, 30)}],
            date(2023, 7, 1),
            {"arr": 120, "presigned": 1},
        ),
        (
            [{"signed_on": date(2023, 1, 1)}, {"starts_on": date(2024, 1, 1), "ends_on": date(2025, 1, 1),
              "signed_on": date(2023, 7, 1)}],
            date(2023, 7, 1),
            {"arr": 120, "presigned": 0},
        ),
        (
            [{"notice_on": date(2023, 6, 30), "ended_on": date(2023, 9, 1)}],
            date(2023, 7, 1),
            {"arr": 120, "notice_given": 1, "term_days": 365},
        ),
    ],
)  # fmt: skip
def test_the_renewal_calendar(
    checked: Callable[..., Any],
    snapshots_of: Callable[..., Any],
    lines: list[dict[str, Any]],
    as_of: date,
    expected: dict[str, float],
) -> None:
    columns = {"signed_on": None, "notice_on": None, "ended_on": None}
    contracts = [{"contract_id": str(number), **columns, **LINE, **line} for number, line in enumerate(lines)]
    frame = snapshots_of(checked({"accounts": [{"account_id": "a"}], "contracts": contracts}), [as_of]).frame
    assert frame[list(expected)].iloc[0].to_dict() == expected


def test_an_account_without_arr_has_no_snapshot(checked: Callable[..., Any], snapshots_of: Callable[..., Any]) -> None:
    lines = [{"contract_id": "1", **LINE}, {"contract_id": "2", **LINE, "account_id": "b", "mrr": 0}]
    tables = checked({"accounts": [{"account_id": "a"}, {"account_id": "b"}], "contracts": lines})
    found = snapshots_of(tables, [date(2022, 12, 31), date(2023, 1, 2), date(2024, 1, 31)]).frame
    assert found[["account_id", "as_of"]].values.tolist() == [["a", pd.Timestamp("2023-01-02")]]


def test_a_currency_without_rate_is_an_error(company: Any, checked: Callable[..., Any]) -> None:
    defaults = params.load()
    tables = checked({name: company[name] for name in ("accounts", "contracts")})
    with pytest.raises(BadInput, match=r"fx_rates: no rate for EUR in the month of 2023-03-01 or before"):
        build(tables, DATES, revenue=defaults.revenue, settings=defaults.snapshots, threads=1, memory_gb=0.5)


APRIL = date(2024, 4, 1)


@pytest.mark.parametrize(
    ("first", "contract", "used", "expected"),
    [
        ("null", date(2023, 11, 2), None, [date(2024, 2, 1), date(2024, 3, 1), APRIL]),
        ("null", date(2023, 11, 4), None, [date(2024, 3, 1), APRIL]),
        ("null", date(2023, 11, 2), date(2023, 9, 1), [date(2024, 2, 1), date(2024, 3, 1), APRIL]),
        ("null", date(2015, 1, 1), date(2023, 12, 2), [date(2024, 3, 1), APRIL]),
        ("2024-02-02", date(2023, 11, 2), None, [date(2024, 3, 1), APRIL]),
        ("2024-04-01", date(2023, 11, 2), None, [APRIL]),
    ],
)
def test_default_dates_are_month_starts_with_three_months_of_history_behind_them(
    checked: Callable[..., Any], first: str, contract: date, used: date | None, expected: list[date]
) -> None:
    rows = {
        "accounts": [{"account_id": "a"}],
        "contracts": [{"contract_id": "1", **LINE, "starts_on": contract}],
        "goals": [{"account_id": "a", "goal": "g", "set_on": date(2010, 1, 1)}],
    }
    if used:
        rows["usage"] = [{"account_id": "a", "used_on": used}]
    settings = params.load(overrides=[f"snapshots.first={first}"]).snapshots
    assert month_starts(checked(rows), settings) == expected


def test_no_month_start_in_reach_is_said_with_both_days(checked: Callable[..., Any]) -> None:
    rows = {"accounts": [{"account_id": "a"}], "contracts": [{"contract_id": "1", **LINE}]}
    settings = params.load(overrides=["snapshots.first=2024-04-02"]).snapshots
    with pytest.raises(BadInput, match="no month starts between 2024-04-02, where snapshots begin, and 2024-0"):
        month_starts(checked(rows), settings)
