"""What all features that settings declare mean, in words: other words, another feature."""

from features.families.declared.cadence import cadence_meanings
from features.families.declared.journey import journey_meanings
from features.families.own import meaning_of
from params_team import Declared


def declared_meanings(declared: Declared) -> dict[str, str]:
    """The meanings, by the features' names."""
    own = {name: meaning_of(name, setting) for name, setting in declared.items()}
    return own | journey_meanings(declared.journey) | cadence_meanings(declared.cadence)
