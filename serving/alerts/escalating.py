"""What is passed up to leadership: thresholds that are passed, and what accounts that alarm have in common.

Each is raised once, as an entry of the journal, and stands until it has come back. Somebody acknowledges it by name;
after `acknowledged_days` it asks again if it still stands.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from params import Params
from params_signals import Escalation
from serving.alerts.shared_cause import Cause, in_words
from serving.journal.entries import ESCALATION, ESCALATION_ANSWER, Entry, Note, Value, read, write
from serving.ledger.record import Record
from serving.ledger.subjects import is_personal

AUTHOR = "Holdfast"
TOTAL, SHARED_CAUSE = "total", "shared_cause"
LOST_BEYOND_LUCK = "lost_arr_share"
EXPECTED_LOSS_ROSE = "expected_loss_rise_share"
RAISED, OVER = "raised", "over"
OPEN, ACKNOWLEDGED = "open", "acknowledged"


class Wording(NamedTuple):
    """What a figure is called: as a title, and within a sentence."""

    title: str
    phrase: str


WORDS = {
    "arr_at_risk_share": Wording("ARR at risk, share of ARR", "ARR at risk as a share of ARR"),
    "arr_at_risk": Wording("ARR at risk", "ARR at risk"),
    "accounts": Wording("Accounts likely to leave", "accounts likely to leave"),
    LOST_BEYOND_LUCK: Wording(
        "ARR lost or under notice in a quarter, share of ARR",
        "ARR lost or under notice since a forecast, as a share of ARR,",
    ),
    EXPECTED_LOSS_ROSE: Wording(
        "Expected loss rose within a month",
        "expected loss",
    ),
    SHARED_CAUSE: Wording("A shared cause", "standard deviations above chance"),
}
_MILLION = 1_000_000
_TOP = 10
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Measure:
    """A figure that has a threshold: of all accounts (`cut` total), or of those with one value of a column.

    Where the time that it is measured over is not whole yet, it may be raised, and cannot have come back.
    """

    what: str
    cut: str
    group: str
    value: float
    limit: float
    is_whole: bool = True

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.what, self.cut, self.group


def measures_of(probabilities: pd.DataFrame, labels: pd.DataFrame, limits: Escalation) -> list[Measure]:
    """All figures that have a threshold.

    Parameters
    ----------
    probabilities
        `account_id`, `arr`, `churn_probability` over the longest horizon.
    labels
        Index `account_id`, a column for each of `limits.cuts` that there is.
    limits
        The thresholds.
    """
    if probabilities.empty:
        return []
    rows = probabilities.assign(at_risk=probabilities["arr"] * probabilities["churn_probability"])
    whole = {name: getattr(limits, name) for name in ("arr_at_risk_share", "arr_at_risk", "accounts")}
    measures = [*_measured(rows, TOTAL, TOTAL, whole, limits.churn_probability)]
    of_groups = {"arr_at_risk_share": limits.group_arr_at_risk_share, "accounts": limits.group_accounts}
    for cut in limits.cuts:
        if cut in labels.columns:
            groups = labels[cut].reindex(rows["account_id"]).fillna("(none)").to_numpy()
            for group, part in rows.groupby(groups):
                measures += _measured(part, cut, str(group), of_groups, limits.churn_probability)
    return measures


def pass_up(record: Record, measures: Sequence[Measure], causes: Sequence[Cause], as_of: date, params: Params) -> None:
    """Raise what passes its threshold and does not stand yet, and end what has come back.

    A date that was looked at already, or lies before, changes nothing.
    """
    entries = read(record, ESCALATION)
    if any(str(entry.payload["as_of"]) >= as_of.isoformat() for entry in entries):
        return
    standing = {_key(entry): entry for entry in _standing(entries)}
    found = [*measures, *(_of_a_cause(cause) for cause in causes)]
    by_key = {measure.key: measure for measure in found}
    eases_at = params.alerts.escalate.eases_at
    notes = [
        _note(measure, RAISED, as_of, causes)
        for key, measure in by_key.items()
        if key not in standing and measure.value >= measure.limit
    ]
    notes += [
        _note(by_key.get(key) or _measure(entry), OVER, as_of, ())
        for key, entry in standing.items()
        if key not in by_key or _has_come_back(by_key[key], eases_at)
    ]
    write(record, notes)


def escalations_of(record: Record, as_of: date, params: Params) -> list[dict[str, Any]]:
    """What stands as of a date, what nobody has acknowledged first.

    Each is `number`, `what`, `cut`, `group`, `value` (when it was raised), `limit`, `raised_on`, `says`, `causes` (in
    words), `status` (open or acknowledged), `by`, `note`, `acknowledged_on` and `asks_again_on`.
    """
    entries = [entry for entry in read(record, ESCALATION) if str(entry.payload["as_of"]) <= as_of.isoformat()]
    answers = {int(answer.payload["escalation"] or 0): answer for answer in read(record, ESCALATION_ANSWER)}
    rows = [_row(entry, answers.get(entry.number), as_of, params) for entry in _standing(entries)]
    return sorted(rows, key=lambda row: (row["status"] != OPEN, row["cut"] != TOTAL, row["number"]))


def acknowledge(number: int, author: str, note: str) -> Note:
    """That somebody has taken an escalation up, as the journal takes it."""
    return Note(ESCALATION_ANSWER, author, payload={"escalation": number, "answer": ACKNOWLEDGED}, text=note)


def most_at_risk(probabilities: pd.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The accounts that make most of the ARR at risk."""
    risk = probabilities.assign(at_risk=probabilities["arr"] * probabilities["churn_probability"])
    return largest_of(risk.set_index("account_id")["at_risk"], "arr_at_risk", names)


def largest_of(amounts: "pd.Series[float]", column: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The accounts with the largest amounts, which are by `account_id`: ids, names, and the amounts as `column`."""
    largest = amounts.sort_index().sort_values(ascending=False, kind="stable").head(_TOP)
    return [
        {"account_id": account, "name": names.get(account, account), column: amount}
        for account, amount in zip(largest.index.tolist(), largest.tolist(), strict=True)
    ]


def _has_come_back(measure: Measure, eases_at: float) -> bool:
    return measure.is_whole and measure.value < measure.limit * eases_at


def _measured(
    rows: pd.DataFrame, cut: str, group: str, limits: Mapping[str, float | None], likely: float
) -> Iterator[Measure]:
    at_risk, arr = float(rows["at_risk"].sum()), float(rows["arr"].sum())
    values = {
        "arr_at_risk_share": at_risk / arr if arr else 0.0,
        "arr_at_risk": at_risk,
        "accounts": float((rows["churn_probability"] >= likely).sum()),
    }
    for what, limit in limits.items():
        if limit is not None:
            yield Measure(what, cut, group, values[what], float(limit))


def _of_a_cause(cause: Cause) -> Measure:
    return Measure(SHARED_CAUSE, TOTAL, json.dumps([cause.scan, cause.conditions]), cause.z, cause.threshold)


def _note(measure: Measure, state: str, as_of: date, causes: Sequence[Cause]) -> Note:
    """An entry; whoever's name it would hold is in its people, so that an erasure reaches it."""
    people: dict[str, str] = {}
    told = [
        [cause.scan, _hidden(cause.conditions, f"cause{place}", people), len(cause.accounts)]
        for place, cause in enumerate(causes)
    ]
    group = measure.group
    if measure.what == SHARED_CAUSE:
        scan, conditions = json.loads(group)
        group = json.dumps([scan, _hidden([(column, value) for column, value in conditions], "group", people)])
    elif measure.cut != TOTAL and is_personal(measure.cut):
        people["group"], group = group, ""
    payload: dict[str, Value] = {
        "what": measure.what,
        "cut": measure.cut,
        "group": group,
        "state": state,
        "as_of": as_of.isoformat(),
        "value_millionths": round(measure.value * _MILLION),
        "limit_millionths": round(measure.limit * _MILLION),
        "causes": json.dumps(told, ensure_ascii=False),
    }
    return Note(ESCALATION, AUTHOR, payload=payload, people=people)


def _hidden(conditions: Sequence[tuple[str, str]], part: str, people: dict[str, str]) -> list[list[str]]:
    """Conditions with the names of people moved to `people`, their part in it standing instead."""
    pairs = []
    for place, (column, value) in enumerate(conditions):
        if is_personal(column) and value not in ("yes", "low", "high"):
            people[f"{part}.{place}"], value = value, f"@{part}.{place}"
        pairs.append([column, value])
    return pairs


def _shown(conditions: Sequence[Sequence[str]], people: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (column, (people.get(value[1:]) or "(erased)") if value.startswith("@") else value)
        for column, value in conditions
    ]


def _standing(entries: Sequence[Entry]) -> list[Entry]:
    """What was raised and has not come back."""
    newest: dict[Key, Entry] = {}
    for entry in entries:
        newest[_key(entry)] = entry
    return [entry for entry in newest.values() if entry.payload["state"] == RAISED]


def _key(entry: Entry) -> Key:
    return _measure(entry).key


def _measure(entry: Entry) -> Measure:
    """What an entry is of."""
    says = entry.payload
    group = entry.people.get("group", str(says["group"]))
    if says["what"] == SHARED_CAUSE:
        scan, conditions = json.loads(str(says["group"]))
        group = json.dumps([scan, _shown(conditions, entry.people)])
    value, limit = (int(says[name] or 0) / _MILLION for name in ("value_millionths", "limit_millionths"))
    return Measure(str(says["what"]), str(says["cut"]), group, value, limit)


def _row(entry: Entry, answer: Entry | None, as_of: date, params: Params) -> dict[str, Any]:
    measure, limits = _measure(entry), params.alerts.escalate
    answered_on = None if answer is None else date.fromisoformat(answer.written_at[:10])
    again = None if answered_on is None else answered_on + timedelta(days=limits.acknowledged_days)
    is_acknowledged = again is not None and as_of < again
    told = [(scan, _shown(conditions, entry.people), count) for scan, conditions, count in json.loads(_causes(entry))]
    return {
        "number": entry.number,
        "what": measure.what,
        "cut": measure.cut,
        "group": _group_words(measure),
        "value": measure.value,
        "limit": measure.limit,
        "raised_on": str(entry.payload["as_of"]),
        "says": _says(measure),
        "causes": [f"{scan}: {in_words(conditions)} ({count:,} accounts)" for scan, conditions, count in told],
        "status": ACKNOWLEDGED if is_acknowledged else OPEN,
        "by": "" if answer is None else answer.author,
        "note": "" if answer is None else answer.text,
        "acknowledged_on": answered_on and answered_on.isoformat(),
        "asks_again_on": again and again.isoformat(),
    }


def _causes(entry: Entry) -> str:
    return str(entry.payload.get("causes") or "[]")


def _group_words(measure: Measure) -> str:
    if measure.what != SHARED_CAUSE:
        return measure.group
    scan, conditions = json.loads(measure.group)
    return f"{scan}: {in_words([(column, value) for column, value in conditions])}"


def _says(measure: Measure) -> str:
    """It in one line."""
    if measure.what == SHARED_CAUSE:
        return f"{_group_words(measure)}, {measure.value:.1f} {WORDS[SHARED_CAUSE].phrase} (limit {measure.limit:.1f})"
    whole = "all accounts" if measure.cut == TOTAL else f"{measure.cut} {measure.group}"
    if measure.what == EXPECTED_LOSS_ROSE:
        rise, usual = f"{100 * measure.value:.1f}", f"{100 * measure.limit:.1f}"
        return (
            f"expected loss of {whole} rose by {rise} points of ARR within a month; 19 months in 20 stay below {usual}"
        )
    share = measure.what.endswith("_share")
    value, limit = (f"{one:.1%}" if share else f"{one:,.0f}" for one in (measure.value, measure.limit))
    return f"{WORDS[measure.what].phrase} of {whole} was {value}, and the limit is {limit}"
