"""Scores of the accounts' probabilities, and the accounts that the newest forecasts missed by most."""

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from models.hazards.calibration import reliability
from models.scores.baselines import ACCOUNT_RIVALS, BASE_RATE
from models.scores.evaluation import log_losses, windows_of
from models.scores.findings import TOO_FEW_EVENTS, too_few
from models.scores.skill import Bootstrap, Losses, comparisons
from serving.ledger import whole_numbers
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile, RecordFiles
from serving.ledger.record_tables import CHURN
from serving.ledger.subjects import ACCOUNT, names_of
from serving.track_record.pairs import Pairs
from serving.track_record.score_rows import described

Row = dict[str, Any]
Array = NDArray[np.float64]
OUTCOMES = ("churn", "contraction", "expansion")
HAPPENED = {"churn": "left", "contraction": "shrank", "expansion": "grew"}
PAUSED, UNCHANGED = "paused", "stayed as it was"
BASE_LABEL = {BASE_RATE: ACCOUNT_RIVALS[BASE_RATE]}
MISSES = 5
_FORECAST = ("subject_id", "horizon_months", "arr", "expected_arr", *(f"{outcome}_probability" for outcome in OUTCOMES))
_ACTUAL = ("subject_id", "starting_arr", "ending_arr", "customer")


@dataclass(frozen=True)
class Accounts:
    """The accounts of one window: what was said of each, and what came.

    Attributes
    ----------
    subject
        Who, as ids.
    start, expected, end
        ARR at the start and at the end as known now, and what was expected of it.
    probability, event
        Of each outcome.
    """

    number: int
    as_of: str
    horizon_months: int
    subject: pa.Array
    start: Array
    expected: Array
    end: Array
    probability: Mapping[str, Array]
    event: Mapping[str, Array]


def read_windows(record: Record, pairs: Pairs) -> tuple[list[Accounts], tuple[str, ...]]:
    """The accounts of every window, and a note for each run whose files cannot be read."""
    windows, notes = [], []
    for _, rows in pairs.windows.groupby("number", sort=False):
        try:
            windows += _of_run(record.files, rows)
        except BrokenFile as error:
            notes.append(f"The accounts of the forecast as of {rows['as_of'].iloc[0]} are not scored: {error}.")
    return windows, tuple(notes)


def account_scores(windows: list[Accounts], pairs: Pairs, bootstrap: Bootstrap) -> list[Row]:
    """A row an outcome and horizon, all forecasts together.

    Each holds `forecasts`, `not_overlapping`, `rows` (accounts times forecasts), `events`, `accounts` to which it came
    at least once, `log_loss` (nats a row), `brier`, `mean_predicted`, `mean_observed`, `calibration_error` and `bins`,
    and for churn the `skill` against the base rate that was frozen beside each forecast.
    """
    base = _base_rates(pairs)
    rows = []
    for outcome in OUTCOMES:
        for months in sorted({window.horizon_months for window in windows}):
            here = [w for w in windows if w.horizon_months == months and outcome in w.probability and len(w.start)]
            if here:
                rows.append(_score(outcome, months, here, base if outcome == "churn" else {}, bootstrap))
    return rows


def largest_misses(record: Record, windows: list[Accounts], pairs: Pairs) -> list[Row]:
    """Of the newest window of each horizon, the accounts whose ARR ended farthest from what was expected.

    Each with what happened, and the difference in two steps that add up to it: `from_leaving` is the loss by churn
    that was expected less the actual one, `from_size` the rest. Those who are not known any more are left out.
    """
    accounts, rows = names_of(record, ACCOUNT), []
    newest = {window.horizon_months: window for window in windows}
    for months, window in sorted(newest.items()):
        miss = window.end - window.expected
        subjects = window.subject.to_pylist()
        there = [place for place, subject in enumerate(subjects) if subject in accounts and abs(miss[place]) >= 0.01]
        chosen = heapq.nsmallest(MISSES, there, key=lambda place: (-abs(miss[place]), accounts[subjects[place]]))
        called = _names(record, pairs, window)
        for place in chosen:
            subject = subjects[place]
            rows.append(
                {
                    "account_id": accounts[subject],
                    "name": called.get(subject, accounts[subject]),
                    "horizon_months": months,
                    "as_of": window.as_of,
                    "expected_arr": float(window.expected[place]),
                    "actual_arr": float(window.end[place]),
                    "difference": float(miss[place]),
                    "churn_probability": float(window.probability["churn"][place]),
                    **_steps(window, place),
                }
            )
    return rows


def _steps(window: Accounts, place: int) -> Row:
    """What happened to an account, and how much of its miss came of leaving or staying, and of growing or shrinking."""
    start = float(window.start[place])
    otherwise = UNCHANGED if window.end[place] else PAUSED
    happened = next((word for outcome, word in HAPPENED.items() if window.event[outcome][place]), otherwise)
    lost = start if happened == HAPPENED["churn"] else 0.0
    from_leaving = round(start * float(window.probability["churn"][place]) - lost, 2)
    difference = float(window.end[place] - window.expected[place])
    return {
        "starting_arr": start,
        "happened": happened,
        "from_leaving": from_leaving,
        "from_size": round(difference - from_leaving, 2),
    }


def _of_run(files: RecordFiles, rows: pd.DataFrame) -> list[Accounts]:
    """The windows of one run, whose forecast is read once."""
    row: dict[Any, Any] = rows.iloc[0].to_dict()
    said = files.table(row["forecast"], list(_FORECAST))
    horizon = said["horizon_months"].to_numpy()
    settings = json.loads(row["settings"]) if row["settings"] else {}
    min_change = float(settings.get("model", {}).get("min_change", 0.0))
    return [
        _window(
            window,
            said.filter(pa.array(horizon == window.horizon_months)),
            files.table(str(window.came), list(_ACTUAL)),
            min_change,
        )
        for window in rows.itertuples()
    ]


def _window(window: Any, said: pa.Table, came: pa.Table, min_change: float) -> Accounts:
    """Both tables have the accounts of the forecast in the order of their ids."""
    if not said["subject_id"].equals(came["subject_id"]):
        raise BrokenFile("its account rows and what the accounts came to are not of the same accounts")
    there = came["starting_arr"].is_valid().to_numpy()
    start, end = (_floats(came, name, whole_numbers.CENTS)[there] for name in ("starting_arr", "ending_arr"))
    customer = came["customer"].to_numpy()[there]
    probability = {
        outcome: _floats(said, f"{outcome}_probability", whole_numbers.MILLIONTHS)[there]
        for outcome in OUTCOMES
        if f"{outcome}_probability" in said.column_names
    }
    expected = _floats(said, "expected_arr", whole_numbers.CENTS) if "expected_arr" in said.column_names else None
    return Accounts(
        number=window.number,
        as_of=window.as_of,
        horizon_months=window.horizon_months,
        subject=said["subject_id"].combine_chunks().filter(pa.array(there)),
        start=start,
        expected=end if expected is None else expected[there],
        end=end,
        probability=probability,
        event={
            "churn": (customer == 0).astype(float),
            "contraction": ((end > 0) & (end < start * (1 - min_change))).astype(float),
            "expansion": (end > start * (1 + min_change)).astype(float),
        },
    )


def _floats(table: pa.Table, name: str, unit: str) -> Array:
    return np.asarray(whole_numbers.figures(table[name].to_numpy(), unit), dtype=float)


def _base_rates(pairs: Pairs) -> Mapping[tuple[int, int], float]:
    """The base rate of churn frozen beside each run, by run and horizon."""
    rows = pairs.rivals[pairs.rivals["metric"] == CHURN]
    return dict(zip(zip(rows["number"], rows["horizon_months"], strict=True), rows["mean"], strict=True))


def _score(
    outcome: str, months: int, windows: list[Accounts], base: Mapping[tuple[int, int], float], bootstrap: Bootstrap
) -> Row:
    together: Callable[[list[Array]], Array] = np.concatenate
    probability, event = _in_order(
        together([window.probability[outcome] for window in windows]),
        together([window.event[outcome] for window in windows]),
    )
    who = {one for w in windows for one in w.subject.filter(pa.array(w.event[outcome] > 0)).to_pylist()}
    bins = reliability(probability, event)
    errors = [abs(cell.predicted - cell.observed) * cell.rows for cell in bins]
    origins = pd.to_datetime(pd.Series([window.as_of for window in windows]))
    return {
        "outcome": outcome,
        "horizon_months": months,
        "forecasts": len(windows),
        "not_overlapping": int(windows_of(origins, months).max()) + 1,
        "rows": int(event.size),
        "events": int(event.sum()),
        "accounts": len(who),
        "log_loss": float(log_losses(probability, event).mean()),
        "brier": float(np.mean((probability - event) ** 2)),
        "mean_predicted": float(probability.mean()),
        "mean_observed": float(event.mean()),
        "calibration_error": float(sum(errors) / event.size),
        "bins": [asdict(cell) for cell in bins],
        "skill": _skill(outcome, months, windows, base, bootstrap, too_few(len(who))),
    }


def _in_order(probability: Array, event: Array) -> tuple[Array, Array]:
    """Both sorted by probability, then event, and not by random ids: as whole numbers, which sorts millions fast."""
    per_unit = whole_numbers.PER_UNIT[whole_numbers.MILLIONTHS]
    keys = 2 * np.rint(probability * per_unit).astype(np.int64) + event.astype(np.int64)
    keys.sort()
    return np.asarray(whole_numbers.figures(keys // 2, whole_numbers.MILLIONTHS), dtype=float), (keys % 2).astype(float)


def _skill(
    outcome: str,
    months: int,
    windows: list[Accounts],
    base: Mapping[tuple[int, int], float],
    bootstrap: Bootstrap,
    few: bool,
) -> Row:
    """Against the base rate, on the forecasts that it was frozen beside."""
    there = sorted((w for w in windows if (w.number, months) in base), key=lambda window: window.as_of)
    if not there:
        return {}
    by_rate = [log_losses(np.full(len(w.start), base[w.number, months]), w.event[outcome]).sum() for w in there]
    losses = Losses(
        origins=np.array([w.as_of for w in there], dtype="datetime64[ns]"),
        model=np.array([log_losses(w.probability[outcome], w.event[outcome]).sum() for w in there]),
        rivals={BASE_RATE: np.array(by_rate)},
        weight=float(sum(len(w.start) for w in there)),
    )
    (one,) = comparisons(outcome, months, losses, BASE_LABEL, bootstrap)
    return {BASE_RATE: described(one | ({"finding": TOO_FEW_EVENTS} if few else {}))}


def _names(record: Record, pairs: Pairs, window: Accounts) -> dict[bytes, str]:
    """How accounts were called when the forecast was made, as its archive has it."""
    archive = pairs.windows.loc[pairs.windows["number"] == window.number, "archive"].iloc[0]
    if archive is None:
        return {}
    try:
        manifest = record.files.manifest(archive)
        if "name" not in manifest["hidden"]["snapshot"]:
            return {}
        table = record.files.table(manifest["tables"]["snapshot"], ["account_id", "name"])
    except BrokenFile:
        return {}
    names = names_of(record, "name")
    pairs_of_ids = zip(table["account_id"].to_pylist(), table["name"].to_pylist(), strict=True)
    return {account: names[name] for account, name in pairs_of_ids if name in names}
