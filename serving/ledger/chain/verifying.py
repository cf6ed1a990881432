"""Whether the record still says what it said: every entry, row and file against the chain, and the first that does not.

What the chain cannot show by itself is that its newest entries were cut off: for that a head is needed that stands
somewhere else, in the record's folder, in a publication, or on paper.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from features.tables.progress import Progress, silent
from models.words import counted
from serving.ledger.chain.entries import (
    BEGINNING,
    CHECK_BYTES,
    RUN,
    TABLES_OF,
    Row,
    checks_of,
    content_of,
    hash_of,
    rows_of,
)
from serving.ledger.chain.named_files import files_named
from serving.ledger.chain.seals import seal
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile
from serving.ledger.record_tables import ENTRY

_TELLING = (
    "run_id", "as_of", "number", "run_number", "rival", "cut", "value", "horizon_months", "edition", "metric",
    "subject_id",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What a look at the whole record found.

    Attributes
    ----------
    rows, entries, files
        How many were looked at, up to the first that is broken.
    head
        The hash of the last entry; empty where there is none.
    first_broken
        The first row, entry or file that is not what the chain says; empty if all are.
    """

    rows: int
    entries: int
    files: int
    head: str
    first_broken: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not self.first_broken

    def lines(self) -> list[str]:
        """What it found, in sentences, the answer first."""
        if not self.ok:
            return [
                f"Broken: {self.first_broken}.",
                f"Up to there {counted(self.entries, 'entry', 'entries')} with {counted(self.rows, 'row')} and "
                f"{counted(self.files, 'file')} are as they were recorded.",
            ]
        if not self.entries:
            return ["Nothing is on record yet."]
        return [
            f"Nothing was changed: {counted(self.entries, 'entry', 'entries')} with {counted(self.rows, 'row')} and "
            f"{counted(self.files, 'file')} are as they were recorded.",
            f"Head: {self.head}",
            "Note it somewhere else: `holdfast ledger verify --head HASH` then proves all up to it.",
        ]


class _Broken(Exception):
    """The first thing that is not what the chain says; the message names it."""


@dataclass
class _Counts:
    rows: int = 0
    entries: int = 0
    files: int = 0
    head: str = ""


def verify(
    record: Record, heads: Mapping[str, str], *, today: date, kept_days: int | None, progress: Progress = silent
) -> Verdict:
    """Look at all that is on record.

    Parameters
    ----------
    record
        The open record.
    heads
        Heads that must be in the chain, by where each stands; the first letters of one suffice.
    today, kept_days
        Account rows of revisions that were made longer ago may be gone, see `serving.ledger.keeping_files`.
    """
    counts, broken = _Counts(), ""
    try:
        _verify(record, heads, today, kept_days, counts, progress)
    except _Broken as error:
        broken = str(error)
    except sa.exc.DBAPIError as error:  # a page of the database that cannot be read
        reason = next(iter(str(error.orig).strip().splitlines()), "no reason given")
        broken = f"the database itself, after entry {counts.entries}: {reason}"
    return Verdict(counts.rows, counts.entries, counts.files, counts.head, broken)


def _verify(
    record: Record,
    heads: Mapping[str, str],
    today: date,
    kept_days: int | None,
    counts: _Counts,
    progress: Progress,
) -> None:
    with record.reading() as connection:
        _require_whole_database(connection)
        entries = connection.execute(sa.select(ENTRY).order_by(ENTRY.c.number)).mappings().all()
        previous, hashes = BEGINNING, []
        for entry in entries:
            progress("verifying the record", counts.entries, len(entries))
            previous = _require_entry(connection, dict(entry), previous, counts)
            _require_files(record, files_named(record, connection, dict(entry), today, kept_days), counts)
            counts.entries += 1
            hashes.append(previous)
        counts.head = previous if hashes else ""
        _require_no_strays(connection)
        _require_names(connection)
    _require_heads(heads, hashes)


def _require_whole_database(connection: sa.Connection) -> None:
    """What SQLite can say of its own file; PostgreSQL has checksums of its own."""
    if connection.dialect.name == "sqlite":
        answer = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if answer != "ok":
            raise _Broken(f"the database itself: {str(answer).strip().splitlines()[-1]}")


def _require_entry(connection: sa.Connection, entry: dict[str, Any], previous: str, counts: _Counts) -> str:
    name = f"entry {entry['number']} of record_entry ({entry['kind']}, {entry['appended_at']})"
    if entry["number"] != counts.entries + 1:
        raise _Broken(f"entry {counts.entries + 1} of record_entry is missing: {name} stands in its place")
    if entry["kind"] not in TABLES_OF or hash_of(entry) != entry["hash"]:
        raise _Broken(f"{name}: it was changed")
    if entry["previous"] != previous:
        raise _Broken(f"{name}: it does not follow the entry before it")
    number = entry["run_number"] if entry["kind"] == RUN else entry["number"]
    rows = rows_of(connection, entry["kind"], number)
    if content_of(rows) != entry["content"]:
        raise _Broken(_which(rows, bytes(entry["checks"]), entry))
    if checks_of(rows) != bytes(entry["checks"]) or entry["rows"] != len(rows):
        raise _Broken(f"{name}: its checks were changed")
    counts.rows += len(rows) + 1
    return str(entry["hash"])


def _which(rows: list[Row], checks: bytes, entry: Mapping[str, Any]) -> str:
    """The first row that was changed or added, or that some are missing."""
    there = {checks[start : start + CHECK_BYTES] for start in range(0, len(checks), CHECK_BYTES)}
    what = f"entry {entry['number']} ({entry['kind']}, {entry['appended_at']})"
    if changed := next((row for row in rows if row.digest[:CHECK_BYTES] not in there), None):
        return f"{_named(changed)}: it was changed or added since it was recorded, in {what}"
    missing = entry["rows"] - len(rows)
    return f"{counted(missing, 'row')} of {what}: missing" if missing > 0 else f"the rows of {what}: they were changed"


def _named(row: Row) -> str:
    telling = ", ".join(f"{name} {row.columns[name]}" for name in _TELLING if name in row.columns)
    return f"a row of {row.table} ({telling})"


def _require_files(record: Record, files: Iterator[tuple[str, str, str]], counts: _Counts) -> None:
    name = "a file"
    try:
        for digest, suffix, what in files:
            name = what
            record.files.content(digest, suffix)
            counts.files += 1
    except BrokenFile as error:
        raise _Broken(f"{name}: {error}") from None


def _require_no_strays(connection: sa.Connection) -> None:
    """Rows that stand in no entry were added beside the chain, or what they stood in was cut off."""
    for kind, tables in TABLES_OF.items():
        entry = "run_number" if kind == RUN else "number"
        for table, column in tables.items():
            inside = f"SELECT {entry} FROM record_entry WHERE kind = '{kind}'"
            stray = connection.execute(sa.text(f"SELECT * FROM {table} WHERE {column} NOT IN ({inside}) LIMIT 1"))
            for row in stray.mappings():
                columns = {name: value for name, value in row.items() if value is not None}
                raise _Broken(f"{_named(Row(table, columns, b''))}: no entry of the chain holds it")


def _require_names(connection: sa.Connection) -> None:
    """Each name is the one that its id was sealed with, and is missing only where an erasure says so."""
    for row in _all(connection, "SELECT s.*, e.seal FROM record_subject s LEFT JOIN record_seal e USING (subject_id)"):
        if row["seal"] != seal(row["salt"], row["kind"], row["name"]):
            raise _Broken(f"a row of record_subject (subject_id {row['subject_id']}): it was changed or added")
    lost = """
        SELECT subject_id FROM record_seal WHERE subject_id NOT IN (SELECT subject_id FROM record_subject)
        AND subject_id NOT IN (SELECT subject_id FROM record_erasure) ORDER BY subject_id LIMIT 1"""
    for row in _all(connection, lost):
        raise _Broken(f"a row of record_subject (subject_id {row['subject_id']}): it is missing, and was not erased")


def _all(connection: sa.Connection, query: str) -> Iterator[Mapping[str, Any]]:
    yield from (dict(row) for row in connection.execute(sa.text(query)).mappings())


def _require_heads(heads: Mapping[str, str], hashes: list[str]) -> None:
    for place, head in heads.items():
        if head and not any(known.startswith(head) for known in hashes):
            raise _Broken(
                f"the end of the chain: the head {head[:12]}, which stands in {place}, is not in it. "
                "Entries were cut off, or it is the head of another record"
            )
