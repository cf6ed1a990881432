"""How long customers stay, by tenure and segment, from the history: rates of leaving, drawn towards those of all.

Only the newest months count, in which every customer there was is on file; an account that came before is followed from
then on, at the tenure it had (delayed entry).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import lines_known, load, priced
from features.tables.checked import Tables
from params import Budget, Revenue

YEAR_DAYS = 365.25
BANDS = 5  # tenures of under 1, 2, 3, 4 years, and longer
PRIOR_YEARS = 10.0  # account-years at the rate of all that a segment's own rate is drawn with
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Leaving:
    """Rates of leaving a year: of shape (bands of tenure,), by segment, and those of all for segments not seen."""

    by_segment: Mapping[str, Floats]
    of_all: Floats

    def survival(self, segment: str, tenure_days: float, months: int) -> Floats:
        """(months,) the chance to be a customer still after 1, 2, ... months, of one with a tenure by now."""
        rates = self.by_segment.get(segment, self.of_all)
        ages = (tenure_days + YEAR_DAYS / 12 * np.arange(months)) / YEAR_DAYS
        bands = np.minimum(ages.astype(np.int64), BANDS - 1)
        survival: Floats = np.exp(-np.cumsum(rates[bands]) / 12)
        return survival


def leaving_rates(spells: pd.DataFrame, *, first: date, as_of: date) -> Leaving:
    """The rates from spells of customers.

    Parameters
    ----------
    spells
        A row a time as a customer: `segment`; `began`, `entered` and `until` (day numbers): when it became a customer,
        from when it is on file, and when it left.
    first, as_of
        The days between which customers are followed.
    """
    low, high = day_number(first), day_number(as_of)
    years, events = _exposure(spells, low, high)
    of_all = _drawn(events.sum(axis=0), years.sum(axis=0), np.full(BANDS, events.sum() / max(years.sum(), 1e-9)))
    segments = spells["segment"].to_numpy()
    rates = {
        str(segment): _drawn(events[segments == segment].sum(axis=0), years[segments == segment].sum(axis=0), of_all)
        for segment in np.unique(segments)
    }
    return Leaving(rates, of_all)


def customer_spells(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """The first time of each account as a customer: `entered`, `until` (day numbers), `paid` so far; by `account_id`.

    `paid` is what its lines came to within that time, until the date at most, at the date's rates.
    """
    with lines_known(tables, known_by=as_of, rules=rules, budget=budget) as connection:
        spells = connection.execute("""
            SELECT account_id, MIN(covered_from) AS entered, MIN_BY(covered_until, covered_from) AS until
            FROM coverage GROUP BY account_id""").df()
        day = day_number(as_of)
        load(connection, {"once": pd.DataFrame({"instant": [0], "rate_day": [day]}), "first_times": spells})
        lines = "SELECT i.instant, i.rate_day, s.* FROM line_states s CROSS JOIN once i WHERE s.starts < s.active_until"
        select = priced(connection, tables, lines, [day], rules)
        paid = connection.execute(f"""
            SELECT account_id,
                   SUM(cents / 100 * GREATEST(LEAST(active_until, until, {day}) - starts, 0)) / {YEAR_DAYS} AS paid
            FROM ({select}) JOIN first_times USING (account_id) GROUP BY account_id""").df()
    return spells.merge(paid, on="account_id", how="left").fillna({"paid": 0.0}).set_index("account_id")


def _exposure(spells: pd.DataFrame, low: int, high: int) -> tuple[Floats, Floats]:
    """(spells, bands) years under watch, and whether it left then."""
    began, entered, until = (spells[name].to_numpy(dtype=np.float64) for name in ("began", "entered", "until"))
    bands = np.arange(BANDS) * YEAR_DAYS
    ends = np.append(bands[1:], np.inf)
    begin = np.maximum(np.maximum(entered, low)[:, None], began[:, None] + bands)
    end = np.minimum(np.minimum(until, high)[:, None], began[:, None] + ends)
    left = (until <= high) & (until >= np.maximum(entered, low))
    tenure = (until - began)[:, None]
    events = left[:, None] & (tenure >= bands) & (tenure < ends)
    return np.clip(end - begin, 0, None) / YEAR_DAYS, events.astype(np.float64)


def _drawn(events: Floats, years: Floats, towards: Floats) -> Floats:
    return (events + PRIOR_YEARS * towards) / (years + PRIOR_YEARS)
