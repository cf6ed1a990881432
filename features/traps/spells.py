"""The lines as the source has them now, and the spells of time for which an account was a customer without a break."""

import duckdb
import pandas as pd


def make_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Make temp tables `lines` (the newest version of each) and `spells` on a connection of `lines_known`.

    `lines` has `end_on`, whether it `stopped` (its end is `ended_on`), how many `versions` it has, and whether it is
    `paid` for. `spells` is the `coverage` of the revenue arithmetic, in dates: `from_day`, `until` (a far one if no end
    is known) and `back_on`, the start of the account's next spell.
    """
    # DuckDB 2.0.0 fails inside on queries that keep row_number() = 1; without this step it is right
    connection.execute("SET disabled_optimizers = 'top_n_window_elimination'")
    is_trial = "COALESCE(status = 'trial', FALSE)"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT contract_id, account_id, product, buying_center, currency, starts_on, ends_on, ended_on, notice_on,
               signed_on, recorded_at, CAST(mrr AS DOUBLE) AS mrr, CAST(list_mrr AS DOUBLE) AS list_mrr, seats,
               COALESCE(ended_on, ends_on) AS end_on, ended_on IS NOT NULL AS stopped,
               {is_trial} AS is_trial, mrr > 0 AND COALESCE(status, 'active') NOT IN ('trial', 'paused') AS paid,
               count(*) OVER (PARTITION BY contract_id) AS versions
        FROM raw.contracts WHERE deleted_at IS NULL
        QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY recorded_at DESC NULLS LAST) = 1""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE spells AS
        SELECT account_id, {_date("covered_from")} AS from_day, {_date("covered_until")} AS until,
               lead({_date("covered_from")}) OVER (PARTITION BY account_id ORDER BY covered_from) AS back_on
        FROM coverage""")


def _date(day: str) -> str:
    return f"DATE '1970-01-01' + CAST({day} AS INTEGER)"


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
