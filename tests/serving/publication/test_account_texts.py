"""What is told of accounts: made account by account, packed against phrases that tell of nobody."""

import math

import numpy as np
import pandas as pd
import pytest

from serving.publication.account_texts import LEAST_ACCOUNTS, ToldOf, pack, shared_phrases, unpack

MANY, FEW = b'"text":"Raises churn risk by ', b'"contact":"Jane Roe of Acme"'


@pytest.mark.unit
def test_only_what_many_accounts_share_is_a_phrase() -> None:
    """An erased account is deleted from the tables, and not from the phrases: nothing of it may be in them."""
    texts = [(MANY + b"%d" % n, FEW if n < LEAST_ACCOUNTS - 1 else b"") for n in range(50)]
    phrases = shared_phrases(texts)
    assert MANY in phrases
    assert FEW not in phrases
    assert shared_phrases(texts[: LEAST_ACCOUNTS - 1]) == b""


@pytest.mark.unit
@pytest.mark.parametrize("phrases", [b"", MANY * 3])
def test_what_is_packed_is_unpacked_the_same(phrases: bytes) -> None:
    content = MANY + "1.9 points: Zürich".encode()
    assert unpack(pack(content, phrases), phrases) == content


@pytest.mark.unit
def test_shared_phrases_make_texts_smaller() -> None:
    content = MANY + b"1.9"
    assert len(pack(content, MANY)) < len(pack(content, b"")) / 2


@pytest.mark.unit
def test_rows_are_told_by_account_in_their_order_and_unknown_is_none() -> None:
    frame = pd.DataFrame(
        {
            "account_id": ["b", "a", "b"],
            "day": pd.Series(["2026-01-02", None, "2025-12-31"], dtype="datetime64[ns]"),
            "what": ["new", None, "old"],
            "score": [1.5, math.nan, 2.0],
        }
    )
    told = ToldOf(frame, ("day", "what", "score"))
    assert told["b"] == [
        {"day": "2026-01-02", "what": "new", "score": 1.5},
        {"day": "2025-12-31", "what": "old", "score": 2.0},
    ]
    assert told["a"] == [{"day": None, "what": None, "score": None}]
    assert (list(told), len(told), told.get("c", [])) == (["b", "a"], 2, [])


@pytest.mark.unit
def test_of_no_rows_nothing_is_told() -> None:
    none = pd.DataFrame({"account_id": pd.Series(dtype="str"), "what": pd.Series(dtype="str")})
    assert dict(ToldOf(none, ("what",))) == {}


@pytest.mark.unit
def test_another_shape_may_be_made_of_an_account_s_rows() -> None:
    frame = pd.DataFrame({"account_id": ["a", "a"], "amount": np.array([1.0, 2.0])})
    assert ToldOf(frame, ("amount",), lambda columns: sum(columns[0]))["a"] == 3.0
