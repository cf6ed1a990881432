"""The health score by hand: points, halves, coverage, caps, trend, staleness, what can be gamed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.scores.health import bands_of, can_be_gamed, health_scores, measures_of, moves
from params import SettingsError, load
from params_signals import Health

NAN = float("nan")
LINE = [[0, 0], [1, 100]]


def rule(**changes: Any) -> Health:
    """Two measures a half, of weights .75 and .25, all worth 0 at 0 and 100 at 1."""
    halves = {
        half: {"weight": weight, "measures": {n: {"weight": w, "targets": LINE} for n, w in ((one, 0.75), (two, 0.25))}}
        for half, weight, one, two in (("csm_actions", 0.6, "kept", "plan"), ("customer_actions", 0.4, "usage", "nps"))
    }
    settings = load().health.model_dump() | halves | {"caps": {}}
    return Health.model_validate(settings | changes)


def scored(frame: dict[str, list[Any]], **changes: Any) -> pd.DataFrame:
    return health_scores(pd.DataFrame(frame), rule(**changes))


def test_the_score_is_60_percent_team_and_40_percent_customer_each_a_weighted_mean() -> None:
    row = scored({"kept": [0.8], "plan": [0.4], "usage": [1.0], "nps": [0.0]}).iloc[0]
    assert row["csm_half"] == pytest.approx(0.75 * 80 + 0.25 * 40)
    assert row["customer_half"] == pytest.approx(75)
    assert row["score"] == pytest.approx(0.6 * 70 + 0.4 * 75)
    assert (row["band"], row["colour"], row["coverage"]) == ("B", "green", pytest.approx(1.0))


def test_what_is_not_known_is_left_out_and_its_half_is_taken_for_the_whole() -> None:
    row = scored({"kept": [0.8], "plan": [NAN], "usage": [0.5]}).iloc[0]  # there is no column nps
    assert (row["csm_half"], row["customer_half"]) == (pytest.approx(80), pytest.approx(50))
    assert row["coverage"] == pytest.approx(0.75)


def test_a_half_of_which_too_little_is_known_gives_no_score_and_no_colour() -> None:
    row = scored({"kept": [NAN], "plan": [0.9], "usage": [0.9], "nps": [0.9]}).iloc[0]
    assert np.isnan(row["score"])
    assert np.isnan(row["csm_half"])
    assert row["customer_half"] == pytest.approx(90)
    assert (row["band"], row["colour"]) == ("", "")


def test_bands_are_half_open() -> None:
    scores = np.array([80, 79.999, 65, 64.999, 50, 49.999, NAN])
    assert bands_of(scores, rule()).tolist() == ["A", "B", "B", "C", "C", "D", ""]


def test_points_lie_on_the_lines_between_targets_and_stay_beyond_them() -> None:
    measures = rule().csm_actions.measures
    kept = measures["kept"].model_copy(update={"targets": ((0.0, 0.0), (0.5, 80.0), (1.0, 100.0))})
    changed = rule().model_copy(
        update={"csm_actions": rule().csm_actions.model_copy(update={"measures": {**measures, "kept": kept}})}
    )
    frame = pd.DataFrame({"kept": [-1.0, 0.25, 0.5, 0.75, 2.0]})
    assert next(measures_of(frame, changed)).points.tolist() == pytest.approx([0, 40, 80, 90, 100])


def test_segments_and_phases_have_targets_and_weights_of_their_own_and_the_first_that_fits_counts() -> None:
    measures = {
        "kept": {
            "weight": 0.5,
            "targets": LINE,
            "by": [
                {"segment": "large", "phase": "new", "weight": 0},
                {"segment": "large", "targets": [[0, 0], [2, 100]]},
            ],
        },
        "plan": {"weight": 0.5, "targets": LINE},
    }
    frame = {
        "kept": [1.0] * 3, "plan": [0.0] * 3, "usage": [1.0] * 3, "nps": [1.0] * 3,
        "segment": ["large", "large", "small"], "phase": ["new", "old", "new"],
    }  # fmt: skip
    found = scored(frame, csm_actions={"weight": 0.6, "measures": measures})
    assert found["csm_half"].tolist() == pytest.approx([0, 25, 50])


def test_a_measure_older_than_twice_its_cadence_is_stale_and_does_not_count() -> None:
    nps = {"weight": 0.25, "targets": LINE, "age": "days_since_survey", "cadence_days": 90}
    customer = {"weight": 0.4, "measures": {"usage": {"weight": 0.75, "targets": LINE}, "nps": nps}}
    frame = {
        "kept": [1.0] * 2,
        "plan": [1.0] * 2,
        "usage": [0.0] * 2,
        "nps": [1.0] * 2,
        "days_since_survey": [180, 181],
    }
    found = scored(frame, customer_actions=customer)
    assert found["customer_half"].tolist() == pytest.approx([25, 0])
    assert found["stale"].tolist() == ["", "nps"]


def test_caps_hold_the_band_down_and_say_so_and_the_lowest_counts() -> None:
    caps = {"notice": {"when": "notice_given >= 1", "band": "D"}, "gone": {"when": "left >= 1", "band": "C"}}
    full = {name: [1.0] * 4 for name in ("kept", "plan", "usage", "nps")}
    found = scored({**full, "notice_given": [0, 1, 0, 1], "left": [0, 0, 1, 1]}, caps=caps)
    assert found["band"].tolist() == ["A", "D", "C", "D"]
    assert found["cap"].tolist() == ["", "notice", "gone", "notice"]
    assert found["colour"].tolist() == ["green", "red", "yellow", "red"]
    assert found["score"].tolist() == pytest.approx([100] * 4), "the score itself stays"


def test_a_cap_never_lifts_a_band_and_one_on_what_is_not_known_does_not_hold() -> None:
    caps = {"notice": {"when": "notice_given >= 1", "band": "C"}, "debt": {"when": "debt > 0", "band": "D"}}
    zero = {name: [0.0] for name in ("kept", "plan", "usage", "nps")}
    low = scored({**zero, "notice_given": [1]}, caps=caps)
    assert (low["band"].tolist(), low["cap"].tolist()) == (["D"], [""]), "nothing holds it down"


def test_the_trend_needs_three_points_to_be_called_and_stays_until_it_turns() -> None:
    def trend(*changes: float) -> str:
        return str(moves([np.array([change]) for change in changes], 3)[0])

    assert trend(2.9) == "level"
    assert trend(3.0) == "up"
    assert trend(3.0, 0.5) == "up", "still above"
    assert trend(3.0, 0.0) == "level"
    assert trend(3.0, -3.0) == "down"
    assert trend(-4.0, NAN) == ""


def test_counts_of_touches_and_logins_can_be_gamed_and_the_rule_that_comes_with_it_has_none() -> None:
    assert can_be_gamed({}, load().health) == []
    measures = {
        "csm_actions_90d": {"weight": 0.5, "targets": LINE},
        "csm_missed_90d": {"weight": 0.3, "targets": [[0, 100], [2, 0]]},
        "active_days_28d": {"weight": 0.2, "targets": LINE},
    }
    changed = rule(csm_actions={"weight": 0.6, "measures": measures})
    assert can_be_gamed({"csm_missed_90d": "actions"}, changed) == ["csm_actions_90d", "active_days_28d"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("health.csm_actions.weight=0.7", r"the halves add up to 1\.1, and must add up to 1"),
        ("health.csm_actions.measures.goals_overdue.weight=0.3", r"the measures add up to 1\.15, and must add up to 1"),
        (
            "health.csm_actions.measures.goals_overdue.weight=-1",
            "goals_overdue.weight: .* greater than or equal to 0",
        ),
        ("health.csm_actions.measures.goals_overdue.targets=[[1, 0], [0, 3]]", "ascending order of the values"),
        ("health.csm_actions.measures.goals_overdue.targets=[[0, 0], [1, 130]]", "points lie between 0 and 100"),
        ("health.bands.A=60", "in descending order"),
        ("health.caps.notice.when=notice", "cannot be read"),
        ("health.customer_actions.measures.nps_last.age=null", "age and cadence_days go together"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(overrides=[override])
