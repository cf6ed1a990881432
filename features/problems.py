"""What is wrong with the input, said so that whoever reads it knows where it is and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One thing found in the input: where, what, in how many rows, and what to do.

    `what` goes on from the number of rows ("with a negative amount") or, where `rows` is 0, stands alone; `of` is
    the number of all rows that were looked at.
    """

    table: str
    what: str
    todo: str
    column: str = ""
    rows: int = 0
    of: int = 0
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The finding as one line."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        count = f"{self.rows:,} of {self.of:,} row{'s' if self.of != 1 else ''} " if self.rows else ""
        more = ", ..." if self.rows > len(self.examples) == EXAMPLES else ""
        shown = f" ({', '.join(self.examples)}{more})"
        return f"{place}: {count}{self.what}{shown if self.examples else ''}. {self.todo}"


class BadInput(Exception):
    """The input cannot be used. Its text is all that the user needs: every problem, and what to do.

    Parameters
    ----------
    problems
        All problems of all tables.
    """

    def __init__(self, problems: Sequence[Finding]) -> None:
        self.problems = tuple(problems)
        number = len(self.problems)
        head = f"The input has {number} problem{'s' if number != 1 else ''}. Nothing was written."
        lines = [f"  {index}. {problem}" for index, problem in enumerate(self.problems, start=1)]
        super().__init__("\n".join([head, *lines]))


class CannotOpen(Exception):
    """A table that is not where the settings say, or cannot be opened."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))
