"""Movements, retention and renewals, case by case."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params
from features import revenue
from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Budget

pytestmark = pytest.mark.usefixtures("costly")

RULES = params.load().revenue
BUDGET = Budget(1, 0.5)
WINDOW: dict[str, Any] = {"start": date(2024, 6, 1), "end": date(2025, 6, 1), "known_by": date(2025, 9, 1)} | {
    "budget": BUDGET
}
OLD = {"starts_on": "2024-01-01", "ended_on": "2025-01-01"}
NEW = {"starts_on": "2025-01-01"}
MIDDLE = "2024-10-01"


def store(folder: Path, lines: list[dict[str, Any]], rates: list[tuple[str, str, float]] | None = None) -> Tables:
    """Evergreen lines of account `a`, product `p`, MRR 100 from the start of 2024, unless they say otherwise."""
    usual = {"account_id": "a", "product": "p", "starts_on": "2024-01-01", "mrr": 100.0}
    optional = dict.fromkeys(
        ("kind", "buying_center", "ends_on", "ended_on", "notice_on", "signed_on", "currency", "seats")
    )
    rows = [{"contract_id": f"c{number}"} | optional | usual | line for number, line in enumerate(lines)]
    accounts = pd.DataFrame({"account_id": sorted({row["account_id"] for row in rows} | {"a"})})
    frames = {"accounts": accounts, "contracts": pd.DataFrame(rows, dtype=object)}
    if rates is not None:
        frames["fx_rates"] = pd.DataFrame(rates, columns=["month", "currency", "rate"])
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))


def moved(tables: Tables, **setting: Any) -> list[tuple[str, str | None, float]]:
    found = revenue.movements(tables, rules=RULES.model_copy(update=setting), **WINDOW)
    return list(found[["movement", "product", "amount"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([NEW], [("new", "p", 1200)], id="new"),
        pytest.param([NEW | {"product": None}], [("new", None, 1200)], id="lines without a product"),
        pytest.param([{"ended_on": "2024-04-01"}, NEW], [("reactivation", "p", 1200)], id="a customer of before"),
        pytest.param([OLD], [("churn", "p", -1200)], id="churn"),
        pytest.param([OLD, NEW], [], id="renewed as it was"),
        pytest.param([OLD, NEW | {"mrr": 150.0, "kind": "upsell"}], [("upsell", "p", 600)], id="upsell"),
        pytest.param([OLD, NEW | {"mrr": 60.0, "kind": "downsell"}], [("contraction", "p", -480)], id="contraction"),
        pytest.param([OLD, NEW | {"mrr": 60.0}], [("price_change", "p", -480)], id="neither seats nor kind: price"),
        pytest.param(
            [OLD, NEW | {"mrr": 110.0, "kind": "price_change"}], [("price_change", "p", 120)], id="it says price change"
        ),
        pytest.param(
            [OLD | {"seats": 5}, NEW | {"mrr": 110.0, "seats": 5}], [("price_change", "p", 120)], id="seats the same"
        ),
        pytest.param(
            [OLD | {"seats": 5}, NEW | {"mrr": 110.0, "seats": 6}],
            [("upsell", "p", 240), ("price_change", "p", -120)],
            id="more seats for less each",
        ),
        pytest.param(
            [OLD | {"seats": 5}, NEW | {"mrr": 110.0, "kind": "upsell"}], [("upsell", "p", 120)], id="seats not known"
        ),
        pytest.param(
            [OLD | {"seats": 5}, NEW | {"mrr": 110.0, "seats": 5, "kind": "upsell"}],
            [("price_change", "p", 120)],
            id="as many seats for more each",
        ),
        pytest.param(
            [
                {"seats": 10, "ended_on": "2024-08-01"},
                {"seats": 20, "mrr": 200.0, "kind": "upsell", "starts_on": "2024-08-01", "ended_on": "2025-01-01"},
                NEW | {"seats": 20, "mrr": 195.0, "kind": "price_change"},
            ],
            [("upsell", "p", 1200), ("price_change", "p", -60)],
            id="more seats, later a lower price: step by step",
        ),
        pytest.param([{}, NEW], [("upsell", "p", 1200)], id="more of the product beside it"),
        pytest.param(
            [OLD, NEW | {"mrr": 60.0}, NEW | {"mrr": 60.0}],
            [("price_change", "p", 240)],
            id="one line becomes two",
        ),
        pytest.param(
            [OLD, NEW | {"mrr": 60.0}, NEW | {"mrr": 40.0}],
            [],
            id="one line is split",
        ),
        pytest.param(
            [OLD, OLD | {"mrr": 50.0}, NEW | {"mrr": 100.0}, NEW | {"mrr": 50.0}],
            [],
            id="two lines of a product are renewed side by side",
        ),
        pytest.param(
            [OLD, NEW, NEW | {"mrr": 50.0}],
            [("upsell", "p", 600)],
            id="a line is added at the renewal",
        ),
        pytest.param(
            [
                OLD | {"seats": 10},
                OLD | {"starts_on": MIDDLE, "mrr": 50.0, "seats": 5},
                NEW | {"mrr": 150.0, "seats": 15},
            ],
            [("upsell", "p", 600)],
            id="seats added in mid-term are renewed together with the rest",
        ),
        pytest.param(
            [OLD, OLD | {"starts_on": MIDDLE, "mrr": 50.0, "product": "q"}, NEW | {"mrr": 160.0, "kind": "renewal"}],
            [("cross_sell", "p", 600), ("price_change", "p", 120)],
            id="what was cross-sold in mid-term is merged into the renewal for more",
        ),
        pytest.param(
            [OLD | {"seats": 10}, OLD | {"starts_on": MIDDLE, "mrr": 50.0, "seats": 5}, NEW | {"seats": 10}],
            [],
            id="seats added in mid-term are given up at the renewal",
        ),
        pytest.param(
            [OLD | {"seats": 10}, NEW | {"mrr": 200.0, "seats": 20}, OLD | {"mrr": -50.0, "ended_on": "2024-02-01"}],
            [("upsell", "p", 1200)],
            id="a discount that ended before prices no step",
        ),
        pytest.param(
            [OLD | {"seats": 10}, NEW | {"mrr": 200.0, "seats": 20}, NEW | {"mrr": -50.0}],
            [("upsell", "p", 1200), ("price_change", "p", -600)],
            id="a discount begins with the step",
        ),
        pytest.param(
            [OLD, OLD | {"product": "q", "mrr": 50.0}, NEW | {"mrr": 160.0, "kind": "renewal"}],
            [("price_change", "p", 120)],
            id="two lines renewed as one",
        ),
        pytest.param(
            [{}, {"product": "q", "ended_on": "2024-08-01"}, NEW | {"product": "q", "mrr": 150.0}],
            [("upsell", "q", 1800), ("contraction", "q", -1200)],
            id="a product lost and bought again: not netted",
        ),
        pytest.param(
            [
                {"ended_on": "2024-08-01"},
                {"starts_on": "2024-08-01", "ended_on": "2024-09-01", "mrr": 0.0},
                {"starts_on": "2024-09-01", "mrr": 120.0, "kind": "upsell"},
            ],
            [("upsell", "p", 240)],
            id="paused and resumed inside the window",
        ),
        pytest.param(
            [{"ended_on": "2025-05-01"}, {"starts_on": "2025-05-01", "mrr": 0.0}],
            [("pause", "p", -1200)],
            id="paused at the end",
        ),
        pytest.param(
            [{"ended_on": "2025-02-01"}, {"starts_on": "2025-02-01", "mrr": 0.0}],
            [("churn", "p", -1200)],
            id="a pause that ran out",
        ),
        pytest.param(
            [
                {"ended_on": "2024-05-01"},
                {"starts_on": "2024-05-01", "mrr": 0.0, "ended_on": "2024-07-01"},
                {"starts_on": "2024-07-01", "mrr": 150.0},
            ],
            [("resume", "p", 1200), ("upsell", "p", 600)],
            id="resumed, and pays more",
        ),
        pytest.param(
            [
                {"ended_on": "2024-05-01"},
                {"starts_on": "2024-05-01", "mrr": 0.0, "ended_on": "2024-07-01"},
                {"starts_on": "2024-07-01", "mrr": 80.0},
            ],
            [("resume", "p", 1200), ("contraction", "p", -240)],
            id="resumed, and pays less",
        ),
        pytest.param([{}, NEW | {"mrr": -20.0}], [("price_change", "p", -240)], id="a discount begins"),
        pytest.param([{}, OLD | {"mrr": -20.0}], [("price_change", "p", 240)], id="a discount is over"),
        pytest.param([{}, NEW | {"product": "q"}], [("cross_sell", "q", 1200)], id="cross-sell"),
        pytest.param(
            [{"buying_center": "desk"}, NEW | {"buying_center": "labs"}],
            [("cross_sell", "p", 1200)],
            id="cross-sell to a buying centre",
        ),
        pytest.param(
            [{}, NEW | {"buying_center": "labs"}], [("upsell", "p", 1200)], id="the same product, and no centre to tell"
        ),
        pytest.param(
            [{"buying_center": "labs"}, NEW | {"buying_center": "labs", "product": "q"}],
            [("upsell", "q", 1200)],
            id="another product to the same buying centre",
        ),
        pytest.param(
            [{}, NEW | {"product": "q", "kind": "upsell"}], [("cross_sell", "q", 1200)], id="whatever it is called"
        ),
        pytest.param(
            [OLD, NEW | {"product": "q", "mrr": 150.0}], [("upsell", "q", 600)], id="a switch to a larger plan"
        ),
        pytest.param(
            [OLD, NEW | {"product": "q", "mrr": 50.0}], [("contraction", "q", -600)], id="a switch to a smaller plan"
        ),
        pytest.param(
            [OLD, NEW | {"product": "q", "mrr": 50.0, "kind": "cross_sell"}],
            [("contraction", "q", -600)],
            id="a smaller plan, whatever it is called",
        ),
        pytest.param(
            [OLD, NEW | {"product": "q", "mrr": 40.0}, {"product": "r"}],
            [("cross_sell", "q", 480), ("contraction", "p", -1200)],
            id="lost one and was sold another",
        ),
        pytest.param(
            [OLD, NEW | {"product": "q", "mrr": 50.0, "buying_center": "labs"}],
            [("cross_sell", "q", 600), ("contraction", "p", -1200)],
            id="lost by one buying centre and new in another",
        ),
        pytest.param([{}, OLD | {"product": "q"}], [("contraction", "q", -1200)], id="one of two products lost"),
        pytest.param(
            [{}, OLD | {"product": "q"}, OLD | {"product": "r"}],
            [("contraction", "q", -1200), ("contraction", "r", -1200)],
            id="two of three products lost",
        ),
        pytest.param(
            [{"ended_on": "2024-08-01"}, NEW | {"mrr": 150.0}],
            [("reactivation", "p", 1800), ("churn", "p", -1200)],
            id="left and came back",
        ),
    ],
)
def test_what_moved(lines: list[dict[str, Any]], expected: list[tuple[str, str | None, float]], tmp_path: Path) -> None:
    assert moved(store(tmp_path, lines)) == expected


LATE_NOTICE = {"ends_on": "2025-01-01", "notice_on": "2025-01-10"}
BACK_AFTER_A_GAP = {"starts_on": "2025-02-20"}


@pytest.mark.parametrize("notice", ["2024-12-10", "2025-01-10"])
def test_a_gap_is_a_pause_whenever_notice_came(notice: str, tmp_path: Path) -> None:
    tables = store(tmp_path, [LATE_NOTICE | {"notice_on": notice}, BACK_AFTER_A_GAP])
    rules = RULES.model_copy(update={"gap_days": 60})
    assert moved(tables, gap_days=60) == []
    figures = revenue.retention(tables, rules=rules, **WINDOW)
    assert (figures.nrr, figures.grr, figures.logo_retention) == (1.0, 1.0, 1.0)


def test_a_term_that_ran_out_counts_until_notice_comes_in_its_grace(tmp_path: Path) -> None:
    """It pays as long as it is a customer: by what is known later as by what was known then, and in the labels."""
    tables = store(tmp_path, [{"ends_on": "2025-05-25", "notice_on": "2025-06-10"}])
    for known_by in (date(2025, 6, 1), date(2025, 9, 1)):
        figures = revenue.retention(tables, rules=RULES, **WINDOW | {"known_by": known_by})
        assert (figures.nrr, figures.logo_retention) == (1.0, 1.0)
        moves = revenue.movements(tables, rules=RULES, **WINDOW | {"known_by": known_by})
        assert moves.empty
    cohort = pd.DataFrame({"account_id": ["a"], "as_of": pd.Timestamp("2024-06-01"), "arr": 1200.0})
    paths = revenue.cohort_paths(tables, cohort, months=13, known_by=date(2025, 9, 1), rules=RULES, budget=BUDGET)
    assert paths.arr[0, -2:].tolist() == [1200.0, 0.0]
    days = [date(2025, 6, 9), date(2025, 6, 10)]
    arr = revenue.arr_by_account(tables, days, known_by=date(2025, 9, 1), rules=RULES, budget=BUDGET)
    assert arr["instant"].dt.date.tolist() == days[:1]


def test_with_include_coming_back_is_no_movement_of_its_own(tmp_path: Path) -> None:
    tables = store(tmp_path, [{"ended_on": "2024-08-01"}, NEW | {"mrr": 150.0}])
    assert moved(tables, reactivation="include") == [("upsell", "p", 1800), ("contraction", "p", -1200)]
    assert moved(tables, reactivation="include", gap_days=200) == [("price_change", "p", 600)]
    assert moved(tables, gap_days=200) == [("price_change", "p", 600)]


def test_what_rates_did_is_a_movement_of_its_own(tmp_path: Path) -> None:
    rates = [("2024-01-01", "EUR", 1.1), ("2025-06-01", "EUR", 1.25)]
    tables = store(
        tmp_path, [OLD | {"currency": "EUR"}, NEW | {"currency": "EUR", "mrr": 150.0, "kind": "upsell"}], rates
    )
    assert moved(tables) == [("upsell", "p", 660), ("currency", "p", 270)]


@pytest.mark.parametrize(("start", "end"), [("2025-01-01", "2025-01-01"), ("2024-01-01", "2025-09-02")])
def test_windows_that_cannot_be_are_refused(start: str, end: str, tmp_path: Path) -> None:
    window = WINDOW | {"start": date.fromisoformat(start), "end": date.fromisoformat(end)}
    with pytest.raises(ValueError, match=r"they must satisfy start < end <= known_by"):
        revenue.movements(store(tmp_path, [{}]), rules=RULES, **window)


# Starting ARR 1,200 each. a grows to 1,800, b shrinks to 600, c leaves, d leaves and comes back, e joins.
BOOK = [
    {"account_id": "a", **OLD},
    {"account_id": "a", "mrr": 150.0, **NEW},
    {"account_id": "b", **OLD},
    {"account_id": "b", "mrr": 50.0, **NEW},
    {"account_id": "c", **OLD},
    {"account_id": "d", "ended_on": "2024-08-01"},
    {"account_id": "d", **NEW},
    {"account_id": "e", **NEW},
]


def figures(found: revenue.Retention) -> tuple[float, ...]:
    return found.nrr, found.grr, found.logo_retention, found.starting_arr, found.ending_arr, found.accounts


@pytest.mark.parametrize(
    ("reactivation", "expected"),
    [("exclude", (0.5, 0.375, 0.5, 4800, 2400, 4)), ("include", (0.75, 0.625, 0.75, 4800, 3600, 4))],
)
def test_retention(reactivation: Any, expected: tuple[float, ...], tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"reactivation": reactivation})
    assert figures(revenue.retention(store(tmp_path, BOOK), rules=rules, **WINDOW)) == expected


def test_retention_by_a_cut(tmp_path: Path) -> None:
    labels = pd.Series({"a": "east", "b": "east", "d": "west"})
    found = revenue.retention_by(store(tmp_path, BOOK), labels, rules=RULES, **WINDOW)
    assert {label: figures(part) for label, part in found.items()} == {
        "(none)": (0, 0, 0, 1200, 0, 1),
        "east": (1, 0.75, 1, 2400, 2400, 2),
        "west": (0, 0, 0, 1200, 0, 1),
    }


def test_a_cut_with_two_labels_for_an_account_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one label for each account; more than one for a"):
        revenue.retention_by(store(tmp_path, BOOK), pd.Series(["x", "y"], index=["a", "a"]), rules=RULES, **WINDOW)


def test_reported_nrr_is_that_of_the_trailing_twelve_months(tmp_path: Path) -> None:
    found = revenue.reported_nrr(store(tmp_path, BOOK), date(2025, 6, 1), rules=RULES, budget=BUDGET)
    assert figures(found)[:2] == (0.5, 0.375)
    assert found.definition == (
        "Accounts with ARR on 2024-06-01 (cohort date), from 2024-06-01 to 2025-06-01, as known before 2025-06-01; "
        "an account that left and came back in between counts 0; ARR in USD at the rates of 2024-06; "
        "terms that ran out in silence count for 30 more days; "
        "paused accounts are customers without ARR for at most 90 days."
    )


def test_retention_of_nobody_is_not_a_number(tmp_path: Path) -> None:
    found = revenue.retention(store(tmp_path, [NEW]), rules=RULES, **WINDOW)
    assert np.isnan([found.nrr, found.grr, found.logo_retention]).all()
    assert (found.accounts, revenue.red_flag(found)) == (0, None)


@pytest.mark.parametrize(
    ("nrr", "grr", "logos", "flag"),
    [
        (1.05, 0.92, 0.9, None),
        (1.15, 0.90, 0.9, None),  # 25 points, and no more
        (1.16, 0.90, 0.92, "NRR of 116% stands far above GRR of 90%: expansion masks loss."),
        (1.00, 0.85, 0.9, None),
        (1.00, 0.84, 0.9, "NRR of 100% stands far above GRR of 84%: expansion masks loss."),
        (0.99, 0.80, 0.9, None),  # nobody takes that for growth
        (1.20, 0.96, 0.6, None),  # small customers leave, and little with them
        (1.10, 0.84, 0.7, "NRR of 110% stands far above GRR of 84% and logo retention of 70%: expansion masks loss."),
    ],
)
def test_a_wide_gap_is_flagged_where_there_are_enough_accounts(
    nrr: float, grr: float, logos: float, flag: str | None
) -> None:
    assert revenue.red_flag(revenue.Retention(nrr, grr, logos, 1.0, nrr, 20, "")) == flag
    assert revenue.red_flag(revenue.Retention(nrr, grr, logos, 1.0, nrr, 19, "")) is None


TERMS = [
    {"account_id": "a", "starts_on": "2024-01-01", "ends_on": "2025-01-01"},
    {"account_id": "a", "starts_on": "2025-01-20", "ends_on": "2026-01-20", "mrr": 130.0},  # renewed late, for more
    {"account_id": "b", "starts_on": "2024-01-01", "ends_on": "2025-01-31", "notice_on": "2024-12-30"},
    {"account_id": "c", "starts_on": "2024-01-15", "ends_on": "2025-01-15"},
    {"account_id": "c", "starts_on": "2025-01-15", "ends_on": "2025-02-15", "mrr": 60.0, "product": "q"},  # a switch
    {"account_id": "d", "starts_on": "2024-02-01", "ends_on": "2025-02-01"},  # ends in the next month: half-open
    {"account_id": "e", "starts_on": "2024-02-01", "ends_on": "2025-01-20", "ended_on": "2024-09-01"},
    {"account_id": "f", "starts_on": "2024-02-01"},
]


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return [(str(month)[:7], *rest) for month, *rest in frame.itertuples(index=False, name=None)]


def test_available_to_renew_is_what_was_known_and_ends_in_the_period(tmp_path: Path) -> None:
    asked = {"start": date(2025, 1, 1), "rules": RULES, "budget": BUDGET}
    tables = store(tmp_path, TERMS)
    due = revenue.available_to_renew(tables, end=date(2025, 2, 1), as_of=date(2025, 1, 1), **asked)
    assert rows(due) == [("2025-01", "a", 1200), ("2025-01", "b", 1200), ("2025-01", "c", 1200)]
    later = revenue.available_to_renew(tables, end=date(2025, 3, 1), as_of=date(2025, 2, 1), **asked)
    assert rows(later)[3:] == [("2025-02", "d", 1200)]  # of c a month-to-month plan, due every month
    monthly = revenue.monthly_plans(tables, as_of=date(2025, 2, 1), rules=RULES, budget=BUDGET)
    assert monthly.to_dict("list") == {"account_id": ["c"], "arr": [720.0]}


def test_a_term_that_was_renewed_on_the_day_is_not_due(tmp_path: Path) -> None:
    term = {"starts_on": "2024-01-01", "ends_on": "2025-01-01"}
    tables = store(tmp_path, [term, NEW | {"ends_on": "2026-01-01", "signed_on": "2024-12-01"}])
    asked = {"start": date(2025, 1, 1), "end": date(2025, 2, 1), "rules": RULES, "budget": BUDGET}
    assert revenue.available_to_renew(tables, as_of=date(2025, 1, 1), **asked).empty
    assert len(revenue.available_to_renew(tables, as_of=date(2024, 12, 31), **asked)) == 1


def test_what_was_renewed_is_capped_and_open_while_the_grace_lasts(tmp_path: Path) -> None:
    asked = {
        "start": date(2025, 1, 1),
        "end": date(2025, 3, 1),
        "as_of": date(2025, 1, 1),
        "rules": RULES,
        "budget": BUDGET,
    }
    found = revenue.renewals(store(tmp_path, TERMS), known_by=date(2025, 3, 3), **asked)
    assert rows(found.fillna(-1.0)) == [
        ("2025-01", "a", 1200, 1200),
        ("2025-01", "b", 1200, 0),
        ("2025-01", "c", 1200, 720),
        ("2025-02", "d", 1200, -1),
    ]
    rates = revenue.renewal_rates(found)
    assert rows(rates.fillna(-1.0)) == [
        ("2025-01", 3600, 1920, pytest.approx(1920 / 3600), 3),
        ("2025-02", 1200, -1, -1, 1),
    ]


@pytest.mark.parametrize(
    ("lines", "due", "renewed"),
    [
        pytest.param([100.0, 50.0], [100.0, 50.0], 1800, id="side by side"),
        pytest.param([100.0], [60.0, 40.0], 1200, id="split"),
        pytest.param([100.0, -20.0], [60.0, -20.0], 480, id="net of the discounts of each side"),
    ],
)
def test_what_is_renewed_counts_whole_and_net(
    lines: list[float], due: list[float], renewed: float, tmp_path: Path
) -> None:
    term = {"starts_on": "2024-01-01", "ends_on": "2025-01-10"}
    earlier = term | {"ends_on": "2024-12-01", "mrr": -70.0}  # a discount of before, whatever period is asked for
    after = [{"starts_on": "2025-01-10", "ends_on": "2026-01-10", "mrr": mrr} for mrr in due]
    tables = store(tmp_path, [earlier, *(term | {"mrr": mrr} for mrr in lines), *after])
    for start in (date(2024, 6, 1), date(2025, 1, 1)):
        window = {"start": start, "end": date(2025, 2, 1), "as_of": date(2025, 1, 1), "known_by": date(2025, 6, 1)}
        found = revenue.renewals(tables, **window, rules=RULES, budget=BUDGET)
        assert rows(found) == [("2025-01", "a", 12 * sum(lines), renewed)]


def test_a_term_whose_end_was_moved_back_is_renewed(tmp_path: Path) -> None:
    line = {"contract_id": "c0", "account_id": "a", "starts_on": "2024-01-01", "mrr": 100.0}
    versions = [
        line | {"ends_on": "2025-01-01", "recorded_at": "2024-01-01"},
        line | {"ends_on": "2026-01-01", "recorded_at": "2025-01-10"},
    ]
    frames = {"accounts": pd.DataFrame({"account_id": ["a"]}), "contracts": pd.DataFrame(versions)}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2026, 1, 1))
    asked = {
        "start": date(2025, 1, 1),
        "end": date(2025, 2, 1),
        "as_of": date(2025, 1, 1),
        "rules": RULES,
        "budget": BUDGET,
    }
    assert rows(revenue.renewals(tables, known_by=date(2025, 6, 1), **asked)) == [("2025-01", "a", 1200, 1200)]


def test_empty_periods_give_empty_tables(tmp_path: Path) -> None:
    asked = {
        "start": date(2020, 1, 1),
        "end": date(2020, 2, 1),
        "as_of": date(2020, 1, 1),
        "rules": RULES,
        "budget": BUDGET,
    }
    tables = store(tmp_path, TERMS)
    assert revenue.available_to_renew(tables, **asked).empty
    assert revenue.renewals(tables, known_by=date(2020, 6, 1), **asked).empty
    window = WINDOW | {"start": date(2020, 1, 1), "end": date(2020, 2, 1), "known_by": date(2020, 3, 1)}
    assert revenue.movements(tables, rules=RULES, **window).empty
    with pytest.raises(ValueError, match="the start must lie before the end"):
        revenue.available_to_renew(tables, **(asked | {"end": date(2020, 1, 1)}))
