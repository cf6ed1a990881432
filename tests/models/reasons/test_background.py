"""Values are held against the account's own past and what is typical of its peers, where that tells something."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.hazards.horizon import CALENDAR_INPUTS
from models.hazards.model_inputs import Input
from models.outcomes.contributions import Contributions
from models.reasons.background import background
from models.reasons.drivers import drivers

ACTIVE = "{value} active users in the last 28 days"
NAN = float("nan")
LARGE = 4.0  # the median of the large accounts; that of the small ones is 1, of the others 2


def describe(sentence: str = ACTIVE, unit: str = "users", **more: Any) -> Input:
    described = {"name": "n", "kind": "number", "signal": "use", "meaning": "Newest answer; missing if none was given"}
    return Input(family="usage", unit=unit, sentence=sentence, **(described | more))


def company(**columns: Any) -> pd.DataFrame:
    """Thirty-three accounts: eleven of each third of ARR, in which `n` is 1, 2 and 4."""
    size = np.repeat([0, 1, 2], 11)
    rows = {"account_id": [f"p{i}" for i in range(33)], "as_of": pd.Timestamp("2025-01-01"), "arr": 1000.0 * 10**size}
    rows |= {"term_ends_on": pd.Series(pd.NaT, index=range(33), dtype="datetime64[s]")}
    return pd.DataFrame(rows | {"n": np.array([1.0, 2.0, LARGE])[size]} | columns)


def earlier(value: Any, account_id: str = "a") -> pd.DataFrame:
    return pd.DataFrame({"account_id": [account_id], "as_of": [pd.Timestamp("2024-10-01")], "n": [value]})


def said(item: Input, now: Any, past: pd.DataFrame | None, arr: float = 100_000.0, **columns: Any) -> str:
    """What follows the colon for account a, a large one unless its ARR is given."""
    row = (
        company()
        .iloc[:1]
        .assign(account_id="a", arr=arr, term_ends_on=pd.NaT, notice_given=0, notice_share=0, presigned=0)
    )
    table = drivers(
        Contributions((item.name,), np.ones((1, 1, 1)), -4.0, np.ones(1), np.zeros(1)),
        [item],
        row.assign(**{item.name: [now]}),
        outcome="churn",
        top=1,
        currency="USD",
        reference=np.zeros(1),
        background=background([item], company(**columns), past),
    )
    return str(table["text"][0]).partition(": ")[2]


@pytest.mark.parametrize(
    ("now", "past", "words"),
    [
        (6.0, 14.0, "6 active users in the last 28 days (14 as of 2024-10-01; typical of its peers: 4)"),
        (1.0, 0.0, "1 active user in the last 28 days (0 as of 2024-10-01; typical of its peers: 4)"),
        (0.0, 1.0, "0 active users in the last 28 days (1 as of 2024-10-01; typical of its peers: 4)"),
        (6.0, NAN, "6 active users in the last 28 days (typical of its peers: 4)"),  # nothing is known of its past
        (4.0, 14.0, "4 active users in the last 28 days (14 as of 2024-10-01)"),  # as is typical
        (6.0, 6.0, "6 active users in the last 28 days (typical of its peers: 4)"),  # as it was
        (4.0, 4.0, "4 active users in the last 28 days"),
        (4.3, 4.4, "4.3 active users in the last 28 days"),  # nearly so
        (0.001, 0.002, "0 active users in the last 28 days (typical of its peers: 4)"),  # reads the same
        (NAN, 3.0, "not known: newest answer (none was given)"),  # less is not what happened
        (NAN, NAN, "not known: newest answer (none was given)"),
    ],
)
def test_the_past_and_the_typical_are_said_where_they_tell_something(now: float, past: float, words: str) -> None:
    assert said(describe(), now, earlier(past)) == words


@pytest.mark.parametrize("past", [None, earlier(14.0).iloc[:0], earlier(14.0, "another")], ids=["none", "empty", "new"])
def test_an_account_without_earlier_row_has_no_past(past: pd.DataFrame | None) -> None:
    assert said(describe(), 6.0, past) == "6 active users in the last 28 days (typical of its peers: 4)"


@pytest.mark.parametrize(
    ("arr", "typical"),
    [(1.0, "1"), (1000.0, "1"), (10_000.0, "2"), (39_000.0, "2"), (41_000.0, "4"), (1e9, "4")],
)
def test_typical_is_the_median_of_the_accounts_of_its_size_and_calendar(arr: float, typical: str) -> None:
    assert said(describe(), 30.0, None, arr) == f"30 active users in the last 28 days (typical of its peers: {typical})"


@pytest.mark.parametrize(("unknown", "words"), [(1, " (typical of its peers: 4)"), (2, "")])
def test_the_median_of_fewer_than_ten_is_not_called_typical(unknown: int, words: str) -> None:
    values = np.where(np.arange(33) >= 33 - unknown, NAN, LARGE)
    assert said(describe(), 30.0, None, n=values) == f"30 active users in the last 28 days{words}"


BOTH = " (14 as of 2024-10-01; typical of its peers: 4)"
TYPICAL = " (typical of its peers: 4)"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (describe("used on {value} of the last 28 days", "days"), "used on 6 of the last 28 days" + BOTH),
        (describe("the last NPS answer was {value}", "points"), "the last NPS answer was 6" + BOTH),
        (describe("{value} times the use before", "ratio"), "6 times the use before" + TYPICAL),
        (describe("{value} times its own average", "ratio"), "6 times its own average" + TYPICAL),
        (describe("seats changed by {value}", "seats"), "seats changed by 6" + TYPICAL),
        (describe("renewed {value} times so far", "renewals"), "renewed 6 times so far" + BOTH),
        (describe("more than {value} accounts of its segment"), "more than 6 accounts of its segment" + BOTH),
        (describe("{value} of seats", "share"), "600% of seats (1,400% as of 2024-10-01; typical of its peers: 400%)"),
        (describe("{value} a seat", "money a year"),
         "USD 6 a seat (USD 14 as of 2024-10-01; typical of its peers: USD 4)"),
        (describe("last used {value} days ago", "days"), "last used 6 days ago" + TYPICAL),
        (describe("first value reached: {value}", "0/1"), "first value reached: yes"),  # as its peers
        (describe("the call was {value} (-2 to 1)", "call"), "the call was 6 (-2 to 1)"),
        (describe("renewed late {value} times", "renewals", signal="renewal"), "renewed late 6 times"),
        (CALENDAR_INPUTS[0], "the contract has no end date"),
    ],
)  # fmt: skip
def test_only_amounts_are_held_against_others_and_never_twice(item: Input, words: str) -> None:
    assert said(item, 6.0, earlier(14.0)) == words


def test_a_label_is_held_against_nothing() -> None:
    item = describe("segment {value}", kind="category", categories=("large", "small"))
    assert said(item, "small", earlier("large"), n=["small"] * 33) == "segment small"


def test_arr_is_held_against_its_past_but_not_against_accounts_chosen_by_it() -> None:
    past = earlier(0.0).assign(arr=250_000.0)
    item = describe("an ARR of {value}", "money a year", name="arr")
    assert said(item, 150_000.0, past) == "an ARR of USD 150,000 (USD 250,000 as of 2024-10-01)"


def test_an_input_that_the_snapshots_lack_is_held_against_nothing() -> None:
    known = background([describe(name="other")], company(), earlier(1.0))
    assert (list(known.typical), list(known.earlier)) == ([], [])
