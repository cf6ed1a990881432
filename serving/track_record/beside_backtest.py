"""Scores on record beside those of the test on past dates: whether a model does as well in service as it did there."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def beside_backtest(rows: Sequence[Row], accounts: Sequence[Row], tested: Mapping[str, Any]) -> Row:
    """What the record says of the horizon that the model in charge was tested over, and what the test said.

    Parameters
    ----------
    rows, accounts
        Of the track record.
    tested
        Of the version in charge: `version`, and `tested_by`, `tested_on`, `horizon_months`, `nrr_crps` (points),
        `coverage_80` (share) and `log_loss` of churn, None where it was not tested.

    Returns
    -------
    dict
        `tested` as it came, `on_record` (`forecasts`, `not_overlapping`, and the same three figures; empty where no
        window of this horizon is over), and `words`.
    """
    months = tested["horizon_months"]
    total = {"cut": "total", "metric": "nrr", "horizon_months": months}
    on_record: Row = {}
    for row in _those(rows, total):
        on_record = {name: row[name] for name in ("forecasts", "not_overlapping")}
        on_record |= {"nrr_crps": row["crps"], "coverage_80": row["inside_80"], "log_loss": None}
    for row in _those(accounts, {"outcome": "churn", "horizon_months": months}) if on_record else ():
        on_record["log_loss"] = row["log_loss"]
    return {"tested": dict(tested), "on_record": on_record, "words": _words(tested, on_record)}


def _those(rows: Sequence[Row], values: Row) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def _words(tested: Mapping[str, Any], on_record: Row) -> str:
    if tested["horizon_months"] is None:
        return f"Version {tested['version']} was not tested on past dates, so nothing says what was to be expected."
    what = f"{tested['horizon_months']} months ahead, in the {tested['tested_by']} of version {tested['version']}"
    if not on_record:
        return f"{what}: {_figures(tested)}. No forecast on record is that old yet."
    forecasts = "forecast" if on_record["forecasts"] == 1 else "forecasts"
    served = f"On record, {on_record['forecasts']} {forecasts} ({on_record['not_overlapping']} apart)"
    return f"{what}: {_figures(tested)}. {served}: {_figures(on_record)}."


def _figures(scores: Mapping[str, Any]) -> str:
    parts = [
        (scores["nrr_crps"], "CRPS of NRR {:.1f} points"),
        (scores["coverage_80"], "{:.0%} inside the 80 % interval"),
        (scores["log_loss"], "log-loss of churn {:.3f}"),
    ]
    return ", ".join(form.format(value) for value, form in parts if value is not None) or "no scores"
