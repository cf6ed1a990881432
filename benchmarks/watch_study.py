"""How often the watch alarms, and of what: `python -m benchmarks.watch_study`.

A company of 1,000 accounts, of which 1.5 % leave a month; five inputs tell them apart, the first with 30 % of the
variance of the log-odds; three segments; luck that all share, with a standard deviation of .15 and a persistence of
.85. Each history has 36 months. What happens, happens after the twelfth.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.watch.charts import Month, monthly_scores, scan
from models.watch.limits import RUN_MONTHS, Limits, joint_limits
from models.watch.market import Luck, crowd, residuals, step_scan

Array = NDArray[np.float64]
LUCK = Luck(level_variance=0.01, sd=0.15, persistence=0.85)
VARIANCE = 1.2
SHARES = (0.3, 0.25, 0.2, 0.15, 0.1)
BEGIN, WITHIN = 12, 9
NAMES = ("slope", *(f"input {place + 1}" for place in range(len(SHARES))), "segment A", "segment B", "segment C")


def history(rng: np.random.Generator, *, accounts: int = 1000, lost: float = 0.0, shock: float = 0.0) -> list[Month]:
    """Months of a company whose model is right, until an input loses a share of its effect or the market moves."""
    level = np.sqrt(LUCK.level_variance) * rng.standard_normal()
    part, months = LUCK.sd * rng.standard_normal(), []
    for month in range(RUN_MONTHS):
        effects = rng.standard_normal((accounts, len(SHARES))) * np.sqrt(VARIANCE * np.array(SHARES))
        segments = np.eye(3)[rng.integers(3, size=accounts)]
        log_odds = -4.75 + effects.sum(axis=1)
        after = month >= BEGIN
        truth = log_odds + level + part + after * (shock - lost * effects[:, 0])
        event = (rng.random(accounts) < expit(truth)).astype(float)
        months.append(Month(log_odds, event, np.column_stack([effects.sum(axis=1), effects, segments])))
        part = LUCK.persistence * part + LUCK.sd * np.sqrt(1 - LUCK.persistence**2) * rng.standard_normal()
    return months


def first_alarms(months: list[Month], limits: Limits) -> tuple[int | None, int | None]:
    """The first month in which the level chart alarms, and the first in which a model chart does."""
    crowds, events = [crowd(month.log_odds) for month in months], np.array([[month.event.sum() for month in months]])
    steps = step_scan(residuals(crowds, events, LUCK), down_scale=limits.down_scale)[0][0]
    level = (steps > limits.level_up) | (steps < -limits.level_down)
    model = (np.abs(scan(monthly_scores(months))[0]) > limits.model).any(axis=1)
    return _first(level), _first(model)


def _first(alarms: NDArray[np.bool_]) -> int | None:
    return int(alarms.argmax()) if alarms.any() else None


def study(histories: int, limits: Limits, seed: int = 7, **change: float) -> list[tuple[int | None, int | None]]:
    """The first alarms of many histories."""
    rng = np.random.default_rng(seed)
    accounts = int(change.pop("accounts", 1000))
    return [first_alarms(history(rng, accounts=accounts, **change), limits) for _ in range(histories)]


def quiet_alarms(histories: int, limits: Limits) -> float:
    """The share of quiet histories in which any chart alarms."""
    return float(np.mean([level is not None or model is not None for level, model in study(histories, limits)]))


def found_in_time(histories: int, limits: Limits, lost: float, within: int = WITHIN) -> float:
    """The share of histories in which a model chart finds, within so many months, that an input lost its effect."""
    rows = study(histories, limits, lost=lost)
    return float(np.mean([model is not None and BEGIN <= model < BEGIN + within for _, model in rows]))


def called_market(histories: int, limits: Limits, shock: float, within: int = WITHIN) -> float:
    """The share of histories in which a move of the market is called so, and the model is not blamed before."""
    rows = study(histories, limits, shock=shock)
    hits = [
        level is not None and BEGIN <= level < BEGIN + within and (model is None or model >= BEGIN + within)
        for level, model in rows
    ]
    return float(np.mean(hits))


def limits_of_study(histories: int = 2000) -> Limits:
    """The limits for this company."""
    return joint_limits(history(np.random.default_rng(1)), LUCK, seed=3, histories=histories)


def main() -> None:
    """Print the figures of docs/record.md."""
    limits = limits_of_study()
    print(f"limits: level {limits.level_up:.2f} up, {limits.level_down:.2f} down, model {limits.model:.2f}")
    print(f"any alarm in quiet histories of 36 months: {quiet_alarms(400, limits):.1%} of 400")
    for lost in (0.25, 0.5, 0.75, 1.0):
        shares = [found_in_time(200, limits, lost, within) for within in (3, 6, 9)]
        print(
            f"an input that loses {lost:.0%} of its effect, found within 3, 6, 9 months:", *(f"{s:.0%}" for s in shares)
        )
    for shock in (0.4, 0.6, 0.8, -0.6, -0.8):
        print(f"a market shock of {shock:+.1f}, called market within 9 months: {called_market(200, limits, shock):.1%}")


if __name__ == "__main__":
    main()
