"""What came of recommendations on record, once their windows have passed: was it done, and what did the account do.

Whether a play was done is known 30 days after it was recommended; what the account did, `actions.outcome_months` after.
Each goes into the journal when it is known; the second takes the place of the first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.kpis.care_done import all_done
from features.revenue import add_months, arr_by_account
from features.tables.checked import Tables
from params import Params
from serving.actions.on_record import AUTHOR, DONE
from serving.journal.entries import ANSWER, PLAY_OUTCOME, RECOMMENDATION, Entry, Note, read, write
from serving.ledger.record import DATABASE, Record, open_record

DONE_DAYS = 30
LEFT, EXPANDED, SHRANK, STAYED = "left", "expanded", "shrank", "stayed"
HAPPENED = (STAYED, LEFT, EXPANDED, SHRANK)
SMALLEST_CHANGE = 0.001
_CENTS = 100
Row = dict[str, Any]


def follow_up(record: Record, tables: Tables, params: Params, as_of: date) -> int:
    """Put on record what came of each recommendation whose window has passed; gives how many entries were added.

    Parameters
    ----------
    record
        The open record.
    tables, as_of
        What was known before this day counts.
    """
    due = _due(record, params.actions.outcome_months, as_of)
    if not due:
        return 0
    done = _done_days(record, tables, due, as_of, params)
    arr = _arr(tables, [one for one in due if one.is_over], as_of, params)
    write(record, [_note(one, done.get(one.number), arr) for one in due])
    return len(due)


@dataclass(frozen=True)
class _Due:
    """A recommendation of which more is known now than is on record; `earlier` is the entry that this one replaces."""

    number: int
    account_id: str
    action: str
    day: date
    ends_on: date
    is_over: bool
    earlier: int | None


def _due(record: Record, months: int, as_of: date) -> list[_Due]:
    told = {int(entry.payload["recommendation"] or 0): entry for entry in _newest(read(record, PLAY_OUTCOME))}
    due = []
    for entry in read(record, RECOMMENDATION):
        day, earlier = date.fromisoformat(str(entry.payload["as_of"])), told.get(entry.number)
        ends_on = add_months(day, months)
        is_over, is_first = ends_on <= as_of, earlier is None and day + timedelta(days=DONE_DAYS) <= as_of
        is_second = is_over and (earlier is None or "happened" not in earlier.payload)
        if entry.account_id is not None and (is_first or is_second):
            number = None if earlier is None else earlier.number
            action = str(entry.payload["action"])
            due.append(_Due(entry.number, entry.account_id, action, day, ends_on, is_over, number))
    return due


def _newest(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.superseded_by is None]


def _done_days(
    record: Record, tables: Tables, due: Sequence[_Due], as_of: date, params: Params
) -> dict[int, date | None]:
    """When each was done within its 30 days: by the data or, if they do not tell, by whoever answered so."""
    done = all_done(tables, min(one.day for one in due), as_of, params.budget)
    days: dict[tuple[str, str], list[date]] = {}
    for account, action, stamp in zip(done["account_id"], done["action"], done["done_on"], strict=True):
        days.setdefault((account, action), []).append(stamp.date())
    answers = answers_to(read(record, RECOMMENDATION), read(record, ANSWER))
    return {one.number: _first_day(one, days.get((one.account_id, one.action), ()), answers) for one in due}


def _first_day(one: _Due, days: Sequence[date], answers: Mapping[int, Entry]) -> date | None:
    within = [day for day in days if one.day <= day < one.day + timedelta(days=DONE_DAYS)]
    if within:
        return min(within)
    answer = answers.get(one.number)
    said_done = answer is not None and answer.payload["answer"] == DONE
    return date.fromisoformat(answer.written_at[:10]) if answer is not None and said_done else None


def answers_to(recommendations: Iterable[Entry], answers: Iterable[Entry]) -> dict[int, Entry]:
    """The newest answer to each recommendation, by its number: given after it, and before the next of its kind."""
    both = sorted([*recommendations, *answers], key=lambda entry: entry.number)
    standing: dict[tuple[str, str], int] = {}
    given = {}
    for entry in both:
        if entry.account_id is None:
            continue
        key = (entry.account_id, str(entry.payload["action"]))
        if entry.kind == RECOMMENDATION:
            standing[key] = entry.number
        elif key in standing:
            given[standing[key]] = entry
    return given


def _arr(tables: Tables, over: Sequence[_Due], as_of: date, params: Params) -> dict[tuple[str, date], float]:
    """ARR by account and day, at the beginning and the end of each window that has passed."""
    if not over:
        return {}
    days = sorted({day for one in over for day in (one.day, one.ends_on)})
    frame = arr_by_account(tables, days, known_by=as_of, rates_on=as_of, rules=params.revenue, budget=params.budget)
    instants = pd.to_datetime(frame["instant"]).dt.date
    return dict(zip(zip(frame["account_id"], instants, strict=True), frame["arr"].astype(float), strict=True))


def _note(one: _Due, done_on: date | None, arr: Mapping[tuple[str, date], float]) -> Note:
    says: dict[str, Any] = {"recommendation": one.number, "done_on": done_on and done_on.isoformat()}
    if one.is_over:
        before, after = (arr.get((one.account_id, day), 0.0) for day in (one.day, one.ends_on))
        money = {"arr_before_cents": round(before * _CENTS), "arr_after_cents": round(after * _CENTS)}
        says |= {"happened": happened(before, after), "ends_on": one.ends_on.isoformat(), **money}
    return Note(PLAY_OUTCOME, AUTHOR, one.account_id, says, replaces=one.earlier)


def happened(before: float, after: float) -> str:
    """What an account did, by its ARR at both ends of a window."""
    if after <= 0:
        return LEFT
    if after > before * (1 + SMALLEST_CHANGE):
        return EXPANDED
    return SHRANK if after < before * (1 - SMALLEST_CHANGE) else STAYED


def followed_rows(record: Record, account_ids: Iterable[str] | None = None) -> list[Row]:
    """Every recommendation on record with its answer and what came of it, the newest first.

    Of who was erased nothing is told.

    Parameters
    ----------
    record
        The open record.
    account_ids
        Of these accounts alone; of all if None.
    """
    wanted = None if account_ids is None else set(account_ids)
    given, answers, told = (read(record, kind, account_ids=wanted) for kind in (RECOMMENDATION, ANSWER, PLAY_OUTCOME))
    answered = answers_to(given, answers)
    outcomes = {entry.payload["recommendation"]: entry for entry in _newest(told)}
    return [
        _row(entry, answered.get(entry.number), outcomes.get(entry.number))
        for entry in reversed(given)
        if entry.account_id is not None
    ]


def _row(entry: Entry, answer: Entry | None, outcome: Entry | None) -> Row:
    says: Mapping[str, Any] = entry.payload
    came: Mapping[str, Any] = {} if outcome is None else outcome.payload
    money = {name: says[f"{name}_cents"] / _CENTS for name in ("arr_saved", "low", "high")}
    over = "happened" in came
    ends = {name: came[f"{name}_cents"] / _CENTS if over else None for name in ("arr_before", "arr_after")}
    return {
        "account_id": entry.account_id,
        "action": says["action"],
        "recommended_on": says["as_of"],
        "must_do": says["must_do"],
        "evidence": says["evidence"],
        **money,
        "probability_of_assignment": says["probability_millionths"] / 1_000_000,
        "answer": "" if answer is None else str(answer.payload["answer"]),
        "reason": "" if answer is None else answer.text,
        "answered_by": "" if answer is None else answer.author,
        "is_done": None if outcome is None else "done_on" in came,
        "done_on": came.get("done_on"),
        "happened": came.get("happened"),
        **ends,
    }


def followed_summary(rows: Sequence[Row]) -> Row:
    """How many were recommended, answered and done, and what the accounts did whose window has passed."""
    known, over = ([row for row in rows if row[name] is not None] for name in ("is_done", "happened"))
    return {
        "recommended": len(rows),
        "answered": sum(bool(row["answer"]) for row in rows),
        "known_whether_done": len(known),
        "done": sum(bool(row["is_done"]) for row in known),
        "over": len(over),
        **{word: sum(row["happened"] == word for row in over) for word in HAPPENED},
    }


def take_up_on_record(params: Params) -> float | None:
    """The share of recommendations that were done within 30 days; None where the record tells of too few."""
    if params.record.url is None and not (params.data_dir / DATABASE).exists():
        return None
    with open_record(params) as record:
        told = followed_summary(followed_rows(record))
    return told["done"] / told["known_whether_done"] if told["known_whether_done"] >= FEWEST_TOLD else None


FEWEST_TOLD = 50
