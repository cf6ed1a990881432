import numpy as np
import pandas as pd
import pytest

from models.hazards.at_risk import at_risk, sample

NAN = np.nan
# Two snapshots of `a`, which grows and leaves; one of `b`, which shrinks and of which no more is known.
FRAME = pd.DataFrame(
    {"account_id": ["a", "a", "b"], "as_of": pd.to_datetime(["2025-11-01", "2025-12-01", "2025-12-01"])}
)
PATHS = np.array([[10.0, 12.0, 0.0, 5.0], [12.0, 0.0, 0.0, NAN], [8.0, 6.0, NAN, NAN]])


def test_rows_end_with_the_customer_and_with_what_is_known():
    rows = at_risk(FRAME, PATHS)
    found = list(zip(rows.row, rows.ahead, rows.month, rows.before, rows.after, strict=True))
    assert found == [(0, 1, 0, 10, 12), (0, 2, 1, 12, 0), (1, 1, 1, 12, 0), (2, 1, 1, 8, 6)]
    assert (rows.months, rows.first_month) == (2, 2025 * 12 + 11)


@pytest.mark.parametrize(
    ("outcome", "came"),
    [
        ("churn", [False, True, True, False]),
        ("contraction", [False, False, False, True]),
        ("expansion", [True, False, False, False]),
    ],
)
def test_events(outcome, came):
    assert at_risk(FRAME, PATHS).event(outcome, 0.001).tolist() == came


def test_an_account_and_month_counts_once_however_many_snapshots_speak_of_it():
    rows = at_risk(FRAME, PATHS)
    assert rows.share(np.arange(4)).tolist() == [1.0, 0.5, 0.5, 1.0]
    assert rows.share(np.array([1, 3])).tolist() == [1.0, 1.0]
    assert rows.distinct(rows.event("churn", 0.001)) == 1


def test_rows_of_a_month_weigh_alike_and_as_much_as_its_accounts():
    rows = at_risk(FRAME, PATHS)
    assert rows.evenly(np.arange(4)) == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3])
    assert rows.evenly(np.array([1, 2])).tolist() == [0.5, 0.5]
    assert rows.evenly(np.array([0, 3])).tolist() == [1.0, 1.0]


def test_nothing_known_is_nothing_at_risk():
    rows = at_risk(FRAME, np.full((3, 4), NAN))
    assert (rows.months, rows.row.size) == (0, 0)


def many(rng, accounts=400):
    frame = pd.DataFrame(
        {
            "account_id": np.repeat([f"a{i}" for i in range(accounts)], 3),
            "as_of": np.tile(pd.date_range("2025-01-01", periods=3, freq="MS"), accounts),
        }
    )
    whole = np.repeat((rng.random((accounts, 7)) > 0.05).astype(float)[:, None], 3, axis=1)
    paths = np.stack([whole[:, start, start : start + 5] for start in range(3)], axis=1).reshape(-1, 5)
    paths[:, 0] = 1.0
    return at_risk(frame, paths)


def test_a_sample_stands_for_all_rows():
    rng = np.random.default_rng(1)
    rows = many(rng)
    event = rows.event("churn", 0.001)
    pairs, happened = rows.distinct(np.ones_like(event)), rows.distinct(event)
    kept = sample(rows, event, most=600, generator=rng)
    assert kept.chosen.size == 600
    assert kept.weight.sum() == pytest.approx(pairs, rel=1e-9)
    assert kept.weight @ kept.event == pytest.approx(event.sum() / event.size * pairs, rel=1e-9)
    assert happened == pytest.approx(kept.weight @ kept.event, rel=0.3)


def test_at_most_half_of_a_sample_are_events():
    rng = np.random.default_rng(2)
    rows = many(rng)
    event = rng.random(rows.row.size) < 0.8
    kept = sample(rows, event, most=500, generator=rng)
    assert kept.event.sum() == 250
    assert kept.weight @ kept.event / kept.weight.sum() == pytest.approx(event.mean())


def test_few_rows_are_all_kept():
    rows = at_risk(FRAME, PATHS)
    kept = sample(rows, rows.event("churn", 0.001), most=1000, generator=np.random.default_rng(0))
    assert kept.chosen.tolist() == [0, 1, 2, 3]
    assert kept.weight.tolist() == [0.75] * 4, "four rows speak of three accounts and months"
