"""Books against what they were expected to do: the level taken out, a range of luck around it, and a word at last."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]
LEVEL = 0.8  # share of average people whose result lies inside the range
LEAST_SPREAD = 1.0  # points between people, in `beyond_luck`
FEWEST_PERIODS = 3
FEWEST_EFFECTIVE = 8.0
ABOVE, AS_EXPECTED, BELOW, TOO_LITTLE = "above", "as expected", "below", "too little to tell"
_Z = float(norm.ppf(0.5 + LEVEL / 2))
PERIOD_COLUMNS = (
    "period", "person", "accounts", "starting_arr", "expected_arr", "sd", "slope", "actual_arr", "effective_n",
    "largest_starting", "largest_actual",
)  # fmt: skip


@dataclass(frozen=True)
class Adjusted:
    """Expectations moved to the level at which all other books came out: ARR a book, and its standard deviation."""

    expected: Array
    sd: Array


def at_the_level_of_others(expected: Array, sd: Array, slope: Array, actual: Array) -> Adjusted:
    """What each book of one period was expected to do in a market as it turned out to be for all others.

    The level is the one shift that brings the sum of the other books to what it came to; the book itself has no say in
    it, so that a bad year is nobody's fault, and nobody lifts the bar by clearing it.

    Parameters
    ----------
    expected, sd
        ARR of each book as it was forecast, and the standard deviation that its own luck gives it; shape (books,).
    slope
        d(expected) / d(level): how much ARR a unit of the level moves.
    actual
        What it came to.

    Returns
    -------
    Adjusted
        The standard deviation holds the book's own luck and what is not known of the level. A book without others, or
        whose others do not move with the level, stays as it was forecast.
    """
    others = (actual - expected).sum() - (actual - expected)
    moved = slope.sum() - slope
    variance = (sd**2).sum() - sd**2
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(moved != 0, others / moved, 0.0)
        unknown = np.where(moved != 0, variance / moved**2, 0.0)
    return Adjusted(expected + slope * level, np.sqrt(sd**2 + slope**2 * unknown))


def effective_n(arr: Array) -> float:
    """How many accounts of one size a book is worth: (sum ARR)^2 / sum ARR^2; 0 for an empty one."""
    squares = float((arr**2).sum())
    return float(arr.sum()) ** 2 / squares if squares else 0.0


def sd_of_quantiles(p10: Array, p90: Array) -> Array:
    """The standard deviation of a bell with these quantiles."""
    return (p90 - p10) / (2 * float(norm.ppf(0.9)))


def scorecards(periods: pd.DataFrame) -> pd.DataFrame:
    """Each person over all periods, beside what their book was expected to do; never beside another person.

    Parameters
    ----------
    periods
        `PERIOD_COLUMNS`: a row a period and person; ARR at the period's start, as forecast then, and at its end.

    Returns
    -------
    pandas.DataFrame
        A row a person, sorted by name: `periods`, `accounts` and `effective_n` (means over the periods),
        `starting_arr` (sum over the periods), `expected` and `actual` as shares of it, `difference_points`, `low` and
        `high` (of a book of average skill, `LEVEL` of results lie between), `without_largest_points` (the difference
        without the largest account of each period, which is taken to have been expected to do as its book),
        `verdict`, and `beyond_luck_points`, see `beyond_luck`.
    """
    if periods.empty:
        return pd.DataFrame()
    rows = [_card(str(person), part) for person, part in adjusted(periods).groupby("person", sort=True)]
    cards = pd.DataFrame(rows)
    return cards.assign(beyond_luck_points=beyond_luck(cards))


def beyond_luck(cards: pd.DataFrame) -> Array:
    """What is left of each difference once luck is taken off it: it is drawn to 0 the more, the luckier a book may be.

    How far people differ is told from how much more the differences vary than luck alone would have them (the method of
    moments), and is at least `LEAST_SPREAD` points.
    """
    difference = cards["difference_points"].to_numpy(float)
    luck = (100 * (cards["high"] - cards["low"]).to_numpy(float) / (2 * _Z)) ** 2
    spread = max(float((difference**2 - luck).mean()), LEAST_SPREAD**2)
    return difference * spread / (spread + luck)


def adjusted(periods: pd.DataFrame) -> pd.DataFrame:
    """The rows with `expected_arr` and `sd` at the level of each period's other books, periods in order."""
    return pd.concat([_of_one_period(part) for _, part in periods.groupby("period", sort=True)])


def _of_one_period(part: pd.DataFrame) -> pd.DataFrame:
    names = ("expected_arr", "sd", "slope", "actual_arr")
    moved = at_the_level_of_others(*(part[name].to_numpy(float) for name in names))
    return part.assign(expected_arr=moved.expected, sd=moved.sd)


def _card(person: str, part: pd.DataFrame) -> dict[str, object]:
    starting, expected, actual = (float(part[name].sum()) for name in ("starting_arr", "expected_arr", "actual_arr"))
    half = _Z * float(np.sqrt((part["sd"] ** 2).sum())) / starting
    count = float(part["effective_n"].mean())
    share = expected / starting
    return {
        "person": person,
        "periods": len(part),
        "accounts": round(float(part["accounts"].mean())),
        "effective_n": count,
        "starting_arr": starting,
        "expected": share,
        "actual": actual / starting,
        "difference_points": 100 * (actual - expected) / starting,
        "low": share - half,
        "high": share + half,
        "without_largest_points": _without_largest(part),
        "verdict": _verdict(actual / starting, share, half, len(part), count),
    }


def _without_largest(part: pd.DataFrame) -> float | None:
    rest = part["starting_arr"] - part["largest_starting"]
    if not float(rest.sum()) > 0:
        return None
    expected = part["expected_arr"] * rest / part["starting_arr"]
    actual = part["actual_arr"] - part["largest_actual"]
    return 100 * float((actual - expected).sum()) / float(rest.sum())


def _verdict(actual: float, expected: float, half: float, periods: int, count: float) -> str:
    if periods < FEWEST_PERIODS or count < FEWEST_EFFECTIVE:
        return TOO_LITTLE
    if actual > expected + half:
        return ABOVE
    return BELOW if actual < expected - half else AS_EXPECTED
