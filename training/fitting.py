"""The recipe applied to what is known: tuned first where the settings ask for it, then fitted."""

from models.outcome import OutcomeModel
from params import Params
from training.dataset import Dataset, settings_of


def fit_model(known: Dataset, params: Params) -> OutcomeModel:
    """Fit the outcome models on all that is known."""
    return OutcomeModel(known.inputs, settings_of(params)).fit(known.frame, known.paths)
