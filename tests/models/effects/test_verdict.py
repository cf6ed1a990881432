"""What may be said, as a table."""

import pytest

from models.effects.action_effect import EVIDENCE_OF, HARMFUL, HELPFUL, NO_EFFECT, NOT_KNOWN, NOT_SEPARABLE, VERDICTS
from models.effects.verdict import refusal, verdict_of


@pytest.mark.parametrize(
    ("shift", "se", "failed", "word"),
    [
        (-0.30, 0.05, [], HELPFUL),
        (0.30, 0.05, [], HARMFUL),
        (-0.30, 0.15, [], NOT_KNOWN),
        (-0.08, 0.02, [], NOT_SEPARABLE),
        (0.02, 0.02, [], NO_EFFECT),
        (0.02, 0.08, [], NOT_KNOWN),
        (-0.13, 0.03, [], NOT_KNOWN),
        (-0.30, 0.05, ["the two halves of the accounts disagree"], NOT_KNOWN),
    ],
)
def test_verdicts(shift: float, se: float, failed: list[str], word: str) -> None:
    verdict = verdict_of(shift, se, 0.1, failed)
    assert verdict.word == word
    assert not failed or failed[0] in verdict.reason


def test_every_verdict_has_its_evidence_word() -> None:
    assert EVIDENCE_OF.keys() == set(VERDICTS)


@pytest.mark.parametrize(
    ("treated", "untreated", "accounts", "reason"),
    [
        (0, 5000, 0, "never done"),
        (5000, 0, 900, "every account-month"),
        (299, 5000, 200, "299 account-months of 200 accounts; at least 300 of 100 accounts"),
        (300, 5000, 99, "300 account-months of 99 accounts"),
        (5000, 299, 900, "299 account-months only"),
        (300, 300, 100, ""),
    ],
)
def test_refusals(treated: int, untreated: int, accounts: int, reason: str) -> None:
    text = refusal(treated, untreated, accounts)
    assert reason in text
    assert bool(text) == bool(reason)
