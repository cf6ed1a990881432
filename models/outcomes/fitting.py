"""How the hazard of one outcome is learned, and tested on accounts it has not seen.

The accounts are split in two halves; a hazard learned from one half predicts the other. These predictions, made for
accounts that the hazard has not seen, say how many trees serve, calibrate the log-odds, and show how far each month's
events lay from what was to be expected. Then the hazard is learned from all accounts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.hazards.at_risk import AtRisk, Sampled, sample
from models.hazards.calibration import Calibrator, Outcomes, Slope, fit_by_month, fit_slope, match_level
from models.hazards.ensemble import EnsembleHazard
from models.hazards.fit_settings import Settings, required
from models.hazards.hazard import Hazard, Rows
from models.hazards.logistic import LogisticHazard
from models.hazards.model_inputs import Input
from models.hazards.trees import TreeHazard
from models.outcomes.luck_posterior import MonthCounts, count_months
from models.outcomes.prediction import OUTCOMES

Array = NDArray[np.float64]
FEWEST_EVENTS = 10
_GATHERED = 50_000
# Months ahead at which the luck of a calendar month is counted: near and far ones, as predictions differ in level.
COUNTED_AHEAD = (1, 3, 6, 12)
LEARNERS: dict[str, type[EnsembleHazard] | type[TreeHazard] | type[LogisticHazard]] = {
    "ensemble": EnsembleHazard,
    "lightgbm": TreeHazard,
    "logistic": LogisticHazard,
}


@dataclass(frozen=True)
class Material:
    """What all outcomes are learned from: inputs and calendar of each snapshot row, and the rows at risk.

    `snapshot` has shape (rows, inputs), `calendar` (rows, months, calendar inputs), `size` and `arr` (rows,), `facts`
    (rows, months, outcomes) as `models.outcomes.facts.certainties` gives them, `decided` (rows, months) whether ARR had
    changed at the last term's end (`TermEnds.decided`). `latest` are the rows of the last snapshot. `hazards` are those
    of each outcome that need not be learned again, as `Learned` has them.
    """

    inputs: tuple[Input, ...]
    snapshot: Array
    calendar: Array
    size: Array
    facts: Array
    decided: NDArray[np.bool_]
    at_risk: AtRisk
    settings: Settings
    latest: NDArray[np.int64]
    arr: Array
    hazards: Mapping[str, Sequence[Hazard]] = field(default_factory=dict)

    def by_chance(self, outcome: str) -> "Material":
        """The same without what is certain: it would pass for skill, and make the log-odds look too timid."""
        chosen = np.isnan(self.certainty(outcome))
        return replace(self, at_risk=self.at_risk.only(chosen)) if chosen.any() else self

    def certainty(self, outcome: str) -> Array:
        """The fact of each row at risk, NaN where there is none."""
        return np.asarray(self.facts[self.at_risk.row, self.at_risk.ahead - 1, OUTCOMES.index(outcome)])

    def gather(self, chosen: NDArray[np.int64]) -> Array:
        """The inputs of some rows at risk."""
        row, ahead = self.at_risk.row[chosen], self.at_risk.ahead[chosen]
        return np.hstack([self.snapshot[row], self.calendar[row, ahead - 1]])

    def decided_at(self, chosen: NDArray[np.int64]) -> Array:
        """Whether ARR had changed at the last term's end, of some rows at risk."""
        return np.asarray(self.decided[self.at_risk.row[chosen], self.at_risk.ahead[chosen] - 1], dtype=float)

    def ahead(self, outcome: str) -> Iterator[tuple[Array, Array]]:
        """Inputs of the accounts of the last snapshot, a month ahead at a time, and their ARR, 0 where facts decide."""
        chance = np.isnan(self.facts[self.latest, :, OUTCOMES.index(outcome)])
        for month in range(self.settings.horizon_months):
            inputs = np.hstack([self.snapshot[self.latest], self.calendar[self.latest, month]])
            yield inputs, self.arr[self.latest] * chance[:, month]


@dataclass(frozen=True)
class FittedOutcome:
    """One outcome's hazard, its calibration, and what it was fitted on: accounts x months, and those with the event.

    `hazard` None: too few events, a plain rate. `tilt` is how the log-odds move with size beyond the hazard.
    """

    hazard: Hazard | None
    calibrator: Calibrator
    tilt: Slope
    events: int
    rows: int

    def log_odds(self, inputs: Array, ahead: Array) -> Array:
        """Calibrated log-odds of rows that many months ahead, shape (rows,)."""
        if self.hazard is None:
            return np.full(len(inputs), self.calibrator.intercept)
        return self.hazard.level(inputs) + self.calibrator.log_odds(self.hazard.beyond(inputs), ahead)

    def decision(self, inputs: Array) -> Array:
        """What it adds to the log-odds that ARR changed at the end of the term whose grace runs, shape (rows,).

        That a renewal has been seen tells more than all that is known of the account: it moves the level alone.
        """
        if self.hazard is None:
            return np.zeros(len(inputs))
        return self.hazard.level(inputs, np.ones(len(inputs))) - self.hazard.level(inputs)


@dataclass(frozen=True)
class Learned:
    """A fitted outcome, and its events by month beside what was predicted for accounts not seen.

    `estimation_variance` is that of the mean log-odds of the accounts of the last snapshot, weighted by ARR, beyond the
    kinds of their months, against those of the rows learned from; at the slope of months far ahead. `hazards` are what
    was learned without the first half of the accounts, without the second, and from all; none of a plain rate.
    """

    outcome: FittedOutcome
    counts: MonthCounts
    estimation_variance: float = 0.0
    hazards: tuple[Hazard, ...] = ()


def fit_outcome(outcome: str, material: Material) -> Learned:
    """Learn one outcome.

    Parameters
    ----------
    outcome
        churn, contraction or expansion.
    material
        What to learn from.
    """
    material = material.by_chance(outcome)
    rows, settings, number = material.at_risk, material.settings, OUTCOMES.index(outcome)
    event = rows.event(outcome, settings.min_change)
    counted_rows = np.flatnonzero(np.isin(rows.ahead, COUNTED_AHEAD))
    generator = np.random.default_rng([settings.seed, number])
    sampled = sample(rows, event, most=settings.max_rows, generator=generator)
    events, pairs = rows.distinct(event), rows.distinct(np.ones_like(event))
    halves = _halves(rows, event)
    if halves is None:
        return _rate_alone(material, event, counted_rows, events, pairs)
    inputs, decided = material.gather(sampled.chosen), material.decided_at(sampled.chosen)
    learned_from = Rows(inputs, sampled.event, _nearer(sampled, rows.ahead), decided)
    tested = [
        _test(material, number, learned_from, counted_rows, place, (half[sampled.chosen], half[counted_rows]))
        for place, half in enumerate(halves)
    ]
    level, margin = np.sum([test.parts for test in tested], axis=0)
    level_counted, margin_counted = np.sum([test.counted for test in tested], axis=0)
    outcomes = Outcomes(rows.ahead[sampled.chosen], level, sampled.event, sampled.weight)
    prior_sd = required(settings.tuning).calibration_prior_sd
    calibrator = match_level(fit_by_month(margin, outcomes, prior_sd=prior_sd), margin, outcomes)
    trees = round(np.mean([getattr(test.learner, "trees_", 0) for test in tested]))
    hazard = _fitted(material, number, trees, len(tested), learned_from)
    full = replace(outcomes, level=hazard.level(inputs, decided))
    final = match_level(calibrator, hazard.beyond(inputs), full)
    log_odds = level_counted + calibrator.log_odds(margin_counted, rows.ahead[counted_rows])
    tilt, counts = _count(material, counted_rows, log_odds, event[counted_rows].astype(float))
    unsure = hazard.estimation_variance(learned_from, material.ahead(outcome))
    hazards = (*(test.learner for test in tested), hazard)
    return Learned(FittedOutcome(hazard, final, tilt, events, pairs), counts, final.slope**2 * unsure, hazards)


def _nearer(sampled: Sampled, ahead: NDArray[np.int64]) -> Array:
    """Weights of the sampled rows that are larger for months nearby, and add up to as much as before.

    What an account did lately tells more of the next months, and a year's twelve rows a snapshot would drown them.
    """
    near = ahead[sampled.chosen] ** -0.5
    return np.asarray(sampled.weight * near / np.average(near, weights=sampled.weight))


def _halves(rows: AtRisk, event: NDArray[np.bool_]) -> list[NDArray[np.bool_]] | None:
    """Which rows belong to each half of the accounts; None if one of them shows too little to learn from."""
    first = rows.account % 2 == 0
    with_event = [rows.distinct(event & half) for half in (first, ~first)]
    without_event = [rows.distinct(~event & half) for half in (first, ~first)]
    return [first, ~first] if min(*with_event, *without_event) >= FEWEST_EVENTS // 2 else None


def notice_holds(material: Material) -> Array:
    """Of each outcome the share that came as notices said: 1 unless the history holds some that did not, shape (3,).

    Of contraction among those that did not leave instead.
    """
    rows = material.at_risk
    fell = {"churn": rows.after == 0, "contraction": rows.after < rows.before}
    counts = {"churn": np.ones_like(rows.after, dtype=bool), "contraction": rows.after > 0}
    holds = np.ones(len(OUTCOMES))
    for outcome, events in fell.items():
        notices = np.flatnonzero((material.certainty(outcome) == 1) & counts[outcome])
        share = rows.share(notices)
        announced, occurred = float(share.sum()), float(share[events[notices]].sum())
        holds[OUTCOMES.index(outcome)] = 1.0 if np.isclose(occurred, announced) else (occurred + 0.5) / (announced + 1)
    return holds


def _rate_alone(
    material: Material, event: NDArray[np.bool_], counted_rows: NDArray[np.int64], events: int, pairs: int
) -> Learned:
    """The same chance for all, where too few events were seen to tell accounts apart."""
    chance = (events + 0.5) / (pairs + 1)
    calibrator = Calibrator(1.0, float(np.log(chance / (1 - chance))))
    log_odds = np.full(counted_rows.size, calibrator.intercept)
    tilt, counts = _count(material, counted_rows, log_odds, event[counted_rows].astype(float))
    return Learned(FittedOutcome(None, calibrator, tilt, events, pairs), counts)


@dataclass(frozen=True)
class _Test:
    """What a hazard of the other half predicts for one half of the accounts; 0 for the others.

    Level and log-odds on top of it, shape (2, rows), of the rows learned from and of those counted.
    """

    parts: Array
    counted: Array
    learner: Hazard


def _test(
    material: Material,
    number: int,
    rows: Rows,
    counted_rows: NDArray[np.int64],
    place: int,
    half: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> _Test:
    """`half` says which of `rows`, and which of those counted, are of the accounts predicted."""
    here, there = half
    training, held_out = rows.part(~here), rows.part(here)
    learner = _fitted(material, number, material.settings.trees, place, training, held_out)
    parts, of_counted = np.zeros((2, here.size)), np.zeros((2, counted_rows.size))
    parts[:, here] = learner.level(held_out.inputs, held_out.decided), learner.beyond(held_out.inputs)
    of_counted[:, there] = _parts(learner, material, counted_rows[there])
    return _Test(parts, of_counted, learner)


def _parts(learner: Hazard, material: Material, chosen: NDArray[np.int64]) -> Array:
    """Level and log-odds on top, (2, rows), gathered a piece at a time: all together would not fit into memory."""
    pieces = np.array_split(chosen, max(1, -(-chosen.size // _GATHERED)))
    gathered = ((material.gather(piece), material.decided_at(piece)) for piece in pieces)
    return np.hstack([(learner.level(inputs, decided), learner.beyond(inputs)) for inputs, decided in gathered])


def _fitted(material: Material, number: int, trees: int, place: int, rows: Rows, others: Rows | None = None) -> Hazard:
    """The hazard at a place of `Learned.hazards`: the one that is known, or else learned."""
    known = material.hazards.get(OUTCOMES[number], ())
    return known[place] if known else _learner(material, number, trees).fit(rows, others)


def _learner(material: Material, number: int, trees: int) -> Hazard:
    settings = material.settings
    logistic = LogisticHazard(material.inputs, l2=settings.logistic_l2)
    if settings.learner == "logistic":
        return logistic
    boosted = TreeHazard(
        material.inputs,
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
    return boosted if settings.learner == "lightgbm" else EnsembleHazard(boosted, logistic)


def _count(
    material: Material, counted_rows: NDArray[np.int64], log_odds: Array, event: Array
) -> tuple[Slope, MonthCounts]:
    """How log-odds move with size beyond those predicted, and the events by month beside what is predicted with it."""
    rows = material.at_risk
    size, weight = material.size[rows.row[counted_rows]], rows.evenly(counted_rows)
    tilt = fit_slope(
        size,
        event,
        offset=log_odds,
        weight=weight,
        cluster=rows.account[counted_rows],
        prior_sd=required(material.settings.tuning).calibration_prior_sd,
    )
    tilted = log_odds + tilt.slope * size
    return tilt, count_months(tilted, event, rows.month[counted_rows], months=rows.months, weight=weight)


def tilts(fitted: Sequence[FittedOutcome]) -> tuple[Array, Array]:
    """The tilts of all outcomes and how well they are known, each of shape (outcomes,)."""
    return np.array([one.tilt.slope for one in fitted]), np.array([one.tilt.sd for one in fitted])
