"""All features, a company's own among them, and which of them a set of tables can give."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.families import contract_history, csm_actions, engagement, relationship, success_plan, usage
from features.families.contract_history import TENURE_PHASES
from features.families.declared.cadence import cadence_features
from features.families.declared.journey import journey_features, phase_names
from features.families.feature import Feature
from features.families.own import own_features
from features.tables.checked import Tables
from params import OwnFeature, SettingsError
from params_team import Declared

FAMILIES = (usage, csm_actions, success_plan, engagement, relationship, contract_history)
FEATURES: tuple[Feature, ...] = tuple(feature for family in FAMILIES for feature in family.FEATURES)


@dataclass(frozen=True)
class Selection:
    """The features that can be built, and the columns that each of the others lacks."""

    features: tuple[Feature, ...]
    left_out: Mapping[str, tuple[str, ...]]


def catalogue(tables: Tables, own: Mapping[str, OwnFeature]) -> tuple[Feature, ...]:
    """All features: those that come with the product, and those that the settings declare, of columns as they are.

    Raises
    ------
    SettingsError
        A declaration of the settings cannot be.
    """
    taken = [name for name in own if name in {feature.name for feature in FEATURES}]
    if taken:
        raise SettingsError(f"features.{taken[0]}: there is a feature of that name already: give another.")
    features = (*FEATURES, *own_features(own, tables))
    return with_journey(features, own, tables) if isinstance(own, Declared) else features


def with_journey(features: tuple[Feature, ...], declared: Declared, tables: Tables) -> tuple[Feature, ...]:
    """The features with those of the journey and the cadence; a journey's phase takes the place of `tenure_phase`.

    Raises
    ------
    SettingsError
        The journey or the cadence names what there is not.
    """
    by_name = {feature.name: feature for feature in features}
    more = journey_features(declared.journey, by_name, tables)
    if not (more or declared.cadence.rules):
        return features
    phase = more[0] if more else by_name["tenure_phase"]
    phases = phase_names(declared.journey) if more else TENURE_PHASES
    kept = tuple(feature for feature in features if not (more and feature.name == "tenure_phase"))
    return (*kept, *more, *cadence_features(declared.cadence, phase, phases))


def select(tables: Tables, drop: Sequence[str] = (), own: Mapping[str, OwnFeature] | None = None) -> Selection:
    """The features that `tables` can give, but for those in `drop`.

    Raises
    ------
    SettingsError
        `drop` names a feature that does not exist, or a declaration of the settings' own cannot be.
    """
    features = catalogue(tables, {} if own is None else own)
    _require_known(drop, features)
    kept = [feature for feature in features if feature.name not in drop]
    lacking = {feature.name: _lacking(feature, tables) for feature in kept}
    return Selection(
        tuple(feature for feature in kept if not lacking[feature.name]),
        {name: absent for name, absent in lacking.items() if absent},
    )


def _lacking(feature: Feature, tables: Tables) -> tuple[str, ...]:
    return tuple(need for need in feature.needs if not tables.has(*need.split(".", 1)))


def _require_known(drop: Sequence[str], features: Sequence[Feature]) -> None:
    names = [feature.name for feature in features]
    for name in drop:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."
            raise SettingsError(f"snapshots.drop: there is no feature {name}{hint}")
