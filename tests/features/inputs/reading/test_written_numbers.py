"""Decimals as people write them: what each text tells, and how a column is read in SQL."""

import duckdb
import pytest

from features.inputs.reading.written_numbers import decimal_mark, decimal_marks, is_whole, with_decimal_point

MARKS = [
    ("2950", ""), ("20.50", "."), ("20,50", ","), ("1,234.56", "."), ("1.234,56", ","), ("1,234", "?"),
    ("1,234,567", "."), ("1.234.567", ","), ("1234,567", ","), ("1.234", "."), ("-7,5", ","),
]  # fmt: skip


@pytest.mark.parametrize(("text", "mark"), MARKS)
def test_what_a_number_tells_of_its_decimals(text: str, mark: str) -> None:
    assert decimal_mark(text) == mark


def test_what_is_no_number_tells_nothing() -> None:
    assert decimal_marks(["Smith, John", "v1.2", "1,5", "20"]) == {","}


@pytest.mark.parametrize(("text", "whole"), [("2950", True), ("2950.0", True), ("29.50", False), ("29.00", False)])
def test_the_zero_of_a_data_frame_is_no_fraction(text: str, whole: bool) -> None:
    assert is_whole(text) == whole


def test_a_decimal_comma_is_read_in_sql() -> None:
    rows = duckdb.sql(f"SELECT {with_decimal_point('x')} FROM (VALUES ('1.234,56'), ('20,5'), ('1,2.3')) AS t(x)")
    assert rows.fetchall() == [("1234.56",), ("20.5",), (None,)]
