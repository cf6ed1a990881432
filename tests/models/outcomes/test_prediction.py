"""How hazards give way to each other when their odds are multiplied."""

import numpy as np
import pytest

from models.outcomes.prediction import multiply_odds


@pytest.mark.parametrize(
    ("hazard", "factor", "shifted"),
    [
        ((0.1, 0.2, 0.2), (9.0, 1.0, 1.0), (0.5, 0.2, 0.2)),
        ((0.5, 0.2, 0.2), (9.0, 1.0, 1.0), (0.9, 0.05, 0.05)),
        ((0.1, 0.9, 0.0), (9.0, 1.0, 1.0), (0.5, 0.5, 0.0)),
        ((0.5, 0.5, 0.0), (1 / 9, 1 / 9, 9.0), (0.1, 0.9, 0.0)),
        ((1.0, 0.0, 0.0), (0.1, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((0.0, 1.0, 0.0), (9.0, 0.1, 1.0), (0.0, 1.0, 0.0)),
    ],
    ids=["room for all", "too much", "certain, more leave", "certain, fewer leave", "leaves", "shrinks"],
)
def test_others_share_what_churn_leaves(
    hazard: tuple[float, ...], factor: tuple[float, ...], shifted: tuple[float, ...]
) -> None:
    found = multiply_odds(np.array([hazard]), np.array(factor, dtype=np.float32)[None, :, None])
    np.testing.assert_allclose(found[0, :, 0], shifted, rtol=1e-6)
