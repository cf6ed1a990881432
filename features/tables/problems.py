"""What is wrong with the input, said so that whoever reads it knows where it is and what to do."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

EXAMPLES = 5
TABLES_STORED = "The checked tables were stored, but nothing of the step after."
SNAPSHOTS_STORED = "The checked tables and the snapshots were stored, but nothing of the step after."


@dataclass(frozen=True)
class Finding:
    """One thing found in the input: where, what, in how many rows, and what to do.

    `what` goes on from the number of rows ("with a negative amount") or, where `rows` is 0, stands alone; `of` is
    the number of all rows that were looked at, `unit` what is counted if not rows. `rule` is the lasting name of what
    was looked for, and `detail` holds lines to be shown below.
    """

    table: str
    what: str
    todo: str
    column: str = ""
    rows: int = 0
    of: int = 0
    examples: tuple[str, ...] = ()
    rule: str = ""
    unit: str = "row"
    detail: str = ""

    @property
    def message(self) -> str:
        """Where, how many and what, without what to do; control characters are shown escaped."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        count = f"{self.rows:,} of {self.of:,} {self.unit}{'s' if self.of != 1 else ''} " if self.rows else ""
        more = ", ..." if self.rows > len(self.examples) == EXAMPLES else ""
        examples = f" ({', '.join(self.examples)}{more})"
        return _escaped(f"{place}: {count}{self.what}{examples if self.examples else ''}.")

    def __str__(self) -> str:
        """The finding as one line, and its detail below; control characters, such as of a header, are escaped."""
        line = f"{self.message} {_escaped(self.todo)}"
        return "\n      ".join([line, *map(_escaped, self.detail.splitlines())])

    def to_json(self) -> dict[str, Any]:
        """The same for machines, with the `message` besides its parts."""
        return asdict(self) | {"rule": self.rule or _slug(self.what), "message": self.message}


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


def _slug(what: str) -> str:
    """The first words of a finding as a name, for one that has none of its own."""
    return "_".join(re.findall("[a-z]+", what.lower())[:6])


def _counted(findings: Sequence[Finding], what: str) -> str:
    return f"{len(findings)} {what}{'s' if len(findings) != 1 else ''}"


def _numbered(findings: Sequence[Finding]) -> list[str]:
    return [f"  {index}. {finding}" for index, finding in enumerate(findings, start=1)]


class CannotOpen(Exception):
    """A table that is not where the settings say, or cannot be opened."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


class NoRate(ValueError):
    """Revenue cannot be added up: a line in force has a currency that has no rate by then. Its text says it all."""

    def __init__(self, finding: Finding) -> None:
        self.problems = (finding,)
        super().__init__(str(finding))


class DiskFull(Exception):
    """There is no space left on the disk; nothing is wrong with the input."""
