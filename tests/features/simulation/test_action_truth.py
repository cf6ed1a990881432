"""What actions truly change in the simulated company, and a team that has too little time."""

import ast
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from features.simulation import simulate
from features.simulation.action_truth import TrueEffect, true_effects
from features.simulation.history import record_history
from features.simulation.world import STRETCHED, TEAMS

pytestmark = pytest.mark.usefixtures("costly")
ROOT = Path(__file__).parents[3]
WORLD = {"months": 24, "ends_on": date(2026, 1, 1), "seed": 3}


@pytest.fixture(scope="module")
def effects() -> dict[str, TrueEffect]:
    return dict(true_effects(accounts=500, **WORLD, team="stretched", every=6, futures=12))  # type: ignore[arg-type]


def test_helpful_actions_lower_churn_and_raise_expansion_and_the_null_one_changes_nothing(
    effects: dict[str, TrueEffect],
) -> None:
    for name in ("training", "success_plan", "executive_call"):
        assert effects[name].churn < 0 < effects[name].expansion
        assert effects[name].arr > 0
    null = effects["newsletter"]
    assert (null.churn, null.expansion, null.contraction, null.arr) == (0, 0, 0, 0)
    assert null.rows > 100


def test_the_pitch_sells_more_and_harms(effects: dict[str, TrueEffect]) -> None:
    pitch = effects["upgrade_pitch"]
    assert pitch.churn > 0.005
    assert pitch.expansion > 0


def test_a_stretched_team_misses_what_it_has_no_time_for_and_tends_to_the_riskiest() -> None:
    history = record_history(accounts=500, **WORLD, rules=STRETCHED)  # type: ignore[arg-type]
    done, missed, csm = (history.states[name] for name in ("done", "missed", "csm"))
    capacity = STRETCHED.actions_a_month or 0
    most = max(np.bincount(csm[month], weights=done[month].sum(axis=1)).max() for month in range(history.months))
    assert capacity - 3 <= most <= capacity + len(STRETCHED.actions)
    view, late = history.states["view"], missed.sum(axis=2) > 0
    assert view[late & (done.sum(axis=2) == 0)].mean() < view[done.sum(axis=2) > 0].mean()
    steady = record_history(accounts=500, **WORLD)  # type: ignore[arg-type]
    assert missed[..., :5].sum() > 1.5 * steady.states["missed"].sum()


def test_the_usual_team_s_company_is_what_it_was() -> None:
    usual, named = (simulate(accounts=40, **WORLD, **team) for team in ({}, {"team": "steady"}))  # type: ignore[arg-type]
    assert usual["csm_actions"].equals(named["csm_actions"])
    assert set(usual["csm_actions"]["action"]) <= {action.name for action in TEAMS["steady"].actions}


def test_nothing_of_the_product_knows_what_actions_truly_change() -> None:
    places = ("features", "models", "training", "serving", "holdfast")
    for file in (file for place in places for file in (ROOT / place).rglob("*.py")):
        modules = {node.module for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)}
        assert "features.simulation.action_truth" not in modules, file
