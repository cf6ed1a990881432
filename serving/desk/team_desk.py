"""Alerts and overrides of health through the service: what is open, and what people write down of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from params import Params
from serving.access.tokens import Caller
from serving.alerts.episodes import SNOOZED
from serving.alerts.standing import OPEN as OPEN
from serving.alerts.standing import OpenAlerts as OpenAlerts
from serving.alerts.standing import Standing as Standing
from serving.desk.journal_desk import author_of, refuse_unusable, require_seen, write_down
from serving.desk.queries import AlertQuery, require_book
from serving.forecast.refusals import NoRecord
from serving.health.overrides import overrides_of
from serving.journal.entries import ALERT_ANSWER, HEALTH_OVERRIDE, Note
from serving.ledger.record import DATABASE, Record, open_record
from serving.publication.reader import Published
from serving.wire.answers import Refused
from serving.wire.team_schemas import AnswerRequest, OverrideRequest

Row = dict[str, Any]


def alert_rows(params: Params, published: Published, caller: Caller, query: AlertQuery) -> tuple[int, list[Row]]:
    """A page of the open alerts of what the caller sees, new ones first, and how many there are.

    Raises
    ------
    Refused
        403: another's book; 503: the record cannot be used.
    """
    alerts = open_of(params, published, require_book(caller, query.csm))
    asked = {"rule": query.rule, "kind": query.kind, "status": query.status, "delivery": query.delivery}
    given = {name: value for name, value in asked.items() if value is not None}
    chosen = [one for one in alerts.standing if _is_like(one, given)]
    return len(chosen), alerts.told(chosen[query.offset : query.offset + query.limit])


def _is_like(alert: Standing, given: Mapping[str, str]) -> bool:
    return all(getattr(alert, name) == value for name, value in given.items())


def answer_alert(params: Params, published: Published, caller: Caller, wanted: AnswerRequest) -> int:
    """Acknowledge or snooze the open alert of a rule and account; gives its number in the journal.

    Raises
    ------
    Refused
        404: no such alert in what the caller sees; 422: a snooze without a reason or beyond what is allowed; 503.
    """
    require_seen(published, caller, wanted.account_id)
    until = None if wanted.until is None else wanted.until.isoformat()
    if wanted.answer == SNOOZED:
        _require_until(published, wanted.until, params.alerts.snooze_days, "alerts.snooze_days")
    here = [
        one
        for one in open_of(params, published, caller.csm).standing
        if (one.account_id, one.rule) == (wanted.account_id, wanted.rule)
    ]
    if not here:
        raise Refused(404, f"There is no open alert of the rule {wanted.rule[:60]!r} for this account.")
    says = {"alert": here[0].alert_id, "answer": wanted.answer, "until": until}
    return write_down(params, Note(ALERT_ANSWER, author_of(caller), wanted.account_id, says, text=wanted.reason))


def override_health(params: Params, published: Published, caller: Caller, wanted: OverrideRequest) -> int:
    """Put a person's judgement beside an account's health; gives its number in the journal.

    Raises
    ------
    Refused
        404: no such account in what the caller sees; 422: an end that is not allowed; 503.
    """
    require_seen(published, caller, wanted.account_id)
    _require_until(published, wanted.until, params.health.override_days, "health.override_days")
    says = {"band": wanted.band, "until": wanted.until.isoformat()}
    return write_down(params, Note(HEALTH_OVERRIDE, author_of(caller), wanted.account_id, says, text=wanted.reason))


def with_overrides(params: Params, published: Published, rows: list[Row]) -> list[Row]:
    """Rows of the health list with what people set beside them.

    Raises
    ------
    Refused
        503: the record cannot be used.
    """
    with reading(params) as record:
        beside = {} if record is None else overrides_of(record, _day(published), params.health)
    return [{**row, "override": beside.get(row["account_id"])} for row in rows]


def open_of(params: Params, published: Published, csm: str | None) -> OpenAlerts:
    """The open alerts of a book, or of all where `csm` is None.

    Raises
    ------
    Refused
        503: the record cannot be used.
    """
    accounts = published.directory(csm)
    names = {account: told[0] for account, told in accounts.items()}
    csms = {account: told[1] for account, told in accounts.items()}
    arrs = {account: told[2] for account, told in accounts.items()}
    with reading(params) as record:
        return OpenAlerts(record, params, _day(published), names, csms, arrs)


@contextmanager
def reading(params: Params) -> Iterator[Record | None]:
    """The record; None where there is none yet."""
    if params.record.url is None and not (params.data_dir / DATABASE).exists():
        yield None
        return
    try:
        with open_record(params) as record:
            yield record
    except NoRecord as error:
        raise refuse_unusable(error) from None


def _require_until(published: Published, until: date | None, days: int, setting: str) -> None:
    """Refuse an end that is not after the date of what is published, or lies too far ahead."""
    first = _day(published)
    last = first + timedelta(days=days)
    if until is None or not first < until <= last:
        came = "nothing" if until is None else until.isoformat()
        raise Refused(422, f"until: a day after {first} and up to {last} ({setting}), got {came}.")


def _day(published: Published) -> date:
    return date.fromisoformat(published.about["as_of"])
