"""The steps of each night as rows of the record: what was done, how it ended and what came of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from serving.ledger.chain.entries import NIGHT, append, next_number
from serving.ledger.chain.head import note_head
from serving.ledger.record import Record
from serving.ledger.record_files import canonical_json
from serving.ledger.record_tables import STEP

_NAMING = ("message", "notes", "file", "folder")  # of a result, what may name a customer or a place on this machine
_MILLION = 1_000_000


def record_night(record: Record, *, as_of: str, began_at: str, steps: Sequence[Mapping[str, Any]]) -> None:
    """Put the steps of a night on record.

    Parameters
    ----------
    record
        The open record.
    as_of, began_at
        The night, and when its run began, as ISO text.
    steps
        `step`, `status`, `seconds` and `result` of each. Of the results, messages and paths stay out; figures are kept
        in millionths, under a name that says so.
    """
    with record.writing() as connection:
        key = {"entry_number": next_number(connection), "as_of": as_of, "began_at": began_at}
        rows = [key | {"place": place} | _row(step) for place, step in enumerate(steps)]
        connection.execute(sa.insert(STEP), rows)
        append(connection, NIGHT)
    note_head(record)


def nights(record: Record, step: str | None = None) -> list[dict[str, Any]]:
    """The steps on record, of one name or all, oldest first: `as_of`, `began_at`, `step`, `status`, `result`."""
    query = sa.select(STEP).order_by(STEP.c.entry_number, STEP.c.place)
    if step is not None:
        query = query.where(STEP.c.step == step)
    names = ("as_of", "began_at", "step", "status")
    with record.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [{name: row[name] for name in names} | {"result": json.loads(row["result"])} for row in rows]


def _row(step: Mapping[str, Any]) -> dict[str, Any]:
    result = {name: value for name, value in step["result"].items() if name not in _NAMING}
    return {
        "step": step["step"],
        "status": step["status"],
        "milliseconds": round(1000 * step["seconds"]),
        "result": canonical_json(_plain(result)),
    }


def _plain(value: Any) -> Any:
    """Plain data without floats."""
    if isinstance(value, Mapping):
        return {
            f"{name}_millionths" if isinstance(one, float) else str(name): _plain(one) for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return round(value * _MILLION) if isinstance(value, float) else value
