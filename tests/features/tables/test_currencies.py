"""Currencies and their minor units: a list by ISO 4217, and no currency in two of them."""

from itertools import combinations

from features.tables.currencies import NO_MINOR_UNIT, THREE_DECIMALS, WHOLE_IN_USE


def test_the_forint_and_the_rupiah_have_a_minor_unit_and_the_krona_has_none() -> None:
    assert {"ISK", "JPY", "UGX"} <= {*NO_MINOR_UNIT}
    assert not {"HUF", "IDR", "TWD", "MGA"} & {*NO_MINOR_UNIT}
    assert not any({*one} & {*other} for one, other in combinations((NO_MINOR_UNIT, THREE_DECIMALS, WHOLE_IN_USE), 2))
