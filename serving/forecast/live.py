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
from models.outcomes.prediction import Outcome
from models.paths.simulate import PathSettings, account_paths
from models.reasons.background import Background
from models.reasons.drivers import drivers, path_effects
from params import Params
from serving.forecast.batch import EXPLAINED, account_figures
from serving.forecast.champion import Champion

Array = NDArray[np.float64]
Score = dict[str, Any]
FIGURES = (
    "churn_probability",
    "contraction_probability",
    "expansion_probability",
    "cross_sell_probability",
    "expected_arr",
    "arr_p10",
    "arr_p50",
    "arr_p90",
    "arr_at_risk",
)
REFERENCE_ROWS = 512  # accounts whose mean effect stands for the average account, where none was published


@dataclass(frozen=True)
class Scorer:
    """A champion that is ready to score: settings, the average account, and what values are held against."""

    champion: Champion
    paths: PathSettings
    top: int
    currency: str
    reference: Mapping[Outcome, Array]
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
        arr = frame["arr"].to_numpy(dtype=float)
        figures = account_figures(prediction, rolled)
        return as_scores(frame["account_id"].tolist(), arr, days(frame["term_ends_on"]), figures, self.reasons(frame))

    def reasons(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The strongest reasons of snapshot rows, both outcomes."""
        model = self.champion.model
        found = [
            drivers(
                model.contributions(frame, outcome),
                model.all_inputs,
                frame,
                outcome=outcome,
                top=self.top,
                currency=self.currency,
                reference=self.reference[outcome],
                background=self.background,
            )
            for outcome in EXPLAINED
        ]
        return pd.concat(found, ignore_index=True)


def scorer(champion: Champion, params: Params, reference: Mapping[Outcome, Array], background: Background) -> Scorer:
    """A champion made ready to score by the settings of a run."""
    paths = PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)
    return Scorer(
        champion, paths, params.forecast.drivers, params.revenue.currency, reference, background, params.threads
    )


def average_effects(champion: Champion, frame: pd.DataFrame) -> dict[Outcome, Array]:
    """Mean effect of each input on each outcome explained: what the average account of `frame` has."""
    model = champion.model
    return {o: path_effects(model.contributions(frame, o)).mean(axis=0) for o in EXPLAINED}


def evenly(frame: pd.DataFrame, rows: int = REFERENCE_ROWS) -> pd.DataFrame:
    """At most so many rows of a frame, evenly thinned."""
    return frame.iloc[evenly_spread(len(frame), rows)].reset_index(drop=True)


def as_scores(
    account_ids: Sequence[str],
    arr: Array,
    renews_on: Sequence[str | None],
    figures: Mapping[str, Array],
    reasons: pd.DataFrame,
) -> list[Score]:
    """Scores as plain data, one an account.

    Parameters
    ----------
    figures
        Each of `FIGURES` by account and month ahead, shape (accounts, months); NaN, where cross-sells cannot
        be told, becomes None.
    reasons
        A row an account, outcome and reason: `account_id, outcome, rank, feature, value, effect, text`.
    """
    table = np.stack([np.round(figures[name], 2 if "arr" in name else 6) for name in FIGURES], axis=-1)
    untold = np.isnan(table) & (np.array(FIGURES) == "cross_sell_probability")
    table = np.where(untold, np.array(None), table).tolist()
    said = _by_account(reasons)
    nothing: dict[str, list[Score]] = {outcome: [] for outcome in EXPLAINED}
    return [
        {
            "account_id": account,
            "arr": round(float(arr[row]), 2),
            "renews_on": renews_on[row],
            "horizons": [
                {"horizon_months": month, **dict(zip(FIGURES, values, strict=True))}
                for month, values in enumerate(table[row], start=1)
            ],
            "drivers": said.get(account, nothing),
        }
        for row, account in enumerate(account_ids)
    ]


def _by_account(reasons: pd.DataFrame) -> dict[str, dict[str, list[Score]]]:
    columns = [
        reasons[name].tolist() for name in ("account_id", "outcome", "rank", "feature", "value", "effect", "text")
    ]
    said: dict[str, dict[str, list[Score]]] = {}
    for account, outcome, rank, feature, value, effect, text in zip(*columns, strict=True):
        here = said.setdefault(account, {name: [] for name in EXPLAINED})
        here[outcome].append(
            {"rank": rank, "feature": feature, "value": value, "effect": round(effect, 6), "text": text}
        )
    return said


def days(dates: "pd.Series[Any]") -> list[str | None]:
    """Dates as text; None where there is none."""
    return [None if pd.isna(day) else day.date().isoformat() for day in dates]
