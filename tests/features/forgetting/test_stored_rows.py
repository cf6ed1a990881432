"""What is stored and derived goes with an erasure, half-written files among it."""

from pathlib import Path

from features.forgetting.stored_rows import PAST_SCORES, forget_stored
from features.forgetting.suppression import Suppressed


def test_what_a_killed_backtest_left_half_written_is_dropped(tmp_path: Path) -> None:
    half = tmp_path / f".{PAST_SCORES}.4711"
    half.write_bytes(b"a01")
    forget_stored(tmp_path, Suppressed())
    assert not half.exists()
