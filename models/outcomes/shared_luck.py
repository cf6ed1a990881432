"""The luck that all accounts of a month share: market, prices, outages.

Intervals that treat accounts as independent are too narrow, and a forecast that forgets how the last months went is
off. What moved all log-odds of an outcome in month u is a hidden state

    luck_u = level + x_u,    x_u = persistence * x_(u-1) + noise,

seen through the events of each month beside the probabilities that were predicted for them: `models.outcomes
.luck_posterior` learns where it stands, and how it moves. Here it is carried into the months ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from models.outcomes.keyed_draws import Purpose, normals, streams

Array = NDArray[np.float64]
CHURN, CONTRACTION, EXPANSION = range(3)
_OUTCOME_NAMES = ("churn", "contraction", "expansion")
_STATE_NAMES = tuple(f"{part} of {outcome}" for part in ("level", "state") for outcome in _OUTCOME_NAMES)


@dataclass(frozen=True)
class LuckState:
    """One setting of the process, and where its state stands after the last month seen.

    Attributes
    ----------
    mean, covariance
        Of (level, x) of churn, contraction and expansion: the three levels first, shapes (6,) and (6, 6).
    sd, persistence
        Of each outcome's x: its standard deviation in the long run, and its correlation from month to month.
    correlation
        Of the noise of churn and expansion.
    gain
        Of each outcome: see `MonthCounts.gain`.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    sd: tuple[float, ...]
    persistence: tuple[float, ...]
    correlation: float
    gain: tuple[float, ...] = (1.0, 1.0, 1.0)

    def shifts(self, start: Array, noise: Array) -> Array:
        """Shifts of the months after the last one seen, shape (months, 3, draws).

        From standard normals: `start`, shape (6, draws), of the state after the last month seen, and `noise`, shape
        (months, 3, draws), of the months since.
        """
        state = np.array(self.mean)[:, None] + _root(np.array(self.covariance)) @ start
        level, x = state[:3], state[3:]
        persistence = np.array(self.persistence)[:, None]
        mixing = np.array(self.sd)[:, None] * np.sqrt(1 - persistence**2) * _root(noise_correlation(self.correlation))
        shift = np.empty_like(noise)
        for month, news in enumerate(noise):
            x = persistence * x + mixing @ news
            shift[month] = level + x
        return shift

    def shift(self, ahead: NDArray[np.int64], gain: Array) -> Array:
        """Mean and half the variance, times `gain`, of the shifts so many months ahead, shape (months, 3)."""
        fading = np.array(self.persistence) ** ahead
        covariance = np.array(self.covariance)
        level, x, covariances = (
            np.diagonal(part) for part in (covariance[:3, :3], covariance[3:, 3:], covariance[:3, 3:])
        )
        new = np.array(self.sd) ** 2 * (1 - fading**2)
        variance = level + 2 * fading * covariances + fading**2 * x + new
        return np.asarray(np.array(self.mean[:3]) + fading * np.array(self.mean[3:]) + gain * variance / 2)


@dataclass(frozen=True)
class SharedLuck:
    """The posterior of the luck that months share, as equally likely states; none of them: no shared luck."""

    states: tuple[LuckState, ...] = ()

    def draw(self, months: int, draws: int, *, seed: int, first_month: int, gap_months: int = 0) -> Array:
        """Shifts of all accounts' log-odds of churn, contraction and expansion in the months ahead.

        Parameters
        ----------
        months, draws
            How many.
        seed
            A draw's luck in a calendar month depends on the seed, the draw and the month alone, beside the states.
        first_month
            The first calendar month ahead.
        gap_months
            Months that have passed between the last one the luck was learned from and the first one ahead.

        Returns
        -------
        ndarray of shape (months, 3, draws)
        """
        shift = np.zeros((months, 3, draws))
        if self.states:
            start = normals(seed, streams(_STATE_NAMES), 0, Purpose.PARAMETER, draws=draws)
            calendar = np.arange(first_month - gap_months, first_month + months)
            noise = _monthly_normals(seed, calendar, draws)
        for number, state in enumerate(self.states):
            part = np.s_[..., number :: len(self.states)]
            shift[part] = state.shifts(start[part], noise[part])[gap_months:]
        return shift

    def expected(self, months: int, *, gap_months: int = 0) -> Array:
        """The shift that makes as many events expected as all shifts of a month ahead do, shape (months, 3)."""
        return self._mean(months, gap_months, [np.array(state.gain) for state in self.states])

    def log_mean_odds(self, months: int, *, gap_months: int = 0) -> Array:
        """Logarithm of what odds are multiplied by on average in the months ahead, shape (months, 3)."""
        return self._mean(months, gap_months, [np.ones(3)] * len(self.states))

    def _mean(self, months: int, gap_months: int, gains: Sequence[Array]) -> Array:
        ahead = np.arange(1, months + 1)[:, None] + gap_months
        parts = [state.shift(ahead, gain) for state, gain in zip(self.states, gains, strict=True)]
        return np.asarray(logsumexp(parts, axis=0) - np.log(len(parts))) if parts else np.zeros((months, 3))

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [dict(vars(state)) for state in self.states]

    @classmethod
    def from_dict(cls, content: Sequence[dict[str, Any]]) -> Self:
        """The luck of `to_dict`."""
        return cls(
            tuple(
                LuckState(
                    mean=tuple(item["mean"]),
                    covariance=tuple(tuple(row) for row in item["covariance"]),
                    sd=tuple(item["sd"]),
                    persistence=tuple(item["persistence"]),
                    correlation=item["correlation"],
                    gain=tuple(item["gain"]),
                )
                for item in content
            )
        )


def noise_correlation(value: float) -> Array:
    """Correlations of the outcomes' noise, shape (3, 3), where those of churn and expansion have that one."""
    matrix = np.eye(3)
    matrix[CHURN, EXPANSION] = matrix[EXPANSION, CHURN] = value
    return matrix


def _root(covariance: Array) -> Array:
    """The symmetric matrix whose square is the covariance, which may be singular.

    It changes little where the covariance does, as other roots need not: the same draws stay near where they were.
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def _monthly_normals(seed: int, calendar: NDArray[np.int64], draws: int) -> Array:
    """Standard normals of each calendar month and outcome, shape (months, 3, draws)."""
    outcome, month = np.tile(streams(_OUTCOME_NAMES), calendar.size), np.repeat(calendar, 3)
    return normals(seed, outcome, month, Purpose.SHARED_LUCK, draws=draws).reshape(calendar.size, 3, draws)
