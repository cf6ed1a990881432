"""What may be said of an effect, in words, and when nothing may be."""

from dataclasses import dataclass

from models.effects.action_effect import HARMFUL, HELPFUL, NO_EFFECT, NOT_KNOWN, NOT_SEPARABLE
from models.effects.honest_intervals import half_width, smallest_seen, within_sample
from models.words import counted

FEWEST_ROWS, FEWEST_ACCOUNTS = 300, 100
OVERLAP = 0.05  # a treatment whose residual variance is less than this share of its variance is all but decided


@dataclass(frozen=True)
class Verdict:
    """A verdict and its reason."""

    word: str
    reason: str


def refusal(treated_rows: int, untreated_rows: int, treated_accounts: int) -> str:
    """Why a kind is not estimated at all; empty if it is."""
    if not treated_rows:
        return "it was never done in an account-month that can be learned from"
    if not untreated_rows:
        return "it was done in every account-month, so there is nothing to compare with"
    if treated_rows < FEWEST_ROWS or treated_accounts < FEWEST_ACCOUNTS:
        return (
            f"it was done in {counted(treated_rows, 'account-month')} of {counted(treated_accounts, 'account')}; "
            f"at least {FEWEST_ROWS} of {FEWEST_ACCOUNTS} accounts are needed"
        )
    if untreated_rows < FEWEST_ROWS:
        return f"it was not done in {counted(untreated_rows, 'account-month')} only, too few to compare with"
    return ""


def verdict_of(shift: float, se: float, allowance: float, failed: list[str]) -> Verdict:
    """What may be said of a shift of the log-odds of churn.

    Parameters
    ----------
    shift, se
        The estimate and its standard error, of the sample alone.
    allowance
        How far hidden confounding may have moved it.
    failed
        The refuters that it did not withstand.
    """
    if failed:
        return Verdict(NOT_KNOWN, f"refuted: {'; '.join(failed)}")
    half = half_width(se, allowance)
    if shift + half < 0:
        return Verdict(HELPFUL, "the whole interval, with the allowance, lies on the side of less churn")
    if shift - half > 0:
        return Verdict(HARMFUL, "the whole interval, with the allowance, lies on the side of more churn")
    if within_sample(shift, se):
        if smallest_seen(se, allowance) <= 2 * allowance:
            return Verdict(NO_EFFECT, "an effect of twice the allowance would most likely have been seen")
    elif abs(shift) <= allowance:
        return Verdict(NOT_SEPARABLE, "the effect seen is no larger than what hidden confounding could make")
    return Verdict(NOT_KNOWN, "the interval holds 0, and there are too few account-months to tell")
