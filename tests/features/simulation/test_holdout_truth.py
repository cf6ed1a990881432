"""A holdout lived in the simulated company, where what a play truly changes is known: its interval holds the truth."""

from datetime import date

import numpy as np
import pytest

from features.simulation.action_truth import _copy, _year_on
from features.simulation.history import live_through, start_company
from features.simulation.line_book import LineBook
from features.simulation.state import Forced, mrr_at
from features.simulation.world import TEAMS
from models.effects.holdout import lots, trial_effect

pytestmark = pytest.mark.usefixtures("costly")
MONTHS = 30


@pytest.fixture(scope="module")
def both_lives() -> tuple[np.ndarray, np.ndarray]:
    """Whether each paying account leaves within a year, with an executive call now and without, by the same luck."""
    rules = TEAMS["stretched"]
    company, edges = start_company(
        accounts=2500, months=MONTHS, ends_on=date(2026, 1, 1), seed=77, rules=rules, line_book=LineBook()
    )
    for month in range(MONTHS - 1):
        live_through(company, edges, month, 77, LineBook())
    day = int(edges[MONTHS - 1])
    paying = np.flatnonzero((mrr_at(company.state, day) > 0) & ~company.state.noticed)
    call = [each.name for each in rules.actions].index("executive_call")
    lives = [_year_on(_copy(company, paying, 1, Forced(call, done)), day, 77, ("trial",))[0] for done in (True, False)]
    return lives[0] == 0, lives[1] == 0


def test_the_interval_of_a_holdout_holds_what_the_play_truly_changes(
    both_lives: tuple[np.ndarray, np.ndarray],
) -> None:
    with_call, without = both_lives
    truth = float(with_call.mean() - without.mean())
    assert truth < -0.005, "the call truly helps"
    ids, rng, inside, estimates = [f"A-{place}" for place in range(len(without))], np.random.default_rng(5), 0, []
    for trial in range(200):
        withheld = lots(ids, f"salt {trial}") < 0.5
        done = rng.random(len(ids)) < np.where(withheld, 0.1, 0.8)
        shown = trial_effect(np.where(done, with_call, without), done, withheld)
        low, high = shown.interval or (0.0, 0.0)
        inside += low <= truth <= high
        estimates.append(shown.effect or 0.0)
    assert inside >= 185
    assert np.mean(estimates) == pytest.approx(truth, abs=0.006)


def test_arms_by_lot_are_alike(both_lives: tuple[np.ndarray, np.ndarray]) -> None:
    without = both_lives[1].astype(float)
    ids = [f"A-{place}" for place in range(len(without))]
    gaps = []
    for trial in range(100):
        withheld = lots(ids, f"salt {trial}") < 0.2
        se = without.std() / np.sqrt(len(ids) * 0.16)
        gaps.append((without[withheld].mean() - without[~withheld].mean()) / se)
    assert abs(np.mean(gaps)) < 0.35
    assert 0.8 < np.std(gaps) < 1.2
