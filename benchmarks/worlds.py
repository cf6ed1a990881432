"""The simulated worlds that forecasts are held against, and how the truth about each is asked for.

`first` is the product's own simulator. `second` is that of tests/worlds, by other rules, written without knowing what
the model assumes: what is chosen by looking at the first is reported on both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import params as settings
from features.simulation.truth import replay
from params import Params
from tests.worlds.oracle import replay_second
from tests.worlds.second_world import World, written

Array = NDArray[np.float64]


class Truth(Protocol):
    """What either world's oracle gives: (account, month ahead) of accounts, (future, month ahead) of the whole."""

    account_ids: tuple[str, ...]
    churn_probability: Array
    contraction_probability: Array
    expansion_probability: Array
    nrr: Array
    grr: Array
    logo_retention: Array


@dataclass(frozen=True)
class Worlds:
    """The worlds to forecast: how many, from which seed on, how large, and from how many dates, months apart."""

    count: int
    first_seed: int
    accounts: int
    months: int
    origins: int
    apart: int
    kind: str = "first"
    more_settings: tuple[str, ...] = ()

    def params(self, folder: Path, seed: int) -> Params:
        """Settings of one of them, whose tables are there."""
        return _PARAMS[self.kind](self, folder, seed)

    def truth(self, params: Params, seed: int, as_of: date, *, horizon_months: int, futures: int) -> Truth:
        """What will be, as far as the hidden state of that day tells."""
        ends_on = params.simulated.ends_on
        company = {"accounts": self.accounts, "months": self.months, "ends_on": ends_on, "seed": seed}
        ask = {"first": replay, "second": replay_second}[self.kind]
        return ask(**company, as_of=as_of, horizon_months=horizon_months, futures=futures)


def _first(worlds: Worlds, folder: Path, seed: int) -> Params:
    size = [f"simulated.accounts={worlds.accounts}", f"simulated.months={worlds.months}", "threads=1"]
    return settings.load(None, [f"seed={seed}", f"data_dir={folder / str(seed)}", *size, *worlds.more_settings])


def _second(worlds: Worlds, folder: Path, seed: int) -> Params:
    params = _first(worlds, folder, seed)
    ends_on = params.simulated.ends_on
    tables = folder / str(seed) / "world"
    written(tables, World(worlds.accounts, worlds.months, ends_on, seed))
    source = ["source.kind=files", f"source.path={tables}", f"source.data_until={ends_on}", "threads=1"]
    return settings.load(None, [f"seed={seed}", f"data_dir={folder / str(seed)}", *source, *worlds.more_settings])


_PARAMS: dict[str, Callable[[Worlds, Path, int], Params]] = {"first": _first, "second": _second}
KINDS = tuple(_PARAMS)
