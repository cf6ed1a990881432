"""The truth behind a simulated company: what its accounts and its NRR would come to, over many futures.

The company is run again to a date and from its hidden state there many futures are lived through, by the same
`step` that made the tables. Nothing here is ever shown to the product: only the command line, the benchmarks and
the tests import this module (a test sees to that), and nothing of it is written beside the tables.
"""

import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from features.simulation.dynamics import step
from features.simulation.emission.commercial import monthly_rates
from features.simulation.emission.display import account_ids
from features.simulation.history import live_through, start_company
from features.simulation.line_book import LineBook
from features.simulation.months import EPOCH, Draws, Floats, Ints, add_months
from features.simulation.state import Company, Month, Profile, Shock, State, mrr_at
from features.simulation.world import CURRENCIES, TEAMS

_ROWS_AT_ONCE = 150_000


@dataclass(frozen=True)
class Truth:
    """True probabilities and the true distribution of retention, given the hidden state at `as_of`.

    The cohort are the n accounts with ARR at `as_of`; h is a position in `horizons_months`, f a future.

    Attributes
    ----------
    account_ids, arr
        (n,) the cohort and its ARR in the reporting currency, at the rates of the `as_of` month, as are all amounts.
    churn_probability, contraction_probability, expansion_probability
        (n, h): ARR of nothing, less than at `as_of`, more than at `as_of`. An account that came back counts as gone.
    expected_arr
        (n, h).
    nrr, grr, logo_retention
        (f, h): draws of the whole cohort's retention.
    """

    as_of: date
    horizons_months: tuple[int, ...]
    account_ids: tuple[str, ...]
    arr: Floats
    churn_probability: Floats
    contraction_probability: Floats
    expansion_probability: Floats
    expected_arr: Floats
    nrr: Floats
    grr: Floats
    logo_retention: Floats


def replay(
    *,
    accounts: int,
    months: int,
    ends_on: date,
    seed: int,
    as_of: date,
    horizon_months: int,
    futures: int,
    team: str = "steady",
) -> Truth:
    """Run the company of `simulate` to `as_of`, and many futures from there.

    Parameters
    ----------
    accounts, months, ends_on, seed
        As given to `simulate`.
    as_of
        A month boundary of the company: `ends_on` or a whole number of months before it.
    horizon_months
        How many months ahead.
    futures
        How many futures.
    team
        As given to `simulate`.

    Raises
    ------
    ValueError
        `as_of` is no month boundary of the company, or nothing is to be replayed.
    """
    if horizon_months < 1 or futures < 1:
        raise ValueError(f"horizon_months is {horizon_months} and futures is {futures}: both must be at least 1")
    company, edges = start_company(
        accounts=accounts, months=months, ends_on=ends_on, seed=seed, rules=TEAMS[team], line_book=LineBook()
    )
    origin = _month_of(edges, as_of)
    for month in range(origin):
        live_through(company, edges, month, seed, LineBook())
    cohort = np.flatnonzero(mrr_at(company.state, int(edges[origin])) > 0)
    if not len(cohort):
        raise ValueError(f"as_of is {as_of}: the company has no customers then; take a later date or more accounts")
    rates = _rates(company, cohort, seed, edges, origin)
    ahead = add_months(np.full(horizon_months + 1, edges[origin]), np.arange(horizon_months + 1))
    paths = _Tally(12 / 100 * rates * mrr_at(company.state, int(edges[origin]))[cohort], horizon_months)
    for chunk, size in enumerate(_chunks(futures, len(cohort))):
        paths.add(_futures(company, cohort, ahead, (seed, origin, chunk), size) * rates * 12 / 100)
    ids = account_ids(seed, accounts)[cohort]
    return paths.truth(as_of, tuple(ids))


def _month_of(edges: Ints, as_of: date) -> int:
    """Which month boundary a date is."""
    places = np.flatnonzero(edges == (as_of - EPOCH).days)
    if not len(places):
        first, last = (np.datetime64(int(edges[i]), "D") for i in (0, -1))
        raise ValueError(f"as_of is {as_of}: take a month boundary of the company, {first} to {last} month by month")
    return int(places[0])


def _rates(company: Company, cohort: Ints, seed: int, edges: Ints, origin: int) -> Floats:
    """Reporting currency per unit of each account's, of the month of the date (the newest one the tables hold)."""
    last_day = min(int(edges[origin]) + 1, int(edges[-1]))
    table = monthly_rates(seed=seed, last_day=last_day)
    newest = table.groupby("currency")["rate"].last()
    by_currency = np.array([newest.get(currency, 1.0) for currency in CURRENCIES])
    rates: Floats = by_currency[company.profile.currency[cohort]]
    return rates


def _chunks(futures: int, accounts: int) -> list[int]:
    """Numbers of futures that are lived through together."""
    together = max(1, _ROWS_AT_ONCE // max(accounts, 1))
    return [min(together, futures - first) for first in range(0, futures, together)]


def _futures(company: Company, cohort: Ints, ahead: Ints, path: tuple[int, int, int], futures: int) -> Floats:
    """MRR in cents by future, month ahead and account, 0 from when the cover broke."""
    many = _multiplied(company, cohort, futures)
    seed, origin, chunk = path
    covered = np.ones(many.rows, dtype=np.bool_)
    mrr = np.empty((many.rows, len(ahead) - 1))
    for month in range(len(ahead) - 1):
        draws = Draws(seed, ("future", origin, chunk, month), many.rows)
        step(many, Month(int(ahead[month]), int(ahead[month + 1])), draws, LineBook())
        now = mrr_at(many.state, int(ahead[month + 1]))
        covered &= now > 0
        mrr[:, month] = now * covered
    return mrr.reshape(futures, len(cohort), -1).transpose(0, 2, 1)


def _multiplied(company: Company, cohort: Ints, futures: int) -> Company:
    """The cohort once for each future, each future with a market of its own."""
    rows = np.tile(cohort, futures)
    shock = Shock(np.repeat(company.shock.value, futures, axis=1), np.repeat(np.arange(futures), len(cohort)))
    return replace(
        company, profile=Profile(**company.profile.take(rows)), state=State(**company.state.take(rows)), shock=shock
    )


class _Tally:
    """Adds up futures as they come, so that no more than a chunk of them is held."""

    def __init__(self, arr: Floats, horizon_months: int) -> None:
        self.arr = arr
        self.sums = {
            name: np.zeros((horizon_months, len(arr))) for name in ("churn", "contraction", "expansion", "arr")
        }
        self.draws: dict[str, list[Floats]] = {"nrr": [], "grr": [], "logo": []}
        self.futures = 0

    def add(self, paths: Floats) -> None:
        """Add futures: ARR by future, month ahead and account."""
        self.futures += len(paths)
        gone, less, more = paths == 0, paths < self.arr * (1 - 1e-9), paths > self.arr * (1 + 1e-9)
        outcomes = {"churn": gone, "contraction": less & ~gone, "expansion": more, "arr": paths}
        for name, values in outcomes.items():
            self.sums[name] += values.sum(axis=0)
        total = self.arr.sum()
        self.draws["nrr"].append(paths.sum(axis=2) / total)
        self.draws["grr"].append(np.minimum(paths, self.arr).sum(axis=2) / total)
        self.draws["logo"].append(1 - gone.mean(axis=2))

    def truth(self, as_of: date, account_ids: tuple[str, ...]) -> Truth:
        """The truth over all futures added."""
        mean = {name: (values / self.futures).T for name, values in self.sums.items()}
        draws = {name: np.concatenate(chunks) for name, chunks in self.draws.items()}
        return Truth(
            as_of=as_of,
            horizons_months=tuple(range(1, 1 + mean["arr"].shape[1])),
            account_ids=account_ids,
            arr=self.arr,
            churn_probability=mean["churn"],
            contraction_probability=mean["contraction"],
            expansion_probability=mean["expansion"],
            expected_arr=mean["arr"],
            nrr=draws["nrr"],
            grr=draws["grr"],
            logo_retention=draws["logo"],
        )


_ARRAYS = (
    *("arr", "churn_probability", "contraction_probability", "expansion_probability", "expected_arr"),
    *("nrr", "grr", "logo_retention"),
)


def write_truth(path: Path, truth: Truth) -> None:
    """Write the truth as one JSON file, all or nothing."""
    content = {"as_of": truth.as_of.isoformat(), "horizons_months": truth.horizons_months}
    content |= {"account_ids": truth.account_ids}
    content |= {name: np.round(getattr(truth, name), 6).tolist() for name in _ARRAYS}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def read_truth(path: Path) -> Truth:
    """Read what `write_truth` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Truth(
        as_of=date.fromisoformat(content["as_of"]),
        horizons_months=tuple(content["horizons_months"]),
        account_ids=tuple(content["account_ids"]),
        **{name: np.array(content[name], dtype=np.float64) for name in _ARRAYS},
    )
