"""What a rule of the check is: a condition on a row, what is said of it, and what becomes of the row."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What becomes of a row that breaks a rule."""

    ERROR = "error"
    ROW = "row"
    VALUE = "value"
    KEPT = "kept"


@dataclass(frozen=True)
class Rule:
    """One thing that may not be: `bad` is true on a staged row that breaks it, `shown` is the example's text.

    `name` is the rule's lasting name.
    """

    column: str
    what: str
    todo: str
    bad: str
    shown: str
    level: Level
    is_missing: bool = False
    is_silent: bool = False
    is_orphan: bool = False
    name: str = ""
