"""The recipe of a model: the settings that decide what is learned from the same data, and nothing else.

Not of the recipe: the seed and the threads, what training refuses, how results are shown; nor the rules of the revenue
arithmetic and the horizon, which say what is forecast rather than how.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from params import OwnFeature, Params, Section

_NOT_OF_IT = frozenset(
    {
        "name",
        "min_accounts",
        "min_months",
        "min_churned",
        "comfortable_months",
        "comfortable_churned",
        "suspicious_auc",
        "min_change",
        "horizon_months",
    }
)


def recipe_of(params: Params) -> dict[str, Any]:
    """The recipe as plain values, by setting: `model.leaves`, `snapshots.drop` and so on."""
    model = {f"model.{key}": value for key, value in _plain(params.model).items() if key not in _NOT_OF_IT}
    snapshots = {f"snapshots.{key}": value for key, value in _plain(params.snapshots).items()}
    tune = {f"tune.{key}": value for key, value in _plain(params.tune).items()} if params.tune.enabled else {}
    features = {f"features.{name}": _value(feature) for name, feature in params.features.items()}
    team = {f"journey.{segment}": _plain(journey) for segment, journey in params.journey.items()}
    team |= {f"cadence.{key}": value for key, value in _plain(params.cadence).items() if params.cadence.rules}
    return model | snapshots | features | team | tune


def recipe_digest(params: Params) -> str:
    """Identifies a recipe: the same settings, the same digest."""
    return hashlib.sha256(json.dumps(recipe_of(params), sort_keys=True).encode()).hexdigest()[:8]


def with_recipe(params: Params, settings: Mapping[str, Any]) -> Params:
    """These settings with the recipe of others, as a run recorded them; what those do not say stays as it is.

    Features of their own are the others' alone: a run that recorded none had none.
    """
    sections = {
        "model": params.model.model_dump(mode="json") | _known(params.model, settings.get("model", {})),
        "snapshots": params.snapshots.model_dump(mode="json") | _known(params.snapshots, settings.get("snapshots", {})),
        "features": settings.get("features", {}),
        "journey": settings.get("journey", {}),
        "cadence": _plain(params.cadence) | _known(params.cadence, settings.get("cadence", {"rules": {}})),
        "tune": params.tune.model_dump(mode="json") | _known(params.tune, settings.get("tune", {"enabled": False})),
    }
    return Params.model_validate(params.model_dump(mode="json") | sections)


def differences(params: Params, other: Params) -> list[str]:
    """What two recipes do not share: `model.leaves 15 -> 31`, the other's value first."""
    return list(_differences(recipe_of(params), recipe_of(other)))


def _differences(settings: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys([*other, *settings]):
        if settings.get(key) != other.get(key):
            yield f"{key} {other.get(key, 'off')} -> {settings.get(key, 'off')}"


def _plain(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json")


def _value(feature: OwnFeature) -> dict[str, Any]:
    """What decides the value of a feature; not how it is told."""
    return feature.model_dump(mode="json", exclude={"sentence", "signal", "expected"}, exclude_none=True)


def _known(section: Section, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the recipe that this version still has a setting for."""
    return {key: value for key, value in values.items() if key in type(section).model_fields and key not in _NOT_OF_IT}
