"""The movements of ARR of the last twelve months, account by account, as they are published."""

from datetime import date
from typing import Any

import pandas as pd

from features.revenue import add_months, arr_by_account, movements
from features.revenue.cut_labels import NO_LABEL
from features.tables.checked import Tables
from params import Params

BRIDGE_MONTHS = 12
START, END = "starting_arr", "ending_arr"


def movement_definition(as_of: date, params: Params) -> str:
    """What the movements mean."""
    start = add_months(as_of, -BRIDGE_MONTHS)
    return (
        f"Movements of ARR from {start} to {as_of}, as known before {as_of}, account by account; each account is "
        f"valued at the rates of {start:%Y-%m}, what the rates did is the movement currency, and all of them add up to "
        f"the change of ARR. New accounts count here and never in NRR. {params.revenue.currency} a year."
    )


def moves_until(tables: Tables, labels: pd.DataFrame, as_of: date, params: Params) -> pd.DataFrame:
    """The movements of the last twelve months and what they lead from and to; amounts by account."""
    start = add_months(as_of, -BRIDGE_MONTHS)
    moved = movements(tables, start=start, end=as_of, known_by=as_of, rules=params.revenue, budget=params.budget)
    ends = [
        arr_by_account(tables, [day], known_by=as_of, rules=params.revenue, budget=params.budget).assign(
            movement=name, product=None, amount=lambda f: f["arr"]
        )
        for day, name in ((start, START), (as_of, END))
    ]
    columns = ["account_id", "movement", "product", "amount"]
    moves = pd.concat([part[columns].astype({"product": object}) for part in (ends[0], moved, ends[1])])
    here = labels.reindex(moves["account_id"]).fillna(NO_LABEL).drop(columns="name", errors="ignore")
    labelled: pd.Series[Any] = pd.Series(here.to_dict(orient="records"), index=moves.index, dtype=object)
    return moves.assign(labels=labelled).reset_index(drop=True)
