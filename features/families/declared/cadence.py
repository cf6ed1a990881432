"""The cadence: how many of the touches that a rule makes due were delivered, and when the next one is due.

A rule of `every_days` N makes a touch due in each stretch of N days back from the snapshot, once the account has been a
customer for all of it. It is delivered if an action of its kind was done in the stretch, or so many days before it as a
touch may be late. Rules are those of the account's touch tier and phase at the snapshot, whether or not anybody planned
a row; what was planned and done is told by `csm_on_time_share_180d` beside it.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from features.families.feature import ANY, Feature
from features.families.kinds import Value, days_since, needing, ratio, value, windowed_sum
from features.families.parts import Measure, Stream
from features.tables.sql import code, flag, quoted
from params import SettingsError
from params_team import Cadence, Touch

ALL = "any"
LOOK_BACK_DAYS = 730
TOUCHES = Stream(
    "touches",
    "csm_actions",
    needs=("csm_actions.acted_on", "csm_actions.action"),
    columns=(f"{code('action')} AS touch",),
    where=f"{code('status')} = 'done'",
)
_feature = partial(Feature, family="csm_actions", signal="CSM cadence")


def cadence_features(cadence: Cadence, phase: Feature, phases: Sequence[str]) -> tuple[Feature, ...]:
    """The features of the cadence; none where the settings have no rule.

    Parameters
    ----------
    phase
        The feature with the phase of an account, and `phases` the phases that there are.

    Raises
    ------
    SettingsError
        A rule is of a phase that there is not.
    """
    problems = [f"  {problem}" for problem in _problems(cadence, phases)]
    if problems:
        raise SettingsError("\n".join(["The settings cannot be used:", *problems]))
    if not cadence.rules:
        return ()
    meanings = cadence_meanings(cadence)
    return (
        _feature(
            name="cadence_kept_share",
            value=ratio(_summed(cadence, phase, _kept), _summed(cadence, phase, _due)),
            unit="share",
            meaning=meanings["cadence_kept_share"],
            sentence="{value} of the touches due by rule were delivered",
            expected=-1,
        ),
        _feature(
            name="days_to_next_touch",
            value=_next_due(cadence, phase),
            unit="days",
            meaning=meanings["days_to_next_touch"],
            span=ANY,
            sentence="the next touch is due in {value} days",
        ),
    )


def cadence_meanings(cadence: Cadence) -> dict[str, str]:
    """What the features of the cadence mean: all that decides their values, in words."""
    words = _in_words(cadence)
    meanings = {
        "cadence_kept_share": f"Touches delivered over touches due, of the last {cadence.touches} of each kind by rule",
        "days_to_next_touch": "Days until the next touch is due by rule, below 0 if it is overdue",
    }
    return {name: f"{meaning}: {words}" for name, meaning in meanings.items() if cadence.rules}


def _problems(cadence: Cadence, phases: Sequence[str]) -> Iterator[str]:
    for tier, rules in cadence.rules.items():
        for phase in rules:
            if phase not in (ALL, *phases):
                near = difflib.get_close_matches(phase, phases, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join((ALL, *phases))}"
                yield f"cadence.rules.{tier}: there is no phase {phase}{hint}"


def _in_words(cadence: Cadence) -> str:
    rules = (
        f"{tier} {phase} {touch.kind} every {touch.every_days} days"
        for tier, by_phase in cadence.rules.items()
        for phase, touches in by_phase.items()
        for touch in touches
    )
    return f"{', '.join(rules)}, {cadence.tolerance_days} days late at most"


def _applying(phase: Feature, tier: str, name: str) -> tuple[str, Value]:
    """Condition on the account's tier and phase, with a place for the phase."""
    tier_sql = f"{code('attribute_touch_model')} = {quoted(tier)}"
    return (
        (tier_sql, Value("NULL", needs=())) if name == ALL else (f"{tier_sql} AND {{}} = {quoted(name)}", phase.value)
    )


def _rules(cadence: Cadence) -> Iterator[tuple[str, str, Touch]]:
    for tier, by_phase in cadence.rules.items():
        for name, touches in by_phase.items():
            yield from ((tier, name, touch) for touch in touches)


def _kept(touch: Touch, cadence: Cadence) -> Value:
    """How many of the touches due were delivered."""
    measure = Measure(TOUCHES, _word(touch.kind), flag(f"touch = {code(quoted(touch.kind))}"))
    slots = [
        value(
            f"CASE WHEN t - customer_from >= {(slot + 1) * touch.every_days} AND {{}} > 0 THEN 1 ELSE 0 END",
            windowed_sum(measure, touch.every_days + cadence.tolerance_days, ago=slot * touch.every_days),
        )
        for slot in range(cadence.touches)
    ]
    return value(f"({' + '.join(['{}'] * len(slots))})", *slots)


def _due(touch: Touch, cadence: Cadence) -> Value:
    """How many touches were due."""
    slots = (flag(f"t - customer_from >= {(slot + 1) * touch.every_days}") for slot in range(cadence.touches))
    return Value(f"({' + '.join(slots)})", needs=TOUCHES.needs)


def _summed(cadence: Cadence, phase: Feature, count: Callable[[Touch, Cadence], Value]) -> Value:
    """A count added up over the rules that apply to the account."""
    items = []
    for tier, name, touch in _rules(cadence):
        condition, of_phase = _applying(phase, tier, name)
        counted = count(touch, cadence)
        items.append(
            value(f"CASE WHEN {condition} THEN {{}} ELSE 0 END", *([] if name == ALL else [of_phase]), counted)
        )
    return needing(value(" + ".join(["{}"] * len(items)), *items), "accounts.touch_model")


def _next_due(cadence: Cadence, phase: Feature) -> Value:
    """The fewest days until a touch of a rule that applies; one that never was is due from the start on."""
    result = Value("NULL", needs=())
    for tier, name, touch in _rules(cadence):
        condition, of_phase = _applying(phase, tier, name)
        done = f"touch = {code(quoted(touch.kind))}"
        since = days_since(TOUCHES, LOOK_BACK_DAYS, name=_word(touch.kind), where=done)
        ahead = value(f"({touch.every_days} - COALESCE({{}}, t - customer_from))", since)
        places = [] if name == ALL else [of_phase]
        applies = value(f"CASE WHEN {condition} THEN {{}} END", *places, ahead)
        result = (
            value("CASE WHEN {0} IS NULL OR {1} < {0} THEN {1} ELSE {0} END", result, applies)
            if result.parts
            else applies
        )
    return needing(result, "accounts.touch_model")


def _word(kind: str) -> str:
    """A kind as part of the name of a column."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in kind.lower())
