"""Train: assemble, fit, test out of time, explain, record."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.problems import Finding
from features.tables.progress import Progress, silent
from features.traps import second_look
from models.outcomes.outcome import OutcomeModel
from models.scores.evaluation import AccountScore
from models.words import counted
from params import Params
from training.backtest.origin import OriginResult, try_origin
from training.backtest.rolling import scores
from training.backtest.untested import untested_horizons
from training.backtest.verdict import cautions, verdict
from training.canary import Canary, canary
from training.learn.dataset import Dataset, assemble, require_enough, small_data
from training.learn.importance import explain
from training.learn.too_new import TooNew
from training.learn.tune import Tuned, split
from training.learn.tuned_fit import fit_model
from training.promote import Decision, decide, in_charge
from training.report import summary
from training.suspicion import Suspicion, suspicion
from training.tracking.champion import ALIAS, WAITING
from training.tracking.evidence import Evidence, Metric, Table
from training.tracking.runs import RecordedRun, record_run, require_store
from training.with_calls import Challenger, challenge


@dataclass(frozen=True)
class Said:
    """What training says: of little data, of the test out of time, of what that left out, and of likely causes.

    And of the inputs that are too new to learn from.
    """

    small_data: str
    verdict: tuple[str, ...]
    untested: tuple[str, ...]
    causes: tuple[Finding, ...] = ()
    too_new: tuple[TooNew, ...] = ()

    def lines(self) -> list[str]:
        """All of it, to print; likely causes where no skill was found."""
        causes = [f"A LIKELY CAUSE: {cause}" for cause in self.causes] if cautions(self.verdict) else []
        new = [f"TOO NEW: {each}" for each in self.too_new]
        return [*self._small_data, *self.verdict, *causes, *self.untested, *new]

    @property
    def cautions(self) -> list[str]:
        """What whoever reads the model's forecasts must know."""
        return [*cautions(self.verdict), *self._small_data, *self.untested]

    @property
    def _small_data(self) -> list[str]:
        return [self.small_data] if self.small_data else []


@dataclass(frozen=True)
class TrainingResult:
    """What training made: the registered version and how the same recipe did on the months it had not seen."""

    record: RecordedRun
    as_of: date
    test: OriginResult | None
    accounts: int
    snapshots: int
    scores: tuple[AccountScore, ...]
    decision: Decision
    said: Said
    tuned: Tuned | None
    suspicion: Suspicion
    challenger: Challenger

    @property
    def tested_from(self) -> date | None:
        """The date as of which the recipe was tested; None if it was not."""
        return self.test.origin if self.test else None

    def lines(self) -> list[str]:
        """A summary to print: a leak before anything else."""
        head = [
            f"Trained as of {self.as_of} on {counted(self.snapshots, 'snapshot')} of "
            f"{counted(self.accounts, 'account')}.",
            f"Registered as {self.record.model_name} version {self.record.version}, alias {_alias(self.decision)}: "
            f"{self.decision.reason}.",
            *([self.tuned.sentence()] if self.tuned else []),
        ]
        table = summary.score_lines(self.scores, trusted=not self.suspicion) if self.scores else []
        bird = [str(self.decision.canary)] if self.decision.canary else []
        return [*self.suspicion.lines(), *head, *bird, *self.said.lines(), *table]

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        contest = self.decision.contest
        return {
            "as_of": self.as_of.isoformat(),
            "model": self.record.model_name,
            "version": self.record.version,
            "run_id": self.record.run_id,
            "promoted": self.decision.promoted,
            "reason": self.decision.reason,
            "caution": self.said.small_data,
            "verdict": list(self.said.verdict),
            "likely_causes": [cause.to_json() for cause in self.said.causes],
            **self.suspicion.to_json(),
            "not_tested": list(self.said.untested),
            "too_new": [asdict(each) | {"as_of": each.as_of.isoformat()} for each in self.said.too_new],
            "canary": self.decision.canary and self.decision.canary.to_json(),
            "contest": [] if contest is None else summary.json_rows(contest),
            "tuned": None if self.tuned is None else dict(self.tuned.chosen),
            "with_calls": self.challenger.to_json(),
            "snapshots": self.snapshots,
            "accounts": self.accounts,
            "tested_from": self.tested_from and self.tested_from.isoformat(),
            "skill_found": not self.suspicion
            and any(score.has_skill for score in self.scores if score.outcome == "churn"),
            "scores": summary.score_rows(self.scores),
        }


def train(
    tables: Tables,
    *,
    params: Params,
    may_contest: bool = False,
    replace_unreadable: bool = False,
    accept_leaks: bool = False,
    tested: bool = True,
    whole_test: bool = False,
    progress: Progress = silent,
) -> TrainingResult:
    """Fit the outcome models on everything known, record them in MLflow, and decide whether they take charge.

    The recipe is tested first: fitted as of up to `horizon_months` before the last date that is settled, scored on what
    has come since. Where there is a champion of another recipe, the model is registered as challenger, unless
    `may_contest` and it wins. A champion that cannot be read is an error before anything is fitted, unless the new
    model may `replace_unreadable`. A model whose data hold a proven leak, or that did too well to be true, does not
    take charge unless `accept_leaks`.
    With `tested` off, the recipe is not tested: for whoever scores its forecasts otherwise. A `whole_test` is one that
    a backtest can take as its own: with all rivals, and with what the model looks at.

    Raises
    ------
    BadInput
        Too few accounts, months or churned accounts.
    StoreUnreachable
        The tracking store does not answer; asked before anything is fitted.
    UnreadableChampion
        The files or the record of the champion are missing or damaged.
    """
    require_store(params)
    champion = in_charge(params, replace_unreadable=replace_unreadable)
    dataset = _dataset(tables, params, progress)
    causes = second_look(tables, params=params, progress=progress).spoiling_training
    require_enough(dataset, params.model, causes)
    test = _out_of_time(tables, dataset, params=params, whole=whole_test, progress=progress) if tested else None
    progress("fitting on everything known", 0, 1)
    model, tuned = fit_model(dataset, split(tables, dataset, params=params), params)
    doubts = suspicion(tables, dataset, test, params=params, accepted=accept_leaks, progress=progress)
    decision = _refused(doubts) or decide(tables, champion, params=params, may_contest=may_contest, progress=progress)
    decision = _held_back(decision, canary(model, dataset, params=params))
    test_scores = scores(test.accounts, params.backtest.horizons) if test else ()
    findings = _said(test_scores, test, dataset, params, causes, doubts)
    challenger = challenge(tables, dataset, params, progress)
    evidence = [*_evidence(model, dataset), *_tests(test_scores, doubts), *_on_the_way(tuned, decision)]
    alias, tags = _alias(decision), _version_tags(decision, doubts, findings)
    record = record_run(model, evidence, tables=tables, as_of=dataset.as_of, params=params, alias=alias, tags=tags)
    return TrainingResult(
        record=record,
        as_of=dataset.as_of,
        test=test,
        accounts=dataset.frame["account_id"].nunique(),
        snapshots=len(dataset.frame),
        scores=test_scores,
        decision=decision,
        said=findings,
        tuned=tuned,
        suspicion=doubts,
        challenger=challenger,
    )


def _held_back(decision: Decision, bird: Canary | None) -> Decision:
    """The decision with the canary: scores may differ of a model that won on past dates, and of other rules they must.

    The same recipe trained again takes charge without a contest, so that nothing else would notice what broke.
    """
    if bird is None or not bird.differs or not (decision.promoted and decision.is_retraining):
        return replace(decision, canary=bird)
    return Decision(False, bird.advice, canary=bird)


def _dataset(tables: Tables, params: Params, progress: Progress) -> Dataset:
    """All snapshots and what is known to have become of them."""
    dates = month_starts(tables, params.snapshots)
    snapshots = stored(tables, dates, params=params, progress=progress)
    progress("assembling the training data", 0, 1)
    return assemble(tables, snapshots, as_of=dates[-1], params=params)


def _said(
    test_scores: Sequence[AccountScore],
    test: OriginResult | None,
    dataset: Dataset,
    params: Params,
    causes: tuple[Finding, ...],
    doubts: Suspicion,
) -> Said:
    return Said(
        small_data(dataset, params.model),
        tuple(_verdict(test_scores, test.origin, doubts)) if test else (),
        tuple(untested_horizons({score.horizon_months for score in test_scores}, len(dataset.settled_dates), params)),
        causes,
        dataset.too_new,
    )


def _verdict(scores: Sequence[AccountScore], since: date, doubts: Suspicion) -> list[str]:
    """What the test out of time found; what looks like skill is none where it may come from a leak."""
    lines = verdict(scores, since)
    skilled = [line for line in lines if doubts and not cautions([line])]
    return [*(["SUSPICIOUS, and not taken for skill: see the leak above."] if skilled else []),
            *(line for line in lines if line not in skilled)]  # fmt: skip


def _refused(doubts: Suspicion) -> Decision | None:
    """The decision where a model may not take charge, without a contest; None where it may."""
    return Decision(False, doubts.reason) if doubts.refuses else None


def _alias(decision: Decision) -> str:
    return ALIAS if decision.promoted else WAITING


def _version_tags(decision: Decision, doubts: Suspicion, findings: Said) -> dict[str, str]:
    """What a version says of itself: why it is in charge or not, and what its reader must know."""
    return {"promotion": decision.reason, "caution": "\n".join([*doubts.cautions, *findings.cautions])}


def _tests(test_scores: Sequence[AccountScore], doubts: Suspicion) -> list[Evidence]:
    """How it did out of time; no skill is proven where it may come from a leak."""
    return summary.score_evidence(test_scores, trusted=not doubts)


def _on_the_way(tuned: Tuned | None, decision: Decision) -> list[Evidence]:
    """What tuning tried, and the figures of the contest and the canary."""
    evidence: list[Evidence] = []
    if (bird := decision.canary) is not None:
        evidence += [Metric(f"canary_{n}", getattr(bird, n)) for n in ("mean_change", "rank_correlation", "new_mean")]
    if tuned is not None:
        evidence += [Table("tuning", tuned.trials), Metric("tuning_gain", tuned.gain)]
        evidence += [Metric("tuning_cut_short", float(tuned.cut_short))]
        evidence += [Metric(f"tuned_{name}", float(value)) for name, value in tuned.chosen.items()]
    if decision.contest is not None:
        evidence.append(Table("contest", decision.contest))
    return evidence


def _out_of_time(
    tables: Tables, dataset: Dataset, *, params: Params, whole: bool, progress: Progress
) -> OriginResult | None:
    """The recipe fitted as of the longest horizon ago that leaves enough to learn from; None if none does."""
    dates = dataset.settled_dates
    for months in sorted(params.backtest.horizons, reverse=True):
        if len(dates) - months >= params.model.min_months:
            progress(f"testing the recipe on the last {counted(months, 'month')}", 0, 1)
            origin = dates[-1 - months]
            return try_origin(tables, dataset, origin, params=params, with_rivals=whole, explained=whole)
    return None


def _evidence(model: OutcomeModel, dataset: Dataset) -> list[Evidence]:
    """What describes the fitted model itself: sizes, calibration lines, what it looks at."""
    evidence: list[Evidence] = []
    for outcome, fitted in model.outcomes_.items():
        evidence.append(Metric(f"{outcome}_events", fitted.events))
        evidence.append(Metric(f"{outcome}_calibration_slope_fitted", fitted.calibrator.slope))
    return [*evidence, *summary.explanation_evidence(explain(model, _newest_rows(dataset)))]


def _newest_rows(dataset: Dataset) -> pd.DataFrame:
    """The snapshots of the last year."""
    return dataset.frame[dataset.frame["as_of"] > pd.Timestamp(dataset.as_of) - pd.DateOffset(months=12)]
