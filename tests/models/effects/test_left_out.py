"""Sensitivity by family from one Gram matrix, summed a piece at a time."""

import tracemalloc

import numpy as np
import pytest

from models.effects.left_out import LinearShifts, weighed_sums
from models.effects.orthogonal import Scores

pytestmark = pytest.mark.unit

ROWS, COLUMNS, KINDS = 20_001, 6, 2


def _drawn() -> tuple[np.ndarray, np.ndarray, Scores]:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(ROWS, COLUMNS))
    treatments = rng.normal(size=(ROWS, KINDS)) + columns[:, :1]
    information = rng.random(ROWS)
    score = information * (treatments @ [0.5, -0.3] + columns @ np.arange(COLUMNS)) + rng.normal(size=ROWS)
    return columns, treatments, Scores(score, information)


def test_sums_a_piece_at_a_time_are_those_of_the_whole() -> None:
    columns, treatments, scores = _drawn()
    gram, sums = weighed_sums(columns.astype(np.float32), scores.information, scores.score, first=treatments)
    design = np.hstack([treatments, columns.astype(np.float32).astype(float)])
    np.testing.assert_allclose(gram, design.T @ (design * scores.information[:, None]), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(sums, design.T @ scores.score, rtol=1e-9, atol=1e-6)


def test_leaving_a_family_out_is_the_regression_without_its_columns() -> None:
    columns, treatments, scores = _drawn()
    root = np.sqrt(scores.information)
    kept = [0, 2, 3, 5]
    design = np.hstack([treatments, columns[:, kept]]) * root[:, None]
    by_least_squares = np.linalg.lstsq(design, scores.score / root, rcond=None)[0][:KINDS]
    shifts = LinearShifts(columns, treatments, scores)
    np.testing.assert_allclose(shifts.shift([1, 4]), by_least_squares, atol=1e-5)
    move = shifts.moves({"family": [1, 4]})["family"]
    np.testing.assert_allclose(move, by_least_squares - shifts.shift(), atol=1e-5)


def test_the_design_is_never_held_whole() -> None:
    """A study of 100,000 trials has 400 columns: twice that again would be most of the memory there is."""
    columns, weight = np.ones((100_000, 50), dtype=np.float32), np.ones(100_000)
    tracemalloc.start()
    weighed_sums(columns, weight, weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < columns.nbytes
