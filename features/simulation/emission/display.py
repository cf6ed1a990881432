"""What the tables are shown from: the recorded history, with ids, names and days that carry no information."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulation.history import History
from features.simulation.months import FAR, Bools, Floats, Ints, generator
from features.tables import contract

Names = npt.NDArray[np.object_]

_CSMS = ("Ada", "Ben", "Chloe", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ines", "Jon", "Kira", "Leo")
LATE_SHARE = 0.03
_RECORDED_SECONDS = 23 * 3600 + 1800  # the evening load: known from the next day's snapshot on


@dataclass(frozen=True)
class Display:
    """A recorded history and the ids under which it is shown."""

    history: History

    def generator(self, *path: int | str) -> np.random.Generator:
        """The random stream of one purpose of the emission, apart from those of the dynamics."""
        return generator(self.history.seed, "emission", *path)

    def state(self, name: str) -> Floats:
        """A recorded quantity `[month, account]`."""
        return self.history.states[name]

    @cached_property
    def account_ids(self) -> Names:
        """Ids in ascending order; which account comes first says nothing, as accounts are drawn alike."""
        return account_ids(self.history.seed, self.history.accounts)

    @cached_property
    def csm_names(self) -> Names:
        """Names of the CSMs."""
        names = [f"{_CSMS[i % len(_CSMS)]} {chr(65 + i // len(_CSMS) % 26)}." for i in range(self.history.company.csms)]
        return np.array(names, dtype=object)

    def csm_of(self, month: Ints, account: Ints) -> Names:
        """The name of each account's CSM in each month."""
        names: Names = self.csm_names[self.history.states["csm"][month, account]]
        return names

    @cached_property
    def live_from(self) -> Ints:
        """First day of each month's part in which the account is a customer `[month, account]`."""
        since = self.history.states["since"].astype(np.int64)
        return np.maximum(since, self.history.edges[:-1, None])

    @cached_property
    def live_until(self) -> Ints:
        """First day after that part; not after `live_from` where it is none."""
        until = self.history.states["until"].astype(np.int64)
        return np.minimum(until, self.history.edges[1:, None])

    @cached_property
    def live(self) -> Bools:
        """Whether the account is a customer on some day of the month `[month, account]`."""
        lives: Bools = self.live_until > self.live_from
        return lives

    def days_in(self, month: Ints, account: Ints, rng: np.random.Generator) -> Ints:
        """A random day of the customer's part of each month."""
        first, until = self.live_from[month, account], self.live_until[month, account]
        days: Ints = first + (rng.random(len(month)) * (until - first)).astype(np.int64)
        return days

    def recorded(self, days: Ints, rng: np.random.Generator, late_share: float = LATE_SHARE) -> Ints:
        """When rows became known (seconds since 1970): the same evening, a few days or weeks later for some."""
        late = rng.random(len(days)) < late_share
        delay = np.where(late, 1 + np.minimum(rng.geometric(0.12, len(days)), 40), 0)
        return (days + delay) * 86_400 + _RECORDED_SECONDS

    def known_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Without the rows that become known only after the data end."""
        end = np.datetime64(self.history.last_day * 86_400, "s")
        return frame.loc[(frame["recorded_at"] < end).to_numpy()].reset_index(drop=True)

    def past(self, days: Ints) -> npt.NDArray[np.datetime64]:
        """Dates, empty where they lie after the data."""
        return dates(np.where(days < self.history.last_day, days, FAR))


def account_ids(seed: int, accounts: int) -> Names:
    """The ids of all accounts, in ascending order."""
    return np.sort(codes(generator(seed, "emission", "account ids"), accounts, "A-"))


def codes(rng: np.random.Generator, count: int, prefix: str) -> Names:
    """Distinct random codes."""
    span = max(16**5, 4 * count)
    numbers = rng.choice(span, count, replace=False, shuffle=True)
    return np.array([f"{prefix}{number:06x}" for number in numbers], dtype=object)


def named(names: Sequence[str | None], positions: Ints) -> Names:
    """The name at each position."""
    return np.array(names, dtype=object)[positions]


def dates(days: Ints) -> npt.NDArray[np.datetime64]:
    """Day numbers as dates at midnight; `FAR` (and beyond) is empty."""
    stamps: npt.NDArray[np.datetime64] = np.where(days >= FAR, np.datetime64("NaT", "D"), days.astype("datetime64[D]"))
    return stamps.astype("datetime64[s]")


def times(seconds: Ints) -> npt.NDArray[np.datetime64]:
    """Seconds since 1970 as timestamps."""
    return seconds.astype("datetime64[s]")


def conform(name: str, frame: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """The frame with the contract's columns in the contract's order, its rows sorted."""
    columns = [column for column in contract.TABLES[name].names if column in frame]
    return frame[columns].sort_values(order, kind="stable", ignore_index=True)
