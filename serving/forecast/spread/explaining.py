"""Why probabilities are what they are, of all customers of a date."""

from typing import NamedTuple

import pandas as pd

from models.outcomes.outcome import OutcomeModel
from models.paths.simulate import AccountPaths
from models.reasons.background import Background
from models.reasons.peers import Norms
from params import Params
from serving.forecast.account_reasons import EXPLAINED, against_peers, expected_ways, norms_of
from serving.forecast.declared.output_tables import ACCOUNT_DRIVER, ACCOUNT_PEERS
from serving.forecast.definitions import Rules
from serving.forecast.spread.scoring import Scoring


class Why(NamedTuple):
    """Why probabilities are what they are: the reasons, how the points add up, and what is usual of peers."""

    drivers: pd.DataFrame
    peers: pd.DataFrame
    norms: Norms | None


NO_REASONS = Why(
    pd.DataFrame(columns=list(ACCOUNT_DRIVER.names)), pd.DataFrame(columns=list(ACCOUNT_PEERS.names)), None
)


def why(
    scoring: Scoring,
    model: OutcomeModel,
    customers: pd.DataFrame,
    compared: Background,
    paths: AccountPaths,
    *,
    rules: Rules,
    params: Params,
) -> Why:
    """The reasons of all customers over the whole horizon, against their peers."""
    explained, churn = scoring.explain(compared), paths.churn_probability[:, -1]
    norms = norms_of(model, customers, explained, compared, expected_ways(params), churn=churn)
    drivers = scoring.reasons(explained, compared, norms)
    peers = against_peers(model, customers, explained, compared, norms, churn=churn)
    means = {outcome: rules.driver(outcome, model.horizon_months) for outcome in EXPLAINED}
    drivers, peers = (part.assign(definition=part["outcome"].map(means)) for part in (drivers, peers))
    return Why(drivers, peers, norms)
