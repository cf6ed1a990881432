"""The verbs that tell others, from what is published: webhooks, Slack and Teams, warehouses and files."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import OUTBOX, only_writer
from holdfast.output import print_lines
from holdfast.run import Refused, Run
from models.words import counted

if TYPE_CHECKING:
    from params import Params
    from serving.outlets.write_back import Tables

WAIT_SECONDS = 30.0  # for another run that delivers


def deliver(
    run: Run,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go where; nothing is sent or put down")
    ] = False,
) -> None:
    """Tell the targets of the settings what is news, and try again what nobody took."""
    content = preview(run.params) if dry_run else delivered(run.params)
    run.show(content, lambda console: print_lines(console, lines_of(content)))
    if not dry_run and content["waiting"] + content["given_up"]:
        raise Refused(f"{counted(content['waiting'] + content['given_up'], 'message')} did not arrive; see above.")


def preview(params: "Params") -> dict[str, Any]:
    """What would go where."""
    from serving.outlets.deliveries import messages_of, now
    from serving.outlets.latest_news import latest_news

    messages = messages_of(latest_news(params, now()), params)
    return {"dry_run": True, "targets": sorted(params.deliver.targets), "rows": [dict(vars(one)) for one in messages]}


def delivered(params: "Params") -> dict[str, Any]:
    """Put what is news into the outbox and send what is due there; one run at a time.

    Raises
    ------
    SettingsError
        An address or a secret is not there.
    Failure
        Another run is delivering.
    """
    from serving.ledger.record import open_record
    from serving.outlets import outbox
    from serving.outlets.deliveries import messages_of, now, require_addresses, send_due
    from serving.outlets.latest_news import latest_news

    require_addresses(params)
    with only_writer(params.data_dir, wait_seconds=WAIT_SECONDS, name=OUTBOX), open_record(params) as record:
        queued = outbox.put(record, messages_of(latest_news(params, now()), params), now())
        rows = send_due(record, params)
        waiting = [one for one in outbox.everything(record) if one.state == outbox.WAITING]
    states = [row.state for row in rows]
    return {
        "queued": queued,
        "delivered": states.count(outbox.DELIVERED),
        "given_up": states.count(outbox.GIVEN_UP),
        "waiting": len(waiting),
        "rows": [row.to_json() for row in rows],
    }


def lines_of(content: dict[str, Any]) -> list[str]:
    """The result in lines."""
    if content.get("dry_run"):
        if not content["targets"]:
            return ["Nobody is told: deliver.targets is empty (docs/delivering.md)."]
        rows = content["rows"]
        head = f"{counted(len(rows), 'message')} would go out; what was delivered before is not sent again."
        return [head, *(f"  {row['target']}: {row['event']} {row['message_id']}\n    {row['body']}" for row in rows)]
    head = f"{counted(content['delivered'], 'message')} delivered, {content['waiting']} waiting."
    return [head, *(_line(row) for row in content["rows"])]


def _line(row: dict[str, Any]) -> str:
    why = f": {row['error']}, tried {counted(row['attempts'], 'time')}" if row["error"] else ""
    return f"  {row['target']}: {row['event']} {row['state']}{why}"


def writeback(
    run: Run,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written where; nothing is changed")
    ] = False,
    dbt: Annotated[
        Path | None,
        typer.Option("--dbt", metavar="FOLDER", help="Also write sources and an exposure for dbt into this folder"),
    ] = None,
) -> None:
    """Write the newest published forecast back: tables in warehouses, files of changed rows (write_back)."""
    from serving.forecast.refusals import BadRequest

    if dbt is not None and not dbt.is_dir():
        raise BadRequest(f"--dbt {dbt}: give a folder that is there.")
    with only_writer(run.params.data_dir, wait_seconds=WAIT_SECONDS, name=OUTBOX):
        tables = _published(run.params)
        rows = [row for name in run.params.write_back for row in _written(run.params, name, tables, dry_run=dry_run)]
        files = [] if dbt is None or dry_run else _dbt(run.params, tables, dbt)
    content = {"dry_run": dry_run, "run_id": tables.run["run_id"], "as_of": tables.run["as_of"], "rows": rows}
    run.show(content | {"dbt": files}, lambda console: print_lines(console, _written_lines(content, files)))


def _published(params: "Params") -> "Tables":
    """The newest published forecast, with the tables beside it."""
    from serving.forecast import export
    from serving.forecast.declared.output_tables import TABLES
    from serving.forecast.refusals import NoPublication
    from serving.outlets.write_back import Tables

    forecasts = params.data_dir / "forecasts"
    days = sorted(file.name for file in forecasts.glob("????-??-??"))
    forecast = export.read_published(forecasts, date.fromisoformat(days[-1])) if days else None
    if forecast is None:
        raise NoPublication("There is no published forecast that is whole: run `holdfast publish`.")
    frames = {**forecast.tables, **export.read_beside(forecasts / days[-1])}
    about = forecast.describe()
    run = {name: str(about[name]) for name in ("run_id", "as_of", "model_version", "made_at")}
    declared = {**TABLES, **export.BESIDE}
    return Tables({name: declared[name] for name in frames}, frames, run)


def _written(params: "Params", name: str, tables: "Tables", *, dry_run: bool) -> list[dict[str, Any]]:
    from params_outlets import FilesOutlet, SparkOutlet
    from serving.outlets.changed_rows import deliver_files
    from serving.outlets.spark_tables import write_to_spark
    from serving.outlets.write_back import write_back

    outlet = params.write_back[name]
    if isinstance(outlet, FilesOutlet):
        kept = params.data_dir / "outlets"
        return deliver_files(outlet, name, tables.declared, tables.frames, kept, dry_run=dry_run)
    if isinstance(outlet, SparkOutlet):
        return write_to_spark(outlet, name, tables, params.budget, dry_run=dry_run)
    return write_back(outlet, name, tables, dry_run=dry_run)


def _dbt(params: "Params", tables: "Tables", folder: Path) -> list[str]:
    from params_outlets import SparkOutlet, WarehouseOutlet
    from serving.outlets.dbt_source import SOURCE, dbt_files

    schemas = [one.schema_name for one in params.write_back.values() if isinstance(one, WarehouseOutlet | SparkOutlet)]
    contents = dbt_files(tables.declared, schemas[0] if schemas else SOURCE)
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [str(folder / name) for name in contents]


def _written_lines(content: dict[str, Any], files: list[str]) -> list[str]:
    if not content["rows"]:
        lines = ["Nothing is written back: write_back is empty (docs/delivering.md)."]
    else:
        lines = [f"Run {content['run_id']} as of {content['as_of']}:"]
        lines += [f"  {row['target']}: {row['table']}, {row['rows']:,} rows, {row['state']}" for row in content["rows"]]
    return [*lines, *(f"Written: {file}" for file in files)]
