"""DoubleML finds the same shifts and standard errors."""

import numpy as np
import pytest

from models.effects.orthogonal import Scores, one_step
from models.effects.refuters import Trials
from training.effects.doubleml_check import by_doubleml

pytestmark = pytest.mark.usefixtures("costly")
pytest.importorskip("doubleml", reason="the extra effects is not installed")


def test_doubleml_agrees_on_every_kind() -> None:
    rng = np.random.default_rng(4)
    account = np.repeat(np.arange(500), 4)
    propensity = np.repeat(rng.uniform(0.1, 0.5, (500, 2)), 4, axis=0)
    done = (rng.random((2000, 2)) < propensity).astype(float)
    hazard = np.full(2000, 0.2)
    event = (rng.random(2000) < 0.2 - 0.08 * done[:, 0]).astype(float)
    trials = Trials(done, propensity, Scores(event - hazard, hazard * (1 - hazard)), account)
    ours = one_step(trials.residual, trials.scores, account)
    for place in (0, 1):
        theirs = by_doubleml(trials, place)
        assert theirs["doubleml_logit"] == pytest.approx(ours.shift[place], rel=1e-6)
        assert theirs["doubleml_se"] == pytest.approx(ours.se[place], rel=0.02)
        assert 0 <= theirs["doubleml_robustness_value"] < 1
