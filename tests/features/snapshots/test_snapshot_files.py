"""The store: a file a date, named after the definition and what was known; nothing is ever rewritten."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features.engines import embedded
from features.families import catalogue
from features.snapshots import definition, snapshot_files
from features.snapshots.snapshot_files import each_stored, make, plan, stored
from features.tables.checked import Tables
from features.tables.problems import BadInput

Rows = dict[str, list[dict[str, Any]]]
DATES = [date(2023, 3, 1), date(2023, 4, 1), date(2023, 10, 21), date(2024, 2, 29)]
FIRST, SECOND, THIRD, LAST = DATES


def files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def kept(used: params.Params) -> dict[str, str]:
    """The files of the store and their content."""
    return files(used.data_dir / "snapshots")


def test_same_bytes_whatever_the_threads_and_however_many_ranges_of_accounts(
    company_tables: Any,
    settings: Callable[..., params.Params],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shown: list[int] = []
    show = Tables.show_accounts

    def counted(self: Tables, connection: Any, first: int, last: int) -> None:
        shown[-1] += 1
        show(self, connection, first, last)

    monkeypatch.setattr(Tables, "show_accounts", counted)
    hashes = []
    for threads, rows_a_gb in ((1, embedded.ROWS_A_GB), (2, 500), (4, 100)):
        shown.append(0)
        monkeypatch.setattr(embedded, "ROWS_A_GB", rows_a_gb)
        folder = tmp_path / f"threads {threads}"
        stored(company_tables, DATES, params=settings(f"threads={threads}", f"data_dir={folder}"))
        hashes.append(files(folder))
    assert shown[0] == 1
    assert 1 < shown[1] < shown[2]
    assert len(hashes[0]) == len(DATES)
    assert hashes[0] == hashes[1] == hashes[2]


def test_the_store_gives_what_build_gives_sorted_and_typed(
    company_tables: Any, settings: Callable[..., params.Params], snapshots_of: Callable[..., Any]
) -> None:
    found = stored(company_tables, [*reversed(DATES), DATES[0]], params=settings())
    built = snapshots_of(company_tables, DATES)
    pd.testing.assert_frame_equal(found.frame, built.frame, check_exact=True)
    assert (found.features, found.attributes, found.left_out) == (built.features, built.attributes, built.left_out)
    assert found.frame.equals(found.frame.sort_values(["as_of", "account_id"], ignore_index=True))
    kinds = {feature.name: feature.kind for feature in found.features}
    assert all((found.frame[name].dtype == "float64") == (kind == "number") for name, kind in kinds.items())
    assert found.frame[["as_of", "term_ends_on"]].dtypes.map(str).tolist() == ["datetime64[us]"] * 2


def test_each_date_by_itself_is_what_the_store_gives_of_it(
    company_tables: Any, settings: Callable[..., params.Params]
) -> None:
    used = settings()
    for day, alone in each_stored(company_tables, [LAST, FIRST], params=used):
        pd.testing.assert_frame_equal(alone.frame, stored(company_tables, [day], params=used).frame, check_exact=True)


def test_a_new_date_costs_one_file_and_is_that_of_a_rebuild(
    company_tables: Any, settings: Callable[..., params.Params], tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    rebuilt = settings(f"data_dir={tmp_path / 'rebuilt'}")
    make(company_tables, DATES, params=rebuilt)
    for number in (1, 3, 4):
        before = kept(settings())
        done = make(company_tables, DATES[:number], params=settings(), progress=lambda *news: told.append(news))
        assert done.missing == tuple(DATES[number - 2 if number == 3 else number - 1 : number])
        assert done.why == ()
        assert before.items() < kept(settings()).items()
    one, two = [("snapshots", done, 1) for done in (0, 1)], [("snapshots", done, 2) for done in (0, 1, 2)]
    assert told == one + two + one
    assert kept(settings()) == kept(rebuilt)
    assert make(company_tables, DATES, params=settings()).missing == ()


def test_a_snapshot_that_was_damaged_in_place_is_refused(
    company_tables: Any, settings: Callable[..., params.Params]
) -> None:
    """A figure in it would else be another one, and nothing would say so."""
    (file,) = make(company_tables, DATES[:1], params=settings()).files.values()
    content = bytearray(file.read_bytes())
    content[60:80] = bytes(byte ^ 1 for byte in content[60:80])  # of the first page
    file.write_bytes(content)
    with pytest.raises(BadInput, match=rf"the stored snapshot {file.name} is damaged. Delete .*{file.name}, and it is"):
        stored(company_tables, DATES[:1], params=settings())
    file.unlink()
    assert len(stored(company_tables, DATES[:1], params=settings()).frame) > 0


@pytest.mark.parametrize("moment", ["before", "half", "after"])
def test_a_killed_run_leaves_a_whole_store_and_can_be_run_again(
    company_tables: Any,
    settings: Callable[..., params.Params],
    monkeypatch: pytest.MonkeyPatch,
    small: None,
    tmp_path: Path,
    moment: str,
) -> None:
    whole = settings(f"data_dir={tmp_path / 'whole'}")
    make(company_tables, DATES, params=whole)
    write = snapshot_files.pq.write_table

    def die(table: Any, file: Path, **more: Any) -> None:
        if SECOND.isoformat() not in file.name:
            write(table, file, **more)
            return
        if moment != "before":
            write(table, file, **more)
        if moment == "half":
            file.write_bytes(file.read_bytes()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshot_files.pq, "write_table", die)
    with pytest.raises(KeyboardInterrupt):
        make(company_tables, DATES, params=settings())
    monkeypatch.setattr(snapshot_files.pq, "write_table", write)
    done = {name: content for name, content in kept(settings()).items() if name.endswith(".parquet")}
    assert len(done) == 1
    assert done.items() < kept(whole).items()
    assert make(company_tables, DATES, params=settings()).missing == tuple(DATES[1:])
    left = {name: content for name, content in kept(settings()).items() if name.endswith(".parquet")}
    assert left == kept(whole)


# What was known -----------------------------------------------------------------------------------------------------


def late_usage(company: Rows) -> Rows:
    """Rows of long ago that became known between the third date and the last."""
    late = [row | {"recorded_at": date(2023, 12, 5), "quantity": 500} for row in company["usage"][:40]]
    return company | {"usage": company["usage"] + late}


def late_everywhere(company: Rows) -> Rows:
    """In every table rows that became known only then, corrections of contracts and attributes among them."""
    rows = dict(late_usage(company))
    for table in ("csm_actions", "goals", "engagement", "tickets", "surveys", "calls", "contacts", "contracts"):
        late = [row | {"recorded_at": date(2023, 12, 5)} for row in company[table][:25]]
        if table == "contacts":
            late = [row | {"contact_id": f"late {number}"} for number, row in enumerate(late)]
        if table == "contracts":
            late = [row | {"mrr": row["mrr"] + 1} for row in late]
        rows[table] = company[table] + late
    late = [row | {"valid_from": date(2023, 11, 30), "recorded_at": date(2023, 12, 5), "segment": "late"}
            for row in company["accounts"][::3]]  # fmt: skip
    return rows | {"accounts": company["accounts"] + late}


def filled_in(company: Rows) -> Rows:
    """Cells that were empty until the third date and are filled in after it."""
    after = {
        "goals": {"achieved_on": date(2023, 12, 1)},
        "tickets": {"resolved_at": datetime(2023, 12, 1, 8), "first_response_at": datetime(2023, 11, 30)},
        "contacts": {"left_on": date(2023, 12, 2)},
        "contracts": {"notice_on": date(2023, 12, 3), "ended_on": date(2023, 12, 20)},
    }
    rows = dict(company)
    for table, values in after.items():
        rows[table] = [
            row | {name: value if row[name] is None else row[name] for name, value in values.items()}
            if all(row[name] is None for name in values)
            else row
            for row in company[table]
        ]
        assert rows[table] != company[table]
    return rows


def rewritten(company: Rows) -> Rows:
    """One row that was known before the third date says something else."""
    early = (row for row in company["usage"] if date(2023, 4, 1) <= row["used_on"] <= date(2023, 9, 30))
    chosen = next(row for row in early if row["recorded_at"] is None and row["quantity"] == 3)
    return company | {"usage": [row | {"quantity": 4} if row is chosen else row for row in company["usage"]]}


def deleted(company: Rows) -> Rows:
    """A ticket and a survey answer that were known before the second date are gone."""
    first = date(2023, 3, 2)
    rows = dict(company)
    for table, column in (("tickets", "opened_at"), ("surveys", "responded_on")):
        gone = next(row for row in company[table] if row["recorded_at"] is None
                    and first <= pd.Timestamp(row[column]).date() < date(2023, 3, 31))  # fmt: skip
        rows[table] = [row for row in company[table] if row is not gone]
    return rows


def unfilled(company: Rows) -> Rows:
    """A person whose leaving was known before the third date never left."""
    gone = next(row for row in company["contacts"] if row["left_on"] and SECOND <= row["left_on"] < date(2023, 9, 1)
                and row["recorded_at"] is None)  # fmt: skip
    return company | {"contacts": [row | {"left_on": None} if row is gone else row for row in company["contacts"]]}


def moved_between_tickets(company: Rows) -> Rows:
    """The solution of one ticket turns out to be that of another of the account, of another severity."""
    solved = [row for row in company["tickets"] if row["resolved_at"] and row["recorded_at"] is None
              and pd.Timestamp(row["resolved_at"]) < pd.Timestamp(2023, 2, 20)]  # fmt: skip
    pairs = (
        (one, other)
        for one in solved
        for other in company["tickets"]
        if other["account_id"] == one["account_id"] and other["resolved_at"] is None and other["recorded_at"] is None
        and other["opened_at"] < one["resolved_at"] and (one["severity"] == "4") != (other["severity"] == "4")
    )  # fmt: skip
    one, other = next(pairs)
    swapped = {id(one): one | {"resolved_at": None}, id(other): other | {"resolved_at": one["resolved_at"]}}
    return company | {"tickets": [swapped.get(id(row), row) for row in company["tickets"]]}


@pytest.fixture(scope="module")
def first_store(company_tables: Any, small_features: tuple[Any, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the small features, made once from the company as it is."""
    used = params.load(overrides=[f"data_dir={tmp_path_factory.mktemp('first')}", "memory_gb=0.5"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "FEATURES", small_features)
        make(company_tables, DATES, params=used)
    return used.data_dir / "snapshots"


@pytest.mark.parametrize(
    ("change", "made_anew", "changed_tables"),
    [
        pytest.param(late_usage, [LAST], "usage", id="late rows"),
        pytest.param(
            late_everywhere,
            [LAST],
            "accounts, calls, contacts, contracts, csm_actions, engagement, goals, surveys, tickets, usage",
            id="late rows and corrections everywhere",
        ),
        pytest.param(filled_in, [LAST], "contacts, contracts, goals, tickets", id="cells filled in later"),
        pytest.param(rewritten, [THIRD, LAST], "usage", id="a row rewritten"),
        pytest.param(deleted, [SECOND, THIRD, LAST], "surveys, tickets", id="rows deleted"),
        pytest.param(unfilled, [THIRD, LAST], "contacts", id="a cell emptied"),
        pytest.param(moved_between_tickets, DATES, "tickets", id="a cell moved to another row"),
    ],
)
def test_what_changes_makes_anew_the_dates_that_knew_it_and_leaves_the_others(
    company: Rows,
    company_tables: Any,
    checked: Callable[..., Any],
    settings: Callable[..., params.Params],
    small: None,
    first_store: Path,
    tmp_path: Path,
    change: Callable[[Rows], Rows],
    made_anew: list[date],
    changed_tables: str,
) -> None:
    used = settings()
    shutil.copytree(first_store, used.data_dir / "snapshots")
    before, tables = kept(used), checked(change(company))
    todo = plan(tables, DATES, params=used)
    assert list(todo.missing) == made_anew
    assert list(todo.why) == [
        f"{day} is made again: what was known before it has changed in {changed_tables}" for day in made_anew
    ]
    assert kept(used) == before  # a plan makes nothing
    found = stored(tables, DATES, params=used)
    assert before.items() <= kept(used).items()  # the old files stay as they are
    assert len(kept(used)) == len(before) + len(made_anew)
    rebuilt = stored(tables, DATES, params=settings(f"data_dir={tmp_path / 'rebuilt'}"))
    pd.testing.assert_frame_equal(found.frame, rebuilt.frame, check_exact=True)
    assert plan(company_tables, DATES, params=used).missing == ()  # the earlier data still have theirs


def test_late_rows_are_seen_by_later_dates(
    company: Rows,
    company_tables: Any,
    checked: Callable[..., Any],
    settings: Callable[..., params.Params],
    small: None,
) -> None:
    before = stored(company_tables, DATES, params=settings()).frame
    after = stored(checked(late_everywhere(company)), DATES, params=settings()).frame
    moved = {day for day in DATES if not before[before["as_of"] == pd.Timestamp(day)].reset_index(drop=True).equals(
        after[after["as_of"] == pd.Timestamp(day)].reset_index(drop=True))}  # fmt: skip
    assert moved == {LAST}


# Definitions --------------------------------------------------------------------------------------------------------


def usd(company: Rows) -> list[dict[str, Any]]:
    return [row | {"currency": "USD", "rate": 0.9} for row in company["fx_rates"]]


@pytest.fixture(scope="module")
def two_currencies(company: Rows, store: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The company with rates of its own currency too, so that it can be reported in the other."""
    rows = company | {"fx_rates": company["fx_rates"] + usd(company)}
    return store(rows, tmp_path_factory.mktemp("two currencies") / "tables.duckdb")


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("revenue.grace_days=10", "All dates are made: grace_days 30 -> 10"),
        ("revenue.currency=EUR", "All dates are made: currency USD -> EUR"),
        ("snapshots.drop=[usage_28d]", "All dates are made: 1 feature gone (usage_28d)"),
        ("snapshots.first=2023-01-01", None),
        ("threads=1", None),
    ],
)
def test_other_rules_have_a_store_of_their_own_and_say_what_is_made(
    two_currencies: Any, settings: Callable[..., params.Params], small: None, override: str, why: str | None
) -> None:
    make(two_currencies, [FIRST], params=settings())
    before = kept(settings())
    done = make(two_currencies, [FIRST], params=settings(override))
    assert done.missing == ((FIRST,) if why else ())
    if why:
        assert len(done.why) == 1
        assert why in done.why[0]
    assert before.items() <= kept(settings()).items()
    assert len(list((settings().data_dir / "snapshots").iterdir())) == (2 if why else 1)
    assert make(two_currencies, [FIRST], params=settings()).missing == ()


def test_another_lag_is_another_store(
    company: Rows, company_tables: Any, checked: Callable[..., Any], settings: Callable[..., params.Params], small: None
) -> None:
    make(company_tables, [FIRST], params=settings())
    done = make(checked(company, lag_days={"usage": 2}), [FIRST], params=settings())
    assert done.missing == (FIRST,)
    assert len(done.why) == 1
    assert "the lags of the tables" in done.why[0]


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (lambda chosen: chosen[1:], "1 feature gone (usage_28d)"),
        (lambda chosen: (renamed(chosen[0]), *chosen[1:]), "1 feature added (renamed); 1 feature gone (usage_28d)"),
        (lambda chosen: (valued(chosen[0], chosen[1]), *chosen[1:]), "1 feature changed (usage_28d)"),
    ],
)
def test_another_definition_of_a_feature_says_what_changed(
    company_tables: Any,
    settings: Callable[..., params.Params],
    monkeypatch: pytest.MonkeyPatch,
    small: None,
    spoilt: Callable[[tuple[Any, ...]], tuple[Any, ...]],
    why: str,
) -> None:
    make(company_tables, [FIRST], params=settings())
    monkeypatch.setattr(catalogue, "FEATURES", spoilt(catalogue.FEATURES))
    todo = plan(company_tables, [FIRST], params=settings())
    assert todo.missing == (FIRST,)
    assert [line.removeprefix("All dates are made: ") for line in todo.why] == [why]


def test_words_about_a_feature_are_no_part_of_its_definition(
    company_tables: Any, settings: Callable[..., params.Params], monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    make(company_tables, [FIRST], params=settings())
    first, *others = catalogue.FEATURES
    said = replace(first, meaning="other words", sentence="other {value}", signal="other", expected=0)
    monkeypatch.setattr(catalogue, "FEATURES", (said, *others))
    assert plan(company_tables, [FIRST], params=settings()).missing == ()


def test_other_code_that_all_features_stand_on_is_another_store(
    company_tables: Any, settings: Callable[..., params.Params], monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    make(company_tables, [FIRST], params=settings())
    monkeypatch.setattr(definition, "VERSION", definition.VERSION + 1)
    assert plan(company_tables, [FIRST], params=settings()).why == ("All dates are made: what all features stand on",)


def renamed(feature: Any) -> Any:
    return replace(feature, name="renamed")


def valued(feature: Any, other: Any) -> Any:
    return replace(feature, value=other.value)
