"""What to do next and what if, as they are published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from features.revenue.cut_labels import NO_LABEL
from serving.forecast.declared.column import Place, names_of
from serving.forecast.declared.published_lists import ACTIONS


@dataclass(frozen=True)
class Acting:
    """What to do next, and what if.

    Attributes
    ----------
    table
        `recommended_action`; None if nothing is recommended.
    about
        `capacity`, `notes` and `definition` as plain data.
    scenarios
        The presets, as `serving.actions.scenarios` gives them.
    effects
        What past actions changed, as `serving.actions.effects_told` gives it.
    process
        The quarterly review, as `serving.processes.review` gives it; None if there is none.
    holdout
        The holdout of recommendations, as `serving.actions.holdout_told` gives it; None if nothing is recommended.
    """

    table: pd.DataFrame | None = None
    about: Mapping[str, Any] = field(default_factory=lambda: {"capacity": [], "notes": [], "definition": ""})
    scenarios: Sequence[Mapping[str, Any]] = ()
    effects: Mapping[str, Any] | None = None
    process: Mapping[str, Any] | None = None
    holdout: Mapping[str, Any] | None = None


def about_plays(acting: Acting) -> dict[str, Any]:
    """What a publication says of itself about plays and scenarios."""
    about = dict(acting.about)
    scenarios = {one["scenario"]["name"]: dict(one) for one in acting.scenarios}
    more = {"effects": acting.effects, "process": acting.process, "holdout": acting.holdout}
    given = {name: dict(content) for name, content in more.items() if content is not None}
    return {"action_definition": about.pop("definition"), "actions": about, "scenarios": scenarios, **given}


def named_plays(table: pd.DataFrame | None, labels: pd.DataFrame) -> pd.DataFrame:
    """What to do next with the accounts' names."""
    names = names_of(ACTIONS.at(Place.API))
    if table is None:
        return pd.DataFrame(columns=names)
    ids = table["account_id"]
    called = labels["name"].reindex(ids).to_numpy() if "name" in labels else ids.to_numpy()
    return table.assign(name=np.where(called == NO_LABEL, ids, called))[names]
