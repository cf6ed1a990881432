"""People's own calls in the journal: what somebody expects of an account, in whole numbers, and as rows again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from features.inputs.reading.written_calls import COLUMNS
from params import Params
from serving.forecast.refusals import BadRequest
from serving.journal.entries import CALL, Entry, Note, Value, read
from serving.ledger.record import has_record, open_record
from serving.ledger.whole_numbers import CENTS, MILLIONTHS, PER_UNIT

SOURCE = "journal"


@dataclass(frozen=True)
class Call:
    """What somebody expects.

    Attributes
    ----------
    outcome
        renew, churn, contract or expand.
    amount
        ARR they expect to be left, in the reporting currency.
    for_date
        The renewal or month that is meant.
    category
        commit, likely, best_case, at_risk or lost.
    probability
        Of the outcome; without one, of the account being kept.
    reason
        In their own words.
    is_final
        Whether it is the one that the company goes by, made in sight of the model's and of people's: with a reason.
    """

    outcome: str | None = None
    amount: float | None = None
    for_date: date | None = None
    category: str | None = None
    probability: float | None = None
    reason: str = ""
    is_final: bool = False


def note_of(call: Call, *, author: str, account_id: str, seen_model: bool | None, replaces: int | None = None) -> Note:
    """A call as the journal takes it.

    Raises
    ------
    BadRequest
        It is final and gives no reason.
    """
    if call.is_final and not call.reason.strip():
        raise BadRequest("A final call says why: give a reason.")
    payload: dict[str, Value] = {
        "outcome": call.outcome,
        "amount_cents": _whole(call.amount, CENTS),
        "for_date": call.for_date.isoformat() if call.for_date else None,
        "category": call.category,
        "probability_millionths": _whole(call.probability, MILLIONTHS),
        "is_final": call.is_final or None,
    }
    return Note(CALL, author, account_id, payload, text=call.reason, seen_model=seen_model, replaces=replaces)


def call_rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Calls with the columns of the contract's table `calls`, newest first; those of the erased are left out."""
    rows = [_row(entry) for entry in entries if entry.account_id is not None]
    return sorted(rows, key=lambda row: -row["number"])


def written_calls(params: Params) -> pd.DataFrame | None:
    """All calls of the journal as rows of the table `calls`, for the model and its rivals; None without a record.

    They are known from the moment at which they were written. Own words stay in the journal, and so do calls whose
    place another took on the same day: those never stood at the beginning of a day.

    Raises
    ------
    NoRecord
        The record cannot be used.
    """
    if not has_record(params):
        return None
    with open_record(params) as record:
        return contract_calls(read(record, CALL))


def contract_calls(entries: Iterable[Entry]) -> pd.DataFrame:
    """Entries as `written_calls` gives them."""
    entries = list(entries)
    days = {entry.number: entry.written_at[:10] for entry in entries}
    standing = [
        entry
        for entry in entries
        if entry.account_id is not None
        and (entry.superseded_by is None or days.get(entry.superseded_by) != days[entry.number])
    ]
    rows = [_row(entry) | {"recorded_at": entry.written_at.rstrip("Z")} for entry in standing]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(entry: Entry) -> dict[str, Any]:
    says = entry.payload
    return {
        "number": entry.number,
        "call_id": _call_id(entry.number),
        "account_id": entry.account_id,
        "called_on": entry.written_at[:10],
        "called_by": entry.author or None,
        "outcome": says.get("outcome"),
        "amount": _figure(says.get("amount_cents"), CENTS),
        "for_date": says.get("for_date"),
        "category": says.get("category"),
        "probability": _figure(says.get("probability_millionths"), MILLIONTHS),
        "reason": entry.text or None,
        "seen_model": entry.seen_model,
        "superseded_by": None if entry.superseded_by is None else _call_id(entry.superseded_by),
        "is_final": bool(says.get("is_final")),
    }


def _call_id(number: int) -> str:
    return f"{SOURCE}-{number}"


def _whole(figure: float | None, unit: str) -> int | None:
    return None if figure is None else round(figure * PER_UNIT[unit])


def _figure(whole: Value, unit: str) -> float | None:
    return None if whole is None else int(whole) / PER_UNIT[unit]
