"""Writes docs/data-dictionary.md and docs/outputs.md from what the code declares: tables in and out, and features.

Run `python -m docs.build` (or `make docs`) after a change of them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from features.families.catalogue import FEATURES
from features.families.feature import Feature
from features.tables import contract
from features.tables.contract import Column, Table
from serving.forecast.declared.acting_tables import render_markdown as render_acting
from serving.forecast.declared.book_tables import render_markdown as render_books
from serving.forecast.declared.customer_tables import render_markdown as render_customers
from serving.forecast.declared.effect_tables import render_markdown as render_effects
from serving.forecast.declared.kpi_tables import render_markdown as render_kpis
from serving.forecast.declared.ledger_tables import render_markdown as render_ledger
from serving.forecast.declared.output_tables import render_markdown
from serving.forecast.declared.team_tables import render_markdown as render_team

DICTIONARY = Path(__file__).with_name("data-dictionary.md")
OUTPUTS = Path(__file__).with_name("outputs.md")

RENDERED = (
    *(render_markdown, render_ledger, render_effects, render_acting, render_kpis, render_team, render_customers),
    render_books,
)

HEAD = """\
# Data dictionary

Made by `make docs` from `features/tables/contract.py` and the features' own declarations; do not edit it here.

## Input tables

A source is mapped to these tables and columns in `source.tables` of the settings; see
[the examples](examples/README.md). What is checked, and what becomes of bad rows, is in
[the input check](input-check.md). **Bold** columns are required. Every other column and table is optional: without it
the features that need it are left out (the last column counts them), and nothing else changes.

- id, text: text. date: a day. ts: a moment, stored in UTC; UTC if it has no zone. money: to the cent, in the row's
  currency or the reporting one.
- Dates are read as YYYY-MM-DD; others such as 31/12/2024 or 31-12-2024 with the day or the month first, as
  `source.day_first` says.
- Any table may have `recorded_at`. A row counts in a snapshot only once it was known: on the day of its `recorded_at`
  or, without one, of its event day plus the table's `lag_days`.
"""

FEATURE_HEAD = """\
## Features

Each is computed as of a snapshot, from what was known before that day. `expected` is the way more of it is expected
to move churn; it is documentation, not a constraint. The number in a name, such as `28d`, is how many days it looks
back.
"""

FAMILIES = {
    "usage": "Usage",
    "csm_actions": "CSM actions",
    "engagement": "Engagement",
    "contract_history": "Contract history",
}


def dictionary() -> str:
    """The whole data dictionary, as Markdown."""
    tables = "\n".join(line for table in contract.TABLES.values() for line in _table_lines(table))
    features = "\n".join(line for family in FAMILIES for line in _family_lines(family))
    return "\n".join([HEAD, tables, FEATURE_HEAD, features])


def _table_lines(table: Table) -> Iterator[str]:
    yield f"### {table.name}\n"
    yield f"{table.meaning}. {'Required.' if table.required else 'Optional.'}{_identity(table)}\n"
    yield from _rows(("column", "type", "meaning", "features"), (_column_cells(table, column) for column in table))
    yield ""


def _identity(table: Table) -> str:
    if not table.key:
        return ""
    version = f", versions by `{table.version}`" if table.version else ""
    return f" Key: {', '.join(f'`{column}`' for column in table.key)}{version}."


def _column_cells(table: Table, column: Column) -> tuple[str, ...]:
    name = f"**{column.name}**" if column.required else column.name
    allowed = f" ({', '.join(column.allowed)})" if column.allowed else ""
    needed = sum(f"{table.name}.{column.name}" in feature.needs for feature in FEATURES)
    return name, column.type.value, column.meaning + allowed, str(needed or "")


def _family_lines(family: str) -> Iterator[str]:
    yield f"### {FAMILIES[family]}\n"
    header = ("feature", "unit", "meaning", "expected", "needs")
    yield from _rows(header, (_feature_cells(feature) for feature in FEATURES if feature.family == family))
    yield ""


def _feature_cells(feature: Feature) -> tuple[str, ...]:
    expected = {-1: "less churn", 0: "", 1: "more churn"}[feature.expected]
    return f"`{feature.name}`", feature.unit, feature.meaning, expected, ", ".join(feature.needs)


def _rows(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        cells = " | ".join(cell.replace("|", "/") for cell in row)
        yield f"| {cells} |"


if __name__ == "__main__":
    DICTIONARY.write_text(dictionary(), encoding="utf-8")
    OUTPUTS.write_text("".join(render() for render in RENDERED), encoding="utf-8")
