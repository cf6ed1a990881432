"""The recipe applied to what is known: tuned first where the settings ask for it, then fitted."""

from models.outcomes.outcome import OutcomeModel
from params import Params
from training.learn.dataset import Dataset, settings_of
from training.learn.tune import Split, Tuned, tune, tuned_settings


def fit_model(dataset: Dataset, inner: Split | None, params: Params) -> tuple[OutcomeModel, Tuned | None]:
    """Fit the outcome models on all that is known; with an inner split, by the settings that serve it best."""
    tuned = tune(inner, params=params) if inner else None
    settings = tuned_settings(settings_of(params), tuned)
    return OutcomeModel(dataset.inputs, settings).fit(dataset.frame, dataset.paths, dataset.streams), tuned
