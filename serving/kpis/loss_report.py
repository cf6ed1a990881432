"""Why revenue was lost: ARR lost by cause and quarter, what showed before, and whether reasons agree with it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from features.kpis.customers.losses import lost_accounts
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.paths import add_months
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Params
from serving.forecast.export import read_published
from serving.forecast.refusals import BadRequest
from serving.kpis.avoidable_losses import UNKNOWN, by_avoidability
from serving.kpis.signs import signs_in_words, signs_shown
from serving.retention.cohort_labels import given_names

ALL = "all"
Z95 = 1.959964
Row = dict[str, Any]


@dataclass(frozen=True)
class LossReport:
    """Losses up to a date: `events` an account that left, `today` the customers that show something now.

    Both are plain rows. `causes` are those of which signs are looked for, `beyond_us` those that nobody could avoid.
    """

    as_of: date
    since: date
    events: tuple[Row, ...]
    today: tuple[Row, ...]
    causes: tuple[str, ...]
    currency: str
    signs: dict[str, str]
    beyond_us: tuple[str, ...]
    definition: str

    def to_json(self, department: str | None = None) -> Row:
        """The whole as plain data, or the part that one department owns."""
        events = list(of_department(self.events, department))
        lost = sum(row["arr"] for row in events)
        unknown = sum(row["arr"] for row in events if row["cause"] == UNKNOWN)
        return {
            "as_of": self.as_of.isoformat(),
            "from": self.since.isoformat(),
            "department": department,
            "departments": departments_of(self.events),
            "currency": self.currency,
            "accounts": len(events),
            "arr_lost": round(lost, 2),
            "unknown_share": unknown / lost if lost else None,
            "rows": list(by_cause(events)),
            "avoidable": by_avoidability(events, self.beyond_us),
            "at_risk": list(at_risk(self.today, self.causes)),
            "agreement": list(agreement(self.events, self.causes)),
            "events": events,
            "signs": self.signs,
            "beyond_us": list(self.beyond_us),
            "definition": self.definition,
        }


def loss_report(
    tables: Tables, *, as_of: date, params: Params, months: int = 24, progress: Progress = silent
) -> LossReport:
    """Work out the losses of the months before `as_of` from what was known before it.

    Raises
    ------
    BadRequest
        The date lies after the data, or a sign of the settings is on a column that there is not.
    """
    if as_of > tables.data_until:
        raise BadRequest(f"--as-of {as_of} lies after {tables.data_until}, where the data end.")
    since = add_months(as_of, -months)
    lost = lost_accounts(
        tables,
        since=since,
        as_of=as_of,
        within_days=params.losses.within_days,
        rules=params.revenue,
        budget=params.budget,
    )
    looked_on = [_looked_on(day.date(), params.losses.before_days) for day in lost["left_on"]]
    shown = signs_shown(tables, sorted({*looked_on, as_of}), params, progress)
    causes = tuple(name for name in params.losses.signs if name in shown)
    events = _events(lost, looked_on, shown, causes, tables, as_of, params)
    today = _today(shown, causes, as_of, params)
    return LossReport(
        as_of,
        since,
        tuple(events),
        tuple(today),
        causes,
        params.revenue.currency,
        signs_in_words(params.losses),
        params.losses.beyond_us,
        _definition(as_of, since, params),
    )


def by_cause(events: Iterable[Row]) -> Iterator[Row]:
    """Accounts and ARR lost by cause, most ARR first: of all quarters, then of each."""
    frame = pd.DataFrame(list(events), columns=["cause", "quarter", "arr", "showed"])
    if frame.empty:
        return
    frame["foreseen"] = frame["showed"].map(bool)
    frame["seen_arr"] = frame["arr"].where(frame["foreseen"], 0.0)
    parts = pd.concat([frame.assign(quarter=ALL), frame])
    sums = parts.groupby(["quarter", "cause"]).agg(
        accounts=("arr", "size"), arr_lost=("arr", "sum"), showed=("foreseen", "sum"), showed_arr=("seen_arr", "sum")
    )
    whole = parts.groupby("quarter")["arr"].sum()
    sums = sums.reset_index().sort_values(["quarter", "arr_lost", "cause"], ascending=[True, False, True])
    for row in sorted(sums.to_dict("records"), key=lambda row: row["quarter"] != ALL):
        total = float(whole[row["quarter"]])
        yield {
            "cause": row["cause"],
            "quarter": row["quarter"],
            "accounts": int(row["accounts"]),
            "arr_lost": round(row["arr_lost"], 2),
            "share": row["arr_lost"] / total if total else None,
            "showed_before": int(row["showed"]),
            "arr_showed_before": round(row["showed_arr"], 2),
        }


def at_risk(today: Sequence[Row], causes: Sequence[str]) -> Iterator[Row]:
    """Today's customers that show a sign of each cause: how many, their ARR, and their ARR at risk by the forecast."""
    for cause in causes:
        here = [row for row in today if cause in row["shows"]]
        risk = [row["arr_at_risk"] for row in here if row["arr_at_risk"] is not None]
        yield {
            "cause": cause,
            "accounts": len(here),
            "arr": round(sum(row["arr"] for row in here), 2),
            "arr_at_risk": round(sum(risk), 2) if risk else None,
        }


def agreement(events: Iterable[Row], causes: Sequence[str]) -> Iterator[Row]:
    """How often an account that left for a cause had shown it before, beside those that left for others.

    `low` and `high` bound the difference (95 %).
    """
    told = [row for row in events if row["cause"] != UNKNOWN and row["showed"] is not None]
    for cause in causes:
        theirs, others = (
            [cause in row["showed"] for row in told if (row["cause"] == cause) == same] for same in (True, False)
        )
        if not theirs or not others:
            continue
        shares = [float(np.mean(part)) for part in (theirs, others)]
        error = math.sqrt(sum((s := (sum(p) + 1) / (len(p) + 2)) * (1 - s) / len(p) for p in (theirs, others)))
        gap = shares[0] - shares[1]
        yield {
            "cause": cause,
            "n": len(theirs),
            "showed": shares[0],
            "n_others": len(others),
            "others_showed": shares[1],
            "difference": gap,
            "low": max(gap - Z95 * error, -1.0),
            "high": min(gap + Z95 * error, 1.0),
        }


def departments_of(events: Iterable[Row]) -> list[str]:
    """The departments that own a loss."""
    return sorted({row["owner_department"] for row in events if row["owner_department"]})


def of_department(events: Sequence[Row], department: str | None) -> Iterator[Row]:
    """The losses that a department owns; all without one.

    Raises
    ------
    BadRequest
        It owns none.
    """
    there = departments_of(events)
    if department is not None and department.casefold() not in map(str.casefold, there):
        names = ", ".join(there) or "none: churn_events.owner_department is empty"
        raise BadRequest(f"--department {department}: no loss is owned by it. The owners are {names}.")
    for row in events:
        if department is None or (row["owner_department"] or "").casefold() == department.casefold():
            yield row


def _looked_on(left_on: date, before_days: int) -> date:
    """The start of the month in which signs are looked for: the newest that lies so long before."""
    return (left_on - timedelta(days=before_days)).replace(day=1)


def _events(
    lost: pd.DataFrame,
    looked_on: Sequence[date],
    shown: pd.DataFrame,
    causes: Sequence[str],
    tables: Tables,
    as_of: date,
    params: Params,
) -> Iterator[Row]:
    """An account that left, those of most ARR first."""
    names = given_names(tables, as_of, params)
    csms = _csms(tables, as_of, params).reindex(lost.index).fillna(NO_LABEL)
    rows = []
    for place, (account, row) in enumerate(zip(map(str, lost.index), lost.to_dict("records"), strict=True)):
        day = row["left_on"].date()
        rows.append({
            "account_id": account,
            "name": names.get(account, account),
            "csm": csms[account],
            "left_on": day.isoformat(),
            "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
            "arr": round(float(row["arr"]), 2),
            "cause": row["cause"] if isinstance(row["cause"], str) else UNKNOWN,
            **{n: row[n] if isinstance(row[n], str) else "" for n in ("reason", "competitor", "owner_department")},
            "showed": _showed(shown, (account, pd.Timestamp(looked_on[place])), causes),
        })  # fmt: skip
    yield from sorted(rows, key=lambda row: (-row["arr"], row["account_id"]))


def _showed(shown: pd.DataFrame, where: tuple[Any, pd.Timestamp], causes: Sequence[str]) -> list[str] | None:
    """The causes of which an account showed a sign on a day; None where it was no customer yet."""
    if where not in shown.index:
        return None
    row = shown.loc[where]
    return [cause for cause in causes if row[cause]]


def _csms(tables: Tables, as_of: date, params: Params) -> "pd.Series[str]":
    if not tables.has("accounts", "csm"):
        return pd.Series(dtype="str")
    return labels_in_force(tables, as_of, ("csm",), params.budget)["csm"]


def _today(shown: pd.DataFrame, causes: Sequence[str], as_of: date, params: Params) -> Iterator[Row]:
    """Today's customers that show something, with their ARR at risk where a forecast of the day is published."""
    here = shown.xs(pd.Timestamp(as_of), level="as_of")
    here = here[here["arr"] > 0]
    risk = _arr_at_risk(as_of, params)
    for account, row in here.iterrows():
        shows = [cause for cause in causes if row[cause]]
        if shows:
            at_stake = risk.get(str(account))
            yield {"account_id": str(account), "arr": float(row["arr"]), "arr_at_risk": at_stake, "shows": shows}


def _arr_at_risk(as_of: date, params: Params) -> dict[str, float]:
    published = read_published(params.data_dir / "forecasts", as_of)
    if published is None:
        return {}
    rows = published.tables["account_forecast"]
    rows = rows[rows["horizon_months"] == rows["horizon_months"].max()]
    return {
        str(account): float(amount) for account, amount in zip(rows["account_id"], rows["arr_at_risk"], strict=True)
    }


def _definition(as_of: date, since: date, params: Params) -> str:
    return (
        f"Accounts that left from {since} to {as_of} by what contract lines, as known before {as_of}; ARR on the "
        f"last day that each paid. Cause, competitor and owner are those of the row of churn_events nearest to that "
        f"day, {params.losses.within_days} days at most; unknown where there is none or it names no cause. Showed "
        f"before: at the start of the month that lies at least {params.losses.before_days} days before, from what was "
        "known then, a sign of a cause was there (losses.signs). A sign says what was seen and proves no cause. "
        f"Beyond us: {', '.join(params.losses.beyond_us) or 'no cause'} (losses.beyond_us)."
    )
