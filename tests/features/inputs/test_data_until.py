"""Where the data end when the settings do not say: what decides it, what does not, and what is said about the rest."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

FIRST, LAST = date(2023, 1, 1), date(2024, 6, 28)


def days(first: date, last: date, every: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(0, (last - first).days + 1, every)]


def usage(at: Sequence[date]) -> str:
    return " / ".join(["account_id,used_on", *(f"a,{day}" for day in at)])


def tickets(at: Sequence[date]) -> str:
    return " / ".join(["account_id,opened_at", *(f"a,{day} 10:00" for day in at)])


def surveys(at: Sequence[date]) -> str:
    return " / ".join(["account_id,responded_on,score", *(f"a,{day},9" for day in at)])


DAILY, WEEKLY = days(FIRST, LAST, 1), days(FIRST, LAST, 7)
STRAY = date(2029, 3, 1)
EVENTS = [  # what is there, the day after the last one that counts, the columns that decide, stray rows
    ({"usage": usage(DAILY)}, LAST, ["usage.used_on"], 0),
    ({"usage": usage([*DAILY, STRAY])}, LAST, ["usage.used_on"], 1),
    ({"usage": usage([*DAILY, STRAY, date(2031, 1, 1), date(2024, 9, 1)])}, LAST, ["usage.used_on"], 3),
    # a fortnight beyond the rest is no long gap, nor is a quiet summer of two months a stray tail
    ({"usage": usage([*DAILY, LAST + timedelta(14)])}, LAST + timedelta(14), ["usage.used_on"], 0),
    (
        {"usage": usage([*(DAILY * 20), *days(LAST, LAST + timedelta(60), 4)])},
        LAST + timedelta(60),
        ["usage.used_on"],
        0,
    ),
    # monthly sums fall on few days
    (
        {"usage": usage([*(days(FIRST, LAST, 30) * 40), date(2024, 12, 1)])},
        days(FIRST, LAST, 30)[-1],
        ["usage.used_on"],
        1,
    ),
    # a batch of three days' rows with the wrong year
    ({"usage": usage([*(DAILY * 20), *days(date(2034, 6, 1), date(2034, 6, 3), 1) * 20])}, LAST, ["usage.used_on"], 60),
    (
        {"usage": usage([*[FIRST] * 900, *days(FIRST, FIRST + timedelta(60), 15)])},
        FIRST + timedelta(60),
        ["usage.used_on"],
        0,
    ),
    # a big first import does not make all that follows stray
    ({"usage": usage([*[FIRST] * 9_000, *WEEKLY])}, WEEKLY[-1], ["usage.used_on"], 0),
    # few rows a year have no pace of their own: others tell
    (
        {"usage": usage(DAILY), "tickets": tickets(WEEKLY), "surveys": surveys([FIRST, date(2024, 3, 1), STRAY])},
        LAST,
        ["usage.used_on"],
        1,
    ),
    ({"surveys": surveys([FIRST, date(2024, 3, 1)])}, date(2024, 3, 1), ["surveys.responded_on"], 0),
    # of two columns it is not known which one is wrong
    ({"usage": usage(DAILY), "surveys": surveys([date(2024, 9, 1)])}, date(2024, 9, 1), ["surveys.responded_on"], 0),
    (
        {"usage": usage(DAILY), "tickets": tickets(days(FIRST, LAST, 2))},
        LAST,
        ["usage.used_on", "tickets.opened_at"],
        0,
    ),
    # a signature tells, the start of a line signed ahead does not
    (
        {
            "contracts": "contract_id,account_id,starts_on,signed_on,mrr / 1,a,2023-01-01,,5 / "
            "2,b,2025-01-01,2024-03-04,5"
        },
        date(2024, 3, 4),
        ["contracts.signed_on"],
        0,
    ),
]


@pytest.mark.parametrize(("tables", "last", "decided_by", "stray"), EVENTS)
def test_the_data_end_after_the_bulk_of_what_happened(
    source: Any, tables: dict[str, str], last: date, decided_by: list[str], stray: int
) -> None:
    for name, text in tables.items():
        source.write(name, text)
    report = source.load().report
    assert (report.data_until, list(report.data_until_from)) == (last + timedelta(days=1), decided_by)
    reach = "reach" if len(decided_by) > 1 else "reaches"
    beyond = {0: "", 1: "; 1 stray row beyond does not count"}.get(stray, f"; {stray} stray rows beyond do not count")
    assert report.data_until_why == f"{', '.join(decided_by)} {reach} to {last}{beyond}"
    warned = [found for found in report.warnings if "where the data end" in found.what]
    assert sum(found.rows for found in warned) == stray


def test_stray_rows_are_named_with_what_to_do(source: Any) -> None:
    source.write("usage", usage([*DAILY, STRAY]))
    assert (
        "usage.used_on: 1 of 546 rows on or after 2024-06-29, where the data end (a: 2029-03-01). No snapshot sees "
        "them. Correct them; if the data do reach that far, set source.data_until."
    ) in [str(found) for found in source.load().report.warnings]


def lines(starts: Sequence[tuple[str, date]], *, more: str = "", cells: Sequence[str] = ()) -> dict[str, str]:
    """Accounts and contract lines, one a start, of different products."""
    accounts = dict.fromkeys(account for account, _ in starts)
    cells = cells or [""] * len(starts)
    rows = [f"{n},{whose},p{n},{day},5,{cells[n]}" for n, (whose, day) in enumerate(starts)]
    return {
        "accounts": " / ".join(["account_id", *accounts]),
        "contracts": " / ".join([f"contract_id,account_id,product,starts_on,mrr,{more or 'kind'}", *rows]),
    }


def months(first: int, last: int) -> list[date]:
    """Fifteenths of the months numbered from January 2022."""
    return [date(2022 + n // 12, 1 + n % 12, 15) for n in range(first, last)]


NEW = [(f"n{n}", day) for n, day in enumerate(months(0, 30))]  # a new account a month, to June 2024
RENEWED = [(account, day) for account in ("old", "older", "oldest") for day in months(0, 30)]
AHEAD = [("old", day) for day in months(30, 54)][::2]  # every other month renewed ahead, for two years
LINES = [  # contracts alone: lines, the last day, the columns that decide, lines that start beyond
    (lines(NEW), date(2024, 6, 15), "contracts.starts_on", 0),
    (lines([*NEW, *RENEWED, *AHEAD]), date(2024, 6, 15), "contracts.starts_on", 12),
    (lines([*NEW, *RENEWED, ("n3", STRAY)]), date(2024, 6, 15), "contracts.starts_on", 1),
    # no new account since March, and lines go on to start at their usual pace
    (lines([*NEW[:27], *RENEWED, ("old", STRAY)]), date(2024, 6, 15), "contracts.starts_on", 1),
    (
        lines([*NEW[:27], ("old", STRAY)], more="notice_on", cells=[*[""] * 26, "2024-05-05", ""]),
        date(2024, 5, 5),
        "contracts.notice_on",
        1,
    ),
    (
        lines(NEW[:20], more="ended_on", cells=[str(day) for day in months(10, 30)]),
        date(2024, 6, 15),
        "contracts.ended_on",
        0,
    ),
    (
        lines([*NEW, *AHEAD], more="recorded_at", cells=["2024-06-20"] * 42),
        date(2024, 6, 20),
        "contracts.recorded_at",
        0,
    ),
]


@pytest.mark.parametrize(("tables", "last", "column", "ahead"), LINES)
def test_contracts_alone_end_where_new_ones_do(
    source: Any, tables: dict[str, str], last: date, column: str, ahead: int
) -> None:
    for name, text in tables.items():
        source.write(name, text)
    report = source.load("forecast.cuts=[]").report
    assert (report.data_until, report.data_until_from) == (last + timedelta(days=1), (column,))
    assert column in report.data_until_why
    assert str(last) in report.data_until_why
    warned = [found for found in report.warnings if "where the data end" in found.what]
    assert [(found.column, found.rows) for found in warned] == ([("starts_on", ahead)] if ahead else [])
    assert all("set source.data_until, or give signed_on" in found.todo for found in warned)


def test_starts_of_lines_do_not_count_where_anything_that_happened_is_recorded(source: Any) -> None:
    for name, text in lines([*NEW, *AHEAD]).items():
        source.write(name, text)
    source.write("tickets", "account_id,opened_at / old,2024-02-01")
    report = source.load("forecast.cuts=[]").report
    assert report.data_until == date(2024, 2, 2)
    assert report.warnings == ()


def test_a_line_that_starts_far_beyond_all_others_is_named(source: Any) -> None:
    for name, text in lines([*NEW, *AHEAD, ("old", date(2042, 1, 15))]).items():
        source.write(name, text)
    source.write("tickets", "account_id,opened_at / old,2024-02-01")
    assert [str(found) for found in source.load("forecast.cuts=[]").report.warnings] == [
        "contracts.starts_on: 1 of 43 rows on or after 2026-05-16, far beyond where the data and the other lines end "
        "(42: 2042-01-15). Correct them if the year is mistyped; until then they have no revenue."
    ]


SHORT = [  # a second table beside daily usage, and whether it is said to stop early
    (tickets(days(FIRST, date(2024, 4, 30), 3)), "stops on 2024-04-28, 61 days before the data end"),
    (tickets(days(FIRST, date(2024, 6, 10), 3)), None),  # not for long
    (tickets([*days(FIRST, date(2023, 6, 1), 3), *days(date(2023, 12, 1), date(2024, 4, 30), 3)]), None),  # as before
    (tickets(days(FIRST, date(2023, 2, 1), 3)), None),  # too few to have a pace
]


@pytest.mark.parametrize(("text", "said"), SHORT)
def test_a_table_that_stops_before_the_others_is_named(source: Any, text: str, said: str | None) -> None:
    source.write("usage", usage(DAILY))
    source.write("tickets", text)
    stops = [str(found) for found in source.load().report.warnings if "stops on" in found.what]
    todo = "The newest snapshots see none of it: bring newer rows of tickets, or set source.data_until to 2024-04-29."
    assert stops == ([f"tickets.opened_at: {said}. {todo}"] if said else [])


def test_the_settings_come_first(source: Any) -> None:
    source.write("usage", usage(DAILY))
    report = source.load("source.data_until=2024-03-01").report
    assert (report.data_until, report.data_until_from) == (date(2024, 3, 1), ("source.data_until",))
    assert report.data_until_why == "source.data_until says so"
    assert [found.rows for found in report.warnings if "where the data end" in found.what] == [120]
