"""The alerts that are open: ordered and counted at little cost each, and told in full where they are shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from params import Params
from serving.alerts.episodes import ALERT, SNOOZED, answers_of, expires_on
from serving.alerts.rules import about
from serving.ledger.record import Record
from serving.ledger.record_tables import SUBJECT
from serving.ledger.subjects import ACCOUNT

NEW, DIGEST = "new", "digest"
OPEN = "open"  # nobody has answered
_MILLION = 1_000_000
_AS_STANDING = ("alert_id", "rule", "account_id", "fired_on", "value", "delivery", "csm", "arr", "status")


class Standing(NamedTuple):
    """An open alert: what it is found, ordered and counted by; `status` is open, acknowledged or snoozed."""

    alert_id: int
    rule: str
    kind: str
    account_id: str
    csm: str
    arr: float
    fired_on: str
    value: float
    delivery: str
    status: str


class OpenAlerts:
    """The open alerts of some accounts, new ones first, then the most ARR.

    Parameters
    ----------
    record
        The open record; None where there is none yet.
    params
        The settings.
    as_of
        What fired later was not known on that day, and is left out.
    names, csms, arrs
        Of the accounts, by id; those that `csms` lacks are left out.
    """

    def __init__(
        self,
        record: Record | None,
        params: Params,
        as_of: date,
        names: Mapping[str, str],
        csms: Mapping[str, str],
        arrs: Mapping[str, float],
    ) -> None:
        self._names, self._expires_days, self._day = names, params.alerts.expires_days, as_of.isoformat()
        self._rules = {name: about(name, rule, params.alerts) for name, rule in params.alerts.rules.items()}
        self._answers = {} if record is None else answers_of(record)
        kinds = {name: str(rule["kind"]) for name, rule in self._rules.items()}
        status = {number: self._answer(number).get("answer", OPEN) for number in self._answers}
        standing = [
            Standing(number, rule, kinds[rule], account, csms[account], arrs.get(account, 0.0), fired_on,
                     value / _MILLION, delivery, status.get(number, OPEN))
            for number, rule, account, fired_on, value, delivery in (() if record is None else _unclosed(record))
            if account in csms and rule in kinds and fired_on <= self._day
        ]  # fmt: skip
        self.standing: Sequence[Standing] = sorted(standing, key=_order)

    def told(self, some: Iterable[Standing]) -> list[dict[str, Any]]:
        """Some of them with their playbooks and what people answered."""
        return [self._told(one) for one in some]

    def says(self, one: Standing) -> str:
        """Why it was raised."""
        return str(self._rules[one.rule]["says"])

    def first_step(self, one: Standing) -> dict[str, Any]:
        """The first step of its playbook, with the day by which it is due."""
        return _due(self._rules[one.rule]["steps"][0], date.fromisoformat(one.fired_on))

    def _answer(self, number: int) -> Mapping[str, Any]:
        """What was answered last; nothing once a snooze is over."""
        answer = self._answers.get(number, {})
        is_over = answer.get("answer") == SNOOZED and str(answer["until"]) <= self._day
        return {} if is_over else answer

    def _told(self, one: Standing) -> dict[str, Any]:
        rule, answer, fired_on = self._rules[one.rule], self._answer(one.alert_id), date.fromisoformat(one.fired_on)
        expires = expires_on(fired_on, self._answers.get(one.alert_id, {}), self._expires_days)
        return {
            **{name: getattr(one, name) for name in _AS_STANDING},
            **{name: rule[name] for name in ("kind", "feature", "says", "playbook")},
            "name": self._names.get(one.account_id, one.account_id),
            "by": answer.get("by", ""),
            "until": answer.get("until"),
            "reason": answer.get("reason", ""),
            "expires_on": expires.isoformat(),
            "steps": [_due(step, fired_on) for step in rule["steps"]],
        }


def open_alerts(
    record: Record,
    params: Params,
    as_of: date,
    names: Mapping[str, str],
    csms: Mapping[str, str],
    arrs: Mapping[str, float],
) -> list[dict[str, Any]]:
    """The open alerts of some accounts with their playbooks and what people answered, new ones and most ARR first."""
    alerts = OpenAlerts(record, params, as_of, names, csms, arrs)
    return alerts.told(alerts.standing)


def _due(step: Mapping[str, Any], fired_on: date) -> dict[str, Any]:
    """A step of a playbook with the day by which it is due."""
    return {**step, "due_on": (fired_on + timedelta(days=step["due_days"])).isoformat()}


def _order(one: Standing) -> tuple[bool, float, int]:
    return one.delivery != NEW, -one.arr, one.alert_id


def _unclosed(record: Record) -> Sequence[Any]:
    """Rows of the alerts that are not closed: number, rule, account, day, value in millionths, delivery.

    Of an account that was erased there is none.
    """
    query = (
        sa.select(
            ALERT.c.number, ALERT.c.rule, SUBJECT.c.name, ALERT.c.fired_on, ALERT.c.value_millionths, ALERT.c.delivery
        )
        .join(SUBJECT, (SUBJECT.c.subject_id == ALERT.c.subject_id) & (SUBJECT.c.kind == ACCOUNT))
        .where(ALERT.c.closed_on.is_(None))
    )
    with record.reading() as connection:
        return connection.execute(query).all()
