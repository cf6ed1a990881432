"""From a study to the effects of all its kinds: treatments partialled out, shifts, intervals, refuters, verdicts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.tables.progress import Progress, silent
from models.effects.action_effect import EVIDENCE_OF, NOT_KNOWN, NOT_SEPARABLE, ActionEffect
from models.effects.honest_intervals import half_width, pooled, rows_to_see
from models.effects.orthogonal import Estimate, demeaned, one_step
from models.effects.refuters import Trials
from models.effects.standardized import Standard
from models.effects.verdict import FEWEST_ROWS, refusal, verdict_of
from params import Params
from training.effects.design import Study, Treatments, null_place
from training.effects.known import OUTCOMES, Known, known_of
from training.effects.nuisances import joint_log_odds
from training.effects.tests_passed import Tests, tests_of

Array = NDArray[np.float64]


def effects_of(
    study: Study, *, params: Params, with_doubleml: bool = False, progress: Progress = silent
) -> tuple[ActionEffect, ...]:
    """The effects of all kinds of all levels; `with_doubleml` asks DoubleML for the same, beside ours."""
    steps = len(OUTCOMES) + sum(len(level.names) for level in study.levels)
    shared = known_of(study, params, lambda done: progress("effects", done, steps), with_doubleml=with_doubleml)
    effects: list[ActionEffect] = []
    for level in study.levels:
        effects += _of_level(shared, level)
        progress("effects", len(OUTCOMES) + len(effects), steps)
    return tuple(effects)


def refusals(study: Study) -> list[tuple[str, str]]:
    """Each kind of each level, and why it is not estimated; empty where it is."""
    return [
        (name, _refusal(study, done))
        for level in study.levels
        for name, done in zip(level.names, level.done.T, strict=True)
    ]


def _of_level(shared: Known, treatments: Treatments) -> list[ActionEffect]:
    """The effects of the kinds of a level: refused ones first in their own words, the others jointly."""
    reasons = [_refusal(shared.study, done) for done in treatments.done.T]
    kept = np.array([not reason for reason in reasons], dtype=bool)
    refused = [_refused(shared, treatments, place, reason) for place, reason in enumerate(reasons) if reason]
    if not kept.any():
        return refused
    return [*_estimated(shared, treatments.only(kept)), *refused]


def _refusal(study: Study, done: Array) -> str:
    treated = done > 0
    return refusal(int(treated.sum()), int((~treated).sum()), len(np.unique(study.account[treated])))


def _counts(study: Study, treatments: Treatments, place: int) -> dict[str, Any]:
    treated = treatments.done[:, place] > 0
    return {
        "treated_rows": int(treated.sum()),
        "treated_accounts": len(np.unique(study.account[treated])),
        "missed_rows": int(treatments.missed[:, place].sum()),
    }


def _refused(shared: Known, treatments: Treatments, place: int, reason: str) -> ActionEffect:
    settings = shared.params.effects
    churn = shared.scores("churn")
    share = float(np.mean(treatments.done[:, place]))
    information = float(np.mean(churn.information)) * (1 - share)
    se = 1 / np.sqrt(max(information, 1e-9))
    untreated_suffice = int((treatments.done[:, place] == 0).sum()) >= FEWEST_ROWS  # else more treated are no help
    return ActionEffect(
        level=treatments.level,
        action=treatments.names[place],
        decay=settings.decay,
        allowance=settings.allowance,
        verdict=NOT_KNOWN,
        evidence=EVIDENCE_OF[NOT_KNOWN],
        reason=reason,
        rows_needed=rows_to_see(1, se, settings.allowance) if untreated_suffice else None,
        **_counts(shared.study, treatments, place),
    )


def _estimated(shared: Known, treatments: Treatments) -> list[ActionEffect]:
    """The kinds of a level, jointly."""
    propensities = np.stack([shared.propensity(np.ascontiguousarray(done)) for done in treatments.done.T], axis=1)
    trials = {outcome: _trials(shared, treatments.done, propensities, outcome) for outcome in OUTCOMES}
    shifts = {name: one_step(each.residual, each.scores, each.account) for name, each in trials.items()}
    shifts["arr"] = one_step(trials["churn"].residual, shared.arr, shared.study.account)
    shifts = {name: less_null(shift, treatments, shared.params) for name, shift in shifts.items()}
    tests = tests_of(shared, treatments, trials, shifts)
    shifts["pooled"] = pooled(shifts["churn"], shared.params.effects.pooling_sd)
    return [_effect(shared, treatments, place, shifts, tests[place]) for place in range(len(treatments.names))]


def _trials(shared: Known, done: Array, propensities: Array, outcome: str) -> Trials:
    """Treatments and propensities for the scores of an outcome; what the kinds' months have in common is taken out."""
    scores = shared.scores(outcome)
    residual = demeaned(done - propensities, shared.month, scores.information)
    return Trials(done, done - residual, scores, shared.study.account)


def less_null(estimate: Estimate, treatments: Treatments, params: Params) -> Estimate:
    """Shifts less that of the null action, where the settings name one of this level."""
    place = null_place(treatments, params)
    return estimate if place is None else estimate.less(place)


def _effect(
    shared: Known, treatments: Treatments, place: int, shifts: dict[str, Estimate], tests: Tests
) -> ActionEffect:
    """One kind's effect from the shifts of all."""
    shift, se = (float(values[place]) for values in (shifts["churn"].shift, shifts["churn"].se))
    allowance, counts = tests.allowances["churn"], _counts(shared.study, treatments, place)
    verdict = verdict_of(shift, se, allowance, tests.failed)
    more_rows_help = verdict.word != NOT_SEPARABLE and not tests.failed
    standards = _standards(shared, treatments.done[:, place] > 0)
    return ActionEffect(
        level=treatments.level,
        action=treatments.names[place],
        decay=shared.params.effects.decay,
        allowance=allowance,
        verdict=verdict.word,
        evidence=EVIDENCE_OF[verdict.word],
        reason=verdict.reason,
        rows_needed=rows_to_see(counts["treated_rows"], se, allowance) if more_rows_help else None,
        **counts,
        **_churn_figures(shift, se, allowance, standards["churn"]),
        pooled_logit=float(shifts["pooled"].shift[place]),
        pooled_se=float(shifts["pooled"].se[place]),
        **_arr_figures(shifts["arr"], place),
        **_outcome_figures("expansion", shifts, place, standards, tests),
        **_outcome_figures("contraction", shifts, place, standards, tests),
        refuters=tests.figures,
    )


def _churn_figures(shift: float, se: float, allowance: float, standard: Standard) -> dict[str, Any]:
    """The shift and its points, with intervals that hold the allowance."""
    half = half_width(se, allowance)
    return {
        "logit": shift,
        "logit_se": se,
        "logit_low": shift - half,
        "logit_high": shift + half,
        "churn_points": standard.points(shift),
        "se": se * standard.slope(shift),
        "low": standard.points(shift - half),
        "high": standard.points(shift + half),
    }


def _arr_figures(estimate: Estimate, place: int) -> dict[str, Any]:
    """Points of ARR with what the sample alone leaves open."""
    points, se = 100 * float(estimate.shift[place]), 100 * float(estimate.se[place])
    half = half_width(se, 0.0)
    return {"arr_points": points, "arr_low": points - half, "arr_high": points + half}


def _outcome_figures(
    outcome: str, shifts: dict[str, Estimate], place: int, standards: dict[str, Standard], tests: Tests
) -> dict[str, Any]:
    shift, se = float(shifts[outcome].shift[place]), float(shifts[outcome].se[place])
    half, standard = half_width(se, tests.allowances[outcome]), standards[outcome]
    return {
        f"{outcome}_logit": shift,
        f"{outcome}_logit_se": se,
        f"{outcome}_points": standard.points(shift),
        f"{outcome}_low": standard.points(shift - half),
        f"{outcome}_high": standard.points(shift + half),
    }


def _standards(shared: Known, treated: NDArray[np.bool_]) -> dict[str, Standard]:
    """The months ahead of the treated trials that were asked for, of each outcome."""
    here = treated[shared.asked]
    churn = shared.hazards["churn"].ahead[here]
    others = {name: joint_log_odds(shared.hazards[name].ahead[here], churn) for name in OUTCOMES if name != "churn"}
    return {name: Standard(each, shared.params.effects.decay) for name, each in ({"churn": churn} | others).items()}
