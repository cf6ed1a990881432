"""What was known before each day, as digests: whether a snapshot made earlier still says what was known at its date.

Every row counts from the day a snapshot may see it, and every cell that its source fills in later from its own day.
Adding up the hashes of all that became known on each day gives, for any date, a digest of what was known before it:
rows that arrive, late ones too, leave the digests of earlier dates as they were; a past that was rewritten does not.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import duckdb

from features.asof.clocks import Clocks
from features.asof.view import day_number
from features.tables import contract
from features.tables.checked import Tables, write_manifest
from features.tables.sql import named

KNOWLEDGE = "holdfast_knowledge"  # table_name, day, rows, hashes


def finish(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Tables:
    """Store what was known when, and the manifest, in the database of the tables; gives them with their digest."""
    finished = replace(tables, digest=write_knowledge(connection, tables))
    write_manifest(connection, finished)
    return finished


def write_knowledge(connection: duckdb.DuckDBPyConnection, tables: Tables) -> str:
    """Store, for each table and day, how many cells became known and the sum of their hashes; the digest of all."""
    connection.execute(
        f"CREATE OR REPLACE TABLE {KNOWLEDGE} (table_name VARCHAR, day BIGINT, cells BIGINT, hashes HUGEINT)"
    )
    clocks = Clocks(tables)
    for name, columns in _kept(tables).items():
        for day, hashed in _cells(clocks, name, columns):
            connection.execute(f"""
                INSERT INTO {KNOWLEDGE}
                SELECT '{name}', day, COUNT(*), SUM(CAST(hashed AS HUGEINT))
                FROM (SELECT {day} AS day, hash({hashed}) AS hashed FROM main.{name}) cells
                WHERE day IS NOT NULL GROUP BY day""")
    rows = connection.execute(
        f"SELECT table_name, sum(cells), sum(hashes) FROM {KNOWLEDGE} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    columns_of = sorted((name, tuple(columns)) for name, columns in tables.columns.items())
    return _digest([tables.digest, *rows, *columns_of])


def known_before(tables: Tables, dates: Sequence[date]) -> dict[date, dict[str, str]]:
    """Of each date and table, a digest of what was known before it; of a table in a warehouse, of all that it holds."""
    ordered = sorted(set(dates))
    with duckdb.connect(str(tables.database), read_only=True) as connection:
        sums_by_day = connection.execute(f"""
            SELECT table_name, before.day, SUM(cells), SUM(hashes)
            FROM {KNOWLEDGE} k ASOF JOIN (SELECT unnest(CAST($days AS BIGINT[])) AS day) before ON k.day < before.day
            GROUP BY ALL""", {"days": [day_number(day) for day in ordered]}).fetchall()  # fmt: skip
    became = {(name, day): sums for name, day, *sums in sums_by_day}
    away = dict(tables.warehouse.digests) if tables.warehouse else {}
    known: dict[date, dict[str, str]] = {day: dict(away) for day in dates}
    for name in _kept(tables):
        cells, hashes = 0, 0
        for day in ordered:
            more = became.get((name, day_number(day)), (0, 0))
            cells, hashes = cells + more[0], hashes + more[1]
            known[day][name] = _digest((cells, hashes))
    return known


def _kept(tables: Tables) -> dict[str, tuple[str, ...]]:
    """The tables that are not in a warehouse: what was known of those when is not told here."""
    away = tables.warehouse.selects if tables.warehouse else {}
    return {name: tuple(columns) for name, columns in tables.columns.items() if name not in away}


def digest_of(known: Mapping[str, str]) -> str:
    """One digest of those of all tables."""
    return _digest(sorted(known.items()))


def _cells(clocks: Clocks, table: str, columns: Sequence[str]) -> list[tuple[str, str]]:
    """From which day on the row, and each cell filled in later, count; and what is hashed of it."""
    later = [c.name for c in contract.TABLES[table] if c.filled_later and c.name in columns]
    at_once = [name for name in columns if name not in later]  # tells the row that a cell belongs to
    rows = [(clocks.of_row(table), at_once)]
    rows += [(clocks.of_cell(table, name), [*at_once, name]) for name in later]
    if contract.TABLES[table].opened_by in columns:
        rows.append((clocks.of_opening(table), [n for n in at_once if n not in contract.TABLES[table].answer]))
    return [(clock.counts_after, ", ".join(map(named, hashed))) for clock, hashed in rows]


def _digest(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]
