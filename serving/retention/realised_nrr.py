"""NRR, GRR, logo retention and movements between two dates, in total and by any column of the accounts."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from features.revenue import MOVEMENTS
from features.revenue.account_changes import account_changes
from features.revenue.cut_labels import NO_LABEL, in_order
from features.revenue.retention import definition, summarise
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Params
from serving.forecast.refusals import BadRequest
from serving.retention.cohort_labels import given_names, labels_between

Weight = Literal["arr", "account"]
TOTAL = "total"


@dataclass(frozen=True)
class RealisedNrr:
    """Retention of the accounts with ARR at `start`: `rows` in total and by value, `accounts` behind them.

    `rows` are plain data: cut, value, accounts, starting_arr, ending_arr, nrr, grr, logo_retention (None where there is
    nothing to divide by), movements, gross_losses, netted_within_accounts. `accounts` is what
    `features.revenue.account_changes` gives, with `name` and `value` (the label); so are those `paused` at `end`.
    """

    start: date
    end: date
    known_by: date
    cut: str
    weight: Weight
    currency: str
    definition: str
    rows: tuple[dict[str, Any], ...]
    accounts: pd.DataFrame
    paused: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "known_by": self.known_by.isoformat(),
            "by": None if self.cut == TOTAL else self.cut,
            "weight": self.weight,
            "currency": self.currency,
            "rows": list(self.rows),
            "paused": self.paused_rows(),
            "definition": self.definition,
        }

    def paused_rows(self) -> list[dict[str, str]]:
        """The paused accounts as plain data: account_id, name, paused_from and runs_out_on (ISO dates)."""
        names = ("account_id", "name", "paused_from", "runs_out_on")
        rows = self.paused[list(names)].itertuples(index=False, name=None)
        return [
            dict(zip(names, (account, name, str(first.date()), str(last.date())), strict=True))
            for account, name, first, last in rows
        ]


def realised_nrr(
    tables: Tables,
    *,
    start: date,
    end: date,
    params: Params,
    by: str | None = None,
    known_by: date | None = None,
    weight: Weight = "arr",
    progress: Progress = silent,
) -> RealisedNrr:
    """Work out what became of the ARR at `start` until `end`.

    Parameters
    ----------
    by
        A column of `accounts`, or a feature of the snapshot at `start`, as known then, or the last words of its name,
        such as phase for tenure_phase, where no other ends so; numbers by ranges, as
        `forecast.cut_bins` and `cut_edges` say. Accounts that came later are labelled as known at `end`, of numbers and
        features not at all.
    known_by
        Only what was known before this day counts; by default all that is known now.
    weight
        `arr`, or `account`: each account counts the same, whatever its ARR.

    Raises
    ------
    BadRequest
        The dates are not in order or lie beyond what is known, or there is no such column.
    """
    known = known_by or tables.data_until
    _require_window(start, end, known, tables.data_until)
    progress("following the accounts")
    accounts, paused = account_changes(
        tables, start=start, end=end, known_by=known, rules=params.revenue, budget=params.budget
    )
    labels = labels_between(tables, by, start, end, params, progress) if by else None
    by = by if labels is None else str(labels.name)
    values = TOTAL if labels is None else [labels.get(account, NO_LABEL) for account in accounts["account_id"]]
    names = given_names(tables, end, params)
    for frame in (accounts, paused):
        frame.insert(1, "name", [names.get(account, account) for account in frame["account_id"]])
    accounts.insert(2, "value", values)
    rows = [_row(TOTAL, TOTAL, accounts, weight)]
    if by:
        rows += _rows(by, accounts, weight)
    meaning = _meaning(definition(start, end, known, params.revenue), by, start, weight)
    if by and len(rows) > 1 and NO_LABEL in values and rows[-1]["value"] != NO_LABEL:
        meaning += f" Accounts that came later have no {by}: their movements are in the total alone."
    return RealisedNrr(
        start, end, known, by or TOTAL, weight, params.revenue.currency, meaning, tuple(rows), accounts, paused
    )


def _rows(by: str, accounts: pd.DataFrame, weight: Weight) -> list[dict[str, Any]]:
    """A row a label; none of accounts without one that all came later, since they are in no cohort."""
    parts = {str(value): part for value, part in accounts.groupby("value")}
    rows = [_row(by, value, parts[value], weight) for value in in_order(parts)]
    return [row for row in rows if row["accounts"] or row["value"] != NO_LABEL]


def _require_window(start: date, end: date, known_by: date, data_until: date) -> None:
    if not start < end:
        raise BadRequest(f"--from {start} must lie before --to {end}.")
    todo = f"Ask for a day up to {data_until}, or, if the source is complete further on, set source.data_until."
    if known_by > data_until:
        raise BadRequest(f"--known-by {known_by} lies after {data_until}, where the data end. {todo}")
    if end > known_by:
        why = f"--to {end} lies after {known_by}: what was known by then cannot say what came to pass."
        raise BadRequest(f"{why} {todo}" if known_by == data_until else f"{why} Give a later --known-by.")


def _row(cut: str, value: str, accounts: pd.DataFrame, weight: Weight) -> dict[str, Any]:
    """The figures of a group of accounts, added up in whole cents."""
    cohort = accounts[accounts["cohort"]]
    figures = summarise(cohort, "")
    before, after = (_cents(cohort[name]) for name in ("starting_arr", "ending_arr"))
    kept = np.minimum(before, after)
    lost = int(_cents(cohort["gross_losses"]).sum())
    nrr, grr = figures.nrr, figures.grr
    if weight == "account":
        nrr, grr = ((part / before).mean() for part in (after, kept))
    return {
        "cut": cut,
        "value": value,
        "accounts": figures.accounts,
        "starting_arr": figures.starting_arr,
        "ending_arr": figures.ending_arr,
        "nrr": _told(nrr),
        "grr": _told(grr),
        "logo_retention": _told(figures.logo_retention),
        "movements": {name: int(_cents(accounts[name]).sum()) / 100 for name in MOVEMENTS},
        "gross_losses": lost / 100,
        "netted_within_accounts": (lost - int((before - kept).sum())) / 100,
    }


def _told(ratio: float) -> float | None:
    return None if np.isnan(ratio) else float(ratio)


def _cents(amounts: "pd.Series[float]") -> "pd.Series[int]":
    return (amounts * 100).round().astype("int64")


def _meaning(retention: str, by: str | None, start: date, weight: Weight) -> str:
    cut = f" {by} is as known at {start}, of accounts that came later at the end." if by else ""
    same = " Each account counts the same in NRR and GRR, whatever its ARR." if weight == "account" else ""
    return (
        f"{retention}{cut}{same} Movements are of all accounts, those that came later among them; gross losses are the "
        "cohort's churn, pauses, contractions and price cuts, and what of them the same account gained elsewhere is "
        "netted within accounts: starting ARR x (1 - GRR) = gross losses - netted within accounts."
    )
