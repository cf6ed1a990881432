"""What a dbt project must know of the tables that are written back: sources with their columns, and an exposure."""

from collections.abc import Mapping
from typing import Any

import yaml

from serving.forecast.declared.column import OutTable
from serving.outlets.write_back import CURRENT, RUNS

SOURCE = "holdfast"


def dbt_files(declared: Mapping[str, OutTable], schema: str) -> dict[str, str]:
    """The YAML files, by name.

    Parameters
    ----------
    declared
        The tables, as they are declared.
    schema
        Where they lie in the warehouse.
    """
    listed = [table for one in declared.values() for table in (_table(one, ""), _table(one, CURRENT))]
    runs = {"name": RUNS, "description": "One row per run that was written"}
    source = {"name": SOURCE, "schema": schema, "description": "Forecasts of Holdfast", "tables": [*listed, runs]}
    exposure = {
        "name": "holdfast_forecast",
        "label": "Holdfast forecasts",
        "type": "ml",
        "maturity": "high",
        "owner": {"name": "Holdfast"},
        "description": "What the forecast of the newest run says",
        "depends_on": [f"source('{SOURCE}', '{name}{CURRENT}')" for name in declared],
    }
    return {
        "holdfast_sources.yml": _yaml({"version": 2, "sources": [source]}),
        "holdfast_exposures.yml": _yaml({"version": 2, "exposures": [exposure]}),
    }


def _table(declared: OutTable, suffix: str) -> dict[str, Any]:
    columns = [
        {"name": column.name, "description": column.meaning, **_tests(column.name, declared)} for column in declared
    ]
    whose = "of the newest run" if suffix else "of every run, told apart by run_id"
    return {"name": f"{declared.name}{suffix}", "description": f"{declared.meaning}; {whose}", "columns": columns}


def _tests(name: str, declared: OutTable) -> dict[str, Any]:
    return {"data_tests": ["not_null"]} if name in (*declared.key, "run_id") else {}


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=120)
