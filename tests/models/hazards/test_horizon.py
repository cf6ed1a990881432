import numpy as np
import pandas as pd
import pytest

from models.hazards.horizon import CALENDAR_INPUTS, calendar

NAMES = [item.name for item in CALENDAR_INPUTS]


def snapshot(term_ends_on, term_days=365.0, **changes):
    row = {
        "as_of": pd.Timestamp("2025-01-01"),
        "term_ends_on": pd.Timestamp(term_ends_on) if term_ends_on else pd.NaT,
        "term_days": term_days,
        "due_share": 1.0,
        "notice_given": 0.0,
        "presigned": 0.0,
    }
    return pd.DataFrame([row | changes])


def column(frame, name, months=4, grace_days=30):
    return calendar(frame, months=months, grace_days=grace_days)[0, :, NAMES.index(name)].tolist()


@pytest.mark.parametrize(
    ("term_ends_on", "ends_in"),
    [
        ("2025-01-15", [1, 0, 0, 0]),
        ("2025-02-01", [1, 0, 0, 0]),  # the account is gone at the instant 1 February: January's doing
        ("2025-02-02", [0, 1, 0, 0]),
        ("2025-04-30", [0, 0, 0, 1]),
        (None, [0, 0, 0, 0]),
    ],
)
def test_the_month_a_term_ends_in(term_ends_on, ends_in):
    assert column(snapshot(term_ends_on), "term_ends_in_month") == ends_in


@pytest.mark.parametrize(
    ("term_ends_on", "grace_ends_in"),
    [
        ("2025-01-15", [0, 1, 0, 0]),  # 14 February
        ("2024-12-20", [1, 0, 0, 0]),  # overdue: the grace runs out on 19 January
        ("2025-01-01", [1, 0, 0, 0]),  # 31 January
    ],
)
def test_the_month_a_grace_ends_in(term_ends_on, grace_ends_in):
    assert column(snapshot(term_ends_on), "grace_ends_in_month") == grace_ends_in


def test_after_a_term_the_same_term_runs_again():
    # Ends after 30, 61, 92 and 123 days, graces 30 days later; the months start after 0, 31, 59 and 90 days.
    monthly = snapshot("2025-01-31", term_days=31.0)
    assert column(monthly, "days_to_term_end_ahead") == [30, 30, 2, 2]
    assert column(monthly, "terms_passed_ahead") == [0, 1, 1, 2]
    assert column(monthly, "term_ends_in_month") == [1, 0, 1, 1]
    assert column(monthly, "grace_ends_in_month") == [0, 0, 1, 1]


def test_evergreen_contracts_have_no_term_end():
    frame = snapshot(None, term_days=np.nan, due_share=0.0)
    assert np.isnan(column(frame, "days_to_term_end_ahead")).all()
    assert column(frame, "terms_passed_ahead") == [0, 0, 0, 0]


def test_notice_takes_effect_when_its_term_ends():
    frame = snapshot("2025-02-15", notice_given=1.0)
    assert column(frame, "notice_takes_effect") == [0, 1, 0, 0]


def test_due_share_shows_in_the_months_of_term_end_and_of_grace_end():
    assert column(snapshot("2025-01-15", due_share=0.4), "due_share_ahead") == [0.4, 0.4, 0, 0]
