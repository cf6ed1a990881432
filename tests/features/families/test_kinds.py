"""A feature of a known kind is one line: each kind on a handful of rows, worked out by hand."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import params
from features.families import catalogue, kinds
from features.families.feature import Feature
from features.families.kinds import Measure, Stream, Value
from features.snapshots.store import build
from features.tables.sql import later_of
from params import Budget

T = date(2024, 3, 1)
NAN = float("nan")


def back(days: int) -> date:
    return T - timedelta(days=days)


def row(
    days: int, user: str | None, part: str | None, quantity: float | None, known: int | None = None
) -> dict[str, Any]:
    recorded = None if known is None else back(known)
    return {"account_id": "a", "used_on": back(days), "user_id": user, "feature": part, "quantity": quantity,
            "recorded_at": recorded}  # fmt: skip


USE = Stream(
    "use",
    "usage",
    needs=("usage.used_on",),
    columns=("CAST(quantity * 10 AS BIGINT) AS tenths", "quantity", "feature", "user_id"),
    active="quantity > 0",
)
USED = Measure(USE, "used", "tenths", scale=10)
FIVE = [
    row(1, "ann", "api", 1.5),
    row(2, "ann", "export", 2.0),
    row(7, "bob", "api", 0.0),
    row(14, "bob", "api", 0.5, known=1),
    row(21, "cy", "search", 4.0),
]
UNKNOWN = [row(3, "dee", "chat", 64.0, known=0), row(0, "dee", "chat", 64.0)]


def feature(value: Value, name: str = "made") -> Feature:
    return Feature(name=name, family="usage", value=value, unit="u", meaning="m", sentence="{value}", signal="s")


@pytest.fixture(scope="module")
def values_of(store: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., pd.DataFrame]:
    """Values of features, made together, for the accounts of some rows: one evergreen line each."""
    folder, defaults = tmp_path_factory.mktemp("kinds"), params.load()

    def values(values: dict[str, Value], rows: dict[str, Any], dates: list[date]) -> pd.DataFrame:
        line = {"contract_id": "1", "account_id": "a", "starts_on": date(2023, 1, 1), "mrr": 10}
        tables = store({"accounts": [{"account_id": "a"}], "contracts": [line]} | rows, folder / "tables.duckdb")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalogue, "FEATURES", tuple(feature(value, name) for name, value in values.items()))
            settings = {"revenue": defaults.revenue, "settings": defaults.snapshots}
            found = build(tables, dates, **settings, budget=Budget(1, 0.5))
        assert not found.left_out
        return found.frame

    return values


KINDS = {
    "windowed_sum": (kinds.windowed_sum(USED, 7), 35),
    "windowed_sum, ending earlier": (kinds.windowed_sum(USED, 14, ago=7), 45),
    "amount": (kinds.amount(USED, 14), 4.0),
    "count": (kinds.count(USE, 14), 4),
    "count, ending earlier": (kinds.count(USE, 7, ago=7), 1),
    "active_days": (kinds.active_days(USE, 21), 4),
    "active_days, ending earlier": (kinds.active_days(USE, 7, ago=7), 1),
    "days_since": (kinds.days_since(USE, 21), 1),
    "distinct": (kinds.distinct(USE, "feature", 14), 2),
    "distinct, longer": (kinds.distinct(USE, "feature", 21), 3),
    "adopted": (kinds.adopted(USE, "feature", 7, before=14), 1),
    "adopted, seen longer ago": (kinds.adopted(USE, "feature", 7, before=6), 2),
    "distinct_many": (kinds.distinct_many(USE, "user_id", 14), 2),
    "distinct_many, longer": (kinds.distinct_many(USE, "user_id", 21), 3),
    "days_of_each": (kinds.days_of_each(USE, "user_id", 21), 4),
    "often": (kinds.often(USE, "user_id", 21, on_days=2), 1),
    "often, less": (kinds.often(USE, "user_id", 21, on_days=1), 3),
    "running": (kinds.running(USE, "most", "MAX", "tenths"), 40),
    "running sum": (kinds.running(USE, "all", "SUM", "tenths"), 80),
    "running least": (kinds.running(USE, "least", "MIN", "tenths"), 0),
    "before_ratio": (kinds.before_ratio(USED, 7), 35 / 5),
    "baseline_ratio": (kinds.baseline_ratio(USED, 7, 21), (35 / 7) / (80 / 21)),
    # weekly sums 3.5, 0.5, 4.0: deviation sqrt(((5/6)^2 + (13/6)^2 + (4/3)^2) / 3) over 8/3
    "volatility": (kinds.volatility(USED, 3), ((25 + 169 + 64) / 36 / 3) ** 0.5 / (8 / 3)),
    # two days: 2.0 then 1.5, a slope of -0.5 a day over two days and a mean of 1.75
    "trend": (kinds.trend(USED, 2), -0.5 * 2 / 1.75),
    "ratio": (kinds.ratio(kinds.count(USE, 7), kinds.count(USE, 21), scale=2), 3 / 10),
    "ratio by a number": (kinds.ratio(kinds.count(USE, 7), 4), 0.75),
    "share": (kinds.share(kinds.count(USE, 2), kinds.count(USE, 7)), 2 / 5),
    "flag_of": (kinds.flag_of("{} > 3", kinds.count(USE, 14)), 1),
    "flag_of, not so": (kinds.flag_of("{} > 4", kinds.count(USE, 14)), 0),
    "value": (kinds.value("{} - {}", kinds.count(USE, 21), kinds.count(USE, 7)), 2),
    "level": (kinds.level(365), 12_000.0),
    "known": (kinds.known("arr_cents"), 12_000),
    "of_lines": (kinds.of_lines("n", "COUNT(*)"), 1),
    "of_steps": (kinds.of_steps("n", "SUM(1)"), 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def on_five_rows(values_of: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """All of them made together; beside the five rows there are two that are not to be seen."""
    return values_of({name: value for name, (value, _) in KINDS.items()}, {"usage": FIVE + UNKNOWN}, [T])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_on_five_rows(on_five_rows: pd.DataFrame, kind: str) -> None:
    assert on_five_rows[kind].tolist() == pytest.approx([KINDS[kind][1]])


@pytest.mark.parametrize("kind", ["amount", "distinct", "often", "trend"])
def test_a_kind_alone_is_what_it_is_among_the_others(values_of: Callable[..., pd.DataFrame], kind: str) -> None:
    found = values_of({"made": KINDS[kind][0]}, {"usage": FIVE + UNKNOWN}, [T])
    assert found["made"].tolist() == pytest.approx([KINDS[kind][1]])


COUNTS = (
    "windowed_sum",
    "amount",
    "count",
    "active_days",
    "distinct",
    "adopted",
    "distinct_many",
    "days_of_each",
    "often",
)
OTHERS = ("days_since", "before_ratio", "baseline_ratio", "volatility", "trend", "ratio", "running")
NOTHING = dict.fromkeys(COUNTS, 0.0) | dict.fromkeys(OTHERS, NAN)


def test_where_nothing_happened_counts_are_0_and_the_rest_is_missing(values_of: Callable[..., Any]) -> None:
    found = values_of({name: KINDS[name][0] for name in NOTHING}, {"usage": UNKNOWN}, [T])
    assert found[list(NOTHING)].iloc[0].to_dict() == pytest.approx(NOTHING, nan_ok=True)


def test_days_are_told_apart_in_a_window_of_more_days_than_a_number_has_bits(values_of: Callable[..., Any]) -> None:
    days = [1, 60, 61, 120, 121, 121, 150]  # 61 and 121 days back would share a bit, were the window one band
    rows = [row(back, "ann", "api", 1.0) for back in [*days, 151]]
    found = values_of({"made": kinds.active_days(USE, 150)}, {"usage": rows}, [T])
    assert found["made"].tolist() == [len(set(days))]


CLOSED = Stream("closed", "tickets", needs=("tickets.resolved_at",), day=later_of("opened_at", "resolved_at"),
                where="resolved_at IS NOT NULL")  # fmt: skip
OPENED = Stream("opened", "tickets", needs=("tickets.opened_at",))
ANSWERED = Measure(
    Stream(
        "answered",
        "tickets",
        needs=("tickets.first_response_at",),
        columns=("CAST(EXTRACT(EPOCH FROM (first_response_at - opened_at)) AS BIGINT) AS seconds",),
        day="first_response_at",
    ),
    "seconds",
    "seconds",
)


def ticket(opened: int, answered: int | None, resolved: int | None) -> dict[str, Any]:
    def at(days: int | None, hour: int) -> datetime | None:
        return None if days is None else datetime.combine(back(days), datetime.min.time()) + timedelta(hours=hour)

    return {"account_id": "a", "opened_at": at(opened, 8), "first_response_at": at(answered, 10),
            "resolved_at": at(resolved, 12)}  # fmt: skip


TICKETS = [ticket(9, 8, 5), ticket(8, 8, 2), ticket(3, None, None), ticket(2, 0, 0), ticket(1, 1, None)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (kinds.balance(OPENED, CLOSED, "open"), [0, 2, 1, 2, 3]),
        (kinds.balance(OPENED, None, "all"), [0, 2, 2, 3, 5]),
        (kinds.mean_hours(ANSWERED, 7), [NAN, 14, 14, 14, 2]),
        (kinds.count(CLOSED, 3), [0, 0, 1, 1, 1]),
    ],
)
def test_what_was_opened_and_closed(
    values_of: Callable[..., pd.DataFrame], value: Value, expected: list[float]
) -> None:
    found = values_of({"made": value}, {"tickets": TICKETS}, [back(9), back(7), back(4), back(2), T])
    assert found["made"].tolist() == pytest.approx(expected, nan_ok=True)


ASKED = Stream("asked", "surveys", needs=("surveys.score",), columns=("kind", "CAST(score AS BIGINT) AS score"))


def answer(days: int, kind: str, score: int, known: int | None = None) -> dict[str, Any]:
    return {"account_id": "a", "responded_on": back(days), "kind": kind, "score": score,
            "recorded_at": None if known is None else back(known)}  # fmt: skip


ANSWERS = [answer(30, "nps", 9), answer(20, "nps", 7), answer(20, "csat", 2), answer(5, "nps", 3, known=2),
           answer(5, "csat", 4), answer(1, "nps", 1, known=0)]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (kinds.newest(ASKED, "score", "score", 100, per="nps", per_sql="kind"), [7, 7, 3]),
        (kinds.newest(ASKED, "score", "score", 100, per="nps", per_sql="kind", place=2), [9, 9, 7]),
        (kinds.newest(ASKED, "score", "score", 100, per="csat", per_sql="kind", place=2), [NAN, 2, 2]),
        (kinds.newest(ASKED, "score", "score", 20), [7, 4, 3]),
    ],
)
def test_the_newest_row_and_the_one_before(
    values_of: Callable[..., pd.DataFrame], value: Value, expected: list[float]
) -> None:
    rows = ANSWERS[:2] + ANSWERS[3:] if value.window_days == 20 else ANSWERS
    found = values_of({"made": value}, {"surveys": rows}, [back(10), back(3), T])
    assert found["made"].tolist() == pytest.approx(expected, nan_ok=True)


def test_a_rank_is_among_the_accounts_of_the_segment_that_have_a_value(
    checked: Callable[..., Any], snapshots_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = {"a": 3, "b": 1, "c": 3, "d": 9, "e": None, "f": 5, "g": 2}
    segment = {"a": "x", "b": "x", "c": "x", "d": "x", "e": "x", "f": "alone", "g": None}
    since = kinds.days_since(USE, 100)
    monkeypatch.setattr(
        catalogue, "FEATURES", (feature(since, "since"), feature(kinds.rank_among_peers(since), "rank"))
    )
    rows = {
        "accounts": [{"account_id": name, "segment": own} for name, own in segment.items()],
        "contracts": [{"contract_id": name, "account_id": name, "starts_on": back(500), "mrr": 1} for name in used],
        "usage": [row(days, "u", "f", 1.0) | {"account_id": name} for name, days in used.items() if days],
    }
    frame = snapshots_of(checked(rows), [T]).frame.set_index("account_id")
    assert frame["rank"].to_dict() == pytest.approx(
        {"a": 1 / 3, "b": 0, "c": 1 / 3, "d": 1, "e": NAN, "f": NAN, "g": NAN}, nan_ok=True
    )


# Two features of one kind and one stream must not get in each other's way.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((kinds.distinct(USE, "feature", 21), 3), (kinds.distinct(USE, "user_id", 21), 3)),
        ((kinds.distinct(USE, "feature", 7), 2), (kinds.distinct(USE, "user_id", 7), 1)),
        ((kinds.often(USE, "user_id", 21, on_days=1), 3), (kinds.often(USE, "user_id", 21, on_days=2), 1)),
        ((kinds.often(USE, "user_id", 21, on_days=2), 1), (kinds.often(USE, "user_id", 2, on_days=2), 1)),
        ((kinds.newest(USE, "tenths", "tenths", 1), 15), (kinds.newest(USE, "tenths", "tenths", 30, place=2), 20)),
        ((kinds.distinct_many(USE, "user_id", 7), 1), (kinds.distinct_many(USE, "feature", 21), 3)),
    ],
)
def test_two_of_a_kind_beside_each_other(
    values_of: Callable[..., Any], one: tuple[Value, float], other: tuple[Value, float]
) -> None:
    found = values_of({"one": one[0], "other": other[0]}, {"usage": FIVE}, [T])
    assert found[["one", "other"]].iloc[0].tolist() == [one[1], other[1]]


def test_what_a_value_needs_and_how_far_it_looks_back_come_from_its_parts() -> None:
    value = kinds.needing(kinds.ratio(kinds.count(USE, 7), kinds.distinct(USE, "feature", 28)), "usage.quantity")
    assert set(value.needs) == {"usage.used_on", "usage.feature", "usage.quantity"}
    assert value.window_days == 28
    assert kinds.adopted(USE, "feature", 28, before=90).window_days == 118
    assert kinds.windowed_sum(USED, 7, ago=21).window_days == 28
    assert kinds.known("seats", "contracts.seats") == Value("seats", needs=("contracts.seats",))
    assert kinds.rank_among_peers(kinds.count(USE, 7)).needs == ("usage.used_on", "accounts.segment")


def test_a_feature_whose_column_is_absent_is_left_out_by_name(
    checked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (feature(kinds.count(USE, 7), "rows"), feature(kinds.distinct(USE, "feature", 7), "parts"))
    monkeypatch.setattr(catalogue, "FEATURES", made)
    tables = checked({"accounts": [{"account_id": "a"}], "usage": [{"account_id": "a", "used_on": T}]})
    selection = catalogue.select(tables)
    assert [chosen.name for chosen in selection.features] == ["rows"]
    assert selection.left_out == {"parts": ("usage.feature",)}
