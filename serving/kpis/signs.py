"""What accounts showed, as signs of causes of loss: conditions of the settings on the snapshots of some dates."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from features.snapshots.snapshot_files import stored_columns
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Losses, Params
from params_team import comparison_of
from serving.forecast.account_conditions import meets


def signs_shown(tables: Tables, dates: Sequence[date], params: Params, progress: Progress = silent) -> pd.DataFrame:
    """Which causes each account showed a sign of at each date, of what was known then.

    Returns
    -------
    pandas.DataFrame
        By `account_id` and `as_of`: `arr`, and a truth for each cause of which the snapshots can tell.
    """
    wanted = [comparison_of(condition)[0] for conditions in params.losses.signs.values() for condition in conditions]
    frame = stored_columns(tables, dates, wanted, params=params, progress=progress)
    shown = frame[["account_id", "as_of", "arr"]].assign(as_of=pd.to_datetime(frame["as_of"]).astype("datetime64[s]"))
    for cause, conditions in params.losses.signs.items():
        there = [condition for condition in conditions if comparison_of(condition)[0] in frame]
        rows = [meets(frame, condition, f"losses.signs.{cause}") for condition in conditions]
        if there:
            shown[cause] = np.any(rows, axis=0)
    return shown.set_index(["account_id", "as_of"])


def signs_in_words(losses: Losses) -> dict[str, str]:
    """What counts as a sign of each cause."""
    return {cause: " or ".join(conditions) for cause, conditions in losses.signs.items()}
