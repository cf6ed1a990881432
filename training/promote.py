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
from training.canary import Canary
from training.report import summary
from training.tracking.champion import Incumbent, incumbent
from training.tracking.errors import UnreadableChampion
from training.tracking.learning_code import code_digest
from training.tracking.recipe import differences, with_recipe
from training.tracking.runs import record_evaluation

CHANGED_CODE = " and by changed code: what was found of it before need not hold, `holdfast backtest` tests it anew"


@dataclass(frozen=True)
class Decision:
    """Whether the new model becomes champion, and why; `contest` has the figures where there was one.

    `is_retraining` says that it is of the champion's own recipe, and was held against nothing; `canary` is what both
    say of today's customers.
    """

    promoted: bool
    reason: str
    contest: pd.DataFrame | None = None
    is_retraining: bool = False
    canary: Canary | None = None


def in_charge(params: Params, *, replace_unreadable: bool) -> Incumbent | UnreadableChampion | None:
    """Whom a new model meets: the champion, or why it cannot be read where it may be replaced all the same.

    Raises
    ------
    UnreadableChampion
        It cannot be read and may not be replaced: a model must not win because the other one's files are damaged.
    """
    try:
        return incumbent(params)
    except UnreadableChampion as error:
        if replace_unreadable:
            return error
        raise


def decide(
    tables: Tables,
    champion: Incumbent | UnreadableChampion | None,
    *,
    params: Params,
    may_contest: bool,
    progress: Progress = silent,
) -> Decision:
    """Decide between the champion and a model of these settings that was trained on these tables.

    Without a contest it takes charge where there is nothing to compare: no champion yet, or one whose format is older
    than what can be read now, that forecasts by other rules, to another horizon, or that learned from another source.
    So does the champion's own recipe, trained again: what was found of the recipe holds for it, unless the code has
    changed since. That is said, since a contest cannot show it: it would fit both by the code of today. Another recipe
    has to win a contest, held only where `may_contest`.
    """
    if champion is None:
        return Decision(True, "the first model of this name")
    if isinstance(champion, UnreadableChampion):
        return Decision(True, f"in place of version {champion.version}, which cannot be read: {champion.why}")
    incomparable = _incomparable(champion, params)
    if incomparable:
        return Decision(True, f"{incomparable}: there is nothing to compare with version {champion.version}")
    champion_params = with_recipe(params, champion.settings)
    changed = differences(params, champion_params)
    if not changed:
        again = f"the recipe of the champion (version {champion.version}) trained again, without a contest"
        reason = again if champion.tags.get("code") == code_digest() else again + CHANGED_CODE
        return Decision(True, reason, is_retraining=True)
    if not may_contest:
        return Decision(
            False,
            f"another recipe than the champion's, version {champion.version} ({'; '.join(changed)}): "
            "`holdfast train --promote` compares the two on past dates",
        )
    return _after_contest(tables, champion, params, champion_params, progress)


def _incomparable(champion: Incumbent, params: Params) -> str:
    """Why the champion cannot be compared: it is of an older format, or forecasts something else; empty if it can."""
    if champion.format != FORMAT:
        return f"the champion is of format {champion.format}, and {FORMAT} is what can be read now"
    learned = {"revenue.account_level": "account", **champion.tags}  # older ones knew no other level
    other = [
        f"{name} was {learned[name]} and is {value}"
        for name, value in params.rules.items()
        if learned.get(name, value) != value
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
    tables: Tables, champion: Incumbent, params: Params, champion_params: Params, progress: Progress
) -> Decision:
    """Both recipes from the same origins, each with what was known then."""
    try:
        findings = [_tried(tables, each, progress) for each in (params, champion_params)]
    except BadInput as short:
        why = str(short.problems[0].what) if short.problems else str(short)
        return Decision(False, f"too little history to compare it with version {champion.version}: {why}")
    table = contest_table(*findings)
    won, why = judge(table)
    worse = worse_slices(*(each.tables["scores_by_cut"] for each in findings), floor=params.promotion.slice_floor)
    result = "won against" if won and not worse else "lost to"
    why += f", but worse within {', '.join(worse)} (promotion.slice_floor)" if worse else ""
    reason = f"{result} version {champion.version} on {len(findings[0].origins)} past dates: {why}"
    return Decision(won and not worse, reason, table)


def _tried(tables: Tables, params: Params, progress: Progress) -> Findings:
    """One recipe's forecasts from the origins of the backtest, recorded for `holdfast models`."""
    full, origins = history(tables, params=params, progress=progress)
    findings = roll(tables, full, origins, params=params, progress=progress, with_rivals=False)
    scored = summary.score_evidence(findings.scores)
    rolled = summary.portfolio_evidence(findings.portfolio, findings.tables["portfolio"])
    record_evaluation([*scored, *rolled], tables=tables, params=params, name="contest")
    return findings


def contest_table(challenger: Findings, champion: Findings) -> pd.DataFrame:
    """Both recipes' figures side by side, a row a measure, outcome and horizon.

    Columns: measure (crps, log_loss, calibration_error), outcome, horizon_months, challenger, champion, and limit: what
    the challenger's calibration error may be by chance even if its probabilities are right.
    """
    rows = []
    for challenger_row, champion_row in zip(_nrr(challenger), _nrr(champion), strict=True):
        rows.append({"measure": "crps", "outcome": "nrr", **challenger_row, "champion": champion_row["challenger"]})
    for challenger_score, champion_score in zip(challenger.scores, champion.scores, strict=True):
        place = {"outcome": challenger_score.outcome, "horizon_months": challenger_score.horizon_months}
        for measure in ("log_loss", "calibration_error"):
            pair = {"challenger": getattr(challenger_score, measure), "champion": getattr(champion_score, measure)}
            limit = challenger_score.calibration_floor_high if measure == "calibration_error" else float("nan")
            rows.append({"measure": measure, **place, **pair, "limit": limit})
    return pd.DataFrame(rows)


def _nrr(findings: Findings) -> list[dict[str, float]]:
    table = findings.tables["portfolio"]
    rows = table[table["metric"] == "nrr"].to_dict(orient="records")
    return [{"horizon_months": row["horizon_months"], "challenger": row["model_crps"]} for row in rows]


def worse_slices(challenger: pd.DataFrame, champion: pd.DataFrame, *, floor: float) -> list[str]:
    """The values of cuts within which the challenger is worse, so that no group of customers pays for the rest.

    Parameters
    ----------
    challenger, champion
        As `models.scores.portfolio.account_cut_table` gives them, of the same origins.
    floor
        By how large a share its log-loss may be the larger; values with few events are not judged.

    Returns
    -------
    list of str
        Each with its outcome, horizon and both figures, the worst first.
    """
    if challenger.empty or champion.empty:
        return []
    place = ["cut", "value", "outcome", "horizon_months"]
    both = challenger[~challenger["few"]].merge(champion, on=place, suffixes=("", "_champion"))
    both = both.assign(loss=both["log_loss"] / both["log_loss_champion"] - 1)
    worse = both[both["loss"] > floor].sort_values("loss", ascending=False)
    return [
        f"{row['cut']} {row['value']}, {row['outcome']} {row['horizon_months']}m: log-loss {row['log_loss']:.3f} "
        f"against {row['log_loss_champion']:.3f} ({signed_percent(row['loss'])})"
        for row in worse.to_dict(orient="records")
    ]


def judge(table: pd.DataFrame) -> tuple[bool, str]:
    """Whether the challenger won, and the figures that say so.

    It wins with the smaller CRPS of NRR, all horizons added up, and the smaller log-loss, all outcomes and horizons
    added up, if no calibration error is larger than both the champion's and what chance alone would make of it.
    """
    reasons, won = [], True
    for measure, name in (("crps", "CRPS of NRR"), ("log_loss", "log-loss")):
        challenger_sum, champion_sum = (
            float(table.loc[table["measure"] == measure, who].sum()) for who in ("challenger", "champion")
        )
        won &= challenger_sum < champion_sum
        change = signed_percent(challenger_sum / champion_sum - 1)
        reasons.append(f"{name} {challenger_sum:.4g} against {champion_sum:.4g} ({change})")
    errors = table[table["measure"] == "calibration_error"]
    worse = errors[errors["challenger"] > errors[["champion", "limit"]].max(axis=1)]
    where = ", ".join(f"{row['outcome']} {row['horizon_months']}m" for row in worse.to_dict(orient="records"))
    reasons.append(f"worse calibrated for {where}" if where else "not worse calibrated")
    return won and worse.empty, ", ".join(reasons)
