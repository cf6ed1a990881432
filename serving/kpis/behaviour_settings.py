"""What a behaviour becomes in the settings, each a line of YAML that loads by itself, and the effect beside it.

A line is a whole settings file in flow style: saved as it is and given with `--params`, or taken apart and merged into
the file that is there. The feature counts over the last days, as many as the age at which the behaviour was judged.
"""

import json
import re
from collections.abc import Mapping

from features.kpis.behaviours import Choice, Doing
from serving.forecast.stored_effects import StoredEffects

NOT_STUDIED = "no effect estimated"
ALERT_DAYS = 2  # of so many times the age: an account older than that is no longer young


def feature_name(choice: Choice) -> str:
    """The name of the feature that counts the people."""
    word = re.sub("[^a-z0-9]+", "_", choice.feature.lower()).strip("_")
    return f"{word[:22] if word[:1].isalpha() else 'x' + word[:21]}_people_{choice.by_day}d"


def _feature(choice: Choice, doing: Doing) -> str:
    thing = json.dumps(choice.feature, ensure_ascii=False)
    return (
        f"{feature_name(choice)}: {{table: {doing.table}, measure: distinct, column: {doing.person}, "
        f"filter: {{{doing.thing}: {thing}}}, window: {choice.by_day}}}"
    )


def as_feature(choice: Choice, doing: Doing) -> str:
    """The feature alone, which health targets, alerts and conditions can name."""
    return f"features: {{{_feature(choice, doing)}}}"


def as_health_target(choice: Choice, doing: Doing) -> str:
    """The feature, and a measure of the customer's half of the health score: none is 0 points, enough are 100.

    Its weight is 0, since the weights of a half add up to 1: give it one and take it off another measure.
    """
    measure = f"{feature_name(choice)}: {{weight: 0, targets: [[0, 0], [{choice.users}, 100]]}}"
    return f"{{{as_feature(choice, doing)}, health: {{customer_actions: {{measures: {{{measure}}}}}}}}}"


def as_alert(choice: Choice, doing: Doing, words: str) -> str:
    """The feature, and an alert of young accounts that are short of it."""
    says = json.dumps(f"has not reached {words} by day {choice.by_day}", ensure_ascii=False)
    ages = f"tenure_days >= {choice.by_day} and tenure_days <= {ALERT_DAYS * choice.by_day}"
    rule = (
        f"{feature_name(choice)[:32]}_short: {{kind: risk, feature: {feature_name(choice)}, "
        f"at_most: {choice.users - 1}, leave: {choice.users}, where: {ages}, says: {says}, playbook: adoption}}"
    )
    return f"{{{as_feature(choice, doing)}, alerts: {{rules: {{{rule}}}}}}}"


def effect_beside(thing: str, effects: StoredEffects | None, moves: Mapping[str, str]) -> dict[str, str]:
    """The action that is to bring a behaviour about, and what the study of actions says of it; empty where none is.

    Parameters
    ----------
    thing
        A part of the product, or a course, article or event.
    moves
        The action by the thing, of the settings; else it is the action whose name the thing's begins with.
    """
    code = _code(thing)
    wanted = next((action for name, action in moves.items() if _code(name) == code), "")
    known = [effect.action for effect in effects.effects if effect.level == "action"] if effects else []
    named = wanted or next((action for action in known if (code + "_").startswith(_code(action) + "_")), "")
    if not named:
        return {"effect": "", "effect_says": ""}
    effect = effects.of(named) if effects else None
    return {"effect": named, "effect_says": effect.verdict if effect else NOT_STUDIED}


def _code(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
