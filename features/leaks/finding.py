"""What a search for leaks tells: findings in three grades, and what was looked at without finding any."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "predicts too well",
    "attribute without history",
    "scheduled end filled in later",
    "recorded late",
    "recorded before it happened",
    "not said when recorded",
    "bulk load",
    "recorded in hindsight",
    "filled in place",
    "outside the contract",
]
Grade = Literal["leak", "risk", "cut"]


@dataclass(frozen=True, kw_only=True)
class Leak:
    """One thing found.

    Parameters
    ----------
    kind
        What sort of thing it is.
    grade
        `leak`: the past shows what was known only later, and no cut by date can tell; `risk`: the data do not say
        when it was known, or say something odd; `cut`: the as-of cut deals with it, and a cut by event date would not.
    table, column
        Where.
    what
        What the data show. It goes on from the number of rows or, where `rows` is 0, stands alone.
    backtest
        What it would do, or does, to a backtest.
    todo
        What to do.
    rows, of
        How many of how many `unit`s show it.
    examples
        Up to five.
    feature
        The feature that carries it, where it is one.
    figures
        The measured numbers behind it.
    """

    kind: Kind
    grade: Grade
    table: str
    what: str
    backtest: str
    todo: str
    column: str = ""
    rows: int = 0
    of: int = 0
    unit: str = "rows"
    examples: tuple[str, ...] = ()
    feature: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Table and column."""
        return f"{self.table}.{self.column}" if self.column else self.table

    def __str__(self) -> str:
        """Where, how many and what, with examples."""
        count = f"{self.rows:,} of {self.of:,} {self.unit} " if self.rows else ""
        examples = f" ({', '.join(self.examples)})" if self.examples else ""
        return f"{self.place}: {count}{self.what}{examples}."


@dataclass(frozen=True)
class Known:
    """A fact of the renewal calendar that rightly foretells churn: `left` of `rows` snapshot rows left soon after."""

    fact: str
    rows: int
    left: int

    def __str__(self) -> str:
        """The fact and what came of it."""
        return f"{self.fact} ({self.left:,} of {self.rows:,} left)"


@dataclass(frozen=True)
class Strongest:
    """The single column that tells most of churn among those that are no leak."""

    column: str
    auc: float
    low: float
    high: float
    lift: float

    def __str__(self) -> str:
        """Column, AUC with its interval and lift."""
        return f"{self.column} {self.auc:.2f} [{self.low:.2f}, {self.high:.2f}], lift {self.lift:.1f}"


@dataclass(frozen=True)
class Leaks:
    """The outcome of a search.

    `looked_at` says what the predictions were tried on, `not_told` what could not be looked at and why.
    """

    found: tuple[Leak, ...]
    known: tuple[Known, ...]
    strongest: tuple[Strongest, ...]
    looked_at: str
    not_told: tuple[str, ...]

    def of_grade(self, grade: Grade) -> tuple[Leak, ...]:
        """The findings of one grade."""
        return tuple(leak for leak in self.found if leak.grade == grade)

    @property
    def leaking_features(self) -> tuple[str, ...]:
        """The features that carry a leak."""
        return tuple(leak.feature for leak in self.of_grade("leak") if leak.feature)

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)
