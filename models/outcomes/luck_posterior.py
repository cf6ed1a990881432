"""The posterior of the luck that months share, from the events of each month beside those predicted.

That of a Gaussian process with the covariance of the luck (level + first-order autoregression) and the likelihood of
the events, by Laplace's method (Rasmussen and Williams 2006, algorithms 3.1 and 5.1). Spread and persistence are not
known either: they are integrated over a grid, weighted by evidence and prior. The noise of churn and that of expansion
may go together; their correlation is integrated over in the same way.

A prediction learned from many months is the mean over their luck, not what is to be expected at luck 0, and odds gain
more by good luck than they lose by bad. So the level is put where, in the long run, as many events are to be expected
as in the months seen, however widely luck spreads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import expit

from models.outcomes.shared_luck import CHURN, EXPANSION, LuckState, SharedLuck, noise_correlation

Array = NDArray[np.float64]
STATES = 16  # settings of spread, persistence and correlation that the futures are divided among
_SDS = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8])
_PERSISTENCES = np.array([0.0, 0.5, 0.75, 0.85, 0.92, 0.97])
_CORRELATIONS = np.array([-0.8, -0.4, 0.0, 0.4, 0.8])
_BINS = 50
_NEWTON_STEPS = 30
_CLOSE = 1e-7


@dataclass(frozen=True)
class MonthCounts:
    """An outcome's events by month, and the accounts at risk in bins of their predicted log-odds.

    Attributes
    ----------
    events
        Shape (months,).
    at_risk
        Shape (months, bins).
    log_odds
        Of each bin, shape (bins,).
    """

    events: Array
    at_risk: Array
    log_odds: Array

    def fit(self, luck: Array) -> tuple[float, Array, Array]:
        """Log-likelihood of the events under a shift a month, its gradient and its curvature, shape (months,)."""
        margin = self.log_odds + luck[:, None]
        chance = expit(margin)
        likelihood = float(self.events @ luck - (self.at_risk * np.logaddexp(0, margin)).sum())
        expected = (self.at_risk * chance).sum(axis=1)
        return likelihood, self.events - expected, (self.at_risk * chance * (1 - chance)).sum(axis=1)

    @property
    def gain(self) -> float:
        """Luck of variance v raises the events expected as a shift of `gain * v / 2` does, to second order; 1: rare."""
        chance, rows = expit(self.log_odds), self.at_risk.sum(axis=0)
        slope = rows * chance * (1 - chance)
        return float(slope @ (1 - 2 * chance)) / float(slope.sum()) if slope.any() else 1.0

    def long_run(self, excess: Array) -> float:
        """Logarithm of events expected by those predicted, where `excess` came beyond those expected, (months,)."""
        expected = float((self.events - excess).sum())
        return float(np.log(expected / (self.at_risk @ expit(self.log_odds)).sum())) if expected > 0 else 0.0


def count_months(
    log_odds: Array, event: Array, month: NDArray[np.int64], *, months: int, weight: Array | None = None
) -> MonthCounts:
    """Count events and accounts at risk by month.

    Parameters
    ----------
    log_odds, event
        Predicted log-odds and 0/1 outcome, a row an account and month, shape (rows,).
    month
        The month of each row, from 0 to `months` - 1.
    months
        How many months.
    weight
        How much each row counts, shape (rows,); one each by default.
    """
    weight = np.ones(event.size) if weight is None else weight
    edges = np.unique(np.quantile(log_odds, np.arange(1, _BINS) / _BINS)) if log_odds.size else np.empty(0)
    place = np.searchsorted(edges, log_odds, side="right")
    cell = month * _BINS + place
    at_risk = _sums(cell, weight, months * _BINS).reshape(months, _BINS)
    rows = at_risk.sum(axis=0)
    # The bin's mean probability, and not its mean log-odds, keeps the expected number of events as it is.
    expected = _sums(place, weight * expit(log_odds), _BINS)
    chance = np.clip(expected / np.where(rows > 0, rows, 1), 1e-9, 1 - 1e-9)
    return MonthCounts(_sums(month, weight * event, months), at_risk, np.log(chance / (1 - chance)))


def _sums(position: NDArray[np.int64], weight: Array, size: int) -> Array:
    return np.asarray(np.bincount(position, weights=weight, minlength=size), dtype=np.float64)


def fit_luck(
    counts: Sequence[MonthCounts],
    *,
    prior_sd: float,
    level_sd: float,
    seed: int,
    estimation_variance: Sequence[float] = (0.0, 0.0, 0.0),
) -> SharedLuck:
    """The posterior of the shared luck of churn, contraction and expansion after the months counted.

    Parameters
    ----------
    counts
        Of the three outcomes, all of the same months.
    prior_sd
        Spread of the half-normal prior of the luck's standard deviation (log-odds).
    level_sd
        Standard deviation, before anything is seen, of how far the level of the predictions is off (log-odds).
    seed
        How spreads, persistences and correlations are paired.
    estimation_variance
        Of each outcome, how uncertain the mean log-odds of the accounts that are forecast are against those of the
        accounts counted (variance of log-odds): their level is as much less certain.
    """
    grids = [_grid(one, prior_sd, level_sd) for one in counts]
    correlations = _correlations([counts[CHURN], counts[EXPANSION]], [grids[CHURN], grids[EXPANSION]], level_sd)
    generator = np.random.default_rng(seed)
    pairs = [grid.spread(generator) for grid in grids]
    noise = generator.permutation(correlations)
    states = []
    for number in range(STATES):
        process = _Process(
            sd=np.array([of[number, 0] for of in pairs]),
            persistence=np.array([of[number, 1] for of in pairs]),
            correlation=noise_correlation(float(noise[number])),
            level_sd=level_sd,
        )
        states.append(_state(counts, process, float(noise[number]), np.array(estimation_variance)))
    return SharedLuck(tuple(states))


@dataclass(frozen=True)
class _Process:
    """Spread, persistence and correlation of some outcomes' luck."""

    sd: Array
    persistence: Array
    correlation: Array
    level_sd: float

    def stationary(self) -> Array:
        """Covariance of the outcomes' x in one month."""
        rho = self.persistence
        innovation = np.sqrt(1 - rho**2)
        return np.asarray(
            self.correlation * np.outer(self.sd, self.sd) * np.outer(innovation, innovation) / (1 - np.outer(rho, rho))
        )

    def covariance(self, months: int) -> Array:
        """Of the luck of all outcomes and months, outcomes first, shape (outcomes * months,) twice."""
        lag = np.subtract.outer(np.arange(months), np.arange(months))
        later, earlier = np.maximum(lag, 0), np.maximum(-lag, 0)
        same = self.stationary()
        rows = []
        for one, rho_one in enumerate(self.persistence):
            row = [
                same[one, other] * rho_one**later * rho_other**earlier
                for other, rho_other in enumerate(self.persistence)
            ]
            row[one] = row[one] + self.level_sd**2
            rows.append(row)
        return np.block(rows)

    def to_last(self, months: int) -> Array:
        """Covariance of (levels, x of the last month) with the luck of all months, (2 outcomes, outcomes * months)."""
        outcomes = len(self.sd)
        since = np.arange(months)[::-1]
        same = self.stationary()
        level = np.kron(np.eye(outcomes), np.full(months, self.level_sd**2))
        x = [np.outer(same[one], self.persistence[one] ** since).ravel() for one in range(outcomes)]
        return np.vstack([level, *x])


@dataclass(frozen=True)
class _Grid:
    """Weights of pairs of spread and persistence."""

    pairs: Array
    weight: Array

    @property
    def mean(self) -> Array:
        return np.asarray(self.weight @ self.pairs)

    def spread(self, generator: np.random.Generator) -> Array:
        """As many pairs as there are states, each as often as its weight says, in random order."""
        return np.asarray(generator.permutation(self.pairs[_systematic(self.weight)]))


def _grid(counts: MonthCounts, prior_sd: float, level_sd: float) -> _Grid:
    pairs = np.array([(sd, rho) for sd in _SDS for rho in _PERSISTENCES if sd > 0 or rho == 0])
    evidence = []
    for sd, rho in pairs:
        process = _Process(np.array([sd]), np.array([rho]), np.eye(1), level_sd)
        evidence.append(
            _laplace([counts], process.covariance(len(counts.events))).evidence - 0.5 * (sd / prior_sd) ** 2
        )
    share = np.gradient(_SDS)[np.searchsorted(_SDS, pairs[:, 0])] * np.where(pairs[:, 0] > 0, 1, len(_PERSISTENCES))
    return _Grid(pairs, _weights(np.array(evidence), share))


def _correlations(counts: Sequence[MonthCounts], grids: Sequence[_Grid], level_sd: float) -> Array:
    """Correlations of the noise of two outcomes, as many as there are states, each as often as its evidence says."""
    sd, persistence = np.array([grid.mean for grid in grids]).T
    evidence = []
    for value in _CORRELATIONS:
        process = _Process(sd, persistence, np.array([[1, value], [value, 1]]), level_sd)
        evidence.append(_laplace(counts, process.covariance(len(counts[0].events))).evidence)
    return np.asarray(_CORRELATIONS[_systematic(_weights(np.array(evidence), np.ones(len(evidence))))])


def _weights(evidence: Array, share: Array) -> Array:
    weight = np.exp(evidence - evidence.max()) * share
    return np.asarray(weight / weight.sum())


def _systematic(weight: Array) -> NDArray[np.int64]:
    """Positions, one a state, each as often as its weight says."""
    return np.searchsorted(np.cumsum(weight)[:-1], (np.arange(STATES) + 0.5) / STATES).astype(np.int64)


def _state(counts: Sequence[MonthCounts], process: _Process, correlation: float, estimation: Array) -> LuckState:
    months = len(counts[0].events)
    posterior = _laplace(counts, process.covariance(months))
    to_last = process.to_last(months)
    prior = np.zeros((6, 6))
    prior[:3, :3], prior[3:, 3:] = process.level_sd**2 * np.eye(3), process.stationary()
    covariance = prior - to_last @ posterior.precision @ to_last.T
    gain = np.array([one.gain for one in counts])
    long_runs = [one.long_run(excess) for one, excess in zip(counts, np.split(posterior.weights, 3), strict=True)]
    levels = np.array(long_runs) - gain * (np.diagonal(covariance)[:3] + process.sd**2) / 2
    mean = _settled(to_last @ posterior.weights, covariance, levels)
    mean[:3] -= gain * estimation / 2  # no news of the luck
    covariance[:3, :3] += np.diag(estimation)
    return LuckState(
        mean=tuple(mean.tolist()),
        covariance=tuple(tuple(row) for row in ((covariance + covariance.T) / 2).tolist()),
        sd=tuple(process.sd.tolist()),
        persistence=tuple(process.persistence.tolist()),
        correlation=correlation,
        gain=tuple(gain.tolist()),
    )


def _settled(mean: Array, covariance: Array, levels: Array) -> Array:
    """The mean of (level, x) with the levels put elsewhere, and x as it is to be expected with them."""
    return np.asarray(mean + covariance[:, :3] @ np.linalg.solve(covariance[:3, :3], levels - mean[:3]))


@dataclass(frozen=True)
class _Laplace:
    """The posterior's mode is covariance @ weights; `precision` is the inverse of (covariance + 1 / curvature).

    `weights` are the events beyond those expected at the mode.
    """

    weights: Array
    precision: Array
    evidence: float


def _laplace(counts: Sequence[MonthCounts], covariance: Array) -> _Laplace:
    """Laplace's approximation of the posterior of the luck, by Newton's method."""
    luck = np.zeros(len(covariance))
    for _ in range(_NEWTON_STEPS):
        _, gradient, curvature = _likelihood(counts, luck)
        target = curvature * luck + gradient
        root, factor = _factor(covariance, curvature)
        inner = cho_solve((factor, True), root * (covariance @ target))
        step = np.clip(covariance @ (target - root * inner) - luck, -1, 1)
        luck = luck + step
        if np.abs(step).max() < _CLOSE:
            break
    likelihood, gradient, curvature = _likelihood(counts, luck)
    root, factor = _factor(covariance, curvature)
    half = solve_triangular(factor, np.diag(root), lower=True)
    evidence = likelihood - 0.5 * float(gradient @ luck) - float(np.log(np.diag(factor)).sum())
    return _Laplace(gradient, half.T @ half, evidence)


def _likelihood(counts: Sequence[MonthCounts], luck: Array) -> tuple[float, Array, Array]:
    """Log-likelihood, gradient and curvature of all outcomes' luck, outcomes first."""
    parts = [one.fit(part) for one, part in zip(counts, np.split(luck, len(counts)), strict=True)]
    gradient, curvature = np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])
    return sum(part[0] for part in parts), gradient, curvature


def _factor(covariance: Array, curvature: Array) -> tuple[Array, Array]:
    """Root of the curvature, and the Cholesky factor of 1 + root * covariance * root."""
    root = np.sqrt(curvature)
    return root, np.asarray(np.linalg.cholesky(np.eye(len(root)) + root[:, None] * covariance * root))
