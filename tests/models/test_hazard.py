import numpy as np
import pytest

from models.hazard import LogisticHazard, Rows
from models.horizon import CALENDAR_INPUTS
from models.inputs import Input

TERM = Input(
    name="term_days",
    kind="number",
    family="contract_history",
    signal="renewal",
    unit="days",
    meaning="Length of the term",
    sentence="on a term of {value} days",
)
INPUTS = (TERM, *CALENDAR_INPUTS)
PLACE = {item.name: place for place, item in enumerate(INPUTS)}
YEARLY, MONTHLY = 365.0, 30.0


def months(ends, term, rows):
    """So many rows of one kind of month."""
    made = np.zeros((rows, len(INPUTS)))
    made[:, PLACE["term_ends_in_month"]] = ends
    made[:, PLACE["term_days"]] = term
    return made


@pytest.fixture(scope="module")
def rows():
    """One in four leaves when a yearly term ends, one in fifty when a monthly one does, and one in 500 in mid-term."""
    kinds = ((1, YEARLY, 400, 100), (1, MONTHLY, 1000, 20), (0, YEARLY, 5000, 10))
    inputs = np.vstack([months(ends, term, count) for ends, term, count, _ in kinds])
    event = np.concatenate([np.arange(count) < came for _, _, count, came in kinds]).astype(float)
    return Rows(inputs, event, np.ones_like(event))


@pytest.mark.parametrize(("ends", "term", "chance"), [(1, YEARLY, 0.25), (1, MONTHLY, 0.02), (0, YEARLY, 0.002)])
def test_a_penalty_that_holds_the_inputs_back_leaves_each_kind_of_month_its_level(rows, ends, term, chance):
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(rows)
    expected = 1 / (1 + np.exp(-fitted.margin(months(ends, term, 1))[0]))
    assert expected == pytest.approx(chance, rel=0.3)


def test_effects_add_up_with_the_level_of_the_month_put_down_to_the_term_that_ends(rows):
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(rows)
    effects, base = fitted.contributions(rows.inputs)
    np.testing.assert_allclose(effects.sum(axis=1) + base, fitted.margin(rows.inputs))
    assert effects[0].argmax() == PLACE["term_ends_in_month"]
    again = LogisticHazard.from_text(fitted.to_text(), INPUTS, threads=1)
    np.testing.assert_array_equal(again.margin(rows.inputs), fitted.margin(rows.inputs))


def test_a_kind_of_month_has_a_trend_with_how_far_it_lies_ahead():
    near, far = months(1, MONTHLY, 2000), months(1, MONTHLY, 2000)
    near[:, PLACE["months_ahead"]], far[:, PLACE["months_ahead"]] = 1, 12
    event = np.concatenate([np.arange(2000) < 200, np.arange(2000) < 40]).astype(float)
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(Rows(np.vstack([near, far]), event, np.ones(4000)))
    expected = [1 / (1 + np.exp(-fitted.margin(rows[:1])[0])) for rows in (near, far)]
    np.testing.assert_allclose(expected, [0.1, 0.02], rtol=0.1)


def test_evergreen_months_are_a_kind_of_their_own(rows):
    evergreen = months(0, np.nan, 300)
    event = (np.arange(300) < 30).astype(float)
    both = Rows(np.vstack([rows.inputs, evergreen]), np.r_[rows.event, event], np.ones(rows.event.size + 300))
    fitted = LogisticHazard(INPUTS, l2=100.0).fit(both)
    assert 1 / (1 + np.exp(-fitted.margin(evergreen[:1])[0])) == pytest.approx(0.1, rel=0.15)
