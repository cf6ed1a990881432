"""What a backtest found, in words: which baselines the model beats, for each outcome and horizon, and which not."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from models.scores.evaluation import AccountScore
from models.scores.findings import FEWEST_ACCOUNTS, TOO_FEW_EVENTS
from models.scores.skill import ENOUGH_WINDOWS
from models.words import counted, months_ahead, signed_percent

TOO_FEW_DATES = "TOO FEW FORECAST DATES"
MEASURES = {"churn": "log-loss", "expansion": "log-loss", "nrr": "CRPS"}
NAMES = {"churn": "Churn", "expansion": "Expansion", "nrr": "NRR"}


def backtest_verdict(
    scores: Sequence[AccountScore], skill: pd.DataFrame, table: pd.DataFrame, since: date
) -> list[str]:
    """The finding in words: too few dates, what beats no baseline, skill in telling accounts apart, who is beaten."""
    lines = [_against(part) for _, part in skill.groupby(["outcome", "horizon_months"], sort=False)]
    nothing = [line for line in lines if line.startswith("BEATS NO BASELINE")]
    rest = [line for line in lines if line not in nothing]
    return [*_caution(table), *nothing, *verdict(scores, since), *rest]


def _against(part: pd.DataFrame) -> str:
    """One outcome and horizon against every rival."""
    first = part.iloc[0]
    better, other = part[part["skill"] > 0], part[~(part["skill"] > 0)]
    what = f"{NAMES[first['outcome']]} {counted(int(first['horizon_months']), 'month')} ahead"
    measure = MEASURES[first["outcome"]]
    trace = first["finding"] == TOO_FEW_EVENTS
    what += ", as a trace" if trace else ""
    if better.empty:
        line = f"no better {measure} than any of {_listed(other)}."
        return f"{what}: {line}" if trace else f"BEATS NO BASELINE: {what} has {line}"
    line = f"{what}: better {measure} than {_listed(better)}"
    return line + (f"; no better than {_listed(other)}." if len(other) else ", all that it was held against.")


def _listed(part: pd.DataFrame) -> str:
    """`trailing NRR (+12 %, beyond chance), segment rates (+3 %)`."""
    beyond = {"better": ", beyond chance", "worse": ", beyond chance"}
    return ", ".join(
        f"{row['label']} ({signed_percent(row['skill'])}{beyond.get(row['finding'], '')})"
        for row in part.to_dict(orient="records")
    )


def _caution(table: pd.DataFrame) -> list[str]:
    """At which horizons the forecast dates are too few for more than a trace."""
    rows = table[table["metric"] == "nrr"].sort_values("horizon_months").to_dict(orient="records")
    few = [row for row in rows if row["windows_apart"] < ENOUGH_WINDOWS]
    if not few:
        return []
    text = "; ".join(
        f"{counted(row['horizon_months'], 'month')} ahead {row['windows_apart']} of "
        f"{counted(row['origins'], 'forecast date')}"
        for row in few
    )
    return [
        f"{TOO_FEW_DATES} to tell skill from luck, whose windows do not overlap: {text} ({ENOUGH_WINDOWS} are needed). "
        "Read these comparisons as a trace, not as a proof."
    ]


def verdict(scores: Sequence[AccountScore], since: date) -> list[str]:
    """The finding in words, first of all: whether the model tells accounts apart better than rates without a model."""
    lines = []
    for outcome in dict.fromkeys(score.outcome for score in scores):
        own_scores = [score for score in scores if score.outcome == outcome]
        skilled, unskilled, few = (
            [score for score in own_scores if score.finding == what] for what in ("skill", "no skill", TOO_FEW_EVENTS)
        )
        if skilled:
            lines.append(_skill(outcome, skilled, since))
        elif unskilled:
            lines.append(_no_skill(outcome, unskilled, since))
        if few:
            lines.append(_too_few(outcome, few, since) + ("" if unskilled and not skilled else _advice(outcome)))
    return lines


def cautions(verdict: Sequence[str]) -> list[str]:
    """Of a verdict, what a reader of forecasts must know."""
    return [line for line in verdict if line.startswith(("NO SKILL FOUND", "TOO FEW EVENTS"))]


def _skill(outcome: str, skilled: Sequence[AccountScore], since: date) -> str:
    """At which horizons the base rate is beaten and, of those, the rates by segment and term end."""
    better = [score for score in skilled if score.beats_segments]
    equal = [score for score in skilled if not score.beats_segments]
    lines = [
        f"{outcome.capitalize()} probabilities beat the base rate {_ahead(skilled)}, tested out of time from {since}."
    ]
    if better:
        lines.append(f"They also beat the past rates by segment and term end {_ahead(better)}.")
    if equal:
        lines.append(
            f"They are not better, beyond chance, than the past rates by segment and term end {_ahead(equal)}."
        )
    return " ".join(lines)


def _ahead(scores: Sequence[AccountScore]) -> str:
    """`3, 6 months ahead`."""
    return months_ahead([score.horizon_months for score in scores])


def _no_skill(outcome: str, scores: Sequence[AccountScore], since: date) -> str:
    """What decided it, horizon by horizon."""
    why = "; ".join(f"{_ahead([score])}, {_lacking(outcome, score)}" for score in scores)
    return (
        f"NO SKILL FOUND for {outcome}, tested out of time from {since}: {why}. "
        f"Do not act on single accounts' {outcome} probabilities or reasons."
    )


def _too_few(outcome: str, scores: Sequence[AccountScore], since: date) -> str:
    """At which horizons the outcome came to how few accounts, and why there may be more rows than accounts."""
    again = any(score.events > score.accounts for score in scores)
    counts = "; ".join(
        f"{_ahead([score])} {outcome} came to {counted(score.accounts, 'account')}"
        + (f" ({counted(score.events, 'row')})" if again else "")
        for score in scores
    )
    return (
        f"TOO FEW EVENTS to tell how good the {outcome} probabilities are, tested out of time from {since}: {counts}; "
        f"{FEWEST_ACCOUNTS} accounts are needed."
        + (" A row is an account at one forecast date, and an account counts in several." if again else "")
    )


def _advice(outcome: str) -> str:
    """What to do with probabilities of which too few events came to judge them."""
    return f" Let the {outcome} probabilities order whom you look at first; act on what you find, not on the figures."


def _lacking(outcome: str, score: AccountScore) -> str:
    """Which of the conditions of `AccountScore.has_skill` a score fails."""
    failed = []
    if not score.skill_low > 0:
        better = f"{abs(score.skill):.1%} {'better' if score.skill > 0 else 'worse'}"
        failed.append(f"the log-loss was {better} than the base rate's (95 % interval from {score.skill_low:+.1%})")
    if np.isnan(score.auc):
        failed.append(f"{outcome} came to all, so that nothing tells them apart")
    elif not score.auc_low > 0.5:
        failed.append(
            f"the AUC {score.auc:.2f} (95 % interval from {score.auc_low:.2f}) is not above 0.5 beyond chance"
        )
    return " and ".join(failed)
