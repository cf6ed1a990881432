"""Calls beside the model's official forecast of the same account and window, and what came of both.

A call is compared with the newest official forecast at or before its day: what the model had said when it was made. The
window is the shortest that is kept of that forecast and holds the day that the call means: the renewal or month that it
names, else the account's next renewal by the forecast, else a quarter from the call. The outcome is whether the account
was a customer when that window ended.
"""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from features.asof.calls_known import calls_known
from features.revenue import add_months
from features.tables.checked import Tables
from models.scores.callers import CATEGORY_OF, category_probability, log_score_difference, stated_probability
from params import Budget
from serving.forecast.with_calls import CHURN
from serving.journal.calls import call_rows
from serving.journal.entries import CALL, read
from serving.ledger.archive import WITH_CALLS
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile
from serving.ledger.record_tables import OFFICIAL, OUTCOME, RUN
from serving.ledger.subjects import ACCOUNT, names_of
from serving.ledger.withdrawals import WITHDRAWN

QUARTER_MONTHS = 3
OLDEST_MONTHS = 3  # a forecast that is older says nothing of what the model knew when the call was made


@dataclass(frozen=True)
class PairedCall:
    """A call, the model's figures of the same account and window, and what came; None = not said, not known.

    Attributes
    ----------
    kind
        The category, or the one that an outcome without a category stands for.
    probability
        Of being kept: as stated (of growing or shrinking does not count), else what the kind stands for by what came of
        the caller's own calls before.
    model_probability, model_expected_arr, arr
        Of being kept, ARR expected at the window's end, and ARR at the forecast's date, by the forecast `model_as_of`.
    kept, actual_arr, known_on
        What came, and from when it was known.
    difference
        Log score of the call less the model's.
    with_calls_probability
        Of being kept, by the model with calls; None where that said nothing of the account.
    is_final
        Whether it is the one the company goes by.
    """

    call_id: str | None
    account_id: str
    called_on: date
    called_by: str | None
    outcome: str | None
    category: str | None
    for_date: date | None
    amount: float | None
    reason: str | None
    seen_model: bool | None
    superseded_by: str | None
    stated: float | None
    kind: str | None
    probability: float | None = None
    model_as_of: date | None = None
    horizon_months: int | None = None
    model_probability: float | None = None
    model_expected_arr: float | None = None
    arr: float | None = None
    kept: bool | None = None
    actual_arr: float | None = None
    known_on: str | None = None
    difference: float | None = None
    with_calls_probability: float | None = None
    is_final: bool = False


def paired_calls(record: Record, tables: Tables, *, budget: Budget) -> list[PairedCall]:
    """All calls of the journal and of the table `calls`, oldest first, beside the model's."""
    brought = calls_known(tables, budget=budget)
    brought = brought.astype(object).where(brought.notna(), None)
    written = sorted(call_rows(read(record, CALL)), key=lambda row: row["number"])
    rows: list[Mapping[Any, Any]] = [*brought.to_dict("records"), *written]
    unique: dict[Any, Mapping[Any, Any]] = {row["call_id"] or place: row for place, row in enumerate(rows)}
    calls = sorted((_call(row) for row in unique.values()), key=lambda call: (call.called_on, call.account_id))
    return _with_probabilities(_with_model(record, calls))


def _call(row: Mapping[str, Any]) -> PairedCall:
    names = ("call_id", "account_id", "called_by", "outcome", "category", "amount", "reason", "superseded_by")
    outcome, category = row["outcome"], row["category"]
    return PairedCall(
        **{name: row[name] for name in names},
        called_on=_day(row["called_on"]),
        for_date=None if row["for_date"] is None else _day(row["for_date"]),
        seen_model=None if row["seen_model"] is None else bool(row["seen_model"]),
        stated=stated_probability(outcome, row["probability"]),
        kind=category or CATEGORY_OF.get(outcome or ""),
        is_final=bool(row.get("is_final")),
    )


def _day(value: Any) -> date:
    return pd.Timestamp(value).date()


def _with_model(record: Record, calls: Sequence[PairedCall]) -> list[PairedCall]:
    """Calls with what the official forecast before them said, and what came of its window."""
    query = sa.select(RUN.c.number, RUN.c.as_of, RUN.c.account_rows, RUN.c.archive)
    query = query.where(RUN.c.kind == OFFICIAL, RUN.c.number.not_in(WITHDRAWN), RUN.c.account_rows.is_not(None))
    with record.reading() as connection:
        runs = connection.execute(query.order_by(RUN.c.as_of)).all()
        outcomes = connection.execute(sa.select(OUTCOME).where(OUTCOME.c.edition == 1)).all()
    names = names_of(record, ACCOUNT)
    days = [date.fromisoformat(run.as_of) for run in runs]
    came = {(row.run_number, row.horizon_months): row for row in outcomes}
    forecasts = _Forecasts(record, names)
    paired = []
    for call in calls:
        place = bisect.bisect_right(days, call.called_on) - 1
        recent = place >= 0 and add_months(days[place], OLDEST_MONTHS) >= call.called_on
        paired.append(forecasts.beside(call, runs[place], days[place], came) if recent else call)
    return paired


class _Forecasts:
    """Account rows of forecasts and of what came of them, by account, each file read once."""

    def __init__(self, record: Record, names: Mapping[bytes, str]) -> None:
        self._record, self._names = record, names
        self._files: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self._archives: dict[str, Mapping[str, str]] = {}

    def beside(self, call: PairedCall, run: Any, day: date, came: Mapping[tuple[int, int], Any]) -> PairedCall:
        rows = self._rows(run.account_rows, call.account_id)
        renewal = next((_day(row["renews_on"]) for row in rows if row.get("renews_on")), None)
        meant = call.for_date or (renewal if renewal and renewal >= call.called_on else None)
        meant = meant or add_months(call.called_on, QUARTER_MONTHS)
        row = next((one for one in rows if add_months(day, one["horizon_months"]) > meant), None)
        if row is None:
            return call
        call = replace(
            call,
            model_as_of=day,
            horizon_months=row["horizon_months"],
            model_probability=1 - row["churn_probability"] / 1_000_000,
            model_expected_arr=row["expected_arr"] / 100,
            arr=row["arr"] / 100,
            with_calls_probability=self._with_calls(run.archive, call.account_id, row["horizon_months"]),
        )
        outcome = came.get((run.number, row["horizon_months"]))
        return call if outcome is None else self._with_outcome(call, outcome)

    def _with_calls(self, archive: str | None, account: str, months: int) -> float | None:
        """What the model with calls said of an account being kept, None where nothing."""
        if archive is None:
            return None
        rows = self._rows(self._manifest(archive).get(WITH_CALLS, ""), account, key="account_id")
        churn = next((row[CHURN] for row in rows if row["horizon_months"] == months), None)
        return None if churn is None else 1 - churn / 1_000_000

    def _manifest(self, archive: str) -> Mapping[str, str]:
        """The tables of an archive; none of one that is missing or damaged."""
        if archive not in self._archives:
            try:
                self._archives[archive] = self._record.files.manifest(archive)["tables"]
            except BrokenFile:
                self._archives[archive] = {}
        return self._archives[archive]

    def _with_outcome(self, call: PairedCall, outcome: Any) -> PairedCall:
        row = next(iter(self._rows(outcome.account_rows, call.account_id)), None)
        if row is None or row["starting_arr"] is None:
            return call
        actual = row["ending_arr"] / 100
        return replace(call, kept=bool(row["customer"]), actual_arr=actual, known_on=outcome.known_on)

    def _rows(self, digest: str, account: str, key: str = "subject_id") -> list[dict[str, Any]]:
        """The rows of an account in a file; none of one that is missing or damaged, or of no file."""
        if digest not in self._files:
            by_account: dict[str, list[dict[str, Any]]] = {}
            try:
                for row in self._record.files.table(digest).to_pylist():
                    by_account.setdefault(self._names.get(row[key], ""), []).append(row)
            except BrokenFile:
                by_account = {}
            self._files[digest] = by_account
        return self._files[digest].get(account, [])


def _with_probabilities(calls: Sequence[PairedCall]) -> list[PairedCall]:
    """Calls with the probability that each stands for, by what was known of the caller's own calls when it was made."""
    resolved = [call for call in calls if call.kept is not None and call.kind and not call.superseded_by]
    finished = []
    for call in calls:
        probability = call.stated
        if probability is None and call.kind:
            before = [
                other.kept
                for other in resolved
                if (other.called_by, other.kind) == (call.called_by, call.kind)
                and other.known_on is not None
                and other.known_on <= call.called_on.isoformat()
            ]
            probability = category_probability(call.kind, sum(map(bool, before)), len(before))
        finished.append(replace(call, probability=probability, difference=_difference(call, probability)))
    return finished


def _difference(call: PairedCall, probability: float | None) -> float | None:
    if probability is None or call.model_probability is None or call.kept is None or call.superseded_by:
        return None
    called, model, kept = np.array([[probability], [call.model_probability], [float(call.kept)]])
    return float(log_score_difference(called, model, kept)[0])
