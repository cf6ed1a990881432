"""The record's tables as queries name them; `serving.ledger.migrations` makes them."""

import sqlalchemy as sa

from serving.forecast.output_tables import QUANTILES

RUN = sa.table(
    "record_run",
    *(
        sa.column(name)
        for name in (
            "run_id", "number", "as_of", "made_at", "kind", "model_version", "model_digest", "data_digest",
            "data_until", "trained_as_of", "code_version", "currency", "definition", "settings", "horizon_months",
            "accounts", "account_rows", "archive", "taken_over_from",
        )
    ),
)  # fmt: skip
FIGURE = sa.table(
    "record_figure",
    *(
        sa.column(name)
        for name in (
            "run_number", "cut", "value", "horizon_months", "metric", "is_subject", "unit", "mean", *QUANTILES,
            "starting_arr_cents", "accounts",
        )
    ),
)  # fmt: skip
SUBJECT = sa.table("record_subject", *(sa.column(name) for name in ("subject_id", "kind", "name", "salt")))
