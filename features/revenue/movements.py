"""What changed between two instants, account by account: movements that add up to the change in ARR to the cent.

Both ends are valued at the rates of the start's month, and what the rates did is a movement of its own. Accounts that
came, came back, left, paused or resumed move as a whole. Of the others ARR is compared stream by stream, a stream being
the lines that follow one another inside the window (see `features.revenue.streams`):

- a stream at both ends: its volume is upsell or contraction, what remains is price change;
- a stream that is there at the end only: upsell if the buying centre had a line (where both lines name one) or else if
  the account had the product, else cross-sell;
- a stream that is there at the start only: contraction.

A loss and a gain are netted only inside a stream, never because they share a window.
"""

from datetime import date

import duckdb
import numpy as np
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import instants_frame, line_arr, lines_known, priced
from features.revenue.streams import stream_movements
from features.tables.checked import Tables
from params import Budget, Revenue

MOVEMENTS = (
    "new", "reactivation", "resume", "upsell", "cross_sell", "price_change", "contraction", "pause", "churn",
    "currency",
)  # fmt: skip


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
        Reporting currency, grace, pauses, and the reactivation rule.
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
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget, rolled_up_at=end) as connection:
        return movements_of_lines(connection, tables, start=start, end=end, rules=rules)


def movements_of_lines(
    connection: duckdb.DuckDBPyConnection, tables: Tables, *, start: date, end: date, rules: Revenue
) -> pd.DataFrame:
    """The same of the lines that a connection of `lines_known` holds."""
    instants = instants_frame([start, end, end], [start, start, end])
    cents = _cents(connection, line_arr(connection, tables, instants, rules))
    accounts = _accounts(connection, day_number(start), day_number(end))
    resumed = _before_pause(connection, tables, day_number(start), rules)
    rows = cents.merge(accounts, on="account_id", how="left")
    staying = _stays(rows, rules)
    changed = stream_movements(connection, tables, rows[staying], start=start, end=end, rules=rules)
    return _tidy(pd.concat([*_whole_accounts(rows[~staying], resumed, rules), changed, _currency(rows)]))


def check_window(start: date, end: date, known_by: date) -> None:
    """Raise if the instants are not in order or what the end came to cannot be known."""
    if not start < end <= known_by:
        raise ValueError(f"start {start}, end {end}, known_by {known_by}: they must satisfy start < end <= known_by")


def _cents(connection: duckdb.DuckDBPyConnection, lines: str) -> pd.DataFrame:
    """A row a line: cents before, after, and after at the end's rates."""
    return connection.execute(f"""
        SELECT account_id, contract_id, product,
               CAST(SUM(CASE WHEN instant = 0 THEN cents ELSE 0 END) AS BIGINT) AS before,
               CAST(SUM(CASE WHEN instant = 1 THEN cents ELSE 0 END) AS BIGINT) AS after,
               CAST(SUM(CASE WHEN instant = 2 THEN cents ELSE 0 END) AS BIGINT) AS after_at_end_rates
        FROM ({lines}) GROUP BY account_id, contract_id, product ORDER BY account_id, contract_id""").df()


def _accounts(connection: duckdb.DuckDBPyConnection, start: int, end: int) -> pd.DataFrame:
    """Per account: whether it was a customer before the start, is one at each end, and was one all the way between."""
    return connection.execute(f"""
        SELECT account_id, MAX(CASE WHEN covered_from < {start} THEN 1 ELSE 0 END) = 1 AS known_before,
               MAX(CASE WHEN covered_from <= {end} AND covered_until > {end} THEN 1 ELSE 0 END) = 1 AS customer_after,
               MAX(CASE WHEN covered_from <= {start} AND covered_until > {end} THEN 1 ELSE 0 END) = 1 AS unbroken
        FROM coverage GROUP BY account_id""").df()


def _before_pause(
    connection: duckdb.DuckDBPyConnection, tables: Tables, start: int, rules: Revenue
) -> "pd.Series[int]":
    """By account that is paused at the start: cents of its last paid day, at the start's rates."""
    lines = f"""
        SELECT 0 AS instant, {start} AS rate_day, s.* FROM line_states s
        JOIN pauses p ON p.account_id = s.account_id AND p.paused_from <= {start} AND {start} < p.paused_until
                     AND s.starts < p.paused_from AND s.active_until >= p.paused_from"""
    select = priced(connection, tables, lines, [start], rules)
    sums = connection.execute(f"SELECT account_id, CAST(SUM(cents) AS BIGINT) AS cents FROM ({select}) GROUP BY 1").df()
    return sums.set_index("account_id")["cents"]


def _totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Cents of each line's account, before and after."""
    return rows.groupby("account_id")[["before", "after"]].transform("sum")


def _stays(rows: pd.DataFrame, rules: Revenue) -> "pd.Series[bool]":
    """Lines of accounts that are compared stream by stream rather than as a whole."""
    totals = _totals(rows)
    both_ends = (totals["before"] > 0) & (totals["after"] > 0)
    return both_ends & rows["unbroken"].astype(bool) if rules.reactivation == "exclude" else both_ends


def _whole_accounts(rows: pd.DataFrame, before_pause: "pd.Series[int]", rules: Revenue) -> list[pd.DataFrame]:
    """Accounts that came, came back, left, left and came back, paused or resumed."""
    totals, unbroken = _totals(rows), rows["unbroken"].astype(bool)
    stayed = unbroken | (rows["customer_after"].astype(bool) if rules.reactivation == "include" else False)
    resumes = (totals["before"] == 0) & unbroken & rows["account_id"].isin(before_pause.index)
    came_back = (totals["before"] > 0) | rows["known_before"].astype(bool)
    arrived = np.select([resumes, came_back], ["resume", "reactivation"], "new")
    paused = (totals["after"] == 0) & stayed
    return [
        _rows(rows, arrived, rows["after"]),
        *_beyond_the_pause(rows[resumes], before_pause),
        _rows(rows, np.where(paused, "pause", "churn"), -rows["before"]),
    ]


def _beyond_the_pause(rows: pd.DataFrame, before_pause: "pd.Series[int]") -> list[pd.DataFrame]:
    """What an account that resumed pays more or less than before its pause: taken off the resumption."""
    ordered = rows[rows["after"] > 0].sort_values(["account_id", "after", "contract_id"], ascending=[True, False, True])
    largest = ordered.drop_duplicates("account_id")
    more = (
        ordered.groupby("account_id")["after"].sum().reindex(largest["account_id"]).to_numpy()
        - before_pause.reindex(largest["account_id"]).to_numpy()
    )
    return [
        _rows(largest, np.full(len(largest), "resume"), pd.Series(-more, index=largest.index)),
        _rows(largest, np.where(more > 0, "upsell", "contraction"), pd.Series(more, index=largest.index)),
    ]


def _currency(rows: pd.DataFrame) -> pd.DataFrame:
    effect = rows["after_at_end_rates"] - rows["after"]
    return _rows(rows, np.full(len(rows), "currency"), effect)


def _rows(lines: pd.DataFrame, movement: np.ndarray, cents: "pd.Series[int]") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": lines["account_id"],
            "movement": pd.Series(movement, index=lines.index, dtype="str"),
            "product": lines["product"],
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
