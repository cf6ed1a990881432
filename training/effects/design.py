"""The study: monthly trials on snapshots, who is eligible, what was done, and what was known before.

A trial is an account at a month start. It is eligible if it pays, has given no notice and is not overdue, if the 30
days after are covered by the data, and if a month later it is still there without notice: who leaves early has less
time for an action, and a notice makes CSMs act. Outcomes count from then on.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.actions.action_windows import HISTORY_DAYS, TABLE, WINDOW_DAYS, action_windows, kinds_of
from features.snapshots.building import Snapshots
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from models.hazards.model_inputs import Input, learn_categories
from params import Params
from training.learn.dataset import inputs_of, paths_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
YEAR = 12
MOST_KINDS = 30  # of a level
MOST_VALUES = 50  # of an attribute that is read as a category
ACCOUNT = "account"  # the family of the attributes of accounts
_HISTORY = (*(f"before_{days}" for days in HISTORY_DAYS), "missed_before")


@dataclass(frozen=True)
class Treatments:
    """What was done in each trial's month, kind by kind: 0 or 1, shape (trials, kinds), and what was missed only."""

    level: str
    names: tuple[str, ...]
    done: Array
    missed: Array

    def only(self, chosen: NDArray[np.bool_]) -> "Treatments":
        """Some of the kinds."""
        names = tuple(name for name, kept in zip(self.names, chosen, strict=True) if kept)
        return Treatments(self.level, names, self.done[:, chosen], self.missed[:, chosen])


@dataclass(frozen=True)
class Study:
    """Eligible trials.

    `frame` holds their snapshots and history, `paths` ARR at the month start and each month after, (trials, 13), NaN
    where it is not known yet. `inputs` are what was known before; `account` numbers the accounts in random order.
    """

    frame: pd.DataFrame
    paths: Array
    inputs: tuple[Input, ...]
    account: Ints
    levels: tuple[Treatments, ...]

    @property
    def families(self) -> dict[str, list[int]]:
        """The places of the inputs of each family."""
        places: dict[str, list[int]] = {}
        for place, item in enumerate(self.inputs):
            places.setdefault(item.family, []).append(place)
        return places


def make_study(tables: Tables, snapshots: Snapshots, *, known_by: date, params: Params) -> Study:
    """The trials that the snapshots hold, with labels as known before a day.

    Raises
    ------
    BadInput
        A kind that the settings name is not in the data, or there is no eligible trial.
    """
    dates = [day for day in _dates(snapshots.frame) if day + timedelta(days=WINDOW_DAYS) <= known_by]
    frame = snapshots.frame[snapshots.frame["as_of"].isin(pd.to_datetime(dates))].reset_index(drop=True)
    paths = paths_of(tables, frame, months=YEAR, known_by=known_by, params=params)
    arr = np.where(paths.paused, np.nan, paths.arr)
    eligible = _eligible(snapshots.frame, frame, arr)
    if not eligible.any():
        what = "no account-month can be learned from: none is eligible and a month old"
        raise BadInput([Finding("training data", what, "Bring more than four months of history")])
    frame, arr = frame[eligible].reset_index(drop=True), arr[eligible]
    levels, history, history_inputs = _treatments(tables, frame, dates, known_by, params)
    attributes, attribute_inputs = _attributes(snapshots, frame)
    frame = pd.concat([frame, history, attributes], axis=1)
    inputs = learn_categories([*inputs_of(snapshots.features), *attribute_inputs, *history_inputs], frame)
    return Study(frame, arr, inputs, _numbered(frame, params.seed), levels)


def _dates(frame: pd.DataFrame) -> list[date]:
    return sorted(day.date() for day in frame["as_of"].unique())


def _eligible(all_rows: pd.DataFrame, frame: pd.DataFrame, arr: Array) -> NDArray[np.bool_]:
    """Which rows pay, have no notice and are not overdue, now and a month later."""
    quiet = (frame["notice_share"].to_numpy(float) == 0) & ~(frame["overdue_days"].to_numpy(float) > 0)
    notices = all_rows.loc[all_rows["notice_share"].to_numpy(float) > 0, ["account_id", "as_of"]]
    noticed = set(zip(notices["account_id"], notices["as_of"], strict=True))
    later = frame["as_of"] + pd.DateOffset(months=1)
    still = np.array([pair not in noticed for pair in zip(frame["account_id"], later, strict=True)], dtype=bool)
    still &= later.isin(all_rows["as_of"].unique()).to_numpy()  # else a notice in the month would not be seen
    return np.asarray(quiet & (frame["arr"].to_numpy(float) > 0) & (np.nan_to_num(arr[:, 1]) > 0) & still)


def _numbered(frame: pd.DataFrame, seed: int) -> Ints:
    """The account of each trial as a number; numbers are in random order, so that folds and halves are."""
    codes, accounts = pd.factorize(frame["account_id"], sort=True)
    order = np.random.default_rng([seed, 22]).permutation(len(accounts))
    return np.asarray(order[codes], dtype=np.int64)


def _attributes(snapshots: Snapshots, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Input]]:
    """The attributes of accounts that are no features yet, numbers and texts of few values, as columns and inputs.

    Their columns have names of our own: a source's may be any text.
    """
    features = {feature.name for feature in snapshots.features}
    columns, inputs = {}, []
    for place, name in enumerate(name for name in snapshots.attributes if name not in features):
        values = frame[name]
        is_number = pd.api.types.is_float_dtype(values)
        if is_number or (_is_text(values) and 2 <= values.nunique() <= MOST_VALUES):
            columns[f"attribute_{place}"] = values
            inputs.append(plain_input(f"attribute_{place}", family=ACCOUNT, meaning=name, is_number=is_number))
    return pd.DataFrame(columns, index=frame.index), inputs


def _is_text(values: "pd.Series[str]") -> bool:
    return not (pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_bool_dtype(values))


def plain_input(name: str, *, family: str, meaning: str, is_number: bool) -> Input:
    """A column as an input that no reason is told of."""
    return Input(
        name=name,
        kind="number" if is_number else "category",
        family=family,
        signal=family,
        unit="",
        meaning=meaning,
        sentence="{value}",
    )


def _treatments(
    tables: Tables, frame: pd.DataFrame, dates: Sequence[date], known_by: date, params: Params
) -> tuple[tuple[Treatments, ...], pd.DataFrame, list[Input]]:
    """The treatments of each level that says more than those before it, and the history by kind of the first."""
    names: dict[str, dict[str, str]] = {
        level: kinds_of(tables, level, params.budget) for level in params.effects.levels
    }
    _require_kinds(names, params)
    names = {level: _commonest(kinds, params) for level, kinds in names.items()}
    levels: list[Treatments] = []
    history, inputs = pd.DataFrame(index=frame.index), list[Input]()
    for level in (level for level in params.effects.levels if names[level]):
        rows = action_windows(tables, dates, level=level, known_by=known_by, budget=params.budget)
        cells = _cells(frame, rows, names[level])
        if not levels:
            history, inputs = _history(cells, names[level])
        treatments = _chosen(_done(level, cells, names[level]), params)
        if not any(_same(treatments, other) for other in levels):
            levels.append(treatments)
    return tuple(levels), history, inputs


def _commonest(kinds: Mapping[str, str], params: Params) -> dict[str, str]:
    """The commonest kinds, and those that the settings name: the others are too rare, or the column is free text."""
    named = {code_of(kind) for kind in (*params.effects.kinds, params.effects.null_action or "")}
    return {kind: name for place, (kind, name) in enumerate(kinds.items()) if place < MOST_KINDS or kind in named}


def _chosen(treatments: Treatments, params: Params) -> Treatments:
    """The kinds that the settings ask for, and the null action; all where they name none of this level."""
    wanted = {code_of(kind) for kind in (*params.effects.kinds, params.effects.null_action or "")}
    chosen = np.array([code_of(name) in wanted for name in treatments.names], dtype=bool)
    return treatments.only(chosen) if params.effects.kinds and chosen.any() else treatments


def code_of(name: str) -> str:
    """A kind as the engine tells it apart: lower case, words joined by underscores."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def null_place(treatments: Treatments, params: Params) -> int | None:
    """The place of the null action among the kinds of a level; None where the settings name none of them."""
    named = params.effects.null_action
    codes = [code_of(name) for name in treatments.names]
    return codes.index(code_of(named)) if named and code_of(named) in codes else None


def _require_kinds(names: Mapping[str, Mapping[str, str]], params: Params) -> None:
    """Refuse kinds of the settings that the data do not have, and data without any kind."""
    there = {kind: name for kinds in names.values() for kind, name in kinds.items()}
    if not there:
        what = f"no row has any of {', '.join(params.effects.levels)}, so that there are no kinds of actions"
        raise BadInput([Finding(TABLE, what, "Map the column of what was done as csm_actions.action")])
    named = {"effects.kinds": params.effects.kinds, "effects.null_action": (params.effects.null_action,)}
    problems = [
        Finding("settings", f"{key} names {kind}, which {TABLE} does not have", _near(kind, there))
        for key, kinds in named.items()
        for kind in kinds
        if kind is not None and code_of(kind) not in there
    ]
    if problems:
        raise BadInput(problems)


def _near(kind: str, there: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(code_of(kind), there, n=1)
    return f"Did you mean {there[close[0]]}?" if close else f"There are: {', '.join(sorted(there.values())[:10])}"


def _cells(frame: pd.DataFrame, rows: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Array]:
    """Each count as an array of shape (trials, kinds)."""
    keys = pd.MultiIndex.from_arrays([frame["account_id"], frame["as_of"]])
    asked = [rows["account_id"], rows["as_of"].astype(frame["as_of"].dtype)]
    trial = keys.get_indexer(pd.MultiIndex.from_arrays(asked))
    kind = pd.Index(list(names)).get_indexer(pd.Index(rows["kind"]))
    kept = (trial >= 0) & (kind >= 0)
    cells = {}
    for name in ("done", "missed", *_HISTORY):
        cells[name] = np.zeros((len(frame), len(names)))
        cells[name][trial[kept], kind[kept]] = rows[name].to_numpy(float)[kept]
    return cells


def _done(level: str, cells: Mapping[str, Array], names: Mapping[str, str]) -> Treatments:
    done = (cells["done"] > 0).astype(float)
    missed = ((cells["missed"] > 0) & (done == 0)).astype(float)
    return Treatments(level, tuple(names.values()), done, missed)


def _history(cells: Mapping[str, Array], names: Mapping[str, str]) -> tuple[pd.DataFrame, list[Input]]:
    """What was done of each kind before the month start, as columns and as inputs."""
    columns, inputs = {}, []
    for place, name in enumerate(names.values()):
        for window in _HISTORY:
            column = f"history_{place}_{window}"
            columns[column] = cells[window][:, place]
            meaning = f"{name}, {window.replace('_', ' ')} days"
            inputs.append(plain_input(column, family="csm_actions", meaning=meaning, is_number=True))
    return pd.DataFrame(columns), inputs


def _same(treatments: Treatments, other: Treatments) -> bool:
    """Whether two levels tell the same kinds apart, by whatever names."""
    columns, others = ({column.tobytes() for column in each.done.T if column.any()} for each in (treatments, other))
    return columns == others
