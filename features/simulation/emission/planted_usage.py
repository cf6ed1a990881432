"""Use that is planted: two features that young accounts take up, and the champions' own use.

How many users take up `invites` in an account's first months goes with the account's hidden level, and so with whether
it renews; who takes up `templates` goes with nothing. Neither causes anything. A champion uses the product about every
seventh working day, falls silent some weeks before leaving, and leaves no trace after.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display
from features.simulation.emission.product_users import FEATURES, Users
from features.simulation.emission.stakeholders import champion_ids, champions_of, people_of
from features.simulation.months import Bools, Ints, generator
from features.simulation.state import expit

GOES_WITH_RENEWAL, GOES_WITH_NOTHING = "invites", "templates"
ALL_FEATURES = (*FEATURES, GOES_WITH_RENEWAL, GOES_WITH_NOTHING)
SILENT_DAYS = 60  # before a champion leaves, use fades within about so many
_CHAMPION_CHANCE = 0.14


@dataclass(frozen=True)
class Planted:
    """Rows by position: of accounts, of `users.ids` and then `user_ids`, and of `ALL_FEATURES`; days as day numbers."""

    account: Ints
    day: Ints
    user: Ints
    feature: Ints
    recorded: Ints
    user_ids: pd.Index

    def between(self, first: int, until: int) -> "Planted":
        """Those of some days."""
        rows = np.flatnonzero((self.day >= first) & (self.day < until))
        return self.of(rows)

    def of(self, rows: Ints | Bools) -> "Planted":
        """Those at some places."""
        cells = {name: getattr(self, name)[rows] for name in ("account", "day", "user", "feature", "recorded")}
        return replace(self, **cells)


def plant(display: Display, users: Users) -> Planted:
    """All rows that are planted, of days on which their account is a customer."""
    champions = champions_of(people_of(display))
    parts = [_taken_up(display, users, place) for place in (0, 1)]
    parts.append(_of_champions(display, champions, len(users.ids)))
    account, day, user, feature = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    rng = display.generator("planted", "recorded")
    recorded = display.recorded(day, rng)
    state = display.history.company.state
    keep = (day >= state.since[account]) & (day < state.until[account]) & (day >= display.history.first_day)
    keep &= recorded < display.history.last_day * 86_400
    return Planted(account, day, user, feature, recorded, pd.Index(champion_ids(display, champions))).of(keep)


def _taken_up(display: Display, users: Users, place: int) -> tuple[Ints, Ints, Ints, Ints]:
    """One user of an account after the other tries the feature in the account's first months."""
    rng, profile = display.generator("planted", ALL_FEATURES[len(FEATURES) + place]), display.history.company.profile
    pull = expit(0.2 + 1.8 * profile.level) if place == 0 else np.full(display.history.accounts, 0.5)
    seats = np.minimum(_first_users(display, users), 6)
    account = np.repeat(np.arange(len(seats)), seats)
    seat = np.arange(len(account)) - np.repeat(np.cumsum(seats) - seats, seats)
    takes = np.flatnonzero(rng.random(len(account)) < pull[account])
    account, seat = account[takes], seat[takes]
    first = profile.joins[account] + 3 + rng.exponential(35.0, len(account)).astype(np.int64)
    times_each = 1 + rng.poisson(1.5, len(account))
    rows = np.repeat(np.arange(len(account)), times_each)
    later = rng.integers(0, 21, len(rows))
    day: Ints = first[rows] + np.where(np.diff(rows, prepend=-1) > 0, 0, later)
    feature = np.full(len(rows), len(FEATURES) + place)
    return account[rows], day, (users.offset[account] + seat)[rows], feature


def _first_users(display: Display, users: Users) -> Ints:
    """How many users each account has in its first month: later ones would tell how long it stays."""
    first = display.live.argmax(axis=0)
    enrolled: Ints = users.enrolled[first, np.arange(len(first))]
    return np.where(display.live.any(axis=0), np.minimum(enrolled, np.diff(users.offset)), 0)


def _of_champions(display: Display, champions: pd.DataFrame, first_user: int) -> tuple[Ints, Ints, Ints, Ints]:
    """The champions' own use, which fades before they leave."""
    joined = np.maximum(champions["joined"].to_numpy(), display.history.first_day)
    left, last_day = champions["left"].to_numpy(), display.history.last_day
    days_there = np.maximum(np.minimum(left, last_day) - joined, 0)
    rows = np.repeat(np.arange(len(champions)), days_there)
    day: Ints = joined[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(days_there) - days_there, days_there)
    ahead = np.clip((left[rows] - day) / SILENT_DAYS - 0.5, 0, 1)
    working = ((day + 3) % 7) < 5
    rng = generator(display.history.seed, "emission", "planted", "champions")
    used = np.flatnonzero(rng.random(len(rows)) < _CHAMPION_CHANCE * ahead * working)
    account = champions["account"].to_numpy()[rows[used]]
    return account, day[used], first_user + rows[used], np.zeros(len(used), dtype=np.int64)
