"""Whether a newly trained model takes charge: the contest of its recipe with the champion's, on the same origins."""

from dataclasses import dataclass

import pandas as pd

from features.tables.checked import Tables
from features.tables.problems import BadInput
from features.tables.progress import Progress, silent
from models.outcomes.outcome import FORMAT
from models.words import signed_percent
from params import Params
from training.backtest.rolling import Findings, history, roll
from training.learn.recipe import code_digest, differences, with_recipe
from training.report import summary
from training.tracking.runs import record_evaluation
from training.tracking.versions import Registered

CHANGED_CODE = " and by changed code: what was found of it before need not hold, `holdfast backtest` tests it anew"


@dataclass(frozen=True)
class Decision:
    """Whether the new model becomes champion, and why; `contest` has the figures where there was one."""

    promoted: bool
    reason: str
    contest: pd.DataFrame | None = None


def decide(
    tables: Tables,
    champion: Registered | None,
    *,
    params: Params,
    may_contest: bool,
    progress: Progress = silent,
) -> Decision:
    """Decide between the champion and a model of these settings that was trained on these tables.

    Without a contest it takes charge where there is nothing to compare: no champion yet, or one that cannot be read any
    more, that forecasts by other rules, to another horizon, or that learned from another source. So does the champion's
    own recipe, trained again: what was found of the recipe holds for it, unless the code has changed since. That is
    said, since a contest cannot show it: it would fit both by the code of today. Another recipe has to win a contest,
    held only where `may_contest`.
    """
    if champion is None:
        return Decision(True, "the first model of this name")
    incomparable = _incomparable(champion, params)
    if incomparable:
        return Decision(True, f"{incomparable}: there is nothing to compare with version {champion.version}")
    theirs = with_recipe(params, champion.settings)
    changed = differences(params, theirs)
    if not changed:
        again = f"the recipe of the champion (version {champion.version}) trained again, without a contest"
        return Decision(True, again if champion.tags.get("code") == code_digest() else again + CHANGED_CODE)
    if not may_contest:
        return Decision(
            False,
            f"another recipe than the champion's, version {champion.version} ({'; '.join(changed)}): "
            "`holdfast train --promote` compares the two on past dates",
        )
    return _after_contest(tables, champion, params, theirs, progress)


def _incomparable(champion: Registered, params: Params) -> str:
    """Why the champion cannot be compared: it cannot be read, or forecasts something else; empty if it can."""
    if champion.format is None:
        return "the champion's format is not recorded, so it cannot be read"
    if champion.format != FORMAT:
        return f"the champion is of format {champion.format}, and {FORMAT} is what can be read now"
    other = [
        f"{name} was {champion.tags[name]} and is {value}"
        for name, value in params.rules.items()
        if champion.tags.get(name, value) != value
    ]
    if other:
        return "the rules changed, " + ", ".join(other)
    horizon = champion.settings.get("model", {}).get("horizon_months", params.model.horizon_months)
    if horizon != params.model.horizon_months:
        return f"the horizon changed from {horizon} to {params.model.horizon_months} months"
    if champion.tags.get("source", params.source_name) != params.source_name:
        return "the champion learned from another source"
    return ""


def _after_contest(
    tables: Tables, champion: Registered, params: Params, theirs: Params, progress: Progress
) -> Decision:
    """Both recipes from the same origins, each with what was known then."""
    try:
        found = [_tried(tables, each, progress) for each in (params, theirs)]
    except BadInput as short:
        why = str(short.problems[0].what) if short.problems else str(short)
        return Decision(False, f"too little history to compare it with version {champion.version}: {why}")
    table = contest_table(*found)
    won, why = judge(table)
    said = "won against" if won else "lost to"
    return Decision(won, f"{said} version {champion.version} on {len(found[0].origins)} past dates: {why}", table)


def _tried(tables: Tables, params: Params, progress: Progress) -> Findings:
    """One recipe's forecasts from the origins of the backtest, recorded for `holdfast models`."""
    full, origins = history(tables, params=params, progress=progress)
    found = roll(tables, full, origins, params=params, progress=progress, with_rivals=False)
    scored = summary.score_evidence(found.scores)
    rolled = summary.portfolio_evidence(found.portfolio, found.tables["portfolio"])
    record_evaluation([*scored, *rolled], tables=tables, params=params, name="contest")
    return found


def contest_table(challenger: Findings, champion: Findings) -> pd.DataFrame:
    """Both recipes' figures side by side, a row a measure, outcome and horizon.

    Columns: measure (crps, log_loss, calibration_error), outcome, horizon_months, challenger, champion, and limit: what
    the challenger's calibration error may be by chance even if its probabilities are right.
    """
    rows = []
    for mine, theirs in zip(_nrr(challenger), _nrr(champion), strict=True):
        rows.append({"measure": "crps", "outcome": "nrr", **mine, "champion": theirs["challenger"]})
    for ours, other in zip(challenger.scores, champion.scores, strict=True):
        place = {"outcome": ours.outcome, "horizon_months": ours.horizon_months}
        for measure in ("log_loss", "calibration_error"):
            pair = {"challenger": getattr(ours, measure), "champion": getattr(other, measure)}
            limit = ours.calibration_floor_high if measure == "calibration_error" else float("nan")
            rows.append({"measure": measure, **place, **pair, "limit": limit})
    return pd.DataFrame(rows)


def _nrr(found: Findings) -> list[dict[str, float]]:
    table = found.tables["portfolio"]
    rows = table[table["metric"] == "nrr"].to_dict(orient="records")
    return [{"horizon_months": row["horizon_months"], "challenger": row["model_crps"]} for row in rows]


def judge(table: pd.DataFrame) -> tuple[bool, str]:
    """Whether the challenger won, and the figures that say so.

    It wins with the smaller CRPS of NRR, all horizons added up, and the smaller log-loss, all outcomes and horizons
    added up, if no calibration error is larger than both the champion's and what chance alone would make of it.
    """
    said, won = [], True
    for measure, name in (("crps", "CRPS of NRR"), ("log_loss", "log-loss")):
        mine, theirs = (float(table.loc[table["measure"] == measure, who].sum()) for who in ("challenger", "champion"))
        won &= mine < theirs
        said.append(f"{name} {mine:.4g} against {theirs:.4g} ({signed_percent(mine / theirs - 1)})")
    errors = table[table["measure"] == "calibration_error"]
    worse = errors[errors["challenger"] > errors[["champion", "limit"]].max(axis=1)]
    where = ", ".join(f"{row['outcome']} {row['horizon_months']}m" for row in worse.to_dict(orient="records"))
    said.append(f"worse calibrated for {where}" if where else "not worse calibrated")
    return won and worse.empty, ", ".join(said)
