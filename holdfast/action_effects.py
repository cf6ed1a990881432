"""Verbs of acting: what actions change."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.model import require_store
from holdfast.output import figure, print_lines
from holdfast.run import Run, day_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from features.tables.checked import Tables
    from params import Params
    from training.effects.study import EffectsResult

COLUMNS = ("kind", "level", "done", "accounts", "churn", "95 %", "expansion", "ARR", "verdict", "needed")
FIGURES = (
    "One more done action in the month after a month start, later ones as usual: points of 12-month churn, of accounts "
    "that grow, and of ARR a year later, of those it was done with. The interval holds an allowance for hidden "
    "confounding."
)


def effects(
    run: Run,
    first: Annotated[date | None, day_option("--from", "Learn from this month start on [default: all]")] = None,
    last: Annotated[date | None, day_option("--to", "Learn from month starts before this day [default: all]")] = None,
    doubleml: Annotated[
        bool, typer.Option("--doubleml", help="Also ask DoubleML for the same estimates (needs the extra effects)")
    ] = False,
) -> None:
    """Estimate what each kind of action changes, try to refute it, and say what may be concluded."""
    from serving.forecast.refusals import BadRequest

    if first is not None and last is not None and first >= last:
        raise BadRequest(f"--from {first} is not before --to {last}: put the earlier day first.")
    _require_doubleml(wanted=doubleml)
    require_store(run.params)
    with only_writer(run.params.data_dir):
        result, report = estimated(run, run.load().tables, first, last, with_doubleml=doubleml)
    content = effects_json(result, report)
    run.show(content, lambda console: _print(console, result, report))


def _require_doubleml(*, wanted: bool) -> None:
    """Refuse before the work where the library is wanted and not installed."""
    from serving.forecast.refusals import BadRequest
    from training.effects.doubleml_check import has_doubleml

    if wanted and not has_doubleml():
        raise BadRequest(
            "--doubleml asks for the library DoubleML, which is not installed: pip install 'holdfast[effects]', or "
            "leave --doubleml away. The effects themselves do not need it."
        )


def estimated(
    run: Run,
    tables: "Tables",
    first: date | None = None,
    last: date | None = None,
    *,
    with_doubleml: bool = False,
) -> "tuple[EffectsResult, Path]":
    """Estimate and store the effects; gives them and their report."""
    from serving.forecast.stored_effects import write_effects
    from training.effects.study import estimate_effects

    params: Params = run.params
    result = estimate_effects(
        tables, params=params, first=first, last=last, with_doubleml=with_doubleml, progress=run.progress
    )
    made_at = datetime.now(tz=UTC)
    run_id = result.record.run_id
    report = write_effects(
        params.data_dir,
        result.effects,
        run_id=run_id,
        as_of=result.as_of,
        made_at=made_at,
        page=result.page,
        takes_charge=first is None and last is None,
    )
    return result, report


def effects_of_a_night(run: Run, tables: "Tables") -> tuple[bool, dict[str, Any]]:
    """Estimate the effects where that is due; whether it was done, and what came of it or why not."""
    from features.tables.problems import BadInput
    from models.effects.action_effect import NOT_KNOWN
    from serving.forecast.stored_effects import read_effects

    stored = read_effects(run.params.data_dir)
    reason = _not_due(stored.as_of if stored else None, tables.data_until, run.params.effects.every_months)
    if reason:
        return False, {"reason": reason}
    try:
        result, report = estimated(run, tables)
    except BadInput as refused:  # too few actions for any kind is no failure of the night
        return False, {"reason": "; ".join(finding.what for finding in refused.problems)}
    known = sum(effect.verdict != NOT_KNOWN for effect in result.effects)
    return True, {"kinds": len(result.effects), "known": known, "report": str(report)}


def _not_due(newest: date | None, day: date, months: int) -> str:
    """Why effects are not estimated as of a day; empty if they are."""
    if months == 0:
        return "effects.every_months is 0"
    if newest is None:
        return ""
    if newest > day:
        return f"effects as of {newest} are there, which is later"
    next_day = _months_after(newest, months)
    return "" if day >= next_day else f"effects are there as of {newest}; the next are due from {next_day}"


def _months_after(day: date, months: int) -> date:
    """The first day of the month so many months after a day's."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


def effects_json(result: "EffectsResult", report: "Path") -> dict[str, Any]:
    """The effects for machines."""
    from models.effects.conclusions import CAUTIONS, sentences

    return {
        "as_of": result.as_of.isoformat(),
        "run_id": result.record.run_id,
        "report": str(report),
        "trials": result.trials,
        "accounts": result.accounts,
        "from": result.first.isoformat(),
        "to": result.last.isoformat(),
        "conclusions": sentences(result.effects),
        "cautions": list(CAUTIONS),
        "rows": [effect.to_json() for effect in result.effects],
    }


def _print(console: "Console", result: "EffectsResult", report: "Path") -> None:
    from models.effects.conclusions import CAUTIONS, sentences

    console.print(_listed(result))
    print_lines(console, [FIGURES, "", *sentences(result.effects), "", *CAUTIONS, f"Report: {report}"])


def _listed(result: "EffectsResult") -> "Table":
    from rich.table import Table

    grid = Table(*COLUMNS)
    for effect in result.effects:
        interval = "-" if effect.low is None else f"{effect.low:+.1f} to {effect.high:+.1f}"
        grid.add_row(
            effect.action,
            effect.level,
            f"{effect.treated_rows:,}",
            f"{effect.treated_accounts:,}",
            figure(effect.churn_points, "+.1f"),
            interval,
            figure(effect.expansion_points, "+.1f"),
            figure(effect.arr_points, "+.1f"),
            effect.verdict,
            figure(effect.rows_needed, ",d"),
        )
    return grid
