"""The book of contract lines that the company's dynamics write: lines opened, stopped early, given notice."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features.simulation.months import FAR, Ints

KINDS = ("new", "renewal", "upsell", "cross_sell", "downsell", "price_change")


@dataclass(frozen=True)
class Lines:
    """New lines: arrays of one length (`mrr` in cents of the account's currency)."""

    account: Ints
    product: Ints
    kind: Ints
    starts: Ints
    ends: Ints
    signed: Ints
    mrr: Ints
    seats: Ints


class LineBook:
    """A book that keeps nothing: replayed futures need no lines."""

    def open(self, lines: Lines) -> Ints:
        """Enter lines; their numbers."""
        return np.zeros(len(lines.account), dtype=np.int64)

    def end(self, numbers: Ints, days: Ints) -> None:
        """Enter the day on which lines stop early."""

    def notice(self, numbers: Ints, days: Ints) -> None:
        """Enter the day on which notice was given."""


@dataclass
class Recorder(LineBook):
    """A book that keeps all lines."""

    opened: list[Lines] = field(default_factory=list)
    ended: list[tuple[Ints, Ints]] = field(default_factory=list)
    noticed: list[tuple[Ints, Ints]] = field(default_factory=list)
    count: int = 0

    def open(self, lines: Lines) -> Ints:
        """Enter lines; their numbers."""
        numbers = np.arange(self.count, self.count + len(lines.account), dtype=np.int64)
        self.count += len(numbers)
        self.opened.append(lines)
        return numbers

    def end(self, numbers: Ints, days: Ints) -> None:
        """Enter the day on which lines stop early."""
        self.ended.append((numbers, days))

    def notice(self, numbers: Ints, days: Ints) -> None:
        """Enter the day on which notice was given."""
        self.noticed.append((numbers, days))

    def frame(self) -> pd.DataFrame:
        """All lines, with `ended` and `notice` (day numbers, `FAR` where there is none)."""
        names = Lines.__dataclass_fields__
        columns = {name: np.concatenate([getattr(lines, name) for lines in self.opened]) for name in names}
        return pd.DataFrame(columns | {"ended": self._days(self.ended), "notice": self._days(self.noticed)})

    def _days(self, entries: list[tuple[Ints, Ints]]) -> Ints:
        days = np.full(self.count, FAR, dtype=np.int64)
        for numbers, when in entries:
            days[numbers] = when
        return days
