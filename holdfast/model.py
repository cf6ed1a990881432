"""Verbs of the model: train it, test it on past dates, list its versions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.lock import only_writer
from holdfast.output import figure, print_lines
from holdfast.run import Refused, Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from params import Params
    from training.tracking.versions import Version

COLUMNS = ("version", "alias", "as of", "recipe", "tested by", "on", "months", "log-loss", "AUC", "CRPS", "80 % held")
FIGURES = "Log-loss and AUC of churn, CRPS of NRR in points, share of past dates whose NRR the 80 % interval held."


def train(
    run: Run,
    promote: Annotated[
        bool,
        typer.Option("--promote", help="Compare a new recipe with the champion's on past dates; promote it if it wins"),
    ] = False,
    tune: Annotated[bool, typer.Option("--tune", help="Search better settings first, as tune.enabled does")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace-unreadable", help="Take charge where the champion's files are missing or damaged"),
    ] = False,
    accept_leaks: Annotated[
        bool,
        typer.Option("--accept-leaks", help="Promote even where a leak was found; forecasts will say so"),
    ] = False,
) -> None:
    """Fit the outcome models, test them out of time, record them, and decide whether they take charge."""
    require_store(run.params)
    from training.fit import train as fit

    params = _tuning(run.params) if tune else run.params
    with only_writer(params.data_dir):
        tables = run.load().tables
        result = fit(
            tables,
            params=params,
            may_contest=promote,
            replace_unreadable=replace,
            accept_leaks=accept_leaks,
            progress=run.progress,
        )
    run.show(result.to_json(), lambda console: print_lines(console, result.lines()))
    if result.suspicion.refuses:
        raise Refused(f"Not promoted: {result.suspicion.reason}. Correct it, or accept it with --accept-leaks.")


def models(
    run: Run,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Put the version that was in charge before in charge again")
    ] = False,
    in_charge: Annotated[
        str | None, typer.Option("--in-charge", metavar="VERSION", help="Put this version in charge")
    ] = None,
) -> None:
    """List the versions of the model: which is in charge, by what recipe, and how it did out of time."""
    from training.tracking.store import require_answer

    require_answer(run.params)  # before the imports, which take longer
    from training.tracking.versions import versions_of

    moved = _put_in_charge(run, in_charge, rollback=rollback) if rollback or in_charge is not None else {}
    versions = versions_of(run.params)
    content = {"model": run.params.model.name, "versions": [version.to_json() for version in versions], **moved}
    run.show(content, lambda console: _print_versions(console, run.params, versions))


def _put_in_charge(run: Run, version: str | None, *, rollback: bool) -> dict[str, str]:
    """Put a version in charge, or the one before; gives which took over from which."""
    from serving.forecast.refusals import BadRequest
    from training.tracking.in_charge import put_in_charge

    if rollback and version is not None:
        raise BadRequest("Give --rollback or --in-charge VERSION, not both.")
    with only_writer(run.params.data_dir):
        before, now = put_in_charge(run.params, version or "")
    return {"was_in_charge": before, "in_charge": now}


def backtest(
    run: Run,
    parts_and_age: Annotated[
        bool,
        typer.Option("--parts-and-age", help="Instead: what each family of features is worth, and what age costs"),
    ] = False,
) -> None:
    """Forecast from past dates and compare with what happened, and with naive forecasts."""
    require_store(run.params)
    if parts_and_age:
        _parts_and_age(run)
        return
    from training.backtest.rolling import backtest as rolling

    with only_writer(run.params.data_dir):
        result = rolling(run.load().tables, params=run.params, progress=run.progress)
    run.show(result.to_json(), lambda console: print_lines(console, result.lines()))


def _parts_and_age(run: Run) -> None:
    """Fit without each family of features, and models of other ages, at the past dates of the backtest."""
    from training.backtest.parts_and_age import parts_and_age

    with only_writer(run.params.data_dir):
        result = parts_and_age(run.load().tables, params=run.params, progress=run.progress)
    run.show(result.to_json(), lambda console: print_lines(console, result.lines()))


def require_store(params: "Params") -> None:
    """Ask the tracking store whether it is there, before work that is lost if it is not.

    Raises
    ------
    StoreUnreachable
        It does not answer, or is no store.
    """
    from training.tracking.store import require_answer

    require_answer(params)  # before the imports, which take longer
    from training.tracking.runs import require_store as require_tables

    require_tables(params)


def _tuning(params: "Params") -> "Params":
    """The settings with tuning on."""
    return params.model_copy(update={"tune": params.tune.model_copy(update={"enabled": True})})


def _print_versions(console: "Console", params: "Params", versions: "Sequence[Version]") -> None:
    """A line a version with its record, and beneath it why it is in charge or not."""
    if not versions:
        console.print(f"No version of {params.model.name} is registered yet: run `holdfast train`.")
        return
    console.print(_versions_listed(versions))
    lines = [f"Version {version.version}: {version.promotion}." for version in versions if version.promotion]
    print_lines(console, [FIGURES, *lines])


def _versions_listed(versions: "Sequence[Version]") -> "Table":
    from rich.table import Table

    grid = Table(*COLUMNS)
    for version in versions:
        record = version.record
        figures = (
            figure(record.horizon_months, "d"),
            figure(record.log_loss, ".4f"),
            figure(record.auc, ".3f"),
            figure(record.nrr_crps, ".2f"),
            figure(record.coverage_80, ".0%"),
        )
        names = (version.version, ", ".join(version.aliases), version.as_of, version.recipe)
        grid.add_row(*names, record.tested_by, record.tested_on, *figures)
    return grid
