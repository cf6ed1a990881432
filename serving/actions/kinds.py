"""The kinds of plays there are, how large the effect of each is taken to be, and on what evidence."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from models.effects.action_effect import HARMFUL, HELPFUL, ActionEffect
from models.plans.play_value import PlaySize
from params import load
from params_team import Actions, Play
from serving.forecast.declared.acting_tables import ASSUMED, ESTIMATED
from serving.forecast.refusals import BadRequest

Z_80 = float(ndtri(0.9))  # an 80 % interval reaches so many standard errors to either side
STANDING = (HELPFUL, HARMFUL)


@dataclass(frozen=True)
class KindOfPlay:
    """A kind that can be recommended."""

    name: str
    play: Play
    size: PlaySize
    sd: PlaySize
    evidence: str
    verdict: str

    @property
    def at_low(self) -> PlaySize:
        """The size at which it saves least, within 80 %."""
        return self._at(-Z_80)

    @property
    def at_high(self) -> PlaySize:
        """The size at which it saves most, within 80 %."""
        return self._at(Z_80)

    def _at(self, z: float) -> PlaySize:
        churn, expansion = self.size.churn - z * self.sd.churn, self.size.expansion + z * self.sd.expansion
        return PlaySize(churn, expansion, self.size.decay)


@dataclass(frozen=True)
class Kinds:
    """The kinds that can be recommended, in the order of the settings, and what whoever reads on should know."""

    kinds: tuple[KindOfPlay, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [kind.name for kind in self.kinds]

    @property
    def hours(self) -> NDArray[np.float64]:
        """Hours of each: of an account, or of a session."""
        return np.array([kind.play.hours for kind in self.kinds])

    @property
    def seats(self) -> NDArray[np.int64]:
        """Accounts that a session of each holds; 0 = no play in a group."""
        return np.array([kind.play.group or 0 for kind in self.kinds], dtype=np.int64)


def usable_kinds(settings: Actions, done: pd.DataFrame, studied: Mapping[str, ActionEffect]) -> Kinds:
    """The kinds of the settings, as far as the team has ever done them.

    A kind of the default settings that the data do not hold is left out, with a note.

    Parameters
    ----------
    settings
        `actions` of the settings.
    done
        What was done, as `features.kpis.care_done.last_done` gives it.
    studied
        What a study found, by kind; empty without one.

    Raises
    ------
    BadRequest
        A kind of your own that the data do not hold, or none is left.
    """
    there, defaults = set(done["action"]), load().actions.kinds
    absent = [name for name in settings.kinds if name not in there]
    if unknown := [name for name in absent if settings.kinds[name] != defaults.get(name)]:
        raise BadRequest(_unknown("actions.kinds", unknown, there))
    usable = {name: play for name, play in settings.kinds.items() if name in there}
    if not usable:
        raise BadRequest(
            f"actions.kinds names {', '.join(settings.kinds) or 'nothing'}, and {_holds(there)}. Name in actions.kinds "
            "the kinds that can be done, each with its hours."
        )
    note = f"Not done before, and so not recommended: {', '.join(absent)} (actions.kinds)." if absent else ""
    kinds = [_sized(name, play, settings, studied.get(name)) for name, play in usable.items()]
    return Kinds(tuple(kinds), (note,) if note else ())


def require_kinds(where: str, names: Collection[str], known: Collection[str]) -> None:
    """Refuse kinds that are not among those that can be recommended.

    Raises
    ------
    BadRequest
        Which, and what was perhaps meant.
    """
    if unknown := [name for name in names if name not in known]:
        raise BadRequest(_unknown(where, unknown, known, "actions.kinds has"))


def _unknown(where: str, names: Collection[str], known: Collection[str], holder: str = "") -> str:
    near = {name: difflib.get_close_matches(name, list(known), n=1) for name in names}
    named = ", ".join(f"{name} (did you mean {near[name][0]}?)" if near[name] else name for name in names)
    holds = f"{holder} {', '.join(sorted(known))}" if holder else _holds(known)
    return f"{where} names kinds of actions that are not known: {named}. Here {holds}."


def _holds(there: Collection[str]) -> str:
    if not there:
        return "csm_actions holds no action that was done"
    return f"csm_actions holds {', '.join(sorted(there))}"


def _sized(name: str, play: Play, settings: Actions, studied: ActionEffect | None) -> KindOfPlay:
    """A kind with the effect that a study found and that stands, else with the assumed one.

    What is assumed keeps within what a study leaves open.
    """
    verdict = "not studied" if studied is None else studied.verdict
    if studied is not None and verdict in STANDING and studied.pooled_logit is not None:
        return KindOfPlay(name, play, *_estimated(studied), ESTIMATED, verdict)
    logit = settings.assumed_logit if play.assumed_logit is None else play.assumed_logit
    if studied is not None and studied.is_estimated:
        logit = float(np.clip(logit, studied.logit_low, studied.logit_high))
    expansion = play.assumed_expansion_logit
    sd = PlaySize(*(min(settings.assumed_sd, abs(size) / 2) for size in (logit, expansion)))
    return KindOfPlay(name, play, PlaySize(logit, expansion), sd, ASSUMED, verdict)


def _estimated(studied: ActionEffect) -> tuple[PlaySize, PlaySize]:
    """The size that a study found, drawn towards the mean of all kinds, and its error with the allowance within."""
    sizes = PlaySize(studied.pooled_logit or 0.0, studied.expansion_logit or 0.0, studied.decay)
    errors = PlaySize(studied.pooled_se or 0.0, studied.expansion_logit_se or 0.0)
    allowance = studied.allowance
    return sizes, PlaySize(
        float(np.hypot(errors.churn, allowance)),
        float(np.hypot(errors.expansion, allowance)) if studied.expansion_logit is not None else 0.0,
    )
