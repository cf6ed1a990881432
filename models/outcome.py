"""What becomes of an account: monthly hazards of churn, contraction and expansion, calibrated, with amounts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.amounts import ChangePools, Changes
from models.calibration import Calibrator, fit_calibrator
from models.hazard import Hazard, LogisticHazard, Rows, TreeHazard, Tuning, required
from models.horizon import CALENDAR_INPUTS, DAYS_A_MONTH, calendar
from models.inputs import Input, learn_categories, matrix
from models.shock import MonthlyShock, fit_shock, mean_luck_sd

Array = NDArray[np.float64]
OUTCOMES = ("churn", "contraction", "expansion")
Outcome = Literal["churn", "contraction", "expansion"]
FEWEST_EVENTS = 10
UNTUNED_TREES = 60
_NOT_KEPT = ("threads", "tuning")  # of the settings: no prediction depends on them
_RENEWAL_INPUTS = [
    i for i, item in enumerate(CALENDAR_INPUTS) if item.name in ("term_ends_in_month", "grace_ends_in_month")
]
_LEARNERS: dict[str, type[TreeHazard] | type[LogisticHazard]] = {
    "lightgbm": TreeHazard,
    "logistic": LogisticHazard,
}


@dataclass(frozen=True)
class Settings:
    """How an outcome model is fitted; the fields are those of the `model` section of params.yaml.

    `tuning` is None in a model that was read from its files, which only predicts.
    """

    horizon_months: int
    grace_days: int
    min_change: float
    learner: str
    trees: int
    leaves: int
    learning_rate: float
    min_rows_per_leaf: int
    l2: float
    logistic_l2: float
    max_rows: int
    calibration_months: int
    seed: int
    threads: int
    tuning: Tuning | None = None


@dataclass(frozen=True)
class Prediction:
    """Monthly predictions for n accounts over M months ahead.

    Attributes
    ----------
    arr
        ARR at the snapshot, shape (n,).
    hazards
        Probability of churn, contraction and expansion in each month, given still a customer at its start,
        shape (n, M, 3). The three exclude each other.
    pool_index
        Pool of multipliers for contraction and expansion, shape (n, M, 2).
    pools
        ARR multipliers, each drawn with equal chance.
    shock
        The monthly shift of all accounts' log-odds.
    """

    arr: Array
    hazards: Array
    pool_index: NDArray[np.int64]
    pools: tuple[Array, ...]
    shock: MonthlyShock

    def churn_probability(self) -> Array:
        """Probability of having left by the end of each month ahead, shape (n, M)."""
        return np.asarray(1 - np.cumprod(1 - self.hazards[:, :, 0], axis=1))

    def event_probability(self, outcome: Outcome) -> Array:
        """Probability of at least one such event by each month ahead while still a customer, shape (n, M)."""
        stays = np.cumprod(1 - self.hazards[:, :, 0], axis=1)
        before = np.concatenate([np.ones((len(stays), 1)), stays[:, :-1]], axis=1)
        hazard = self.hazards[:, :, OUTCOMES.index(outcome)]
        none = np.cumprod(1 - hazard, axis=1)
        none_before = np.concatenate([np.ones((len(none), 1)), none[:, :-1]], axis=1)
        return np.asarray(np.cumsum(before * none_before * hazard, axis=1))


@dataclass(frozen=True)
class Contributions:
    """SHAP values of one outcome's monthly margins: `hazard = expit(slope * (base + margin.sum(-1)) + intercept)`.

    `margin` has shape (accounts, months, inputs), `names` names the inputs.
    """

    names: tuple[str, ...]
    margin: Array
    base: float
    slope: float
    intercept: float


@dataclass(frozen=True)
class FittedOutcome:
    """One outcome's hazard, its calibration, and what it was fitted on. `hazard` None: too few events, a plain rate."""

    hazard: Hazard | None
    calibrator: Calibrator
    events: int
    rows: int


@dataclass(frozen=True)
class _AtRisk:
    """Every (account, month ahead) whose outcome is known while the account was still a customer at its start."""

    row: NDArray[np.int64]
    month: NDArray[np.int64]
    label_month: NDArray[np.int64]
    account: NDArray[np.int64]
    before: Array
    after: Array

    def event(self, outcome: str, min_change: float) -> NDArray[np.bool_]:
        if outcome == "churn":
            return np.asarray(self.after == 0)
        if outcome == "contraction":
            return np.asarray((self.after > 0) & (self.after < self.before * (1 - min_change)))
        return np.asarray(self.after > self.before * (1 + min_change))

    def copies(self, part: NDArray[np.bool_]) -> float:
        """How many rows of a part speak of the same account and month, on average: one a snapshot before it."""
        pairs = np.unique(np.column_stack([self.account[part], self.label_month[part]]), axis=0)
        return float(part.sum() / len(pairs))


class OutcomeModel:
    """Churn, contraction and expansion over the months ahead of a snapshot.

    Each outcome is a monthly hazard of (account, month ahead) rows: what the snapshot knew, and where the month lies on
    the renewal calendar known then. Rows are censored where the outcome was not known at training. The newest months
    are held out once, to stop the boosting and to calibrate; then the hazard is fitted on all rows.

    Parameters
    ----------
    inputs
        Descriptions of the snapshot columns to learn from; their categories are learned by `fit`.
    settings
        How to fit.
    """

    def __init__(self, inputs: Sequence[Input], settings: Settings) -> None:
        self.inputs = tuple(inputs)
        self.settings = settings

    @property
    def horizon_months(self) -> int:
        """Months ahead that are reported."""
        return self.settings.horizon_months

    @property
    def settle_months(self) -> int:
        """Months beyond the horizon, until the grace of its last term ends has run out."""
        return int(np.ceil(self.settings.grace_days / DAYS_A_MONTH))

    @property
    def months(self) -> int:
        """Months ahead that are modelled."""
        return self.horizon_months + self.settle_months

    @property
    def all_inputs(self) -> tuple[Input, ...]:
        """The snapshot's inputs and those of the renewal calendar, in the order the hazards read them."""
        return (*self.inputs, *CALENDAR_INPUTS)

    def fit(self, frame: pd.DataFrame, paths: Array) -> Self:
        """Learn from snapshots and what became of them.

        Parameters
        ----------
        frame
            Snapshot rows.
        paths
            ARR at each snapshot and the months after it, shape (rows, months + 1); NaN where not known yet.

        Raises
        ------
        ValueError
            `paths` does not fit the frame and the months ahead, or the settings lack `tuning`.
        """
        if paths.shape != (len(frame), self.months + 1):
            raise ValueError(f"paths has shape {paths.shape}, expected {(len(frame), self.months + 1)}")
        self.inputs = learn_categories(self.inputs, frame)
        at_risk = _at_risk(frame, paths)
        self._inputs = matrix(self.inputs, frame)
        self._calendar = calendar(frame, months=self.months, grace_days=self.settings.grace_days)
        # One thread an outcome: boosting many small trees gains little, and often loses, from threads within a tree.
        with ThreadPoolExecutor(max_workers=min(self.settings.threads, len(OUTCOMES))) as pool:
            fitted = pool.map(partial(self._fit_outcome, at_risk=at_risk), OUTCOMES)
            self.outcomes_ = dict(zip(OUTCOMES, fitted, strict=True))
        self.pools_ = self._fit_pools(frame, at_risk)
        self.shock_ = self._fit_shock(at_risk)
        del self._inputs, self._calendar
        return self

    def predict(self, frame: pd.DataFrame) -> Prediction:
        """Monthly hazards and amounts of snapshot rows.

        Raises
        ------
        ValueError
            A column the model was trained on is absent.
        """
        ahead = calendar(frame, months=self.months, grace_days=self.settings.grace_days)
        rows = self._rows_ahead(frame, ahead)
        hazards = np.stack([self._probability(outcome, rows) for outcome in OUTCOMES], axis=-1)
        hazards = hazards.reshape(len(frame), self.months, len(OUTCOMES))
        hazards /= np.maximum(1.0, hazards.sum(axis=-1, keepdims=True))
        arr = frame["arr"].to_numpy(dtype=float)
        pool_index = self.pools_.choose(arr, _renewal(ahead))
        return Prediction(arr, hazards, pool_index, tuple(self.pools_.pools_), self.shock_)

    def rows_next_month(self, frame: pd.DataFrame) -> Array:
        """What the hazards read of snapshot rows for the first month ahead, shape (rows, inputs)."""
        return self._rows_ahead(frame, calendar(frame, months=1, grace_days=self.settings.grace_days))

    def contributions(self, frame: pd.DataFrame, outcome: Outcome) -> Contributions:
        """SHAP values of the monthly log-odds of one outcome, over the months of the horizon."""
        fitted = self.outcomes_[outcome]
        ahead = calendar(frame, months=self.months, grace_days=self.settings.grace_days)
        ahead = ahead[:, : self.horizon_months]
        shape = (len(frame), self.horizon_months, len(self.all_inputs))
        margin, base = np.zeros(shape), 0.0
        if fitted.hazard is not None:
            flat, base = fitted.hazard.contributions(self._rows_ahead(frame, ahead))
            margin = flat.reshape(shape)
        names = tuple(item.name for item in self.all_inputs)
        return Contributions(names, margin, base, fitted.calibrator.slope, fitted.calibrator.intercept)

    def to_files(self) -> dict[str, str]:
        """The fitted model as text files: name -> content. Nothing in them is executable."""
        content: dict[str, Any] = {
            "format": 1,
            "settings": {key: value for key, value in asdict(self.settings).items() if key not in _NOT_KEPT},
            "inputs": [asdict(item) for item in self.inputs],
            "pools": self.pools_.to_dict(),
            "shock": asdict(self.shock_),
            "outcomes": {name: _describe(fitted) for name, fitted in self.outcomes_.items()},
        }
        files = {
            f"{name}.txt": fitted.hazard.to_text()
            for name, fitted in self.outcomes_.items()
            if fitted.hazard is not None
        }
        return {"model.json": json.dumps(content, indent=1, sort_keys=True), **files}

    @classmethod
    def from_files(cls, files: Mapping[str, str], *, threads: int = 1) -> Self:
        """The model stored by `to_files`; `threads` says how many it may use, which changes no result.

        Raises
        ------
        ValueError
            `model.json` is missing or of another format.
        """
        content = json.loads(files.get("model.json", "{}"))
        if content.get("format") != 1:
            raise ValueError(f"no model bundle of format 1 among the files {sorted(files)}")
        inputs = [Input(**{**item, "categories": tuple(item["categories"])}) for item in content["inputs"]]
        model = cls(inputs, Settings(**content["settings"], threads=threads))
        model.pools_ = ChangePools.from_dict(content["pools"])
        model.shock_ = MonthlyShock(**{name: tuple(values) for name, values in content["shock"].items()})
        model.outcomes_ = {
            name: model._restore(described, files.get(f"{name}.txt")) for name, described in content["outcomes"].items()
        }
        return model

    def _restore(self, described: Mapping[str, Any], text: str | None) -> FittedOutcome:
        learner = _LEARNERS[self.settings.learner]
        hazard = learner.from_text(text, self.all_inputs, threads=self.settings.threads) if text else None
        calibrator = Calibrator(described["slope"], described["intercept"], described["level_sd"])
        return FittedOutcome(hazard, calibrator, described["events"], described["rows"])

    def _learner(self, number: int, trees: int) -> TreeHazard | LogisticHazard:
        settings = self.settings
        if settings.learner == "logistic":
            return LogisticHazard(self.all_inputs, l2=settings.logistic_l2)
        return TreeHazard(
            self.all_inputs,
            trees=trees,
            leaves=settings.leaves,
            learning_rate=settings.learning_rate,
            min_rows_per_leaf=settings.min_rows_per_leaf,
            l2=settings.l2,
            seed=settings.seed + number,
            threads=1,
            tuning=settings.tuning,
            monotone=required(settings.tuning).monotone.get(OUTCOMES[number], {}),
        )

    def _fit_outcome(self, outcome: str, at_risk: _AtRisk) -> FittedOutcome:
        number = OUTCOMES.index(outcome)
        event = at_risk.event(outcome, self.settings.min_change)
        events, rows = int(event.sum()), event.size
        if events < FEWEST_EVENTS:
            rate = (events + 0.5) / (rows + 1)
            level = Calibrator(1.0, float(np.log(rate / (1 - rate))), (events + 1) ** -0.5)
            return FittedOutcome(None, level, events, rows)
        newest = at_risk.label_month > at_risk.label_month.max() - self.settings.calibration_months
        calibrator = Calibrator(level_sd=required(self.settings.tuning).calibration_prior_sd)
        trees = min(self.settings.trees, UNTUNED_TREES)
        if min(event[newest].sum(), event[~newest].sum()) >= FEWEST_EVENTS:
            calibrator, trees = self._hold_out(number, at_risk, event, newest)
        sampled = self._sample(at_risk, event, np.ones_like(newest), number)
        return FittedOutcome(self._learner(number, trees).fit(sampled), calibrator, events, rows)

    def _hold_out(
        self, number: int, at_risk: _AtRisk, event: NDArray[np.bool_], newest: NDArray[np.bool_]
    ) -> tuple[Calibrator, int]:
        """Fit on the older months; the newest ones say how many trees, and how to calibrate."""
        old = self._sample(at_risk, event, ~newest, number)
        new = self._sample(at_risk, event, newest, number)
        learner = self._learner(number, self.settings.trees).fit(old, new)
        weight = new.weight / at_risk.copies(newest)
        prior_sd = required(self.settings.tuning).calibration_prior_sd
        calibrator = fit_calibrator(learner.margin(new.inputs), new.event, weight, prior_sd=prior_sd)
        return calibrator, getattr(learner, "trees_", self.settings.trees)

    def _sample(self, at_risk: _AtRisk, event: NDArray[np.bool_], part: NDArray[np.bool_], number: int) -> Rows:
        """All events of a part, and as many uneventful rows as `max_rows` allows, weighted for those left out."""
        generator = np.random.default_rng([self.settings.seed, number, int(part.sum())])
        happened, quiet = np.flatnonzero(part & event), np.flatnonzero(part & ~event)
        keep = min(quiet.size, max(self.settings.max_rows - happened.size, happened.size))
        kept = np.sort(generator.choice(quiet, size=keep, replace=False)) if keep < quiet.size else quiet
        chosen = np.sort(np.concatenate([happened, kept]))
        weight = np.where(event[chosen], 1.0, quiet.size / max(keep, 1))
        return Rows(self._gather(at_risk, chosen), event[chosen].astype(float), weight)

    def _gather(self, at_risk: _AtRisk, chosen: NDArray[np.int64]) -> Array:
        row, month = at_risk.row[chosen], at_risk.month[chosen]
        return np.hstack([self._inputs[row], self._calendar[row, month - 1]])

    def _rows_ahead(self, frame: pd.DataFrame, ahead: Array) -> Array:
        """Inputs of every (account, month ahead), shape (accounts * months, inputs)."""
        accounts, months, width = ahead.shape
        repeated = np.repeat(matrix(self.inputs, frame), months, axis=0)
        return np.hstack([repeated, ahead.reshape(accounts * months, width)])

    def _probability(self, outcome: str, rows: Array) -> Array:
        fitted = self.outcomes_[outcome]
        margin = np.zeros(len(rows)) if fitted.hazard is None else fitted.hazard.margin(rows)
        return fitted.calibrator.probability(margin)

    def _fit_pools(self, frame: pd.DataFrame, at_risk: _AtRisk) -> ChangePools:
        """Amounts of the changes seen one month ahead, where every change is counted once."""
        next_month = at_risk.month == 1
        renewal = _renewal(self._calendar)[at_risk.row, at_risk.month - 1]
        changes = {}
        for outcome in ("contraction", "expansion"):
            chosen = next_month & at_risk.event(outcome, self.settings.min_change)
            changes[outcome] = Changes(at_risk.before[chosen], at_risk.after[chosen], renewal[chosen])
        return ChangePools().fit(frame["arr"].to_numpy(dtype=float), changes)

    def _fit_shock(self, at_risk: _AtRisk) -> MonthlyShock:
        """Shared monthly luck, one month ahead, where every account-month is counted once."""
        chosen = np.flatnonzero(at_risk.month == 1)
        found = []
        for outcome in OUTCOMES:
            event = at_risk.event(outcome, self.settings.min_change)[chosen].astype(float)
            probability = self._out_of_fold(outcome, at_risk, chosen, event)
            sd, persistence = fit_shock(probability, event, at_risk.label_month[chosen])
            level = self.outcomes_[outcome].calibrator.level_sd
            held_out = self.settings.calibration_months
            found.append((sd, persistence, float(np.hypot(level, mean_luck_sd(sd, persistence, held_out)))))
        return MonthlyShock(*zip(*found, strict=True))

    def _out_of_fold(self, outcome: str, at_risk: _AtRisk, chosen: NDArray[np.int64], event: Array) -> Array:
        """Probabilities of rows from a hazard that has not seen their accounts.

        A hazard explains part of the luck of the very rows it learned from, and would leave none to be seen as shared.
        """
        rows = self._gather(at_risk, chosen)
        half = at_risk.account[chosen] % 2 == 0
        probability = np.full(event.size, event.mean())
        for part in (half, ~half):
            learned = ~part
            if min(event[learned].sum(), (1 - event[learned]).sum()) >= FEWEST_EVENTS and part.any():
                trees = min(self.settings.trees, UNTUNED_TREES)
                learner = self._learner(OUTCOMES.index(outcome), trees)
                learner.fit(Rows(rows[learned], event[learned], np.ones(int(learned.sum()))))
                probability[part] = Calibrator().probability(learner.margin(rows[part]))
        return probability


def bundle_digest(files: Mapping[str, str]) -> str:
    """A digest of what `OutcomeModel.to_files` gives: the same model, the same digest."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()[:16]


def _at_risk(frame: pd.DataFrame, paths: Array) -> _AtRisk:
    here = np.cumprod(np.nan_to_num(paths[:, :-1]) > 0, axis=1).astype(bool)
    row, month = np.nonzero(here & ~np.isnan(paths[:, 1:]))
    as_of = frame["as_of"].dt
    ordinal = (as_of.year * 12 + as_of.month).to_numpy(dtype=np.int64)
    account = pd.factorize(frame["account_id"])[0][row]
    return _AtRisk(row, month + 1, ordinal[row] + month + 1, account, paths[row, month], paths[row, month + 1])


def _renewal(ahead: Array) -> NDArray[np.bool_]:
    """Whether a term, or the grace after it, ends in each month ahead, shape (rows, months)."""
    return np.asarray((ahead[:, :, _RENEWAL_INPUTS] > 0).any(axis=-1))


def _describe(fitted: FittedOutcome) -> dict[str, Any]:
    return {
        "slope": fitted.calibrator.slope,
        "intercept": fitted.calibrator.intercept,
        "level_sd": fitted.calibrator.level_sd,
        "events": fitted.events,
        "rows": fitted.rows,
    }
