"""What a test out of time lets one say of probabilities: the one rule of the terminal, the report, notes and pages."""

from typing import Final, Literal

Finding = Literal["skill", "no skill", "too few events"]
FEWEST_ACCOUNTS = 10  # with fewer accounts to which it came, nothing can be said
TOO_FEW_EVENTS: Final = "too few events"


def too_few(accounts: int) -> bool:
    """Whether the accounts to which an outcome came are too few to tell skill from luck."""
    return accounts < FEWEST_ACCOUNTS


def finding(accounts: int, skill_low: float, auc_low: float | None) -> Finding:
    """What was found of one outcome's probabilities at one horizon.

    Parameters
    ----------
    accounts
        Accounts to which the outcome came at least once.
    skill_low, auc_low
        Lower ends of the 95 % intervals of the skill over the base rate and of the AUC; an AUC that is not defined is
        NaN or None.

    Returns
    -------
    Finding
        `skill` where, beyond chance, the probabilities both tell accounts apart and beat the base rate.
    """
    if too_few(accounts):
        return TOO_FEW_EVENTS
    return "skill" if skill_low > 0 and auc_low is not None and auc_low > 0.5 else "no skill"
