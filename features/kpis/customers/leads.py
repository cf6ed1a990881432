"""Leads for more business: where they came from, whose they were, and what came of them, as known at a date."""

from datetime import date

import pandas as pd

from features.asof.view import AsOf, day_number
from features.revenue.known_lines import load
from features.tables.checked import Tables
from params import Budget

RESULTS = ("open", "won", "lost")
NOT_SAID = "not said"


def leads_raised(tables: Tables, *, since: date, as_of: date, budget: Budget) -> pd.DataFrame:
    """The leads raised in a window by source and owner, as known before its end.

    Returns
    -------
    pandas.DataFrame
        `source`, `owner`, `raised` (leads), `open`, `won` and `lost` of them by the date, and the ARR of those that are
        open and won as written down (`open_arr`, `won_arr`). No rows where there is no such table.
    """
    names = ["source", "owner", "raised", *RESULTS, "open_arr", "won_arr"]
    if not tables.has("leads") or "leads" not in tables.kept:
        return pd.DataFrame(columns=names)
    asof = AsOf(tables, (as_of,))
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        steps = [
            connection.execute(sql).df().set_index(["source", "owner"])
            for sql in _steps(tables, asof, day_number(since))
        ]
    rows = pd.concat(steps, axis=1).fillna(0).reset_index()
    rows["open"] = rows["raised"] - rows["won"] - rows["lost"]
    rows["open_arr"] = (rows["raised_arr"] - rows["won_arr"] - rows["lost_arr"]).round(2)
    counts = ["raised", *RESULTS]
    rows[counts] = rows[counts].astype("int64")
    return rows.sort_values(["source", "owner"], ignore_index=True)[names]


def _steps(tables: Tables, asof: AsOf, first: int) -> list[str]:
    """SELECTs of what was raised, won and lost: each end counts from its own day on."""
    texts = [
        f"COALESCE({name}, '{NOT_SAID}') AS {name}" if tables.has("leads", name) else f"'{NOT_SAID}' AS {name}"
        for name in ("source", "owner")
    ]
    amount = "CAST(amount AS DOUBLE)" if tables.has("leads", "amount") else "CAST(NULL AS DOUBLE)"
    selects = []
    for name, day in (("raised", "raised_on"), ("won", "won_on"), ("lost", "lost_on")):
        where = f"CAST(raised_on AS DATE) - DATE '1970-01-01' >= {first}"
        if day == "raised_on" or tables.has("leads", day):
            events = asof.events("leads", (*texts, f"{amount} AS amount"), day=day, where=where)
        else:
            events = f"SELECT {', '.join(texts)}, 0.0 AS amount, 1 AS kv FROM raw.leads WHERE FALSE"
        selects.append(f"""SELECT source, owner, COUNT(*) AS {name}, COALESCE(SUM(amount), 0) AS {name}_arr
                           FROM ({events}) e WHERE kv = 1 GROUP BY source, owner""")
    return selects
