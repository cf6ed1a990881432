"""The snapshots' SQL as a script: what raw tables of a warehouse lack is filled in as they are read."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

import params
from features.engines.dialects import EMITTED
from features.snapshots.script import script

ACTION = {"account_id": "a", "acted_on": date(2024, 1, 2), "action": "call", "process": "onboarding", "playbook": "p"}
EVENT = {"account_id": "a", "used_on": date(2024, 1, 2), "feature": "f", "user_id": "u"}
LINE = {"contract_id": "1", "account_id": "a", "starts_on": date(2023, 1, 1), "mrr": 10}
FILLED = {
    "status": r"COALESCE\(\W?status\W?, CAST\('done' AS \w+\)\)",
    "quantity": r"COALESCE\(\W?quantity\W?, CAST\('1' AS ",
}


@pytest.mark.parametrize("dialect", EMITTED)
def test_an_empty_cell_says_what_it_stands_for(checked: Callable[..., Any], dialect: str) -> None:
    rows = {"accounts": [{"account_id": "a"}], "contracts": [LINE]}
    tables = checked(rows | {"csm_actions": [ACTION | {"status": None}], "usage": [EVENT | {"quantity": None}]})
    defaults = params.load()
    text = "\n".join(script(tables, [date(2024, 2, 1)], dialect, revenue=defaults.revenue, settings=defaults.snapshots))
    for column, filled in FILLED.items():
        assert re.search(filled, text), column
    for table in ("csm_actions", "usage"):
        reads = re.findall(rf"FROM \W?{table}\b(?! AS \w+_rows)", text)
        assert reads, table


def test_a_column_that_is_absent_says_the_same(checked: Callable[..., Any]) -> None:
    rows = {"accounts": [{"account_id": "a"}], "contracts": [LINE], "usage": [EVENT]}
    defaults = params.load()
    settings = {"revenue": defaults.revenue, "settings": defaults.snapshots}
    text = "\n".join(script(checked(rows), [date(2024, 2, 1)], "postgres", **settings))
    assert re.search(r"CAST\('1' AS DOUBLE PRECISION\) AS \W?quantity", text)
