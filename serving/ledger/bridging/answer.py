"""A bridge as plain data and as a table: steps, NRR, a cut, and the accounts that moved most, each with its reason."""

import difflib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months
from features.revenue.cut_labels import NO_LABEL, in_order
from models.paths.bridge import STEPS, largest_remainder
from models.words import counted
from serving.forecast.declared.bridge_steps import ROLLING, STEP_WORDS
from serving.forecast.declared.output_tables import FORECAST_BRIDGE
from serving.forecast.definitions import Rules
from serving.forecast.refusals import BadRequest
from serving.ledger.bridging.between import Between
from serving.ledger.bridging.reasons import reasons
from serving.ledger.subjects import ERASED

METRIC = "ending_arr"
TOP = 10  # accounts with a line of their own
_PER_POINT = 1_000_000
_Rows = NDArray[np.int64]


def bridge_json(between: Between, *, by: str | None = None, top: int = TOP) -> dict[str, Any]:
    """A bridge as plain data.

    Parameters
    ----------
    between
        The bridge.
    by
        A column of accounts to split it by, as labelled at the first forecast's date.
    top
        How many accounts have a line of their own.

    Raises
    ------
    BadRequest
        The forecasts keep no such labels.
    """
    bridge, everyone = between.bridge, np.arange(len(between.accounts))
    return {
        "metric": METRIC,
        "currency": between.second.currency,
        "from": between.first.describe(),
        "to": between.second.describe(),
        "target": between.target.isoformat(),
        "accounts_in_cohort": int((~between.accounts["joined"]).sum()),
        "start": _money(bridge.start.sum()),
        "end": _money(bridge.end.sum()),
        "residual": _money(bridge.residual),
        "steps": _steps(between, everyone),
        "nrr": _nrr(between),
        "model_change_in_reverse_order": between.model_reversed,
        "shapley": dict(between.worth) if between.worth is not None else None,
        "by": _by(between, by) if by else None,
        "accounts": _movers(between, top),
        "not_split": between.lacking,
        "definition": definition(between),
    }


def bridge_table(between: Between) -> pd.DataFrame:
    """The columns of `forecast_bridge` but the run's, a row an account."""
    bridge = between.bridge
    columns: dict[str, Any] = {
        "account_id": between.accounts.index.astype(str),
        "from_as_of": pd.Timestamp(between.first.as_of),
        "from_run_id": between.first.run_id,
        "target": pd.Timestamp(between.target),
        "expected_before": bridge.start / 100,
        "expected_now": bridge.end / 100,
        "reason": reasons(between),
        "definition": definition(between),
    }
    columns |= {step.value: bridge.steps[:, place] / 100 for place, step in enumerate(STEPS) if step not in ROLLING}
    run = {"run_id": between.second.run_id, "as_of": pd.Timestamp(between.second.as_of)}
    run |= {"model_version": between.second.model_version, "made_at": between.second.made_at}
    return FORECAST_BRIDGE.shape(pd.DataFrame(columns | run))


def definition(between: Between) -> str:
    """What the figures of a bridge mean."""
    second = between.second
    rules = Rules(second.as_of, second.currency, second.rules.grace_days, second.rules.reactivation)
    return rules.bridge(between.first.as_of, add_months(between.first.as_of, between.first.horizon_months))


def _steps(between: Between, rows: _Rows) -> list[dict[str, Any]]:
    sums = between.bridge.steps[rows].sum(axis=0)
    return [
        {"step": step.value, "title": STEP_WORDS[step].title, "amount": _money(amount)}
        for step, amount in zip(STEPS, sums, strict=True)
        if between.rolling or step not in ROLLING
    ]


def _nrr(between: Between) -> dict[str, Any] | None:
    """The same over the cohort's starting ARR, which is fixed until the last step; in whole millionths."""
    first, last = between.starting_arr, between.starting_arr_restated
    if not first > 0 or not last > 0:
        return None
    start, end = (amount.sum() / 100 for amount in (between.bridge.start, between.bridge.end))
    ends = [int(np.rint(share * _PER_POINT)) for share in (start / first, end / last)]
    parts = np.append(between.bridge.steps.sum(axis=0) / 100 / first, end / last - end / first)
    whole = largest_remainder(parts[None] * _PER_POINT, np.array([ends[1] - ends[0]]))[0].tolist()
    names = [*(step.value for step in STEPS), "starting_arr_changed" if between.rolling else "starting_arr_restated"]
    return {
        "start": ends[0] / _PER_POINT,
        "end": ends[1] / _PER_POINT,
        "residual": (ends[1] - ends[0] - sum(whole)) / _PER_POINT,
        "starting_arr": [round(first, 2), round(last, 2)],
        "steps": [
            {"step": name, "amount": part / _PER_POINT}
            for name, part in zip(names, whole, strict=True)
            if between.rolling or name not in ROLLING
        ],
    }


def _by(between: Between, column: str) -> dict[str, Any]:
    labels = labels_of(between, column)
    rows = []
    for value in in_order(set(labels)):
        here = np.flatnonzero(labels == value)
        start, end = between.bridge.start[here].sum(), between.bridge.end[here].sum()
        sums = {"start": _money(start), "end": _money(end), "residual": 0.0, "steps": _steps(between, here)}
        rows.append({"cut": column, "value": value, "accounts": len(here), **sums})
    return {"column": column, "rows": rows}


def labels_of(between: Between, column: str) -> NDArray[np.object_]:
    """What a column of accounts said of each at the first forecast's date, of newcomers at the second's.

    Raises
    ------
    BadRequest
        The forecasts keep no such labels.
    """
    made = [made.ingredients for made in (between.first, between.second) if made.ingredients is not None]
    kept = list(dict.fromkeys(str(name) for one in made for name in one.labels.columns))
    if column not in kept:
        near = difflib.get_close_matches(column, kept, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        there = f"There are {', '.join(kept)}" if kept else "None are kept of these forecasts"
        raise BadRequest(f"--by {column}: no such labels are on record.{hint} {there} (forecast.cuts says which).")
    labels = pd.Series(np.nan, index=between.accounts.index, dtype=object)
    for one in made:
        if column in one.labels:
            labels = labels.fillna(one.labels[column].reindex(labels.index))
    return np.asarray(labels.fillna(NO_LABEL).to_numpy(dtype=object))


def _movers(between: Between, top: int) -> list[dict[str, Any]]:
    """The accounts that moved most, and all others as one line."""
    bridge = between.bridge
    change = bridge.end - bridge.start
    order = np.lexsort((np.arange(len(change)), -np.abs(change)))
    ids, why, names = between.accounts.index.tolist(), reasons(between), _names(between)
    lines = [
        _line(between, order[place : place + 1], ids[row], names[row], why[row])
        for place, row in enumerate(order[:top].tolist())
        if change[row]
    ]
    others = order[len(lines) :]
    if len(others):
        lines.append(_line(between, others, None, counted(len(others), "other account"), ""))
    return lines


def _line(between: Between, rows: _Rows, account: str | None, name: str, reason: str) -> dict[str, Any]:
    start, end = (int(amount[rows].sum()) for amount in (between.bridge.start, between.bridge.end))
    amounts = {item["step"]: item["amount"] for item in _steps(between, rows) if item["amount"]}
    return {
        "account_id": account,
        "name": name,
        "amount": _money(end - start),
        "start": _money(start),
        "end": _money(end),
        "steps": amounts,
        "reason": reason,
    }


def _names(between: Between) -> list[str]:
    """The accounts' names, of those without one the id."""
    names = pd.Series(between.accounts.index, index=between.accounts.index, dtype=object)
    for made in (between.first, between.second):
        if made.ingredients is not None and "name" in made.ingredients.snapshot:
            names = made.ingredients.snapshot["name"].reindex(names.index).astype(object).fillna(names)
    return ["an erased account" if str(name).startswith(ERASED) else str(name) for name in names]


def _money(cents: Any) -> float:
    return int(cents) / 100
