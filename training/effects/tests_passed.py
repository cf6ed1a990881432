"""What the estimates of a level withstood: figures of each refuter, allowances, and what failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.effects.left_out import LinearShifts, robustness_value
from models.effects.orthogonal import Estimate, demeaned
from models.effects.refuters import SURELY, Trials, before_the_action, halves_apart, overlap, permuted, redrawn
from models.effects.verdict import OVERLAP
from training.effects.design import Study, Treatments, null_place
from training.effects.doubleml_check import by_doubleml
from training.effects.known import Known

Array = NDArray[np.float64]
HALVES_LIMIT = 3.0  # standard errors between the halves
FEWEST_MISSED = 100
MONTHS_BEFORE = 3


@dataclass(frozen=True)
class Tests:
    """Of one kind: the allowance of each outcome, the figures of all refuters, and those it did not withstand."""

    allowances: Mapping[str, float]
    figures: Mapping[str, Any]
    failed: list[str]


def tests_of(
    shared: Known,
    treatments: Treatments,
    trials: Mapping[str, Trials],
    shifts: Mapping[str, Estimate],
) -> list[Tests]:
    """The tests of each kind of a level."""
    churn, estimate = trials["churn"], shifts["churn"]
    figures = _refuters(shared, churn)
    moves = {outcome: _moves(shared, treatments, outcome) for outcome in trials}
    missed = _missed_shifts(shared, treatments)
    tests = []
    for place in range(len(treatments.names)):
        values = {name: float(each[place]) for name, each in figures.items()}
        families = {name: float(each[place]) for name, each in moves["churn"].items()}
        allowances = {outcome: _allowance(shared, each, place) for outcome, each in moves.items()}
        shift, se = float(estimate.shift[place]), float(estimate.se[place])
        values["robustness_value"] = robustness_value(shift, se, len(churn.done))
        values |= _missed_figures(treatments, place, float(missed[place]), se)
        values |= by_doubleml(churn, place) if shared.with_doubleml else {}
        failed = _failed(values, shared.params.effects.allowance)
        told = {**values, "left_out": families, "passed": not failed, "failed": failed}
        tests.append(Tests(allowances, told, failed))
    return tests


def _refuters(shared: Known, churn: Trials) -> dict[str, Array]:
    """The figures of the refuters of all kinds, by name, each of shape (kinds,)."""
    rng = np.random.default_rng([shared.params.seed, 4])
    figures: dict[str, Array] = {"overlap": overlap(churn), "halves_apart": halves_apart(churn)}
    for name, placebo in (("permuted", permuted(churn, rng)), ("redrawn", redrawn(churn, rng))):
        passed = placebo.passed.astype(float)
        figures |= {f"{name}_mean": placebo.mean, f"{name}_spread": placebo.spread, f"{name}_passed": passed}
    figures["before_logit"], figures["before_se"] = before_the_action(churn, _grew_before(shared.study, shared.month))
    return figures


def _failed(values: Mapping[str, float], allowance: float) -> list[str]:
    """The refuters that a kind did not withstand, in words."""
    failed = []
    if values["overlap"] < OVERLAP:
        failed.append("what was known before all but decides who gets it, so there is nothing to compare with")
    if not values["permuted_passed"]:
        failed.append("it finds effects of actions that changed hands among accounts of the same propensity")
    if not values["redrawn_passed"]:
        failed.append("it finds effects of actions that were drawn by lot")
    if values["halves_apart"] > HALVES_LIMIT:
        failed.append("the two halves of the accounts disagree")
    if abs(values["before_logit"]) - SURELY * values["before_se"] > allowance:
        failed.append("it seems to move expansions of the months before it")
    return failed


def _grew_before(study: Study, month: NDArray[np.int64]) -> Array:
    """Whether ARR grew in the three months before each trial, less its mean by month; NaN where that is not known."""
    frame = study.frame[["account_id", "as_of", "arr"]]
    earlier = frame.assign(as_of=frame["as_of"] + pd.DateOffset(months=MONTHS_BEFORE))
    before = frame.merge(earlier, on=["account_id", "as_of"], how="left", suffixes=("", "_before"))["arr_before"]
    there = before.notna().to_numpy()
    grew = (frame["arr"].to_numpy(float) > 1.001 * before.to_numpy(float)).astype(float)
    return np.where(there, demeaned(grew[:, None], month, there.astype(float))[:, 0], np.nan)


def _moves(shared: Known, treatments: Treatments, outcome: str) -> dict[str, Array]:
    """How far leaving each family out moves the shifts of an outcome, less a null action's, by linear nuisances."""
    scores = shared.level_scores(outcome)
    done = demeaned(treatments.done, shared.month, scores.information)
    moves = LinearShifts(shared.columns, done, scores).moves(shared.families)
    null = null_place(treatments, shared.params)
    if null is None:
        return moves
    others = np.arange(len(treatments.names)) != null
    return {name: move - others * move[null] for name, move in moves.items()}


def _allowance(shared: Known, moves: Mapping[str, Array], place: int) -> float:
    return max([shared.params.effects.allowance, *(abs(float(move[place])) for move in moves.values())])


def _missed_shifts(shared: Known, treatments: Treatments) -> Array:
    """What actions that were planned and missed seem to shift, by linear nuisances, beside those that were done."""
    scores = shared.level_scores("churn")
    both = demeaned(np.hstack([treatments.done, treatments.missed]), shared.month, scores.information)
    return LinearShifts(shared.columns, both, scores).shift()[len(treatments.names) :]


def _missed_figures(treatments: Treatments, place: int, shift: float, se: float) -> dict[str, float]:
    """The shift of the missed ones with about its standard error; nothing where there are few."""
    rows = float(treatments.missed[:, place].sum())
    if rows < FEWEST_MISSED:
        return {}
    done = float(treatments.done[:, place].sum())
    return {"missed_logit": shift, "missed_se": se * float(np.sqrt(done / rows))}
