"""The whole track record: how many forecasts there are, how they did, and what it says, the answer first."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from features.revenue import add_months
from models.scores.skill import Bootstrap
from models.words import counted
from params import Params
from serving.ledger.chain.head import head_of
from serving.ledger.record import Record
from serving.ledger.record_tables import OFFICIAL, RUN
from serving.ledger.withdrawals import WITHDRAWN
from serving.ledger.yardsticks.windows import horizons_of, rules_of
from serving.track_record.account_scores import account_scores, largest_misses, read_windows
from serving.track_record.pairs import read_pairs
from serving.track_record.score_rows import rivals_in_words, score_rows

Row = dict[str, Any]
DEFINITIONS = {
    "forecasts": "Official forecasts: the first one published of a month start, made at its time. One that was "
    "withdrawn counts in no score.",
    "not overlapping": "How many of their windows fit beside each other. Windows that overlap share their months, and "
    "so their luck: twelve monthly forecasts of a year are about one independent year.",
    "actual": "What `holdfast nrr` gives for the same window, of the accounts that the forecast was about, by the "
    "rules and the labels it was made with. It counts from the day on which the window, the grace and the lag of the "
    "data are over.",
    "error": "Mean absolute difference of forecast and actual. One point is 1 % of starting ARR.",
    "bias": "Mean of forecast less actual: above 0, it was forecast too high.",
    "crps": "Continuous ranked probability score, in the same unit: how far the whole distribution was off. 0 is best; "
    "of a forecast of one number it is the absolute error.",
    "inside": "Share of the forecasts whose 50, 80 or 90 % interval held the actual. The 95 % interval beside it "
    "counts only forecasts that do not overlap.",
    "skill": "1 - the model's score over the rival's, on the forecasts that the rival was put on record beside, on the "
    "same night.",
}


@dataclass(frozen=True)
class TrackRecord:
    """The track record as plain data.

    Attributes
    ----------
    rows, accounts, misses
        See `score_rows`, `account_scores` and `largest_misses`.
    official, withdrawn, scored
        How many official forecasts there are, how many runs were withdrawn, and of how many windows the actual is
        known.
    waiting
        How many windows of official forecasts are not over yet, or not known.
    next_known_on
        The first day on which the next of those can be known, ISO; empty if there is none.
    answer
        What it says, a sentence each, the answer first.
    """

    latest: bool
    currency: str
    head: str
    official: int
    withdrawn: int
    scored: int
    waiting: int
    next_known_on: str
    rows: list[Row]
    accounts: list[Row]
    misses: list[Row]
    notes: tuple[str, ...]

    @property
    def answer(self) -> list[str]:
        """What it says in sentences."""
        if not self.official:
            return ["No official forecast is on record yet: `holdfast publish` on the first of a month makes one."]
        if not self.scored:
            when = f"The first can be known on {self.next_known_on}." if self.next_known_on else ""
            return [f"{counted(self.official, 'official forecast')} on record, none of which can be scored yet. {when}"]
        return [*_sentences(self), *self.notes]

    def to_json(self) -> Row:
        """All of it as plain data."""
        return {
            "basis": "latest actuals" if self.latest else "first actuals",
            "currency": self.currency,
            "head": self.head,
            "official": self.official,
            "withdrawn": self.withdrawn,
            "scored": self.scored,
            "waiting": self.waiting,
            "next_known_on": self.next_known_on,
            "answer": self.answer,
            "rows": self.rows,
            "accounts": self.accounts,
            "misses": self.misses,
            "notes": list(self.notes),
            "definitions": DEFINITIONS,
        }


def track_record(record: Record, params: Params, *, latest: bool = False) -> TrackRecord:
    """Score all that is on record, on the first actuals or on the latest."""
    bootstrap = Bootstrap(params.backtest.resamples, params.seed)
    pairs = read_pairs(record, latest=latest)
    windows, notes = read_windows(record, pairs)
    official, withdrawn = _runs(record)
    scored = {(int(run), int(months)) for run, months in pairs.windows[["number", "horizon_months"]].to_numpy()}
    ahead = _ahead(official, scored, params)
    return TrackRecord(
        latest=latest,
        currency=params.revenue.currency,
        head=head_of(record),
        official=len(official),
        withdrawn=withdrawn,
        scored=len(scored),
        waiting=len(ahead),
        next_known_on=min(ahead).isoformat() if ahead else "",
        rows=score_rows(pairs, bootstrap),
        accounts=account_scores(windows, pairs, bootstrap),
        misses=largest_misses(record, windows, pairs),
        notes=notes,
    )


def _runs(record: Record) -> tuple[list[Any], int]:
    """The official forecasts that count, and how many runs were withdrawn."""
    with record.reading() as connection:
        query = sa.select(RUN).where(RUN.c.kind == OFFICIAL, RUN.c.number.not_in(WITHDRAWN))
        return list(connection.execute(query).all()), len(connection.execute(WITHDRAWN).all())


def _ahead(runs: list[Any], scored: set[tuple[int, int]], params: Params) -> list[date]:
    """When each window that is not scored yet can be known, but for the lag of the data."""
    return [
        add_months(date.fromisoformat(run.as_of), months) + timedelta(days=rules_of(run, params).settling_days)
        for run in runs
        if run.account_rows is not None
        for months in horizons_of(run)
        if (run.number, months) not in scored
    ]


def _sentences(track: TrackRecord) -> list[str]:
    """How NRR was forecast over the longest horizon that is known, and what the counts are worth."""
    total = [row for row in track.rows if row["cut"] == "total" and row["metric"] == "nrr"]
    if not total:
        return ["No NRR is on record of the forecasts whose windows are over."]
    row = total[-1]
    months = counted(row["horizon_months"], "month")
    way = "too high" if row["bias"] > 0 else "too low"
    leaning = f", on average {abs(row['bias']):.1f} {way}" if abs(row["bias"]) >= 0.05 else ""
    sentences = [
        f"NRR over {months} was off by {row['error']:.1f} points{leaning}: {counts(row)}.",
    ]
    if row["inside_80"] is not None:
        held = f"The 80 % range held in {round(row['inside_80'] * row['forecasts'])} of {row['forecasts']}"
        ends = f"{100 * row['inside_80_low']:.0f} to {100 * row['inside_80_high']:.0f} %"
        sentences.append(f"{held}; from those that do not overlap, the true share may be {ends}.")
    return [*sentences, *([rivals_in_words(row["skill"])] if row["skill"] else [])]


def counts(row: Row) -> str:
    """Such as: 12 forecasts, 1 that does not overlap."""
    apart = row["not_overlapping"]
    overlap = (
        "none overlaps another"
        if apart == row["forecasts"] > 1
        else (f"{apart} that {'does' if apart == 1 else 'do'} not overlap")
    )
    return (
        counted(row["forecasts"], "forecast")
        if row["forecasts"] == 1
        else (f"{counted(row['forecasts'], 'forecast')}, {overlap}")
    )
