"""Rivals of a forecast, frozen beside it the same night: what anyone could have said from what was known then."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months, settled_before
from features.revenue.cut_labels import group_labels, labels_in_force, usable_cuts
from features.revenue.known_lines import lines_known
from features.revenue.paths import arr_of_lines
from features.revenue.retention import retention_of_lines
from features.tables.checked import Tables
from models.paths.rollup import QUANTILES as PERCENTS
from models.paths.rollup import TOTAL
from models.scores import baselines, time_series
from params import Params
from serving.forecast.batch import Forecast
from serving.forecast.declared.output_tables import QUANTILES
from serving.forecast.with_calls import EXPECTED_ARR
from serving.ledger.account_rows import horizons_kept
from serving.ledger.record_tables import CHURN
from serving.ledger.yardsticks.standing_calls import expected_by_people

Array = NDArray[np.float64]
Labels = dict[str, NDArray[np.object_]]
NRR = "nrr"
WINDOW_MONTHS, LONGEST_MONTHS = 12, 60
COLUMNS = ("rival", "cut", "value", "horizon_months", "metric", "mean", *QUANTILES)
_SEGMENT = "segment"


@dataclass(frozen=True)
class Known:
    """What rivals go by.

    Attributes
    ----------
    start, end, customer
        Of the accounts with ARR when the past window began: ARR then and at its end, and whether it stayed.
    labels
        Of those accounts by cut, as known when the window began.
    window_months
        How long the window is; 0 where there is no past.
    arr, labels_now
        Of today's customers.
    groups
        The cuts and values that are forecast.
    growth
        Log of NRR in each past month.
    called
        By horizon, what people expect to be left of each of today's customers, NaN where they say nothing.
    expected, with_calls
        By horizon, what the model expects of them, and the one with calls; NaN where that says nothing.
    """

    start: Array
    end: Array
    customer: NDArray[np.bool_]
    labels: Labels
    window_months: int
    arr: Array
    labels_now: Labels
    groups: tuple[tuple[str, str], ...]
    growth: Array
    called: Mapping[int, Array]
    expected: Mapping[int, Array]
    with_calls: Mapping[int, Array]
    draws: int
    seed: int

    def members(self, cut: str, value: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which accounts of the past window, and which of today's, belong to a value of a cut."""
        if cut == TOTAL:
            return np.ones(len(self.start), dtype=bool), np.ones(len(self.arr), dtype=bool)
        return np.asarray(self.labels[cut] == value), np.asarray(self.labels_now[cut] == value)


Said = Iterator[dict[str, Any]]


def frozen_rivals(tables: Tables, forecast: Forecast, params: Params) -> pd.DataFrame:
    """What each rival says of NRR by cut, and the base rate of churn, over the horizons that are kept.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; a rival that says one number has no quantiles. One that the history does not suffice for is absent.
    """
    months = int(forecast.account_forecast["horizon_months"].max())
    horizons = horizons_kept(forecast.as_of, months)
    known = _known(tables, forecast, horizons, params)
    rows = [{"rival": name, **row} for name, rival in _RIVALS.items() for row in rival(known, horizons)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _known(tables: Tables, forecast: Forecast, horizons: tuple[int, ...], params: Params) -> Known:
    as_of, budget, rows = forecast.as_of, params.budget, forecast.account_forecast
    now = rows[rows["horizon_months"] == rows["horizon_months"].min()]
    tables = tables.at(as_of)
    past, begin, months, window = _past(tables, as_of, params)
    labels = [
        _labels(tables, day, accounts, params)
        for day, accounts in ((begin, window["account_id"]), (as_of, now["account_id"]))
    ]
    return Known(
        start=window["starting_arr"].to_numpy(float),
        end=window["ending_arr"].to_numpy(float),
        customer=window["customer"].to_numpy(bool),
        labels=labels[0],
        window_months=months,
        arr=now["arr"].to_numpy(float),
        labels_now=labels[1],
        groups=_groups(forecast.nrr_forecast, labels[1]),
        growth=_growth(past),
        called=expected_by_people(tables, now, as_of, horizons, budget=budget),
        expected=_by_horizon(rows, "expected_arr", now["account_id"], horizons),
        with_calls=_by_horizon(forecast.with_calls, EXPECTED_ARR, now["account_id"], horizons),
        draws=params.forecast.draws,
        seed=params.seed,
    )


def _past(tables: Tables, as_of: date, params: Params) -> tuple[pd.DataFrame, date, int, pd.DataFrame]:
    """ARR at the starts of past months; of the past window its first day, its length and its accounts."""
    rules = params.revenue
    last = settled_before(tables, as_of, rules).replace(day=1)
    window = pd.DataFrame(columns=["account_id", "starting_arr", "ending_arr", "customer"])
    with lines_known(tables, known_by=as_of, rules=rules, budget=params.budget) as connection:
        instants = [add_months(last, -ago) for ago in range(LONGEST_MONTHS, -1, -1)]
        past = arr_of_lines(connection, tables, instants, rules=rules, rates_on=as_of)
        months = _months_of_history(past, last)
        begin = add_months(last, -months)
        if months:
            window = retention_of_lines(connection, tables, start=begin, end=last, rules=rules)
    return past, begin, months, window


def _by_horizon(
    rows: pd.DataFrame | None, column: str, accounts: "pd.Series[str]", horizons: tuple[int, ...]
) -> dict[int, Array]:
    """A figure of the accounts by horizon, NaN where there is none."""
    if rows is None or rows.empty:
        return {months: np.full(len(accounts), np.nan) for months in horizons}
    wide = rows.pivot_table(index="account_id", columns="horizon_months", values=column)
    return {months: wide[months].reindex(accounts).to_numpy(dtype=float) for months in horizons}


def _labels(tables: Tables, day: date, accounts: "pd.Series[str]", params: Params) -> Labels:
    cuts = usable_cuts(tables, tuple(dict.fromkeys((*params.forecast.cuts, _SEGMENT))))[0]
    return {**group_labels(labels_in_force(tables, day, cuts, params.budget, params.forecast), accounts)}


def _months_of_history(past: pd.DataFrame, last: date) -> int:
    """Months of the past window: a year, or as long as there has been any ARR."""
    if past.empty:
        return 0
    first: date = past["instant"].min().date()
    return min(WINDOW_MONTHS, (last.year - first.year) * 12 + last.month - first.month)


def _growth(past: pd.DataFrame) -> Array:
    """Log of NRR over each past month, at the same rates throughout."""
    if past.empty:
        return np.empty(0)
    wide = past.pivot_table(index="account_id", columns="instant", values="arr", fill_value=0.0)
    arr = wide.to_numpy(float)
    before, after = arr[:, :-1], arr[:, 1:] * (arr[:, :-1] > 0)
    month = np.broadcast_to(np.arange(before.shape[1]), before.shape)
    return time_series.monthly_growth(before.ravel(), after.ravel(), month.ravel())


def _groups(figures: pd.DataFrame, labels: Labels) -> tuple[tuple[str, str], ...]:
    pairs = figures[["cut", "value"]].drop_duplicates().itertuples(index=False, name=None)
    return tuple(sorted((cut, value) for cut, value in pairs if cut == TOTAL or cut in labels))


def _point(cut: str, value: str, months: int, mean: float, metric: str = NRR) -> dict[str, Any]:
    return {"cut": cut, "value": value, "horizon_months": months, "metric": metric, "mean": mean}


def _everything_renews(known: Known, horizons: tuple[int, ...]) -> Said:
    for cut, value in known.groups:
        for months in horizons:
            yield _point(cut, value, months, baselines.everything_renews(months))


def _trailing_nrr(known: Known, horizons: tuple[int, ...]) -> Said:
    """The past window's NRR of each value; where it had fewer than ten accounts, the whole portfolio's."""
    if not known.window_months:
        return
    for cut, value in known.groups:
        past, _ = known.members(cut, value)
        here = past if past.sum() >= baselines.FEWEST else np.ones_like(past)
        for months in horizons:
            nrr = baselines.trailing_nrr(known.start[here], known.end[here], months, window_months=known.window_months)
            yield _point(cut, value, months, nrr)


def _segment_rates(known: Known, horizons: tuple[int, ...]) -> Said:
    if not known.window_months or _SEGMENT not in known.labels_now:
        return
    segment = pd.Series(known.labels[_SEGMENT])
    for cut, value in known.groups:
        _, here = known.members(cut, value)
        today = pd.Series(known.labels_now[_SEGMENT][here])
        for months in horizons:
            nrr = baselines.segment_nrr(
                known.start, known.end, segment, known.arr[here], today, months, window_months=known.window_months
            )
            yield _point(cut, value, months, nrr)


def _time_series(known: Known, horizons: tuple[int, ...]) -> Said:
    """Of the total alone: the months of a part are too few and too noisy to be a series."""
    draws = time_series.simulate_nrr(known.growth, months=max(horizons), draws=known.draws, seed=known.seed)
    if draws is None:
        return
    for months in horizons:
        quantiles = np.quantile(draws[months - 1], np.array(PERCENTS) / 100)
        row = _point(TOTAL, TOTAL, months, float(draws[months - 1].mean()))
        yield row | dict(zip(QUANTILES, map(float, quantiles), strict=True))


def _human_calls(known: Known, horizons: tuple[int, ...]) -> Said:
    """The sum of people's calls; an account that nobody called is counted as it is. Where none was called, nothing."""
    for cut, value in known.groups:
        _, here = known.members(cut, value)
        arr = known.arr[here]
        for months in horizons:
            called = known.called[months][here]
            if not np.isnan(called).all():
                yield _point(cut, value, months, float(np.where(np.isnan(called), arr, called).sum() / arr.sum()))


def _model_with_calls(known: Known, horizons: tuple[int, ...]) -> Said:
    """What the model with calls expects of the called accounts, and the model without of all others."""
    for cut, value in known.groups:
        _, here = known.members(cut, value)
        for months in horizons:
            called = known.with_calls[months][here]
            if not np.isnan(called).all():
                ending = np.where(np.isnan(called), known.expected[months][here], called)
                yield _point(cut, value, months, float(ending.sum() / known.arr[here].sum()))


def _base_rate(known: Known, horizons: tuple[int, ...]) -> Said:
    """The share of accounts that left in the past window, scaled to the horizon: the same chance for each account."""
    if not known.window_months:
        return
    left = 1 - float(known.customer.mean())
    for months in horizons:
        yield _point(TOTAL, TOTAL, months, 1 - (1 - left) ** (months / known.window_months), CHURN)


_RIVALS: dict[str, Callable[[Known, tuple[int, ...]], Said]] = {
    "everything_renews": _everything_renews,
    "trailing_nrr": _trailing_nrr,
    "segment_rates": _segment_rates,
    "time_series": _time_series,
    "human_calls": _human_calls,
    "model_with_calls": _model_with_calls,
    baselines.BASE_RATE: _base_rate,
}
