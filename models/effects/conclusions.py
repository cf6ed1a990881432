"""What may and may not be concluded of each effect, in sentences."""

from collections.abc import Sequence

from models.effects.action_effect import HARMFUL, HELPFUL, NO_EFFECT, NOT_SEPARABLE, ActionEffect

CAUTIONS = (
    "An effect is that of one more done action of the kind in the 30 days after a month start, later actions as usual, "
    "on accounts that pay, have given no notice and are not overdue.",
    "It is told for the accounts that it was done with. Others may respond otherwise; that cannot be read here.",
    "The interval holds chance and an allowance for what nobody recorded. If what nobody recorded weighs more than "
    "that, the verdict may be wrong; only a trial that withholds the action by lot can rule it out.",
    "No effect found is not no effect: it says that an effect of twice the allowance would most likely have been seen.",
    "Reasons of a forecast (SHAP values) are not effects, and were not used.",
)


def sentences(effects: Sequence[ActionEffect]) -> list[str]:
    """A sentence a kind: the verdict and what it rests on."""
    return [conclusion(effect) for effect in effects]


def conclusion(effect: ActionEffect) -> str:
    """A sentence of one kind: the verdict, what it rests on, and what may be said."""
    name = f"{effect.action} ({effect.level})"
    if effect.logit is None:
        return f"{name}: not known, because {effect.reason}.{_needed(effect)}"
    figures = (
        f"{effect.churn_points:+.1f} points of 12-month churn (95 %: {effect.low:+.1f} to {effect.high:+.1f}), "
        f"from {effect.treated_rows:,} account-months of {effect.treated_accounts:,} accounts"
    )
    ends = {
        HELPFUL: "It may be said to lower churn.",
        HARMFUL: "It may be said to raise churn.",
        NO_EFFECT: f"One of {2 * effect.allowance:.2f} or more on the log-odds would most likely have been seen.",
        NOT_SEPARABLE: "What was seen is no larger than what hidden confounding could make; more data will not tell.",
    }
    said = ends.get(effect.verdict, f"Nothing may be said: {effect.reason}.{_needed(effect)}")
    return f"{name}: {effect.verdict}. {figures}. {said}"


def _needed(effect: ActionEffect) -> str:
    if effect.rows_needed is None or effect.rows_needed <= effect.treated_rows:
        return ""
    return f" About {effect.rows_needed:,} account-months with the action are needed."
