"""Id columns of which nothing matches the table they refer to: another id of the same thing was mapped."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from features.tables.checked import Tables, keys_of
from features.tables.problems import EXAMPLES, Finding
from features.traps.spells import counts_of, texts_of

FEWEST_IDS = 3


@dataclass(frozen=True)
class Reference:
    """A column that holds the ids of another table's rows."""

    table: str
    column: str
    other: str
    key: str


REFERENCES = (
    Reference("accounts", "parent_account_id", "accounts", "account_id"),
    Reference("contacts", "user_id", "usage", "user_id"),
    Reference("engagement", "contact_id", "contacts", "contact_id"),
    Reference("surveys", "contact_id", "contacts", "contact_id"),
)


def unmatched_ids(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """The references none of whose ids are those of the other table."""
    for reference in REFERENCES:
        here, there = (reference.table, reference.column), (reference.other, reference.key)
        if tables.has(*here) and tables.has(*there) and {here[0], there[0]} <= set(tables.kept):
            yield from _unmatched(connection, tables, reference)


def _unmatched(connection: duckdb.DuckDBPyConnection, tables: Tables, reference: Reference) -> Iterator[Finding]:
    keys = (
        f"stored.{keys_of(reference.key)}" if tables.lists(reference.other, reference.key) else f"raw.{reference.other}"
    )
    key = reference.key
    ids = f"(SELECT DISTINCT {reference.column} AS id FROM raw.{reference.table} WHERE {reference.column} IS NOT NULL)"
    number, matched = counts_of(
        connection,
        f"SELECT count(*), count(*) FILTER (id IN (SELECT {key} FROM {keys} WHERE {key} IS NOT NULL)) FROM {ids}",
    )
    if number < FEWEST_IDS or matched:
        return
    rows, of = counts_of(connection, f"SELECT count({reference.column}), count(*) FROM raw.{reference.table}")
    examples = texts_of(connection, f"SELECT id FROM {ids} ORDER BY 1 LIMIT {EXAMPLES}")
    other = texts_of(connection, f"SELECT {key} FROM {keys} WHERE {key} IS NOT NULL ORDER BY 1 LIMIT 2")
    yield Finding(
        reference.table,
        f"with an id of which nothing matches {reference.other}.{reference.key} (there: {', '.join(other)})",
        f"It is another id, or is written in another way: map the column that holds {reference.other}.{reference.key}.",
        reference.column,
        rows,
        of,
        examples,
        "id_matches_nothing",
    )
