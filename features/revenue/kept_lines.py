"""ARR of contract lines that were kept as known at a date (see `timelines.contract_lines`), without tables."""

from datetime import date

import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import load, priced_at
from features.revenue.lines import line_statements
from features.revenue.spells import spell_statements
from features.tables.database import open_duckdb
from params import Budget, Revenue

_TEXTS = ("product", "kind", "buying_center", "currency", "status")


def arr_of_kept_lines(
    lines: pd.DataFrame, rates: pd.DataFrame, *, day: date, since: date, rules: Revenue, budget: Budget
) -> pd.DataFrame:
    """What the accounts paid at a date, by lines and exchange rates as they were kept.

    Parameters
    ----------
    lines
        The columns of `timelines.contract_lines`.
    rates
        `currency` and `rate`, of all currencies of lines in force but the reporting one.
    day
        The date.
    since
        An earlier one: who left and came back after it counts 0 under `revenue.reactivation: exclude`.
    rules
        Reporting currency, grace, what replaces what, pauses and reactivation.
    budget
        What the engine may use; results do not depend on it.

    Returns
    -------
    pandas.DataFrame
        Index `account_id`: `arr` in the reporting currency, and `paused`, whether it is a customer without ARR. Who is
        neither has no row.

    Raises
    ------
    NoRate
        A line in force has a currency without a rate.
    """
    number = day_number(day)
    with open_duckdb(budget) as connection:
        load(connection, {"kept": _texts(lines), "cal": pd.DataFrame({"k": [1], "t": [number]})})
        for statement in (*line_statements(_KEPT, rules), *spell_statements(rules)):
            connection.execute(statement)
        home = pd.DataFrame({"currency": [rules.currency], "rate": [1.0]})
        foreign = rates.loc[rates["currency"] != rules.currency, ["currency", "rate"]]
        in_force = f"""SELECT s.*, CAST({number} AS BIGINT) AS rate_day, 0 AS instant FROM line_states s
                       WHERE s.starts <= {number} AND {number} < s.active_until"""
        all_rates = pd.concat([home, foreign]).assign(rate_day=number)
        priced = priced_at(connection, all_rates, in_force, rules)
        return connection.execute(_by_account(priced, number, day_number(since), rules)).df().set_index("account_id")


def _texts(lines: pd.DataFrame) -> pd.DataFrame:
    """Lines as they are queried: columns that hold nothing, or that older ones lack, are texts all the same."""
    columns = {name: lines.get(name) for name in _TEXTS}
    return lines.assign(**columns).astype(dict.fromkeys(("account_id", "contract_id", *_TEXTS), "str"))


_KEPT = """
    SELECT 1 AS k, CAST(NULL AS BIGINT) AS next_k, 0 AS later, kept.*,
           DENSE_RANK() OVER (ORDER BY account_id, COALESCE(buying_center, ''), COALESCE(product, '')) AS product_line,
           DENSE_RANK() OVER (ORDER BY account_id, COALESCE(buying_center, '')) AS center_line
    FROM kept"""


def _by_account(priced: str, day: int, since: int, rules: Revenue) -> str:
    """SELECT of the accounts with ARR or a pause at a day, unbroken since the earlier one where that counts."""
    unbroken = f"""
        JOIN (SELECT DISTINCT account_id FROM coverage
              WHERE covered_from <= {since} AND {day} <= covered_until) v USING (account_id)"""
    return f"""
        SELECT account_id, MAX(cents) / 100 AS arr, MAX(cents) = 0 AS paused
        FROM (SELECT account_id, CAST(SUM(cents) AS BIGINT) AS cents FROM ({priced}) GROUP BY account_id
              UNION ALL SELECT account_id, 0 FROM pauses WHERE paused_from <= {day} AND {day} < paused_until) a
        {unbroken if rules.reactivation == "exclude" else ""}
        GROUP BY account_id ORDER BY account_id"""
