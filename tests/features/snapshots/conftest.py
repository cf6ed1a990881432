"""Settings with a store of their own, and a few features of different kinds."""

from collections.abc import Callable
from pathlib import Path

import pytest

import params
from features.families import catalogue
from features.families.feature import Feature

SMALL = (
    "usage_28d", "active_days_28d", "active_users_28d", "power_users_28d", "features_used_90d", "usage_peer_rank_28d",
    "goals_reached", "goals_overdue", "ticket_backlog", "severe_ticket_backlog", "nps_last", "champions", "arr",
    "arr_peer_rank", "segment", "csm_missed_90d",
)  # fmt: skip
FEW = tuple(feature for feature in catalogue.FEATURES if feature.name in SMALL)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., params.Params]:
    def load(*overrides: str) -> params.Params:
        return params.load(overrides=[f"data_dir={tmp_path / 'data'}", "memory_gb=0.5", *overrides])

    return load


@pytest.fixture(scope="session")
def small_features() -> tuple[Feature, ...]:
    """A few features of different kinds, so that a store is quick to fill."""
    assert len(FEW) == len(SMALL)
    return FEW


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, small_features: tuple[Feature, ...]) -> None:
    """No more than these features."""
    monkeypatch.setattr(catalogue, "FEATURES", small_features)
