"""Verbs of what to do: the next best action within the hours there are, and what would follow if."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.forecast import champion_of, made_at
from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run

if TYPE_CHECKING:
    from rich.console import Console


def actions(
    run: Run,
    as_of: AsOfDate = None,
    csm: Annotated[str | None, typer.Option("--csm", metavar="NAME", help="Only the book of this CSM")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Also write the table, as Parquet, CSV and XLSX")
    ] = None,
) -> None:
    """Recommend what to do next for each account, within each CSM's hours, by the ARR that it saves."""
    champion = champion_of(run)
    from serving.actions.recommending import recommend
    from serving.actions.told import actions_json, actions_lines, actions_table, capacity_table
    from serving.actions.written import write_tables
    from serving.forecast.declared.acting_tables import RECOMMENDED_ACTION

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        recommended = recommend(
            tables,
            champion,
            as_of=as_of or tables.data_until,
            params=run.params,
            made_at=made_at(),
            progress=run.progress,
        )
    content = actions_json(recommended, csm)
    if out is not None:
        write_tables([(RECOMMENDED_ACTION, recommended.table)], out, {"as_of": content["as_of"]})
        content["folder"] = str(out)

    def show(console: "Console") -> None:
        print_lines(console, actions_lines(content))
        console.print(actions_table(content))
        console.print(capacity_table(content))

    run.show(content, show)
