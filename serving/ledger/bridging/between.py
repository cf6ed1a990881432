"""The bridge between two forecasts with what they were made of: what each step is the forecast of, and by whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import Prediction
from models.paths.bridge import FACTORS, Bridge, Factor, Passage, bridge_between, shapley, unsplit
from models.paths.outlook import Outlook, outlook
from params import Budget
from serving.forecast.refusals import BadRequest
from serving.ledger.bridging.cohort import cohort_of
from serving.ledger.bridging.made_of import Ingredients, MadeOf, by_account

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Between:
    """The bridge between two forecasts, and what its words are made from.

    Attributes
    ----------
    first, second
        The forecasts.
    target
        The date whose ARR both forecast.
    bridge
        Of each account, in the order of `accounts`.
    accounts
        Index account: ARR `start`, `restated`, `reached`; the multiples `whole`, `later` and one a factor, where they
        can be told; `paused`, `overdue`, `gone` (no longer in the data) and `joined` (the rolling view's newcomers).
    starting_arr, starting_arr_restated
        What NRR is taken over: the cohort's, as known by the first and by the second forecast; of the rolling view,
        that of the second's own cohort.
    lacking
        What could not be split, and why; empty if all could.
    model_reversed
        What the new model alone makes of the first forecast: its step in the reverse order. None where none changed.
    worth
        What data, market, recalibration and model are worth on average over all orders; None if not asked for.
    """

    first: MadeOf
    second: MadeOf
    target: date
    bridge: Bridge
    accounts: pd.DataFrame
    starting_arr: float
    starting_arr_restated: float
    lacking: str = ""
    model_reversed: float | None = None
    worth: Mapping[Factor, float] | None = None
    rolling: bool = False


@dataclass(frozen=True)
class _Spans:
    """Months from the first forecast to the target date, how many of them have passed, and the second's own horizon."""

    months: int
    passed: float
    horizon: int

    @property
    def left(self) -> float:
        """Months from the second forecast to the target date."""
        return self.months - self.passed


def between(
    first: MadeOf, second: MadeOf, *, budget: Budget, rolling: bool = False, all_orders: bool = False
) -> Between:
    """The bridge between two forecasts.

    Parameters
    ----------
    first, second
        The forecasts, the earlier one first.
    budget
        What the computation may use; the result does not depend on it.
    rolling
        Go on to the end of the second forecast's own window, and to its own cohort.
    all_orders
        Also what each factor is worth on average over all orders.

    Raises
    ------
    BadRequest
        They are in different currencies, or so far apart that the second does not reach the first's target date.
    """
    spans = _spans(first, second)
    if first.currency != second.currency:
        raise BadRequest(
            f"The forecast of {first.as_of} is in {first.currency}, that of {second.as_of} in {second.currency}: "
            "there is no bridge from one reporting currency to another."
        )
    lacking = "; ".join(filter(None, (first.lacking, second.lacking)))
    if lacking or first.ingredients is None or second.ingredients is None:
        return _without_steps(first, second, spans, lacking)
    made_of = (first, second, first.ingredients, second.ingredients)
    accounts = cohort_of(*made_of, budget=budget, rolling=rolling)
    return _Making(*made_of, spans, accounts, budget).made(rolling=rolling, all_orders=all_orders)


def _spans(first: MadeOf, second: MadeOf) -> _Spans:
    if first.as_of > second.as_of:
        raise BadRequest(f"--from {first.as_of} lies after --to {second.as_of}: put the earlier forecast first.")
    whole = (second.as_of.year - first.as_of.year) * 12 + second.as_of.month - first.as_of.month
    whole -= add_months(first.as_of, whole) > second.as_of
    begun, ended = (add_months(first.as_of, whole + more) for more in (0, 1))
    passed = whole + (second.as_of - begun).days / (ended - begun).days
    if passed > first.horizon_months:
        raise BadRequest(
            f"The forecast of {first.as_of} looks {first.horizon_months} months ahead, to "
            f"{add_months(first.as_of, first.horizon_months)}; that of {second.as_of} was made after that. "
            f"Take a later --from or an earlier --to."
        )
    return _Spans(first.horizon_months, passed, second.horizon_months)


def _without_steps(first: MadeOf, second: MadeOf, spans: _Spans, lacking: str) -> Between:
    """Only what both forecasts published for one date, as one step."""
    start, end = first.expected, second.expected
    ahead = int(spans.passed) if spans.passed.is_integer() else None
    kept = [int(months) for months in start.columns]
    targets = [months for months in kept if ahead is not None and months - ahead in end.columns]
    if not targets or ahead is None:
        raise BadRequest(
            f"There can be no bridge from the forecast of {first.as_of} to that of {second.as_of}: {lacking}. "
            "Nor is there a date for which the record keeps expected ARR by account from both."
        )
    months = max(targets)
    published = start.loc[:, start.columns == months].iloc[:, 0]
    later = end.loc[:, end.columns == months - ahead].iloc[:, 0].reindex(start.index).fillna(0.0)
    accounts = pd.DataFrame({"gone": False, "joined": False}, index=start.index)
    return Between(
        first,
        second,
        add_months(first.as_of, months),
        unsplit(published.to_numpy(), later.to_numpy()),
        accounts,
        np.nan,
        np.nan,
        f"{lacking}: what changed cannot be split into steps",
    )


@dataclass(frozen=True)
class _Making:
    """A bridge as it is made: the forecasts, what they were made of, and who is in it."""

    first: MadeOf
    second: MadeOf
    then: Ingredients
    now: Ingredients
    spans: _Spans
    accounts: pd.DataFrame
    budget: Budget

    def made(self, *, rolling: bool, all_orders: bool) -> Between:
        expected, multiples = self._expected(), self._multiples()
        moved = self._of_second(self.spans.horizon) if rolling else None
        bridge = bridge_between(self._passage(expected), multiples, self._end(multiples), moved=moved)
        cohort = self.accounts[~self.accounts["joined"]]
        last = (self.second.as_of, self.spans.horizon) if rolling else (self.first.as_of, self.spans.months)
        return Between(
            first=self.first,
            second=self.second,
            target=add_months(*last),
            bridge=_apart(bridge, staying=~self.accounts["gone"].to_numpy()),
            accounts=self.accounts.assign(whole=expected.whole, later=expected.later, **multiples),
            starting_arr=float(cohort["start"].sum()),
            starting_arr_restated=float(self.now.snapshot["arr"].sum())
            if rolling
            else float(cohort["restated"].where(~cohort["gone"], cohort["start"]).sum()),
            model_reversed=self._reversed(expected) if self._model_changed else None,
            worth=self._worth(expected, multiples) if all_orders else None,
            rolling=rolling,
        )

    @property
    def _model_changed(self) -> bool:
        return self.first.model_digest != self.second.model_digest

    def _passage(self, expected: Outlook) -> Passage:
        published = self.first.expected[self.first.horizon_months]
        return Passage(
            published=_in_order(published, self.accounts),
            start=self._arr("start"),
            restated=self._arr("restated"),
            reached=self._arr("reached"),
            expected=expected,
            overdue=self.accounts["overdue"].to_numpy(),
        )

    def _arr(self, name: str) -> Array:
        return self.accounts[name].to_numpy(dtype=float)

    def _outlook(self, prediction: Prediction, months: float, passed: float = 0.0) -> Outlook:
        return outlook(prediction, self.first.paths, months=months, passed=passed, threads=self.budget.threads)

    def _expected(self) -> Outlook:
        """What the first forecast expected; of whom it did not know, what it expected of all others on average."""
        prediction = self.then.model.predict(self.then.snapshot)
        of_all = self._outlook(prediction, self.spans.months, self.spans.passed)
        mean = {name: np.average(values, axis=0, weights=prediction.arr) for name, values in vars(of_all).items()}
        place = self.then.snapshot.index.get_indexer(self.accounts.index)
        rows, unknown = of_all.rows(np.maximum(place, 0)), place < 0
        return Outlook(
            whole=np.where(unknown, mean["whole"], rows.whole),
            later=np.where(unknown, mean["later"], rows.later),
            change=np.where(unknown[:, None], mean["change"], rows.change),
        )

    def _multiples(self) -> dict[Factor, Array]:
        """What is expected from the second date on, with one factor of the second forecast more each time."""
        customers = self.now.snapshot.loc[self.now.snapshot.index.isin(self.accounts.index)]
        multiples: dict[Factor, Array] = {}
        whole = np.empty(0)
        for place, factor in enumerate(FACTORS):
            if factor == "data" or self._model_changed:
                prediction = _predict(self.then.model, self.now.model, customers, FACTORS[1 : place + 1])
                whole = self._outlook(prediction, self.spans.left).whole
            multiples[factor] = _in_order(pd.Series(whole, index=customers.index), self.accounts)
        return multiples

    def _end(self, multiples: Mapping[Factor, Array]) -> Array:
        """Expected ARR at the target date by the second forecast, as it drew its futures."""
        if self.second.paths != self.first.paths:
            return self._of_second(self.spans.left)
        return self._in_force * multiples["model"]

    def _of_second(self, months: float) -> Array:
        """The second forecast itself, so many months ahead of its date."""
        prediction = self.now.model.predict(self.now.snapshot)
        whole = outlook(prediction, self.second.paths, months=months, threads=self.budget.threads).whole
        return self._in_force * _in_order(pd.Series(whole, index=self.now.snapshot.index), self.accounts)

    @property
    def _in_force(self) -> Array:
        """ARR as the second forecast counts it, of who never left."""
        here = (self.accounts["reached"] > 0) | self.accounts["joined"]
        return self.accounts["in_force"].where(here, 0.0).to_numpy(dtype=float)

    def _reversed(self, expected: Outlook) -> float:
        """What the new model alone, on what was known then, makes of the first forecast."""
        return self._value(frozenset({"model"}), {}) - float((self._arr("start") * expected.whole).sum())

    def _worth(self, expected: Outlook, multiples: Mapping[Factor, Array]) -> dict[Factor, float]:
        """What each factor is worth on average over all orders."""
        told: dict[frozenset[Factor], float] = {frozenset(): float((self._arr("start") * expected.whole).sum())}
        for place, factor in enumerate(FACTORS):
            told[frozenset(FACTORS[: place + 1])] = float((self._arr("reached") * multiples[factor]).sum())
        return shapley({some: self._value(some, told) for some in _subsets(FACTORS)})

    def _value(self, factors: frozenset[Factor], told: Mapping[frozenset[Factor], float]) -> float:
        """Expected ARR of the cohort at the target date with some factors of the second forecast."""
        if factors in told:
            return told[factors]
        new_data = "data" in factors
        frame, months = (self.now.snapshot, self.spans.left) if new_data else (self.then.snapshot, self.spans.months)
        frame = frame.loc[frame.index.isin(self.accounts.index[~self.accounts["joined"]])]
        whole = self._outlook(_predict(self.then.model, self.now.model, frame, factors), months).whole
        arr = self.accounts["reached" if new_data else "start"].reindex(frame.index).to_numpy(dtype=float)
        return float((arr * whole).sum())


def _in_order(values: "pd.Series[float]", accounts: pd.DataFrame) -> Array:
    """Values in the order of the accounts, 0 of those that have none."""
    return np.asarray(by_account(values, accounts.index), dtype=np.float64)


def _predict(old: OutcomeModel, new: OutcomeModel, frame: pd.DataFrame, factors: Iterable[Factor]) -> Prediction:
    """What a model says that has the market's level, the calibration and the rest of the new one, or of the old."""
    chosen = set(factors)
    model, other = (new, old) if "model" in chosen else (old, new)
    if ("recalibration" in chosen) != ("model" in chosen):
        model = model.calibrated_as(other)
    prediction = model.predict(frame)
    if ("market" in chosen) == ("model" in chosen):
        return prediction
    source = other.predict(frame.iloc[:1])
    return replace(prediction, luck=source.luck, gap_months=source.gap_months)


def _subsets(factors: tuple[Factor, ...]) -> Iterable[frozenset[Factor]]:
    return map(frozenset, chain.from_iterable(combinations(factors, size) for size in range(len(factors) + 1)))


def _apart(bridge: Bridge, *, staying: NDArray[np.bool_]) -> Bridge:
    """The same, with accounts that are no longer in the data as one step: nothing tells what became of them."""
    if staying.all():
        return bridge
    gone = unsplit(bridge.start / 100, bridge.end / 100)
    steps = np.where(staying[:, None], bridge.steps, gone.steps)
    return Bridge(bridge.start, steps, bridge.end)
