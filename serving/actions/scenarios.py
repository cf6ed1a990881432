"""Scenarios beside the forecast: the same futures with what is changed, and the difference with its own interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.kpis.customers.quarter_losses import quarter_losses
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.paths.simulate import PathSettings
from models.plans.futures import METRICS, Futures, simulate_futures
from models.plans.what_if import Portfolio
from params import Params
from serving.actions.applying import Ground, Mark, apply
from serving.actions.planning import Plan
from serving.actions.recommending import plan_of
from serving.actions.scenario_file import MEANINGS, PRESETS, Scenario
from serving.forecast.batch import customers_of, require_usable, run_id
from serving.forecast.declared.acting_tables import SCENARIO_FORECAST
from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import METRIC_OF, horizons_shown
from serving.forecast.definitions import Rules
from serving.forecast.refusals import BadRequest
from serving.forecast.spread.scoring import predict
from training.tracking.champion import Champion

if TYPE_CHECKING:
    from rich.table import Table

MAIN = "nrr"


@dataclass(frozen=True)
class Outcome:
    """What a scenario comes to: its portfolio, the futures of it and of the forecast, and its marks."""

    scenario: Scenario
    portfolio: Portfolio
    base: Futures
    futures: Futures
    marks: tuple[Mark, ...]


class Bench:
    """Where scenarios of one date are tried.

    Parameters
    ----------
    tables, champion
        The checked tables and the model.
    as_of
        The date.
    params
        All settings.
    progress
        Told how far the work is.
    planned
        The date's plan and the customers' snapshot rows, where `recommending.open_plan` gave them already.

    Raises
    ------
    BadRequest
        The model cannot be used on the date.
    """

    def __init__(
        self,
        tables: Tables,
        champion: Champion,
        *,
        as_of: date,
        params: Params,
        progress: Progress = silent,
        planned: tuple[Plan, pd.DataFrame] | None = None,
    ) -> None:
        require_usable(tables, champion, as_of, params)
        self.tables, self.champion, self.as_of, self.params = tables, champion, as_of, params
        self.months = champion.model.horizon_months
        self.progress = progress
        customers = planned[1] if planned else customers_of(tables, as_of, params, progress)
        self.why_no_plan = ""
        self.ground = Ground(
            customers,
            planned[0].prediction if planned else predict(champion, customers),
            planned[0] if planned else self._plan(customers),
            params.actions,
            PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change),
            quarter_losses(tables, as_of, params.revenue, params.budget),
        )

    def _plan(self, customers: pd.DataFrame) -> Plan | None:
        """What is recommended; None where nothing can be, which only scenarios with plays mind."""
        try:
            return plan_of(self.tables, self.champion, customers, as_of=self.as_of, params=self.params)
        except BadRequest as refusal:
            self.why_no_plan = str(refusal)
            return None

    @cached_property
    def base(self) -> Futures:
        """The forecast as it is."""
        self.progress("simulating the forecast as it is", 0, 1)
        return self.simulate(Portfolio(self.ground.prediction))

    def simulate(self, portfolio: Portfolio, *, keep_ends: bool = False) -> Futures:
        """The futures of a portfolio."""
        return simulate_futures(
            portfolio.prediction,
            self.ground.paths,
            months=self.months,
            growth=portfolio.growth,
            threads=self.params.threads,
            keep_ends=keep_ends,
        )

    def try_out(self, scenario: Scenario) -> Outcome:
        """What a scenario comes to.

        Raises
        ------
        BadRequest
            It names accounts, kinds, people or columns that there are not.
        """
        portfolio, marks = apply(scenario, self.ground, self.plan_for(scenario))
        self.progress(f"simulating {scenario.name}", 0, 1)
        futures = self.base if not marks else self.simulate(portfolio)
        return Outcome(scenario, portfolio, self.base, futures, marks)

    def plan_for(self, scenario: Scenario) -> Plan | None:
        """What is recommended within a scenario's hours.

        Raises
        ------
        BadRequest
            The scenario has plays, and nothing can be recommended; or it gives hours of nobody.
        """
        plan = self.ground.plan
        if plan is None:
            if scenario.actions:
                raise BadRequest(f"actions: {self.why_no_plan}")
            return None
        return plan if scenario.hours is None else plan.within(_hours(scenario.hours, plan.hours))

    def table(self, outcomes: Sequence[Outcome], made_at: datetime) -> pd.DataFrame:
        """The table `scenario_forecast`."""
        rules = Rules(
            self.as_of, self.params.revenue.currency, self.params.revenue.grace_days, self.params.revenue.reactivation
        )
        run = {
            "run_id": run_id(self.tables, self.champion, self.as_of, self.params),
            "as_of": self.as_of,
            "model_version": self.champion.version,
            "made_at": made_at,
        }
        rows = [
            _row(outcome, metric, months) | {"definition": f"{rules.metric(metric, months)} {_SAME_FUTURES}"}
            for outcome in outcomes
            for months in horizons_shown(self.months)
            for metric in METRICS
        ]
        return SCENARIO_FORECAST.shape(pd.DataFrame([row | run for row in rows]))


_SAME_FUTURES = (
    "Both by the same simulated futures: the difference has an interval of its own (80 %), which spans what is not "
    "known of effects and elasticities."
)


def _hours(given: float | Mapping[str, float], there: Mapping[str, float]) -> dict[str, float]:
    """The hours that there would be.

    Raises
    ------
    BadRequest
        Hours of somebody who has none.
    """
    if not isinstance(given, Mapping):
        return {name: hours * given for name, hours in there.items()}
    if unknown := [name for name in given if name not in there]:
        raise BadRequest(f"hours: there is no {', '.join(unknown)}; there are {', '.join(sorted(there))}.")
    return {**there, **given}


def _row(outcome: Outcome, metric: str, months: int) -> dict[str, Any]:
    base, now = outcome.base.summary(metric, months), outcome.futures.summary(metric, months)
    difference = outcome.futures.less(outcome.base, metric, months)
    return {
        "scenario": outcome.scenario.name,
        "horizon_months": months,
        "metric": metric,
        **{f"base_{name}": value for name, value in base.items()},
        **now,
        **{f"difference_{name}": value for name, value in difference.items()},
        "marks": "; ".join(f"{mark.lever}: {mark.mark}" for mark in outcome.marks),
    }


def preset_scenarios(
    tables: Tables,
    champion: Champion,
    *,
    as_of: date,
    params: Params,
    progress: Progress = silent,
    planned: tuple[Plan, pd.DataFrame] | None = None,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """All presets as plain data, and a note of each that cannot be told; the parameters are those of `Bench`.

    Raises
    ------
    BadRequest
        The model cannot be used on the date.
    """
    bench = Bench(tables, champion, as_of=as_of, params=params, progress=progress, planned=planned)
    contents, notes = [], []
    for name, scenario in PRESETS.items():
        try:
            contents.append(scenario_json(bench.try_out(scenario), bench))
        except BadRequest as refusal:
            notes.append(f"There is no scenario {name}. {refusal}")
    return contents, tuple(notes)


def scenario_json(outcome: Outcome, bench: Bench) -> dict[str, Any]:
    """What a scenario comes to as plain data: NRR over the longest horizon first, then all metrics and horizons."""
    months, name = bench.months, outcome.scenario.name
    return {
        "as_of": bench.as_of.isoformat(),
        "model_version": bench.champion.version,
        "currency": bench.params.revenue.currency,
        "metric": MAIN,
        "horizon_months": months,
        "accounts": len(bench.ground.customers),
        "base": outcome.base.summary(MAIN, months),
        "scenario": {"name": name, "meaning": MEANINGS.get(name, ""), **outcome.futures.summary(MAIN, months)},
        "difference": outcome.futures.less(outcome.base, MAIN, months),
        "marks": [vars(mark) for mark in outcome.marks],
        "rows": [_row(outcome, metric, horizon) for horizon in horizons_shown(months) for metric in METRICS],
        "definition": _SAME_FUTURES,
    }


def scenario_lines(content: dict[str, Any]) -> list[str]:
    """The answer first: NRR as it is, as it would be, and the difference; then what is estimated and what assumed."""
    base, now, less = content["base"], content["scenario"], content["difference"]
    end = f"in {content['horizon_months']} months"
    lines = [
        f"{now['name']}: NRR {end} {now['mean']:.1%} [{now['p10']:.1%}, {now['p90']:.1%}], and "
        f"{base['mean']:.1%} [{base['p10']:.1%}, {base['p90']:.1%}] as it is.",
        f"Difference: {100 * less['mean']:+.2f} points [{100 * less['p10']:+.2f}, {100 * less['p90']:+.2f}].",
    ]
    return [
        *lines,
        *filter(None, [now["meaning"]]),
        *(f"{mark['mark'].capitalize()}: {mark['text']}" for mark in content["marks"]),
    ]


def scenario_table(content: dict[str, Any]) -> "Table":
    """All metrics over the longest horizon, as it is and as it would be."""
    from rich.table import Table

    grid = Table()
    grid.add_column(f"in {content['horizon_months']} months: mean [80 %]")
    for head in ("as it is", content["scenario"]["name"], "difference"):
        grid.add_column(head, justify="right")
    for row in content["rows"]:
        if row["horizon_months"] == content["horizon_months"]:
            metric = METRIC_OF[row["metric"]]
            cells = [_cell(metric.kind, row, prefix) for prefix in ("base_", "", "difference_")]
            grid.add_row(metric.title, *cells)
    return grid


def _cell(kind: Kind, row: dict[str, Any], prefix: str) -> str:
    mean, low, high = (row[f"{prefix}{name}"] for name in ("mean", "p10", "p90"))
    if kind is Kind.SHARE:
        sign = "+" if prefix.startswith("diff") else ""
        digits = 2 if sign else 1
        return f"{100 * mean:{sign}.{digits}f} % [{100 * low:{sign}.{digits}f}, {100 * high:{sign}.{digits}f}]"
    return f"{mean:,.0f} [{low:,.0f}, {high:,.0f}]"
