"""What customers said: surveys sent and answered, and tickets, of a window before a date, as known then."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from features.asof.view import AsOf, day_number
from features.revenue.known_lines import load
from features.tables.checked import Tables
from features.tables.sql import code
from params import Budget

ASKED = ("kind", "respondent_role", "moment")
NOT_SAID = "not said"


def surveys_sent(tables: Tables, *, since: date, as_of: date, budget: Budget) -> pd.DataFrame:
    """The surveys sent in a window, a row each: `account_id`, `ASKED`, and whether it was `answered` by the date.

    No rows where the tables do not say when surveys were sent.
    """
    if not _is_kept(tables, "surveys", "sent_on"):
        return pd.DataFrame(columns=["account_id", *ASKED, "answered"])
    asked = _texts(tables, "surveys", ASKED)
    first = f"sent_on >= DATE '{since}'"
    sent = _rows(tables, as_of, budget, "surveys", asked, day="sent_on", where=first)
    answers = _rows(tables, as_of, budget, "surveys", asked, where=f"sent_on IS NOT NULL AND {first}")
    keys = ["account_id", *ASKED]
    counts = answers.groupby(keys).size().reindex(pd.MultiIndex.from_frame(sent[keys].drop_duplicates()), fill_value=0)
    place = sent.groupby(keys).cumcount()
    return sent.assign(answered=place < sent.merge(counts.rename("n"), left_on=keys, right_index=True)["n"])


def survey_answers(tables: Tables, *, since: date, as_of: date, budget: Budget) -> pd.DataFrame:
    """The answers of a window, a row each, newest first: `account_id`, `day`, `score`, `ASKED`, `theme`, `comment`."""
    columns = ["account_id", "day", "score", *ASKED, "theme", "comment"]
    if not _is_kept(tables, "surveys", "responded_on", "score"):
        return pd.DataFrame(columns=columns)
    read = [*_texts(tables, "surveys", ASKED), *_texts(tables, "surveys", ("theme",)), "score"]
    read.append("comment" if tables.has("surveys", "comment") else "CAST(NULL AS VARCHAR) AS comment")
    rows = _rows(tables, as_of, budget, "surveys", read, where="score IS NOT NULL")
    rows = rows[rows["day"] >= day_number(since)]
    return rows.sort_values(["day", *columns[2:]], ascending=False, kind="stable", ignore_index=True)[columns]


def tickets_opened(tables: Tables, *, since: date, as_of: date, budget: Budget) -> pd.DataFrame:
    """The tickets opened in a window, a row each: `account_id`, `day`, `category`."""
    if not _is_kept(tables, "tickets", "opened_at"):
        return pd.DataFrame(columns=["account_id", "day", "category"])
    rows = _rows(tables, as_of, budget, "tickets", _texts(tables, "tickets", ("category",)))
    return rows.loc[rows["day"] >= day_number(since), ["account_id", "day", "category"]].reset_index(drop=True)


def _is_kept(tables: Tables, table: str, *columns: str) -> bool:
    """Whether a table is there and does not lie in a warehouse."""
    return tables.has(table, *columns) and table in tables.kept


def _texts(tables: Tables, table: str, names: Sequence[str]) -> list[str]:
    """Columns as codes; what is empty, or absent, is not said."""
    return [
        f"COALESCE({code(name)}, '{NOT_SAID}') AS {name}" if tables.has(table, name) else f"'{NOT_SAID}' AS {name}"
        for name in names
    ]


def _rows(
    tables: Tables,
    as_of: date,
    budget: Budget,
    table: str,
    columns: Sequence[str],
    *,
    day: str | None = None,
    where: str = "TRUE",
) -> pd.DataFrame:
    """Rows of an event table that were known before the date."""
    asof = AsOf(tables, (as_of,))
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        events = asof.events(table, columns, day=day, where=where)
        return connection.execute(f"SELECT * EXCLUDE (known_day, kv, kv_t) FROM ({events}) e WHERE kv = 1").df()
