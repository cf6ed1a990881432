"""The lines as known at one date in a database of their own, and what each is worth at an instant."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from features.asof.view import EPOCH, AsOf, day_number
from features.revenue.lines import WORK_TABLES, line_statements
from features.revenue.spells import spell_statements
from features.tables.checked import Tables
from features.tables.problems import Finding, NoRate
from features.tables.sql import quoted
from params import Budget, Revenue

LINE_TABLES = ("line_states", "line_successors", "line_renewals", "coverage", "pauses")  # what is read of lines known


@contextmanager
def lines_known(
    tables: Tables, *, known_by: date, rules: Revenue, budget: Budget, rolled_up_at: date | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that holds the lines as known before `known_by`.

    Where accounts are rolled up by parents, it is by those of `rolled_up_at`, by default of `known_by`.

    Tables: `line_states` (one snapshot, k = 1), `line_successors` and `line_renewals` (which lines follow which, and
    which renew), `coverage` (the unbroken times in which an account was a customer, pauses among them) and `pauses`,
    see `features.revenue.spells`.
    Where the tables are kept open, those of a date are made once.
    """
    asof = AsOf(tables, (known_by,))

    def make(connection: duckdb.DuckDBPyConnection) -> Sequence[str]:
        load(connection, asof.frames())
        for statement in (*line_statements(asof.contracts(), rules), *spell_statements(rules)):
            connection.execute(statement)
        return LINE_TABLES

    key = ("lines", known_by, rules.model_dump_json())
    with tables.at(rolled_up_at or known_by).prepared(key, make, budget=budget) as connection:
        yield connection


def load(connection: duckdb.DuckDBPyConnection, frames: Mapping[str, pd.DataFrame | pa.Table]) -> None:
    """Make temp tables of frames, in place of any of the same name."""
    for name, frame in frames.items():
        connection.register("incoming", frame)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
        connection.unregister("incoming")


def instants_frame(instants: Sequence[date], rates_on: Sequence[date]) -> pd.DataFrame:
    """What `line_arr` takes: `instant` (0, 1, ...), its `day` number and `rate_day`, whose month gives the rates."""
    return pd.DataFrame({
        "instant": np.arange(len(instants)),
        "day": np.array([day_number(day) for day in instants], dtype="int64"),
        "rate_day": np.array([day_number(day) for day in rates_on], dtype="int64"),
    })  # fmt: skip


def line_arr(connection: duckdb.DuckDBPyConnection, tables: Tables, instants: pd.DataFrame, rules: Revenue) -> str:
    """SELECT of `instant`, the columns of `line_states` and `cents` (ARR): a row an instant and line active then.

    Loads `instants` and the rates they need.

    Raises
    ------
    NoRate
        A line in force has a currency that has no rate by then.
    """
    load(connection, {"instants": instants})
    lines = """SELECT i.instant, i.rate_day, s.* FROM line_states s
               JOIN instants i ON s.starts <= i.day AND i.day < s.active_until"""
    return priced(connection, tables, lines, sorted(set(instants["rate_day"])), rules)


def line_arr_in_hindsight(
    connection: duckdb.DuckDBPyConnection, tables: Tables, instants: pd.DataFrame, *, known_by: date, rules: Revenue
) -> str:
    """The same as `line_arr`, but each instant by what had happened before it, as known before `known_by`.

    Makes `line_states` anew, a row an instant's day and line; `coverage` and `pauses` stay those of what is known.
    """
    days = tuple(EPOCH + timedelta(days=int(day)) for day in sorted(set(instants["day"])))
    asof = AsOf(tables, days)
    load(connection, {"instants": instants, "cal": asof.frames()["cal"]})
    for table in (*WORK_TABLES, "line_states"):
        connection.execute(f"DROP TABLE IF EXISTS temp.main.{table}")  # absent where lines known are made once for all
    for statement in line_statements(asof.contracts_in_hindsight(known_by, rules.grace_days), rules):
        connection.execute(statement)
    lines = """SELECT i.instant, i.rate_day, s.* FROM line_states s
               JOIN instants i ON i.day = s.t AND s.later = 0 AND s.starts <= i.day AND i.day < s.active_until"""
    return priced(connection, tables, lines, sorted(set(instants["rate_day"])), rules)


def priced(
    connection: duckdb.DuckDBPyConnection, tables: Tables, lines: str, rate_days: Sequence[int], rules: Revenue
) -> str:
    """The SELECT `lines` with `cents` (ARR) at the rates of its column `rate_day`, which holds only `rate_days`.

    Discounts come off the lines that they lower, see `_net`; they have no row of their own.

    Raises
    ------
    NoRate
        A line has a currency that has no rate by then.
    """
    return priced_at(connection, rates_on(connection, tables, rate_days, rules), lines, rules)


def priced_at(connection: duckdb.DuckDBPyConnection, rates: pd.DataFrame, lines: str, rules: Revenue) -> str:
    """The same at given rates: `rate_day`, `currency`, `rate`, the reporting currency's 1 among them."""
    load(connection, {"rates": rates})
    select = f"""
        SELECT l.*, r.rate, CAST(ROUND(12 * l.mrr_micros * r.rate / 10000) AS BIGINT) AS cents FROM ({lines}) l
        LEFT JOIN rates r ON r.rate_day = l.rate_day AND r.currency = COALESCE(l.currency, {quoted(rules.currency)})"""
    _require_rates(connection, rates["rate_day"].nunique(), select)
    discounts = connection.execute("SELECT 1 FROM line_states WHERE mrr_micros < 0 LIMIT 1").fetchall()
    return _net(select) if discounts else select


def continuing(alias: str) -> str:
    """JOINs of `r`, the lines that start with line `alias` of its product and continue what ended."""
    return f"""
        JOIN line_states s ON s.product_line = {alias}.product_line AND s.starts = {alias}.starts
        JOIN line_renewals r ON r.next_id = s.contract_id AND r.spare < s.mrr_micros"""


def priced_on_days(
    connection: duckdb.DuckDBPyConnection, tables: Tables, wanted: str, rate_day: int, rules: Revenue
) -> str:
    """As `priced`, of the lines and days of the SELECT `wanted` (`contract_id`, `day`): `instant` is the day.

    A line is worth what the discounts of that day leave of it. Lines that are not active then are left out.

    Raises
    ------
    NoRate
        A line has a currency that has no rate by then.
    """
    lines = f"""
        SELECT d.day AS instant, {rate_day} AS rate_day, s.*
        FROM (SELECT DISTINCT l.account_id, w.day FROM ({wanted}) w
              JOIN line_states l ON l.contract_id = w.contract_id) d
        JOIN line_states s ON s.account_id = d.account_id AND s.starts <= d.day AND d.day < s.active_until"""
    return f"""
        SELECT p.* FROM ({priced(connection, tables, lines, [rate_day], rules)}) p
        JOIN (SELECT DISTINCT contract_id, day FROM ({wanted}) r) w
          ON w.contract_id = p.contract_id AND w.day = p.instant"""


def _net(select: str) -> str:
    """Lines with what discounts leave of their cents: each comes off the lines active with it, in proportion.

    Those are the lines of its product and buying centre, else of its buying centre, else of the account. Shares are
    differences of rounded running sums, so that they add up to the discount to the cent.
    """
    return f"""
        WITH lines AS (SELECT * FROM ({select})),
        pairs AS (
            SELECT d.instant, d.contract_id AS discount, d.cents AS off, l.contract_id, l.cents,
                   CASE WHEN l.product_line = d.product_line THEN 1 WHEN l.center_line = d.center_line THEN 2
                        ELSE 3 END AS distance
            FROM lines d JOIN lines l ON l.instant = d.instant AND l.account_id = d.account_id
            WHERE d.cents < 0 AND l.cents > 0),
        nearest AS (SELECT * FROM pairs
                    QUALIFY distance = MIN(distance) OVER (PARTITION BY instant, discount)),
        running AS (
            SELECT *, SUM(CAST(cents AS DOUBLE)) OVER (PARTITION BY instant, discount ORDER BY contract_id
                                                       ROWS UNBOUNDED PRECEDING) AS up_to,
                   SUM(CAST(cents AS DOUBLE)) OVER (PARTITION BY instant, discount) AS whole
            FROM nearest),
        shares AS (
            SELECT instant, contract_id,
                   SUM(ROUND(off * up_to / whole) - ROUND(off * (up_to - cents) / whole)) AS off
            FROM running GROUP BY instant, contract_id)
        SELECT lines.* REPLACE (CAST(lines.cents + COALESCE(s.off, 0) AS BIGINT) AS cents)
        FROM lines LEFT JOIN shares s ON s.instant = lines.instant AND s.contract_id = lines.contract_id
        WHERE lines.cents >= 0"""


def rates_on(
    connection: duckdb.DuckDBPyConnection, tables: Tables, days: Sequence[int], rules: Revenue
) -> pd.DataFrame:
    """Rates in force on each day, the reporting currency's 1 among them."""
    home = pd.DataFrame({"rate_day": days, "currency": rules.currency, "rate": 1.0})
    if not tables.has("fx_rates"):
        return home
    asof = AsOf(tables, tuple(EPOCH + timedelta(days=int(day)) for day in days))
    load(connection, {"cal": asof.frames()["cal"]})
    foreign = connection.execute(
        f"SELECT c.t AS rate_day, r.currency, r.rate FROM ({asof.rates()}) r JOIN cal c ON c.k = r.k"
    ).df()
    return pd.concat([home, foreign[foreign["currency"] != rules.currency]], ignore_index=True)


def _require_rates(connection: duckdb.DuckDBPyConnection, days: int, select: str) -> None:
    """Raise if a line in force has no rate; the join is only looked at where some currency lacks some day."""
    lacking = connection.execute(f"""
        SELECT s.currency FROM (SELECT DISTINCT currency FROM line_states WHERE currency IS NOT NULL) s
        LEFT JOIN rates r ON r.currency = s.currency
        GROUP BY s.currency HAVING COUNT(r.rate) < {days}""").fetchall()
    if not lacking:
        return
    missing = connection.execute(f"""
        SELECT currency, COUNT(DISTINCT contract_id), MIN(rate_day) FROM ({select}) WHERE rate IS NULL
        GROUP BY currency ORDER BY currency""").fetchall()
    if missing:
        currency, lines, day = missing[0]
        when = EPOCH + timedelta(days=day)
        many = "1 contract line" if lines == 1 else f"{lines:,} contract lines"
        what = f"has no rate for {currency} on {when}, but {many} in force {'is' if lines == 1 else 'are'} in it"
        todo = "Add a row for that month or an earlier one, or ask for a later date."
        raise NoRate(Finding("fx_rates", what, todo, rule="no_rate"))
