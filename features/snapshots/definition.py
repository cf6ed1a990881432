"""What the rules, the features and their SQL come to, as digests: the folder of the store, and what changed since."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from features.asof.view import EPOCH, AsOf
from features.families.feature import Feature
from features.snapshots import spine
from features.snapshots.assembly import Assembly, assembly_at
from features.snapshots.compiler import compile_parts

VERSION = 2  # raise it when a change of code alters a snapshot without altering its SQL or its features
ANCHOR = (EPOCH, EPOCH + timedelta(days=365))  # dates whose SQL stands for that of any
Definition = Mapping[str, Any]


def definition_of(assembly: Assembly) -> Definition:
    """The rules, and a digest of each feature and of the SQL all stand on; nothing of the dates nor of the data."""
    anchor = assembly_at(assembly.asof.tables.elsewhere(), ANCHOR, assembly.revenue, assembly.selection)
    common = [str(VERSION), *spine.statements(anchor.asof, anchor.revenue), *anchor.ranking, anchor.final]
    return {
        "rules": assembly.revenue.model_dump(mode="json"),
        "lag_days": dict(assembly.asof.tables.lag_days),
        "features": {
            feature.name: _digest(repr((feature.value, feature.kind)), *_selects(feature, anchor.asof))
            for feature in assembly.selection.features
        },
        "common": _digest(*common),
    }


def key_of(definition: Definition) -> str:
    """Stands for a definition: the name of its folder in the store."""
    return hashlib.sha256(json.dumps(definition).encode()).hexdigest()[:16]


def changes_between(before: Definition, now: Definition) -> list[str]:
    """What differs between two definitions, in words."""
    changes = [f"{key} {before['rules'].get(key)} -> {value}" for key, value in now["rules"].items()
               if before["rules"].get(key) != value]  # fmt: skip
    changes += _feature_changes(before["features"], now["features"])
    changes += ["the lags of the tables changed"] * (before["lag_days"] != now["lag_days"])
    return changes or ["what all features stand on"]


def _feature_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """How many features were added, are gone or changed, and the first of them."""
    names_of = {
        "added": [name for name in now if name not in before],
        "gone": [name for name in before if name not in now],
        "changed": [name for name in now if name in before and before[name] != now[name]],
    }
    return [
        f"{len(names)} feature{'s' * (len(names) > 1)} {change} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
        for change, names in names_of.items()
        if names
    ]


def _selects(feature: Feature, asof: AsOf) -> list[str]:
    """The SQL of one feature's own parts."""
    return list(compile_parts(feature.value.parts, asof).values())


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
