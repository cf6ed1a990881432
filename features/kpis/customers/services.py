"""Paid services: what customers paid for them in a window, beside ARR and never in it."""

from datetime import date

import pandas as pd

from features.asof.view import AsOf, day_number
from features.revenue.known_lines import load, rates_on
from features.tables.checked import Tables
from features.tables.problems import Finding, NoRate
from features.tables.sql import quoted
from params import Budget, Revenue


def service_facts(tables: Tables, *, since: date, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """What each account paid for services delivered in a window, as known before its end.

    Returns
    -------
    pandas.DataFrame
        By `account_id`: `services_amount` in the reporting currency at the rates of `as_of`, and `services_bought`,
        how many. No columns where there is no such table.

    Raises
    ------
    NoRate
        An amount has a currency that has no rate by then.
    """
    if not tables.has("services", "amount") or "services" not in tables.kept:
        return pd.DataFrame(index=pd.Index([], name="account_id", dtype=object))
    asof, end = AsOf(tables, (as_of,)), day_number(as_of)
    currency = "currency" if tables.has("services", "currency") else "CAST(NULL AS VARCHAR) AS currency"
    events = asof.events("services", ("CAST(amount AS DOUBLE) AS amount", currency))
    with tables.at(as_of).connect(budget=budget) as connection:
        rates = rates_on(connection, tables, [end], rules)
        load(connection, asof.frames() | {"rates": rates})
        rows = connection.execute(f"""
            SELECT e.account_id, COALESCE(e.currency, {quoted(rules.currency)}) AS currency, e.amount, r.rate
            FROM ({events}) e
            LEFT JOIN rates r ON r.currency = COALESCE(e.currency, {quoted(rules.currency)})
            WHERE e.kv = 1 AND e.day >= {day_number(since)}""").df()
    _require_rates(rows, as_of)
    cents = (rows["amount"] * rows["rate"] * 100).round()
    sums = cents.groupby(rows["account_id"]).agg(["sum", "size"])
    return pd.DataFrame({"services_amount": sums["sum"] / 100, "services_bought": sums["size"]})


def _require_rates(rows: pd.DataFrame, as_of: date) -> None:
    lacking = sorted(rows.loc[rows["rate"].isna(), "currency"].unique())
    if lacking:
        what = f"has no rate of {', '.join(lacking)} by {as_of}, in which services were paid"
        raise NoRate(Finding("fx_rates", what, "Add their rates, or correct services.currency.", rule="no_rate"))
