"""Accounts that left, by what the lines say, with the reason that somebody wrote down for it."""

from datetime import date

import pandas as pd

from features.asof.view import EPOCH, AsOf, day_number
from features.revenue.known_lines import lines_known, load, priced
from features.tables.checked import Tables
from features.tables.sql import code
from params import Budget, Revenue

REASONS = ("cause", "reason", "competitor", "owner_department")


def lost_accounts(
    tables: Tables, *, since: date, as_of: date, within_days: int, rules: Revenue, budget: Budget
) -> pd.DataFrame:
    """The accounts that were customers once, and left from `since` on.

    Parameters
    ----------
    tables
        The checked tables.
    since, as_of
        An account is here if the last day on which it was a customer lies between them and it is none at `as_of`, by
        what was known before that day.
    within_days
        How far the day of `churn_events` may lie from the day that the lines say.
    rules, budget
        How lines become revenue, and what the engine may use.

    Returns
    -------
    pandas.DataFrame
        By `account_id`: `left_on` (the first day without), `arr` (on the last day that it paid, at the rates of
        `as_of`), and the `REASONS`, None where nobody wrote any down.
    """
    start, end = day_number(since), day_number(as_of)
    with lines_known(tables, known_by=as_of, rules=rules, budget=budget) as connection:
        gone = connection.execute(_GONE, [end, start, end]).df()
        load(connection, {"last_days": gone})
        select = priced(connection, tables, _LAST_LINES, [end], rules)
        arr = connection.execute(f"SELECT account_id, SUM(cents) / 100 AS arr FROM ({select}) GROUP BY account_id").df()
    lost = gone.set_index("account_id").join(arr.set_index("account_id")).fillna({"arr": 0.0})
    lost = lost.join(_written_down(tables, gone, as_of, within_days, budget)).sort_index()
    lost["left_on"] = pd.to_datetime(lost["until"], unit="D", origin=pd.Timestamp(EPOCH)).astype("datetime64[s]")
    return lost[["left_on", "arr", *REASONS]]


_GONE = """
    SELECT c.account_id, c.until, p.paid_until, 0 AS instant, CAST(? AS BIGINT) AS rate_day
    FROM (SELECT account_id, MAX(covered_until) AS until FROM coverage GROUP BY account_id) c
    JOIN (SELECT account_id, MAX(active_until) AS paid_until FROM line_states
          WHERE mrr_micros > 0 AND starts < active_until GROUP BY account_id) p USING (account_id)
    WHERE c.until > ? AND c.until <= ?
    ORDER BY c.account_id"""
_LAST_LINES = """
    SELECT d.instant, d.rate_day, s.* FROM line_states s
    JOIN last_days d ON d.account_id = s.account_id AND s.starts < d.paid_until AND s.active_until >= d.paid_until
    WHERE s.starts < s.active_until"""


def _written_down(tables: Tables, gone: pd.DataFrame, as_of: date, within_days: int, budget: Budget) -> pd.DataFrame:
    """The reasons of the row nearest to the day that the lines say, by account."""
    if not tables.has("churn_events") or "churn_events" not in tables.kept:
        return pd.DataFrame(columns=list(REASONS), index=pd.Index([], name="account_id"), dtype=object)
    columns = [
        f"{_cell(name)} AS {name}" if tables.has("churn_events", name) else f"CAST(NULL AS VARCHAR) AS {name}"
        for name in REASONS
    ]
    asof = AsOf(tables, (as_of,))
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames() | {"gone": gone[["account_id", "until"]]})
        rows = connection.execute(f"""
            SELECT e.account_id, {", ".join(REASONS)}
            FROM ({asof.events("churn_events", columns)}) e JOIN gone g ON g.account_id = e.account_id
            WHERE e.kv = 1 AND ABS(e.day - g.until) <= {within_days}
            QUALIFY ROW_NUMBER() OVER (PARTITION BY e.account_id ORDER BY ABS(e.day - g.until), e.day DESC,
                                       cause NULLS LAST, reason NULLS LAST) = 1""").df()
    return rows.set_index("account_id").astype(object)


def _cell(name: str) -> str:
    """Codes are compared in any case; what people wrote stays as it is."""
    return code(name) if name == "cause" else name
