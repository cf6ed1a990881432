"""What is said of effects claims no more than is known, and the allowance is that of what is reported."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.effects.action_effect import NO_EFFECT, ActionEffect
from models.effects.conclusions import sentences
from models.effects.left_out import LinearShifts
from models.effects.orthogonal import Scores, demeaned
from training.effects.design import Treatments
from training.effects.estimates import _refused
from training.effects.tests_passed import _moves

TRIALS = 2000


def shared_by(null_action: str | None = None) -> Any:
    """What kinds share, of trials in which usage decides whom the newsletter reaches and who leaves."""
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(TRIALS, 2))
    scores = Scores(0.02 * columns[:, 0] + rng.normal(0, 0.1, TRIALS), np.full(TRIALS, 0.05))
    return SimpleNamespace(
        params=SimpleNamespace(effects=SimpleNamespace(null_action=null_action, decay=0.9, allowance=0.1)),
        study=SimpleNamespace(account=np.arange(TRIALS)),
        columns=columns,
        families={"usage": [0], "tickets": [1]},
        month=np.arange(TRIALS) % 4,
        scores=lambda _: scores,
        level_scores=lambda _: scores,
    )


def treatments(shared: Any, *, every: bool = False) -> Treatments:
    rng = np.random.default_rng(6)
    call = np.ones(TRIALS) if every else (rng.random(TRIALS) < 0.3).astype(float)
    done = np.stack([call, (shared.columns[:, 0] + rng.normal(size=TRIALS) > 0).astype(float)], axis=1)
    return Treatments("action", ("call", "newsletter"), done, np.zeros_like(done))


def test_with_a_null_action_a_family_left_out_moves_what_is_reported() -> None:
    shared = shared_by(null_action="Newsletter")
    kinds, scores = treatments(shared), shared.scores("churn")
    raw = LinearShifts(shared.columns, demeaned(kinds.done, shared.month, scores.information), scores)
    whole, without = raw.shift(), raw.shift([0])
    moved = _moves(shared, kinds, "churn")["usage"]
    assert moved[0] == pytest.approx((without[0] - without[1]) - (whole[0] - whole[1]))
    assert moved[1] == pytest.approx(without[1] - whole[1])
    assert abs(moved[0]) > 5 * abs(without[0] - whole[0])
    np.testing.assert_allclose(_moves(shared_by(), kinds, "churn")["usage"], without - whole)


def test_what_was_done_nearly_always_needs_no_more_of_the_same() -> None:
    shared = shared_by()
    always = _refused(shared, treatments(shared, every=True), 0, "it was done in every account-month")
    assert always.rows_needed is None
    assert sentences([always]) == ["call (action): not known, because it was done in every account-month."]
    assert (_refused(shared, treatments(shared), 0, "too few").rows_needed or 0) > 0


def test_no_effect_is_told_with_the_size_that_would_have_been_seen() -> None:
    effect = ActionEffect(
        level="action", action="call", treated_rows=900, treated_accounts=300, missed_rows=0, decay=0.9, allowance=0.4,
        verdict=NO_EFFECT, evidence="good", reason="", logit=0.1, churn_points=0.3, low=-2.0, high=2.6,
    )  # fmt: skip
    assert sentences([effect])[0].endswith("One of 0.80 or more on the log-odds would most likely have been seen.")
