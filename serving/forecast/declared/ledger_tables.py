"""The tables of `holdfast ledger export`, declared once: every forecast on record, actuals and scores."""

from dataclasses import replace

from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import (
    AS_OF,
    CUT_AND_VALUE,
    HORIZON,
    MADE_AT,
    MODEL_VERSION,
    NRR_FORECAST,
    QUANTILES,
    RUN_ID,
    YEARLY,
    markdown_of,
)

_NUMBER = OutColumn("run_number", Kind.INTEGER, "", "Which run on record; the same run may be there twice")
_CUT, _VALUE = CUT_AND_VALUE
_WHERE = (_CUT, replace(_VALUE, meaning="The value of that attribute at as_of; empty = erased since", optional=True))
_METRIC = OutColumn("metric", Kind.TEXT, "", "As in nrr_forecast; churn_probability: the base rate of a rival")
_FUTURES = tuple(column for column in NRR_FORECAST if column.name in ("mean", *QUANTILES))
_KNOWN_ON = "What was known before this day went in"

FORECAST_LEDGER = OutTable(
    "forecast_ledger",
    "One row per forecast on record, by the model or a rival recorded beside it, with the actual figure once known",
    ("run_number", "source", "cut", "value", "horizon_months", "metric"),
    (
        _NUMBER,
        RUN_ID,
        AS_OF,
        MADE_AT,
        OutColumn("kind", Kind.TEXT, "", "official, revision, rerun, backtest or withdrawn"),
        OutColumn("reason", Kind.TEXT, "", "Why it was withdrawn", optional=True),
        MODEL_VERSION,
        OutColumn("data_digest", Kind.TEXT, "", "Of the data it was made from; empty = not known", optional=True),
        OutColumn("code_version", Kind.TEXT, "", "Of the code that made it; empty = not known", optional=True),
        OutColumn("source", Kind.TEXT, "", "model, or the rival that says it"),
        *_WHERE,
        HORIZON,
        _METRIC,
        *_FUTURES,
        OutColumn("starting_arr", Kind.MONEY, YEARLY, "ARR of the cohort at as_of", optional=True),
        OutColumn("accounts", Kind.NUMBER, "accounts", "Accounts in the cohort", optional=True),
        OutColumn("first_actual", Kind.NUMBER, "", "What came to pass, as first known; empty = not yet", optional=True),
        OutColumn("latest_actual", Kind.NUMBER, "", "What came to pass, as known by now", optional=True),
        OutColumn("hash", Kind.TEXT, "", "Of the run's entry in the chain"),
    ),
)
ACTUAL = OutTable(
    "actual",
    "One row per actual figure of an official forecast's accounts, as it became known; edition 1 is the first",
    ("run_number", "horizon_months", "edition", "cut", "value", "metric"),
    (
        _NUMBER,
        RUN_ID,
        AS_OF,
        HORIZON,
        OutColumn("edition", Kind.INTEGER, "", "1 = as first known; others are restatements"),
        OutColumn("known_on", Kind.DATE, "date", _KNOWN_ON),
        OutColumn("data_digest", Kind.TEXT, "", "Of the data it was worked out from"),
        *_WHERE,
        _METRIC,
        OutColumn("actual", Kind.NUMBER, "", "Money or a ratio, as the metric"),
        OutColumn("starting_arr", Kind.MONEY, YEARLY, "ARR of these accounts at as_of, as known by now"),
        OutColumn("accounts", Kind.INTEGER, "accounts", "Of the forecast's accounts, those with ARR at as_of by now"),
    ),
)
FORECAST_SCORE = OutTable(
    "forecast_score",
    "One row per metric, cut, value and horizon: how official forecasts did",
    ("cut", "value", "metric", "horizon_months"),
    (
        *CUT_AND_VALUE,
        _METRIC,
        HORIZON,
        OutColumn("basis", Kind.TEXT, "", "first actuals or latest actuals"),
        OutColumn("unit", Kind.TEXT, "", "points of starting ARR, or currency: of error, bias and crps"),
        OutColumn("forecasts", Kind.INTEGER, "forecasts", "Official forecasts whose actual is known"),
        OutColumn("not_overlapping", Kind.INTEGER, "forecasts", "How many of their windows fit beside each other"),
        OutColumn("error", Kind.NUMBER, "", "Mean absolute difference of forecast and actual"),
        OutColumn("bias", Kind.NUMBER, "", "Mean of forecast less actual"),
        OutColumn("crps", Kind.NUMBER, "", "Continuous ranked probability score; 0 is best"),
        *(
            OutColumn(f"inside_{percent}", Kind.SHARE, "share", f"Whose {percent} % interval held it", optional=True)
            for percent in (50, 80, 90)
        ),
    ),
)  # fmt: skip
_KEPT = "Probability that the account is a customer when the window ends"
CALL_RECORD = OutTable(
    "call_record",
    "One row per call of a person, beside the model's official forecast of the same account and window, and the actual",
    ("called_on", "account_id", "call_id"),
    (
        OutColumn("call_id", Kind.TEXT, "", "The call's own id; journal-N of one that was written here", optional=True),
        OutColumn("account_id", Kind.TEXT, "", "The account"),
        OutColumn("called_on", Kind.DATE, "date", "The day of the call"),
        OutColumn("called_by", Kind.TEXT, "", "Who called it", optional=True),
        OutColumn("outcome", Kind.TEXT, "", "renew, churn, contract or expand", optional=True),
        OutColumn("category", Kind.TEXT, "", "commit, likely, best_case, at_risk or lost", optional=True),
        OutColumn("for_date", Kind.DATE, "date", "The renewal or month that is meant", optional=True),
        OutColumn("amount", Kind.MONEY, YEARLY, "ARR they expect to be left", optional=True),
        OutColumn(
            "seen_model", Kind.TEXT, "", "Whether they had seen the model's figure; empty = not said", optional=True
        ),
        OutColumn("superseded_by", Kind.TEXT, "", "The call that took its place; it is not scored", optional=True),
        OutColumn("probability", Kind.SHARE, "probability", f"{_KEPT}, by the call", optional=True),
        OutColumn("model_as_of", Kind.DATE, "date", "The official forecast it is compared with", optional=True),
        OutColumn("horizon_months", Kind.NUMBER, "months", "Months of the window from model_as_of on", optional=True),
        OutColumn("model_probability", Kind.SHARE, "probability", f"{_KEPT}, by the model", optional=True),
        OutColumn("model_expected_arr", Kind.MONEY, YEARLY, "ARR that the model expected then", optional=True),
        OutColumn("kept", Kind.TEXT, "", "Whether it was a customer then; empty = not known yet", optional=True),
        OutColumn("actual_arr", Kind.MONEY, YEARLY, "Its ARR then", optional=True),
        OutColumn("known_on", Kind.DATE, "date", _KNOWN_ON, optional=True),
        OutColumn("difference", Kind.NUMBER, "nats", "Log score of the call less the model's", optional=True),
        OutColumn(
            "with_calls_probability", Kind.SHARE, "probability", f"{_KEPT}, by the model with calls", optional=True
        ),
        OutColumn("is_final", Kind.TEXT, "", "Whether it is the call that the company goes by"),
    ),
)
LEDGER_TABLES = {table.name: table for table in (FORECAST_LEDGER, ACTUAL, FORECAST_SCORE)}


def render_markdown() -> str:
    """The declarations as the second part of `docs/outputs.md`."""
    head = [
        "",
        "# What `holdfast ledger export` writes",
        "",
        "Made from `serving/forecast/declared/ledger_tables.py`. The same formats; see [the record](record.md).",
    ]
    calls = ["", "# What `holdfast calls --out` writes", *markdown_of(CALL_RECORD)]
    lines = [*head, *(line for table in LEDGER_TABLES.values() for line in markdown_of(table)), *calls]
    return "\n".join(lines) + "\n"
