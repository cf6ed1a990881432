"""Accounts rolled up by their parents: from the files to what the revenue arithmetic and the features see of them."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

import params
from features import revenue
from features.inputs.load import Loaded, load_tables
from features.revenue.cut_labels import labels_in_force
from features.snapshots.building import build
from features.snapshots.on_demand import of_account
from features.snapshots.snapshot_files import make, plan, stored
from features.tables.contract import MEMBER
from features.tables.problems import BadInput
from params import Budget

pytestmark = pytest.mark.usefixtures("costly")

PARENT, UNTIL = "revenue.account_level=parent", "source.data_until=2026-01-01"
BUDGET = Budget(1, 0.5)
MERGED = (
    "contract_id,account_id,product,kind,starts_on,ends_on,ended_on,mrr / Z1,Z,P,,2023-01-01,,,100 / "
    "P1,P,Core,new,2024-01-01,,2025-03-01,500 / C1,C,Core,new,2024-01-01,,2025-03-01,200 / "
    "P2,P,Core,renewal,2025-03-01,,,700"
)


@pytest.fixture
def merger(source: Any) -> Any:
    """A child of 200 and its parent of 500 become a parent of 700; an account beside them."""
    source.write("accounts", "account_id,name,parent_account_id / Z,Z, / P,Parent, / C,Child,P")
    source.write("contracts", MERGED)
    return source


def kept(loaded: Loaded, start: date, end: date) -> tuple[float, float, float]:
    """NRR, GRR and logo retention."""
    rules = params.load().revenue
    figures = revenue.retention(
        loaded.tables, start=start, end=end, known_by=date(2026, 1, 1), rules=rules, budget=BUDGET
    )
    return round(figures.nrr, 3), round(figures.grr, 3), round(figures.logo_retention, 3)


def arr(loaded: Loaded, *days: date) -> dict[str, list[float]]:
    rules = params.load().revenue
    frame = revenue.arr_by_account(loaded.tables, days, known_by=date(2026, 1, 1), rules=rules, budget=BUDGET)
    return {str(account): list(rows.sort_values("instant")["arr"]) for account, rows in frame.groupby("account_id")}


def warned(loaded: Loaded, column: str = "parent_account_id") -> list[str]:
    return [str(w) for w in loaded.report.warnings if (w.table, w.column) == ("accounts", column)]


def accounts_of(source: Any, table: str) -> set[str]:
    return {row[0] for row in source.rows(f"SELECT DISTINCT account_id FROM {table}")}


def test_a_child_merged_into_its_parent_is_no_churn(merger: Any) -> None:
    assert kept(merger.load(), date(2025, 1, 1), date(2025, 6, 1)) == (1.0, 0.75, 0.667)
    assert kept(merger.load(PARENT), date(2025, 1, 1), date(2025, 6, 1)) == (1.0, 1.0, 1.0)
    assert accounts_of(merger, "accounts") == accounts_of(merger, "contracts") == {"Z", "P"}


def test_a_term_that_ran_out_is_followed_by_the_line_it_was_merged_into(merger: Any) -> None:
    merger.write("contracts", MERGED.replace(",,2025-03-01,", ",2025-03-01,,"))
    loaded = merger.load(PARENT)
    assert arr(loaded, date(2025, 2, 1), date(2025, 3, 10))["P"] == [8400.0, 8400.0]


def test_lines_of_two_accounts_for_one_product_add_up(merger: Any) -> None:
    merger.write(
        "contracts",
        "contract_id,account_id,product,kind,starts_on,ends_on,mrr / P1,P,Core,new,2024-01-01,2025-01-01,500 / "
        "C1,C,Core,renewal,2024-06-01,2025-06-01,200 / C2,C,Core,renewal,2025-06-01,2026-06-01,250 / "
        "P2,P,Core,renewal,2025-01-20,2026-01-20,600 / Z1,Z,Core,new,2024-01-01,,100",
    )
    days = date(2024, 7, 1), date(2025, 1, 10), date(2025, 7, 1)
    assert arr(merger.load(PARENT), *days)["P"] == [8400.0, 8400.0, 10200.0]


def test_grandchildren_count_to_the_top(source: Any) -> None:
    source.write("accounts", "account_id,parent_account_id / a,b / b,c / c, / d,")
    source.write(
        "contracts", "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,1 / 2,b,2024-01-01,2 / 3,d,2024-01-01,4"
    )
    loaded = source.load(PARENT)
    assert source.rows(f"SELECT contract_id, account_id, {MEMBER} FROM contracts ORDER BY 1") == [
        ("1", "c", "a"),
        ("2", "c", "b"),
        ("3", "d", "d"),
    ]
    assert not warned(loaded)


def test_an_account_that_names_itself_is_its_own_root(source: Any) -> None:
    source.write("accounts", "account_id,parent_account_id / a,a / b,a")
    loaded = source.load(PARENT)
    assert accounts_of(source, "accounts") == {"a"}
    assert not warned(loaded)


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        ("a,b / b,a", r"2 of 2 rows whose parents lead back to themselves, so that they have no root \(a -> b -> a\)"),
        ("a,b / b,c / c,b", r"2 of 3 rows whose parents lead back .*\(b -> c -> b\)"),
        ("a,x / x,y / y,z / z,x / b,", r"3 of 5 rows .*\(x -> y -> z -> x\)"),
    ],
)
def test_a_circle_of_parents_is_one_error(source: Any, accounts: str, told: str) -> None:
    source.write("accounts", f"account_id,parent_account_id / {accounts}")
    source.write("contracts", "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,1 / 2,b,2024-01-01,2")
    with pytest.raises(BadInput, match=told) as error:
        source.load(PARENT)
    assert len(error.value.problems) == 1
    assert "the account at the top has no parent" in str(error.value)
    assert not (source.data_dir / "tables.duckdb").exists()
    source.load()  # it is no matter where nothing is rolled up


def test_a_parent_that_accounts_lacks_is_a_root_with_a_warning(source: Any) -> None:
    source.write(
        "accounts", "account_id,segment,parent_account_id,valid_from / a,small,X,2023-01-01 / b,large,X,2023-01-01"
    )
    loaded = source.load(PARENT)
    assert source.rows("SELECT account_id, segment, parent_account_id FROM accounts ORDER BY 2") == [
        ("X", "large", None),
        ("X", "small", None),
    ]
    (warning,) = warned(loaded)
    assert "2 of 2 rows naming a parent that accounts lacks" in warning
    assert "(a: X, b: X)" in warning


LINES = "contract_id,account_id,starts_on,ends_on,mrr,recorded_at"


@pytest.mark.parametrize(
    ("lines", "largest"),
    [
        ("1,a,2023-01-01,,10, / 2,b,2023-01-01,,20, / 3,b,2024-01-01,,20,", "of b"),
        ("1,a,2023-01-01,,10, / 2,b,2023-01-01,,10,", "of a"),  # the first by id
        ("1,b,2022-01-01,2023-01-01,90, / 2,b,2023-01-01,,10, / 3,a,2023-01-01,,20,", "of a"),  # what has ended
        ("1,a,2023-01-01,,90, / 1,a,2023-01-01,,10,2024-01-01 / 2,b,2023-01-01,,20,", "of b"),  # what was corrected
    ],
)
def test_a_root_without_a_row_has_the_attributes_of_its_largest_account(source: Any, lines: str, largest: str) -> None:
    source.write("accounts", "account_id,segment,parent_account_id / a,of a,X / b,of b,X")
    source.write("contracts", f"{LINES} / {lines}")
    loaded = source.load(PARENT, UNTIL)
    assert segments(loaded, date(2024, 3, 1)) == {"X": largest}


def segments(loaded: Loaded, as_of: date) -> dict[str, str]:
    return dict(labels_in_force(loaded.tables, as_of, ("segment",), BUDGET)["segment"])


def test_which_account_is_the_largest_is_told_by_the_lines_known_then(source: Any) -> None:
    source.write("accounts", "account_id,segment,parent_account_id / a,of a,X / b,of b,X")
    lines = f"{LINES} / 1,a,2023-02-01,2024-01-01,100, / 2,b,2023-02-01,,50,"
    days = date(2023, 1, 1), date(2024, 1, 1), date(2024, 1, 15), date(2024, 12, 1), date(2024, 12, 2)
    source.write("contracts", lines)
    until = [segments(source.load(PARENT, UNTIL), day) for day in days]
    assert until == [{"X": "of a"}] * 5  # also in the grace
    source.write("contracts", f"{lines} / 3,b,2024-12-01,,500,")
    assert [segments(source.load(PARENT, UNTIL), day) for day in days] == [*until[:4], {"X": "of b"}]
    assert snapshots(source.load(PARENT, UNTIL), list(days[1:])) == [
        (date(2024, 1, 1), "X", 1800.0, "of a"),
        (date(2024, 1, 15), "X", 1800.0, "of a"),
        (date(2024, 12, 1), "X", 600.0, "of a"),
        (date(2024, 12, 2), "X", 6600.0, "of b"),
    ]


def test_a_root_has_its_own_attributes_and_their_history(source: Any) -> None:
    source.write(
        "accounts",
        "account_id,segment,parent_account_id,valid_from / "
        "a,small,b,2023-01-01 / b,mid,,2023-01-01 / b,large,,2024-01-01",
    )
    source.load(PARENT)
    assert source.rows("SELECT account_id, segment FROM accounts ORDER BY valid_from") == [("b", "mid"), ("b", "large")]


EVENTS = {
    "usage": "account_id,used_on",
    "csm_actions": "account_id,acted_on,action",
    "goals": "account_id,set_on,goal",
    "engagement": "account_id,happened_on,kind",
    "tickets": "account_id,opened_at",
    "surveys": "account_id,responded_on,kind,score",
    "contacts": "account_id,joined_on,contact_id",
    "calls": "account_id,called_on",
    "churn_events": "account_id,left_on",
}


@pytest.mark.parametrize("table", EVENTS)
def test_what_happened_to_a_child_counts_to_the_root(merger: Any, table: str) -> None:
    cells = {"action": "call", "goal": "go", "kind": "nps", "score": "7", "contact_id": "ann"}
    header = EVENTS[table]
    more = ",".join(cells[name] for name in header.split(",")[2:])
    line = f"{{}},2024-02-01,{more}".rstrip(",")
    merger.write(table, f"{header} / {line.format('C')} / {line.format('P')} / {line.format('Z')}")
    merger.load(PARENT, "source.data_until=2025-12-01")
    assert merger.rows(f"SELECT account_id FROM {table} ORDER BY 1") == [("P",), ("P",), ("Z",)]


def test_features_and_attributes_of_a_snapshot_are_those_of_the_root(merger: Any) -> None:
    merger.write(
        "usage", "account_id,used_on,user_id / C,2025-05-20,ann / C,2025-05-21,bob / P,2025-05-21,cy / Z,2025-05-20,d"
    )
    loaded = merger.load(PARENT, "source.data_until=2025-06-01")
    defaults = params.load()
    made = build(
        loaded.tables, [date(2025, 6, 1)], revenue=defaults.revenue, settings=defaults.snapshots, budget=BUDGET
    )
    frame = made.frame.set_index("account_id")
    assert frame[["arr", "usage_7d", "usage_28d", "active_users_28d"]].to_dict("index") == {
        "P": {"arr": 8400.0, "usage_7d": 0.0, "usage_28d": 3.0, "active_users_28d": 3.0},
        "Z": {"arr": 1200.0, "usage_7d": 0.0, "usage_28d": 1.0, "active_users_28d": 1.0},
    }


TAKEN_OVER = "account_id,segment,parent_account_id,valid_from / a,of a,,2023-01-01 / b,of b,,2023-01-01 / "


@pytest.fixture
def takeover(source: Any) -> Any:
    """An account of 100 that is taken over by one of 50 on 2024-06-01, and leaves in 2024-09."""
    source.write("accounts", f"{TAKEN_OVER}a,of a,b,2024-06-01")
    source.write(
        "contracts",
        "contract_id,account_id,starts_on,ended_on,mrr / 1,a,2023-01-01,2024-09-10,100 / 2,b,2023-01-01,,50",
    )
    return source


def snapshots(loaded: Loaded, days: list[date]) -> list[tuple[date, str, float, str]]:
    defaults = params.load()
    frame = build(loaded.tables, days, revenue=defaults.revenue, settings=defaults.snapshots, budget=BUDGET).frame
    segment = frame["segment"].fillna("")
    return list(zip(frame["as_of"].dt.date, frame["account_id"], frame["arr"], segment, strict=True))


def test_a_snapshot_is_rolled_up_by_the_parents_known_then(takeover: Any) -> None:
    loaded = takeover.load(PARENT, UNTIL)
    before, day_of, after = date(2024, 5, 1), date(2024, 6, 1), date(2024, 6, 2)
    assert snapshots(loaded, [after, before, day_of]) == [
        (before, "a", 1200.0, "of a"),
        (before, "b", 600.0, "of b"),
        (day_of, "a", 1200.0, "of a"),
        (day_of, "b", 600.0, "of b"),
        (after, "b", 1800.0, "of b"),
    ]


def test_a_parent_counts_from_when_it_became_known(takeover: Any) -> None:
    takeover.write(
        "accounts",
        f"{TAKEN_OVER.replace(' /', ',recorded_at /', 1).replace('01 /', '01, /')}a,of a,b,2024-06-01,2024-07-20",
    )
    loaded = takeover.load(PARENT, UNTIL)
    assert [row[:2] for row in snapshots(loaded, [date(2024, 7, 20), date(2024, 7, 21)])] == [
        (date(2024, 7, 20), "a"),
        (date(2024, 7, 20), "b"),
        (date(2024, 7, 21), "b"),
    ]


def test_a_parent_counts_after_the_lag_as_attributes_do(takeover: Any) -> None:
    rows = TAKEN_OVER.replace("2023-01-01", "2022-12-01")
    takeover.write("accounts", f"{rows}a,moved,b,2024-06-01")
    loaded = takeover.load(PARENT, UNTIL, accounts={"lag_days": 10})
    days = [date(2024, 6, 2), date(2024, 6, 11), date(2024, 6, 12)]
    assert [row[:2] for row in snapshots(loaded, days)] == [
        (days[0], "a"),
        (days[0], "b"),
        (days[1], "a"),
        (days[1], "b"),
        (days[2], "b"),
    ]
    by_account = takeover.load(UNTIL, accounts={"lag_days": 10})
    assert [segments(by_account, day)["a"] for day in days] == ["of a", "of a", "moved"]


def test_a_first_parent_that_is_known_as_soon_as_the_lines_are_is_no_change(takeover: Any) -> None:
    takeover.write("accounts", "account_id,segment,parent_account_id,valid_from / a,,b,2023-01-01 / b,,,2023-01-01")
    lag = {"lag_days": 10}
    assert takeover.load(PARENT, UNTIL, accounts=lag, contracts=lag).tables.hierarchies == ()
    loaded = takeover.load(PARENT, UNTIL, accounts=lag)
    assert [last_day for last_day, _ in loaded.tables.hierarchies] == ["2023-01-11"]
    (warning,) = [text for text in warned(loaded, "valid_from") if "their own" in text]
    assert "(a: 2023-01-11, contracts since 2023-01-01)" in warning


def test_an_older_row_that_became_known_later_was_never_in_force(source: Any) -> None:
    rows = "a,,2023-01-01, / b,,2023-01-01, / a,b,2024-01-01,2024-06-01 / a,,2024-03-01,"
    source.write("accounts", f"account_id,parent_account_id,valid_from,recorded_at / {rows}")
    loaded = source.load(PARENT)
    assert loaded.tables.hierarchies == ()
    assert accounts_of(source, "contracts") == {"a", "b"}


def test_stored_snapshots_are_those_of_each_hierarchy(takeover: Any) -> None:
    settings = takeover.params(PARENT, UNTIL)
    loaded = load_tables(settings)
    days = [date(2024, 5, 1), date(2024, 7, 1)]
    frame = stored(loaded.tables, days, params=settings).frame
    assert list(zip(frame["account_id"], frame["arr"], strict=True)) == [("a", 1200.0), ("b", 600.0), ("b", 1800.0)]
    assert not plan(load_tables(settings).tables, days, params=settings).missing
    assert not of_account(loaded.tables, "a", date(2024, 7, 1), params=settings).frame.size
    assert list(of_account(loaded.tables, "a", date(2024, 5, 1), params=settings).frame["arr"]) == [1200.0]


def test_what_was_known_then_stays_as_parents_change(takeover: Any) -> None:
    settings = takeover.params(PARENT, UNTIL)
    days = [date(2024, 5, 1), date(2024, 7, 1)]
    make(load_tables(settings).tables, days, params=settings)
    takeover.write("accounts", f"{TAKEN_OVER}a,of a,b,2024-06-01 / a,of a,,2024-08-01")
    loaded = load_tables(settings)
    assert len(loaded.tables.hierarchies) == 2
    assert not plan(loaded.tables, days, params=settings).missing
    assert len(list(takeover.data_dir.glob("tables*.duckdb"))) == 3  # those of the former load are gone


def test_labels_follow_the_accounts_that_were_a_root_s_then(takeover: Any) -> None:
    takeover.write("accounts", f"{TAKEN_OVER}a,of a,b,2024-06-01 / a,of a,,2024-07-15")
    tables = takeover.load(PARENT, UNTIL).tables
    rows = [
        ("a", "2024-05-01", 1200.0),
        ("b", "2024-05-01", 600.0),
        ("b", "2024-07-01", 1800.0),
        ("b", "2024-08-01", 600.0),
    ]
    cohort = pd.DataFrame(rows, columns=["account_id", "as_of", "arr"])
    made = revenue.cohort_paths(
        tables, cohort, months=5, known_by=date(2026, 1, 1), rules=params.load().revenue, budget=BUDGET
    )
    assert made.arr.tolist() == [
        [1200.0, 1200.0, 1200.0, 1200.0, 1200.0, 0.0],
        [600.0] * 6,
        [1800.0, 1800.0, 1800.0, 600.0, 600.0, 600.0],
        [600.0] * 6,
    ]


def test_realised_figures_take_the_parents_known_at_their_end(takeover: Any) -> None:
    loaded = takeover.load(PARENT, UNTIL)
    start = date(2024, 1, 1)
    assert kept(loaded, start, date(2024, 6, 1)) == (1.0, 1.0, 1.0)
    assert kept(loaded, start, date(2025, 1, 1)) == (0.333, 0.333, 1.0)
    window = {"known_by": date(2026, 1, 1), "rules": params.load().revenue, "budget": BUDGET}
    moved = revenue.movements(loaded.tables, start=start, end=date(2025, 1, 1), **window)
    assert list(zip(moved["account_id"], moved["movement"], moved["amount"], strict=True)) == [
        ("b", "contraction", -1200.0)
    ]
    assert kept(takeover.load(UNTIL), start, date(2025, 1, 1)) == (0.333, 0.333, 0.5)


def test_hierarchies_that_are_too_many_are_refused(source: Any) -> None:
    months = pd.date_range("2023-02-01", periods=40, freq="MS").date
    moves = " / ".join(f"a,{'b' if place % 2 == 0 else ''},{day}" for place, day in enumerate(months))
    source.write("accounts", f"account_id,parent_account_id,valid_from / a,,2023-01-01 / b,,2023-01-01 / {moves}")
    told = r"parent_account_id: moves accounts to another root on 40 days, from 2023-02-01 to 2026-05-01; each needs"
    with pytest.raises(BadInput, match=told):
        source.load(PARENT)


def test_an_account_that_moves_below_its_root_is_none_that_changes_roots(source: Any) -> None:
    rows = "a,b,2023-01-01 / a,c,2024-06-01 / b,c,2023-01-01 / c,,2023-01-01 / c,,2024-01-01"
    source.write("accounts", f"account_id,parent_account_id,valid_from / {rows}")
    loaded = source.load(PARENT)
    assert accounts_of(source, "contracts") == {"c"}
    assert not warned(loaded, "valid_from")


def test_parents_without_a_history_are_taken_for_the_past_with_a_warning(source: Any) -> None:
    source.write("accounts", "account_id,parent_account_id / a,b / b,")
    (warning,) = [text for text in warned(source.load(PARENT), "valid_from") if "rolled up" in text]
    assert "is absent or empty, so every past date is rolled up by today's parents" in warning
    assert accounts_of(source, "contracts") == {"b"}
    assert not [text for text in warned(source.load(), "valid_from") if "rolled up" in text]


def test_an_account_is_its_own_until_its_parent_is_known(takeover: Any) -> None:
    takeover.write(
        "accounts", "account_id,segment,parent_account_id,valid_from / a,of a,b,2024-06-01 / b,of b,,2023-01-01"
    )
    loaded = takeover.load(PARENT, UNTIL)
    (warning,) = [text for text in warned(loaded, "valid_from") if "their own" in text]
    assert "(a: 2024-06-01, contracts since 2023-01-01)" in warning
    assert snapshots(loaded, [date(2024, 5, 1), date(2024, 7, 1)]) == [
        (date(2024, 5, 1), "a", 1200.0, ""),
        (date(2024, 5, 1), "b", 600.0, "of b"),
        (date(2024, 7, 1), "b", 1800.0, "of b"),
    ]


def test_what_is_known_by_the_first_start_makes_no_other_hierarchy(takeover: Any) -> None:
    takeover.write("accounts", "account_id,parent_account_id,valid_from / a,b,2022-12-01 / b,,2023-01-01")
    loaded = takeover.load(PARENT, UNTIL)
    assert loaded.tables.hierarchies == ()
    assert not warned(loaded, "valid_from")


def test_a_source_without_parents_cannot_be_rolled_up_by_them(source: Any) -> None:
    told = "accounts.parent_account_id: is missing, and revenue.account_level is parent. Map the column"
    with pytest.raises(BadInput, match=told):
        source.load(PARENT)


def test_nothing_is_rolled_up_unless_it_is_asked_for(merger: Any) -> None:
    loaded = merger.load()
    assert MEMBER not in loaded.tables.columns["contracts"]
    assert merger.rows("SELECT account_id, parent_account_id FROM accounts ORDER BY 1") == [
        ("C", "P"),
        ("P", None),
        ("Z", None),
    ]
    assert merger.load(PARENT).tables.digest != loaded.tables.digest
    assert merger.load().tables.digest == loaded.tables.digest
