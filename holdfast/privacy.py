"""Verbs of privacy: take an account or a person out of all that is kept."""

from contextlib import suppress
from typing import Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import Run


def erase(
    run: Run,
    account: Annotated[str | None, typer.Argument(metavar="ACCOUNT", help="The account's id")] = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="ID", help="A contact's id instead")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="ID", help="The id of a user of the product")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Take out all who were erased before, as after restoring a backup")
    ] = False,
) -> None:
    """Take an account or a person out of all that is kept, and out of whatever is read later."""
    from features.forgetting.suppression import ACCOUNT, CONTACT, USER
    from serving.forecast.refusals import BadRequest

    ids = {kind: name for kind, name in ((ACCOUNT, account), (CONTACT, contact), (USER, user)) if name is not None}
    if len(ids) + again != 1:
        raise BadRequest("Say whom to erase, one at a time: ACCOUNT, --contact ID or --user ID; or --again.")
    with only_writer(run.params.data_dir):
        _read(run)  # so that an id of the newest data is known
        content, lines = _again(run) if again else _erase(run, *ids.popitem())
        _read(run)
    run.show(content, lambda console: print_lines(console, lines))


def _read(run: Run) -> None:
    """Read the source; what is wrong with it is told by the verbs that need it."""
    from features.tables.problems import BadInput, CannotOpen

    with suppress(BadInput, CannotOpen):
        run.load()


def _erase(run: Run, kind: str, name: str) -> tuple[dict[str, Any], list[str]]:
    from serving.forgetting.erasing import STAYS, erase

    result = erase(run.params, kind, name, run.progress)
    content = {"kind": kind, "already": result.already, "counts": dict(result.counts), "stays": list(STAYS[kind])}
    return content, result.lines()


def _again(run: Run) -> tuple[dict[str, Any], list[str]]:
    from features.forgetting.suppression import read_suppressed
    from serving.forgetting.erasing import changes_told, sweep

    counts = sweep(run.params, read_suppressed(run.params), run.progress)
    return {"counts": counts}, [changes_told(counts)]
