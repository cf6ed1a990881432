"""What stands first in the report of a backtest: its finding in at most three sentences."""

import re
from collections.abc import Sequence

import pandas as pd

from models.words import counted

LOUD = ("TOO FEW FORECAST DATES", "BEATS NO BASELINE", "NO SKILL FOUND", "TOO FEW EVENTS", "NOT TESTED")
_RIVALS = {"trailing_nrr_error": "the trailing NRR", "everything_renews_error": "that everything renews"}
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")
MOST = 3


def lead(verdict: Sequence[str], portfolio: pd.DataFrame) -> list[str]:
    """The finding in three sentences: what a reader must know first, how far NRR was off, and the next finding.

    Parameters
    ----------
    verdict
        The findings in words, the gravest first.
    portfolio
        Errors by metric and horizon, in points.
    """
    first = sorted(verdict, key=lambda line: not line.startswith(LOUD[0]))
    openings = [_SENTENCE.split(line)[0] for line in first]
    return [*openings[:1], *_nrr(portfolio), *openings[1:]][:MOST]


def _nrr(portfolio: pd.DataFrame) -> list[str]:
    """How far the NRR forecast was off at the longest horizon, beside what anyone could have said."""
    if portfolio.empty or "model_error" not in portfolio:
        return []
    rows = portfolio[portfolio["metric"] == "nrr"].sort_values("horizon_months").to_dict(orient="records")
    if not rows:
        return []
    row = rows[-1]
    rivals = [f"{name} by {row[key]:.1f}" for key, name in _RIVALS.items() if pd.notna(row.get(key))]
    ahead = f"{counted(int(row['horizon_months']), 'month')} ahead"
    told = f"NRR forecasts {ahead} were off by {row['model_error']:.1f} points"
    if rivals:
        told += f", {' and '.join(rivals)}"
    if pd.notna(row.get("coverage_80")):
        told += f"; the actual lay in the 80 % range in {100 * row['coverage_80']:.0f} % of the forecasts"
    return [f"{told}."]
