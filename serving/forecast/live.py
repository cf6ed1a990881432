"""Scores made on request: the champion on snapshot rows, by the same code as the nightly forecast.

The figures of an account whose inputs are unchanged are those of the published forecast to the last digit: the draws
are keyed by the seed, the account and the calendar month, and not by who else is scored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.model_inputs import evenly_spread
from models.outcomes.prediction import Prediction
from models.paths.simulate import PathSettings, account_paths
from models.reasons.background import Background
from models.reasons.peers import Norms
from params import Params
from serving.forecast.account_reasons import EXPLAINED, against_peers, explain, reasons
from serving.forecast.batch import account_facts, account_figures
from serving.forecast.declared.column import Kind, OutColumn, Place, names_of
from serving.forecast.declared.output_tables import (
    ACCOUNT_DRIVER,
    ACCOUNT_FACTS,
    ACCOUNT_FIGURES,
    ACCOUNT_PEERS,
    HORIZON,
)
from training.tracking.champion import Champion

Array = NDArray[np.float64]
Score = dict[str, Any]
SCORED = tuple(figure for figure in ACCOUNT_FIGURES if Place.API in figure.places)
_REASON, _PEERS = ACCOUNT_DRIVER.at(Place.API), ACCOUNT_PEERS.at(Place.API)
_DIGITS = 6  # of a share or a number; money has cents
REFERENCE_ROWS = 512  # accounts whose mean effect stands for the average account, where none was published


@dataclass(frozen=True)
class Scorer:
    """A champion that is ready to score: settings, what is usual of peers, and what values are held against."""

    champion: Champion
    paths: PathSettings
    top: int
    currency: str
    norms: Norms
    background: Background
    threads: int

    def score(self, frame: pd.DataFrame) -> list[Score]:
        """Scores of snapshot rows, in their order.

        Raises
        ------
        ValueError
            A column the model was trained on is absent.
        """
        months = self.champion.model.horizon_months
        prediction = self.champion.model.predict(frame)
        rolled = account_paths(prediction, self.paths, horizon_months=months, threads=self.threads)
        facts = account_facts(frame)
        reasons, peers = self.reasons(frame, prediction, rolled.churn_probability[:, -1])
        # by row: an account may come several times, with other inputs each time
        scores = as_scores(
            facts.assign(account_id=range(len(facts))),
            account_figures(prediction.arr, prediction.cross_sell_probability(), rolled),
            reasons.assign(account_id=reasons.index),
            peers.assign(account_id=peers.index),
        )
        return [{**score, "account_id": name} for score, name in zip(scores, facts["account_id"], strict=True)]

    def reasons(self, frame: pd.DataFrame, prediction: Prediction, churn: Array) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The reasons of snapshot rows, and how their points add up to `churn`; the index says of which row."""
        model = self.champion.model
        explained = explain(model, frame, prediction)
        compared, place = (explained, self.background, self.norms), self.background.peers.places(frame)
        return (
            reasons(model, frame, *compared, top=self.top, currency=self.currency, place=place),
            against_peers(model, frame, *compared, churn=churn, place=place),
        )


def scorer(champion: Champion, params: Params, norms: Norms, background: Background) -> Scorer:
    """A champion made ready to score by the settings of a run."""
    paths = PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)
    return Scorer(champion, paths, params.forecast.drivers, params.revenue.currency, norms, background, params.threads)


def evenly(frame: pd.DataFrame, rows: int = REFERENCE_ROWS) -> pd.DataFrame:
    """At most so many rows of a frame, evenly thinned."""
    return frame.iloc[evenly_spread(len(frame), rows)].reset_index(drop=True)


def as_scores(
    facts: pd.DataFrame, figures: Mapping[str, Array], reasons: pd.DataFrame, peers: pd.DataFrame
) -> list[Score]:
    """Scores as plain data, one an account.

    Parameters
    ----------
    facts
        A row an account: `account_id` and each of `ACCOUNT_FACTS`.
    figures
        Each of `SCORED` by account and month ahead, shape (accounts, months); NaN of an optional one becomes None.
    reasons
        A row an account, outcome and reason: `account_id, outcome` and what the API tells of a reason.
    peers
        A row an account and outcome: `account_id, outcome` and what the API tells of `ACCOUNT_PEERS`.
    """
    horizons = zip(*(_plain(figure, figures[figure.name]) for figure in SCORED), strict=True)
    of_account = zip(*(_plain(fact, facts[fact.name]) for fact in ACCOUNT_FACTS), strict=True)
    reasons_of, peers_of = _by_account(_REASON, reasons), _by_account(_PEERS, peers)
    nothing: dict[str, list[Score]] = {outcome: [] for outcome in EXPLAINED}
    return [
        {
            "account_id": account,
            **dict(zip(names_of(ACCOUNT_FACTS), values, strict=True)),
            "horizons": _by_month(rows),
            "drivers": reasons_of.get(account, nothing),
            "peers": {outcome: rows[0] for outcome, rows in peers_of[account].items()},
        }
        for account, values, rows in zip(facts["account_id"].tolist(), of_account, horizons, strict=True)
    ]


def _by_month(rows: Sequence[Sequence[Any]]) -> list[Score]:
    """An account's figures by month ahead; `rows` holds each figure's values."""
    names = (HORIZON.name, *names_of(SCORED))
    return [
        dict(zip(names, (month, *values), strict=True)) for month, values in enumerate(zip(*rows, strict=True), start=1)
    ]


def _plain(column: OutColumn, values: "Array | pd.Series[Any]") -> list[Any]:
    """Values as plain data, rounded as their kind is."""
    if column.kind is Kind.DATE:
        return days(pd.Series(values))
    if column.kind in (Kind.TEXT, Kind.INTEGER):
        return list(values.tolist())
    rounded = np.round(np.asarray(values, dtype=float), 2 if column.kind is Kind.MONEY else _DIGITS)
    return list((np.where(np.isnan(rounded), np.array(None), rounded) if column.optional else rounded).tolist())


def _by_account(columns: Sequence[OutColumn], frame: pd.DataFrame) -> dict[str, dict[str, list[Score]]]:
    """The rows of each account by outcome, with some columns."""
    names = names_of(columns)
    keys = zip(frame["account_id"].tolist(), frame["outcome"].tolist(), strict=True)
    rows = zip(*(_plain(column, frame[column.name]) for column in columns), strict=True)
    rows_of: dict[str, dict[str, list[Score]]] = {}
    for (account, outcome), values in zip(keys, rows, strict=True):
        by_outcome = rows_of.setdefault(account, {name: [] for name in EXPLAINED})
        by_outcome[outcome].append(dict(zip(names, values, strict=True)))
    return rows_of


def days(dates: "pd.Series[Any]") -> list[str | None]:
    """Dates as text; None where there is none."""
    return [None if pd.isna(day) else day.date().isoformat() for day in dates]
