"""The verb that begins: look at a company's exports, and write the settings that read them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.output import command, print_lines
from holdfast.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from features.inputs.recipes.proposal import Proposal
    from features.inputs.recipes.shape import Match
    from features.inputs.recipes.unknown import Guess

OUT = Path("mine.yaml")


def init(
    run: Run,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Exported files, or a DuckDB database")],
    tools: Annotated[
        str | None,
        typer.Option("--from", metavar="TOOL,TOOL", help="Look for these tools alone, such as stripe,hubspot"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the settings")] = OUT,
    usage_priced: Annotated[
        bool, typer.Option("--usage-priced", help="Customers buy without a contract: ARR is 4 x the last quarter")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the settings file if there is one")] = False,
) -> None:
    """Look at a folder of exports, recognise them, and write the settings that read them."""
    from features.inputs.recipes.proposal import propose
    from features.inputs.recipes.settings_text import settings_text
    from serving.forecast.refusals import BadRequest

    if out.exists() and not force:
        raise BadRequest(f"{out} exists already. Give another file with --out, or --force to replace it.")
    run.progress(f"looking at {folder}")
    only = _tools(tools)
    proposal = propose(
        folder,
        run.params.budget,
        only=only,
        as_usage_priced=usage_priced,
        day_first=run.params.source.day_first,
        decimal_comma=run.params.source.decimal_comma,
    )
    out.write_text(settings_text(proposal, folder), encoding="utf-8")
    run.show(_json(proposal, out), lambda console: _print(console, proposal, out))


def _tools(text: str | None) -> tuple[str, ...]:
    """The tools that are named; an unknown one is refused."""
    from features.inputs.recipes.proposal import SOURCES
    from serving.forecast.refusals import BadRequest

    names = tuple(name.strip().lower() for name in (text or "").split(",") if name.strip())
    unknown = [name for name in names if name not in SOURCES]
    if unknown:
        raise BadRequest(f"--from {', '.join(unknown)}: there is no recipe. There are: {', '.join(SOURCES)}.")
    return names


def _json(proposal: "Proposal", out: Path) -> dict[str, Any]:
    """What was seen, what is proposed and what is open."""
    matches = (*proposal.matches, *proposal.left_out)
    seen = [_seen(match, match.shape.source, match.shape.name, used=match.shape.is_read) for match in matches]
    seen += [_seen(guess, "unknown", guess.table, used=True, confidence=guess.confidence) for guess in proposal.guesses]
    return {
        "tables": seen,
        "mapping": {name: _draft_json(proposal, name) for name in proposal.tables},
        "questions": list(proposal.questions),
        "joins": [asdict(link) | {"confidence": link.confidence} for link in proposal.links],
        "currency": proposal.currency,
        "currencies": dict(proposal.currencies),
        "unread": list(proposal.survey.unread),
        "settings": str(out),
    }


def _seen(sheet: "Match | Guess", source: str, shape: str, *, used: bool, confidence: float = 1.0) -> dict[str, Any]:
    """What one file is taken for."""
    return {
        "file": sheet.sheet.name,
        "source": source,
        "shape": shape,
        "rows": sheet.sheet.rows,
        "used": used,
        "columns": dict(sheet.columns),
        "unrecognised": list(sheet.unrecognised),
        "confidence": confidence,
    }


def _draft_json(proposal: "Proposal", name: str) -> dict[str, Any]:
    draft = proposal.tables[name]
    return {
        "source": draft.source,
        "files": list(draft.sheets),
        "rows": proposal.rows[name],
        "columns": list(draft.columns),
        "why": list(draft.why),
        "confidence": draft.confidence,
        "query": draft.query,
    }


def _print(console: "Console", proposal: "Proposal", out: Path) -> None:
    """What was recognised, what becomes of it, and what to do next."""
    from rich.table import Table

    seen = Table("file", "is", "rows", "columns not recognised")
    for match in proposal.matches:
        seen.add_row(match.sheet.name, f"{match.shape.source} {match.shape.name}", f"{match.sheet.rows:,}",
                     str(len(match.unrecognised)))  # fmt: skip
    for guess in proposal.guesses:
        sure = f"{guess.table}, {guess.confidence:.0%} sure"
        seen.add_row(guess.sheet.name, sure, f"{guess.sheet.rows:,}", str(len(guess.unrecognised)))
    for match in proposal.left_out:
        seen.add_row(
            match.sheet.name, f"{match.shape.source} {match.shape.name}: not read", f"{match.sheet.rows:,}", ""
        )
    console.print(seen)
    mapping = Table("table", "from", "rows", "columns")
    for name, draft in proposal.tables.items():
        mapping.add_row(name, ", ".join(draft.sheets), f"{proposal.rows[name]:,}", ", ".join(draft.columns))
    console.print(mapping)
    print_lines(console, [f"Joined: {link}" for link in proposal.links])
    if proposal.questions:
        print_lines(console, ["To answer, since the files do not tell:"])
        print_lines(console, [f"  {number}. {question}" for number, question in enumerate(proposal.questions, start=1)])
    print_lines(console, [f"Wrote {out}. Next: {command('check', '--params', str(out))}"])
