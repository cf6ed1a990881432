"""What was asked of a test and could not be had: horizons and origins for which the history is too short."""

from collections.abc import Collection

from models.words import counted, months_ahead
from params import Params


def untested_horizons(tested: Collection[int], snapshots: int, params: Params) -> list[str]:
    """A sentence on the horizons asked for that were not tested, and why; none where all were.

    Asked for are `backtest.horizons`; the one that forecasts are headed by, `model.horizon_months`, is told of too.
    """
    least, horizons = params.model.min_months, sorted(set(params.backtest.horizons) - set(tested))
    lines = []
    if horizons:
        needed = ", ".join(str(least + months) for months in horizons)
        lines.append(
            f"NOT TESTED {months_ahead(horizons)}, for the history is too short: that takes {needed} "
            f"monthly snapshots ({least} to learn from, model.min_months, and the months ahead), and there "
            f"{'is' if snapshots == 1 else 'are'} {snapshots}. How good forecasts so far ahead are is not known."
        )
    headed = params.model.horizon_months
    if headed not in params.backtest.horizons:
        lines.append(
            f"NOT TESTED {months_ahead([headed])}, which forecasts are headed by (model.horizon_months): "
            "backtest.horizons does not hold it."
        )
    return lines


def missing_origins(origins: int, snapshots: int, params: Params) -> list[str]:
    """A sentence where a backtest has fewer origins than asked for, and why; none where it has them all."""
    asked_for, least, nearest = params.backtest.origins, params.model.min_months, min(params.backtest.horizons)
    if origins >= asked_for:
        return []
    return [
        f"FEWER ORIGINS THAN ASKED FOR: {origins} of {asked_for} (backtest.origins). Of {snapshots} monthly snapshots, "
        f"{least} to learn from (model.min_months) and {counted(nearest, 'month')} ahead leave room for {origins}, "
        f"{counted(params.backtest.every_months, 'month')} apart (backtest.every_months)."
    ]
