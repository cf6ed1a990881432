"""The verb that tells others: webhooks, Slack and Teams, from what is published."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import OUTBOX, only_writer
from holdfast.output import print_lines
from holdfast.run import Refused, Run
from models.words import counted

if TYPE_CHECKING:
    from params import Params

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
