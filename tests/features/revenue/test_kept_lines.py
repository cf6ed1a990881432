"""Lines that were kept as known at a date give the ARR that the tables gave then, to the cent."""

from datetime import date

import pandas as pd
import pytest

from features.revenue import arr_by_account
from features.revenue.kept_lines import arr_of_kept_lines
from features.revenue.timelines import contract_lines, rates_in_force
from features.tables.checked import Tables
from features.tables.problems import NoRate
from params import Budget, Revenue, load

BUDGET = Budget(threads=1, memory_gb=1)


def rules(**changes: object) -> Revenue:
    return load().revenue.model_copy(update=changes)


@pytest.mark.parametrize("day", [date(2024, 3, 1), date(2024, 9, 1), date(2025, 1, 1)])
def test_kept_lines_give_the_arr_of_their_date(company_tables: Tables, day: date) -> None:
    lines = contract_lines(company_tables, as_of=day, budget=BUDGET).to_pandas()
    rates = rates_in_force(company_tables, as_of=day, budget=BUDGET).to_pandas()
    kept = arr_of_kept_lines(lines, rates, day=day, since=day, rules=rules(), budget=BUDGET)
    told = arr_by_account(company_tables, [day], known_by=day, rules=rules(), budget=BUDGET)
    expected = told.set_index("account_id")["arr"]
    assert len(expected) > 3
    pd.testing.assert_series_equal(kept.loc[kept["arr"] > 0, "arr"], expected, check_dtype=False, check_exact=True)


def line(contract: str, starts: int, ends: int | None, mrr: int, **more: object) -> dict[str, object]:
    empty = dict.fromkeys(("product", "kind", "buying_center", "currency", "status", "seats", "auto_renew", "notice"))
    amounts = {"mrr_micros": mrr * 1_000_000, "list_mrr_micros": None, "ended": None}
    return {"account_id": "a", "contract_id": contract, "starts": starts, "ends": ends, **empty, **amounts, **more}


def arr(lines: list[dict[str, object]], day: date, *, since: date | None = None, **changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(lines)
    for column in ("starts", "ends", "ended", "notice", "mrr_micros", "list_mrr_micros"):
        frame[column] = frame[column].astype("Int64")
    rates = pd.DataFrame({"currency": ["EUR"], "rate": [2.0]})
    return arr_of_kept_lines(frame, rates, day=day, since=since or day, rules=rules(**changes), budget=BUDGET)


DAY = date(1970, 6, 1)  # day number 151


def test_grace_currency_and_a_discount_count_as_in_the_tables() -> None:
    lines = [line("1", 0, 140, 100, currency="EUR"), line("2", 0, None, -10, kind="discount", currency="EUR")]
    assert arr(lines, DAY)["arr"].to_dict() == {"a": (100 - 10) * 12 * 2.0}
    assert arr(lines, DAY, grace_days=5).empty


def test_a_trial_is_no_revenue_and_a_pause_is_told() -> None:
    paused = [line("1", 0, 100, 50), line("2", 100, 160, 0, status="paused")]
    assert arr(paused, DAY).to_dict("index") == {"a": {"arr": 0.0, "paused": True}}
    assert arr([line("1", 0, 400, 0, status="trial")], DAY).empty


def test_who_left_and_came_back_counts_nothing_unless_that_is_the_rule() -> None:
    lines = [line("1", 0, 40, 50), line("2", 120, None, 70)]
    since = date(1970, 2, 1)
    assert arr(lines, DAY, since=since).empty
    assert arr(lines, DAY, since=since, reactivation="include")["arr"].to_dict() == {"a": 840.0}


def test_a_currency_without_a_rate_is_named() -> None:
    with pytest.raises(NoRate, match="no rate for GBP"):
        arr([line("1", 0, None, 50, currency="GBP")], DAY)
