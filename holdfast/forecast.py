"""Verbs of the forecast: make it, explain one account's, publish it for the service."""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run, calls_written

if TYPE_CHECKING:
    from rich.console import Console

    from features.inputs.load import Loaded
    from features.tables.checked import Tables
    from params import Params
    from serving.actions.recommending import Recommendations
    from serving.forecast.batch import Forecast
    from serving.health.account_health import AccountHealth
    from serving.ledger.past import Past
    from serving.publication.published_plays import Acting
    from training.tracking.champion import Champion

EXPLAIN_WAITS_SECONDS = 300.0


def forecast(run: Run, as_of: AsOfDate = None) -> None:
    """Forecast churn, expansion and NRR as of a date, with reasons, and publish the tables."""
    champion = champion_of(run)
    with only_writer(run.params.data_dir):
        summary = make_and_export(run, run.load(), champion, as_of)
    run.show(summary, lambda console: print_summary(console, summary))


def publish(run: Run, as_of: AsOfDate = None) -> None:
    """Forecast, and publish what the service answers from: the job to run every night."""
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        summary = publish_tables(run, tables, as_of or tables.data_until)
    run.show(summary, lambda console: _print_publication(console, summary))


def explain(
    run: Run,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id or name")],
    as_of: AsOfDate = None,
) -> None:
    """Show one account's probabilities and the reasons behind them."""
    champion = champion_of(run)
    from serving.forecast.terminal import explanation, print_explanation

    source, who = _published(run.params, champion, account, as_of) or _made_for(run, champion, account, as_of)
    content = explanation(source, *who)
    run.show(content, lambda console: print_explanation(console, content))


def champion_of(run: Run) -> "Champion":
    """The model in charge; one of other rules is refused before anything is read.

    Where there is none yet, input that is bad is what to mend first.
    """
    from training.tracking.errors import NoModel
    from training.tracking.store import require_answer

    params = run.params
    require_answer(params)  # before the imports, which take longer
    from serving.forecast.batch import require_same_rules
    from training.tracking.champion import load_champion

    try:
        champion = load_champion(params)
    except NoModel:
        if params.source.kind != "simulated":
            with only_writer(params.data_dir):
                run.load()
        raise
    require_same_rules(champion, params)
    return champion


def make_and_export(run: Run, loaded: "Loaded", champion: "Champion", as_of: date | None) -> dict[str, Any]:
    """Make a forecast, write its tables, and sum it up."""
    from serving.forecast.batch import forecast as make
    from serving.forecast.spread.results import write_everywhere
    from serving.forecast.terminal import summarise

    result = make(
        loaded.tables,
        champion,
        as_of=as_of or loaded.tables.data_until,
        params=run.params,
        made_at=made_at(),
        progress=run.progress,
    )
    run.progress("writing the tables")
    names = _names(loaded.tables, result, run.params)
    return {**summarise(result, names), **write_everywhere(result, run.params, names)}


def _names(tables: "Tables", result: "Forecast", params: "Params") -> dict[str, str]:
    """Account names by id."""
    from features.revenue.cut_labels import account_names

    return account_names(tables, result.as_of, params.budget)


def print_summary(console: "Console", summary: dict[str, Any]) -> None:
    """Print a forecast's summary, and where its tables lie."""
    from serving.forecast.terminal import print_forecast

    print_forecast(console, summary)
    console.print(_where(summary), soft_wrap=True)


def _where(summary: dict[str, Any]) -> str:
    """Where the tables lie, and what of them there is."""
    forms = [{"parquet": "Parquet"}.get(form, form.upper()) for form in summary["forms"]]
    lines = [f"Tables as {', '.join(forms)}: {summary['folder']}"]
    lines += [f"Tables written by Spark: {summary['tables']}"] if "tables" in summary else []
    return "\n".join(lines)


def publish_tables(run: Run, tables: "Tables", day: date, *, serve: bool = True) -> dict[str, Any]:
    """Make a forecast, put it on record, write its tables, and publish the store that the service answers from.

    With `serve` off, the service goes on with what it answers from now.
    """
    from features.tables.opened import kept_open
    from serving.forgetting.keeping import apply_retention

    with kept_open(tables, run.params.budget) as opened:
        summary = _published_from(run, opened, day, serve=serve)
    notes = apply_retention(run.params, datetime.now(tz=UTC).date())
    return summary | {"notes": [*summary["notes"], *notes]}


def _published_from(run: Run, tables: "Tables", day: date, *, serve: bool) -> dict[str, Any]:
    """The same from tables that stay open; gives what came of it."""
    from serving.alerts.rules import require_rules
    from serving.forecast.batch import forecast as make
    from serving.forecast.spread.results import write_everywhere
    from serving.health.account_health import account_health, require_rule
    from serving.publication.on_record import put_on_record
    from training.tracking.champion import load_champion, load_with_calls
    from training.tracking.runs import code_version

    params, progress = run.params, run.progress
    require_rule(tables, params)
    require_rules(tables, params)
    champion = load_champion(params)
    options: dict[str, Any] = {"challenger": load_with_calls(params), "params": params, "progress": progress}
    result = make(tables, champion, as_of=day, made_at=made_at(), **options)
    past = put_on_record(tables, champion, result, code_version=code_version(), params=params, progress=progress)
    health = account_health(tables, day, params, progress)
    beside, waiting = _beside(tables, result, health, params)
    beside |= {} if past.bridge is None else {"forecast_bridge": past.bridge}
    names = _names(tables, result, params)
    places = write_everywhere(result, params, names, beside)
    acting, lacking = recommended_for(run, tables, champion, result, serve=serve)
    summary = {**result.describe(), "accounts": int(result.account_forecast["account_id"].nunique())}
    notes = [*result.notes, *past.notes, *health.notes, *waiting, *lacking, *_head_noted(params, champion.version)]
    if serve:
        file, moved_back = _serve(run, tables, champion, result, past, health, acting)
        summary |= {"megabytes": file.stat().st_size / 1e6, "file": str(file)}
        notes = [*moved_back, *notes]
    return {**summary, "notes": notes, **places}


def _head_noted(params: "Params", version: str) -> tuple[str, ...]:
    """Tag the model's version with the record's head; a note where the store does not answer any more."""
    from serving.ledger.chain.head import head_of
    from serving.ledger.record import open_record
    from training.tracking.errors import StoreUnreachable
    from training.tracking.in_charge import note_ledger_head

    with open_record(params) as record:
        head = head_of(record)
    try:
        note_ledger_head(params, version, head)
    except StoreUnreachable as error:
        return (f"The head of the record is not noted with the model: {error}",)
    return ()


def record_tables(run: Run, tables: "Tables", day: date) -> dict[str, Any]:
    """Make a forecast and put it on record, and no more: whoever publishes next adds what came of earlier ones."""
    from features.tables.opened import kept_open

    with kept_open(tables, run.params.budget) as opened:
        return _recorded_from(run, opened, day)


def _recorded_from(run: Run, tables: "Tables", day: date) -> dict[str, Any]:
    """The same from tables that stay open."""
    from serving.forecast.batch import forecast as make
    from serving.ledger.record import open_record
    from serving.ledger.recording import record_forecast
    from training.tracking.champion import load_champion, load_with_calls
    from training.tracking.runs import code_version

    params, progress = run.params, run.progress
    champion = load_champion(params)
    options: dict[str, Any] = {"challenger": load_with_calls(params), "params": params, "progress": progress}
    result = make(tables, champion, as_of=day, made_at=made_at(), with_reasons=False, **options)
    progress("putting the forecast on record", 0, 1)
    with open_record(params) as record:
        notes = record_forecast(record, tables, champion, result, params=params, code_version=code_version())
    about = {"run_id": result.run_id, "model_version": result.model_version, "notes": [*result.notes, *notes]}
    return about | {"accounts": int(result.account_forecast["account_id"].nunique())}


def recommended_for(
    run: Run, tables: "Tables", champion: "Champion", result: "Forecast", *, serve: bool
) -> tuple["Acting", tuple[str, ...]]:
    """What to do next, on record if it is served, and what if; that nothing can be recommended stops nothing."""
    from serving.actions.effects_told import effects_told
    from serving.actions.holdout_told import holdout_told
    from serving.actions.recommending import recommend
    from serving.actions.scenarios import preset_scenarios
    from serving.forecast.refusals import BadRequest
    from serving.forecast.stored_effects import read_effects
    from serving.publication.published_plays import Acting

    options: dict[str, Any] = {"as_of": result.as_of, "params": run.params, "progress": run.progress}
    recommended, why = None, tuple[str, ...]()
    try:
        recommended = recommend(tables, champion, **options, made_at=result.made_at)
    except BadRequest as refusal:
        why = (f"Nothing is recommended. {refusal}",)
    if serve:
        _acted_on_record(run, tables, recommended, result.as_of)
    options["planned"] = None if recommended is None else (recommended.plan, recommended.customers)
    scenarios, notes = preset_scenarios(tables, champion, **options)
    beside: dict[str, Any] = {
        "scenarios": scenarios,
        "effects": effects_told(read_effects(run.params.data_dir), result.as_of),
        "process": _reviewed(tables, champion, options) if serve else None,
    }
    if recommended is None:
        return Acting(**beside), (*why, *notes)
    beside["holdout"] = holdout_told(recommended, tables, run.params, result.as_of) if serve else None
    return Acting(recommended.table, recommended.about(), **beside), notes


def _acted_on_record(run: Run, tables: "Tables", recommended: "Recommendations | None", as_of: date) -> None:
    """Put on record what is recommended and who is in a holdout, and what came of what was recommended before."""
    from serving.actions.followed_up import follow_up
    from serving.actions.on_record import record_recommendations
    from serving.actions.withheld import record_enrolments
    from serving.ledger.record import open_record

    with open_record(run.params) as record:
        if recommended is not None:
            record_recommendations(record, recommended.table)
            record_enrolments(record, recommended.trial, recommended.names, run.params.actions, as_of)
        follow_up(record, tables, run.params, as_of)


def _reviewed(tables: "Tables", champion: "Champion", options: dict[str, Any]) -> dict[str, Any] | None:
    """The quarterly review; None where there is nothing to review."""
    from serving.forecast.refusals import BadRequest
    from serving.processes.review import process_review

    try:
        return process_review(tables, champion, **options)
    except BadRequest:  # why is among the notes of what is recommended
        return None


def _beside(
    tables: "Tables", result: "Forecast", health: "AccountHealth", params: "Params"
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tables that go with a forecast: health, and the alerts that are open once the rules are scored; and notes."""
    from serving.alerts.rule_scoring import longest_of, watch
    from serving.forecast.declared.column import names_of
    from serving.forecast.declared.output_tables import RUN_COLUMNS
    from serving.health.listed import health_table
    from serving.ledger.record import open_record

    stamp = {name: getattr(result, name) for name in names_of(RUN_COLUMNS)}
    with open_record(params) as record:
        alerts = watch(tables, result.as_of, params, record, longest_of(result.account_forecast))
    return {"health_score": health_table(health, stamp), **alerts.tables(stamp)}, alerts.notes


def _serve(
    run: Run,
    tables: "Tables",
    champion: "Champion",
    result: "Forecast",
    past: "Past",
    health: "AccountHealth",
    acting: "Acting | None",
) -> tuple[Path, list[str]]:
    """Publish the store that the service answers from; gives the file, and a note if it moved back."""
    from serving.kpis.behaviour_report import StayingReports
    from serving.kpis.customer_facts import customer_facts
    from serving.publication import gather, publication_file
    from serving.publication.insights import gather_insights
    from serving.publication.on_record import read_track
    from serving.publication.published_customers import CustomerFacts
    from training.tracking.model_card import model_card

    card = model_card(run.params, champion)
    staying = StayingReports(tables, result.as_of, run.params)
    customers = CustomerFacts(*customer_facts(tables, result.as_of, run.params, run.progress, staying=staying))
    track = read_track(run.params, run.progress)
    insights = gather_insights(tables, result.as_of, run.params, run.progress, staying=staying, champion=champion)
    publication = gather.gather(
        tables,
        champion,
        result,
        card=card,
        past=past,
        track=track,
        acting=acting,
        health=health,
        insights=insights,
        customers=customers,
        params=run.params,
        progress=run.progress,
    )
    store = publication_file.folder_of(run.params.data_dir)
    moved_back = _moved_back(publication_file.current_date(store), result.as_of)
    return publication_file.write(publication, store), moved_back


def _moved_back(before: date | None, as_of: date) -> list[str]:
    """That the service now answers from an earlier date than it did."""
    if before is None or as_of >= before:
        return []
    return [
        f"The service answered as of {before}, and now answers as of {as_of}, which is earlier. `holdfast publish` "
        "without --as-of takes it to the newest date again."
    ]


def _print_publication(console: "Console", summary: dict[str, Any]) -> None:
    notes = (f"Note: {note}" for note in summary["notes"])
    answers = f"The service answers from {summary['file']} ({summary['megabytes']:.1f} MB)"
    told = f"Published {summary['accounts']:,} accounts as of {summary['as_of']} by model version "
    told += f"{summary['model_version']}, run {summary['run_id']}"
    print_lines(console, [told, answers, _where(summary), *notes])


def made_at() -> datetime:
    """Now, or the time that SOURCE_DATE_EPOCH gives, for outputs that are the same byte for byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    seconds = int(epoch) if epoch and epoch.isdigit() else int(time.time())
    return datetime.fromtimestamp(seconds, tz=UTC)


class _NotStored(Exception):
    """Stops a look at what is stored where it would begin to make it."""


def _published(
    params: "Params", champion: "Champion", account: str, as_of: date | None
) -> "tuple[Forecast, tuple[str, str]] | None":
    """The published forecast and the account's id and name, if it and the stored tables are those of today's input.

    Nothing is written.
    """
    from features.inputs.load import load_tables
    from serving.forecast.one_account import named_account, published_forecast

    try:
        tables = load_tables(params, calls=calls_written(params), progress=_refuse_work).tables
    except _NotStored:
        return None
    day = as_of or tables.data_until
    who = named_account(tables, account, day, params)
    published = published_forecast(tables, champion, who[0], as_of=day, params=params)
    return None if published is None else (published, who)


def _refuse_work(what: str, done: int = 0, total: int = 0) -> None:
    """A progress that ends the work it is told of: what is not stored yet is then not made."""
    raise _NotStored


def _made_for(run: Run, champion: "Champion", account: str, as_of: date | None) -> "tuple[Forecast, tuple[str, str]]":
    """A forecast made for one account, and the account's id and name.

    What it needs is stored, so it waits for a run that writes.
    """
    from serving.forecast.one_account import account_forecast, named_account

    with only_writer(run.params.data_dir, EXPLAIN_WAITS_SECONDS, run.progress):
        tables = run.load().tables
        day = as_of or tables.data_until
        who = named_account(tables, account, day, run.params)
        result = account_forecast(
            tables, champion, who[0], as_of=day, params=run.params, made_at=made_at(), progress=run.progress
        )
        return result, who
