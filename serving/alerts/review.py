"""The review of accounts at risk: who has each, what comes next and by when, and what came of what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from params import Params
from serving.alerts.rules import RISK
from serving.alerts.standing import OpenAlerts, Standing
from serving.journal.entries import DECISION, Entry, Note, Value, read
from serving.ledger.record import Record

OPEN, DONE, DROPPED = "open", "done", "dropped"
PROPOSED, NOTHING = "proposed", "nothing decided"
OUTCOME_DAYS = 90  # after a decision, what came of it is shown
KEPT, LESS, LEFT = "kept", "kept with less", "left"
COLUMNS = ("account_id", "name", "csm", "arr", "churn_probability", "arr_at_risk", "renews_on")
_CENTS = 100
Row = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """What is to be done for an account.

    Attributes
    ----------
    step
        What, in own words.
    owner
        Who does it.
    due_on
        By when.
    department
        Of the owner.
    state
        `OPEN`, `DONE` or `DROPPED`.
    """

    step: str
    owner: str
    due_on: date
    department: str = "csm"
    state: str = OPEN


def note_of(decision: Decision, account_id: str, arr: float, as_of: date, author: str) -> Note:
    """A decision as the journal takes it, with the ARR that the account had."""
    payload: dict[str, Value] = {
        "due_on": decision.due_on.isoformat(),
        "department": decision.department,
        "state": decision.state,
        "as_of": as_of.isoformat(),
        "arr_cents": round(arr * _CENTS),
    }
    return Note(DECISION, author, account_id, payload, people={"owner": decision.owner}, text=decision.step)


def review(record: Record, params: Params, as_of: date, accounts: Sequence[Row]) -> dict[str, list[Row]]:
    """The accounts at risk, most ARR at risk first, and what came of earlier decisions.

    Parameters
    ----------
    record
        The open record.
    params
        The settings.
    as_of
        The date of the forecast.
    accounts
        The customers whose review it is: `COLUMNS`, over the longest horizon, days as text. Those are enough that
        are likely to leave (`alerts.escalate.churn_probability`), and those of `accounts_decided`.

    Returns
    -------
    dict
        `rows` and `outcomes`.
    """
    decisions = read(record, DECISION)
    newest = {entry.account_id: entry for entry in decisions if str(entry.payload["as_of"]) <= as_of.isoformat()}
    facts: dict[str, Row] = {row["account_id"]: {name: row[name] for name in COLUMNS} for row in accounts}
    alerts = _open_alerts(record, params, as_of, facts)
    risks = _risks(alerts)
    likely = params.alerts.escalate.churn_probability
    rows = [
        _row(row, newest.get(account), alerts, risks.get(account, []), as_of)
        for account, row in facts.items()
        if row["churn_probability"] >= likely or _is_open(newest.get(account))
    ]
    rows.sort(key=lambda row: (-row["arr_at_risk"], row["account_id"]))
    return {"rows": rows, "outcomes": _outcomes(decisions, facts, as_of)}


def accounts_decided(record: Record) -> set[str]:
    """The accounts for which anything was ever decided."""
    return {entry.account_id for entry in read(record, DECISION) if entry.account_id is not None}


def of_book(content: Mapping[str, list[Row]], accounts: Sequence[str]) -> dict[str, list[Row]]:
    """A review of some accounts alone."""
    here = set(accounts)
    return {name: [row for row in rows if row["account_id"] in here] for name, rows in content.items()}


def _open_alerts(record: Record, params: Params, as_of: date, facts: Mapping[str, Row]) -> OpenAlerts:
    names, csms, arrs = ({account: row[column] for account, row in facts.items()} for column in ("name", "csm", "arr"))
    return OpenAlerts(record, params, as_of, names, csms, arrs)


def _risks(alerts: OpenAlerts) -> dict[str, list[Standing]]:
    by_account: dict[str, list[Standing]] = {}
    for alert in alerts.standing:
        if alert.kind == RISK:
            by_account.setdefault(alert.account_id, []).append(alert)
    return by_account


def _is_open(entry: Entry | None) -> bool:
    return entry is not None and entry.payload["state"] == OPEN


def _row(facts: Row, decision: Entry | None, alerts: OpenAlerts, risks: Sequence[Standing], as_of: date) -> Row:
    if decision is not None and _is_open(decision):
        plan = _decided(decision)
    elif risks:
        plan = _proposed(alerts.first_step(risks[0]), str(facts["csm"]))
    else:
        plan = {"state": NOTHING, "step": "", "owner": facts["csm"], "department": "csm", "due_on": None, "by": ""}
    return {
        **facts,
        "why": [alerts.says(one) for one in risks],
        **plan,
        "overdue": plan["due_on"] is not None and plan["due_on"] < as_of.isoformat(),
    }


def _decided(entry: Entry) -> Row:
    return {
        "state": OPEN,
        "step": entry.text,
        "owner": entry.people["owner"],
        "department": entry.payload["department"],
        "due_on": entry.payload["due_on"],
        "by": entry.author,
    }


def _proposed(step: Row, csm: str) -> Row:
    """The first step of the playbook of an open alert."""
    owner = csm if step["owner"] == "csm" else step["owner"]
    whole = {"step": step["step"], "owner": owner, "department": step["owner"], "due_on": step["due_on"]}
    return {"state": PROPOSED, **whole, "by": ""}


def _outcomes(decisions: Sequence[Entry], facts: Mapping[str, Row], as_of: date) -> list[Row]:
    """What came of each account's first decision that is `OUTCOME_DAYS` old, newest first."""
    last = (as_of - timedelta(days=OUTCOME_DAYS)).isoformat()
    first: dict[str, Entry] = {}
    for entry in decisions:
        if entry.account_id is not None and str(entry.payload["as_of"]) <= last:
            first.setdefault(entry.account_id, entry)
    rows = [_outcome(account, entry, facts.get(account)) for account, entry in first.items()]
    return sorted(rows, key=lambda row: (row["decided_on"], row["account_id"]), reverse=True)


def _outcome(account: str, entry: Entry, facts: Row | None) -> Row:
    before = int(entry.payload["arr_cents"] or 0) / _CENTS
    now = 0.0 if facts is None else float(facts["arr"])
    return {
        "account_id": account,
        "name": account if facts is None else facts["name"],
        "step": entry.text,
        "owner": entry.people["owner"],
        "decided_on": entry.payload["as_of"],
        "arr_then": before,
        "arr_now": now,
        "outcome": LEFT if now <= 0 else LESS if now < before else KEPT,
    }
