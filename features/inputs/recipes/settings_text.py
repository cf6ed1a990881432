"""A proposal as a settings file: only what differs from the defaults, each with why, and what is still open."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from features.inputs.recipes.kit import Draft
from features.inputs.recipes.proposal import Proposal

WIDTH = 116
DEFAULT_CURRENCY = "USD"
DEFAULT_CUTS = ("segment", "region", "csm")


def settings_text(proposal: Proposal, folder: Path, version: str = "") -> str:
    """The settings file, as YAML with comments.

    Parameters
    ----------
    folder
        The folder as it was given: a path relative to where the commands run stays one.
    """
    lines = [
        *_comment(
            f"Settings of Holdfast for the files in {folder}, proposed by `holdfast init`. Whatever is not here has "
            "its default (params.yaml). Next: `holdfast check --params` this file."
        ),
        *_questions(proposal.questions),
        "",
        "source:",
        f"  kind: {proposal.survey.kind}",
        f"  path: {json.dumps(str(proposal.survey.path))}  # if the files move, change this line alone",
        *_data_until(proposal),
        *_habits(proposal),
        *_parts(proposal),
        "",
        "  tables:",
    ]
    for name, draft in proposal.tables.items():
        lines += _table(name, draft, proposal.rows[name])
    lines += _rest(proposal)
    lines += ["", *_unrecognised(proposal)]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _comment(text: str, indent: int = 0) -> list[str]:
    return [f"{' ' * indent}# {line}" for line in textwrap.wrap(text, WIDTH - indent - 2, break_on_hyphens=False)]


def _questions(questions: Sequence[str]) -> list[str]:
    if not questions:
        return []
    lines = ["#", "# To answer, since the files do not tell:"]
    for number, question in enumerate(questions, start=1):
        lines += _comment(f"{number}. {question}")
    return lines


def _data_until(proposal: Proposal) -> list[str]:
    """Where the data end, if nothing but the billing tool tells."""
    if proposal.until is None:
        return []
    why = "The newest day of the export: terms run on beyond it, and nothing else tells. Take it anew with each export."
    return [*_comment(why, 2), f"  data_until: {proposal.until}"]


def _habits(proposal: Proposal) -> list[str]:
    """How days and numbers are written, as it was given."""
    lines = [] if proposal.habits.day_first is None else [f"  day_first: {json.dumps(proposal.habits.day_first)}"]
    return lines + (["  decimal_comma: true"] if proposal.habits.decimal_comma else [])


def _parts(proposal: Proposal) -> list[str]:
    """The parts that queries share, each join with the share that it matches."""
    if not proposal.parts:
        return []
    joins = {f"account_of_{link.kind}": str(link) for link in proposal.links}
    lines = ["", *_comment("Pieces of SQL: a query that writes {name} has it in place.", 2), "  parts:"]
    for name, part in proposal.parts.items():
        lines += _comment(joins[name], 4) if name in joins else []
        lines += [f"    {name}: |", *textwrap.indent(part, " " * 6).splitlines()]
    return lines


def _table(name: str, draft: Draft, rows: int) -> list[str]:
    """One table: where it comes from, why so, and its query."""
    lines = _comment(f"{name}: {rows:,} rows from {', '.join(draft.sheets)} ({draft.source})", 4)
    for reason in draft.why:
        lines += _comment(reason, 4)
    return [*lines, f"    {name}:", "      query: |", *textwrap.indent(draft.query, " " * 8).splitlines()]


def _rest(proposal: Proposal) -> list[str]:
    """Settings outside of `source`."""
    revenue = []
    if proposal.currency != DEFAULT_CURRENCY:
        count = proposal.currencies[proposal.currency]
        revenue = [f"  currency: {proposal.currency}  # {count:,} lines; the others need rates in it"]
    if proposal.usage_priced:
        revenue.append("  grace_days: 0  # nothing renews: a stream that stops has stopped")
    lines = ["", "revenue:", *revenue] if revenue else []
    if proposal.usage_priced:
        lines += ["", "model:", "  min_change: 0.1  # purchases sway: less than a tenth is no expansion or contraction"]
    if proposal.cuts != DEFAULT_CUTS:
        cuts = ", ".join(proposal.cuts)
        lines += ["", "forecast:", f"  cuts: [{cuts}]  # those of segment, region and csm that accounts have"]
    return lines


def _unrecognised(proposal: Proposal) -> list[str]:
    """Columns and files that nothing was made of: they are listed, not guessed."""
    named_columns = [(match.sheet.name, match.unrecognised) for match in proposal.matches]
    named_columns += [(guess.sheet.name, guess.unrecognised) for guess in proposal.guesses]
    lines = []
    if any(columns for _, columns in named_columns):
        lines += ["# Columns that were not recognised, and are not read:"]
        for name, columns in named_columns:
            lines += _hanging(f"{name}: {', '.join(columns)}") if columns else []
    if proposal.left_out:
        names = (f"{match.sheet.name} ({match.shape.source} {match.shape.name})" for match in proposal.left_out)
        lines += ["# Payments, which are no recurring revenue, and are not read:", *_hanging(", ".join(names))]
    others = _unused(proposal)
    if others:
        lines += ["# Files that were not recognised:", *(line for other in others for line in _hanging(other))]
    return lines


def _hanging(text: str) -> list[str]:
    return [f"#   {line}" for line in textwrap.wrap(text, WIDTH - 4, break_on_hyphens=False)]


def _unused(proposal: Proposal) -> list[str]:
    """Sheets of no use, and files that could not be read."""
    used = {name for match in (*proposal.matches, *proposal.left_out) for name in match.sheet.names}
    used |= {guess.sheet.name for guess in proposal.guesses}
    used |= {sheet for draft in proposal.tables.values() for sheet in draft.sheets}
    sheets = [sheet for sheet in proposal.survey.sheets if sheet.name not in used]
    return [f"{sheet.name}: {_some(sheet.types)}" for sheet in sheets] + [*proposal.survey.unread]


def _some(columns: Iterable[str]) -> str:
    names = list(columns)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
