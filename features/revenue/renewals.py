"""Available to renew: ARR whose term ends in a period, and what of it was renewed. The renewal rate is not NRR.

Month-to-month plans are no terms: they are due every month, and are told apart (`monthly_plans`).
"""

from datetime import date

import duckdb
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import continuing, lines_known, load, priced, priced_on_days
from features.tables.checked import Tables
from params import Budget, Revenue

MONTHLY_DAYS = 45  # a term of at most so many days is a month-to-month plan


def available_to_renew(
    tables: Tables, *, start: date, end: date, as_of: date, rules: Revenue, budget: Budget
) -> pd.DataFrame:
    """ARR of the lines whose scheduled term ends in `[start, end)`, from the lines as known before `as_of`.

    A line that notice was given for is available to renew (and so far not renewed); one that ended before its
    term, has none, or is over at `as_of` is not. Month-to-month plans are left out.

    Returns
    -------
    pandas.DataFrame
        `month` (datetime64, its first day), `account_id`, `available_to_renew` (reporting currency a year, at the
        rates of the `as_of` month), sorted by both.
    """
    lines = _due_lines(tables, start=start, end=end, as_of=as_of, rules=rules, budget=budget)
    due = lines.groupby(["month", "account_id"], as_index=False)["cents"].sum()
    return pd.DataFrame(due.assign(available_to_renew=due.pop("cents") / 100))


def renewals(
    tables: Tables,
    *,
    start: date,
    end: date,
    as_of: date,
    known_by: date,
    rules: Revenue,
    budget: Budget,
) -> pd.DataFrame:
    """What was available to renew as known at `as_of`, and what of it was renewed by what was known at `known_by`.

    Renewed is the ARR of the lines' successors that start within the grace, and of lines whose own end was moved
    back; no more than was available, account by account and month by month, so that expansion at a renewal does
    not count.

    Returns
    -------
    pandas.DataFrame
        `month`, `account_id`, `available_to_renew`, `renewed` (NaN while the grace of a line of that row lasts).
    """
    due = _due_lines(tables, start=start, end=end, as_of=as_of, rules=rules, budget=budget)
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget) as connection:
        load(connection, {"due_lines": due})
        connection.execute(f"CREATE OR REPLACE TEMP TABLE continued AS {_CONTINUED}")
        wanted = "SELECT contract_id, day FROM continued"
        lines = priced_on_days(connection, tables, wanted, day_number(as_of), rules)
        return _settle(connection, lines, day_number(known_by) - rules.grace_days)


def renewal_rates(renewed: pd.DataFrame) -> pd.DataFrame:
    """Renewal rate = renewed / available, by month, from what `renewals` gives.

    Returns
    -------
    pandas.DataFrame
        `month`, `available_to_renew`, `renewed`, `renewal_rate`, `accounts_due`; renewed and the rate are NaN for a
        month in which anything is still open.
    """
    months = renewed.groupby("month", as_index=False).agg(
        available_to_renew=("available_to_renew", "sum"),
        renewed=("renewed", lambda amounts: amounts.sum(skipna=False)),
        accounts_due=("account_id", "nunique"),
    )
    rate = months["renewed"] / months["available_to_renew"]
    return months.assign(renewal_rate=rate)[["month", "available_to_renew", "renewed", "renewal_rate", "accounts_due"]]


def _due_lines(tables: Tables, *, start: date, end: date, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """A row a line: `contract_id`, `account_id`, `month`, `ends` (day number), `cents` of ARR."""
    if not start < end:
        raise ValueError(f"start {start}, end {end}: the start must lie before the end")
    wanted = f"""
        SELECT contract_id, ends - 1 AS day FROM ({_TERMS}) l
        WHERE mrr_micros > 0 AND starts < ends AND term_ends >= ends AND active_until >= ends
          AND (ends < {day_number(as_of)} OR active_until > {day_number(as_of)})
          AND ends >= {day_number(start)} AND ends < {day_number(end)} AND term_days > {MONTHLY_DAYS}"""
    with lines_known(tables, known_by=as_of, rules=rules, budget=budget) as connection:
        select = priced_on_days(connection, tables, wanted, day_number(as_of), rules)
        due = connection.execute(f"SELECT contract_id, account_id, ends, cents FROM ({select}) ORDER BY 1").df()
    months = due["ends"].to_numpy().astype("datetime64[D]").astype("datetime64[M]")
    return due.assign(month=months.astype("datetime64[us]"))


# Lines with the length of the term they belong to, which began with the first line that ends with it.
_TERMS = """
    SELECT *, ends - MIN(starts) OVER (PARTITION BY account_id, ends) AS term_days
    FROM line_states WHERE mrr_micros <> 0"""


def monthly_plans(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """ARR of the lines in force at `as_of` whose term is at most `MONTHLY_DAYS` long: due every month.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `arr` (reporting currency a year), sorted by account.
    """
    lines = f"""
        SELECT *, 0 AS instant, {day_number(as_of)} AS rate_day FROM ({_TERMS}) l
        WHERE term_days <= {MONTHLY_DAYS} AND starts <= {day_number(as_of)} AND active_until > {day_number(as_of)}"""
    with lines_known(tables, known_by=as_of, rules=rules, budget=budget) as connection:
        select = priced(connection, tables, lines, [day_number(as_of)], rules)
        return connection.execute(
            f"SELECT account_id, SUM(cents) / 100 AS arr FROM ({select}) GROUP BY account_id ORDER BY account_id"
        ).df()


# Lines that carry on what was due, on the day from which they do: successors, what was split off them, and the line
# itself where its own end was moved back.
_CONTINUED = f"""
    SELECT d.month, f.next_id AS contract_id, f.next_starts AS day
    FROM due_lines d JOIN line_successors f ON f.contract_id = d.contract_id
    UNION
    SELECT d.month, r.next_id, r.next_starts
    FROM due_lines d JOIN line_successors f ON f.contract_id = d.contract_id
    JOIN line_states n ON n.contract_id = f.next_id {continuing("n")}
    UNION
    SELECT d.month, s.contract_id, d.ends
    FROM due_lines d JOIN line_states s ON s.contract_id = d.contract_id
    WHERE s.term_ends IS NULL OR s.term_ends > d.ends"""


def _settle(connection: duckdb.DuckDBPyConnection, lines: str, settled_before: int) -> pd.DataFrame:
    """Due and renewed by month and account."""
    amounts = connection.execute(f"""
        SELECT d.month, d.account_id, d.cents AS due, COALESCE(r.cents, 0) AS renewed, d.last_end
        FROM (SELECT month, account_id, CAST(SUM(cents) AS BIGINT) AS cents, MAX(ends) AS last_end
              FROM due_lines GROUP BY month, account_id) d
        LEFT JOIN (SELECT c.month, l.account_id, CAST(SUM(l.cents) AS BIGINT) AS cents
                   FROM continued c JOIN ({lines}) l ON l.contract_id = c.contract_id AND l.instant = c.day
                   GROUP BY c.month, l.account_id) r
          ON r.month = d.month AND r.account_id = d.account_id
        ORDER BY d.month, d.account_id""").df()
    renewed = amounts[["due", "renewed"]].min(axis=1) / 100
    return amounts[["month", "account_id"]].assign(
        available_to_renew=amounts["due"] / 100, renewed=renewed.where(amounts["last_end"] < settled_before)
    )
