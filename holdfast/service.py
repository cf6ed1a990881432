"""Verbs of the service: answer from what is published, and who may ask."""

import os
import sys
from typing import Annotated

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import Failure, Run

TOKEN = "HOLDFAST_TOKEN"


def serve(
    run: Run,
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="In place of serving.host")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="NUMBER", help="In place of serving.port; 0 = any")
    ] = None,
) -> None:
    """Answer from what is published: pages, API and downloads, until it is stopped (Ctrl+C)."""
    if run.erasures_due:
        with only_writer(run.params.data_dir):
            run.finish_erasures()
    from serving.service.start import prepare, replace_process, with_sign_in

    options = {"host": host, "port": port}
    start = with_sign_in(prepare(run.params, {name: value for name, value in options.items() if value is not None}))
    run.show(start.to_json(), lambda console: print_lines(console, start.lines()))
    sys.stdout.flush()
    replace_process(start)


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
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=36_500, metavar="DAYS", help="How long it is valid")
    ] = None,
) -> None:
    """Issue, list or revoke the tokens that the service asks for."""
    from serving.access.token_desk import work

    content, lines = work(run.params, action, name, role=role, csm=csm, days=days)
    run.show(content, lambda console: print_lines(console, lines))


def mcp(run: Run) -> None:
    """Answer an assistant, by MCP on standard input and output, as the token in HOLDFAST_TOKEN may see."""
    from serving.assistant.server import MISSING, is_installed
    from serving.service.standalone import answer_on_stdio, open_desk

    if not is_installed():
        raise Failure(MISSING)
    answer_on_stdio(open_desk(run.params, os.environ.get(TOKEN, ""), TOKEN), os.environ[TOKEN])
