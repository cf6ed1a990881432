"""Exported tables without who was erased: whatever names them in a row, in each of its columns."""

import pandas as pd
import pytest

from features.forgetting.suppression import ACCOUNT, Suppressed
from serving.forgetting.exports import _stays

KEY = Suppressed(b"key")
SUPPRESSED = Suppressed(b"key", {ACCOUNT: frozenset({KEY.digest_of(ACCOUNT, "a02")})})
PAIRS = pd.DataFrame(
    {
        "cut": ["region", "parent_account_id", "plan", "plan"],
        "value": ["a02", "a02", "a02", "pro"],
        "second_cut": ["", "", "parent_account_id", ""],
        "second_value": ["", "", "a02", ""],
    }
)


@pytest.mark.parametrize(
    ("frame", "stays"),
    [
        (pd.DataFrame({"account_id": ["a01", "a02"]}), [True, False]),
        (PAIRS[["cut", "value"]], [True, False, True, True]),
        (PAIRS, [True, False, False, True]),
        (PAIRS.head(0), []),
    ],
)
def test_rows_that_name_them_do_not_stay(frame: pd.DataFrame, stays: list[bool]) -> None:
    assert _stays(frame, SUPPRESSED, frozenset()).tolist() == stays
