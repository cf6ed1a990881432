"""What became of each account between two dates: its ARR at both, its movements, and what it lost on the way."""

from datetime import date

import pandas as pd

from features.revenue.known_lines import lines_known
from features.revenue.movements import MOVEMENTS, check_window, movements_of_lines
from features.revenue.retention import retention_of_lines
from features.tables.checked import Tables
from params import Budget, Revenue

LOSSES = ("churn", "pause", "contraction", "price_change")  # of the last only where it is negative


def account_changes(
    tables: Tables, *, start: date, end: date, known_by: date, rules: Revenue, budget: Budget
) -> pd.DataFrame:
    """The accounts with ARR at the start or a movement since, by `account_id`; all amounts in the reporting currency.

    Returns
    -------
    pandas.DataFrame
        `account_id`; `starting_arr` and `ending_arr` as `account_retention` gives them, 0 for accounts without ARR at
        the start; `cohort`, whether it had any; `customer`, whether the cohort's is one at the end; `gross_losses`, its
        churn, pauses, contractions and price cuts, as a positive amount (of the cohort); a column each of `MOVEMENTS`.

    Raises
    ------
    ValueError
        `start` is not before `end`, or `end` lies after `known_by`.
    """
    check_window(start, end, known_by)
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget, rolled_up_at=end) as connection:
        accounts = retention_of_lines(connection, tables, start=start, end=end, rules=rules).assign(cohort=True)
        moved = movements_of_lines(connection, tables, start=start, end=end, rules=rules)
    wide = moved.pivot_table(index="account_id", columns="movement", values="amount", aggfunc="sum")
    lost = moved[moved["movement"].isin(LOSSES) & (moved["amount"] < 0)].groupby("account_id")["amount"].sum()
    changes = accounts.set_index("account_id").join(wide.reindex(columns=list(MOVEMENTS)), how="outer")
    changes["cohort"] = changes["cohort"].notna()
    changes["customer"] = changes["customer"].eq(True)
    changes["gross_losses"] = -lost.reindex(changes.index).fillna(0.0) * changes["cohort"]
    amounts = ["starting_arr", "ending_arr", "gross_losses", *MOVEMENTS]
    changes[amounts] = changes[amounts].fillna(0.0).round(2)
    return changes.rename_axis("account_id").sort_index().reset_index()
