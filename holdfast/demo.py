"""The whole way in one verb, each step announced, timed and summed up."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.data import report_lines
from holdfast.forecast import champion_of, make_and_export, print_summary
from holdfast.lock import only_writer
from holdfast.model import require_store
from holdfast.nightly import replay, replay_lines
from holdfast.output import command, print_lines
from holdfast.run import Run
from models.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from features.inputs.load import Loaded
    from params import Params

Result = TypeVar("Result")
ORIGINS = 1  # beside the months that are replayed


def demo(run: Run) -> None:
    """Run the whole way, by default on a simulated company: check, snapshots, train, backtest, forecast."""
    require_store(run.params)
    with only_writer(run.params.data_dir):
        steps = _Steps(run)
        loaded = steps.do("Checking the input", run.load, lambda result: report_lines(result)[:1])
        months = run.params.demo.replay_months
        _make_snapshots(run, steps, loaded)
        if months:
            _replay(run, steps, loaded, months)
        _train_and_backtest(run, steps, loaded)
        summary = steps.do(
            "Forecasting",
            lambda: make_and_export(run, loaded, champion_of(run), None),
            lambda result: [f"run {result['run_id']}"],
        )
        if months:
            _look_back(run, steps, loaded)
    content = {"steps": steps.taken, "forecast": summary}
    run.show(content, lambda console: _print_end(console, summary, run))


class _Steps:
    """The demo's steps: each announced, timed and summed up."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.taken: list[dict[str, Any]] = []

    def do(self, what: str, work: Callable[[], Result], tell: Callable[[Result], list[str]]) -> Result:
        """Do one step and say what came of it."""
        self._say(f"{len(self.taken) + 1}. {what}")
        start = time.monotonic()
        result = work()
        seconds = time.monotonic() - start
        lines = tell(result)
        self.taken.append({"step": what, "seconds": round(seconds, 1), "result": lines})
        for line in (*lines, f"({seconds:.1f} s)"):
            self._say(f"   {line}")
        return result

    def _say(self, line: str) -> None:
        if not self._run.as_json:
            self._run.progress.clear()
            print_lines(self._run.console, [line])


def _make_snapshots(run: Run, steps: _Steps, loaded: "Loaded") -> None:
    from features.snapshots.dates import month_starts
    from features.snapshots.snapshot_files import stored

    params, tables = run.params, loaded.tables
    steps.do(
        "Snapshots: what was known about every account at each month start",
        lambda: stored(tables, month_starts(tables, params.snapshots), params=params, progress=run.progress),
        lambda result: [f"{counted(len(result.frame), 'row')}, {counted(len(result.features), 'feature')}"],
    )


def _replay(run: Run, steps: _Steps, loaded: "Loaded", months: int) -> None:
    """Past nights, so that there is a track record to look at."""
    steps.do(
        f"The last {counted(months, 'month')} again: a forecast each, by what was known then",
        lambda: replay(run, loaded, months),
        replay_lines,
    )


def _look_back(run: Run, steps: _Steps, loaded: "Loaded") -> None:
    """What came of the forecasts on record, as far as it is known."""
    from serving.ledger.record import open_record
    from serving.ledger.yardsticks.actuals import record_actuals
    from serving.track_record.track_record import track_record

    def scored() -> list[str]:
        with open_record(run.params) as record:
            record_actuals(record, loaded.tables, run.params, run.progress)
            return track_record(record, run.params).answer

    steps.do("Track record: those forecasts against what happened", scored, lambda answer: answer)


def _train_and_backtest(run: Run, steps: _Steps, loaded: "Loaded") -> None:
    """Training and a small backtest, which takes what training's own test found."""
    from training.backtest.rolling import backtest
    from training.fit import train

    params, tables = run.params, loaded.tables
    trained = steps.do(
        "Training",
        lambda: train(tables, params=params, whole_test=True, progress=run.progress),
        lambda result: result.lines(),
    )
    tried = [] if trained.test is None else [trained.test]
    short = _of_few_origins(params)
    dates = counted(short.backtest.origins, "past date")
    steps.do(
        f"Backtest: forecasts from {dates} against what happened; `holdfast backtest` takes {params.backtest.origins}",
        lambda: backtest(tables, params=short, tried=tried, progress=run.progress),
        lambda result: result.lines(),
    )


def _of_few_origins(params: "Params") -> "Params":
    """The settings with a backtest that a demo has time for."""
    origins = min(params.backtest.origins, ORIGINS)
    return params.model_copy(update={"backtest": params.backtest.model_copy(update={"origins": origins})})


def _print_end(console: "Console", summary: dict[str, Any], run: Run) -> None:
    """The forecast, where everything lies, and what to do next."""
    print_summary(console, summary)
    data_dir = run.params.data_dir
    worst = summary["at_risk"][0]["account_id"]
    lines = [
        f"Checked tables: {data_dir}/tables.duckdb; snapshots: {data_dir}/snapshots",
        f"Runs, figures and models (MLflow): {data_dir}/mlflow.db and {data_dir}/mlflow-artifacts",
        f"The reasons behind one account: {command('explain', worst, *run.options)}",
        "Next, pages and API:",
        *(f"  {command(verb, *run.options)}" for verb in ("publish", "serve")),
    ]
    print_lines(console, lines)
