"""What the same data cost others: the least that reading takes, a plain pandas loop, and LightGBM's own SHAP values.

Run by `benchmarks.pipeline` as `python -m benchmarks.peers snapshots|shap KEY=VALUE ...`; prints rows as JSON.
"""

import json
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

import params as settings
from benchmarks.measure import seconds_of
from features.inputs.load import load_tables
from features.snapshots.building import Snapshots, build
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from params import Budget, Params

DECLARED = ("usage_28d", "usage_90d", "active_days_28d", "active_users_28d", "features_used_28d")
EXPLAINED_ROWS = 20_000
SCAN = """
    SELECT sum(hash(account_id)), sum(hash(used_on)), sum(hash(feature)), sum(hash(user_id)), sum(quantity),
        sum(hash(recorded_at))
    FROM raw.usage"""


def snapshots(params: Params) -> list[dict[str, Any]]:
    """All features at all month starts, beside one scan of the usage and five of its features by a loop in pandas.

    Raises
    ------
    ValueError
        The loop and the snapshots do not agree.
    """
    tables = load_tables(params).tables
    dates = month_starts(tables, params.snapshots)
    rules = {"revenue": params.revenue, "settings": params.snapshots}
    ours, made = seconds_of(lambda: build(tables, dates, **rules, budget=params.budget))
    floor, _ = seconds_of(lambda: _scan(tables, params.budget), repeats=3)
    peer, looped = seconds_of(lambda: usage_by_loop(tables, dates, params.budget))
    _require_same(made, looped)
    what = f"snapshots: {len(made.features)} features at {len(dates)} dates"
    return [
        _row(what, ours, f"one scan of the usage table, {params.threads} threads", floor),
        _row(what, ours, f"{len(DECLARED)} of them by a loop in pandas", peer),
    ]


def usage_by_loop(tables: Tables, dates: Sequence[date], budget: Budget) -> pd.DataFrame:
    """The declared features at each date, as one would first write them."""
    with tables.connect(budget=budget) as connection:
        usage = connection.execute("SELECT * FROM raw.usage").df()
    usage["known"] = usage["recorded_at"].fillna(usage["used_on"])
    return pd.concat([_usage_at(usage, pd.Timestamp(day)) for day in dates], ignore_index=True)


def _usage_at(usage: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    seen = usage[(usage["known"] < as_of) & (usage["used_on"] < as_of)]
    last_90 = seen[seen["used_on"] >= as_of - pd.Timedelta(days=90)]
    last_28 = last_90[last_90["used_on"] >= as_of - pd.Timedelta(days=28)]
    active = last_28[last_28["quantity"] > 0].groupby("account_id")
    columns = {
        "usage_28d": last_28.groupby("account_id")["quantity"].sum(),
        "usage_90d": last_90.groupby("account_id")["quantity"].sum(),
        "active_days_28d": active["used_on"].nunique(),
        "active_users_28d": active["user_id"].nunique(),
        "features_used_28d": active["feature"].nunique(),
    }
    return pd.DataFrame(columns).fillna(0).reset_index().assign(as_of=as_of)


def _require_same(made: Snapshots, looped: pd.DataFrame) -> None:
    keys = ["account_id", "as_of"]
    both = made.frame[[*keys, *DECLARED]].merge(looped, on=keys, how="left", suffixes=("", "_loop"))
    for name in DECLARED:
        if not np.allclose(both[name], both[f"{name}_loop"].fillna(0), atol=1e-6):
            raise ValueError(f"the loop gives another {name}: the comparison is not of the same work")


def shap(params: Params) -> list[dict[str, Any]]:
    """SHAP values of the champion's churn trees, beside LightGBM's `pred_contrib`, on as many threads.

    Raises
    ------
    ValueError
        The two do not agree.
    """
    from models.hazards.ensemble import EnsembleHazard
    from training.tracking.champion import load_champion

    tables = load_tables(params).tables
    frame = stored(tables, month_starts(tables, params.snapshots), params=params).frame
    model = load_champion(params).model
    rows, learned = model.rows_next_month(frame.tail(EXPLAINED_ROWS)), model.outcomes_["churn"].hazard
    hazard: Any = learned.trees if isinstance(learned, EnsembleHazard) else learned
    first, _ = seconds_of(lambda: hazard.contributions(rows[:10]))
    ours, (values, base) = seconds_of(lambda: hazard.contributions(rows))
    peer, theirs = seconds_of(lambda: hazard.booster_.predict(rows, pred_contrib=True, num_threads=1))
    if not np.allclose(np.column_stack([values, np.full(len(rows), base)]), theirs, atol=1e-6):
        raise ValueError("the SHAP values differ: the comparison is not of the same work")
    what = f"SHAP: {len(rows)} rows, {hazard.booster_.num_trees()} trees, 1 thread"
    compiled = _row("SHAP: compiling, once a process", first, "the same", peer)
    return [_row(what, ours, "LightGBM pred_contrib", peer), compiled]


def _scan(tables: Tables, budget: Budget) -> Any:
    with tables.connect(budget=budget) as connection:
        return connection.execute(SCAN).fetchone()


def _row(what: str, ours: float, peer: str, theirs: float) -> dict[str, Any]:
    return {"ours": what, "s": ours, "theirs": peer, "their s": theirs, "ours / theirs": ours / theirs}


if __name__ == "__main__":
    part, *overrides = sys.argv[1:]
    print(json.dumps({"snapshots": snapshots, "shap": shap}[part](settings.load(None, overrides))))
