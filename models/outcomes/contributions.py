"""What a forecast owes to each input: SHAP values of monthly margins, and what is certain or decided beside them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Decisions:
    """What it does to the hazards of one outcome that ARR changed at the end of a term, while its grace runs.

    `share`, shape (accounts, months), is the share for which it did of those that are still there; `shift`, of the same
    shape, what it adds to their log-odds.
    """

    share: Array
    shift: Array


@dataclass(frozen=True)
class Contributions:
    """SHAP values of one outcome's monthly margins: `hazard = expit(slope * (base + margin.sum(-1)) + intercept)`.

    `margin` has shape (accounts, months, inputs), `names` names the inputs. `slope` and `intercept` have shape
    (months,); the latter holds the luck to be expected in each month, as one shift of all accounts. `facts`, shape
    (accounts, months), is NaN but where the hazard is known whatever the margin. None: nowhere. Notice makes certain,
    `ruled_out_by` names the input that rules out. With `decisions` the hazard of a month is a mean of two.
    """

    names: tuple[str, ...]
    margin: Array
    base: float
    slope: Array
    intercept: Array
    facts: Array | None = None
    ruled_out_by: str = "presigned_ahead"
    decisions: Decisions | None = None
