"""What changed between two instants, account by account: movements that add up to the change in ARR to the cent.

Both ends are valued at the rates of the start's month, and what the rates did is a movement of its own. ARR is
compared subscription by subscription, a subscription being what one buying centre pays for one product:

- nothing at the start: `new`, or `reactivation` where the account had been a customer before;
- nothing at the end: `churn`. An account that left and came back inside the window is, with reactivation `exclude`,
  both: churn of all it had and reactivation of all it has;
- a subscription at both ends: `price_change` if the line now in force says so, or if it does not say that it was an
  upsell or downsell and both ends know their seats and these are equal; else `upsell` or `contraction`;
- a subscription that is new where the same buying centre lost one: a switch, whose net is upsell or contraction;
- any other new subscription: `cross_sell`, or what its kind says; any other lost one: `contraction`.
"""

from datetime import date

import duckdb
import numpy as np
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import instants_frame, line_arr, lines_known
from features.tables.checked import Tables
from params import Budget, Revenue

MOVEMENTS = ("new", "reactivation", "upsell", "cross_sell", "price_change", "contraction", "churn", "currency")

_CENTER = ["account_id", "buying_center"]


def movements(
    tables: Tables,
    *,
    start: date,
    end: date,
    known_by: date,
    rules: Revenue,
    budget: Budget,
) -> pd.DataFrame:
    """Movements of ARR between two instants, by what was known before `known_by`.

    Parameters
    ----------
    tables
        The checked tables.
    start, end
        The instants.
    known_by
        Only what was known before this day counts, for both ends.
    rules
        Reporting currency, grace, and the reactivation rule.
    budget
        What the engine may use; results do not depend on them.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `movement` (one of `MOVEMENTS`), `product` (None where lines name none; of a switch the
        product that came), `amount` (reporting currency a year, never 0). The amounts of an account, and so of any
        set of accounts, add up to ARR at the end at its month's rates less ARR at the start at its month's rates.

    Raises
    ------
    ValueError
        `start` is not before `end`, or `end` lies after `known_by`.
    """
    check_window(start, end, known_by)
    instants = instants_frame([start, end, end], [start, start, end])
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget) as connection:
        lines = line_arr(connection, tables, instants, rules)
        subscriptions = _subscriptions(connection, lines, day_number(start))
        accounts = _accounts(connection, day_number(start), day_number(end))
    subscriptions = subscriptions.merge(accounts, on="account_id", how="left")
    whole, continuing = _whole_accounts(subscriptions, rules), _continuing(subscriptions, rules)
    return _tidy(pd.concat([*whole, *continuing, _currency(subscriptions)]))


def check_window(start: date, end: date, known_by: date) -> None:
    """Raise if the instants are not in order or what the end came to cannot be known."""
    if not start < end <= known_by:
        raise ValueError(f"start {start}, end {end}, known_by {known_by}: they must satisfy start < end <= known_by")


def _subscriptions(connection: duckdb.DuckDBPyConnection, lines: str, start: int) -> pd.DataFrame:
    """A row a subscription: cents before, after, after at the end's rates; seats at both ends; last line's kind."""
    seats = "CASE WHEN COUNT(CASE WHEN instant = {0} AND seats IS NULL THEN 1 END) = 0 THEN SUM({1}) END"
    newest = (
        "PARTITION BY instant, account_id, product, COALESCE(buying_center, '') ORDER BY starts DESC, contract_id DESC"
    )
    return connection.execute(f"""
        SELECT account_id, product, COALESCE(buying_center, '') AS buying_center,
               CAST(SUM(CASE WHEN instant = 0 THEN cents ELSE 0 END) AS BIGINT) AS before,
               CAST(SUM(CASE WHEN instant = 1 THEN cents ELSE 0 END) AS BIGINT) AS after,
               CAST(SUM(CASE WHEN instant = 2 THEN cents ELSE 0 END) AS BIGINT) AS after_at_end_rates,
               CAST({seats.format(0, "CASE WHEN instant = 0 THEN seats END")} AS DOUBLE) AS seats_before,
               CAST({seats.format(1, "CASE WHEN instant = 1 THEN seats END")} AS DOUBLE) AS seats_after,
               MAX(CASE WHEN instant = 1 AND newest = 1 AND starts > {start} THEN kind END) AS kind
        FROM (SELECT *, ROW_NUMBER() OVER ({newest}) AS newest FROM ({lines}))
        GROUP BY account_id, product, COALESCE(buying_center, '') ORDER BY account_id, buying_center, product""").df()


def _accounts(connection: duckdb.DuckDBPyConnection, start: int, end: int) -> pd.DataFrame:
    """Per account: whether it was a customer before the start, and whether it was one all the way to the end."""
    return connection.execute(f"""
        SELECT account_id, MAX(CASE WHEN covered_from < {start} THEN 1 ELSE 0 END) = 1 AS known_before,
               MAX(CASE WHEN covered_from <= {start} AND covered_until > {end} THEN 1 ELSE 0 END) = 1 AS unbroken
        FROM coverage GROUP BY account_id""").df()


def _stays(subscriptions: pd.DataFrame, rules: Revenue) -> "pd.Series[bool]":
    """Subscriptions of accounts that are compared subscription by subscription rather than as a whole."""
    totals = subscriptions.groupby("account_id")[["before", "after"]].transform("sum")
    both_ends = (totals["before"] > 0) & (totals["after"] > 0)
    return both_ends & subscriptions["unbroken"] if rules.reactivation == "exclude" else both_ends


def _whole_accounts(subscriptions: pd.DataFrame, rules: Revenue) -> list[pd.DataFrame]:
    """Accounts that came, came back, left, or left and came back."""
    moved = subscriptions[~_stays(subscriptions, rules)]
    had = moved.groupby("account_id")["before"].transform("sum") > 0
    came_back = had | moved["known_before"].astype(bool)
    arrived = np.where(came_back, "reactivation", "new")
    return [
        _rows(moved, arrived, moved["after"]),
        _rows(moved, np.full(len(moved), "churn"), -moved["before"]),
    ]


def _continuing(subscriptions: pd.DataFrame, rules: Revenue) -> list[pd.DataFrame]:
    """Accounts with ARR at both ends, subscription by subscription."""
    staying = subscriptions[_stays(subscriptions, rules)]
    gained = (staying["before"] == 0) & (staying["after"] > 0)
    lost = (staying["before"] > 0) & (staying["after"] == 0)
    replacing = gained & ~staying["kind"].isin(["upsell", "cross_sell"])
    switched = (replacing | lost) & _any(replacing, staying) & _any(lost, staying)
    single = staying[~switched]
    change = single["after"] - single["before"]
    return [_rows(single, _label(single, gained[~switched]), change), _switches(staying[switched])]


def _any(flag: "pd.Series[bool]", subscriptions: pd.DataFrame) -> "pd.Series[bool]":
    """Whether any subscription of the same account and buying centre is flagged."""
    return flag.groupby([subscriptions[key] for key in _CENTER]).transform("max").astype(bool)


def _label(subscriptions: pd.DataFrame, gained: "pd.Series[bool]") -> np.ndarray:
    """The movement each subscription's change is."""
    kind, change = subscriptions["kind"], subscriptions["after"] - subscriptions["before"]
    same_seats = subscriptions["seats_before"] == subscriptions["seats_after"]
    repriced = (kind == "price_change") | (~gained & same_seats & ~kind.isin(["upsell", "downsell"]))
    names = ["contraction", "price_change", "cross_sell"]
    conditions = [subscriptions["after"] == 0, repriced, gained & (kind != "upsell")]
    return np.select(conditions, names, np.where(change > 0, "upsell", "contraction"))


def _switches(subscriptions: pd.DataFrame) -> pd.DataFrame:
    """One product for another in one buying centre: the net, under the name of the largest product that came."""
    ordered = subscriptions.sort_values(["after", "product"], ascending=[False, True], kind="stable")
    net = ordered.groupby(_CENTER, as_index=False).agg(
        product=("product", lambda names: names.iloc[0]), before=("before", "sum"), after=("after", "sum")
    )
    change = net["after"] - net["before"]
    return _rows(net, np.where(change > 0, "upsell", "contraction"), change)


def _currency(subscriptions: pd.DataFrame) -> pd.DataFrame:
    effect = subscriptions["after_at_end_rates"] - subscriptions["after"]
    return _rows(subscriptions, np.full(len(subscriptions), "currency"), effect)


def _rows(subscriptions: pd.DataFrame, movement: np.ndarray, cents: "pd.Series[int]") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": subscriptions["account_id"],
            "movement": pd.Series(movement, index=subscriptions.index, dtype="str"),
            "product": subscriptions["product"],
            "cents": cents.astype("int64"),
        }
    )


def _tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """A row an account, movement and product, in the order of `MOVEMENTS`, without those that come to 0."""
    keys = ["account_id", "movement", "product"]
    summed = rows.groupby(keys, dropna=False, as_index=False)["cents"].sum()
    summed = summed[summed["cents"] != 0]
    order = summed["movement"].map(MOVEMENTS.index)
    summed = summed.assign(order=order).sort_values(["account_id", "order", "product"], ignore_index=True)
    product = summed["product"].astype(object).where(summed["product"].notna(), None)
    tidy: pd.DataFrame = summed[["account_id", "movement"]].assign(product=product, amount=summed["cents"] / 100)
    return tidy
