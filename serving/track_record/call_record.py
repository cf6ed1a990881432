"""The record of callers: how each did beside the model, by category, in ARR, and where they went above or below it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models.hazards.calibration import wilson
from models.scores.callers import (
    FEWEST_RESOLVED,
    MOST,
    PRIORS,
    Skill,
    category_probability,
    log_score_difference,
    shrunk,
    skill,
    toned_down,
)
from serving.forecast.declared.ledger_tables import CALL_RECORD
from serving.track_record.call_pairs import PairedCall

Row = dict[str, Any]
_Z90 = 1.645
NOT_SAID = "(not said)"
DEFINITIONS = {
    "skill": "Mean log score of the calls less the model's official forecast of the same account and window, nats a "
    "call; above 0, the calls were better. The interval is of 90 %, accounts taken as the units of chance.",
    "verdict": f"From {FEWEST_RESOLVED} resolved calls on: better or worse if the interval lies on one side of 0 and "
    "the sum is beyond ln 150 (for more than 40 calls, times the root of their number over 40), else cannot tell.",
    "shrunk": "The same mean, moved towards that of all callers as far as it is uncertain.",
    "rungs": "Log-loss (nobody taken to be surer than 95 %) and Brier score of the chance that the account is kept, on "
    "the same resolved calls: less is better. The forecast is the model without calls, whatever the others say.",
    "probability": "Of being kept. A category stands for its prior (commit .925, likely .75, best_case .6, at_risk "
    ".35, lost .1, worth 8 calls) and what came of the caller's own calls of it.",
}


def call_record(calls: Sequence[PairedCall]) -> pd.DataFrame:
    """The table `call_record`: a row a call."""
    fields = {column.name for column in CALL_RECORD}
    rows = [{name: value for name, value in dataclasses.asdict(call).items() if name in fields} for call in calls]
    frame = pd.DataFrame(rows, columns=list(CALL_RECORD.names))
    days = {name: pd.to_datetime(frame[name]) for name in ("called_on", "for_date", "model_as_of", "known_on")}
    words = {name: frame[name].map({True: "yes", False: "no"}) for name in ("seen_model", "kept", "is_final")}
    return CALL_RECORD.shape(frame.assign(**days, **words))


def callers(calls: Sequence[PairedCall]) -> list[Row]:
    """A row a caller, the one with most calls first."""
    by_name: dict[str, list[PairedCall]] = {}
    for call in calls:
        by_name.setdefault(call.called_by or NOT_SAID, []).append(call)
    rows = [_caller(name, own) for name, own in by_name.items()]
    _add_shrunk(rows)
    return sorted(rows, key=lambda row: (-row["calls"], row["called_by"]))


def rungs(calls: Sequence[PairedCall]) -> list[Row]:
    """The model without calls, people's calls and the model with calls, each scored on the same resolved calls.

    Where the model with calls said nothing, the one without speaks. Final calls are a rung of their own, on their own.
    """
    resolved = [call for call in calls if call.difference is not None]
    people = [call for call in resolved if not call.is_final]
    final = [call for call in resolved if call.is_final]
    return [*_rungs("people's calls", people), *_rungs("final calls", final)]


def _rungs(name: str, calls: Sequence[PairedCall]) -> list[Row]:
    """Log-loss and Brier score of each, of the chance that the account is kept."""
    if not calls:
        return []
    told = [call.with_calls_probability for call in calls]
    said = {
        "model without calls": [call.model_probability for call in calls],
        name: [call.probability for call in calls],
        "model with calls": [
            call.model_probability if one is None else one for call, one in zip(calls, told, strict=True)
        ],
    }
    kept = np.array([bool(call.kept) for call in calls])
    rows = [{"rung": rung, "on": name, "calls": len(calls), **_scored(chances, kept)} for rung, chances in said.items()]
    return [
        row | {"spoke": sum(one is not None for one in told)} if row["rung"] == "model with calls" else row
        for row in rows
    ]


def _scored(chances: Sequence[float | None], kept: np.ndarray[Any, np.dtype[np.bool_]]) -> Row:
    p = np.asarray(chances, dtype=float)
    capped = np.clip(p, 1 - MOST, MOST)
    return {
        "log_loss": float(-np.log(np.where(kept, capped, 1 - capped)).mean()),
        "brier": float(((p - kept) ** 2).mean()),
    }


def _caller(name: str, calls: Sequence[PairedCall]) -> Row:
    resolved = [call for call in calls if call.difference is not None]
    result = _skill(resolved)
    return {
        "called_by": name,
        "calls": len(calls),
        "resolved": len(resolved),
        "skill": _number(result.mean),
        "low": _number(result.low),
        "high": _number(result.high),
        "verdict": result.verdict,
        "bias_arr": _bias((call.amount, call.actual_arr) for call in resolved),
        "model_bias_arr": _bias(
            (call.model_expected_arr, call.actual_arr) for call in resolved if call.amount is not None
        ),
        "categories": _categories(resolved),
        "overrides": {way: _overrides(resolved, sign) for way, sign in (("more hopeful", 1), ("less hopeful", -1))},
    }


def _skill(calls: Sequence[PairedCall]) -> Skill:
    called, model, kept = (
        np.array([getattr(call, name) for call in calls], dtype=float)
        for name in ("probability", "model_probability", "kept")
    )
    differences = np.array([call.difference for call in calls], dtype=float)
    toned = log_score_difference(toned_down(called, model), model, kept)
    return skill(differences, [call.account_id for call in calls], toned)


def _categories(calls: Sequence[PairedCall]) -> list[Row]:
    rows = []
    for category in PRIORS:
        own = [call.kept for call in calls if call.kind == category]
        if own:
            kept, count = sum(map(bool, own)), len(own)
            low, high = wilson(kept, count, z=_Z90)
            row = {"category": category, "calls": count, "kept": kept, "low": low, "high": high}
            rows.append(row | {"probability": category_probability(category, kept, count)})
    return rows


def _overrides(calls: Sequence[PairedCall], sign: int) -> Row:
    """Calls on one side of the model's probability: how many, by how much, and whether the log score was better."""
    moves = [(sign * ((c.probability or 0.0) - (c.model_probability or 0.0)), c.difference or 0.0) for c in calls]
    moves = [move for move in moves if move[0] > 0]
    points, differences = [move[0] for move in moves], [move[1] for move in moves]
    return {"calls": len(moves), "points": _mean(points), "skill": _mean(differences)}


def _add_shrunk(rows: Sequence[Row]) -> None:
    """Beside each caller's mean, the same moved towards the group's."""
    told = [row for row in rows if row["skill"] is not None and row["high"] > row["low"]]
    for row in rows:
        row["shrunk"] = row["skill"]
    if len(told) > 1:
        errors = np.array([(row["high"] - row["low"]) / (2 * _Z90) for row in told])
        moved = shrunk(np.array([row["skill"] for row in told]), errors)
        for row, mean in zip(told, moved, strict=True):
            row["shrunk"] = float(mean)


def _bias(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    """The mean of what was said less what came."""
    return _mean([said - actual for said, actual in pairs if said is not None and actual is not None])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def calls_json(calls: Sequence[PairedCall], names: Mapping[str, str]) -> list[Row]:
    """A row a call beside the model's, newest first, with the accounts' names."""
    rows = []
    for call in reversed(calls):
        row = dataclasses.asdict(call) | {"name": names.get(call.account_id, call.account_id)}
        rows.append({name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()})
    return rows
