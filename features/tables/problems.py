"""What is wrong with the input, said so that whoever reads it knows where it is and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

EXAMPLES = 5
TABLES_STORED = "The checked tables were stored, but nothing of the step after."
SNAPSHOTS_STORED = "The checked tables and the snapshots were stored, but nothing of the step after."


@dataclass(frozen=True)
class Finding:
    """One thing found in the input: where, what, in how many rows, and what to do.

    `what` goes on from the number of rows ("with a negative amount") or, where `rows` is 0, stands alone; `of` is
    the number of all rows that were looked at. `rule` names what was looked for, where machines want to know, and
    `detail` holds lines to be shown below.
    """

    table: str
    what: str
    todo: str
    column: str = ""
    rows: int = 0
    of: int = 0
    examples: tuple[str, ...] = ()
    rule: str = ""
    detail: str = ""

    def __str__(self) -> str:
        """The finding as one line, and its detail below; control characters, such as of a header, are escaped."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        count = f"{self.rows:,} of {self.of:,} row{'s' if self.of != 1 else ''} " if self.rows else ""
        more = ", ..." if self.rows > len(self.examples) == EXAMPLES else ""
        examples = f" ({', '.join(self.examples)}{more})"
        line = f"{place}: {count}{self.what}{examples if self.examples else ''}. {self.todo}"
        return "\n      ".join(map(_escaped, [line, *self.detail.splitlines()]))


class BadInput(Exception):
    """The input cannot be used. Its text is all that the user needs: every problem, and what to do.

    Parameters
    ----------
    problems
        All problems of all tables.
    warnings
        What else was found, and could be lived with.
    stored
        What has been written by then, as a sentence.
    """

    def __init__(
        self, problems: Sequence[Finding], warnings: Sequence[Finding] = (), *, stored: str = "Nothing was written."
    ) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        lines = [f"The input has {_counted(self.problems, 'problem')}. {stored}", *_numbered(self.problems)]
        if self.warnings:
            lines += [f"And {_counted(self.warnings, 'warning')}:", *_numbered(self.warnings)]
        super().__init__("\n".join(lines))


def _escaped(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _counted(findings: Sequence[Finding], what: str) -> str:
    return f"{len(findings)} {what}{'s' if len(findings) != 1 else ''}"


def _numbered(findings: Sequence[Finding]) -> list[str]:
    return [f"  {index}. {finding}" for index, finding in enumerate(findings, start=1)]


class CannotOpen(Exception):
    """A table that is not where the settings say, or cannot be opened."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


class DiskFull(Exception):
    """There is no space left on the disk; nothing is wrong with the input."""
