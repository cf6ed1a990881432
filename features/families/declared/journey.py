"""The journey: in which phase an account is, how late it is in it, and whether it has reached first value by rule.

A phase lasts until its condition holds. Conditions are of the snapshot: one that looks back over a window may hold and
hold no more, and the account is then in the earlier phase again. A use without `within` is of three years, so that
what was once reached stays reached.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from features.families.declared.conditions import condition_problems, condition_value, uses_in
from features.families.feature import Feature
from features.families.kinds import Value, needing, value
from features.tables.checked import Tables
from features.tables.sql import code, quoted
from params import OwnFeature, SettingsError
from params_team import Journey

DEFAULT = "default"
Journeys = Mapping[str, Journey]
MEANINGS = {
    "phase": "Phase of the customer's journey",
    "phase_days_late": "Days past the day by which the customer was expected to leave its phase; missing if none is",
    "first_value_by_rule": "Whether first value is reached by rule",
}
_feature = partial(Feature, family="contract_history", signal="phase")


def journey_features(journeys: Journeys, features: Mapping[str, Feature], tables: Tables) -> tuple[Feature, ...]:
    """The features of the journeys of all segments; none where the settings declare none.

    Raises
    ------
    SettingsError
        A condition names a feature that there is not, or can never hold.
    """
    problems = [f"  {problem}" for problem in _problems(journeys, features)]
    if problems:
        raise SettingsError("\n".join(["The settings cannot be used:", *problems]))
    return _features(journeys, features, tables) if journeys else ()


def _features(journeys: Journeys, features: Mapping[str, Feature], tables: Tables) -> tuple[Feature, ...]:
    meanings = journey_meanings(journeys)
    return (
        _feature(
            name="phase",
            value=phase_value(journeys, features, tables),
            unit="text",
            meaning=meanings["phase"],
            sentence="in the phase: {value}",
            kind="category",
        ),
        _feature(
            name="phase_days_late",
            value=_by_segment(journeys, lambda journey: _lateness(journey, features, tables)),
            unit="days",
            meaning=meanings["phase_days_late"],
            sentence="{value} days later than expected in its phase",
            expected=1,
        ),
        _feature(
            name="first_value_by_rule",
            value=_by_segment(journeys, lambda journey: _first_value(journey, features, tables)),
            unit="0/1",
            meaning=meanings["first_value_by_rule"],
            sentence="first value reached by rule: {value}",
            expected=-1,
        ),
    )


def journey_meanings(journeys: Journeys) -> dict[str, str]:
    """What the features of the journeys mean: all that decides their values, in words."""
    return {name: f"{meaning}: {journeys_in_words(journeys)}" for name, meaning in MEANINGS.items() if journeys}


def phase_value(journeys: Journeys, features: Mapping[str, Feature], tables: Tables) -> Value:
    """The phase, as text; missing in a segment that has no journey."""
    return _by_segment(journeys, lambda journey: _phases(journey, features, tables, quoted))


def journeys_in_words(journeys: Journeys) -> str:
    """All that decides a phase."""
    return "; ".join(f"{segment}: {_in_words(journey)}" for segment, journey in journeys.items())


def _in_words(journey: Journey) -> str:
    phases = (
        name + (f" until {journey.condition(phase.until)}" if phase.until else "")
        for name, phase in journey.phases.items()
    )
    late = [f"{name} by day {p.expected_day}" for name, p in journey.phases.items() if p.expected_day]
    first = [f"first value is {journey.first_value}"] if journey.first_value else []
    return ", ".join([*phases, *late, *first])


def uses_of(journeys: Journeys) -> Iterator[tuple[str, OwnFeature]]:
    """Where in the settings the use of a part of the product is counted, and what is counted there."""
    return ((place, use) for place, condition in _conditions(journeys) for use in uses_in(condition))


def _problems(journeys: Journeys, features: Mapping[str, Feature]) -> Iterator[str]:
    for place, condition in _conditions(journeys):
        yield from (f"{place}: {each}" for each in condition_problems(condition, features))


def _conditions(journeys: Journeys) -> Iterator[tuple[str, str]]:
    """Each condition of the journeys, and its place in the settings."""
    for segment, journey in journeys.items():
        if journey.first_value is not None:
            yield f"journey.{segment}.first_value", journey.first_value
        for name, phase in journey.phases.items():
            if phase.until is not None and phase.until.strip() != "first_value":
                yield f"journey.{segment}.phases.{name}.until", phase.until


def _by_segment(journeys: Journeys, value_of: Callable[[Journey], Value]) -> Value:
    """What each segment's journey gives; accounts of others have that of `default`."""
    values = {segment: value_of(journey) for segment, journey in journeys.items()}
    default = values.pop(DEFAULT, Value("NULL", needs=()))
    if not values:
        return default
    whose = code("attribute_segment")
    cases = " ".join(f"WHEN {whose} = {code(quoted(segment))} THEN {{}}" for segment in values)
    return needing(value(f"CASE {cases} ELSE {{}} END", *values.values(), default), "accounts.segment")


def _phases(journey: Journey, features: Mapping[str, Feature], tables: Tables, told: Callable[[str], str]) -> Value:
    """What is told of the first phase whose end has not come."""
    result: Value | None = None
    for name, phase in reversed(journey.phases.items()):
        own = Value(told(name), needs=())
        if result is None or phase.until is None:
            result = own
            continue
        ended = condition_value(journey.condition(phase.until), features, tables)
        result = value("CASE WHEN {} = 1 THEN {} ELSE {} END", ended, result, own)
    return result or Value("NULL", needs=())


def _lateness(journey: Journey, features: Mapping[str, Feature], tables: Tables) -> Value:
    def late(name: str) -> str:
        day = journey.phases[name].expected_day
        days = f"t - customer_from - {day}"
        return f"CASE WHEN {days} > 0 THEN {days} ELSE 0 END" if day else "CAST(NULL AS BIGINT)"

    return _phases(journey, features, tables, late)


def _first_value(journey: Journey, features: Mapping[str, Feature], tables: Tables) -> Value:
    if journey.first_value is None:
        return Value("NULL", needs=())
    return condition_value(journey.first_value, features, tables)


def phase_names(journeys: Journeys) -> tuple[str, ...]:
    """All phases of all journeys."""
    return tuple(dict.fromkeys(name for journey in journeys.values() for name in journey.phases))
