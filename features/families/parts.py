"""The parts of features: each one column that the engine makes an account and snapshot, as data.

A sum in a window, distinct things, a running state, the newest answer, ... Parts are declared once and shared: features
that need the same part do not cost twice, and all parts of one stream of rows come from one pass over it. A new part
needs an emitter in `features.snapshots.compiler` and the modules beside it.
"""

from dataclasses import dataclass
from typing import Literal

from features.tables.via import Via


@dataclass(frozen=True)
class Stream:
    """Rows of one table that happen on a day, seen by a snapshot as `AsOf.events` lets them.

    Parameters
    ----------
    name
        Prefix of its work tables.
    table
        The table of the contract.
    columns
        What is read of a row: columns, or `expression AS name`; nothing that is filled in later than `day`.
    needs
        Columns it cannot do without, as `table.column`.
    day
        SQL of the date it happens on; None for the table's own event day.
    where
        Condition on a row.
    active
        Condition on a row under which its day, user or feature counts as active.
    few
        The column with few distinct values, if any, that is counted in the same pass as the sums.
    via
        Whose rows alone are read, and known only once those people are.
    """

    name: str
    table: str
    needs: tuple[str, ...]
    columns: tuple[str, ...] = ()
    day: str | None = None
    where: str = "TRUE"
    active: str = "TRUE"
    few: str = ""
    via: Via | None = None


@dataclass(frozen=True)
class Measure:
    """A whole number of each row of a stream; `scale` is how many make one of its unit."""

    stream: Stream
    name: str
    sql: str = "1"
    scale: int = 1


@dataclass(frozen=True)
class Sum:
    """A measure added up over the window of `window_days` that ends `ago_days` before the snapshot."""

    stream: Stream
    name: str
    sql: str
    window_days: int
    ago_days: int = 0

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_{self.name}_{self.window_days}" + (f"_{self.ago_days}" if self.ago_days else "")


@dataclass(frozen=True)
class ActiveDays:
    """How many days of a window saw an active row."""

    stream: Stream
    window_days: int
    ago_days: int = 0

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_days_{self.window_days}" + (f"_{self.ago_days}" if self.ago_days else "")


@dataclass(frozen=True)
class LastDay:
    """The newest day of a window with a row that fulfils a condition, as a day number."""

    stream: Stream
    window_days: int
    name: str
    where: str

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_last_{self.name}_{self.window_days}"


@dataclass(frozen=True)
class Few:
    """How many distinct values of a column with few of them (parts of a product, playbooks) were active in a window.

    With `before_days`, only those that were not active in so many days before the window.
    """

    stream: Stream
    key: str
    window_days: int
    before_days: int = 0

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_{self.key}_{self.window_days}" + (
            f"_new_{self.before_days}" * bool(self.before_days)
        )


@dataclass(frozen=True)
class Many:
    """Distinct values of a column with many of them (users) over a window: how many, or on how many days each.

    `counted` is `seen` (how many were active), `days` (their active days, added up) or `often` (how many were active
    on at least `often_days` days). The windows of `days` and `often` hold at most 60 days.
    """

    stream: Stream
    key: str
    window_days: int
    counted: Literal["seen", "days", "often"] = "seen"
    often_days: int = 0

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_{self.key}_{self.counted}_{self.window_days}" + (
            f"_{self.often_days}" * (self.counted == "often")
        )


@dataclass(frozen=True)
class OfEach:
    """A measure added up over a window for each distinct value of a column with few of them.

    `counted` is `largest` (the sum of the value that has most) or `all` (that of all of them together). A stream of its
    own, with few windows, keeps the days in few slices.
    """

    stream: Stream
    key: str
    name: str
    sql: str
    window_days: int
    counted: Literal["largest", "all"]

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_{self.name}_{self.counted}_{self.window_days}"


@dataclass(frozen=True)
class State:
    """A running aggregate over all rows known: it holds until another row changes it."""

    stream: Stream
    name: str
    aggregate: Literal["MAX", "MIN", "SUM"]
    sql: str

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_{self.name}"


@dataclass(frozen=True)
class Balance:
    """A running count of what was opened less what was closed."""

    opened: Stream
    closed: Stream | None
    name: str
    sql: str = "1"

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.opened.name}_{self.name}"


@dataclass(frozen=True)
class Newest:
    """A value of the newest row of a window (`place` 1), or of the one before it (2), of those with a certain `per`."""

    stream: Stream
    name: str
    sql: str
    window_days: int
    place: int = 1
    per: str = ""
    per_sql: str = "''"

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.stream.name}_{self.name}_{self.per or 'any'}_{self.window_days}_{self.place}"


@dataclass(frozen=True)
class Line:
    """An aggregate over the account's contract lines as known."""

    name: str
    sql: str

    @property
    def column(self) -> str:
        """Its column."""
        return f"line_{self.name}"


@dataclass(frozen=True)
class Step:
    """An aggregate over the account's contract lines in force so far, each beside the one of its product before it."""

    name: str
    sql: str

    @property
    def column(self) -> str:
        """Its column."""
        return f"step_{self.name}"


Part = Sum | ActiveDays | LastDay | Few | Many | OfEach | State | Balance | Newest | Line | Step
WINDOWED = (Sum, ActiveDays, LastDay, Few)
