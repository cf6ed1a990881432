"""The lines as the source has them now, and the spells of time for which an account paid without a break."""

import duckdb
import pandas as pd

OPEN = "DATE '9999-12-31'"


def make_lines(connection: duckdb.DuckDBPyConnection, *, grace_days: int) -> None:
    """Make temp tables `lines` (the newest version of each) and `spells` (of each account, what it paid for).

    `lines` has `end_on`, whether it `stopped` (its end is `ended_on`), how many `versions` it has, and whether it is
    `paid` for. A spell ends where no line follows before the grace after the last one is over; a
    line of amount 0 after the first paid one is a pause and holds it.
    `back_on` is the start of the account's next spell.
    """
    # DuckDB 2.0.0 fails inside on queries that keep row_number() = 1; without this step it is right
    connection.execute("SET disabled_optimizers = 'top_n_window_elimination'")
    is_trial = "COALESCE(status = 'trial', FALSE)"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT contract_id, account_id, product, buying_center, currency, starts_on, ends_on, ended_on, notice_on,
               signed_on, recorded_at, CAST(mrr AS DOUBLE) AS mrr, CAST(list_mrr AS DOUBLE) AS list_mrr, seats,
               COALESCE(ended_on, ends_on) AS end_on, ended_on IS NOT NULL AS stopped,
               {is_trial} AS is_trial, mrr > 0 AND NOT {is_trial} AS paid,
               count(*) OVER (PARTITION BY contract_id) AS versions
        FROM raw.contracts WHERE deleted_at IS NULL
        QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY recorded_at DESC NULLS LAST) = 1""")
    connection.execute(_spells(grace_days))


def _spells(grace_days: int) -> str:
    before = "PARTITION BY account_id ORDER BY starts_on, contract_id"
    return f"""
        CREATE OR REPLACE TEMP TABLE spells AS
        WITH later AS (
            SELECT *, min(CASE WHEN paid THEN starts_on END) OVER (PARTITION BY account_id) AS first_paid FROM lines
        ), cover AS (
            SELECT account_id, contract_id, starts_on, COALESCE(end_on, {OPEN}) AS until,
                   COALESCE(end_on + {grace_days}, {OPEN}) AS held_until
            FROM later WHERE (paid OR mrr = 0 AND starts_on > first_paid) AND starts_on < COALESCE(end_on, {OPEN})
        ), marked AS (
            SELECT *, CASE WHEN starts_on <= max(held_until) OVER (
                {before} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 0 ELSE 1 END AS is_apart
            FROM cover
        ), numbered AS (SELECT *, sum(is_apart) OVER ({before}) AS spell FROM marked)
        SELECT account_id, min(starts_on) AS from_day, max(until) AS until,
               lead(min(starts_on)) OVER (PARTITION BY account_id ORDER BY min(starts_on)) AS back_on
        FROM numbered GROUP BY account_id, spell"""


def frame_of(connection: duckdb.DuckDBPyConnection, select: str) -> pd.DataFrame:
    """The rows of a SELECT, in its order."""
    return connection.execute(select).df()


def counts_of(connection: duckdb.DuckDBPyConnection, select: str) -> tuple[int, ...]:
    """The one row of a SELECT of numbers; empty ones are 0."""
    row = connection.execute(select).fetchone()
    return tuple(int(number or 0) for number in row or ())


def texts_of(connection: duckdb.DuckDBPyConnection, select: str) -> tuple[str, ...]:
    """The first column of a SELECT, as examples."""
    return tuple(str(row[0]) for row in connection.execute(select).fetchall())
