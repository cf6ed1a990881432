"""All features, and which of them a set of tables can give."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.families import contract_history, csm_actions, engagement, usage
from features.families.feature import Feature
from features.tables.checked import Tables
from params import SettingsError

FAMILIES = (usage, csm_actions, engagement, contract_history)
FEATURES: tuple[Feature, ...] = tuple(feature for family in FAMILIES for feature in family.FEATURES)


@dataclass(frozen=True)
class Selection:
    """The features that can be built, and the columns that each of the others lacks."""

    features: tuple[Feature, ...]
    left_out: Mapping[str, tuple[str, ...]]


def select(tables: Tables, drop: Sequence[str] = ()) -> Selection:
    """The features that `tables` can give, but for those in `drop`.

    Raises
    ------
    SettingsError
        `drop` names a feature that does not exist.
    """
    _require_known(drop)
    kept = [feature for feature in FEATURES if feature.name not in drop]
    lacking = {feature.name: _lacking(feature, tables) for feature in kept}
    return Selection(
        tuple(feature for feature in kept if not lacking[feature.name]),
        {name: absent for name, absent in lacking.items() if absent},
    )


def _lacking(feature: Feature, tables: Tables) -> tuple[str, ...]:
    return tuple(need for need in feature.needs if not tables.has(*need.split(".")))


def _require_known(drop: Sequence[str]) -> None:
    names = [feature.name for feature in FEATURES]
    for name in drop:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."
            raise SettingsError(f"snapshots.drop: there is no feature {name}{hint}")
