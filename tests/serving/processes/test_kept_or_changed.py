"""What would follow for NRR: none if nothing changes, less if what helps is stopped, and marked by what it rests on."""

import dataclasses

import numpy as np
import pytest

from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from models.plans.play_value import PlaySize
from params_team import Play
from serving.actions.kinds import KindOfPlay
from serving.processes.kept_or_changed import ALL_KINDS, AS_BEFORE, AS_PLANNED, STOPPED, Outlook, Rates, what_follows

MONTHS = 12


def outlook(churn: float = 0.02) -> Outlook:
    hazards = np.zeros((5, MONTHS, 3))
    hazards[:, :, 0] = churn
    prediction = Prediction(
        account=streams(range(5)), first_month=12 * 2026, arr=np.array([1.0, 2.0, 3.0, 4.0, 5.0]), size=np.zeros(5),
        hazards=hazards, pool_index=np.zeros((5, MONTHS, 2), dtype=int), pools=(np.array([1.0]),), pool_names=("same",),
        luck=SharedLuck(), gap_months=0, estimation=Estimation.none(1), cross_sell_share=np.full(5, np.nan),
    )  # fmt: skip
    return Outlook(prediction, MONTHS, 0.9)


def kind(name: str, churn: float, evidence: str = "assumed", decay: float | None = None) -> KindOfPlay:
    size, sd = PlaySize(churn, decay=decay), PlaySize(abs(churn) / 4)
    return KindOfPlay(name, Play(hours=1.0, min_gap_days=30), size, sd, evidence, "helpful")


CALL, VISIT = kind("call", -0.3, "estimated"), kind("visit", -0.2)


def follows(kinds: tuple[KindOfPlay, ...], rates: dict[str, Rates]) -> dict[tuple[str, str], dict[str, object]]:
    rows = what_follows(outlook(), {each.name: each for each in kinds}, rates)
    return {(row["change"], row["kind"]): row for row in rows}


def test_a_shift_adds_up_what_is_left_of_each_month() -> None:
    shift = outlook().shift(PlaySize(-0.2), 0.5)
    assert shift[:3, 0].tolist() == pytest.approx([-0.1, -0.19, -0.271])
    assert (shift[:, 1:] == 0).all()
    assert outlook().shift(PlaySize(-0.2, decay=0.5), 0.5)[1, 0] == pytest.approx(-0.15)


def test_nrr_falls_where_what_helps_is_stopped_and_rises_where_none_is_missed() -> None:
    rows = follows((CALL, VISIT), {"call": Rates(0.2, 0.25, 0.2), "visit": Rates(0.1, 0.1, 0.3)})
    assert set(rows) == {
        (STOPPED, "call"), (STOPPED, "visit"), (STOPPED, ALL_KINDS), (AS_PLANNED, "call"), (AS_BEFORE, "visit"),
    }  # fmt: skip
    for change, sign in ((STOPPED, -1), (AS_PLANNED, 1)):
        row = rows[change, "call"]
        assert sign * row["nrr_points"] > 0
        assert row["low"] < row["nrr_points"] < row["high"]
    whole = rows[STOPPED, ALL_KINDS]["nrr_points"]
    assert whole == pytest.approx(rows[STOPPED, "call"]["nrr_points"] + rows[STOPPED, "visit"]["nrr_points"], rel=0.1)
    assert whole < rows[STOPPED, "call"]["nrr_points"]


def test_a_change_is_estimated_only_where_the_effect_stands_and_the_change_is_small() -> None:
    rows = follows((CALL, VISIT), {"call": Rates(0.2, 0.25, 0.2), "visit": Rates(0.05, 0.06, 0.05)})
    assert rows[AS_PLANNED, "call"]["mark"] == "estimated"  # 0.6 more a year
    assert (rows[STOPPED, "call"]["mark"], rows[STOPPED, "call"]["evidence"]) == ("assumed", "estimated")  # 2.4 fewer
    assert rows[AS_PLANNED, "visit"]["mark"] == "assumed"
    assert rows[AS_PLANNED, ALL_KINDS]["mark"] == "assumed"


def test_nrr_as_it_is_is_that_of_the_hazards() -> None:
    assert outlook(0.02).nrr() == pytest.approx(0.98**12)
    assert dataclasses.replace(outlook(0.0)).nrr() == pytest.approx(1.0)
