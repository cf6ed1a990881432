"""Calendar arithmetic on day numbers (days since 1970-01-01), vectorised, and random streams by purpose."""

import zlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

EPOCH = date(1970, 1, 1)
FAR = 1_000_000


def add_months(days: Ints, months: Ints | int) -> Ints:
    """The same day of the month, so many months later; the month's last day where it has no such day."""
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    first = month.astype("datetime64[D]").astype(np.int64)
    target = month.astype(np.int64) + months
    target_first = target.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    target_end = (target + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    shifted: Ints = target_first + np.minimum(days - first, target_end - target_first - 1)
    return shifted


def month_edges(ends_on: date, months: int) -> Ints:
    """Day numbers of the `months + 1` month boundaries that end at `ends_on`.

    Raises
    ------
    ValueError
        `ends_on` after the 28th: not every month has such a boundary.
    """
    if ends_on.day > 28:
        raise ValueError(f"ends_on is {ends_on}: take a day from 1 to 28, so that every month has it")
    last = np.full(months + 1, (ends_on - EPOCH).days, dtype=np.int64)
    return add_months(last, np.arange(-months, 1))


def as_date(day: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(day))


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """The random stream of one purpose: streams of different paths are independent."""
    keys = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=tuple(keys))))


@dataclass(frozen=True)
class Draws:
    """Draws for `rows` accounts, one stream a purpose, so that no purpose disturbs another."""

    seed: int
    path: tuple[int | str, ...]
    rows: int

    def uniform(self, purpose: str) -> Floats:
        """Uniform on [0, 1), one a row."""
        return generator(self.seed, *self.path, purpose).random(self.rows)

    def normal(self, purpose: str, rows: int | None = None) -> Floats:
        """Standard normal, one a row."""
        return generator(self.seed, *self.path, purpose).standard_normal(self.rows if rows is None else rows)
