"""What every verb has: a `Run` to work with, the options all share, and errors that become exit codes."""

import functools
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast import output
from holdfast.progress import Progress

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from features.inputs.load import Loaded
    from params import Params

FAILED, BAD_INPUT = 1, 2
DISK_FULL = (
    "Failed: the disk is full. Free some space where data_dir is, or where temporary files go (TMPDIR), and run it "
    "again; what was stored before is as it was."
)
DATABASES = ("duckdb", "_duckdb", "psycopg", "sqlite3", "sqlalchemy")
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
CHATTY = ("mlflow", "alembic", "matplotlib", "shap")


class Failure(Exception):
    """Ends a command with one message and without a traceback."""


class Refused(Exception):
    """Ends a command that has shown its result, with one message and exit code 1: it did not do what was asked."""


class Ended(Exception):
    """Ends a command that has shown its result, an error among it, with an exit code and no more words."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Run:
    """What a verb works with: the settings, where results go, how progress is told."""

    params: "Params"
    as_json: bool
    progress: Progress
    options: Sequence[str] = ()  # those that say which settings: what a next command needs too

    @functools.cached_property
    def console(self) -> "Console":
        """Where tables are printed."""
        return output.new_console()

    def load(self) -> "Loaded":
        """The checked tables, calls of the journal among them, and the report of the check.

        Erasures that are due are done first.
        """
        from features.inputs.load import load_tables

        self.finish_erasures()
        return load_tables(self.params, calls=calls_written(self.params, self.progress), progress=self.progress)

    @property
    def erasures_due(self) -> bool:
        """Whether the data folder may name someone who was erased: a run was killed, or a backup was restored."""
        from features.forgetting.suppression import is_applied, read_suppressed

        return not is_applied(self.params, read_suppressed(self.params))

    def finish_erasures(self) -> None:
        """Take who was erased out of the data folder, where that is due; to be done by whoever holds its lock."""
        if self.erasures_due:
            from features.forgetting.suppression import read_suppressed
            from serving.forgetting.erasing import sweep

            sweep(self.params, read_suppressed(self.params), self.progress)

    def show(self, content: dict[str, Any], readable: Callable[["Console"], None]) -> None:
        """Print a result: as JSON for machines, else as tables."""
        self.progress.clear()
        if self.as_json:
            output.print_json(content)
        else:
            readable(self.console)


def calls_written(params: "Params", progress: "Progress | None" = None) -> "pd.DataFrame | None":
    """The journal's calls, as input; that the record cannot be used stops nothing that does not write to it."""
    from serving.forecast.refusals import NoRecord
    from serving.journal.calls import written_calls

    try:
        return written_calls(params)
    except NoRecord as error:
        if progress is not None:
            progress(f"calls of the journal are left out: {error}")
        return None


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


def day_option(name: str, meaning: str) -> Any:
    """An option that takes a date, with its meaning for a verb."""
    return typer.Option(name, metavar="DATE", parser=_parse_date, help=meaning)


def date_option(meaning: str) -> Any:
    """The option `--as-of DATE`, with its meaning for a verb."""
    return day_option("--as-of", meaning)


AsOfDate = Annotated[date | None, date_option("First day that is not known yet [default: where the data end]")]


def verb(command: Callable[..., None]) -> Callable[..., None]:
    """Make a function of a `Run` and its own options one of its own options and those that all verbs share.

    An error ends it with a message, as JSON too if that was asked for, and with an exit code.
    """

    @functools.wraps(command)
    def guarded(
        params_file: Path | None, overrides: list[str] | None, as_json: bool, debug: bool, **options: Any
    ) -> None:
        _set_environment()
        try:
            with _unwound_when_ended(), Progress() as progress:
                params = _load_params(params_file, overrides)
                command(Run(params, as_json, progress, settings_options(params_file, overrides)), **options)
        except Ended as end:
            raise typer.Exit(end.exit_code) from None
        except Refused as refusal:
            print(refusal, file=sys.stderr)
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if debug or isinstance(error, typer.Exit | typer.Abort):
                raise
            raise typer.Exit(_report_error(error, as_json)) from None

    _, *parameters = inspect.signature(command).parameters.values()
    parameters += inspect.signature(_shared_options).parameters.values()
    guarded.__dict__["__signature__"] = inspect.Signature(parameters)
    guarded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return guarded


def _shared_options(
    *, params_file: ParamsFile = None, overrides: Overrides = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """The options of every verb."""


def _set_environment() -> None:
    """What is written is the owner's alone; no telemetry and no chatter from libraries, before any is imported."""
    import logging

    os.umask(0o077)

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def _unwound_when_ended() -> Iterator[None]:
    """Let SIGTERM end a command as an error does, so that temporary folders go and its run is marked."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _load_params(file: Path | None, overrides: list[str] | None) -> "Params":
    from params import load

    beside = Path("params.yaml")
    return load(file or (beside if beside.exists() else None), overrides or ())


def settings_options(file: Path | None, overrides: list[str] | None) -> list[str]:
    """The options that give the same settings again."""
    settings = [part for override in overrides or () for part in ("--set", override)]
    return ["--params", str(file), *settings] if file else settings


def _report_error(error: Exception, as_json: bool) -> int:
    """Print an error, and say which exit code it has."""
    code, kind, message = explained(error)
    if as_json:
        output.print_json(error_json(code, kind, message, error))
    print(message, file=sys.stderr)
    return code


def explained(error: Exception) -> tuple[int, str, str]:
    """Exit code, kind and message of an error."""
    from features.tables.database import is_disk_full
    from features.tables.problems import BadInput, DiskFull, NoRate
    from params import SettingsError
    from serving.forecast.refusals import BadRequest, NoPublication, NoRecord
    from training.tracking.errors import NoModel, StoreUnreachable

    kinds = {
        SettingsError: "bad_settings",
        BadInput: "bad_input",
        NoRate: "bad_input",
        BadRequest: "bad_request",
        NoModel: "no_model",
    }
    kind = next((kind for error_class, kind in kinds.items() if isinstance(error, error_class)), "failed")
    if isinstance(error, SettingsError | BadInput | NoRate | BadRequest):
        return BAD_INPUT, kind, str(error)
    if isinstance(error, Failure | NoModel | NoPublication | NoRecord | StoreUnreachable):
        return FAILED, kind, str(error)
    if isinstance(error, DiskFull) or is_disk_full(error):
        return BAD_INPUT, kind, DISK_FULL
    return FAILED, kind, f"Failed: {type(error).__name__}{_harmless(error)} (--debug shows where)"


def _harmless(error: Exception) -> str:
    """The first line of an error, but of a database's: those quote the customers' values."""
    if type(error).__module__.partition(".")[0] in DATABASES:
        return " in the database"
    return f": {next(iter(str(error).splitlines()), '')}"


def error_json(code: int, kind: str, message: str, error: Exception | None = None) -> dict[str, Any]:
    """An error for machines; `problems` and `warnings` are filled where the input is what is wrong."""
    findings = {name: [finding.to_json() for finding in getattr(error, name, ())] for name in ("problems", "warnings")}
    return {"error": kind, "exit_code": code, "message": message, **findings}
