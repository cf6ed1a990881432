"""What each action of the simulated company truly changes: the same futures lived twice, with the action and without.

Accounts that had an action in a month are taken back to its start. From there they live the same futures twice, by the
same draws; only in the first month is the action done in the one and not in the other, later ones as usual. Like
`truth`, nothing of the product may import this.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from features.simulation.dynamics import step
from features.simulation.history import live_through, start_company
from features.simulation.line_book import LineBook
from features.simulation.months import Bools, Draws, Floats, Ints, add_months
from features.simulation.state import Company, Deeds, Forced, Month, Profile, Shock, State, mrr_at
from features.simulation.world import TEAMS

HORIZON = 12
SMALLEST_CHANGE = 0.001


@dataclass(frozen=True)
class TrueEffect:
    """With the action less without it, a year after the month's start, of those it was done with.

    `churn`, `expansion` and `contraction` (in some month of the year) are differences of probabilities, `arr` is in
    shares of the ARR at the month's start (capped at three times of it); `churn_without` is the probability without;
    `rows` are the account-months asked.
    """

    churn: float
    expansion: float
    contraction: float
    arr: float
    churn_without: float
    rows: int


def true_effects(
    *, accounts: int, months: int, ends_on: date, seed: int, team: str = "steady", every: int = 6, futures: int = 20
) -> Mapping[str, TrueEffect]:
    """What each action changes, by its name.

    Parameters
    ----------
    accounts, months, ends_on, seed, team
        As given to `simulate`.
    every
        Every so many months are asked.
    futures
        How many futures of each account-month are lived.
    """
    rules = TEAMS[team]
    company, edges = start_company(
        accounts=accounts, months=months, ends_on=ends_on, seed=seed, rules=rules, line_book=LineBook()
    )
    sums: dict[int, Floats] = {action: np.zeros(6) for action in range(len(rules.actions))}
    for month in range(months):
        asked, day = month % every == every - 1, int(edges[month])
        before = _copy(company, np.arange(company.rows), 1) if asked else company
        deeds = live_through(company, edges, month, seed, LineBook())
        if asked:
            for action, rows in _treated(before, deeds, day):
                sums[action] += _difference(before, rows, action, day, (seed, month), futures)
    return {each.name: _effect(sums[place]) for place, each in enumerate(rules.actions)}


def _treated(company: Company, deeds: Deeds, day: int) -> Iterator[tuple[int, Ints]]:
    """Each action, and the accounts it was done with of those that pay, have given no notice and are not overdue."""
    state = company.state
    eligible: Bools = (mrr_at(state, day) > 0) & ~state.noticed & (state.ends > day)
    for action in range(deeds.done.shape[1]):
        rows = np.flatnonzero(eligible & deeds.done[:, action])
        if len(rows):
            yield action, rows


def _difference(company: Company, rows: Ints, action: int, day: int, path: tuple[int, int], futures: int) -> Floats:
    """Sums over the rows of what differs, of churn without, and how many rows these are."""
    seed, month = path
    draws_path = ("effect", month, action)
    start = np.tile(mrr_at(company.state, day)[rows], futures)
    years = [
        _year_on(_copy(company, rows, futures, Forced(action, done)), day, seed, draws_path) for done in (True, False)
    ]
    outcomes = [(end == 0, grew, shrank, np.minimum(end / start, 3.0)) for end, grew, shrank in years]
    sums = [np.array([each.sum() for each in outcome], dtype=float) / futures for outcome in outcomes]
    return np.array([*(sums[0] - sums[1]), sums[1][0], float(len(rows))])


def _year_on(company: Company, day: int, seed: int, path: tuple[str | int, ...]) -> tuple[Floats, Bools, Bools]:
    """MRR a year on, 0 once the cover broke, and whether it grew, and shrank, in some month until then."""
    days = add_months(np.full(HORIZON + 1, day), np.arange(HORIZON + 1))
    mrr = mrr_at(company.state, day).astype(np.float64)
    grew, shrank = np.zeros((2, company.rows), dtype=np.bool_)
    for ahead in range(HORIZON):
        draws = Draws(seed, (*path, ahead), company.rows)
        step(company, Month(int(days[ahead]), int(days[ahead + 1])), draws, LineBook())
        company.forced = None
        now = np.where(mrr > 0, mrr_at(company.state, int(days[ahead + 1])), 0).astype(np.float64)
        grew |= now > mrr * (1 + SMALLEST_CHANGE)
        shrank |= (now > 0) & (now < mrr * (1 - SMALLEST_CHANGE))
        mrr = now
    return mrr, grew, shrank


def _copy(company: Company, rows: Ints, futures: int, forced: Forced | None = None) -> Company:
    """Some accounts, once for each future; each future with a market of its own."""
    chosen = np.tile(rows, futures)
    shock = Shock(np.repeat(company.shock.value, futures, axis=1), np.repeat(np.arange(futures), len(rows)))
    profile, state = Profile(**company.profile.take(chosen)), State(**company.state.take(chosen))
    return replace(company, profile=profile, state=state, shock=shock, forced=forced)


def _effect(sums: Floats) -> TrueEffect:
    churn, expansion, contraction, arr, churn_without = (sums[:-1] / max(sums[-1], 1)).tolist()
    return TrueEffect(churn, expansion, contraction, arr, churn_without, int(sums[-1]))
