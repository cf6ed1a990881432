"""What a model learns from: snapshots, and what was known at the training date to have become of them."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.families.catalogue import FEATURES
from features.families.feature import Feature
from features.revenue import CohortPaths, cohort_paths, settled_before
from features.snapshots.building import Snapshots
from features.tables.checked import Tables
from features.tables.problems import SNAPSHOTS_STORED, BadInput, Finding
from models.hazards.fit_settings import Settings, Tuning
from models.hazards.horizon import CALENDAR_INPUTS
from models.hazards.model_inputs import Input
from models.hazards.month_level import LEVEL_INPUTS
from models.outcomes.outcome import OutcomeModel
from models.paths.simulate import PathSettings
from models.words import counted
from params import Model, Params, SettingsError
from training.learn.too_new import TooNew, too_new

Array = NDArray[np.float64]
CALLS = "calls"


@dataclass(frozen=True)
class Dataset:
    """Snapshots up to `as_of` and the ARR paths after them, by what was known at `as_of`.

    `paths` has shape (rows, months + 1): column m is ARR m months after the snapshot, NaN where that was not settled
    at `as_of` or where the account was `paused`: a state of its own, neither left nor kept. Column 0 is ARR as the
    snapshot knew it. `streams`, of the same shape, is how many streams (product and buying centre) the account pays for
    then, NaN also where the source does not tell them apart. `settled_dates` are those of the snapshots that lie far
    enough before `as_of` to know who was a customer then. `call_inputs` are people's own calls, which `frame` has and
    `inputs` leaves out; so it does what is `too_new`.
    """

    as_of: date
    frame: pd.DataFrame
    paths: Array
    streams: Array
    paused: NDArray[np.bool_]
    inputs: tuple[Input, ...]
    settled_dates: tuple[date, ...]
    call_inputs: tuple[Input, ...] = ()
    too_new: tuple[TooNew, ...] = ()

    @property
    def actual(self) -> Array:
        """`paths` with the ARR of paused accounts, which is none."""
        return np.where(self.paused, 0.0, self.paths)

    def cohort(self, as_of: date) -> NDArray[np.bool_]:
        """Which rows are the snapshot of that date."""
        return np.asarray(self.frame["as_of"] == pd.Timestamp(as_of))


def tuning_of(params: Params) -> Tuning:
    """What only fitting needs, from the section that holds it."""
    return Tuning(**params.model.model_dump(include=set(Tuning.__dataclass_fields__)))


def settings_of(params: Params) -> Settings:
    """The model's settings, from the sections that hold them."""
    chosen = params.model.model_dump(include=set(Settings.__dataclass_fields__))
    tuning = tuning_of(params)
    grace_days = params.revenue.grace_days
    return Settings(**chosen, grace_days=grace_days, seed=params.seed, threads=params.threads, tuning=tuning)


def paths_settings(params: Params) -> PathSettings:
    """How futures are simulated, from the sections that hold it."""
    return PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)


def assemble(tables: Tables, snapshots: Snapshots, *, as_of: date, params: Params) -> Dataset:
    """The training data as of a date: earlier snapshots only, labels known by then only."""
    frame = snapshots.frame
    frame = frame[frame["as_of"] <= pd.Timestamp(as_of)].reset_index(drop=True)
    months = OutcomeModel((), settings_of(params)).months
    paths = paths_of(tables, frame, months=months, known_by=as_of, params=params)
    inputs = [inputs_of(features) for features in _apart(snapshots.features, params.model)]
    return _dataset(tables, as_of, frame, paths, *inputs, params=params)


def known_at(tables: Tables, dataset: Dataset, origin: date, params: Params) -> Dataset:
    """The dataset as it stood at an earlier date: earlier snapshots, labels known by then."""
    frame = dataset.frame[dataset.frame["as_of"] <= pd.Timestamp(origin)].reset_index(drop=True)
    paths = paths_of(tables, frame, months=dataset.paths.shape[1] - 1, known_by=origin, params=params)
    return _dataset(tables, origin, frame, paths, dataset.inputs, dataset.call_inputs, params=params)


def with_calls(dataset: Dataset) -> Dataset:
    """The same with people's calls among the inputs."""
    return replace(dataset, inputs=(*dataset.inputs, *dataset.call_inputs), call_inputs=())


def is_of_calls(feature: Feature) -> bool:
    """Whether a feature reads what people called."""
    return any(need.partition(".")[0] == CALLS for need in feature.needs)


def _apart(features: Sequence[Feature], settings: Model) -> tuple[list[Feature], list[Feature]]:
    """The features that the model looks at, and those of people's calls that it leaves out.

    Raises
    ------
    SettingsError
        `model.leave_out` names no feature.
    """
    _require_features(settings.leave_out, features)
    looked_at = [feature for feature in features if feature.name not in settings.leave_out]
    calls = [feature for feature in looked_at if is_of_calls(feature) and not settings.with_calls]
    return [feature for feature in looked_at if feature not in calls], calls


def _require_features(names: Sequence[str], features: Sequence[Feature]) -> None:
    """Names that `model.leave_out` may have: those of features that the tables give, or would give."""
    known = {feature.name for feature in (*FEATURES, *features)}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/data-dictionary.md lists them."
            raise SettingsError(f"model.leave_out: there is no feature {name}; {hint}")


def _dataset(
    tables: Tables,
    as_of: date,
    frame: pd.DataFrame,
    paths: CohortPaths,
    inputs: tuple[Input, ...],
    call_inputs: tuple[Input, ...],
    *,
    params: Params,
) -> Dataset:
    dates = sorted({*frame["as_of"].dt.date, as_of})
    new = too_new(frame, inputs, least_past_share=params.model.least_past_share)
    left_out = {each.name for each in new}
    return Dataset(
        as_of=as_of,
        frame=frame,
        paths=np.where(paths.paused, np.nan, paths.arr),
        streams=paths.subscriptions,
        paused=paths.paused,
        inputs=tuple(item for item in inputs if item.name not in left_out),
        settled_dates=tuple(settled_dates(tables, dates, params)),
        call_inputs=call_inputs,
        too_new=new,
    )


def settled_dates(tables: Tables, dates: Sequence[date], params: Params) -> list[date]:
    """Those of the dates that lie far enough before the last of them to know who was a customer then."""
    return [day for day in dates if day <= settled_before(tables, dates[-1], params.revenue)]


def paths_of(tables: Tables, frame: pd.DataFrame, *, months: int, known_by: date, params: Params) -> CohortPaths:
    """ARR and streams of each snapshot row and the months after it, by what was known at `known_by`."""
    return cohort_paths(
        tables,
        frame[["account_id", "as_of", "arr"]],
        months=months,
        known_by=known_by,
        rules=params.revenue,
        budget=params.budget,
    )


def inputs_of(features: Sequence[Feature]) -> tuple[Input, ...]:
    """The features as the model's inputs."""
    return tuple(
        Input(
            name=feature.name,
            kind=feature.kind,
            family=feature.family,
            signal=feature.signal,
            unit=feature.unit,
            meaning=feature.meaning,
            sentence=feature.sentence,
        )
        for feature in features
    )


def small_data(dataset: Dataset, settings: Model) -> str:
    """A caution where the data are enough to train on and no more; empty where they are comfortable."""
    frame = dataset.frame
    churned = frame["account_id"][(dataset.paths[:, 1:] == 0).any(axis=1)].nunique()
    checks = (
        (frame["as_of"].nunique(), settings.comfortable_months, "monthly snapshot", "monthly snapshots"),
        (churned, settings.comfortable_churned, "account known to have churned", "accounts known to have churned"),
    )
    few = [
        f"{counted(count, one, many)} ({least} are comfortable)" for count, least, one, many in checks if count < least
    ]
    if not few:
        return ""
    return (
        f"SMALL DATA: {' and '.join(few)}. The forecast leans on few events: read the intervals of NRR "
        "rather than its means."
    )


def require_enough(dataset: Dataset, settings: Model, causes: Sequence[Finding] = ()) -> None:
    """Refuse to train on too little; `causes` are warnings of the check that may be why.

    Raises
    ------
    BadInput
        Fewer accounts, months or churned accounts than the settings ask for, or a constraint on what is no feature;
        all that is wrong is named.
    """
    frame = dataset.frame
    churned = frame["account_id"][(dataset.paths[:, 1:] == 0).any(axis=1)].nunique()
    counts = {
        "accounts": (frame["account_id"].nunique(), settings.min_accounts, "min_accounts"),
        "monthly snapshots": (frame["as_of"].nunique(), settings.min_months, "min_months"),
        "accounts known to have churned": (churned, settings.min_churned, "min_churned"),
    }
    short = [
        Finding(
            table="training data",
            what=f"as of {dataset.as_of} there are {count} {what}, and at least {least} are needed",
            todo=f"Add history, or lower model.{key} and trust the result less",
        )
        for what, (count, least, key) in counts.items()
        if count < least
    ]
    short += _wrong_constraints(dataset, settings)
    if short:
        raise BadInput(short, causes, stored=SNAPSHOTS_STORED)


def _wrong_constraints(dataset: Dataset, settings: Model) -> list[Finding]:
    """Constraints of `model.monotone` on what is no number among the inputs of trees, or what tells the level."""
    inputs = (*dataset.inputs, *CALENDAR_INPUTS)
    numbers = {item.name for item in inputs if item.kind == "number"} - set(LEVEL_INPUTS)
    named = {name for constraints in settings.monotone.values() for name in constraints}
    if settings.learner != "lightgbm" and named:
        what = f"model.monotone binds trees alone, and model.learner is {settings.learner}"
        return [Finding("settings", what, "Set model.learner=lightgbm, or empty model.monotone")]
    names_level = "model.monotone names {}, which tells the level of the kind of month, and that is not bound"
    level = [Finding("settings", names_level.format(name), "Take it out") for name in LEVEL_INPUTS if name in named]
    other = "model.monotone names {}, which is no numeric feature of these data"
    strange = sorted(named - numbers - set(LEVEL_INPUTS) - {each.name for each in dataset.too_new})
    return level + [Finding("settings", other.format(name), _near(name, numbers)) for name in strange]


def _near(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else "`holdfast snapshots` lists the features"
