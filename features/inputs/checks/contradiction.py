"""What a contradiction is: rows that can each be read, and cannot all be true."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contradiction:
    """A contradiction: `rows` are the table's rows (and what they are joined with) that show it.

    `rule` is its lasting name, `shown` the SQL of an example's text.
    """

    table: str
    column: str
    what: str
    todo: str
    rows: str
    shown: str
    rule: str = ""
