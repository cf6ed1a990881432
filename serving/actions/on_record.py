"""Recommendations on record, and what people answered: entries of the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from serving.forecast.declared.acting_tables import DO
from serving.journal.entries import ANSWER, RECOMMENDATION, Entry, Note, read, write
from serving.ledger.record import Record

AUTHOR = "Holdfast"
DONE, NOT_NOW, DISAGREE = "done", "not now", "disagree"
ANSWERS_TO = (DONE, NOT_NOW, DISAGREE)
HELD_BACK_DAYS: Mapping[str, int] = {NOT_NOW: 30, DISAGREE: 90}  # so long the same is not recommended again
_MILLIONTHS, _CENTS, _HUNDREDTHS = 1_000_000, 100, 100


def record_recommendations(record: Record, table: pd.DataFrame, *, at: datetime | None = None) -> int:
    """Put the plays to do on record, each with its probability of assignment; gives how many were added.

    One that stands since a run before in the same calendar month is there already.

    Parameters
    ----------
    record
        The open record.
    table
        `recommended_action`.
    at
        When; now if None.
    """
    standing = {
        entry.account_id: (entry.payload["action"], entry.payload["month"]) for entry in read(record, RECOMMENDATION)
    }
    rows = table[table["answer"] == DO].to_dict(orient="records")
    notes = [_note({str(name): value for name, value in row.items()}) for row in rows]
    fresh = [note for note in notes if standing.get(note.account_id) != (note.payload["action"], note.payload["month"])]
    write(record, fresh, at=at)
    return len(fresh)


def _note(row: Mapping[str, Any]) -> Note:
    whole = {name: round(row[name] * _CENTS) for name in ("arr_saved", "low", "high")}
    return Note(
        kind=RECOMMENDATION,
        author=AUTHOR,
        account_id=row["account_id"],
        payload={
            "action": row["action"],
            "month": row["as_of"].strftime("%Y-%m"),
            "as_of": row["as_of"].date().isoformat(),
            "run_id": row["run_id"],
            "rank": int(row["rank"]),
            "must_do": bool(row["must_do"]),
            "hours_hundredths": round(row["hours"] * _HUNDREDTHS),
            **{f"{name}_cents": value for name, value in whole.items()},
            "evidence": row["evidence"],
            "probability_millionths": round(row["probability_of_assignment"] * _MILLIONTHS),
        },
    )


def record_answer(
    record: Record, *, account_id: str, action: str, answer: str, reason: str, author: str, run_id: str
) -> int:
    """Put on record what somebody did with a recommendation; gives the entry's number."""
    note = Note(
        kind=ANSWER,
        author=author,
        account_id=account_id,
        payload={"action": action, "answer": answer, "run_id": run_id},
        text=reason,
        seen_model=True,
    )
    return write(record, [note])[0]


@dataclass(frozen=True)
class Answered:
    """What people answered, by account and play, the newest of each: `done` when, and `held_back` until when."""

    done: Mapping[tuple[str, str], date]
    held_back: Mapping[tuple[str, str], date]

    @classmethod
    def none(cls) -> "Answered":
        """Nobody has answered."""
        return cls({}, {})


def answers_before(record: Record, as_of: date | None) -> Answered:
    """The answers that were given before a day; all of them if None."""
    done: dict[tuple[str, str], date] = {}
    held: dict[tuple[str, str], date] = {}
    for entry in read(record, ANSWER, before=None if as_of is None else as_of.isoformat()):
        if entry.account_id is None:
            continue
        key, day = (entry.account_id, str(entry.payload["action"])), date.fromisoformat(entry.written_at[:10])
        if entry.payload["answer"] == DONE:
            done[key] = day
        else:
            held[key] = day + timedelta(days=HELD_BACK_DAYS[str(entry.payload["answer"])])
    return Answered(done, held)


def answer_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Answers as plain data, the newest first; of who was erased nothing is told."""
    return [
        {
            "account_id": entry.account_id,
            "action": entry.payload["action"],
            "answer": entry.payload["answer"],
            "reason": entry.text,
            "answered_by": entry.author,
            "answered_at": entry.written_at,
        }
        for entry in reversed(entries)
        if entry.account_id is not None
    ]
