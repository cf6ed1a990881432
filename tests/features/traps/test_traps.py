"""Each trap where it is laid, and where it nearly is and rightly not seen."""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.tables.problems import Finding
from features.traps import SecondLook, second_look

pytestmark = pytest.mark.usefixtures("costly")

UNTIL = date(2025, 1, 1)
Line = dict[str, Any]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., SecondLook]:
    """The second look at contract lines and more tables; accounts are those of the lines."""

    def at(lines: Sequence[Line], *settings: str, until: date = UNTIL, **more: Sequence[Line]) -> SecondLook:
        contracts = pd.DataFrame(
            [{"contract_id": str(number), "mrr": 100, **line} for number, line in enumerate(lines)], dtype=object
        )
        accounts = pd.DataFrame({"account_id": sorted(set(contracts["account_id"]))})
        frames = {"accounts": accounts, "contracts": contracts}
        frames |= {name: pd.DataFrame(rows, dtype=object) for name, rows in more.items()}
        tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=until)
        return second_look(tables, params=params.load(None, [f"data_dir={tmp_path}", "threads=1", *settings]))

    return at


@pytest.fixture
def warnings(look: Callable[..., SecondLook]) -> Callable[..., dict[str, Finding]]:
    """The warnings of a second look by their rule."""
    return lambda lines, *settings, **more: {
        warning.rule: warning for warning in look(lines, *settings, **more).warnings
    }


def terms(account: str, first: date, count: int, *, months: int = 12, gap: int = 0, **more: Any) -> list[Line]:
    """So many terms in a row, each ending `gap` days before the next one starts."""
    starts = [(pd.Timestamp(first) + pd.DateOffset(months=months * number)).date() for number in range(count + 1)]
    return [
        {"account_id": account, "starts_on": start, "ends_on": following - timedelta(days=gap), **more}
        for start, following in pairwise(starts)
    ]


def spread(number: int, first: date = date(2022, 1, 5)) -> date:
    """Start days that lie on no day of a month in particular."""
    return first + timedelta(days=7 * number % 360)


def test_ends_that_are_the_last_day_covered(warnings: Callable[..., dict[str, Finding]]) -> None:
    lines = [line for number in range(12) for line in terms(f"a{number}", spread(number), 3, gap=1)]
    warning = warnings(lines)["end_is_last_day"]
    assert (warning.table, warning.column, warning.rows, warning.of) == ("contracts", "ends_on", 24, 24)
    assert "source.tables.contracts.end_is_last_day: true" in warning.todo


def test_one_column_of_ends_that_are_the_last_day_is_moved_alone(warnings: Callable[..., dict[str, Finding]]) -> None:
    """The setting would move the scheduled ends too, which are right."""
    lines = [line for number in range(12) for line in terms(f"a{number}", spread(number), 3)]
    early = [{**line, "ended_on": line["ends_on"] - timedelta(days=1)} for number in range(20)
             for line in terms(f"b{number}", spread(number), 2)]  # fmt: skip
    warning = warnings(lines + early)["end_is_last_day"]
    assert "add a day to ended_on alone" in warning.todo


def test_renewals_a_day_late_now_and_then_are_no_habit(warnings: Callable[..., dict[str, Finding]]) -> None:
    late = [line for number in range(12) for line in terms(f"a{number}", spread(number), 2, gap=number % 6)]
    assert "end_is_last_day" not in warnings(late)


def test_a_day_on_which_the_source_moved_to_another_system(warnings: Callable[..., dict[str, Finding]]) -> None:
    moved = date(2024, 3, 1)
    lines = [
        line
        for number in range(30)
        for line in (
            {"account_id": f"a{number}", "starts_on": spread(number), "ended_on": moved},
            {"account_id": f"a{number}", "starts_on": moved + timedelta(days=40)},
        )
    ]
    warning = warnings(lines)["mass_migration"]
    assert (warning.rows, warning.of, warning.unit) == (30, 30, "account")
    assert "30 of them start again within 40 days" in warning.what
    assert "revenue.gap_days: 40" in warning.todo


@pytest.mark.parametrize(("leaving", "is_unusual"), [(15, True), (4, False)])
def test_a_day_on_which_many_leave(warnings: Callable[..., dict[str, Finding]], leaving: int, is_unusual: bool) -> None:
    lines = [
        {
            "account_id": f"a{number}",
            "starts_on": spread(number),
            "ended_on": date(2024, 3, 1) if number < leaving else None,
        }
        for number in range(80)
    ]
    found = warnings(lines)
    assert ("mass_exit" in found) == is_unusual
    if is_unusual:
        assert str(found["mass_exit"]).startswith("contracts.ended_on: 15 of 80 accounts leave on one day, 2024-03-01")


def test_a_day_on_which_many_leave_every_year_is_usual(warnings: Callable[..., dict[str, Finding]]) -> None:
    """All terms end on 1 January, and a tenth is not renewed."""
    lines = [
        line
        for number in range(100)
        for line in terms(f"a{number}", date(2019, 1, 1), 1 + min(number // 12, 5), signed_on=None)
    ]
    assert "mass_exit" not in warnings(lines)


def test_new_ids_from_a_new_system(warnings: Callable[..., dict[str, Finding]]) -> None:
    moved = date(2024, 3, 1)
    old = [{"account_id": f"a{number}", "starts_on": spread(number), "ended_on": moved} for number in range(60)]
    new = [{"account_id": f"b{number}", "starts_on": moved} for number in range(60)]
    assert "map the old ids to the new ones" in warnings(old + new)["mass_exit"].todo


@pytest.mark.parametrize(
    ("gap", "settings", "text"),
    [
        (31, (), "1 of 3 accounts came back after a gap of 31 days"),
        (120, (), ""),  # so long a break is none of billing
    ],
)
def test_accounts_that_came_back_soon(
    warnings: Callable[..., dict[str, Finding]], gap: int, settings: tuple[str, ...], text: str
) -> None:
    left = date(2024, 3, 1)
    lines = [
        {"account_id": "a", "starts_on": date(2023, 1, 1), "ended_on": left},
        {"account_id": "a", "starts_on": left + timedelta(days=gap)},
        *({"account_id": other, "starts_on": date(2023, 1, 1)} for other in "bc"),
    ]
    found = warnings(lines, *settings)
    assert ("short_gap" in found) == bool(text)
    if text:
        assert text in str(found["short_gap"])
        assert "revenue.gap_days: 31" in found["short_gap"].todo


def test_a_pause_within_an_unbroken_chain_is_no_gap(warnings: Callable[..., dict[str, Finding]]) -> None:
    days = [date(2023, 1, 1), date(2024, 3, 1), date(2024, 4, 1), date(2024, 12, 1)]
    lines = [
        {"account_id": "a", "starts_on": start, "ended_on": end, "mrr": 0 if place == 1 else 100}
        for place, (start, end) in enumerate(pairwise(days))
    ]
    found = warnings(lines)
    assert "short_gap" not in found
    assert found["zero_lines"].rows == 1


def test_a_late_renewal_within_the_grace_is_no_gap(warnings: Callable[..., dict[str, Finding]]) -> None:
    assert "short_gap" not in warnings(terms("a", date(2023, 1, 5), 2, gap=20))


def recorded(number: int, *, at_end: bool) -> Line:
    start, end = spread(number), spread(number) + timedelta(days=400)
    left = number % 3 == 0
    moment = pd.Timestamp(end if left and at_end else start)
    return {
        "account_id": f"a{number}",
        "starts_on": start,
        "ended_on": end if left else None,
        "recorded_at": moment,
    }


def test_the_time_of_the_last_change_for_that_of_recording(warnings: Callable[..., dict[str, Finding]]) -> None:
    warning = warnings([recorded(number, at_end=True) for number in range(30)])["recorded_at_is_updated_at"]
    assert (warning.table, warning.rows, warning.of) == ("contracts", 10, 10)
    assert "whoever left is never seen as a customer" in warning.what
    assert "recorded_at_is_updated_at" not in warnings([recorded(number, at_end=False) for number in range(30)])


@pytest.mark.parametrize(("days", "is_late"), [(90, True), (10, False)])
def test_lines_known_only_long_after_they_began(
    warnings: Callable[..., dict[str, Finding]], days: int, is_late: bool
) -> None:
    """The time of a cancellation, which lies before the end, or of any other change."""
    lines = [
        {**recorded(number, at_end=False), "recorded_at": pd.Timestamp(spread(number)) + pd.Timedelta(days=days)}
        for number in range(30)
    ]
    found = warnings(lines)
    assert ("recorded_at_is_updated_at" in found) == is_late
    if is_late:
        assert found["recorded_at_is_updated_at"].rows == 30


def test_versions_of_a_line_tell_when_each_was_recorded(warnings: Callable[..., dict[str, Finding]]) -> None:
    """The newest version is recorded at the end, and an earlier one at the start."""
    newest = [{"contract_id": str(number), **recorded(number, at_end=True)} for number in range(30)]
    first = [
        {**line, "recorded_at": pd.Timestamp(line["starts_on"]), "ended_on": None}
        for line in newest
        if line["ended_on"]
    ]
    assert "recorded_at_is_updated_at" not in warnings(newest + first)


def test_tickets_known_only_once_they_are_resolved(warnings: Callable[..., dict[str, Finding]]) -> None:
    def tickets(of: str) -> list[Line]:
        opened = [pd.Timestamp("2024-02-01") + pd.Timedelta(days=number) for number in range(20)]
        rows = [{"account_id": "a", "opened_at": day, "resolved_at": day + pd.Timedelta(days=9)} for day in opened]
        return [{**row, "recorded_at": row[of]} for row in rows]

    lines = [{"account_id": "a", "starts_on": date(2023, 1, 5)}]
    found = warnings(lines, tickets=tickets("resolved_at"))["recorded_at_is_updated_at"]
    assert (found.table, found.rows) == ("tickets", 20)
    assert "recorded_at_is_updated_at" not in warnings(lines, tickets=tickets("opened_at"))


@pytest.mark.parametrize("grace", [0, 30])
def test_terms_from_the_first_of_a_month_without_a_signature(
    warnings: Callable[..., dict[str, Finding]], grace: int
) -> None:
    lines = [line for number in range(8) for line in terms(f"a{number}", date(2023, 1 + number, 1), 2)]
    lines += [line for number in range(8) for line in terms(f"b{number}", date(2024, 1, 1), 6, months=1)]
    warning = warnings(lines, f"revenue.grace_days={grace}")["first_of_month_unsigned"]
    assert ("nobody is a customer in it" in warning.what) == (grace == 0)
    assert "AS signed_on" in warning.todo
    signed = [{**line, "signed_on": line["starts_on"] - timedelta(days=1)} for line in lines]
    assert "first_of_month_unsigned" not in warnings(signed, f"revenue.grace_days={grace}")


def test_terms_from_any_day_of_a_month_are_seen_by_its_first(warnings: Callable[..., dict[str, Finding]]) -> None:
    lines = [line for number in range(20) for line in terms(f"a{number}", spread(number), 2)]
    assert "first_of_month_unsigned" not in warnings(lines)


@pytest.mark.parametrize(("day", "is_seen"), [(1, True), (28, False)])
def test_sums_of_a_month_on_its_first(warnings: Callable[..., dict[str, Finding]], day: int, is_seen: bool) -> None:
    usage = [
        {"account_id": "a", "used_on": date(2024, month, day), "feature": feature, "quantity": 7}
        for month in range(1, 13)
        for feature in ("x", "y")
    ]
    found = warnings([{"account_id": "a", "starts_on": date(2023, 1, 5)}], usage=usage)
    assert ("monthly_sums" in found) == is_seen
    if is_seen:
        assert "usage_28d = 0" in found["monthly_sums"].what
        assert "last_day(CAST(used_on AS DATE)) AS used_on" in found["monthly_sums"].todo


def leavers(first_leaving: date, count: int = 160) -> list[Line]:
    """Accounts that started over four years; a third of them left some time after, but none before a day."""
    lines = []
    for number in range(count):
        start = date(2019, 1, 7) + timedelta(days=9 * number)
        end = start + timedelta(days=200 + 37 * (number % 40))
        has_left = number % 3 == 0 and end < UNTIL
        if has_left and end < first_leaving:
            continue  # the source does not hold it
        lines.append({"account_id": f"a{number:03}", "starts_on": start, "ended_on": end if has_left else None})
    return lines


def test_a_history_of_survivors(look: Callable[..., SecondLook]) -> None:
    def survivors(first_leaving: date, *settings: str) -> list[str]:
        seen = look(leavers(first_leaving, 400), *settings).warnings
        return [str(warning) for warning in seen if warning.rule == "survivors_only"]

    (text,) = survivors(date(2022, 6, 1))
    assert "hardly anyone left before April 2022" in text
    assert "snapshots.first: 2022-" in text
    assert not survivors(date(2019, 1, 1)), "everyone who left is there"
    assert not survivors(date(2022, 6, 1), "snapshots.first=2022-06-01"), "nothing is learned from before"


def test_nobody_ever_left(warnings: Callable[..., dict[str, Finding]]) -> None:
    stayed = [{"account_id": f"a{number}", "starts_on": spread(number)} for number in range(60)]
    assert "no customer has ever left" in warnings(stayed)["survivors_only"].what
    young = [{"account_id": f"a{number}", "starts_on": spread(number, date(2024, 1, 5))} for number in range(60)]
    assert "survivors_only" not in warnings(young), "in a year of 60 customers it may happen"


@pytest.mark.parametrize("free", [{"mrr": 0}, {"status": "paused"}, {"mrr": 0, "buying_center": "x"}])
def test_who_falls_to_a_free_plan_has_left_once_the_pause_is_over(
    warnings: Callable[..., dict[str, Finding]], free: Line
) -> None:
    stayed = [{"account_id": f"a{number}", "starts_on": spread(number, date(2019, 1, 5))} for number in range(60)]
    fell = [date(2019 + number // 4, 3 * (number % 4) + 1, 15) for number in range(4, 24)]
    for line, day in zip(stayed, fell, strict=False):
        line["ended_on"] = day
    lines = [*stayed, *(line | free | {"starts_on": line["ended_on"], "ended_on": None} for line in stayed[:20])]
    assert "survivors_only" not in warnings(lines)


def test_who_moves_to_another_buying_centre_after_a_month_came_back_after_a_gap(
    warnings: Callable[..., dict[str, Finding]],
) -> None:
    """A break of an account is that of the revenue arithmetic, which lets no centre take over from another."""
    old = {"account_id": "a", "starts_on": date(2023, 1, 5), "ended_on": date(2024, 3, 5), "buying_center": "x"}
    new = {"account_id": "a", "starts_on": date(2024, 3, 25), "buying_center": "y"}
    assert "came back after a gap of 20 days" in str(warnings([old, new])["short_gap"])
    assert "short_gap" not in warnings([old, new | {"buying_center": "x"}])


def test_accounts_of_one_year_terms_cannot_leave_before_a_year(warnings: Callable[..., dict[str, Finding]]) -> None:
    lines = [
        line for number in range(150) for line in terms(f"a{number}", spread(number, date(2023, 1, 5)), 2 - number % 2)
    ]
    assert "survivors_only" not in warnings(lines)


def prices(monthly: Sequence[float], yearly: Sequence[float], **more: Any) -> list[Line]:
    """A monthly and a yearly line an account, at these prices in turn."""
    lines = []
    for number in range(12):
        start = spread(number, date(2024, 1, 5))
        lines += [{**terms(f"m{number}", start, 1, months=1)[0], "mrr": monthly[number % len(monthly)], **more}]
        lines += [{**terms(f"y{number}", start, 1, months=12)[0], "mrr": yearly[number % len(yearly)], **more}]
    return lines


def listed(*amounts: float, seats: bool = False, ends: int | None = None) -> list[Line]:
    """Forty lines of one product at these prices in turn: a seat, if seats are given; of terms of so many days."""
    lines = []
    for number in range(40):
        start, price = spread(number, date(2023, 1, 5)), amounts[number % len(amounts)]
        size = 1 + number // len(amounts) % 5
        line = {"account_id": f"a{number}", "starts_on": start, "product": "P", "mrr": price * (size if seats else 1)}
        line |= {"seats": size} if seats else {}
        lines.append(line | ({"ends_on": start + timedelta(days=ends)} if ends else {}))
    return lines


@pytest.mark.parametrize(
    ("lines", "settings", "is_annual"),
    [
        (prices([50, 60], [540, 648]), (), True),  # a year costs 12 months less a tenth
        (prices([50, 60], [45, 54]), (), False),
        (prices([50, 900], [300, 9_000, 20, 4_000]), (), False),  # large customers pay more, at no list price
        (prices([50], [50], list_mrr=50), (), False),
        ([{**line, "list_mrr": 5} for line in prices([50], [50])], (), True),
        (
            [{**line, "product": f"Pro ({'Annual' if line['mrr'] > 90 else 'Monthly'})", "ends_on": None}
             for line in prices([49], [490])],
            (),
            True,
        ),  # only the plan's name tells
        ([{**line, "ends_on": None, "product": "Pro"} for line in prices([29, 99], [290, 990])], (), True),
        ([{**line, "ends_on": None, "product": "Pro"} for line in prices([29], [290])], (), False),  # a tier
        ([{**line, "seats": line["mrr"] // 10} for line in prices([50], [600])], (), False),  # as much a seat
        (listed(50, 600), (), False),  # tiers
        (listed(100, 200, 500, 1_200), (), False),  # of few or many seats, which nobody gives
        (listed(*(50 * seats for seats in range(1, 13))), (), False),
        (listed(50, 100, 600, 1_200), (), False),
        (listed(29, 99, 348, 1_188), (), True),  # nothing but two plans and a year of each
        (listed(49, 588, seats=True), (), True),
        (listed(49, 490, seats=True), (), False),  # a tier
        (listed(49, seats=True) + [{**line, "account_id": f"y{line['account_id']}",
                                    "ends_on": line["starts_on"] + timedelta(days=365)}
                                   for line in listed(490, seats=True)], (), True),
        (prices([50], [50]), ('source.tables={"contracts": {"columns": {"mrr": "contract_arr"}}}',), True),
    ],
)  # fmt: skip
def test_amounts_of_a_year(
    warnings: Callable[..., dict[str, Finding]], lines: list[Line], settings: tuple[str, ...], is_annual: bool
) -> None:
    found = warnings(lines, *settings)
    assert ("annual_as_monthly" in found) == is_annual
    assert "cents_as_units" not in found


def test_a_renewal_at_twelve_times_the_price(warnings: Callable[..., dict[str, Finding]]) -> None:
    def renewed(times: float) -> dict[str, Finding]:
        pairs = [terms(f"a{number}", spread(number), 2, product="P") for number in range(6)]
        return warnings([{**line, "mrr": (37 + 11 * place) * (times if later else 1)}
                         for place, pair in enumerate(pairs) for later, line in enumerate(pair)])  # fmt: skip

    yearly, cents = renewed(12)["annual_as_monthly"], renewed(100)["cents_as_units"]
    assert (yearly.rows, cents.rows) == (6, 6)
    for warning, mrr in ((yearly, 100), (cents, 12)):  # what is advised works on the text of a CSV file
        (advised,) = re.findall(r"CAST\(.*? AS mrr", warning.todo)
        text = "SELECT '1200' AS amount, 'year' AS interval"
        assert duckdb.sql(f"SELECT {advised} FROM ({text})").fetchall() == [(mrr,)]
    assert not {"annual_as_monthly", "cents_as_units"} & set(renewed(1.2))


@pytest.mark.parametrize(
    ("amounts", "currency", "is_cents"),
    [
        ([2_900, 4_900, 9_900, 29_000], "USD", True),
        ([2_900, 4_900, 9_900, 8_700, 14_700, 34_800], "USD", True),  # some times 3 or 12
        ([29, 49, 99, 290], "USD", False),
        ([2_900, 4_900, 9_900, 29_000], "JPY", False),  # a yen has no cents
        ([500, 1_000, 2_500, 1_200, 900], "USD", False),  # round prices
        ([2_937, 4_912, 9_950, 10_103], "USD", False),
    ],
)
def test_amounts_in_cents(
    warnings: Callable[..., dict[str, Finding]], amounts: list[int], currency: str, is_cents: bool
) -> None:
    lines = [
        {"account_id": f"a{number}", "starts_on": spread(number), "mrr": amounts[number % len(amounts)]}
        for number in range(20)
    ]
    assert ("cents_as_units" in warnings(lines, f"revenue.currency={currency}")) == is_cents


@pytest.mark.parametrize(
    ("lines", "is_cents"),
    [
        (listed(4_900, 9_900, 29_900, 12_500, ends=365), False),  # an enterprise's prices
        (listed(29, 49, 2_900, 98, 4_900, 9_800), True),  # half of the accounts in cents
        (listed(49, 4_900, seats=True), True),
        (listed(49, 4_900), False),  # tiers
        (listed(29, 49, 500, 2_900, 4_900), False),
    ],
)
def test_amounts_of_which_some_may_be_in_cents(
    warnings: Callable[..., dict[str, Finding]], lines: list[Line], is_cents: bool
) -> None:
    found = warnings(lines)
    assert ("cents_as_units" in found) == is_cents
    assert "annual_as_monthly" not in found


def test_prices_that_may_be_in_cents_are_told_with_what_they_come_to(
    warnings: Callable[..., dict[str, Finding]],
) -> None:
    text = str(warnings(listed(4_900, 9_900, 14_900))["cents_as_units"])
    assert "amounts may be in cents; as they are, half of the lines pay 9,900 a month or more, else 99.00" in text
    assert "If the amounts are right, nothing." in text


@pytest.mark.parametrize(
    ("product", "days", "is_trial"),
    [
        ("Free Trial", 30, True),
        ("Clinical Trials", 365, False),
        ("Core", 14, True),  # all of them, and hardly any a day longer or shorter
        ("Core", 30, False),
    ],
)
def test_trials_that_count_as_revenue(
    warnings: Callable[..., dict[str, Finding]], product: str, days: int, is_trial: bool
) -> None:
    paying = [{"account_id": f"a{number}", "starts_on": spread(number), "product": "Core"} for number in range(20)]
    tried = [
        {"account_id": f"t{number}", "starts_on": spread(number), "product": product,
         "ends_on": spread(number) + timedelta(days=days)}
        for number in range(8)
    ]  # fmt: skip
    found = warnings(paying + tried)
    assert ("trial_lines" in found) == is_trial
    if is_trial:
        assert found["trial_lines"].rows == 8


def test_lines_of_nothing(warnings: Callable[..., dict[str, Finding]]) -> None:
    lines = [
        {"account_id": "a", "starts_on": date(2023, 1, 5), "ended_on": date(2023, 2, 5), "mrr": 0},
        {"account_id": "a", "starts_on": date(2023, 2, 5)},
        {"account_id": "b", "starts_on": date(2023, 2, 5), "mrr": 0},
    ]
    text = str(warnings(lines)["zero_lines"])
    assert "2 of 3 lines with an amount of 0" in text
    assert "1 account of such lines alone never count" in text
    assert "1 before the first paid line" in text
    assert "zero_lines" not in warnings(lines[1:2])


def test_ids_of_which_nothing_matches(warnings: Callable[..., dict[str, Finding]]) -> None:
    lines = [{"account_id": "a", "starts_on": date(2023, 1, 5)}]
    contacts = [{"contact_id": f"c{number}", "account_id": "a"} for number in range(4)]

    def met(*ids: str) -> dict[str, Finding]:
        rows = [
            {"account_id": "a", "happened_on": date(2024, 1, 5), "kind": "call", "contact_id": name} for name in ids
        ]
        return warnings(lines, contacts=contacts, engagement=rows)

    warning = met("x@y.com", "z@y.com", "w@y.com")["id_matches_nothing"]
    assert (warning.table, warning.column, warning.rows) == ("engagement", "contact_id", 3)
    assert "contacts.contact_id" in warning.todo
    assert "id_matches_nothing" not in met("x@y.com", "z@y.com", "c1")
    assert "id_matches_nothing" not in met("x@y.com")
