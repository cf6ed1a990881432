"""The command line: one verb a job. Nothing heavy is imported before a verb needs it."""

import functools
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from features.feature import Feature
    from features.source import Loaded
    from params import Params

Made = TypeVar("Made")

app = typer.Typer(
    help="Forecasts churn, expansion and Net Revenue Retention, with intervals and reasons.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

FAILED, BAD_INPUT = 1, 2
WIDTH_IN_FILES = 120
PLAIN_EVERY_SECONDS = 5.0
DEMO_ORIGINS = 2
LOST_SHOWN = 4
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # Threads that wait must not spin: on a busy machine that made training ten times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
}


class Failure(Exception):
    """Ends a command with one message and without a traceback."""


class Progress:
    """Progress of long work, on stderr: a bar in a terminal, plain lines otherwise.

    Called as `progress(what, done, total)`; `total` 0 means that the length is not known.
    """

    def __init__(self) -> None:
        self._in_terminal = sys.stderr.isatty()
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._said = ("", 0.0)

    def __enter__(self) -> Self:
        """Nothing is drawn before there is something to tell."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the bars away."""
        self.clear()

    def clear(self) -> None:
        """Take the bars away, so that results can be printed; the next call starts new ones."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Say how far the work is."""
        if self._in_terminal:
            self._draw(what, done, total)
        else:
            self._print(what, done, total)

    def _draw(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            self._start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)

    def _start(self) -> None:
        """Bars on stderr; standard output stays where the user sent it."""
        from rich import progress
        from rich.console import Console

        columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.TimeElapsedColumn())
        screen = Console(stderr=True, markup=False)
        self._bars = progress.Progress(
            *columns, console=screen, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._bars.start()

    def _print(self, what: str, done: int, total: int) -> None:
        said, at = self._said
        if what == said and time.monotonic() - at < PLAIN_EVERY_SECONDS:
            return
        self._said = (what, time.monotonic())
        print(f"{what} ({done} of {total})" if total > 1 else what, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Run:
    """What a verb works with: the settings, where results go, how progress is told."""

    params: "Params"
    as_json: bool
    progress: Progress

    @functools.cached_property
    def console(self) -> "Console":
        """Where tables are printed; data are never read as markup."""
        from rich.console import Console

        return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES)

    def load(self) -> "Loaded":
        """The checked tables and the report of the check."""
        from features.source import load_tables

        return load_tables(self.params, progress=self.progress)

    def show(self, content: dict[str, Any], readable: Callable[["Console"], None]) -> None:
        """Print a result: as JSON for machines, else as tables."""
        self.progress.clear()
        if self.as_json:
            print(json.dumps(content, indent=1, default=str, allow_nan=False))
        else:
            readable(self.console)


ParamsFile = Annotated[
    Path | None, typer.Option("--params", metavar="FILE", help="Settings [default: params.yaml if there is one]")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override one setting; repeat at will")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error")]


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; write it as YYYY-MM-DD, such as 2026-01-01") from None


def _date_option(meaning: str) -> Any:
    return typer.Option("--as-of", metavar="DATE", parser=_parse_date, help=meaning)


AsOfDate = Annotated[date | None, _date_option("First day that is not known yet [default: where the data end]")]


def verb(command: Callable[..., None]) -> Callable[..., None]:
    """Make a function of a `Run` and its own options a verb with the options that all verbs share."""

    def guarded(params_file: Path | None, overrides: list[str] | None, as_json: bool, debug: bool, **own: Any) -> None:
        _set_environment()
        try:
            with Progress() as progress:
                command(Run(_load_params(params_file, overrides), as_json, progress), **own)
        except Exception as error:
            if debug or isinstance(error, typer.Exit | typer.Abort):
                raise
            code, message = _explain(error)
            print(message, file=sys.stderr)
            raise typer.Exit(code) from None

    own = list(inspect.signature(command).parameters.values())[1:]
    shared = inspect.signature(_shared_options).parameters.values()
    guarded.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    guarded.__annotations__ = {item.name: item.annotation for item in (*own, *shared)}
    return app.command(command.__name__, help=inspect.getdoc(command))(guarded)


def _shared_options(
    *, params_file: ParamsFile = None, overrides: Overrides = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """The options of every verb."""


def _set_environment() -> None:
    """No telemetry and no chatter from libraries; set before any of them is imported."""
    import logging

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic", "matplotlib", "shap"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _load_params(file: Path | None, overrides: list[str] | None) -> "Params":
    from params import load

    beside = Path("params.yaml")
    return load(file or (beside if beside.exists() else None), overrides or ())


def _explain(error: Exception) -> tuple[int, str]:
    """Exit code and message of an error."""
    from features.problems import BadInput
    from params import SettingsError
    from serving.problems import BadRequest, NoModel, NoPublication

    if isinstance(error, SettingsError | BadInput | BadRequest):
        return BAD_INPUT, str(error)
    if isinstance(error, Failure | NoModel | NoPublication):
        return FAILED, str(error)
    first = next(iter(str(error).splitlines()), "")
    return FAILED, f"Failed: {type(error).__name__}: {first} (--debug shows where)"


@contextmanager
def _only_writer(data_dir: Path) -> Iterator[None]:
    """Hold the data folder's lock, so that two runs do not write at once; it goes when the process ends."""
    import fcntl

    from params import SettingsError

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / ".lock").open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"data_dir {data_dir} cannot be written to: {error.strerror}. Set another one.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"Another run is writing to {data_dir}. Wait for it, or give this one --set data_dir=ANOTHER."
            ) from None
        yield


@verb
def check(run: Run) -> None:
    """Read the input, check it, and store the checked tables."""
    with _only_writer(run.params.data_dir):
        loaded = run.load()
    run.show(_report_json(loaded), lambda console: _print_report(console, loaded))


@verb
def simulate(
    run: Run,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write a Parquet file a table")],
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="Also write the true probabilities, for --as-of")
    ] = None,
    as_of: Annotated[date | None, _date_option("The date that --truth is for")] = None,
) -> None:
    """Write the tables of a simulated company, of the size that `simulated` sets."""
    from features.simulation import write_company
    from serving.problems import BadRequest

    if (truth is None) != (as_of is None):
        raise BadRequest("--truth FILE and --as-of DATE go together: the truth is that of a date.")
    company = {**run.params.simulated.model_dump(), "seed": run.params.seed}
    run.progress("simulating a company")
    try:
        write_company(folder, **company)
        if truth is not None and as_of is not None:
            run.progress("replaying its futures")
            _write_truth(truth, company, as_of, run.params)
    except (ValueError, FileExistsError) as error:  # a size, a date or a folder that cannot be
        raise BadRequest(str(error)) from None
    written = {"folder": str(folder), "truth": truth and str(truth), **company}
    run.show(written, lambda console: console.print(f"Wrote {folder}" + (f" and {truth}" if truth else "")))


@verb
def snapshots(run: Run) -> None:
    """Make the snapshots that training reads: every account at every month start."""
    from features.snapshots import month_starts, stored

    with _only_writer(run.params.data_dir):
        tables = run.load().tables
        dates = month_starts(tables, run.params.snapshots)
        made = stored(tables, dates, params=run.params, progress=run.progress)
    content = {
        "rows": len(made.frame),
        "accounts": int(made.frame["account_id"].nunique()),
        "dates": len(dates),
        "first": dates[0].isoformat(),
        "last": dates[-1].isoformat(),
        "features": [feature.name for feature in made.features],
        "folder": str(run.params.data_dir / "snapshots"),
    }
    run.show(content, lambda console: _print_snapshots(console, content, made.features))


@verb
def train(run: Run) -> None:
    """Fit the outcome models, test them out of time, record them, and name them champion."""
    from training.fit import train as fit

    with _only_writer(run.params.data_dir):
        result = fit(run.load().tables, params=run.params, progress=run.progress)
    run.show(result.to_json(), lambda console: _print_lines(console, result.lines()))


@verb
def backtest(run: Run) -> None:
    """Forecast from past dates and compare with what came, and with naive forecasts."""
    from training.backtest import backtest as rolling

    with _only_writer(run.params.data_dir):
        result = rolling(run.load().tables, params=run.params, progress=run.progress)
    run.show(result.to_json(), lambda console: _print_lines(console, result.lines()))


@verb
def forecast(run: Run, as_of: AsOfDate = None) -> None:
    """Forecast churn, expansion and NRR as of a date, with reasons, and publish the tables."""
    with _only_writer(run.params.data_dir):
        summary = _forecast_and_publish(run, run.load(), as_of)
    run.show(summary, lambda console: _print_published(console, summary))


@verb
def publish(run: Run, as_of: AsOfDate = None) -> None:
    """Forecast, and publish what the service answers from: the job to run every night."""
    with _only_writer(run.params.data_dir):
        summary = _publish(run, run.load(), as_of)
    run.show(summary, lambda console: _print_service(console, summary))


@verb
def serve(
    run: Run,
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="In place of serving.host")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="NUMBER", help="In place of serving.port; 0 = any")
    ] = None,
) -> None:
    """Answer from what is published: pages, API and downloads, until it is stopped (Ctrl+C)."""
    from serving.start import prepare, replace_process

    chosen = {"host": host, "port": port}
    start = prepare(run.params, {name: value for name, value in chosen.items() if value is not None})
    run.show(start.to_json(), lambda console: _print_lines(console, start.lines()))
    sys.stdout.flush()
    replace_process(start)


@verb
def tokens(
    run: Run,
    action: Annotated[str, typer.Argument(metavar="issue|list|revoke", help="What to do")],
    name: Annotated[str, typer.Argument(metavar="[NAME|ID]", help="For whom to issue, or which id to revoke")] = "",
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="admin or revops (all), or csm (own book)")
    ] = "revops",
    csm: Annotated[
        str | None, typer.Option("--csm", metavar="CSM", help="The book, as the column csm names it")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, metavar="DAYS", help="How long it is valid")] = None,
) -> None:
    """Issue, list or revoke the tokens that the service asks for."""
    from serving.token_desk import work

    content, lines = work(run.params, action, name, role=role, csm=csm, days=days)
    run.show(content, lambda console: _print_lines(console, lines))


@verb
def explain(
    run: Run,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id")],
    as_of: AsOfDate = None,
) -> None:
    """Show one account's probabilities and the reasons behind them."""
    from serving.explain import account_forecast
    from serving.registry import load_champion
    from serving.terminal import explanation, print_explanation

    with _only_writer(run.params.data_dir):
        tables = run.load().tables
        made = account_forecast(
            tables,
            load_champion(run.params),
            account,
            as_of=as_of or tables.data_until,
            params=run.params,
            made_at=_made_at(),
            progress=run.progress,
        )
    explained = explanation(made, account)
    run.show(explained, lambda console: print_explanation(console, explained))


@verb
def demo(run: Run) -> None:
    """Run the whole way, by default on a simulated company: check, snapshots, train, backtest, forecast."""
    with _only_writer(run.params.data_dir):
        steps = _Steps(run)
        loaded = steps.do("Checking the input", run.load, lambda made: _report_lines(made)[:1])
        _demo_training(run, steps, loaded)
        summary = steps.do(
            "Forecasting", lambda: _forecast_and_publish(run, loaded, None), lambda made: [f"run {made['run_id']}"]
        )
    content = {"steps": steps.taken, "forecast": summary}
    run.show(content, lambda console: _print_demo(console, summary, run.params.data_dir))


class _Steps:
    """The demo's steps: each announced, timed and summed up."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.taken: list[dict[str, Any]] = []

    def do(self, what: str, work: Callable[[], Made], tell: Callable[[Made], list[str]]) -> Made:
        """Do one step and say what came of it."""
        self._say(f"{len(self.taken) + 1}. {what}")
        start = time.monotonic()
        made = work()
        seconds = time.monotonic() - start
        lines = tell(made)
        self.taken.append({"step": what, "seconds": round(seconds, 1), "result": lines})
        for line in (*lines, f"({seconds:.1f} s)"):
            self._say(f"   {line}")
        return made

    def _say(self, line: str) -> None:
        if not self._run.as_json:
            self._run.progress.clear()
            self._run.console.print(line, soft_wrap=True)


def _demo_training(run: Run, steps: _Steps, loaded: "Loaded") -> None:
    """Snapshots, training and a small backtest."""
    from features.snapshots import month_starts, stored
    from training.backtest import backtest
    from training.fit import train

    params, tables = run.params, loaded.tables
    steps.do(
        "Snapshots: what was known about every account at each month start",
        lambda: stored(tables, month_starts(tables, params.snapshots), params=params, progress=run.progress),
        lambda made: [f"{len(made.frame):,} rows, {len(made.features)} features"],
    )
    steps.do(
        "Training",
        lambda: train(tables, params=params, progress=run.progress),
        lambda made: made.lines(),
    )
    few = params.model_copy(
        update={"backtest": params.backtest.model_copy(update={"origins": min(params.backtest.origins, DEMO_ORIGINS)})}
    )
    steps.do(
        "Backtest: forecasts from past dates against what came",
        lambda: backtest(tables, params=few, progress=run.progress),
        lambda made: made.lines(),
    )


def _forecast_and_publish(run: Run, loaded: "Loaded", as_of: date | None) -> dict[str, Any]:
    """Make a forecast, write it out, and sum it up."""
    from serving.export import publish
    from serving.forecast import forecast as make
    from serving.registry import load_champion
    from serving.terminal import summarise

    made = make(
        loaded.tables,
        load_champion(run.params),
        as_of=as_of or loaded.tables.data_until,
        params=run.params,
        made_at=_made_at(),
        progress=run.progress,
    )
    run.progress("writing the tables")
    folder = publish(made, run.params.data_dir / "forecasts")
    return {**summarise(made), "folder": str(folder)}


def _publish(run: Run, loaded: "Loaded", as_of: date | None) -> dict[str, Any]:
    """Make a forecast, write its tables, and publish the store that the service answers from."""
    from serving import export, publication, store
    from serving.forecast import forecast as make
    from serving.record import model_card
    from serving.registry import load_champion

    params, champion = run.params, load_champion(run.params)
    day = as_of or loaded.tables.data_until
    shared: dict[str, Any] = {"params": params, "progress": run.progress}
    made = make(loaded.tables, champion, as_of=day, made_at=_made_at(), **shared)
    folder = export.publish(made, params.data_dir / "forecasts")
    card = model_card(params, champion)
    file = store.write(
        publication.gather(loaded.tables, champion, made, card=card, **shared), store.folder_of(params.data_dir)
    )
    counts = {"accounts": int(made.account_forecast["account_id"].nunique()), "megabytes": file.stat().st_size / 1e6}
    return {**made.describe(), **counts, "folder": str(folder), "file": str(file)}


def _print_service(console: "Console", summary: dict[str, Any]) -> None:
    lines = [
        f"Published {summary['accounts']:,} accounts as of {summary['as_of']} by model version "
        f"{summary['model_version']}, run {summary['run_id']}",
        f"The service answers from {summary['file']} ({summary['megabytes']:.1f} MB)",
        f"Tables as Parquet, CSV and XLSX: {summary['folder']}",
        *(f"Note: {note}" for note in summary["notes"]),
    ]
    _print_lines(console, lines)


def _made_at() -> datetime:
    """Now, or the time that SOURCE_DATE_EPOCH gives, for outputs that are the same byte for byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    seconds = int(epoch) if epoch and epoch.isdigit() else int(time.time())
    return datetime.fromtimestamp(seconds, tz=UTC)


def _write_truth(file: Path, company: dict[str, Any], as_of: date, params: "Params") -> None:
    from features.simulation.truth import replay, write_truth

    months = params.model.horizon_months
    write_truth(file, replay(**company, as_of=as_of, horizon_months=months, futures=params.forecast.draws))


def _report_json(loaded: "Loaded") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(loaded.report.to_json())
    return content | {"lost": loaded.report.lost(_needs()), "digest": loaded.tables.digest}


def _needs() -> dict[str, tuple[str, ...]]:
    """For each feature, the columns it is made from."""
    from features.catalogue import FEATURES

    return {feature.name: feature.needs for feature in FEATURES}


def _report_lines(loaded: "Loaded") -> list[str]:
    """The check in a few lines: what was read, and what it warns of."""
    report = loaded.report
    read, left_out = (sum(getattr(t, name) for t in report.tables) for name in ("rows_read", "rows_quarantined"))
    head = (
        f"{read:,} rows in {len(report.tables)} tables, {left_out:,} left out; the data end before {report.data_until}."
    )
    return [head, *(f"Warning: {warning}" for warning in report.warnings)]


def _print_report(console: "Console", loaded: "Loaded") -> None:
    from rich.table import Table

    table = Table("table", "rows", "kept", "left out", "from", "to", "optional columns that are absent")
    for found in loaded.report.tables:
        counts = (f"{n:,}" for n in (found.rows_read, found.rows_kept, found.rows_quarantined))
        days = (str(day or "-") for day in (found.first_day, found.last_day))
        table.add_row(found.table, *counts, *days, ", ".join(found.absent) or "-")
    console.print(table)
    for place, features in loaded.report.lost(_needs()).items():
        shown = ", ".join(features[:LOST_SHOWN]) + (", ..." if len(features) > LOST_SHOWN else "")
        console.print(f"Without {place}: {len(features)} features less ({shown})")
    _print_lines(console, _report_lines(loaded))


def _print_snapshots(console: "Console", content: dict[str, Any], features: Sequence["Feature"]) -> None:
    from rich.table import Table

    console.print(
        f"{content['rows']:,} rows: {content['accounts']:,} accounts at {content['dates']} dates, "
        f"{content['first']} to {content['last']}; {len(features)} features"
    )
    table = Table("feature", "family", "unit", "meaning")
    for feature in features:
        table.add_row(feature.name, feature.family, feature.unit, feature.meaning)
    console.print(table)
    console.print(f"Stored in {content['folder']}")


def _print_lines(console: "Console", lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _print_published(console: "Console", summary: dict[str, Any]) -> None:
    from serving.terminal import print_forecast

    print_forecast(console, summary)
    console.print(f"Tables as Parquet, CSV and XLSX: {summary['folder']}", soft_wrap=True)


def _print_demo(console: "Console", summary: dict[str, Any], data_dir: Path) -> None:
    """The forecast, and where everything lies."""
    _print_published(console, summary)
    worst = summary["at_risk"][0]["account_id"]
    lines = [
        f"Checked tables: {data_dir}/tables.duckdb; snapshots: {data_dir}/snapshots",
        f"Runs, figures and models (MLflow): {data_dir}/mlflow.db and {data_dir}/mlflow-artifacts",
        f"The reasons behind one account: holdfast explain {worst}",
    ]
    _print_lines(console, lines)


def main() -> None:
    """Run the command line."""
    _set_environment()
    app()


if __name__ == "__main__":
    main()
