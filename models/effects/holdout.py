"""A trial that withholds recommendations by lot: who is in which arm, what it can show, what it showed.

Who is withheld is decided by a keyed hash of the account alone: it stays so when other accounts come and go, and
whoever was withheld at a small share is at a larger one. With y whether an account left, d whether the play was done,

    ITT = E(y | offered) - E(y | withheld),    take-up = E(d | offered) - E(d | withheld),    tau = ITT / take-up,

the effect on those who got the play because it was offered. Its standard error is that of the residuals y - tau d.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri
from scipy.stats import norm

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Z_95 = float(ndtri(0.975))
POWER = 0.8
LEAST_TAKE_UP = 0.05  # below it nearly nobody's play depended on the offer, and the ratio is noise
LEAST_TAKE_UP_Z = 4.0  # a weak instrument: about F = 16
APART = 2.0  # standard errors beyond which trial and study are not joined
FEWEST_IN_ARM = 10
_FURTHEST = 4.0
_DIGEST_BYTES = 7  # 56 bits: all of them fit into a float


def lots(accounts: Iterable[str], salt: str) -> Array:
    """A number in [0, 1) of each account, the same for ever under one salt; withheld is who lies below the share."""
    key = salt.encode()
    digests = (hmac.new(key, account.encode(), hashlib.sha256).digest() for account in accounts)
    whole = [int.from_bytes(digest[:_DIGEST_BYTES], "big") for digest in digests]
    return np.array(whole, dtype=float) / 2.0 ** (8 * _DIGEST_BYTES)


def detectable_difference(share: float, accounts: int, churn: float, take_up: float) -> float:
    """The smallest effect on those who take an offer up that is seen in 4 of 5 cases at 95 %.

    It is a difference of the share that leaves.

    Parameters
    ----------
    share
        Of the accounts that is withheld.
    accounts
        How many are in the trial.
    churn
        Of them, the share that leaves within the window.
    take_up
        By how much an offer raises the chance that the play is done.
    """
    if not accounts or not 0 < share < 1 or take_up <= 0:
        return float("inf")
    se = np.sqrt(churn * (1 - churn) / (accounts * share * (1 - share)))
    return float((Z_95 + ndtri(POWER)) * se / take_up)


@dataclass(frozen=True)
class TrialEffect:
    """What a trial showed. Differences are offered less withheld, of shares of accounts; None where it tells nothing.

    Attributes
    ----------
    offered, withheld
        Accounts in each arm.
    intention, intention_se
        Of leaving, by arm alone.
    take_up, take_up_se
        Of the play being done.
    effect, se
        Of leaving, on those who got the play since it was offered.
    reason
        Why there is no `effect`; empty where there is.
    churn_withheld
        The share of the withheld that left.
    """

    offered: int
    withheld: int
    intention: float | None = None
    intention_se: float | None = None
    take_up: float | None = None
    take_up_se: float | None = None
    effect: float | None = None
    se: float | None = None
    churn_withheld: float | None = None
    reason: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % of `effect`."""
        if self.effect is None or self.se is None:
            return None
        return self.effect - Z_95 * self.se, self.effect + Z_95 * self.se


def trial_effect(left: Bools, done: Bools, is_withheld: Bools) -> TrialEffect:
    """What a trial showed.

    Parameters
    ----------
    left, done, is_withheld
        Of each account: whether it left within the window, whether the play was done, and its arm; shape (accounts,).
    """
    offered, withheld = int((~is_withheld).sum()), int(is_withheld.sum())
    if min(offered, withheld) < FEWEST_IN_ARM:
        few = f"fewer than {FEWEST_IN_ARM} accounts of an arm are through the window"
        return TrialEffect(offered, withheld, reason=few)
    intention, intention_se = _difference(left.astype(float), is_withheld)
    take_up, take_up_se = _difference(done.astype(float), is_withheld)
    figures = TrialEffect(
        offered, withheld, intention, intention_se, take_up, take_up_se, churn_withheld=float(left[is_withheld].mean())
    )
    if take_up < max(LEAST_TAKE_UP, LEAST_TAKE_UP_Z * take_up_se):
        return _without(figures, "the offer hardly changed whether the play was done")
    effect = intention / take_up
    _, residual_se = _difference(left - effect * done, is_withheld)
    return TrialEffect(
        offered, withheld, intention, intention_se, take_up, take_up_se, effect, residual_se / take_up,
        figures.churn_withheld,
    )  # fmt: skip


def _without(figures: TrialEffect, reason: str) -> TrialEffect:
    values = {name: getattr(figures, name) for name in TrialEffect.__dataclass_fields__}
    return TrialEffect(**{**values, "reason": reason})


def _difference(values: Array, is_withheld: Bools) -> tuple[float, float]:
    """Offered less withheld, and its standard error with variances of their own."""
    arms = [values[~is_withheld], values[is_withheld]]
    variance = sum(arm.var(ddof=1) / len(arm) for arm in arms)
    return float(arms[0].mean() - arms[1].mean()), float(np.sqrt(variance))


def as_log_odds(effect: float, se: float, churn: float, months: int, decay: float) -> tuple[float, float] | None:
    """A difference of the share that leaves within some months, as a shift of the monthly log-odds that fades.

    Parameters
    ----------
    effect, se
        The difference and its standard error.
    churn
        The share that leaves without the play.
    months, decay
        The window, and what is left of the shift a month later.

    Returns
    -------
    tuple or None
        The shift in the first month and its standard error; None where no shift makes such a difference.
    """
    if not 0 < churn < 1:
        return None
    monthly = 1 - (1 - churn) ** (1 / months)
    fading = decay ** np.arange(months)

    def difference(shift: float) -> float:
        return float(1 - churn - np.prod(1 - expit(logit(monthly) + shift * fading)))

    if not difference(-_FURTHEST) < effect < difference(_FURTHEST):
        return None
    shift = float(brentq(lambda each: difference(each) - effect, -_FURTHEST, _FURTHEST))
    slope = (difference(shift + 1e-4) - difference(shift - 1e-4)) / 2e-4
    return shift, se / slope


@dataclass(frozen=True)
class Joined:
    """A trial and a study of the same kind, as shifts of the log-odds of churn.

    Attributes
    ----------
    shift, se
        Weighted by precision; None where the two are too far apart to be one.
    weight_of_trial
        Its share of the weight.
    apart, p_value
        Standard errors between the two, and how likely so many or more are if both are right.
    """

    shift: float | None
    se: float | None
    weight_of_trial: float | None
    apart: float
    p_value: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % of `shift`."""
        if self.shift is None or self.se is None:
            return None
        return self.shift - Z_95 * self.se, self.shift + Z_95 * self.se


def join(trial: tuple[float, float], study: tuple[float, float], allowance: float) -> Joined:
    """Join a trial with a study of past actions, whose error holds its allowance for hidden confounding.

    Parameters
    ----------
    trial, study
        Shift and standard error of each.
    allowance
        How far hidden confounding may have moved the study; the trial has none.
    """
    errors = np.array([trial[1], np.hypot(study[1], allowance)])
    apart = abs(trial[0] - study[0]) / float(np.hypot(*errors))
    p_value = float(2 * norm.sf(apart))
    if apart > APART:
        return Joined(None, None, None, apart, p_value)
    weights = errors**-2 / (errors**-2).sum()
    shift = float(weights @ np.array([trial[0], study[0]]))
    return Joined(shift, float((errors**-2).sum() ** -0.5), float(weights[0]), apart, p_value)
