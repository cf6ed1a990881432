"""When a line is active, and the ARR of a cohort, case by case."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params
from features import revenue
from features.asof.clocks import NEVER
from features.asof.view import EPOCH, AsOf, day_number
from features.inputs.frames import tables_from_frames
from features.revenue.known_lines import lines_known, load
from features.revenue.lines import WORK_TABLES, work_statements
from features.tables.checked import Tables
from features.tables.problems import NoRate
from params import Budget

BUDGET = Budget(1, 0.5)
RULES = params.load().revenue
NOTICED = {"notice_on": "2025-02-01"}
OPEN = "open"
ADDED = {"starts_on": "2024-06-01", "signed_on": "2024-04-10"}
RENEWED = ADDED | {"kind": "renewal"}
EARLY = {"starts_on": "2024-12-01"}


def store(folder: Path, lines: list[dict[str, Any]], rates: list[tuple[str, str, float]] | None = None) -> Tables:
    """Lines of account `a`, product `p`, MRR 100; from 2024-01-01 to 2025-03-01, or evergreen from where they say."""
    usual = {"account_id": "a", "product": "p", "mrr": 100.0}
    term = {"starts_on": "2024-01-01", "ends_on": "2025-03-01"}
    optional = dict.fromkeys(
        ("kind", "buying_center", "ended_on", "signed_on", "notice_on", "currency", "seats", "status")
    )
    rows = [
        {"contract_id": f"c{number}", "ends_on": None} | optional | usual | ({} if "starts_on" in line else term) | line
        for number, line in enumerate(lines)
    ]
    frames = {"accounts": pd.DataFrame({"account_id": ["a", "b"]}), "contracts": pd.DataFrame(rows, dtype=object)}
    if rates is not None:
        frames["fx_rates"] = pd.DataFrame(rates, columns=["month", "currency", "rate"])
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))


def states(tables: Tables, *snapshots: str) -> pd.DataFrame:
    asof = AsOf(tables, tuple(map(date.fromisoformat, snapshots)))
    with tables.connect(budget=BUDGET) as connection:
        load(connection, asof.frames())
        for statement in revenue.line_states(asof, RULES):
            connection.execute(statement)
        return connection.execute("SELECT * FROM line_states ORDER BY k, contract_id").df()


def day(number: int) -> str:
    return OPEN if number == NEVER else str(np.datetime64(EPOCH) + np.timedelta64(int(number), "D"))


@pytest.mark.parametrize(
    ("lines", "as_of", "active_until", "overdue"),
    [
        pytest.param([{}], "2025-01-01", "2025-03-31", 0, id="before its end: to the end of the grace"),
        pytest.param([{}], "2025-03-01", "2025-03-31", 1, id="on its end: overdue"),
        pytest.param([{}], "2025-03-31", "2025-03-31", 0, id="grace is over"),
        pytest.param([NOTICED], "2025-02-01", "2025-03-31", 0, id="notice not yet known"),
        pytest.param([NOTICED], "2025-02-02", "2025-03-01", 0, id="notice: no grace"),
        pytest.param([{"ended_on": "2024-06-01"}], "2024-06-01", "2025-03-31", 0, id="early end not yet known"),
        pytest.param([{"ended_on": "2024-06-01"}], "2024-06-02", "2024-06-01", 0, id="early end"),
        pytest.param(
            [{"ended_on": "2025-02-10"} | NOTICED], "2025-02-02", "2025-02-10", 0, id="early end told by notice"
        ),
        pytest.param([{"ends_on": None}], "2025-01-01", OPEN, 0, id="evergreen"),
        pytest.param(
            [{}, ADDED], "2024-05-01", "2025-03-31", 0, id="more of a product in mid-term, signed ahead: added"
        ),
        pytest.param([{}, RENEWED], "2024-05-01", "2024-06-01", 0, id="renewed in mid-term, signed ahead"),
        pytest.param([{}, RENEWED], "2024-06-01", "2024-06-01", 0, id="renewed on the day"),
        pytest.param([{}, RENEWED], "2024-04-10", "2025-03-31", 0, id="renewal not yet signed"),
        pytest.param([{}, RENEWED | {"ended_on": "2024-06-01"}], "2024-07-01", "2025-03-31", 0, id="it never began"),
        pytest.param([{}, RENEWED | {"product": "q"}], "2024-07-01", "2025-03-31", 0, id="another product"),
        pytest.param(
            [{}, RENEWED | {"buying_center": "labs"}], "2024-07-01", "2025-03-31", 0, id="another buying centre"
        ),
        pytest.param([{}, EARLY], "2025-01-01", "2024-12-01", 0, id="outlasts it and starts 90 days before its end"),
        pytest.param(
            [{}, EARLY | {"starts_on": "2024-11-30"}], "2025-01-01", "2025-03-31", 0, id="starts 91 days before its end"
        ),
        pytest.param([{}, EARLY | {"ends_on": "2025-03-01"}], "2025-01-01", "2025-03-31", 0, id="does not outlast it"),
        pytest.param(
            [{"product": None}, EARLY | {"product": None}], "2025-01-01", "2025-03-31", 0, id="no product to tell"
        ),
        pytest.param(
            [{"product": None}, RENEWED | {"product": None}], "2024-07-01", "2024-06-01", 0, id="it says renewal"
        ),
        pytest.param(
            [{"ended_on": "2024-06-01"}, ADDED], "2024-06-01", "2024-06-01", 0, id="the order of a change tells the end"
        ),
        pytest.param(
            [{"ended_on": "2024-06-01"}, ADDED | {"signed_on": None}],
            "2024-06-01",
            "2025-03-31",
            0,
            id="nothing is known of a change that is not signed before",
        ),
        pytest.param([{"status": "trial"}, {"mrr": 1.0}], "2025-01-01", "2025-03-31", 0, id="a trial is no line"),
        pytest.param([{"ends_on": None} | NOTICED], "2025-03-01", OPEN, 0, id="evergreen with notice, end not known"),
        pytest.param([{}, {"starts_on": "2025-03-20"}], "2025-04-01", "2025-03-20", 0, id="late renewal"),
        pytest.param([{}, {"starts_on": "2025-04-01"}], "2025-04-02", "2025-03-31", 0, id="renewed a day too late"),
        pytest.param([{}, {"starts_on": "2025-03-31"}], "2025-04-01", "2025-03-31", 0, id="on the last day"),
        pytest.param(
            [{}, {"starts_on": "2025-03-20", "signed_on": "2025-03-05"}],
            "2025-03-10",
            "2025-03-20",
            1,
            id="signed late",
        ),
        pytest.param(
            [{}, {"starts_on": "2025-03-10", "product": "q"}], "2025-04-01", "2025-03-10", 0, id="plan switch"
        ),
        pytest.param(
            [{}, {"starts_on": "2025-03-10", "product": "q", "kind": "cross_sell"}],
            "2025-04-01",
            "2025-03-10",
            0,
            id="what it is called decides nothing",
        ),
        pytest.param(
            [{}, {"starts_on": "2025-03-10", "product": "q", "mrr": 49.0}],
            "2025-04-01",
            "2025-03-31",
            0,
            id="less than half of it replaces nothing",
        ),
        pytest.param(
            [{}, {"starts_on": "2025-03-10", "product": "q", "buying_center": "labs"}],
            "2025-04-01",
            "2025-03-31",
            0,
            id="another buying centre replaces nothing",
        ),
        pytest.param(
            [
                {},
                {"starts_on": "2025-03-10", "product": "q"},
                {"starts_on": "2024-03-10", "ends_on": "2025-03-10", "product": "q"},
            ],
            "2025-04-01",
            "2025-03-31",
            0,
            id="the renewal of another product replaces nothing",
        ),
        pytest.param(
            [{}, {"starts_on": "2025-03-10", "product": "q"}, {"starts_on": "2025-03-20"}],
            "2025-04-01",
            "2025-03-20",
            0,
            id="a renewed line is not replaced",
        ),
    ],
)
def test_when_a_line_is_active(
    lines: list[dict[str, Any]], as_of: str, active_until: str, overdue: int, tmp_path: Path
) -> None:
    first = states(store(tmp_path, lines), as_of).iloc[0]
    assert (day(first["active_until"]), first["overdue"]) == (active_until, overdue)


def test_each_snapshot_has_its_own_states(tmp_path: Path) -> None:
    found = states(store(tmp_path, [NOTICED, {"starts_on": "2025-02-15", "product": "q"}]), "2025-02-01", "2025-02-16")
    assert found[["k", "contract_id"]].values.tolist() == [[1, "c0"], [2, "c0"], [2, "c1"]]
    assert list(found["notice"].fillna(0)) == [0, day_number(date(2025, 2, 1)), 0]
    assert list(found["active_until"].map(day)) == ["2025-03-31", "2025-03-01", OPEN]


def test_line_states_may_be_made_again_in_the_same_database(tmp_path: Path) -> None:
    tables = store(tmp_path, [{}])
    asof = AsOf(tables, (date(2025, 1, 1),))
    with tables.connect(budget=BUDGET) as connection:
        load(connection, asof.frames())
        for statement in [*revenue.line_states(asof, RULES), "DROP TABLE line_states"] * 2:
            connection.execute(statement)
        left = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    assert left == set(asof.frames())


def cohort_paths(tables: Tables, as_of: list[str], known_by: str, months: int, **setting: Any) -> revenue.CohortPaths:
    cohort = pd.DataFrame({"account_id": "a", "as_of": pd.to_datetime(as_of), "arr": 7.0})
    rules = RULES.model_copy(update=setting)
    known = date.fromisoformat(known_by)
    return revenue.cohort_paths(tables, cohort, months=months, known_by=known, rules=rules, budget=BUDGET)


def paths(tables: Tables, as_of: list[str], known_by: str, months: int = 3, **setting: Any) -> list[list[float]]:
    found = cohort_paths(tables, as_of, known_by, months, **setting).arr
    return [[None if np.isnan(value) else value for value in row] for row in found]  # type: ignore[misc]


def test_a_cohort_is_followed_until_what_is_known_ends(tmp_path: Path) -> None:
    tables = store(tmp_path, [{"ends_on": "2025-01-31"} | {"notice_on": "2024-12-01"}])
    assert paths(tables, ["2024-11-01", "2025-01-01"], "2025-03-03") == [[7, 1200, 1200, 0], [7, 0, None, None]]
    assert paths(tables, ["2024-11-01"], "2025-03-02") == [[7, 1200, 1200, None]]  # it might still be saved
    assert paths(tables, ["2024-11-01"], "2025-02-01", grace_days=0) == [[7, 1200, 1200, 0]]
    assert paths(tables, ["2024-11-01"], "2025-03-02", gap_days=61) == [[7, 1200, None, None]]


def test_months_are_calendar_months_and_end_with_short_ones(tmp_path: Path) -> None:
    tables = store(tmp_path, [{"ended_on": "2025-02-27"}])
    assert paths(tables, ["2025-01-31"], "2025-04-30") == [[7, 0, 0, None]]
    tables = store(tmp_path, [{"ended_on": "2025-02-28"}])
    assert paths(tables, ["2025-01-31"], "2025-04-30") == [[7, 1200, 0, None]]


@pytest.mark.parametrize(
    ("lines", "as_of", "known_by", "expected"),
    [
        pytest.param([{"ended_on": "2024-03-01"}], "2024-02-01", "2024-06-01", [7, 1200, 0], id="an end on the edge"),
        pytest.param([{"ended_on": "2024-03-01"}], "2024-02-01", "2024-03-31", [7, 1200, None], id="known in time"),
        pytest.param([{"ended_on": "2024-03-01"}], "2024-03-01", "2024-06-01", [7, 0, 0], id="the same, a month later"),
        pytest.param(
            [{"ended_on": "2024-03-01", "notice_on": "2024-02-10"}],
            "2024-02-01",
            "2024-03-31",
            [7, 0, None],
            id="an end on the edge, told by notice",
        ),
        pytest.param(
            [{"ended_on": "2024-03-01"}, {"starts_on": "2024-03-01", "mrr": 150.0}],
            "2024-02-01",
            "2024-06-01",
            [7, 1200, 1800],
            id="replaced on the edge",
        ),
        pytest.param(
            [{"ended_on": "2024-03-01"}, {"starts_on": "2024-03-01", "mrr": 150.0, "signed_on": "2024-02-10"}],
            "2024-02-01",
            "2024-06-01",
            [7, 1800, 1800],
            id="replaced on the edge, signed before",
        ),
        pytest.param(
            [{"ends_on": "2024-02-15", "notice_on": "2024-03-07"}],
            "2024-02-01",
            "2024-06-01",
            [7, 1200, 0],
            id="notice given in the grace is not known before",
        ),
        pytest.param(
            [{"ends_on": "2024-03-01"}, {"starts_on": "2024-03-01", "signed_on": "2024-05-10"}],
            "2024-02-01",
            "2024-06-01",
            [7, 1200, 1200, 1200],
            id="a renewal booked late was one all along",
        ),
        pytest.param(
            [{"ends_on": "2024-02-25", "notice_on": "2024-02-10"}, {"starts_on": "2024-03-05", "mrr": 150.0}],
            "2024-02-01",
            "2024-06-01",
            [7, 1200, 1800],
            id="saved in the grace, after notice",
        ),
        pytest.param(
            [{"ended_on": "2024-02-25"}, {"starts_on": "2024-03-26"}],
            "2024-02-01",
            "2024-06-01",
            [7, 1200, 1200],
            id="ended early, and back on the last day of the grace",
        ),
        pytest.param(
            [{"ended_on": "2024-02-25"}, {"starts_on": "2024-03-27"}],
            "2024-02-01",
            "2024-06-01",
            [7, 0, 0],
            id="back a day too late",
        ),
    ],
)
def test_labels_live_in_half_open_windows(
    lines: list[dict[str, Any]], as_of: str, known_by: str, expected: list[float], tmp_path: Path
) -> None:
    tables = store(tmp_path, lines)
    assert paths(tables, [as_of], known_by, months=len(expected) - 1) == [expected]


def test_labels_wait_for_the_lag_of_the_contracts(tmp_path: Path) -> None:
    tables = replace(store(tmp_path, [{"ended_on": "2024-02-28"}]), lag_days={"contracts": 3})
    assert paths(tables, ["2024-02-01"], "2024-04-02", months=1) == [[7, None]]
    assert paths(tables, ["2024-02-01"], "2024-04-03", months=1) == [[7, 0]]


MORE = {"starts_on": "2024-03-10", "mrr": 50.0}


@pytest.mark.parametrize(
    ("lines", "known_by", "expected"),
    [
        pytest.param([{}], "2024-06-01", [1, 1, 1, 1], id="one product all along"),
        pytest.param([{}, MORE | {"product": "q"}], "2024-06-01", [1, 1, 2, 2], id="a second product"),
        pytest.param([{}, MORE | {"buying_center": "labs"}], "2024-06-01", [1, 1, 2, 2], id="a second buying centre"),
        pytest.param(
            [{"ended_on": "2024-03-10"}, MORE | {"mrr": 150.0}], "2024-06-01", [1, 1, 1, 1], id="more of the same"
        ),
        pytest.param(
            [{"ended_on": "2024-03-10"}, MORE | {"product": "q", "mrr": 150.0}],
            "2024-06-01",
            [1, 1, 1, 1],
            id="a switch of product",
        ),
        pytest.param([{}, MORE | {"product": "q", "mrr": 0.0}], "2024-06-01", [1, 1, 1, 1], id="a free product"),
        pytest.param(
            [{}, MORE | {"product": "q", "signed_on": "2024-05-10"}],
            "2024-05-10",
            [1, 1, 1, None],
            id="signed after what is known",
        ),
        pytest.param([{}, MORE | {"product": "q"}], "2024-04-15", [1, 1, None, None], id="months not known yet"),
        pytest.param([{"ended_on": "2024-03-10"}], "2024-06-01", [1, 1, 0, 0], id="left"),
        pytest.param([{"product": None}], "2024-06-01", [None] * 4, id="neither named"),
        pytest.param([{}, MORE | {"product": None}], "2024-06-01", [1, 1, None, None], id="neither named by one line"),
        pytest.param(
            [{"product": None, "buying_center": "labs"}, MORE | {"product": None, "buying_center": "desk"}],
            "2024-06-01",
            [1, 1, 2, 2],
            id="buying centres alone",
        ),
    ],
)
def test_subscriptions_are_the_products_and_buying_centres_paid_for(
    lines: list[dict[str, Any]], known_by: str, expected: list[float | None], tmp_path: Path
) -> None:
    found = cohort_paths(store(tmp_path, lines), ["2024-02-01"], known_by, months=3).subscriptions
    np.testing.assert_array_equal(found, [np.array(expected, dtype=float)])


def test_contracts_without_the_columns_tell_no_subscriptions(tmp_path: Path) -> None:
    line = {"contract_id": "c", "account_id": "a", "starts_on": "2024-01-01", "mrr": 100.0}
    frames = {"accounts": pd.DataFrame({"account_id": ["a"]}), "contracts": pd.DataFrame([line])}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2026, 1, 1))
    found = cohort_paths(tables, ["2024-02-01"], "2024-06-01", months=2)
    np.testing.assert_array_equal(found.subscriptions, [[np.nan] * 3])
    np.testing.assert_array_equal(found.arr, [[7, 1200, 1200]])


AWAY = [{"ended_on": "2024-03-15"}, {"starts_on": "2024-04-15"}]


@pytest.mark.parametrize(
    ("reactivation", "expected"),
    [("exclude", [[7, 1200, 0, 0], [7, 0, 0, 0]]), ("include", [[7, 1200, 0, 1200], [7, 1200, 1200, 1200]])],
)
def test_an_account_that_left_and_came_back(reactivation: str, expected: list[list[float]], tmp_path: Path) -> None:
    tables = store(tmp_path, AWAY)
    assert paths(tables, ["2024-02-01", "2024-04-01"], "2025-01-01", reactivation=reactivation) == expected


def test_free_lines_do_not_hold_an_account(tmp_path: Path) -> None:
    tables = store(tmp_path, [*AWAY, {"product": "free", "mrr": 0.0}])
    assert paths(tables, ["2024-02-01"], "2025-01-01") == [[7, 1200, 0, 0]]


def test_arr_is_valued_at_the_rates_of_the_as_of_month_and_rounded_line_by_line(tmp_path: Path) -> None:
    lines = [{"currency": "EUR", "mrr": 0.05}, {"currency": "EUR", "mrr": 0.05, "product": "q"}, {"mrr": 1.0}]
    rates = [("2024-01-01", "EUR", 1.01), ("2024-03-01", "EUR", 2.0)]
    tables = store(tmp_path, lines, rates)
    assert paths(tables, ["2024-02-10", "2024-03-01"], "2024-12-01", months=1) == [[7, 13.22], [7, 14.4]]


def test_a_currency_without_a_rate_is_named(tmp_path: Path) -> None:
    tables = store(tmp_path, [{"currency": "EUR"}, {}], [("2024-06-01", "EUR", 1.1)])
    with pytest.raises(NoRate, match="fx_rates: has no rate for EUR on 2024-02-01, but 1 contract line in force is in"):
        paths(tables, ["2024-02-01"], "2025-01-01")
    assert paths(tables, ["2024-06-01"], "2025-01-01", months=1) == [[7, 2520.0]]


def test_lines_in_a_currency_that_are_not_in_force_need_no_rate(tmp_path: Path) -> None:
    tables = store(tmp_path, [{"currency": "EUR", "starts_on": "2024-06-01"}, {}], [("2024-06-01", "EUR", 1.1)])
    assert paths(tables, ["2024-02-01"], "2025-01-01", months=1) == [[7, 1200.0]]


def test_arr_by_account_is_sorted_and_at_each_months_own_rates_unless_told_otherwise(tmp_path: Path) -> None:
    lines = [{"currency": "EUR", "account_id": "b"}, {"ended_on": "2024-03-15"}]
    tables = store(tmp_path, lines, [("2024-01-01", "EUR", 1.5), ("2024-04-01", "EUR", 2.0)])
    instants = [date(2024, 4, 1), date(2024, 2, 1)]
    own, constant = (
        revenue.arr_by_account(
            tables, instants, known_by=date(2025, 1, 1), rules=RULES, rates_on=rates_on, budget=BUDGET
        )
        for rates_on in (None, date(2024, 2, 1))
    )
    assert list(own.itertuples(index=False, name=None)) == [
        (pd.Timestamp("2024-02-01"), "a", 1200.0),
        (pd.Timestamp("2024-02-01"), "b", 1800.0),
        (pd.Timestamp("2024-04-01"), "b", 2400.0),
    ]
    assert list(constant["arr"]) == [1200.0, 1800.0, 1800.0]


SECOND = {"starts_on": "2025-03-01", "ends_on": None}
RENEWAL = {"kind": "renewal"}


@pytest.mark.parametrize(
    ("lines", "on", "arr"),
    [
        pytest.param(
            [
                {"product": "core"},
                {"product": "seats", "mrr": 50.0},
                SECOND | {"product": "core", "mrr": 105.0},
                SECOND | {"product": "seats", "mrr": 50.0, "starts_on": "2025-03-11"},
            ],
            "2025-03-05",
            1860,
            id="one renewed on time, the other ten days late",
        ),
        pytest.param(
            [{"product": "crm"}, SECOND | {"product": "chat", "mrr": 10.0, "starts_on": "2025-03-06"}],
            "2025-03-10",
            1320,
            id="a small product sold while another is overdue",
        ),
        pytest.param(
            [{"buying_center": "sales"}, SECOND | {"buying_center": "service"}], "2025-03-10", 2400, id="another centre"
        ),
        pytest.param(
            [
                {"product": "a"},
                {"product": "c"},
                SECOND | {"product": "b", "mrr": 120.0},
                SECOND | {"product": "c", "starts_on": "2025-03-11"},
            ],
            "2025-03-05",
            2640,
            id="one of two replaced, the other renewed late",
        ),
        pytest.param(
            [
                {"product": "core"},
                {"product": "seats", "mrr": 50.0},
                SECOND | {"product": "core", "mrr": 150.0, "kind": "renewal"},
            ],
            "2025-03-05",
            1800,
            id="two lines renewed as one",
        ),
        pytest.param(
            [
                {"product": "core"},
                {"product": "seats"},
                SECOND | {"product": "core"},
                SECOND | {"product": "core", "mrr": 30.0, "kind": "downsell", "starts_on": "2025-03-06"},
            ],
            "2025-03-06",
            2760,
            id="a downsell beside one that has continued its product replaces no other",
        ),
        pytest.param(
            [{"product": "core"}, {"product": "seats", "mrr": 50.0}, SECOND | {"product": "q", "mrr": 20.0}],
            "2025-03-05",
            2040,
            id="too small to replace anything",
        ),
        pytest.param(
            [
                {"product": "core"},
                {"product": "seats", "mrr": 50.0},
                SECOND | {"product": "q", "mrr": 20.0, "kind": "downsell"},
            ],
            "2025-03-05",
            240,
            id="a downsell replaces all",
        ),
        pytest.param(
            [{"product": "core"}, {"product": "seats", "mrr": 40.0}, SECOND | {"product": "q", "mrr": 30.0}],
            "2025-03-05",
            12 * 130,
            id="the larger one is too large, the smaller one not",
        ),
        pytest.param(
            [
                {"product": "core", "mrr": 60.0},
                {"product": "seats", "mrr": 50.0},
                SECOND | {"product": "q", "mrr": 60.0},
                SECOND | {"product": "r", "mrr": 45.0},
            ],
            "2025-03-05",
            12 * 105,
            id="each is replaced by one of its own",
        ),
        *(
            pytest.param(
                [
                    {},
                    RENEWAL | {"starts_on": "2025-03-01", "ends_on": "2026-03-01"},
                    {"mrr": 50.0, "starts_on": "2023-09-01", "ends_on": "2024-09-01"},
                    RENEWAL | {"mrr": 50.0, "starts_on": "2024-09-01", "ends_on": "2025-09-01"},
                    RENEWAL | {"mrr": 50.0, "starts_on": "2025-09-10", "ends_on": "2026-09-10"},
                ],
                on,
                1800,
                id=f"two subscriptions to a product, {on}",
            )
            for on in ("2024-09-05", "2025-03-05", "2025-09-05", "2025-09-15")
        ),
        pytest.param(
            [{}, {"mrr": 50.0, "ends_on": "2025-07-01"}, RENEWAL | {"starts_on": "2025-03-01", "mrr": 150.0}],
            "2025-03-05",
            1800,
            id="a subscription is renewed together with one that runs",
        ),
        pytest.param(
            [{}, {"product": "q", "mrr": 40.0}, SECOND | {"mrr": 60.0}, SECOND | {"mrr": 40.0}],
            "2025-03-05",
            1680,
            id="a line that is split has nothing to spare for another",
        ),
        pytest.param(
            [{}, {"mrr": 50.0}, {"product": "q", "mrr": 40.0}, SECOND, SECOND | {"mrr": 50.0}],
            "2025-03-05",
            2280,
            id="two lines renewed side by side have nothing to spare",
        ),
        pytest.param(
            [{}, {"product": "q", "mrr": 40.0}, SECOND | {"mrr": 60.0}, SECOND | {"mrr": 80.0}],
            "2025-03-05",
            1680,
            id="one line becomes two, and they replace another as well",
        ),
        pytest.param(
            [{"currency": "EUR"}, SECOND | {"product": "q", "mrr": 9.0}], "2025-03-05", 108, id="another currency"
        ),
        pytest.param(
            [{"mrr": 166.666667}, {"product": "q", "mrr": 0.004167}], "2024-06-01", 2000.05, id="amounts a year"
        ),
        pytest.param([{}, {"product": "q", "mrr": -20.0}], "2024-06-01", 960, id="a discount"),
        pytest.param(
            [{"mrr": 50.0}, {"product": "q", "mrr": 100.0}, {"product": "q", "mrr": -100.0}],
            "2024-06-01",
            600,
            id="a discount of its product",
        ),
        pytest.param([{}, {"mrr": -20.0}], "2025-03-10", 960, id="a discount of a term that is overdue"),
        pytest.param([{}, {"mrr": -20.0, "ended_on": "2024-05-01"}], "2024-06-01", 1200, id="a discount that is over"),
        pytest.param([{"status": "paused"}, {"product": "q"}], "2024-06-01", 1200, id="what is paused"),
    ],
)
def test_what_follows_a_term_replaces_it(lines: list[dict[str, Any]], on: str, arr: float, tmp_path: Path) -> None:
    tables = store(tmp_path, lines, [("2023-01-01", "EUR", 1.0)])
    instants = [date.fromisoformat(on)]
    found = revenue.arr_by_account(tables, instants, known_by=date(2025, 12, 1), rules=RULES, budget=BUDGET)
    assert list(found["arr"]) == [arr]


FREE_MONTH = [
    {"ended_on": "2025-03-01"},
    {"starts_on": "2025-03-01", "ended_on": "2025-04-01", "mrr": 0.0},
    {"starts_on": "2025-04-01"},
]
GAP = [{"ended_on": "2025-03-01"}, {"starts_on": "2025-04-01"}]
FREE_FOREVER = [{"ended_on": "2025-03-01"}, {"starts_on": "2025-03-01", "mrr": 0.0}]


@pytest.mark.parametrize(
    ("lines", "setting", "customer_from", "customer_until", "pauses"),
    [
        pytest.param(FREE_MONTH, {}, "2024-01-01", OPEN, [("2025-03-01", "2025-04-01")], id="a month at 0"),
        pytest.param(
            FREE_MONTH, {"pause_days": 20}, "2024-01-01", "2025-03-21", [("2025-03-01", "2025-03-21")], id="too long"
        ),
        pytest.param(GAP, {}, "2024-01-01", "2025-03-01", [], id="a bare gap"),
        pytest.param(GAP, {"gap_days": 31}, "2024-01-01", OPEN, [("2025-03-01", "2025-04-01")], id="a gap that counts"),
        pytest.param(
            FREE_FOREVER, {}, "2024-01-01", "2025-05-30", [("2025-03-01", "2025-05-30")], id="never paid again"
        ),
        pytest.param(
            [{"starts_on": "2023-12-01", "ended_on": "2024-01-01", "mrr": 0.0}, {}],
            {},
            "2024-01-01",
            "2025-03-31",
            [],
            id="a free start",
        ),
        pytest.param(
            [{"ended_on": "2025-03-01"}, {"product": "free", "mrr": 0.0}], {}, "2024-01-01", "2025-03-01", [], id="free"
        ),
        pytest.param(
            [
                {"ended_on": "2025-03-01"},
                {"starts_on": "2024-06-01", "ended_on": "2024-06-01", "product": "q"},
                {"starts_on": "2025-03-01", "product": "q", "mrr": 0.0},
            ],
            {},
            "2024-01-01",
            "2025-03-01",
            [],
            id="what was never paid for cannot be paused",
        ),
        pytest.param(
            [{"ended_on": "2025-03-01"}, {"starts_on": "2025-03-01", "product": "q", "status": "paused"}],
            {},
            "2024-01-01",
            "2025-05-30",
            [("2025-03-01", "2025-05-30")],
            id="it says paused",
        ),
    ],
)
def test_when_an_account_is_a_customer(
    lines: list[dict[str, Any]],
    setting: dict[str, Any],
    customer_from: str,
    customer_until: str,
    pauses: list[tuple[str, str]],
    tmp_path: Path,
) -> None:
    tables, rules = store(tmp_path, lines), RULES.model_copy(update=setting)
    with lines_known(tables, known_by=date(2025, 12, 1), rules=rules, budget=BUDGET) as connection:
        spells = connection.execute("SELECT covered_from, covered_until FROM coverage ORDER BY 1").fetchall()
        times = connection.execute("SELECT paused_from, paused_until FROM pauses ORDER BY 1").fetchall()
    assert tuple(map(day, spells[0])) == (customer_from, customer_until)
    assert [tuple(map(day, time)) for time in times] == pauses


def test_a_book_that_switches_every_month_is_walked_in_few_steps(tmp_path: Path) -> None:
    """Of 12 products, each could be replaced by each of the next month: 144 pairs a month, and 144 a month later."""
    months = [str(start.date()) for start in pd.date_range("2024-01-01", periods=9, freq="MS")]
    lines = [
        {"product": f"{start} {number}", "mrr": 10.0 + number % 5, "starts_on": start, "ends_on": end}
        for start, end in pairwise(months)
        for number in range(12)
    ]
    asof = AsOf(store(tmp_path, lines), (date(2024, 9, 2),))
    with asof.tables.connect(budget=BUDGET) as connection:
        load(connection, asof.frames())
        statements = dict(zip(WORK_TABLES, work_statements(asof.contracts(), RULES), strict=True))
        for name in WORK_TABLES[: WORK_TABLES.index("line_switches")]:
            connection.execute(statements[name])
        walk, _, last = statements["line_switches"].partition("AS ")[2].rpartition("SELECT")
        assert "walked" in last
        assert connection.execute(f"{walk} SELECT MAX(n), SUM(taken) FROM walked").fetchone() == (117, 84)
