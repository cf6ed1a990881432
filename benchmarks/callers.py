"""How often the record of callers gives which word: `python -m benchmarks.callers`.

The model knows a log-odds m and is calibrated; what else there is to know, u with a standard deviation of `known`, the
caller sees with noise and states with a factor on its log-odds (1 = calibrated). The share of churn is 30 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from models.scores.callers import log_score_difference, skill, toned_down

BASE = 0.3
HISTORIES = 2000
Array = NDArray[np.float64]
_POINTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


@dataclass(frozen=True)
class Person:
    """What a caller knows beyond the model, how noisily, and how boldly it is stated."""

    known: float
    noise: float = 0.0
    boldness: float = 1.0
    spread: float = 0.0


def probability(log_odds: Array) -> Array:
    """The probability of some log-odds."""
    return np.asarray(1 / (1 + np.exp(-log_odds)), dtype=float)


def averaged(log_odds: Array, sd: float) -> Array:
    """The mean probability where log-odds scatter with a standard deviation."""
    return np.asarray((probability(log_odds[..., None] + sd * _POINTS) * _WEIGHTS).sum(-1) / _WEIGHTS.sum())


def words(person: Person, calls: int, histories: int, seed: int = 1) -> tuple[float, float, float]:
    """The shares of histories in which a caller is said to be better and worse, and the mean difference of a call."""
    rng, shape = np.random.default_rng(seed), (histories, calls)
    total = float(np.hypot(person.known, person.spread))
    centre = brentq(lambda level: float(averaged(np.array([level]), total)[0]) - BASE, -9, 9)
    m = centre + person.spread * rng.standard_normal(shape)
    u = person.known * rng.standard_normal(shape)
    kept = (rng.random(shape) >= probability(m + u)).astype(float)
    told = person.boldness * (u + person.noise * rng.standard_normal(shape))
    called, model = 1 - probability(m + told), 1 - averaged(m, person.known)
    difference = log_score_difference(called, model, kept)
    toned = log_score_difference(toned_down(called, model), model, kept)
    verdicts = [skill(row, range(calls), less).verdict for row, less in zip(difference, toned, strict=True)]
    return verdicts.count("better") / histories, verdicts.count("worse") / histories, float(difference.mean())


EVEN = "1, seen with noise of 0.5, and as bold as who knows 2"
PEOPLE = {
    "2 logit sd beyond the model": Person(2.0),
    "the same, where the model knows 1": Person(2.0, spread=1.0),
    "1 logit sd": Person(1.0),
    "0.5 logit sd": Person(0.5),
    "1, seen with noise of 1.5": Person(1.0, 1.5, 0.31),
    "the same, twice too bold": Person(1.0, 1.5, 0.62),
    "nothing, noise taken for knowledge": Person(0.0, 1.0, 0.5),
    "nothing, and very sure": Person(0.0, 1.0, 1.5),
    EVEN: Person(1.0, 0.5, 1.78),
    "the same, bolder yet": Person(1.0, 0.5, 2.2),
}
SEEDS = (1, 2)  # the rule was chosen on others


def rates(person: Person, calls: int) -> tuple[float, float, float]:
    """Shares of better and worse and the mean difference, over the seeds."""
    rows = [words(person, calls, HISTORIES, seed) for seed in SEEDS]
    better, worse, mean = (sum(row[place] for row in rows) / len(rows) for place in range(3))
    return better, worse, mean


def main() -> None:
    """Print the tables of docs/record.md."""
    print("| caller | log score a call, nats | better | worse |\n|---|---|---|---|")
    for name, person in PEOPLE.items():
        better, worse, mean = rates(person, 40)
        print(f"| {name} | {mean:+.3f} | {better:.1%} | {worse:.1%} |", flush=True)
    print("\n| resolved calls | 2 logit sd: better | twice too bold: better | even, bold as who knows 2: better |")
    print("|---|---|---|---|")
    for calls in (10, 20, 30, 40, 60, 80, 160):
        people = (Person(2.0), PEOPLE["the same, twice too bold"], PEOPLE[EVEN])
        found, wrong, even = (rates(person, calls)[0] for person in people)
        print(f"| {calls} | {found:.0%} | {wrong:.1%} | {even:.1%} |", flush=True)


if __name__ == "__main__":
    main()
