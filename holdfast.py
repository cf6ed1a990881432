"""The command line: one verb a job. Nothing heavy is imported before a verb needs it."""

import functools
import inspect
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self, TextIO, TypeVar

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from features.families.feature import Feature
    from features.inputs.load import Loaded
    from features.leaks import Grade, Leak, Leaks
    from features.tables.checked import Tables
    from params import Params
    from serving.forecast.batch import Forecast
    from serving.forecast.champion import Champion
    from training.backtest.leak_cost import LeakCost, NotMeasured
    from training.tracking.versions import Version

Made = TypeVar("Made")


class _Verbs(TyperGroup):
    """The verbs; options that cannot be read are told as JSON too where `--json` is among them."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the verb that is named."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except TyperException as error:
            if as_json:
                _print_json(_error_json(error.exit_code, "bad_usage", error.format_message()))
            raise


app = typer.Typer(
    cls=_Verbs,
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
LOCK_POLL_SECONDS = 0.2
EXPLAIN_WAITS_SECONDS = 300.0
LOST_SHOWN = 4
LEAK_HEADS: "dict[Grade, str]" = {
    "leak": "Leaks: here the past shows what came later, and no cut by date can help",
    "risk": "Risks: the data do not say, or contradict, when this was known",
    "cut": "Known later than it happened. Snapshots deal with it; a cut by event date would show it early:",
}
DIALECTS = ("postgres", "spark", "snowflake", "bigquery", "databricks")
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # MLflow's own patience with a server that does not answer is minutes: 7 retries of 120 seconds each.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    # Threads that wait must not spin: on a busy machine that made training ten times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
}


class Failure(Exception):
    """Ends a command with one message and without a traceback."""


class _MustWork(Exception):
    """Stops a look at what is stored where it would begin to make it."""


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
    options: Sequence[str] = ()  # those that say which settings: what a next command needs too

    @functools.cached_property
    def console(self) -> "Console":
        """Where tables are printed; data are never read as markup."""
        from rich.console import Console

        return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES)

    def load(self) -> "Loaded":
        """The checked tables and the report of the check."""
        from features.inputs.load import load_tables

        return load_tables(self.params, progress=self.progress)

    def show(self, content: dict[str, Any], readable: Callable[["Console"], None]) -> None:
        """Print a result: as JSON for machines, else as tables."""
        self.progress.clear()
        if self.as_json:
            _print_json(content)
        else:
            readable(self.console)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, indent=1, default=str, allow_nan=False))


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
                options = _options(params_file, overrides)
                command(Run(_load_params(params_file, overrides), as_json, progress, options), **own)
        except Exception as error:
            if debug or isinstance(error, typer.Exit | typer.Abort):
                raise
            code, kind, message = _explain(error)
            if as_json:
                _print_json(_error_json(code, kind, message, error))
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


def _options(file: Path | None, overrides: list[str] | None) -> list[str]:
    """The options that give the same settings again."""
    settings = [part for override in overrides or () for part in ("--set", override)]
    return ["--params", str(file), *settings] if file else settings


def _command(*words: str) -> str:
    """A command of this command line as it was called, to be pasted into the same shell."""
    program = Path(sys.argv[0])
    if program.suffix == ".py":
        return shlex.join([sys.executable, str(program), *words])
    if shutil.which(program.name) == str(program):
        return shlex.join([program.name, *words])
    inside = program.is_absolute() and program.is_relative_to(Path.cwd())
    return shlex.join([str(program.relative_to(Path.cwd()) if inside else program), *words])


def _explain(error: Exception) -> tuple[int, str, str]:
    """Exit code, kind and message of an error."""
    from features.tables.problems import BadInput
    from params import SettingsError, StoreUnreachable
    from serving.forecast.refusals import BadRequest, NoModel, NoPublication, NoRecord

    kinds = {SettingsError: "bad_settings", BadInput: "bad_input", BadRequest: "bad_request", NoModel: "no_model"}
    kind = next((kind for known, kind in kinds.items() if isinstance(error, known)), "failed")
    if isinstance(error, SettingsError | BadInput | BadRequest):
        return BAD_INPUT, kind, str(error)
    if isinstance(error, Failure | NoModel | NoPublication | NoRecord | StoreUnreachable):
        return FAILED, kind, str(error)
    return FAILED, kind, f"Failed: {type(error).__name__}{_harmless(error)} (--debug shows where)"


def _harmless(error: Exception) -> str:
    """The first line of an error, but of a database's: those quote the customers' values."""
    if type(error).__module__.partition(".")[0] in ("duckdb", "_duckdb", "psycopg", "sqlite3", "sqlalchemy"):
        return " in the database"
    return f": {next(iter(str(error).splitlines()), '')}"


def _error_json(code: int, kind: str, message: str, error: Exception | None = None) -> dict[str, Any]:
    """An error for machines; `problems` and `warnings` are filled where the input is what is wrong."""
    from dataclasses import asdict

    found = {name: [asdict(finding) for finding in getattr(error, name, ())] for name in ("problems", "warnings")}
    return {"error": kind, "exit_code": code, "message": message, **found}


@contextmanager
def _only_writer(data_dir: Path, wait_seconds: float = 0.0, progress: Progress | None = None) -> Iterator[None]:
    """Hold the data folder's lock, so that two runs do not write at once; it goes when the process ends.

    `wait_seconds` says how long to wait for another run, which `progress` is told.
    """
    from params import SettingsError

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / ".lock").open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"data_dir {data_dir} cannot be written to: {error.strerror}. Set another one.") from None
    with lock:
        deadline = time.monotonic() + wait_seconds
        while not _locked(lock):
            if time.monotonic() >= deadline:
                raise Failure(
                    f"Another run is writing to {data_dir}. Wait for it, or give this one --set data_dir=ANOTHER."
                )
            if progress is not None:
                progress(f"another run is writing to {data_dir}; waiting for it, at most {wait_seconds:.0f} seconds")
            time.sleep(LOCK_POLL_SECONDS)
        yield


def _locked(file: TextIO) -> bool:
    """Try to lock a file, without waiting."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@verb
def check(
    run: Run,
    leaks: Annotated[bool, typer.Option("--leaks", help="Also look for what the past could not have known")] = False,
) -> None:
    """Read the input, check it, and store the checked tables."""
    with _only_writer(run.params.data_dir):
        loaded = run.load()
        search = _search_for_leaks(run, loaded) if leaks else None
    found = {"leaks": {**search[0].to_json(), "cost": search[1].to_json()}} if search else {}
    run.show(_report_json(loaded) | found, lambda console: _print_report(console, loaded))
    if search and not run.as_json:
        _print_leaks(run.console, *search)


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
    from serving.forecast.refusals import BadRequest

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
def snapshots(
    run: Run,
    dialect: Annotated[
        str | None, typer.Option("--sql", metavar="DIALECT", help=f"Print the SQL instead, in {', '.join(DIALECTS)}")
    ] = None,
) -> None:
    """Make the snapshots that training reads: every account at every month start."""
    from features.snapshots.store import make, month_starts

    _require_dialect(dialect)
    with _only_writer(run.params.data_dir):
        tables = run.load().tables
        dates = month_starts(tables, run.params.snapshots)
        if dialect is not None:
            _print_sql(run, tables, dates, dialect)
            return
        made = make(tables, dates, params=run.params, progress=run.progress)
    rows, accounts = made.totals()
    content = {
        "rows": rows,
        "accounts": accounts,
        "dates": len(dates),
        "first": dates[0].isoformat(),
        "last": dates[-1].isoformat(),
        "made": [day.isoformat() for day in made.missing],
        "why": list(made.why),
        "features": [feature.name for feature in made.features],
        "folder": str(run.params.data_dir / "snapshots"),
    }
    run.show(content, lambda console: _print_snapshots(console, content, made.features))


@verb
def train(
    run: Run,
    promote: Annotated[
        bool,
        typer.Option("--promote", help="Compare a new recipe with the champion's on past dates; promote it if it wins"),
    ] = False,
    tune: Annotated[bool, typer.Option("--tune", help="Search better settings first, as tune.enabled does")] = False,
) -> None:
    """Fit the outcome models, test them out of time, record them, and decide whether they take charge."""
    _require_store(run.params)
    from training.fit import train as fit

    params = _tuning(run.params) if tune else run.params
    with _only_writer(params.data_dir):
        result = fit(run.load().tables, params=params, may_contest=promote, progress=run.progress)
    run.show(result.to_json(), lambda console: _print_lines(console, result.lines()))


@verb
def models(run: Run) -> None:
    """List the versions of the model: which is in charge, by what recipe, and how it did out of time."""
    from params import require_answer

    require_answer(run.params)  # before the imports, which take longer
    from training.tracking.versions import versions_of

    found = versions_of(run.params)
    content = {"model": run.params.model.name, "versions": [version.to_json() for version in found]}
    run.show(content, lambda console: _print_versions(console, run.params, found))


@verb
def backtest(run: Run) -> None:
    """Forecast from past dates and compare with what came, and with naive forecasts."""
    _require_store(run.params)
    from training.backtest.rolling import backtest as rolling

    with _only_writer(run.params.data_dir):
        result = rolling(run.load().tables, params=run.params, progress=run.progress)
    run.show(result.to_json(), lambda console: _print_lines(console, result.lines()))


@verb
def forecast(run: Run, as_of: AsOfDate = None) -> None:
    """Forecast churn, expansion and NRR as of a date, with reasons, and publish the tables."""
    champion = _champion(run)
    with _only_writer(run.params.data_dir):
        summary = _forecast_and_publish(run, run.load(), champion, as_of)
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
    from serving.service.start import prepare, replace_process

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
    from serving.access.token_desk import work

    content, lines = work(run.params, action, name, role=role, csm=csm, days=days)
    run.show(content, lambda console: _print_lines(console, lines))


@verb
def explain(
    run: Run,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id")],
    as_of: AsOfDate = None,
) -> None:
    """Show one account's probabilities and the reasons behind them."""
    champion = _champion(run)
    from serving.forecast.terminal import explanation, print_explanation

    made = _published(run.params, champion, account, as_of) or _made_for(run, champion, account, as_of)
    explained = explanation(made, account)
    run.show(explained, lambda console: print_explanation(console, explained))


def _published(params: "Params", champion: "Champion", account: str, as_of: date | None) -> "Forecast | None":
    """The published forecast, if it and the stored tables are those of today's input; nothing is written."""
    from features.inputs.load import load_tables
    from serving.forecast.one_account import published_forecast

    try:
        tables = load_tables(params, progress=_must_not_work).tables
    except _MustWork:
        return None
    return published_forecast(tables, champion, account, as_of=as_of or tables.data_until, params=params)


def _must_not_work(*_: object) -> None:
    """A progress that ends the work it is told of: what is not stored yet is then not made."""
    raise _MustWork


def _made_for(run: Run, champion: "Champion", account: str, as_of: date | None) -> "Forecast":
    """A forecast made for one account; what it needs is stored, so it waits for a run that writes."""
    from serving.forecast.one_account import account_forecast

    with _only_writer(run.params.data_dir, EXPLAIN_WAITS_SECONDS, run.progress):
        tables = run.load().tables
        return account_forecast(
            tables,
            champion,
            account,
            as_of=as_of or tables.data_until,
            params=run.params,
            made_at=_made_at(),
            progress=run.progress,
        )


def _tuning(params: "Params") -> "Params":
    """The settings with tuning on."""
    return params.model_copy(update={"tune": params.tune.model_copy(update={"enabled": True})})


def _require_store(params: "Params") -> None:
    """Ask the tracking store whether it is there, before work that is lost if it is not."""
    from params import require_answer

    require_answer(params)  # before the imports, which take longer
    from training.tracking.runs import require_store

    require_store(params)


def _champion(run: Run) -> "Champion":
    """The model in charge; one of other rules is refused before anything is read.

    Where there is none yet, input that is bad is what to mend first.
    """
    from params import require_answer
    from serving.forecast.refusals import NoModel

    params = run.params

    require_answer(params)  # before the imports, which take longer
    from serving.forecast.batch import require_same_rules
    from serving.forecast.champion import load_champion

    try:
        champion = load_champion(params)
    except NoModel:
        if params.source.kind != "simulated":
            with _only_writer(params.data_dir):
                run.load()
        raise
    require_same_rules(champion, params)
    return champion


@verb
def demo(run: Run) -> None:
    """Run the whole way, by default on a simulated company: check, snapshots, train, backtest, forecast."""
    _require_store(run.params)
    with _only_writer(run.params.data_dir):
        steps = _Steps(run)
        loaded = steps.do("Checking the input", run.load, lambda made: _report_lines(made)[:1])
        _demo_training(run, steps, loaded)
        summary = steps.do(
            "Forecasting",
            lambda: _forecast_and_publish(run, loaded, _champion(run), None),
            lambda made: [f"run {made['run_id']}"],
        )
    content = {"steps": steps.taken, "forecast": summary}
    run.show(content, lambda console: _print_demo(console, summary, run))


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
    from features.snapshots.store import month_starts, stored
    from models.words import counted
    from training.backtest.rolling import backtest
    from training.fit import train

    params, tables = run.params, loaded.tables
    steps.do(
        "Snapshots: what was known about every account at each month start",
        lambda: stored(tables, month_starts(tables, params.snapshots), params=params, progress=run.progress),
        lambda made: [f"{counted(len(made.frame), 'row')}, {counted(len(made.features), 'feature')}"],
    )
    steps.do(
        "Training",
        lambda: train(tables, params=params, progress=run.progress),
        lambda made: made.lines(),
    )
    asked = params.backtest.origins
    few = params.model_copy(
        update={"backtest": params.backtest.model_copy(update={"origins": min(asked, DEMO_ORIGINS)})}
    )
    dates = counted(few.backtest.origins, "past date")
    steps.do(
        f"Backtest: forecasts from {dates} against what came; `holdfast backtest` takes {asked}",
        lambda: backtest(tables, params=few, progress=run.progress),
        lambda made: made.lines(),
    )


def _forecast_and_publish(run: Run, loaded: "Loaded", champion: "Champion", as_of: date | None) -> dict[str, Any]:
    """Make a forecast, write it out, and sum it up."""
    from serving.forecast.batch import forecast as make
    from serving.forecast.export import publish
    from serving.forecast.terminal import summarise

    made = make(
        loaded.tables,
        champion,
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
    from serving.forecast import export
    from serving.forecast.batch import forecast as make
    from serving.forecast.champion import load_champion
    from serving.forecast.model_card import model_card
    from serving.publication import gather, store
    from serving.publication.on_record import put_on_record
    from training.tracking.runs import commit

    params = run.params
    champion = load_champion(params)
    day = as_of or loaded.tables.data_until
    shared: dict[str, Any] = {"params": params, "progress": run.progress}
    made = make(loaded.tables, champion, as_of=day, made_at=_made_at(), **shared)
    past = put_on_record(loaded.tables, champion, made, code_version=commit(), **shared)
    folder = export.publish(made, params.data_dir / "forecasts")
    card = model_card(params, champion)
    gathered = gather.gather(loaded.tables, champion, made, card=card, past=past, **shared)
    file = store.write(gathered, store.folder_of(params.data_dir))
    counts = {"accounts": int(made.account_forecast["account_id"].nunique()), "megabytes": file.stat().st_size / 1e6}
    described = {**made.describe(), "notes": [*made.notes, *past.notes]}
    return {**described, **counts, "folder": str(folder), "file": str(file)}


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


def _search_for_leaks(run: Run, loaded: "Loaded") -> "tuple[Leaks, LeakCost | NotMeasured]":
    from features.leaks import find_leaks
    from training.backtest.leak_cost import leak_cost

    found = find_leaks(loaded.tables, loaded.report.warnings, params=run.params, progress=run.progress)
    leaking = found.leaking_features
    return found, leak_cost(loaded.tables, params=run.params, without=leaking, progress=run.progress)


def _needs() -> dict[str, tuple[str, ...]]:
    """For each feature, the columns it is made from."""
    from features.families.catalogue import FEATURES

    return {feature.name: feature.needs for feature in FEATURES}


def _report_lines(loaded: "Loaded") -> list[str]:
    """The check in a few lines: what was read, and what it warns of."""
    report = loaded.report
    read, left_out = (sum(getattr(t, name) for t in report.tables) for name in ("rows_read", "rows_quarantined"))
    head = (
        f"{_counted(read, 'row')} in {_counted(len(report.tables), 'table')}, {left_out:,} left out; "
        f"the data end before {report.data_until}: {report.data_until_why}."
    )
    return [head, *(f"Warning: {warning}" for warning in report.warnings)]


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


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
        console.print(f"Without {place}: {_counted(len(features), 'feature')} less ({shown})", soft_wrap=True)
    _print_lines(console, _report_lines(loaded))


def _print_leaks(console: "Console", found: "Leaks", cost: "LeakCost | NotMeasured") -> None:
    """What the search for leaks found: the worst first, what is dealt with as a table."""
    for grade in ("leak", "risk"):
        none = f"No {grade} found{', as far as could be told' if found.not_told else ''}."
        _print_lines(console, ["", LEAK_HEADS[grade] if found.of_grade(grade) else none])
        for number, leak in enumerate(found.of_grade(grade), start=1):
            _print_lines(
                console, [f"  {number}. {leak}", f"     In a backtest: {leak.backtest}", f"     Do: {leak.todo}"]
            )
    if found.of_grade("cut"):
        _print_lines(console, ["", LEAK_HEADS["cut"]])
        console.print(_known_later(found.of_grade("cut")))
    _print_lines(console, [str(cost), *_tried_lines(found)])


def _known_later(found: "Sequence[Leak]") -> "RichTable":
    from rich.table import Table

    table = Table("column", "rows known later", "of", "times too early", "days later: median", "9 in 10")
    for leak in found:
        days = (f"{leak.figures[name]:,.0f}" for name in ("median_days", "p90_days"))
        table.add_row(leak.place, f"{leak.rows:,}", f"{leak.of:,}", f"{leak.figures['early_views']:,.0f}", *days)
    return table


def _tried_lines(found: "Leaks") -> list[str]:
    """What single columns were tried on, and the honest ones that tell most."""
    lines = [f"Each column alone was tried on {found.looked_at}."] if found.looked_at else []
    if found.strongest:
        lines.append(f"Strongest that is no leak (AUC): {'; '.join(map(str, found.strongest))}.")
    if found.known:
        lines.append(f"Known facts of the renewal calendar, no leaks: {'; '.join(map(str, found.known))}.")
    return [*lines, *(f"Not told: {reason}." for reason in found.not_told)]


def _require_dialect(dialect: str | None) -> None:
    from params import SettingsError

    if dialect not in (None, *DIALECTS):
        raise SettingsError(f"--sql {dialect}: there is no such dialect. Give one of {', '.join(DIALECTS)}.")


def _print_sql(run: Run, tables: "Tables", dates: Sequence[date], dialect: str) -> None:
    from features.snapshots.store import script

    settings = {"revenue": run.params.revenue, "settings": run.params.snapshots}
    statements = list(script(tables, dates, dialect, **settings))
    text = "".join(f"{statement};\n\n" for statement in statements)
    run.show({"dialect": dialect, "statements": statements}, lambda _: print(text, end=""))


def _print_snapshots(console: "Console", content: dict[str, Any], features: Sequence["Feature"]) -> None:
    from rich.table import Table

    from models.words import counted

    console.print(
        f"{counted(content['rows'], 'row')}: {counted(content['accounts'], 'account')} at "
        f"{counted(content['dates'], 'date')}, {content['first']} to {content['last']}; "
        f"{counted(len(features), 'feature')}"
    )
    if content["made"]:
        table = Table("feature", "family", "unit", "meaning")
        for feature in features:
            table.add_row(feature.name, feature.family, feature.unit, feature.meaning)
        console.print(table)
    for line in content["why"]:
        console.print(line, soft_wrap=True)
    there = content["dates"] - len(content["made"])
    console.print(
        f"{counted(len(content['made']), 'date')} made now, {there} there. Stored in {content['folder']}",
        soft_wrap=True,
    )


def _print_versions(console: "Console", params: "Params", found: "Sequence[Version]") -> None:
    """A line a version with its record, and beneath it why it is in charge or not."""
    from rich.table import Table

    if not found:
        console.print(f"No version of {params.model.name} is registered yet: run `holdfast train`.")
        return
    table = Table(
        "version", "alias", "as of", "recipe", "tested by", "on", "months", "log-loss", "AUC", "CRPS", "80 % held"
    )
    for version in found:
        record = version.record
        figures = (
            _figure(record.horizon_months, "d"),
            _figure(record.log_loss, ".4f"),
            _figure(record.auc, ".3f"),
            _figure(record.nrr_crps, ".2f"),
            _figure(record.coverage_80, ".0%"),
        )
        names = (version.version, ", ".join(version.aliases), version.as_of, version.recipe)
        table.add_row(*names, record.tested_by, record.tested_on, *figures)
    console.print(table)
    lines = [f"Version {version.version}: {version.promotion}." for version in found if version.promotion]
    head = "Log-loss and AUC of churn, CRPS of NRR in points, share of past dates whose NRR the 80 % interval held."
    _print_lines(console, [head, *lines])


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _print_lines(console: "Console", lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _print_published(console: "Console", summary: dict[str, Any]) -> None:
    from serving.forecast.terminal import print_forecast

    print_forecast(console, summary)
    console.print(f"Tables as Parquet, CSV and XLSX: {summary['folder']}", soft_wrap=True)


def _print_demo(console: "Console", summary: dict[str, Any], run: Run) -> None:
    """The forecast, where everything lies, and what to do next."""
    _print_published(console, summary)
    data_dir = run.params.data_dir
    worst = summary["at_risk"][0]["account_id"]
    lines = [
        f"Checked tables: {data_dir}/tables.duckdb; snapshots: {data_dir}/snapshots",
        f"Runs, figures and models (MLflow): {data_dir}/mlflow.db and {data_dir}/mlflow-artifacts",
        f"The reasons behind one account: {_command('explain', worst, *run.options)}",
        "Next, pages and API:",
        *(f"  {_command(verb, *run.options)}" for verb in ("publish", "serve")),
    ]
    _print_lines(console, lines)


def main() -> None:
    """Run the command line."""
    _set_environment()
    app()


if __name__ == "__main__":
    main()
