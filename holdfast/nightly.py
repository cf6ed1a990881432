"""The verb for cron: all that is due on a night, one step after the other, each on its own and safe to repeat."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from holdfast.forecast import publish_tables, record_tables
from holdfast.lock import only_writer
from holdfast.model import require_store
from holdfast.output import print_lines
from holdfast.run import Ended, Run, day_option, explained
from models.words import counted
from serving.publication.last_night import DONE, FAILED, RUNNING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from features.inputs.load import Loaded
    from features.tables.checked import Tables
    from params import Params

NIGHT_FOLDER = ".night-"
SKIPPED = "skipped"
FOR_THE_RECORD = ("check", "snapshots", "train", "publish")  # what a night takes that nobody is shown
Outcome = tuple[str, dict[str, Any]]  # done or skipped, and the result


def run(
    run: Run,
    as_of: Annotated[
        date | None,
        day_option("--as-of", "A past night, with only what was known before it [default: where the data end]"),
    ] = None,
) -> None:
    """Do all that is due on a night, as cron does: check, snapshots, training, effects, forecast, record, pages."""
    from features.tables.scratch import scratch_folder

    require_store(run.params)
    data_dir = run.params.data_dir
    with only_writer(data_dir), scratch_folder(data_dir, NIGHT_FOLDER) as folder:
        night = Night(run, as_of, folder)
        steps = night.go()
    content = {"as_of": night.day and night.day.isoformat(), "steps": steps}
    run.show(content, lambda console: _print(console, content))
    if night.exit_code:
        raise Ended(night.exit_code)


class Night:
    """One night's steps. A step that fails ends it; what was published before stays.

    Parameters
    ----------
    run
        Settings, and where progress is told.
    as_of
        A past night; None for the day the data end.
    folder
        Where the tables of a past night lie while it runs.
    loaded
        Today's tables, checked; read by the night itself if None.
    for_the_record
        Only put the forecast on record: nothing is watched, served, exported, noted for the pages or delivered.
    """

    def __init__(
        self,
        run: Run,
        as_of: date | None,
        folder: "Path",
        *,
        loaded: "Loaded | None" = None,
        for_the_record: bool = False,
    ) -> None:
        self._run, self._as_of, self._folder = run, as_of, folder
        self._loaded, self._for_the_record = loaded, for_the_record
        self._tables: Tables | None = None
        self._began_at = datetime.now(tz=UTC).isoformat(timespec="seconds")
        self.day: date | None = as_of
        self.exit_code, self._alarm = 0, ""

    def go(self) -> list[dict[str, Any]]:
        """Do the steps; what each did, how long it took, and what came of it."""
        todo: dict[str, Callable[[], Outcome]] = {
            "check": self._check,
            "snapshots": self._snapshots,
            "watch": self._watch,
            "train": self._train,
            "effects": self._effects,
            "publish": self._publish,
            "deliver": self._deliver,
        }
        if self._for_the_record:
            todo = {name: todo[name] for name in FOR_THE_RECORD}
        steps = []
        for name, work in todo.items():
            if self.exit_code:
                steps.append({"step": name, "status": SKIPPED, "seconds": 0.0, "result": {"reason": "a step failed"}})
            else:
                steps.append(self._done(name, work))
        if not self.exit_code:
            self._note(DONE)
        self._put_on_record(steps)
        return steps

    def _put_on_record(self, steps: list[dict[str, Any]]) -> None:
        """Keep the night in the record; where that cannot be used, publishing has failed and said so."""
        from params import SettingsError
        from serving.forecast.refusals import NoRecord
        from serving.ledger.nights import record_night
        from serving.ledger.record import open_record

        day = self.day or datetime.now(tz=UTC).date()
        try:
            with open_record(self._run.params) as record:
                record_night(record, as_of=day.isoformat(), began_at=self._began_at, steps=steps)
        except (NoRecord, SettingsError) as error:
            self._run.progress(f"the night is not on record: {error}")

    def _done(self, name: str, work: Callable[[], Outcome]) -> dict[str, Any]:
        """Do one step, and note a failure where the pages look for it."""
        self._note(RUNNING, name)
        start = time.monotonic()
        try:
            status, result = work()
        except Exception as error:
            self.exit_code, kind, message = explained(error)
            status, result = FAILED, {"error": kind, "message": message}
            self._note(FAILED, name)
        return {"step": name, "status": status, "seconds": round(time.monotonic() - start, 1), "result": result}

    def _check(self) -> Outcome:
        loaded = self._loaded or self._run.load()
        self._tables, until = loaded.tables, loaded.tables.data_until
        if self._as_of is not None and self._as_of != until:
            from features.asof.past_night import tables_as_known

            file = self._folder / "tables.duckdb"
            self._run.progress(f"going back to {self._as_of}")
            self._tables = tables_as_known(self._tables, self._as_of, file, budget=self._run.params.budget)
        self.day = self._tables.data_until
        return DONE, {"data_until": until.isoformat(), "warnings": len(loaded.report.warnings)}

    def _snapshots(self) -> Outcome:
        from features.snapshots.dates import month_starts
        from features.snapshots.snapshot_files import make

        params, tables = self._run.params, self._known
        stored = make(tables, month_starts(tables, params.snapshots), params=params, progress=self._run.progress)
        rows, accounts = stored.totals()
        return DONE, {"dates": len(stored.files), "rows": rows, "accounts": accounts}

    def _watch(self) -> Outcome:
        from serving.publication.last_watch import note_watch
        from serving.publication.publication_file import folder_of
        from training.climbing import climb
        from training.tracking.champion import load_champion
        from training.tracking.errors import NoModel
        from training.watch.watching import watch

        params = self._run.params
        try:
            trained_as_of = load_champion(params).trained_as_of
        except NoModel:
            return SKIPPED, {"reason": "no model is in charge yet"}
        if trained_as_of > self._known.data_until:
            return SKIPPED, {"reason": f"the model in charge learned later, as of {trained_as_of}"}
        found = watch(self._known, params=params, progress=self._run.progress)
        rung = climb(params, found)
        if not _newer_publication(self._run, self._known.data_until):
            note_watch(folder_of(params.data_dir), found.to_json() | {"ladder": rung.to_json()})
        self._alarm = found.todo if rung.action in ("train", "tune", "wait") else ""
        return DONE, found.summary() | {"ladder": rung.to_json()}

    def _train(self) -> Outcome:
        from training.fit import train
        from training.retraining import schedule, settings_to_train

        params = self._run.params
        plan = schedule(params, self._known.data_until, self._alarm)
        if not plan.is_due:
            return SKIPPED, {"reason": plan.reason}
        tested = not self._for_the_record  # which is the test
        params = settings_to_train(params, plan)
        result = train(self._known, params=params, may_contest=True, tested=tested, progress=self._run.progress)
        content = result.to_json()
        told = {name: content[name] for name in ("version", "promoted", "reason", "caution", "verdict")}
        refused = {"refused": result.suspicion.reason} if result.suspicion.refuses else {}
        return DONE, {"due": plan.reason, **told, **refused}

    def _effects(self) -> Outcome:
        from holdfast.action_effects import effects_of_a_night

        done, result = effects_of_a_night(self._run, self._known)
        return DONE if done else SKIPPED, result

    def _publish(self) -> Outcome:
        if self._for_the_record:
            return DONE, record_tables(self._run, self._known, self._known.data_until)
        newer = _newer_publication(self._run, self._known.data_until)
        summary = publish_tables(self._run, self._known, self._known.data_until, serve=not newer)
        names = ("run_id", "model_version", "accounts", "notes", "folder", "file")
        note = {"not_served": f"the service stays with what was published as of {newer}"} if newer else {}
        return DONE, {name: summary[name] for name in names if name in summary} | note

    def _deliver(self) -> Outcome:
        """What does not arrive waits for the next `holdfast deliver`: no reason for the night to fail."""
        from holdfast.delivery import delivered

        if not self._run.params.deliver.targets:
            return SKIPPED, {"reason": "deliver.targets is empty"}
        content = delivered(self._run.params)
        return DONE, {name: content[name] for name in ("delivered", "waiting", "given_up")}

    @property
    def _known(self) -> "Tables":
        """What was known before the night."""
        if self._tables is None:
            raise RuntimeError("the check comes first")
        return self._tables

    def _note(self, status: str, step: str = "") -> None:
        """Say where the pages look how the night stands; a past one that is run again is nobody's news."""
        from serving.publication.last_night import LastNight, note
        from serving.publication.publication_file import folder_of

        if self._for_the_record or (self.day is not None and _newer_publication(self._run, self.day)):
            return
        as_of = self.day.isoformat() if self.day else datetime.now(tz=UTC).date().isoformat()
        note(folder_of(self._run.params.data_dir), LastNight(as_of, self._began_at, status, step))


def _newer_publication(run: Run, day: date) -> str:
    """The date of the publication that the service answers from if it is after a day; else empty."""
    from serving.publication.publication_file import current_date, folder_of

    published = current_date(folder_of(run.params.data_dir))
    return published.isoformat() if published is not None and published > day else ""


def replay(run: Run, loaded: "Loaded", months: int) -> list[dict[str, Any]]:
    """Put the forecasts of the month starts before the data end on record, each by what was known before it.

    The model is trained once, on the first of these nights. A month that has an official forecast is left as it is, so
    that a replay can be run again. A night that fails, such as one with too little history, stops nothing.

    Parameters
    ----------
    run
        Settings, and where progress is told.
    loaded
        Today's tables, checked.
    months
        How many.

    Returns
    -------
    list of dict
        `as_of` and `steps` of each night that was replayed.
    """
    from features.tables.scratch import scratch_folder

    quiet = Run(_trained_once(run.params), run.as_json, run.progress, run.options)
    nights = []
    for day in _lacking(run.params, _month_starts(loaded.tables.data_until, months)):
        with scratch_folder(run.params.data_dir, NIGHT_FOLDER) as folder:
            night = Night(quiet, day, folder, loaded=loaded, for_the_record=True)
            nights.append({"as_of": day.isoformat(), "steps": night.go()})
    return nights


def replay_lines(nights: list[dict[str, Any]]) -> list[str]:
    """What a replay did, to print: what went wrong once per reason."""
    failures = {
        step["result"]["message"]: night["as_of"]
        for night in nights
        for step in night["steps"]
        if step["status"] == FAILED
    }
    done = len(nights) - sum(any(step["status"] == FAILED for step in night["steps"]) for night in nights)
    first = f" from {nights[0]['as_of']} on" if nights else ""
    return [
        f"{counted(done, 'forecast')} put on record{first}",
        *(f"{as_of} could not be replayed: {message}" for message, as_of in failures.items()),
    ]


def _trained_once(params: "Params") -> "Params":
    return params.model_copy(update={"promotion": params.promotion.model_copy(update={"retrain_months": 0})})


def _month_starts(until: date, months: int) -> list[date]:
    """The month starts before a day, the oldest first."""
    from features.revenue import add_months

    newest = until.replace(day=1) if until.day > 1 else add_months(until, -1)
    return [add_months(newest, -back) for back in reversed(range(months))]


def _lacking(params: "Params", days: list[date]) -> list[date]:
    """Those of which no official forecast is on record."""
    from serving.ledger.record import open_record
    from serving.ledger.withdrawals import official_of

    with open_record(params) as record, record.reading() as connection:
        return [day for day in days if official_of(connection, day.isoformat()) is None]


def _print(console: "Console", content: dict[str, Any]) -> None:
    """How it ended first, then a line a step."""
    steps = content["steps"]
    failed = [step for step in steps if step["status"] == FAILED]
    seconds = sum(step["seconds"] for step in steps)
    head = f"The night as of {content['as_of']}: {counted(len(steps), 'step')} in {seconds:.0f} s."
    if failed:
        head = (
            f"The night as of {content['as_of']} failed at {failed[0]['step']}: {failed[0]['result']['message']}\n"
            "What was published before stays. Run it again once that is mended: it does what is missing."
        )
    print_lines(console, [head, *(_line(step) for step in steps)])


def _line(step: dict[str, Any]) -> str:
    result = step["result"]
    told = _told(step["step"], result) if step["status"] == DONE else result.get("reason", "")
    return f"  {step['step']:<10} {step['status']:<8} {step['seconds']:>6.1f} s  {told}".rstrip()


def _told(step: str, result: dict[str, Any]) -> str:
    """What came of a step, in a few words."""
    match step:
        case "check":
            return f"the data end before {result['data_until']}; {counted(result['warnings'], 'warning')}"
        case "snapshots":
            return f"{counted(result['dates'], 'date')}, {counted(result['rows'], 'row')}"
        case "watch":
            return f"verdict: {result['verdict']}; {result['todo']}".rstrip("; ")
        case "train":
            return f"version {result['version']}: {result['reason']}"
        case "effects":
            return f"{counted(result['kinds'], 'kind')} of actions, {result['known']} with a verdict"
        case "deliver":
            return f"{counted(result['delivered'], 'message')} delivered, {result['waiting']} waiting"
        case _:
            file = result.get("not_served") or f"the service answers from {result['file']}"
            return f"{counted(result['accounts'], 'account')} by model version {result['model_version']}; {file}"
