"""What changed between two instants, account by account: movements that add up to the change in ARR to the cent.

Both ends are valued at the rates of the start's month, and what the rates did is a movement of its own. ARR is
compared stream by stream, a stream being what one buying centre pays for one product:

- nothing at the start: `new`, or `reactivation` where the account had been a customer before;
- nothing at the end: `churn`. An account that left and came back inside the window is, with reactivation `exclude`,
  both: churn of all it had and reactivation of all it has;
- a stream at both ends: `price_change` if the line now in force says so, or if it does not say that it was an upsell
  or downsell and both ends know their seats and these are equal; else `upsell` or `contraction`;
- a stream that is new where the same buying centre lost one: a switch, whose net is upsell or contraction;
- any other new stream: `cross_sell`, or what its kind says; any other lost one: `contraction`.
"""

from datetime import date

import duckdb
import numpy as np
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import instants_frame, ledger, line_arr
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
    with ledger(tables, known_by=known_by, rules=rules, budget=budget) as connection:
        lines = line_arr(connection, tables, instants, rules)
        streams = _streams(connection, lines, day_number(start))
        accounts = _accounts(connection, day_number(start), day_number(end))
    streams = streams.merge(accounts, on="account_id", how="left")
    return _tidy(pd.concat([*_whole_accounts(streams, rules), *_continuing(streams, rules), _currency(streams)]))


def check_window(start: date, end: date, known_by: date) -> None:
    """Raise if the instants are not in order or what the end came to cannot be known."""
    if not start < end <= known_by:
        raise ValueError(f"start {start}, end {end}, known_by {known_by}: they must satisfy start < end <= known_by")


def _streams(connection: duckdb.DuckDBPyConnection, lines: str, start: int) -> pd.DataFrame:
    """A row a stream: cents before, after, after at the end's rates; seats at both ends; kind of its newest line."""
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


def _stays(streams: pd.DataFrame, rules: Revenue) -> "pd.Series[bool]":
    """Streams of accounts that are compared stream by stream rather than as a whole."""
    totals = streams.groupby("account_id")[["before", "after"]].transform("sum")
    both_ends = (totals["before"] > 0) & (totals["after"] > 0)
    return both_ends & streams["unbroken"] if rules.reactivation == "exclude" else both_ends


def _whole_accounts(streams: pd.DataFrame, rules: Revenue) -> list[pd.DataFrame]:
    """Accounts that came, came back, left, or left and came back."""
    moved = streams[~_stays(streams, rules)]
    had = moved.groupby("account_id")["before"].transform("sum") > 0
    came_back = had | moved["known_before"].astype(bool)
    arrived = np.where(came_back, "reactivation", "new")
    return [
        _rows(moved, arrived, moved["after"]),
        _rows(moved, np.full(len(moved), "churn"), -moved["before"]),
    ]


def _continuing(streams: pd.DataFrame, rules: Revenue) -> list[pd.DataFrame]:
    """Accounts with ARR at both ends, stream by stream."""
    staying = streams[_stays(streams, rules)]
    gained = (staying["before"] == 0) & (staying["after"] > 0)
    lost = (staying["before"] > 0) & (staying["after"] == 0)
    replacing = gained & ~staying["kind"].isin(["upsell", "cross_sell"])
    switched = (replacing | lost) & _any(replacing, staying) & _any(lost, staying)
    single = staying[~switched]
    change = single["after"] - single["before"]
    return [_rows(single, _label(single, gained[~switched]), change), _switches(staying[switched])]


def _any(flag: "pd.Series[bool]", streams: pd.DataFrame) -> "pd.Series[bool]":
    """Whether any stream of the same account and buying centre is flagged."""
    return flag.groupby([streams[key] for key in _CENTER]).transform("max").astype(bool)


def _label(streams: pd.DataFrame, gained: "pd.Series[bool]") -> np.ndarray:
    """The movement each stream's change is."""
    kind, change = streams["kind"], streams["after"] - streams["before"]
    same_seats = streams["seats_before"] == streams["seats_after"]
    repriced = (kind == "price_change") | (~gained & same_seats & ~kind.isin(["upsell", "downsell"]))
    names = ["contraction", "price_change", "cross_sell"]
    conditions = [streams["after"] == 0, repriced, gained & (kind != "upsell")]
    return np.select(conditions, names, np.where(change > 0, "upsell", "contraction"))


def _switches(streams: pd.DataFrame) -> pd.DataFrame:
    """One product for another in one buying centre: the net, under the name of the largest product that came."""
    ordered = streams.sort_values(["after", "product"], ascending=[False, True], kind="stable")
    net = ordered.groupby(_CENTER, as_index=False).agg(
        product=("product", lambda names: names.iloc[0]), before=("before", "sum"), after=("after", "sum")
    )
    change = net["after"] - net["before"]
    return _rows(net, np.where(change > 0, "upsell", "contraction"), change)


def _currency(streams: pd.DataFrame) -> pd.DataFrame:
    effect = streams["after_at_end_rates"] - streams["after"]
    return _rows(streams, np.full(len(streams), "currency"), effect)


def _rows(streams: pd.DataFrame, movement: np.ndarray, cents: "pd.Series[int]") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": streams["account_id"],
            "movement": pd.Series(movement, index=streams.index, dtype="str"),
            "product": streams["product"],
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
