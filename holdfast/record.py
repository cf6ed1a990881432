"""The verb of the record: the bridge between two forecasts."""

from datetime import date
from typing import Annotated

import typer

from holdfast.lock import only_writer
from holdfast.run import Run, day_option


def bridge(
    run: Run,
    start: Annotated[date, day_option("--from", "Date of the earlier forecast")],
    end: Annotated[date, day_option("--to", "Date of the later forecast")],
    by: Annotated[str | None, typer.Option("--by", metavar="COLUMN", help="Also by a column of accounts")] = None,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="To the later forecast's own window and cohort, not the earlier one's")
    ] = False,
    shapley: Annotated[
        bool, typer.Option("--shapley", help="Also what data, market and model are worth over all orders of steps")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=0, help="Accounts with a line of their own")] = 10,
) -> None:
    """Show why the forecast changed between two dates, step by step and account by account, to the cent."""
    from holdfast.printed.bridge import print_bridge
    from serving.forecast.refusals import BadRequest
    from serving.ledger.bridging.answer import bridge_json
    from serving.ledger.bridging.recorded import recorded_bridge
    from serving.ledger.record import open_record

    if start > end:
        raise BadRequest(f"--from {start} lies after --to {end}: put the earlier forecast first.")
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        run.progress("making each step's forecast anew")
        with open_record(run.params) as record:
            between = recorded_bridge(
                record, start, end, tables=tables, params=run.params, rolling=rolling, all_orders=shapley
            )
    content = bridge_json(between, by=by, top=top)
    run.show(content, lambda console: print_bridge(console, content))
