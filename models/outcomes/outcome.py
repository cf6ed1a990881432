"""What becomes of an account: monthly hazards of churn, contraction and expansion, calibrated, with amounts."""

import copy
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from models.hazards.at_risk import at_risk, month_number
from models.hazards.calibration import Calibrator, Slope
from models.hazards.ensemble import logistic_of
from models.hazards.fit_settings import Settings, required
from models.hazards.hazard import Hazard
from models.hazards.horizon import CALENDAR_INPUTS, DAYS_A_MONTH, calendar
from models.hazards.model_inputs import Input, in_blocks, learn_categories, matrix
from models.hazards.month_level import LEVEL_INPUT
from models.hazards.term_ends import TermEnds, has_changed
from models.outcomes.after_change import AfterChange
from models.outcomes.amounts import ChangePools, Changes
from models.outcomes.contributions import Contributions, Decisions
from models.outcomes.cross_sell import fit_shares, share_of
from models.outcomes.facts import after_leaving, certainties, kept_after_notice, renewal, with_facts
from models.outcomes.fitting import LEARNERS, FittedOutcome, Material, fit_outcome, notice_holds, tilts
from models.outcomes.keyed_draws import streams
from models.outcomes.luck_posterior import fit_luck
from models.outcomes.prediction import OUTCOMES, Estimation, Outcome, Prediction
from models.outcomes.returns import Returns, fit_returns
from models.outcomes.shared_luck import SharedLuck

Array = NDArray[np.float64]
FORMAT = 8
_NOT_KEPT = ("threads", "tuning")  # of the settings: no prediction depends on them


class OutcomeModel:
    """Churn, contraction and expansion over the months ahead of a snapshot.

    Each outcome is a monthly hazard of (account, month ahead) rows: what the snapshot knew, and where the month lies on
    the renewal calendar known then. Rows are censored where the outcome was not known at training. How the hazards are
    learned and calibrated is in `models.outcomes.fitting`, the luck that months share in `models.outcomes.shared_luck`.

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
        threadpool_limits(1, user_api="blas")  # for good: with more, the last digits would depend on a machine's cores

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

    def fit(
        self,
        frame: pd.DataFrame,
        paths: Array,
        streams: Array | None = None,
        *,
        hazards: Mapping[str, Sequence[Hazard]] | None = None,
    ) -> Self:
        """Learn from snapshots and what became of them.

        Parameters
        ----------
        frame
            Snapshot rows.
        paths
            ARR at each snapshot and the months after it, shape (rows, months + 1); NaN where not known yet.
        streams
            How many streams (product and buying centre) were paid for then, of the same shape; NaN where they cannot
            be told apart. None: nowhere, and the model knows of no cross-sells.
        hazards
            Of each outcome those that it need not learn: see `logistic_alone`.

        Raises
        ------
        ValueError
            `paths` or `streams` does not fit the frame and the months ahead, or the settings lack `tuning`.
        """
        for name, table in (("paths", paths), ("streams", streams)):
            if table is not None and table.shape != (len(frame), self.months + 1):
                raise ValueError(f"{name} has shape {table.shape}, expected {(len(frame), self.months + 1)}")
        tuning = required(self.settings.tuning)
        self.inputs = learn_categories(self.inputs, frame)
        material = replace(self._material(frame, paths), hazards=hazards or {})
        # One thread an outcome: boosting many small trees gains little, and often loses, from threads within a tree.
        with ThreadPoolExecutor(max_workers=min(self.settings.threads, len(OUTCOMES))) as pool:
            fits = list(pool.map(partial(fit_outcome, material=material), OUTCOMES))
        self.outcomes_ = {outcome: fit.outcome for outcome, fit in zip(OUTCOMES, fits, strict=True)}
        self._logistic: dict[str, Sequence[Hazard]] = {
            outcome: logistic_of(fit.hazards) for outcome, fit in zip(OUTCOMES, fits, strict=True)
        }
        self.pools_ = self._fit_pools(frame, material)
        self.notice_holds_ = notice_holds(material)
        self.luck_ = fit_luck(
            [fit.counts for fit in fits],
            estimation_variance=[fit.estimation_variance for fit in fits],
            prior_sd=tuning.luck_prior_sd,
            level_sd=tuning.calibration_prior_sd,
            seed=self.settings.seed,
        )
        self.returns_ = fit_returns(frame, paths)
        self.luck_until_ = material.at_risk.first_month + material.at_risk.months
        min_change = self.settings.min_change
        self.cross_sell_ = None if streams is None else fit_shares(material.at_risk, frame, streams, min_change)
        return self

    def _material(self, frame: pd.DataFrame, paths: Array) -> Material:
        arr = frame["arr"].to_numpy(dtype=float)
        logs = np.log(arr)
        self.size_mean_, self.size_sd_ = float(logs.mean()), float(logs.std()) or 1.0
        ahead = self._ahead(frame, self.months)
        return Material(
            inputs=self.all_inputs,
            snapshot=matrix(self.inputs, frame),
            calendar=ahead,
            facts=certainties(frame, ahead, min_change=self.settings.min_change),
            decided=self._term_ends(frame, ahead).decided(has_changed(paths, self.settings.min_change)),
            size=self._size(arr),
            at_risk=at_risk(frame, paths),
            settings=self.settings,
            latest=np.flatnonzero(frame["as_of"] == frame["as_of"].max()),
            arr=arr,
        )

    def predict(self, frame: pd.DataFrame) -> Prediction:
        """Monthly hazards and amounts of snapshot rows of one date.

        Raises
        ------
        ValueError
            A column the model was trained on is absent.
        """
        ahead = self._ahead(frame, self.months)
        facts, ends = self._facts(frame, ahead), self._term_ends(frame, ahead)
        log_odds, decided = self._log_odds(frame, ahead, ends)
        arr = frame["arr"].to_numpy(dtype=float)
        amounts = self.pools_.of(arr, renewal(ahead)).with_known_contraction(*kept_after_notice(frame, facts))
        return Prediction(
            account=streams(frame["account_id"]),
            first_month=int(month_number(frame).max(initial=0)),
            arr=arr,
            size=self._size(arr),
            hazards=_hazards(log_odds, facts),
            pool_index=amounts.index,
            pools=amounts.pools,
            pool_names=amounts.names,
            luck=self.luck_,
            gap_months=self._gap_months(frame),
            estimation=Estimation(*tilts(list(self.outcomes_.values())), amounts.errors),
            cross_sell_share=share_of(self.cross_sell_, frame),
            decisions=AfterChange(ends, _hazards(decided, facts)),
            returns=self.returns_,
        )

    def logistic_alone(self, frame: pd.DataFrame, paths: Array) -> "OutcomeModel":
        """The regression that is half of an ensemble, as a model of its own: what fitting it anew would give.

        `frame` and `paths` are those that this model was fitted to.
        """
        settings = replace(self.settings, learner="logistic")
        return OutcomeModel(self.inputs, settings).fit(frame, paths, hazards=self._logistic)

    def calibrated_as(self, other: "OutcomeModel") -> "OutcomeModel":
        """This model with another's calibration, where both have a hazard to calibrate."""
        changed = copy.copy(self)
        changed.outcomes_ = dict(self.outcomes_)
        for outcome, fitted in self.outcomes_.items():
            theirs = other.outcomes_[outcome]
            if fitted.hazard is not None and theirs.hazard is not None:
                changed.outcomes_[outcome] = replace(fitted, calibrator=theirs.calibrator)
        return changed

    def rows_next_month(self, frame: pd.DataFrame) -> Array:
        """What the hazards read of snapshot rows for the first month ahead, shape (rows, inputs)."""
        return self._rows_ahead(frame, self._ahead(frame, 1))

    def contributions(
        self,
        frame: pd.DataFrame,
        outcome: Outcome,
        *,
        months: int | None = None,
        prediction: Prediction | None = None,
    ) -> Contributions:
        """SHAP values of the monthly log-odds of one outcome, over the months of the horizon or so many.

        The level of the kind of month is put down to whether a term ends in it. `prediction` is that of the same rows,
        where it is at hand: it is made anew otherwise.
        """
        months = self.horizon_months if months is None else months
        fitted, ahead = self.outcomes_[outcome], self._ahead(frame, self.months)[:, :months]
        names = tuple(item.name for item in self.all_inputs)
        margin, base, level = np.zeros((len(frame), months, len(names))), 0.0, 0.0
        slope = fitted.calibrator.slopes(np.arange(1.0, months + 1))
        if fitted.hazard is not None:
            rows, shape = self._rows_ahead(frame, ahead), margin.shape
            effects, base = fitted.hazard.contributions(rows)
            margin, level = effects.reshape(shape), fitted.hazard.mean_level_
            margin[:, :, names.index(LEVEL_INPUT)] += (fitted.hazard.level(rows).reshape(shape[:2]) - level) / slope
        luck = self.luck_.expected(months, gap_months=self._gap_months(frame))
        intercept = fitted.calibrator.intercept + level + luck[:, OUTCOMES.index(outcome)]
        all_facts = self._facts(frame, ahead)
        facts, ruled_out_by = all_facts[:, :, OUTCOMES.index(outcome)], "presigned_ahead"
        if outcome != "churn":
            facts, ruled_out_by = np.where(after_leaving(all_facts), 0.0, facts), "notice_takes_effect"
        if "arr" in names:
            size = fitted.tilt.slope * self._size(frame["arr"].to_numpy(dtype=float))
            margin[:, :, names.index("arr")] += size[:, None] / slope
        decisions = self._decisions(frame, ahead, outcome, prediction or self.predict(frame))
        return Contributions(names, margin, base, slope, intercept, facts, ruled_out_by, decisions)

    def _decisions(self, frame: pd.DataFrame, ahead: Array, outcome: Outcome, prediction: Prediction) -> Decisions:
        """Shares of accounts whose ARR changed at the last term's end, and what that does, by month."""
        months = ahead.shape[1]
        shift, here = np.zeros(ahead.shape[:2]), prediction.after_change.term_ends.open[:, :months]
        if here.any():
            rows = self._rows_ahead(frame, ahead)[np.flatnonzero(here)]
            shift[here] = self.outcomes_[outcome].decision(rows)
        return Decisions(prediction.under_expected_luck().decided_share(outcome)[:, :months], shift)

    def to_files(self) -> dict[str, str]:
        """The fitted model as text files: name -> content. Nothing in them is executable."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "settings": {key: value for key, value in asdict(self.settings).items() if key not in _NOT_KEPT},
            "inputs": [asdict(item) for item in self.inputs],
            "pools": self.pools_.to_dict(),
            "luck": self.luck_.to_dict(),
            "luck_until": self.luck_until_,
            "notice_holds": self.notice_holds_.tolist(),
            "cross_sell": None if self.cross_sell_ is None else self.cross_sell_.tolist(),
            "returns": None if self.returns_ is None else self.returns_.to_dict(),
            "size": [self.size_mean_, self.size_sd_],
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
        if content.get("format") != FORMAT:
            raise ValueError(
                f"no model bundle of format {FORMAT} among the files {sorted(files)}: train again with this version"
            )
        inputs = [Input(**{**item, "categories": tuple(item["categories"])}) for item in content["inputs"]]
        model = cls(inputs, Settings(**content["settings"], threads=threads))
        model.pools_ = ChangePools.from_dict(content["pools"])
        model.luck_, model.luck_until_ = SharedLuck.from_dict(content["luck"]), content["luck_until"]
        model.size_mean_, model.size_sd_ = content["size"]
        model.notice_holds_ = np.array(content["notice_holds"])
        model.cross_sell_ = None if content["cross_sell"] is None else np.array(content["cross_sell"])
        model.returns_ = None if content["returns"] is None else Returns.from_dict(content["returns"])
        model.outcomes_ = {
            name: model._restore(description, files.get(f"{name}.txt"))
            for name, description in content["outcomes"].items()
        }
        return model

    def _restore(self, description: Mapping[str, Any], text: str | None) -> FittedOutcome:
        learner = LEARNERS[self.settings.learner]
        return FittedOutcome(
            hazard=learner.from_text(text, self.all_inputs, threads=self.settings.threads) if text else None,
            calibrator=Calibrator(**description["calibrator"]),
            tilt=Slope(**description["tilt"]),
            events=description["events"],
            rows=description["rows"],
        )

    def _facts(self, frame: pd.DataFrame, ahead: Array) -> Array:
        """Hazards that no input moves, shape (rows, months, outcomes); NaN elsewhere."""
        facts = certainties(frame, ahead, min_change=self.settings.min_change)
        return np.where(facts == 1, self.notice_holds_, facts)

    def _size(self, arr: Array) -> Array:
        return np.asarray((np.log(arr) - self.size_mean_) / self.size_sd_)

    def _gap_months(self, frame: pd.DataFrame) -> int:
        return max(0, int(month_number(frame).max(initial=0)) - self.luck_until_)

    def _log_odds(self, frame: pd.DataFrame, ahead: Array, ends: TermEnds) -> tuple[Array, Array]:
        """Calibrated log-odds of each account, month and outcome, by blocks of accounts: of each account alone.

        And those once ARR has changed at the end of a term.
        """
        snapshot = matrix(self.inputs, frame)
        log_odds = np.empty((*ahead.shape[:2], len(OUTCOMES)))
        shift = np.zeros_like(log_odds)
        for block in in_blocks(len(frame)):
            rows = _with_calendar(snapshot[block], ahead[block])
            months = np.tile(np.arange(1.0, ahead.shape[1] + 1), len(ahead[block]))
            for place, outcome in enumerate(OUTCOMES):
                of_rows = self.outcomes_[outcome].log_odds(rows, months)
                log_odds[block, :, place] = of_rows.reshape(-1, ahead.shape[1])
                shift[block, :, place][ends.open[block]] = self.outcomes_[outcome].decision(
                    rows[ends.open[block].ravel()]
                )
        return log_odds, log_odds + shift

    def _ahead(self, frame: pd.DataFrame, months: int) -> Array:
        return calendar(frame, months=months, grace_days=self.settings.grace_days)

    def _term_ends(self, frame: pd.DataFrame, ahead: Array) -> TermEnds:
        return TermEnds.of(frame, ahead, grace_days=self.settings.grace_days)

    def _rows_ahead(self, frame: pd.DataFrame, ahead: Array) -> Array:
        """Inputs of every (account, month ahead), shape (accounts * months, inputs)."""
        return _with_calendar(matrix(self.inputs, frame), ahead)

    def _fit_pools(self, frame: pd.DataFrame, material: Material) -> ChangePools:
        """Amounts of the changes seen one month ahead, where every change is counted once."""
        rows = material.at_risk
        at_term_end = renewal(material.calendar)[rows.row, rows.ahead - 1]
        changes = {}
        for outcome in ("contraction", "expansion"):
            chosen = (rows.ahead == 1) & rows.event(outcome, self.settings.min_change)
            changes[outcome] = Changes(rows.before[chosen], rows.after[chosen], at_term_end[chosen])
        return ChangePools().fit(frame["arr"].to_numpy(dtype=float), changes)


def _hazards(log_odds: Array, facts: Array) -> Array:
    """Hazards of shape (rows, months, outcomes) that exclude each other, with what is certain put in its place."""
    hazards = with_facts(expit(log_odds), facts)
    return np.asarray(hazards / np.maximum(1.0, hazards.sum(axis=-1, keepdims=True)))


def _with_calendar(snapshot: Array, ahead: Array) -> Array:
    """Each snapshot row's inputs beside those of the calendar, a row a month ahead."""
    accounts, months, width = ahead.shape
    return np.hstack([np.repeat(snapshot, months, axis=0), ahead.reshape(accounts * months, width)])


def _describe(fitted: FittedOutcome) -> dict[str, Any]:
    description = {name: asdict(getattr(fitted, name)) for name in ("calibrator", "tilt")}
    return {**description, "events": fitted.events, "rows": fitted.rows}
