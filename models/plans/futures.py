"""What the portfolio comes to in each simulated future, by the same futures for whatever is compared.

The dice are keyed by account, month and draw, so that two portfolios of the same accounts differ by what is changed and
not by chance: the difference has an interval of its own, much narrower than either's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import Prediction
from models.paths.simulate import Paths, PathSettings, in_chunks

Array = NDArray[np.float64]
METRICS = ("nrr", "grr", "logo_retention", "ending_arr", "churned_arr", "contracted_arr", "expanded_arr")
_LEVELS = {"p10": 0.1, "p90": 0.9}
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Futures:
    """A portfolio's figures.

    Attributes
    ----------
    draws
        Each metric by month ahead in each future, shape (months, draws).
    means
        Each metric's mean by month, shape (months,): of NRR, ending and churned ARR and logo retention without the
        accounts' dice.
    ends
        ARR of each account at the last month's end in each future, shape (accounts, draws); None unless asked for.
    """

    draws: Mapping[str, Array]
    means: Mapping[str, Array]
    ends: NDArray[np.float32] | None = None

    def summary(self, metric: str, months: int) -> dict[str, float]:
        """Mean and 80 % interval of a metric some months ahead."""
        return summed_up(float(self.means[metric][months - 1]), self.draws[metric][months - 1])

    def less(self, base: "Futures", metric: str, months: int) -> dict[str, float]:
        """The difference to another portfolio of the same accounts in the same futures, in the same way."""
        mean = float(self.means[metric][months - 1] - base.means[metric][months - 1])
        return summed_up(mean, self.draws[metric][months - 1] - base.draws[metric][months - 1])


def summed_up(mean: float, draws: Array) -> dict[str, float]:
    """Mean, and 10th and 90th percentile of some draws."""
    quantiles = np.quantile(draws, list(_LEVELS.values()))
    return {"mean": mean, **dict(zip(_LEVELS, map(float, quantiles), strict=True))}


def simulate_futures(
    prediction: Prediction,
    settings: PathSettings,
    *,
    months: int,
    growth: Array | None = None,
    threads: int = 1,
    keep_ends: bool = False,
) -> Futures:
    """Simulate a portfolio.

    Parameters
    ----------
    prediction
        Monthly hazards, with what a scenario changes in them.
    settings
        Draws and seed.
    months
        Months ahead.
    growth
        By what each account's ARR is multiplied at the end of each month beside what chance does, as a price does;
        shape (accounts, months or more); None: by 1.
    threads
        How many to use; the result does not depend on it.
    keep_ends
        Whether to keep each account's ARR at the end.
    """
    order = np.argsort(prediction.account, kind="stable")  # sums of another order would differ in their last digits
    ordered = prediction.rows(order)
    factor = np.ones((len(order), months)) if growth is None else growth[order, :months]

    def sums(paths: Paths) -> tuple[Array, Array, NDArray[np.float32] | None]:
        return _sums(ordered.arr[paths.rows], factor[paths.rows], paths, months, keep_ends=keep_ends)

    drawn, closed, ends = np.zeros((4, months, settings.draws)), np.zeros((3, months)), []
    for of_draws, of_means, of_ends in in_chunks(ordered, settings, sums, threads):
        drawn += of_draws
        closed += of_means
        ends.append(of_ends)
    draws = _metrics(drawn, float(ordered.arr.sum()), len(order))
    kept = np.concatenate([part for part in ends if part is not None])[np.argsort(order)] if keep_ends else None
    return Futures(draws, _means(draws, closed, float(ordered.arr.sum()), len(order)), kept)


def _sums(
    start: Array, factor: Array, paths: Paths, months: int, *, keep_ends: bool
) -> tuple[Array, Array, NDArray[np.float32] | None]:
    """A chunk's sums: ARR, ARR up to the start's, the ARR and the accounts that left, in each future; and means."""
    arr = paths.arr[:, :months] * factor[:, :, None]
    gone, before = arr == 0, start[:, None, None]
    drawn = np.stack(
        [arr.sum(axis=0), np.minimum(arr, before).sum(axis=0), (gone * before).sum(axis=0), gone.sum(axis=0)]
    )
    left = paths.left[:, :months]
    closed = np.stack([(paths.expected_arr[:, :months] * factor).sum(axis=0), start @ left, left.sum(axis=0)])
    return drawn, closed, arr[:, -1].astype(np.float32) if keep_ends else None


def _metrics(sums: Array, start: float, accounts: int) -> dict[str, Array]:
    end, capped, lost, gone = sums
    shrunk, grown = start - lost - capped, end - capped
    return {
        "nrr": end / start,
        "grr": capped / start,
        "logo_retention": 1 - gone / accounts,
        "ending_arr": end,
        "churned_arr": lost,
        "contracted_arr": np.where(shrunk < start * _ROUNDING, 0.0, shrunk),
        "expanded_arr": np.where(grown < start * _ROUNDING, 0.0, grown),
    }


def _means(draws: Mapping[str, Array], closed: Array, start: float, accounts: int) -> dict[str, Array]:
    end, lost, gone = closed
    known = {"nrr": end / start, "ending_arr": end, "churned_arr": lost, "logo_retention": 1 - gone / accounts}
    return {metric: known.get(metric, values.mean(axis=1)) for metric, values in draws.items()}
