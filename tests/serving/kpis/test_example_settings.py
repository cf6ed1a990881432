"""The example of a team's settings runs on the simulated company, and what it declares is what is seen."""

from pathlib import Path

import pytest

import params
from features.snapshots.building import build
from features.tables.checked import Tables

pytestmark = pytest.mark.usefixtures("costly")

FILE = Path(__file__).parents[3] / "docs" / "examples" / "team.yaml"


def test_the_example_of_a_team_s_settings_runs_on_the_simulated_company(team_tables: Tables) -> None:
    settings = params.load(FILE, ["threads=1"])
    frame = build(
        team_tables,
        [team_tables.data_until],
        revenue=settings.revenue,
        settings=settings.snapshots,
        budget=settings.budget,
        own=settings.declared,
    ).frame
    assert set(frame["phase"]) == {"onboarding", "adoption", "mature"}
    assert set(frame["first_value_by_rule"]) == {0, 1}
    assert frame["phase_days_late"].notna().any()
    assert frame["cadence_kept_share"].between(0, 1).sum() > 50
    assert frame["days_to_next_touch"].notna().all()
    assert settings.lifetime.gross_margin == 0.75
