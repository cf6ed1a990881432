"""Alerts as they are kept in the record's database: how accounts stand by each rule, and the alerts there were.

Accounts are random ids there, as everywhere in the record: an erasure takes the name, and the rows stand for no one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from models.scores.crossings import Crossing, Watched
from serving.journal.entries import ALERT_ANSWER, read
from serving.ledger.record import Record
from serving.ledger.record_tables import SUBJECT
from serving.ledger.subjects import ACCOUNT, Subjects, names_of

RULE = sa.table("record_alert_rule", *(sa.column(name) for name in ("rule", "threshold", "scored_on")))
STATE = sa.table(
    "record_alert_state", *(sa.column(name) for name in ("rule", "subject_id", "inside", "since_day", "fired_day"))
)
ALERT = sa.table(
    "record_alert",
    *(
        sa.column(name)
        for name in (
            "number", "rule", "subject_id", "fired_on", "value_millionths", "delivery", "closed_on", "closed_by",
        )
    ),
)  # fmt: skip
ACKNOWLEDGED, SNOOZED = "acknowledged", "snoozed"
_MILLION = 1_000_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Fired:
    """An alert that is new."""

    rule: str
    account_id: str
    fired_on: date
    value: float
    delivery: str


def threshold_of(crossing: Crossing) -> str:
    """What a rule watched for, as text: where it is another than before, the rule begins anew."""
    return json.dumps([crossing.rises, crossing.enter, crossing.leave])


def scored_until(record: Record) -> dict[str, tuple[str, date]]:
    """Of each rule, what it watched for and its last scoring."""
    with record.reading() as connection:
        rows = connection.execute(sa.select(RULE)).all()
    return {row.rule: (row.threshold, date.fromisoformat(row.scored_on)) for row in rows}


def states_of(record: Record, accounts: Sequence[str], present: Mapping[str, Any]) -> dict[str, Watched]:
    """How accounts stand by each rule that was scored before.

    Parameters
    ----------
    accounts
        In the order of the result's arrays.
    present
        By rule, who was scored when it was scored last, shape (accounts,).
    """
    names = names_of(record, ACCOUNT)
    place = {account: number for number, account in enumerate(accounts)}
    with record.reading() as connection:
        rows = connection.execute(sa.select(STATE).where(STATE.c.rule.in_(list(present)))).all()
    count = len(accounts)
    states = {
        rule: Watched(np.asarray(known), np.zeros(count, dtype=bool), *np.full((2, count), np.nan))
        for rule, known in present.items()
    }
    for row in rows:
        number = place.get(names.get(bytes.fromhex(row.subject_id), ""))
        if number is not None:
            state = states[row.rule]
            state.inside[number] = bool(row.inside)
            state.since[number] = np.nan if row.since_day is None else row.since_day
            state.fired[number] = np.nan if row.fired_day is None else row.fired_day
    return states


def write_scoring(
    record: Record,
    states: Mapping[str, tuple[str, Watched]],
    accounts: Sequence[str],
    subjects: Subjects,
    *,
    as_of: date,
    fired: Sequence[Fired],
    expires_days: int,
) -> None:
    """Put down how accounts stand now and the new alerts, and close those that are over: all of it or nothing."""
    ids = {account: subjects.id_of("account_id", account) for account in accounts}
    answers = answers_of(record)
    with record.writing() as connection:
        for rule, (threshold, state) in states.items():
            for table in (STATE, RULE):
                connection.execute(sa.delete(table).where(table.c.rule == rule))
            connection.execute(
                sa.insert(RULE), [{"rule": rule, "threshold": threshold, "scored_on": as_of.isoformat()}]
            )
            rows = _state_rows(rule, state, accounts, ids)
            if rows:
                connection.execute(sa.insert(STATE), rows)
        _add(connection, fired, ids)
        _close(connection, states, {subject: place for place, subject in enumerate(ids.values())}, as_of)
        _expire(connection, answers, as_of, expires_days)


def alerts_of(record: Record, *, open_only: bool = True) -> list[Row]:
    """The alerts, newest first: `alert_id`, `rule`, `account_id`, `fired_on`, `value`, `delivery`, `closed_on`."""
    query = (
        sa.select(ALERT, SUBJECT.c.name)  # who was erased is not there
        .join(SUBJECT, (SUBJECT.c.subject_id == ALERT.c.subject_id) & (SUBJECT.c.kind == ACCOUNT))
        .order_by(ALERT.c.fired_on.desc(), ALERT.c.number)
    )
    if open_only:
        query = query.where(ALERT.c.closed_on.is_(None))
    with record.reading() as connection:
        rows = connection.execute(query).all()
    return [
        {
            "alert_id": int(row.number),
            "rule": row.rule,
            "account_id": row.name,
            "fired_on": row.fired_on,
            "value": row.value_millionths / _MILLION,
            "delivery": row.delivery,
            "closed_on": row.closed_on,
        }
        for row in rows
    ]


def answers_of(record: Record) -> dict[int, Row]:
    """What people answered last, by alert: `answer`, `by`, `until` (of a snooze), `reason`, `answered_at`."""
    return {
        int(entry.payload["alert"] or 0): {
            "answer": entry.payload["answer"],
            "by": entry.author,
            "until": entry.payload.get("until"),
            "reason": entry.text,
            "answered_at": entry.written_at,
        }
        for entry in read(record, ALERT_ANSWER)
    }


def expires_on(fired_on: date, answer: Mapping[str, Any], expires_days: int) -> date:
    """When an alert is closed if nobody takes it up; one that was snoozed has as long once the snooze is over."""
    snoozed = date.fromisoformat(str(answer["until"])) if answer.get("answer") == SNOOZED else fired_on
    return max(fired_on, snoozed) + timedelta(days=expires_days)


def _state_rows(rule: str, state: Watched, accounts: Sequence[str], ids: Mapping[str, str]) -> list[Row]:
    """Rows of accounts that stand in any way apart; of the others there is nothing to say."""
    apart = np.flatnonzero(state.inside | ~np.isnan(state.since) | ~np.isnan(state.fired))
    return [
        {
            "rule": rule,
            "subject_id": ids[accounts[int(place)]],
            "inside": int(state.inside[place]),
            "since_day": None if np.isnan(state.since[place]) else int(state.since[place]),
            "fired_day": None if np.isnan(state.fired[place]) else int(state.fired[place]),
        }
        for place in apart
    ]


def _add(connection: sa.Connection, fired: Sequence[Fired], ids: Mapping[str, str]) -> None:
    last = int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(ALERT.c.number), 0))).scalar_one())
    before = connection.execute(sa.select(ALERT)).all()
    there = {(row.rule, row.subject_id, row.fired_on) for row in before}
    is_open = {(row.rule, row.subject_id) for row in before if row.closed_on is None}  # a rule that began anew
    new = [
        one
        for one in fired
        if (one.rule, ids[one.account_id], one.fired_on.isoformat()) not in there
        and (one.rule, ids[one.account_id]) not in is_open
    ]
    rows = [
        {
            "number": number,
            "rule": one.rule,
            "subject_id": ids[one.account_id],
            "fired_on": one.fired_on.isoformat(),
            "value_millionths": round(one.value * _MILLION),
            "delivery": one.delivery,
        }
        for number, one in enumerate(new, last + 1)
    ]
    if rows:
        connection.execute(sa.insert(ALERT), rows)


def _close(
    connection: sa.Connection, states: Mapping[str, tuple[str, Watched]], places: Mapping[str, int], as_of: date
) -> None:
    """Close alerts whose value has come back, and those of accounts that are no customers any more."""
    for row in connection.execute(sa.select(ALERT).where(ALERT.c.closed_on.is_(None))).all():
        if row.rule not in states:
            continue
        place = places.get(row.subject_id)
        why = "gone" if place is None else "" if states[row.rule][1].inside[place] else "back"
        if why:
            here = ALERT.c.number == row.number
            connection.execute(sa.update(ALERT).where(here).values(closed_on=as_of.isoformat(), closed_by=why))


def _expire(connection: sa.Connection, answers: Mapping[int, Row], as_of: date, expires_days: int) -> None:
    """Close the open alerts that nobody took up in time."""
    for row in connection.execute(sa.select(ALERT).where(ALERT.c.closed_on.is_(None))).all():
        answer = answers.get(int(row.number), {})
        ends = expires_on(date.fromisoformat(row.fired_on), answer, expires_days)
        if answer.get("answer") != ACKNOWLEDGED and ends <= as_of:
            here = ALERT.c.number == row.number
            connection.execute(sa.update(ALERT).where(here).values(closed_on=as_of.isoformat(), closed_by="expired"))
