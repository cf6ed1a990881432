"""The spine: every account with ARR at each snapshot, and its renewal calendar."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

import params
from features.revenue import arr_by_account
from features.snapshots.building import build
from features.tables.problems import TABLES_STORED, BadInput
from params import Budget

DATES = [date(2023, 3, 1), date(2023, 4, 1), date(2023, 10, 21), date(2024, 2, 29)]


def test_arr_is_that_of_the_revenue_arithmetic(company_tables: Any, snapshots_of: Callable[..., Any]) -> None:
    tables = company_tables
    built = snapshots_of(tables, DATES).frame
    for day in DATES:
        frame = built[built["as_of"] == pd.Timestamp(day)].reset_index(drop=True)
        revenue = arr_by_account(tables, [day], known_by=day, rules=params.load().revenue, budget=Budget(1, 0.5))
        assert frame[["account_id", "arr"]].equals(revenue[["account_id", "arr"]])


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
        (  # an upsell in mid-term is renewed with the term it came into, be it of the product or of another
            [{}, {"starts_on": date(2023, 5, 1), "mrr": 20}],
            date(2023, 7, 1),
            {"arr": 360, "due_share": 1, "term_days": 365},
        ),
        (
            [{}, {"product": "q", "starts_on": date(2023, 5, 1)}],
            date(2023, 7, 1),
            {"arr": 240, "due_share": 1, "term_days": 365},
        ),
        (  # a term that was made another by the line that replaced it
            [{"ends_on": date(2023, 9, 1)}, {"starts_on": date(2023, 5, 1), "mrr": 20, "kind": "renewal"}],
            date(2023, 7, 1),
            {"arr": 240, "due_share": 1, "term_days": 245},
        ),
        (  # what is yet to come is not in the term
            [{"starts_on": date(2023, 5, 1)}, {"product": "q", "starts_on": date(2023, 9, 1)}],
            date(2023, 7, 1),
            {"arr": 120, "term_days": 245},
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
        (  # another product, signed ahead, that begins before the term ends and outlasts it
            [{"signed_on": date(2023, 1, 1), "notice_on": date(2023, 6, 1)},
             {"product": "q", "starts_on": date(2023, 12, 1), "ends_on": date(2024, 12, 1),
              "signed_on": date(2023, 6, 10)}],
            date(2023, 7, 1),
            {"arr": 120, "notice_share": 1, "due_share": 1, "presigned": 1},
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
    with pytest.raises(BadInput, match=r"fx_rates: no rate for EUR in the month of 2023-03-01 or before") as refused:
        build(tables, DATES, revenue=defaults.revenue, settings=defaults.snapshots, budget=Budget(1, 0.5))
    assert TABLES_STORED in str(refused.value)
