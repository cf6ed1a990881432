"""The rolling backtest: at past dates, fit on what was known then, forecast, and compare with what came."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.problems import SNAPSHOTS_STORED, BadInput, Finding
from features.tables.progress import Progress, silent
from models.scores.bias import bias_table
from models.scores.capacity import capacity_curve, capacity_table
from models.scores.evaluation import AccountScore, cross_sell_table, score_accounts, windows_of
from models.scores.portfolio import account_cut_table, cut_table, portfolio_table
from models.scores.skill import EVENTS, Bootstrap, skill_table
from params import Params
from training.backtest.origin import OriginResult, Task, made_of, prepare, work
from training.backtest.untested import missing_origins, untested_horizons
from training.backtest.verdict import backtest_verdict
from training.learn.dataset import Dataset, assemble, require_enough, settled_dates
from training.learn.importance import Explanation
from training.report import html_report, summary
from training.tracking.evidence import Evidence, Page, Table, write_past_scores
from training.tracking.runs import RecordedRun, record_evaluation, require_store

ROWS_WORTH_A_PROCESS = 20_000


@dataclass(frozen=True)
class Findings:
    """What all origins together say; made from their forecasts, and of how many monthly snapshots they were chosen."""

    origins: tuple[date, ...]
    accounts: pd.DataFrame
    portfolio: pd.DataFrame
    cuts: pd.DataFrame
    events: pd.DataFrame
    books: pd.DataFrame
    explained: tuple[Explanation, ...]
    params: Params
    snapshots: int

    @cached_property
    def scores(self) -> tuple[AccountScore, ...]:
        """Scores of the probabilities."""
        return scores(self.accounts, self.params.backtest.horizons)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of the report, by name."""
        settings = self.params.backtest
        few = {"fewest": settings.min_accounts_in_cut}
        return {
            "scores": pd.DataFrame(summary.score_rows(self.scores)),
            "skill": skill_table(self.accounts, self.portfolio, Bootstrap(settings.resamples, self.params.seed)),
            "portfolio": portfolio_table(self.portfolio),
            "cross_sells": cross_sell_table(self.accounts),
            "capacity": capacity_table(self.accounts, settings.capacity),
            "capacity_curve": capacity_curve(self.accounts),
            "portfolio_by_cut": cut_table(self.cuts, **few),
            "scores_by_cut": account_cut_table(self.accounts, **few),
            "bias": bias_table(self.events),
            "forecasts": self.portfolio,
            "forecasts_by_cut": self.cuts,
            "books": self.books,
        }

    @cached_property
    def verdict(self) -> list[str]:
        """The finding in words."""
        tested = {score.horizon_months for score in self.scores}
        return [
            *backtest_verdict(self.scores, self.tables["skill"], self.tables["portfolio"], self.origins[0]),
            *untested_horizons(tested, self.snapshots, self.params),
            *missing_origins(len(self.origins), self.snapshots, self.params),
        ]


@dataclass(frozen=True)
class BacktestResult:
    """All origins, what they say, and where it was recorded."""

    findings: Findings
    record: RecordedRun
    page: Path

    def lines(self) -> list[str]:
        """A summary to print: the verdict first."""
        return [
            *self.findings.verdict,
            *summary.score_lines(self.findings.scores),
            *summary.portfolio_lines(self.findings.tables["portfolio"]),
            f"Report: {self.page}",
        ]

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        findings = self.findings
        names = "skill portfolio cross_sells capacity portfolio_by_cut scores_by_cut bias forecasts"
        return {
            "origins": [origin.isoformat() for origin in findings.origins],
            "run_id": self.record.run_id,
            "report": str(self.page),
            "verdict": findings.verdict,
            "scores": summary.score_rows(findings.scores),
            **{name: summary.json_rows(findings.tables[name]) for name in names.split()},
        }


def backtest(
    tables: Tables, *, params: Params, tried: Sequence[OriginResult] = (), progress: Progress = silent
) -> BacktestResult:
    """Forecast from several past dates and score what came; a report is written and recorded in MLflow.

    Parameters
    ----------
    tables
        The checked tables.
    params
        All settings.
    tried
        Origins whose forecasts are there already, from the same tables by the same recipe, as the whole test of
        `training.fit.train` is: they are not fitted again. Others among them are.
    progress
        Told how far the work is.

    Raises
    ------
    BadInput
        Too little history for a single origin.
    StoreUnreachable
        The tracking store does not answer; asked before anything is fitted.
    """
    require_store(params)
    full, origins = history(tables, params=params, progress=progress)
    findings = roll(tables, full, origins, params=params, tried=tried, progress=progress)
    page = html_report.render(
        findings.verdict, findings.tables, findings.scores, findings.explained, _about(tables, findings)
    )
    record = record_evaluation(_evidence(findings, page), tables=tables, params=params)
    write_past_scores(findings.accounts, params)
    file = html_report.write(page, findings.tables, params.data_dir / "backtests", record.run_id)
    return BacktestResult(findings, record, file)


def history(tables: Tables, *, params: Params, progress: Progress = silent) -> tuple[Dataset, list[date]]:
    """All snapshots, with what became of them as known now, and the origins to forecast from.

    Raises
    ------
    BadInput
        Too little history for a single origin, or too few accounts or churned accounts.
    """
    dates = month_starts(tables, params.snapshots)
    origins = choose_origins(settled_dates(tables, dates, params), params)
    snapshots = stored(tables, dates, params=params, progress=progress)
    full = assemble(tables, snapshots, as_of=dates[-1], params=params)
    require_enough(full, params.model)
    return full, origins


def roll(
    tables: Tables,
    full: Dataset,
    origins: Sequence[date],
    *,
    params: Params,
    progress: Progress = silent,
    with_rivals: bool = True,
    tried: Sequence[OriginResult] = (),
) -> Findings:
    """Forecast from every origin, but those `tried` before, and compare with what came.

    What was tried of other tables, by another recipe, or less whole than what is made here is tried again: see `train`
    with `whole_test`.
    """
    alike = made_of(tables, params, whole=with_rivals)
    results = {result.origin: result for result in tried if result.origin in origins and result.made_of == alike}
    lacking = [origin for origin in origins if origin not in results]
    tasks = (
        prepare(tables, full, origin, params=params, with_rivals=with_rivals, explained=origin == origins[-1])
        for origin in lacking
    )
    processes = min(params.threads, len(lacking)) if len(full.frame) >= ROWS_WORTH_A_PROCESS else 1
    progress("backtest", len(results), len(origins))
    for result in do_all(tasks, max(processes, 1)):
        results[result.origin] = result
        progress("backtest", len(results), len(origins))
    return gather([results[origin] for origin in origins], len(full.settled_dates), params)


def gather(results: Sequence[OriginResult], snapshots: int, params: Params) -> Findings:
    """All origins together, chosen among so many monthly snapshots."""
    return Findings(
        origins=tuple(result.origin for result in results),
        accounts=pd.concat([result.accounts for result in results], ignore_index=True),
        portfolio=pd.concat([result.portfolio for result in results], ignore_index=True),
        cuts=pd.concat([result.cuts for result in results], ignore_index=True),
        events=pd.concat([result.events for result in results], ignore_index=True),
        books=pd.concat([result.books for result in results], ignore_index=True),
        explained=results[-1].explained,
        params=params,
        snapshots=snapshots,
    )


def do_all(tasks: Iterable[Task], processes: int) -> Iterator[OriginResult]:
    """The results of tasks, in their order; only as many tasks wait as are worked on.

    Processes are spawned, not forked: a fork of a process in which threads of OpenMP have run can hang.
    """
    if processes == 1:
        yield from map(work, tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[OriginResult]] = deque()
        for task in tasks:
            waiting.append(pool.submit(work, _of_one_thread(task)))
            if len(waiting) > processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _of_one_thread(task: Task) -> Task:
    """The same task on one thread, which changes no result."""
    return replace(task, params=task.params.model_copy(update={"threads": 1}))


def choose_origins(dates: Sequence[date], params: Params) -> list[date]:
    """Past dates to forecast from: first those whose every horizon has come, newest first, then younger ones.

    `dates` are those of the snapshots that lie far enough back to know who was a customer then.

    Raises
    ------
    BadInput
        No date has both enough history before it and a horizon that has come.
    """
    horizons, count, step = params.backtest.horizons, params.backtest.origins, params.backtest.every_months
    newest = len(dates) - 1
    anchor = newest - max(horizons)
    earlier = range(anchor, params.model.min_months - 2, -step)
    later = range(max(anchor, params.model.min_months - 1 - step) + step, newest - min(horizons) + 1, step)
    chosen = sorted([*earlier, *later][:count])
    if not chosen:
        needed = f"{params.model.min_months} (model.min_months) + {min(horizons)} (the shortest of backtest.horizons)"
        what = f"there are {len(dates)} monthly snapshots, and {needed} are needed to test a forecast"
        problem = Finding("training data", what, "Add history, or lower one of the two")
        raise BadInput([problem], stored=SNAPSHOTS_STORED)
    return [dates[position] for position in chosen]


def scores(accounts: pd.DataFrame, horizons: Sequence[int]) -> tuple[AccountScore, ...]:
    """Scores of churn and expansion at each horizon, all origins together."""
    results = []
    for outcome, event in EVENTS.items():
        for horizon in horizons:
            part = accounts[accounts["horizon_months"] == horizon]
            if len(part):
                results.append(
                    score_accounts(
                        outcome,
                        horizon,
                        account_id=part["account_id"],
                        probability=part[f"{outcome}_probability"].to_numpy(float),
                        base=part[f"{outcome}_base"].to_numpy(float),
                        segments=part[f"{outcome}_segments"].to_numpy(float),
                        event=part[event].to_numpy(float),
                        window=windows_of(part["origin"], horizon),
                    )
                )
    return tuple(results)


def _about(tables: Tables, findings: Findings) -> dict[str, str]:
    """What the report says of itself."""
    params = findings.params
    return {
        "Data": f"{params.source_name}, until {tables.data_until}, digest {tables.digest}",
        "Origins": ", ".join(origin.isoformat() for origin in findings.origins),
        "Learner": f"{params.model.learner}, {params.forecast.draws:,} simulated futures, seed {params.seed}",
        "Rules": ", ".join(f"{name} {value}" for name, value in params.rules.items()),
    }


def _evidence(findings: Findings, page: str) -> list[Evidence]:
    tables = ("cross_sells", "capacity", "capacity_curve", "portfolio_by_cut", "scores_by_cut", "forecasts_by_cut")
    return [
        *summary.score_evidence(findings.scores),
        *summary.portfolio_evidence(findings.portfolio, findings.tables["portfolio"]),
        *summary.skill_evidence(findings.tables["skill"]),
        *summary.explanation_evidence(findings.explained),
        *(Table(name, findings.tables[name]) for name in tables),
        Page("report", page),
    ]
