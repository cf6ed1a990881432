"""Adding to the chain: an entry over the rows that were just added, under the lock that they were added under.

A row stands in the chain as JSON of its table and its columns: whole numbers and text, names in order, what is NULL
left out, so that a column that a later version adds changes nothing of what stands there. An entry holds the SHA-256
over the digests of its rows, in order, and its own over all that it says and the hash of the entry before it. Beside
them stand the first bytes of each row's digest (`checks`): they only serve to say which row was changed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from serving.ledger.record_files import canonical_json
from serving.ledger.record_tables import ENTRY

RUN, SUBJECTS, ERASURE, ACTUALS, WITHDRAWAL = "run", "subjects", "erasure", "actuals", "withdrawal"
JOURNAL, NIGHT = "journal", "night"
TABLES_OF: Mapping[str, Mapping[str, str]] = {
    RUN: {"record_run": "number", "record_figure": "run_number", "record_rival": "run_number"},
    SUBJECTS: {"record_seal": "entry_number"},
    ERASURE: {"record_erasure": "entry_number"},
    ACTUALS: {"record_outcome": "entry_number", "record_actual": "entry_number"},
    WITHDRAWAL: {"record_withdrawal": "entry_number"},
    JOURNAL: {"record_journal": "entry_number"},
    NIGHT: {"record_step": "entry_number"},
}
"""The tables whose rows an entry of a kind is over, and the column of each that says which rows are the entry's."""
BEGINNING = "0" * 64
CHECK_BYTES = 8
FORMAT = 1


@dataclass(frozen=True)
class Row:
    """A row as the chain has it: its table, its columns that are not NULL, and its digest."""

    table: str
    columns: Mapping[str, Any]
    digest: bytes


def next_number(connection: sa.Connection) -> int:
    """The number that the next entry will have; for who holds the lock."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(ENTRY.c.number), 0) + 1)).scalar_one())


def append(connection: sa.Connection, kind: str, run_number: int | None = None) -> str:
    """Add an entry over the rows that were added for it, in the same transaction; gives its hash.

    Parameters
    ----------
    connection
        Of `Record.writing`, which holds the lock.
    kind
        One of `TABLES_OF`.
    run_number
        Of an entry over a run: which. The rows of others hold the entry's number, see `next_number`.
    """
    last = connection.execute(sa.select(ENTRY).order_by(ENTRY.c.number.desc()).limit(1)).first()
    number = last.number + 1 if last else 1
    rows = rows_of(connection, kind, number if run_number is None else run_number)
    entry = {
        "number": number,
        "kind": kind,
        "run_number": run_number,
        "appended_at": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "rows": len(rows),
        "content": content_of(rows),
        "previous": last.hash if last else BEGINNING,
    }
    hashed = entry | {"hash": hash_of(entry), "checks": checks_of(rows)}
    connection.execute(sa.insert(ENTRY), [hashed])
    return str(hashed["hash"])


def rows_of(connection: sa.Connection, kind: str, number: int) -> list[Row]:
    """The rows that an entry is over, as they are stored, in the order of their digests' texts."""
    rows: list[tuple[bytes, Row]] = []
    for table, column in TABLES_OF[kind].items():
        answer = connection.execute(sa.text(f"SELECT * FROM {table} WHERE {column} = :number"), {"number": number})
        names = list(answer.keys())
        for values in answer:
            columns = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            text = canonical_row(table, columns)
            rows.append((text, Row(table, columns, hashlib.sha256(text).digest())))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def canonical_row(table: str, columns: Mapping[str, Any]) -> bytes:
    """A row as text that is the same for the same row; what the record never holds (floats, bytes) too."""
    plain = {name: value if isinstance(value, int | str) else repr(value) for name, value in columns.items()}
    return canonical_json([table, plain]).encode("utf-8", "surrogatepass")


def content_of(rows: Sequence[Row]) -> str:
    """The digest of some rows."""
    return hashlib.sha256(b"".join(row.digest for row in rows)).hexdigest()


def checks_of(rows: Sequence[Row]) -> bytes:
    """The first bytes of each row's digest, in order."""
    return b"".join(row.digest[:CHECK_BYTES] for row in rows)


def hash_of(entry: Mapping[str, Any]) -> str:
    """What an entry is known by: over all that it says, the hash of the entry before it among that."""
    names = ("number", "kind", "run_number", "appended_at", "rows", "content", "previous")
    return hashlib.sha256(canonical_row(f"entry {FORMAT}", {name: entry[name] for name in names})).hexdigest()
