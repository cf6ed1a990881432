"""What past actions changed, as it is published: each kind with its verdict, what tried to refute it, and its words."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from models.effects.action_effect import ActionEffect
from models.effects.conclusions import CAUTIONS, conclusion
from serving.forecast.stored_effects import StoredEffects

NO_STUDY = "No study of past actions lies in the data folder: `holdfast effects` makes one."
LATER = "The study of past actions knew of days after this forecast's date, so that it is left aside."
NOT_TOLD = ("decay", "pooled_se")
DIGITS = 6


def effects_told(stored: StoredEffects | None, as_of: date) -> dict[str, Any]:
    """The stored study as plain data, for a forecast of a date.

    Returns
    -------
    dict
        `effects_as_of` and `effects_run_id`, None and empty without a study; `rows`, a kind each; `cautions`; `notes`,
        why there is nothing.
    """
    if stored is None or stored.as_of > as_of:
        note = NO_STUDY if stored is None else LATER
        return {"effects_as_of": None, "effects_run_id": "", "rows": [], "cautions": list(CAUTIONS), "notes": [note]}
    return {
        "effects_as_of": stored.as_of.isoformat(),
        "effects_run_id": stored.run_id,
        "rows": [_row(effect) for effect in stored.effects],
        "cautions": list(CAUTIONS),
        "notes": [],
    }


def _row(effect: ActionEffect) -> dict[str, Any]:
    told = {name: value for name, value in effect.to_json().items() if name not in NOT_TOLD}
    refuters = effect.refuters
    more = {
        "conclusion": conclusion(effect),
        "withstood": bool(refuters["passed"]) if "passed" in refuters else None,
        "failed": list(refuters.get("failed", ())),
    }
    plain: dict[str, Any] = _finite({**told, **more})
    return plain


def _finite(value: Any) -> Any:
    """The same with None for what is no number, and no more digits than are of use."""
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
