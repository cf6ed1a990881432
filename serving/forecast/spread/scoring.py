"""Who does the work on the accounts: this process, or Spark where `scoring.spark` names one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.outcomes.prediction import Outcome, Prediction
from models.paths.rollup import RollUp, Trailing, roll_up
from models.paths.simulate import PathSettings
from models.reasons.background import Background
from models.reasons.peers import Norms
from params import Params
from serving.forecast.account_reasons import Explained, explain, reasons
from serving.forecast.refusals import BadRequest
from training.tracking.champion import Champion

Array = NDArray[np.float64]
Cuts = Mapping[str, NDArray[np.object_]]


class Scoring(Protocol):
    """Works on the customers of one date; the figures are the same wherever it does."""

    def roll_up(self, *, cuts: Cuts, trailing: Trailing, due: Array) -> tuple[RollUp, Array]:
        """The simulated portfolio, see `models.paths.rollup.roll_up`, and each account's chances of a cross-sell.

        The latter by month ahead, shape (accounts, months).

        Raises
        ------
        BadRequest
            A column that the model was trained on is absent.
        """

    def explain(self, compared: Background) -> Mapping[Outcome, Explained]:
        """What the inputs of each account do to each outcome explained."""

    def reasons(self, explained: Mapping[Outcome, Explained], compared: Background, norms: Norms) -> pd.DataFrame:
        """The reasons of each account in words, as `serving.forecast.account_reasons.reasons` gives them.

        `explained` and `compared` are those of the `explain` before.
        """


class ScoringHere:
    """The work in this process, on its threads."""

    def __init__(self, champion: Champion, customers: pd.DataFrame, params: Params) -> None:
        self.champion, self.customers, self.params = champion, customers, params

    def roll_up(self, *, cuts: Cuts, trailing: Trailing, due: Array) -> tuple[RollUp, Array]:
        """See `Scoring`."""
        months, settings = self.champion.model.horizon_months, path_settings(self.params)
        prediction = predict(self.champion, self.customers)
        rolled = roll_up(
            prediction,
            settings,
            horizon_months=months,
            cuts=cuts,
            trailing=trailing,
            due=due,
            threads=self.params.threads,
        )
        return rolled, prediction.cross_sell_probability()[:, :months]

    def explain(self, compared: Background) -> Mapping[Outcome, Explained]:
        """See `Scoring`."""
        del compared
        return explain(self.champion.model, self.customers)

    def reasons(self, explained: Mapping[Outcome, Explained], compared: Background, norms: Norms) -> pd.DataFrame:
        """See `Scoring`."""
        top, currency = self.params.forecast.drivers, self.params.revenue.currency
        model, against = self.champion.model, (explained, compared, norms)
        return reasons(model, self.customers, *against, top=top, currency=currency)


@contextmanager
def scoring_of(champion: Champion, customers: pd.DataFrame, params: Params) -> Iterator[Scoring]:
    """The work on the customers of one date, where the settings want it done."""
    if params.scoring.spark is None:
        yield ScoringHere(champion, customers, params)
        return
    from serving.forecast.spread.on_spark import ScoringOnSpark

    with ScoringOnSpark(champion, customers, params) as scoring:
        yield scoring


def path_settings(params: Params) -> PathSettings:
    """How a forecast's paths are simulated."""
    return PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)


def predict(champion: Champion, customers: pd.DataFrame) -> Prediction:
    """The monthly hazards and amounts of snapshot rows.

    Raises
    ------
    BadRequest
        A column that the model was trained on is absent.
    """
    try:
        return champion.model.predict(customers)
    except ValueError as error:
        raise BadRequest(str(error)) from None
