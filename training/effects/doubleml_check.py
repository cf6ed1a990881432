"""The same estimates by another hand: DoubleML, given our residuals, with its standard errors and sensitivity."""

import importlib.util

import numpy as np
import pandas as pd

from models.effects.refuters import Trials

LEAST = 1e-9


def has_doubleml() -> bool:
    """Whether the extra `effects` is installed."""
    return importlib.util.find_spec("doubleml") is not None


def by_doubleml(trials: Trials, place: int) -> dict[str, float]:
    """What DoubleML makes of one treatment, the others partialled out: shift, standard error and robustness value.

    Parameters
    ----------
    trials
        Treatments, propensities and scores.
    place
        Which treatment.
    """
    from doubleml import DoubleMLData, DoubleMLPLR
    from sklearn.linear_model import LinearRegression

    root = np.sqrt(np.maximum(trials.scores.information, LEAST))
    treatments = trials.residual * root[:, None]
    others = np.delete(treatments, place, axis=1)
    alone = treatments[:, place] - others @ np.linalg.lstsq(others, treatments[:, place], rcond=None)[0]
    columns = {"score": trials.scores.score / root, "done": alone, "nothing": 0.0, "account": trials.account}
    data = DoubleMLData(pd.DataFrame(columns), y_col="score", d_cols="done", x_cols="nothing", cluster_cols="account")
    model = DoubleMLPLR(data, LinearRegression(), LinearRegression(), n_folds=2)
    nothing = np.zeros((len(alone), 1))
    model.fit(external_predictions={"done": {"ml_l": nothing, "ml_m": nothing}})
    model.sensitivity_analysis()
    return {
        "doubleml_logit": float(model.coef[0]),
        "doubleml_se": float(model.se[0]),
        "doubleml_robustness_value": float(model.sensitivity_params["rv"][0]),
    }
