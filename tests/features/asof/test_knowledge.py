"""What was known before each day: a digest moves on the day on which a snapshot may first see the change, never later.

A stored snapshot is trusted as long as the digest of its date stays the same, so a digest that moved later than the
snapshot would leave a wrong file in use, and one that moved earlier would make files anew for nothing.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from features.asof.clocks import Clock, Clocks
from features.asof.knowledge import digest_of, known_before
from features.families import catalogue

Rows = dict[str, list[dict[str, Any]]]
DAY = date(2024, 2, 20)
DATES = [DAY + timedelta(days=days) for days in range(20)]


def on(days: int) -> date:
    return DAY + timedelta(days=days)


def at(days: int, hour: int) -> datetime:
    return datetime(on(days).year, on(days).month, on(days).day, hour)


LINE = {
    "contract_id": "1", "account_id": "a", "product": "p", "starts_on": date(2023, 3, 1), "ends_on": on(200),
    "ended_on": None, "signed_on": None, "notice_on": None, "mrr": 100, "currency": "EUR", "recorded_at": None,
}  # fmt: skip
BASE: Rows = {
    "accounts": [
        {"account_id": "a", "segment": "small", "valid_from": date(2022, 1, 1), "recorded_at": None},
    ],
    "contracts": [LINE, LINE | {"contract_id": "2", "product": "q", "ends_on": on(90)}],
    "usage": [{"account_id": "a", "used_on": on(-9), "quantity": 1.0, "recorded_at": None}],
    "goals": [
        {"account_id": "a", "goal": name, "set_on": on(-50), "achieved_on": None, "recorded_at": recorded}
        for name, recorded in (("plain", None), ("stamped", on(-49)))
    ],
    "tickets": [
        {"account_id": "a", "opened_at": at(-50, 9), "resolved_at": None, "severity": "1", "recorded_at": recorded}
        for recorded in (None, on(-49))
    ],
    "contacts": [
        {"contact_id": "x", "account_id": "a", "role": "champion", "joined_on": on(-60), "left_on": None}
    ],
    "surveys": [{"account_id": "a", "responded_on": on(-60), "kind": "nps", "score": 5.0}],
    "fx_rates": [{"month": date(2022, 1, 1), "currency": "EUR", "rate": 2.0, "recorded_at": None}],
}  # fmt: skip


def plus(table: str, **row: Any) -> Callable[[Rows], Rows]:
    """One row more, like the last one but for some values."""
    return lambda rows: rows | {table: [*rows[table], rows[table][-1] | row]}


def filled(table: str, number: int = 0, **values: Any) -> Callable[[Rows], Rows]:
    """Other values in one row."""
    return lambda rows: (
        rows | {table: [row | values if place == number else row for place, row in enumerate(rows[table])]}
    )


CASES = [
    ("usage_28d", plus("usage", used_on=on(3)), {}, 4),
    ("usage_28d", plus("usage", used_on=on(3)), {"usage": 5}, 9),
    ("usage_28d", plus("usage", used_on=on(3), recorded_at=on(7)), {}, 8),
    ("usage_28d", plus("usage", used_on=on(3), recorded_at=at(7, 23)), {"usage": 5}, 8),
    ("usage_28d", plus("usage", used_on=on(3), recorded_at=on(1)), {}, 4),
    ("usage_28d", plus("usage", used_on=on(-3), recorded_at=on(1)), {}, 2),
    ("ticket_backlog", plus("tickets", opened_at=at(4, 0), recorded_at=None), {}, 5),
    ("ticket_backlog", filled("tickets", resolved_at=at(4, 23)), {}, 5),
    ("ticket_backlog", filled("tickets", resolved_at=at(4, 1)), {"tickets": 5}, 10),
    ("ticket_backlog", filled("tickets", 1, resolved_at=at(4, 1)), {}, 5),
    ("ticket_backlog", filled("tickets", 1, resolved_at=at(4, 1)), {"tickets": 5}, 10),
    ("goals_reached", filled("goals", achieved_on=on(4)), {}, 5),
    ("goals_reached", filled("goals", achieved_on=on(4)), {"goals": 5}, 10),
    ("goals_reached", filled("goals", 1, achieved_on=on(4)), {"goals": 5}, 10),
    ("champions", filled("contacts", left_on=on(6)), {}, 7),
    ("champions", filled("contacts", left_on=on(6)), {"contacts": 3}, 10),
    ("nps_last", plus("surveys", responded_on=on(2), score=9.0), {}, 3),
    ("notice_given", filled("contracts", notice_on=on(4)), {}, 5),
    ("notice_given", filled("contracts", notice_on=on(4)), {"contracts": 5}, 10),
    ("lines", filled("contracts", ended_on=on(4)), {}, 5),
    ("lines", filled("contracts", ended_on=on(4)), {"contracts": 5}, 10),
    ("days_to_term_end", filled("contracts", ended_on=on(50), notice_on=on(4)), {}, 5),
    ("presigned", plus("contracts", contract_id="3", starts_on=on(90), ends_on=on(400), signed_on=on(2)), {}, 3),
    ("arr", plus("contracts", mrr=150, recorded_at=on(6)), {}, 7),
    ("arr", plus("contracts", mrr=150, recorded_at=on(6)), {"contracts": 5}, 7),
    ("segment", plus("accounts", segment="large", valid_from=on(3)), {}, 4),
    ("segment", plus("accounts", segment="large", valid_from=on(3)), {"accounts": 5}, 9),
    ("segment", plus("accounts", segment="large", valid_from=on(3), recorded_at=on(8)), {}, 9),
    ("arr", plus("fx_rates", month=date(2024, 3, 1), rate=3.0), {}, 10),
    ("arr", plus("fx_rates", month=date(2024, 3, 1), rate=3.0), {"fx_rates": 4}, 14),
    ("arr", plus("fx_rates", month=date(2024, 3, 1), rate=3.0, recorded_at=on(12)), {}, 13),
]


@pytest.fixture(scope="module")
def base(store: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, int]], Any]:
    """The unchanged tables, stored once for each lag."""
    made: dict[str, Any] = {}
    folder = tmp_path_factory.mktemp("base")

    def tables(lag_days: dict[str, int]) -> Any:
        name = str(sorted(lag_days.items()))
        if name not in made:
            made[name] = store(BASE, folder / f"{len(made)}.duckdb", lag_days=lag_days)
        return made[name]

    return tables


@pytest.mark.parametrize(("feature", "change", "lag_days", "moves"), CASES)
def test_the_digest_and_the_snapshot_move_on_the_same_day(
    checked: Callable[..., Any],
    base: Callable[..., Any],
    snapshots_of: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    feature: str,
    change: Callable[[Rows], Rows],
    lag_days: dict[str, int],
    moves: int,
) -> None:
    tables = [base(lag_days), checked(change(BASE), lag_days=lag_days)]
    monkeypatch.setattr(catalogue, "FEATURES", tuple(f for f in catalogue.FEATURES if f.name == feature))
    frames = [snapshots_of(own, DATES).frame.set_index("as_of")[feature] for own in tables]
    digests = [known_before(own, DATES) for own in tables]
    seen = [day for day in DATES if frames[0][pd.Timestamp(day)] != frames[1][pd.Timestamp(day)]]
    told = [day for day in DATES if digest_of(digests[0][day]) != digest_of(digests[1][day])]
    assert (seen[0], told[0]) == (on(moves), on(moves))
    assert told == [day for day in DATES if day >= on(moves)]


def test_only_the_tables_that_changed_have_another_digest(checked: Callable[..., Any]) -> None:
    before, after = (
        known_before(checked(rows), DATES)[DATES[-1]] for rows in (BASE, plus("usage", used_on=on(3))(BASE))
    )
    assert sorted(before) == sorted(BASE)
    assert {name for name in before if before[name] != after[name]} == {"usage"}


@pytest.mark.parametrize("number", [1, 7])
def test_the_order_of_rows_does_not_matter_and_their_number_does(checked: Callable[..., Any], number: int) -> None:
    rows = BASE | {"usage": [BASE["usage"][0] | {"quantity": float(place)} for place in range(number)]}
    turned = {name: table[::-1] for name, table in rows.items()}
    doubled = rows | {"usage": rows["usage"] * 2}
    whole, other, twice = (checked(own) for own in (rows, turned, doubled))
    assert known_before(whole, DATES) == known_before(other, DATES)
    assert whole.digest == other.digest != twice.digest
    assert known_before(whole, DATES)[DAY]["usage"] != known_before(twice, DATES)[DAY]["usage"]


def test_a_table_or_column_that_comes_or_goes_is_another_content(checked: Callable[..., Any]) -> None:
    bare = BASE | {"usage": [{"account_id": "a", "used_on": on(-9), "quantity": 1.0}]}
    without = {name: table for name, table in BASE.items() if name != "surveys"}
    digests = [checked(rows).digest for rows in (BASE, bare, without)]
    assert len(set(digests)) == 3
    assert "surveys" not in known_before(checked(without), [DAY])[DAY]


def test_a_digest_that_forgets_the_cells_filled_in_later_is_caught(
    checked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clocks, "of_cell", lambda self, table, column: Clock("NULL", "NULL"))
    before, after = (known_before(checked(rows), DATES) for rows in (BASE, filled("goals", achieved_on=on(4))(BASE)))
    assert before == after
