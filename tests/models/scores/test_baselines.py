import numpy as np
import pandas as pd
import pytest

from models.scores import baselines


def test_everything_renews():
    assert baselines.everything_renews(12) == 1.0


def test_trailing_nrr_is_scaled_to_the_horizon():
    start, end = np.array([100.0, 100.0]), np.array([121.0, 0.0])
    assert baselines.trailing_nrr(start, end, 12) == pytest.approx(0.605)
    assert baselines.trailing_nrr(start, end, 6) == pytest.approx(0.605**0.5)


def test_segments_are_weighted_by_todays_arr_and_small_ones_take_the_overall_rate():
    start = np.full(21, 100.0)
    end = np.r_[np.full(10, 120.0), np.full(10, 50.0), 0.0]
    segment = pd.Series(["large"] * 10 + ["small"] * 10 + ["rare"])
    overall = end.sum() / start.sum()
    found = baselines.segment_nrr(
        start, end, segment, np.array([300.0, 100.0, 100.0]), pd.Series(["large", "rare", "new"]), 12
    )
    assert found == pytest.approx((300 * 1.2 + 200 * overall) / 500)


def cells(*rows: tuple[str, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["segment", "due"])


def test_rates_by_segment_and_term_are_shrunk_to_the_overall_rate():
    """Of 30 large accounts that were due 15 left, of 70 others none: 15 % overall, and 10 accounts of that a cell."""
    past = cells(*[("large", True)] * 30, *[("large", False)] * 50, *[("small", True)] * 20)
    event = np.r_[np.ones(15), np.zeros(85)]
    now = cells(("large", True), ("large", False), ("small", True), ("small", False), ("new", True))
    found = baselines.segment_term_rates(event, past, now, horizon_months=6, window_months=6)
    assert found == pytest.approx([(15 + 1.5) / 40, 1.5 / 60, 1.5 / 30, 0.15, 0.15])


def test_a_shorter_window_is_compounded_with_one_term_end_ahead_at_most():
    past = cells(*[("", True)] * 10, *[("", False)] * 90)
    event = np.r_[np.ones(5), np.zeros(5), np.ones(5), np.zeros(85)]
    due, quiet = (5 + 1) / 20, (5 + 1) / 100
    found = baselines.segment_term_rates(event, past, cells(("", True), ("", False)), horizon_months=3, window_months=1)
    assert found == pytest.approx([1 - (1 - due) * (1 - quiet) ** 2, 1 - (1 - quiet) ** 3])


def test_where_nothing_came_the_rates_are_nothing():
    found = baselines.segment_term_rates(
        np.zeros(4), cells(*[("", True)] * 4), cells(("", True)), horizon_months=3, window_months=3
    )
    assert found.tolist() == [0.0]


def rows(**columns: list[float]) -> pd.DataFrame:
    """Snapshot rows of one date."""
    return pd.DataFrame({"as_of": pd.Timestamp("2024-01-01"), **columns})


def test_the_health_score_is_60_parts_ours_and_40_theirs() -> None:
    """The first is best of four by what we did and worst by what the customer did."""
    frame = rows(csm_actions_90d=[9, 5, 3, 1], active_users_28d=[1, 2, 3, 4])
    assert baselines.health_score(frame) == pytest.approx(
        [0.6 * 1 + 0.4 * 0.25, 0.6 * 0.75 + 0.4 * 0.5, 0.6 * 0.5 + 0.4 * 0.75, 0.6 * 0.25 + 0.4 * 1]
    )


def test_less_is_better_where_it_is() -> None:
    frame = rows(severe_tickets_90d=[0, 3], csm_missed_90d=[0, 2])
    assert baselines.health_score(frame) == pytest.approx([1.0, 0.5])


def test_one_side_alone_stands_alone_and_none_tells_nobody_apart() -> None:
    assert baselines.health_score(rows(active_users_28d=[5, 1])) == pytest.approx([1.0, 0.5])
    assert baselines.health_score(rows(arr=[5, 1])) == pytest.approx([0.5, 0.5])


def test_what_is_missing_is_in_the_middle_but_no_action_ever_is_worst() -> None:
    never = rows(days_since_csm_action=[np.nan, 10.0])
    assert baselines.health_score(never) == pytest.approx([0.0, 1.0])
    assert baselines.health_score(rows(nps_last=[np.nan, 9.0])) == pytest.approx([0.5, 1.0])


def test_accounts_are_ranked_among_those_of_their_date() -> None:
    frame = pd.concat([rows(active_users_28d=[1, 2]), rows(active_users_28d=[100, 200]).assign(as_of="2024-02-01")])
    assert baselines.health_score(frame) == pytest.approx([0.5, 1.0, 0.5, 1.0])


def test_bands_are_quarters_of_a_date() -> None:
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    days = pd.Series(pd.Timestamp("2024-01-01"), index=range(8))
    assert "".join(baselines.bands(score, days)) == "DCCBBAAA"


def test_rates_by_cell_are_shrunk_and_scaled_to_the_horizon() -> None:
    event = np.array([1.0] * 10 + [0.0] * 30)
    cell = np.array(["A"] * 10 + ["B"] * 30, dtype=object)
    now = np.array(["A", "B", "C"], dtype=object)
    one = baselines.cell_rates(event, cell, now, horizon_months=3, window_months=3)
    assert one == pytest.approx([(10 + 2.5) / 20, 2.5 / 40, 0.25])
    two = baselines.cell_rates(event, cell, now, horizon_months=6, window_months=3)
    assert two == pytest.approx(1 - (1 - one) ** 2)
