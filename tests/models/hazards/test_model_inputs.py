"""The matrix that a model reads: numbers as they are, categories by their place, whatever else a frame holds."""

import numpy as np
import pandas as pd
import pytest

from models.hazards.model_inputs import Input, matrix


def described(name: str, kind: str, categories: tuple[str, ...] = ()) -> Input:
    words = dict.fromkeys(("family", "signal", "unit", "meaning", "sentence"), "")
    return Input(name=name, kind=kind, categories=categories, **words)


INPUTS = [described("region", "category", ("emea", "us")), described("seats", "number"), described("paid", "number")]


def test_numbers_stay_as_they_are_and_categories_become_their_place() -> None:
    frame = pd.DataFrame(
        {
            "paid": [True, False, True],
            "account_id": ["a", "b", "c"],
            "seats": [3, 5, 8],
            "region": pd.Series(["us", None, "apac"], dtype="str"),
        }
    )
    expected = [[1, 3, 1], [np.nan, 5, 0], [np.nan, 8, 1]]
    np.testing.assert_array_equal(matrix(INPUTS, frame), expected)


def test_no_rows_and_no_numbers_make_an_empty_matrix() -> None:
    frame = pd.DataFrame({"region": pd.Series([], dtype="str")})
    assert matrix(INPUTS[:1], frame).shape == (0, 1)


def test_a_column_that_is_absent_is_named() -> None:
    with pytest.raises(ValueError, match="lack 2 inputs the model was trained on: seats, paid"):
        matrix(INPUTS, pd.DataFrame({"region": ["us"]}))
