"""The reasons behind the probabilities of all accounts, against their peers, found block by block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.families.catalogue import FEATURES
from models.hazards.model_inputs import Input, in_blocks
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import Outcome, Prediction
from models.reasons.attribution import horizon_probability, path_effects
from models.reasons.background import Background
from models.reasons.drivers import effects_in_words, group_sums, standing_of, usual_ways
from models.reasons.groups import BEHAVIOUR, GROUPS, group_of
from models.reasons.peers import Norms, means_by_group
from params import Params

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
EXPLAINED: tuple[Outcome, ...] = ("churn", "expansion")
_SIGN = {"churn": 1.0, "contraction": 1.0, "expansion": -1.0}  # of what raises churn


@dataclass(frozen=True)
class Explained:
    """Of each account: what each input adds to a probability, shape (accounts, inputs), and that probability."""

    effects: Array
    probability: Array


def explain(model: OutcomeModel, frame: pd.DataFrame, prediction: Prediction | None = None) -> dict[Outcome, Explained]:
    """What the inputs of each account do to each outcome explained.

    SHAP values of every month ahead are held of one block of accounts at a time. `prediction` is that of the same rows,
    where it is at hand.
    """
    parts: dict[Outcome, list[Explained]] = {outcome: [] for outcome in EXPLAINED}
    for block in in_blocks(len(frame)):
        rows = frame.iloc[block]
        told = model.predict(rows) if prediction is None else prediction.rows(np.arange(len(frame))[block])
        for outcome, of_blocks in parts.items():
            contributions = model.contributions(rows, outcome, prediction=told)
            of_blocks.append(Explained(path_effects(contributions), horizon_probability(contributions)))
    return {outcome: _together(of_blocks) for outcome, of_blocks in parts.items()}


def _together(parts: Sequence[Explained]) -> Explained:
    effects, probability = ([getattr(part, name) for part in parts] for name in ("effects", "probability"))
    return Explained(np.concatenate(effects), np.concatenate(probability))


def norms_of(
    model: OutcomeModel,
    frame: pd.DataFrame,
    explained: Mapping[Outcome, Explained],
    compared: Background,
    expected: Mapping[str, int],
    *,
    churn: Array | None = None,
) -> Norms:
    """What is usual in each peer group among the accounts of `frame`.

    `churn` is the churn probability that people read of each account, by default what is explained of it; `expected`
    says which way more of an input is expected to move churn (see `expected_ways`).
    """
    shown = {outcome: part.probability for outcome, part in explained.items()}
    shown |= {} if churn is None else {"churn": churn}
    return Norms(
        effects={o: means_by_group(compared.peers, frame, part.effects) for o, part in explained.items()},
        probability={o: means_by_group(compared.peers, frame, values) for o, values in shown.items()},
        explained={o: means_by_group(compared.peers, frame, part.probability) for o, part in explained.items()},
        directions={
            outcome: _directions(model.all_inputs, frame, compared, part, expected, outcome)
            for outcome, part in explained.items()
        },
    )


def expected_ways(params: Params) -> dict[str, int]:
    """Which way more of a feature is expected to move churn: +1 up, -1 down; without those of which nothing is."""
    declared = {feature.name: feature.expected for feature in FEATURES}
    declared |= {name: setting.expected for name, setting in params.features.items()}
    return {name: way for name, way in declared.items() if way}


def reasons(
    model: OutcomeModel,
    frame: pd.DataFrame,
    explained: Mapping[Outcome, Explained],
    compared: Background,
    norms: Norms,
    *,
    top: int,
    currency: str,
    place: Integers | None = None,
) -> pd.DataFrame:
    """The reasons of each account and outcome over the whole horizon; the index says of which row of `frame`.

    `place` is the position of each row's peer group, where it is at hand.
    """
    place = compared.peers.places(frame) if place is None else place
    standing = standing_of(model.all_inputs, frame, compared, place)
    return pd.concat(
        [
            effects_in_words(
                part.effects - norms.effects[outcome][place],
                model.all_inputs,
                frame,
                outcome=outcome,
                top=top,
                currency=currency,
                background=compared,
                directions=norms.directions[outcome],
                standing=standing,
            )
            for outcome, part in explained.items()
        ]
    )


def against_peers(
    model: OutcomeModel,
    frame: pd.DataFrame,
    explained: Mapping[Outcome, Explained],
    compared: Background,
    norms: Norms,
    *,
    churn: Array,
    place: Integers | None = None,
) -> pd.DataFrame:
    """How the points add up: a row an account and outcome, from the peers' probability to the account's own.

    `churn` is the churn probability that people read of each account, `place` as `reasons` takes it.
    """
    peers = compared.peers
    place = peers.places(frame) if place is None else place
    shown = {outcome: part.probability for outcome, part in explained.items()} | {"churn": churn}
    parts = []
    for outcome, part in explained.items():
        sums = group_sums(part.effects - norms.effects[outcome][place], model.all_inputs)
        usual = norms.probability[outcome][place]
        parts.append(
            pd.DataFrame(
                {
                    "account_id": frame["account_id"].to_numpy(),
                    "outcome": outcome,
                    "peer_group": np.array(peers.names)[place],
                    "peers": np.array(peers.accounts)[place],
                    "peer_probability": usual,
                    **{f"{group}_effect": sums[:, number] for number, group in enumerate(GROUPS)},
                    "other_effect": shown[outcome] - usual - sums.sum(axis=1),
                    "probability": shown[outcome],
                }
            )
        )
    return pd.concat(parts)


def _directions(
    inputs: Sequence[Input],
    frame: pd.DataFrame,
    compared: Background,
    explained: Explained,
    expected: Mapping[str, int],
    outcome: Outcome,
) -> Array:
    """Whether more of an input is to be expected to raise the probability: as declared, else half of what is learned.

    What is declared is about churn; of what people do the contrary is expected of expansion.
    """
    centred = explained.effects - means_by_group(compared.peers, frame, explained.effects)[compared.peers.places(frame)]
    learned = usual_ways(centred, inputs, frame, compared)
    declared = [
        _SIGN[outcome] * expected.get(item.name, 0) if outcome == "churn" or group_of(item) in BEHAVIOUR else 0.0
        for item in inputs
    ]
    return np.where(declared, declared, learned / 2)
