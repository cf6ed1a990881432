"""Features of the settings as the champion learned them: they may change for the next model, not for this one."""

from collections.abc import Iterator

from features.families.catalogue import FEATURES
from features.families.declared.meanings import declared_meanings
from params import Params
from serving.forecast.refusals import BadRequest
from training.tracking.champion import Champion


def require_same_features(champion: Champion, params: Params) -> None:
    """Refuse a champion that learned from a feature of the settings that they declare otherwise now.

    Raises
    ------
    BadRequest
        Which feature, what it was and is, and what to do.
    """
    other = list(_differences(champion, params))
    if other:
        raise BadRequest("\n".join(other))


def _differences(champion: Champion, params: Params) -> Iterator[str]:
    built_in, meanings = {feature.name for feature in FEATURES}, declared_meanings(params.declared)
    for item in champion.model.inputs:
        if item.name in built_in:
            continue
        declared = meanings.get(item.name)
        learned = f"The champion learned from features.{item.name} ({item.meaning})"
        todo = "Declare it as it was, or let another model take charge: `holdfast train --promote`."
        if declared is None:
            yield f"{learned}, and the settings declare no such feature. {todo}"
        elif declared != item.meaning:
            yield f"{learned}, and now it is another ({declared}). {todo}"
