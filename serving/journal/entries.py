"""The journal: entries that are added and never changed, each by somebody, at a moment, of a declared kind.

Names of accounts and people, and what people wrote in their own words, lie in the record's one table of names: they
leave it when the account is erased, and the entry stays. The rest of an entry is whole numbers, words from lists and
days.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from serving.forecast.refusals import BadRequest
from serving.ledger.chain.entries import JOURNAL as CHAINED
from serving.ledger.chain.entries import append, next_number
from serving.ledger.chain.head import note_head
from serving.ledger.record import Record
from serving.ledger.record_files import canonical_json
from serving.ledger.record_tables import JOURNAL
from serving.ledger.subjects import Subjects, names_by_id, subjects_of, text_kind

CALL, RECOMMENDATION, ANSWER = "call", "recommendation", "answer"
PLAY_OUTCOME, ENROLMENT = "play_outcome", "enrolment"
ALERT_ANSWER, HEALTH_OVERRIDE = "alert_answer", "health_override"
ESCALATION, ESCALATION_ANSWER, DECISION = "escalation", "escalation_answer", "decision"
KINDS: Mapping[str, str] = {
    CALL: "a person's own forecast of an account",
    ALERT_ANSWER: "what was done with an alert",
    HEALTH_OVERRIDE: "a person's own judgement of an account's health",
    ESCALATION: "a threshold for leadership that was passed, or has come back",
    ESCALATION_ANSWER: "who has taken an escalation up",
    DECISION: "the next step for an account at risk, its owner and its due day",
    RECOMMENDATION: "a play that was recommended for an account, with its chance of being so by design",
    ANSWER: "what somebody did with a recommendation",
    PLAY_OUTCOME: "what came of a recommendation: whether it was done, and what the account did",
    ENROLMENT: "an account of a trial that withholds recommendations by lot, with its arm and its chance",
}
LONGEST_TEXT = 500
_PERSON = "csm"  # a column of people: whoever writes is one person with whoever has a book under that name
Value = int | str | bool | None


@dataclass(frozen=True)
class Note:
    """What somebody writes.

    Attributes
    ----------
    kind
        One of `KINDS`.
    author
        Who writes, by the name that their book has, or their token's.
    account_id
        Of which account; None for what is about none.
    payload
        What it says: whole numbers (cents, millionths), words from lists, days as ISO text. No names, no own words.
    people
        People whom it names, by their part in it, such as who takes an action on.
    text
        Own words, up to `LONGEST_TEXT` characters.
    seen_model
        Whether the author had seen the model's figure; None where that is not known.
    replaces
        The number of an earlier entry of the same kind, author and account whose place this one takes.
    """

    kind: str
    author: str
    account_id: str | None = None
    payload: Mapping[str, Value] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    seen_model: bool | None = None
    replaces: int | None = None


@dataclass(frozen=True)
class Entry(Note):
    """A note on record: its number and when it was written. Names and texts of who was erased are gone, `None` or ''.

    An entry that was replaced is `superseded_by` the number of the newest that took its place.
    """

    number: int = 0
    written_at: str = ""
    superseded_by: int | None = None


def write(record: Record, notes: Sequence[Note], *, at: datetime | None = None) -> list[int]:
    """Add notes to the journal, all of them or none; gives their numbers.

    Raises
    ------
    BadRequest
        A kind is not declared, a text is too long, or a note replaces what it may not.
    TypeError
        A payload holds what the record does not, such as a float.
    """
    for note in notes:
        _require_plain(note)
    names, texts = _ids(record, notes)
    written_at = (at or datetime.now(tz=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with record.writing() as connection:
        last = connection.execute(sa.select(sa.func.coalesce(sa.func.max(JOURNAL.c.number), 0))).scalar_one()
        entry = {"entry_number": next_number(connection), "written_at": written_at}
        rows = [
            {"number": number, **entry, **_row(note, names, texts)} for number, note in enumerate(notes, int(last) + 1)
        ]
        for row in rows:
            _require_replaceable(connection, row)
        if rows:
            connection.execute(sa.insert(JOURNAL), rows)
            append(connection, CHAINED)
    note_head(record)
    return [int(row["number"]) for row in rows]


def read(
    record: Record, kind: str, *, account_ids: Iterable[str] | None = None, before: str | None = None
) -> list[Entry]:
    """The entries of a kind, oldest first.

    Parameters
    ----------
    record
        The open record.
    kind
        One of `KINDS`.
    account_ids
        Of these accounts alone; of all if None.
    before
        Only what was written before this day or moment (ISO text, UTC).
    """
    query = sa.select(JOURNAL).where(JOURNAL.c.kind == kind).order_by(JOURNAL.c.number)
    if before is not None:
        query = query.where(JOURNAL.c.written_at < before)
    with record.reading() as connection:
        rows = connection.execute(query).all()
        names = _names(connection, rows)
    wanted = None if account_ids is None else set(account_ids)
    latest = {row.replaces: row.number for row in rows if row.replaces is not None}
    entries = [_entry(row, names, latest.get(row.number)) for row in rows]
    return [entry for entry in entries if wanted is None or entry.account_id in wanted]


def _require_plain(note: Note) -> None:
    if note.kind not in KINDS:
        raise BadRequest(f"There is no kind {note.kind!r} of entries in the journal: there is {', '.join(KINDS)}.")
    if len(note.text) > LONGEST_TEXT:
        raise BadRequest(f"A text may have {LONGEST_TEXT} characters, got {len(note.text):,}: shorten it.")
    for name, value in note.payload.items():
        if not (value is None or isinstance(value, int | str)):
            raise TypeError(f"the journal holds whole numbers and words, got {name} of type {type(value).__name__}")


def _ids(record: Record, notes: Sequence[Note]) -> tuple[Subjects, Subjects]:
    """Ids of the accounts and people in some notes, and of their texts."""
    people = [name for note in notes for name in (note.author, *note.people.values())]
    names = subjects_of(record, {"account_id": [note.account_id for note in notes], _PERSON: people})
    texts: dict[str, list[str]] = {}
    for note in notes:
        if note.text:
            texts.setdefault(text_kind(_whose(note, names)), []).append(note.text)
    return names, subjects_of(record, texts)


def _whose(note: Note, names: Subjects) -> str:
    """The id with which a note's text goes."""
    if note.account_id is None:
        return names.id_of(_PERSON, note.author)
    return names.id_of("account_id", note.account_id)


def _row(note: Note, names: Subjects, texts: Subjects) -> dict[str, Any]:
    people = {part: names.id_of(_PERSON, name) for part, name in note.people.items()}
    content = {name: value for name, value in note.payload.items() if value is not None}
    return {
        "kind": note.kind,
        "author_id": names.id_of(_PERSON, note.author),
        "account_id": None if note.account_id is None else names.id_of("account_id", note.account_id),
        "text_id": texts.id_of(text_kind(_whose(note, names)), note.text) if note.text else None,
        "payload": canonical_json({"people": people, "says": content}),
        "seen_model": None if note.seen_model is None else int(note.seen_model),
        "replaces": note.replaces,
    }


def _require_replaceable(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """Refuse to take the place of what somebody else wrote, or of what is about something else."""
    if row["replaces"] is None:
        return
    old = connection.execute(sa.select(JOURNAL).where(JOURNAL.c.number == row["replaces"])).mappings().first()
    if old is None or any(old[name] != row[name] for name in ("kind", "author_id", "account_id")):
        raise BadRequest(
            f"Entry {row['replaces']} is none of yours of this kind and account: only those can be replaced."
        )


def _names(connection: sa.Connection, rows: Sequence[Any]) -> dict[str, str]:
    """What the ids in some rows stand for, as far as it is known."""
    ids = {one for row in rows for one in (row.author_id, row.account_id, row.text_id) if one is not None}
    for row in rows:
        ids |= set(json.loads(row.payload)["people"].values())
    return names_by_id(connection, ids)


def _entry(row: Any, names: Mapping[str, str], superseded_by: int | None) -> Entry:
    payload = json.loads(row.payload)
    return Entry(
        kind=row.kind,
        author=names.get(row.author_id, ""),
        account_id=names.get(row.account_id) if row.account_id is not None else None,
        payload=payload["says"],
        people={part: names.get(one, "") for part, one in payload["people"].items()},
        text=names.get(row.text_id, "") if row.text_id is not None else "",
        seen_model=None if row.seen_model is None else bool(row.seen_model),
        replaces=row.replaces,
        number=row.number,
        written_at=row.written_at,
        superseded_by=superseded_by,
    )
