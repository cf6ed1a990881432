"""The record's tables as queries name them; `serving.ledger.migrations` makes them."""

import sqlalchemy as sa

from serving.forecast.declared.output_tables import QUANTILES

OFFICIAL, REVISION, RERUN = "official", "revision", "rerun"  # kinds of runs
CHURN = "churn_probability"  # the metric of rivals that speak of accounts
RUN = sa.table(
    "record_run",
    *(
        sa.column(name)
        for name in (
            "run_id", "number", "as_of", "made_at", "kind", "model_version", "model_digest", "data_digest",
            "data_until", "trained_as_of", "code_version", "currency", "definition", "settings", "horizon_months",
            "accounts", "account_rows", "archive", "taken_over_from", "replaces",
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
RIVAL = sa.table(
    "record_rival",
    *(
        sa.column(name)
        for name in (
            "run_number", "rival", "cut", "value", "horizon_months", "metric", "is_subject", "unit", "mean", *QUANTILES,
        )
    ),
)  # fmt: skip
OUTCOME = sa.table(
    "record_outcome",
    *(
        sa.column(name)
        for name in (
            "run_number", "horizon_months", "edition", "entry_number", "known_on", "data_digest", "accounts",
            "account_rows",
        )
    ),
)  # fmt: skip
ACTUAL = sa.table(
    "record_actual",
    *(
        sa.column(name)
        for name in (
            "run_number", "horizon_months", "edition", "cut", "value", "metric", "entry_number", "is_subject", "unit",
            "actual", "starting_arr_cents", "accounts",
        )
    ),
)  # fmt: skip
WITHDRAWAL = sa.table(
    "record_withdrawal", *(sa.column(name) for name in ("run_number", "entry_number", "withdrawn_at", "reason"))
)
JOURNAL = sa.table(
    "record_journal",
    *(
        sa.column(name)
        for name in (
            "number", "entry_number", "kind", "written_at", "author_id", "account_id", "text_id", "payload",
            "seen_model", "replaces",
        )
    ),
)  # fmt: skip
STEP = sa.table(
    "record_step",
    *(
        sa.column(name)
        for name in ("entry_number", "place", "as_of", "began_at", "step", "status", "milliseconds", "result")
    ),
)
OUTBOX = sa.table(
    "record_outbox",
    *(
        sa.column(name)
        for name in (
            "message_id", "target", "event", "occurred_at", "queued_at", "state", "attempts", "next_at", "error",
            "body",
        )
    ),
)  # fmt: skip
ENTRY = sa.table(
    "record_entry",
    *(
        sa.column(name)
        for name in (
            "number", "kind", "run_number", "appended_at", "rows", "content", "previous", "hash", "checks",
        )
    ),
)  # fmt: skip
SEAL = sa.table("record_seal", *(sa.column(name) for name in ("subject_id", "entry_number", "seal")))
ERASED = sa.table("record_erasure", *(sa.column(name) for name in ("subject_id", "entry_number")))
SUBJECT = sa.table("record_subject", *(sa.column(name) for name in ("subject_id", "kind", "name", "salt")))
