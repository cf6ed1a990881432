"""What the holdout of recommendations showed, by kind of play, joined with what the study of past actions found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.kpis.care_done import all_done
from features.revenue import add_months, arr_by_account
from features.tables.checked import Tables
from models.effects.action_effect import ActionEffect
from models.effects.holdout import Joined, TrialEffect, as_log_odds, join, trial_effect
from models.words import counted
from params import Params
from serving.actions.withheld import salt_mark
from serving.journal.entries import Entry

ALL_KINDS = "(all)"
QUARTER_DAYS = 92  # after an account came into the holdout: within them its play counts as done
_MILLIONTHS = 1_000_000
Row = dict[str, Any]


@dataclass(frozen=True)
class _Enrolled:
    """An account in the holdout, from the first night that it was."""

    account_id: str
    action: str
    day: date
    is_withheld: bool


def trial_results(
    enrolments: Sequence[Entry],
    tables: Tables,
    studied: Mapping[str, ActionEffect],
    *,
    params: Params,
    as_of: date,
) -> Row:
    """What the holdout showed, as plain data.

    Parameters
    ----------
    enrolments
        Those on record.
    tables
        What accounts and the team did; what was known before `as_of` counts.
    studied
        What a study of past actions found, by kind.

    Returns
    -------
    dict
        `rows`, all kinds together first; `enrolled`, `waiting` for the end of their window, `others` of another salt
        or share, which are left out.
    """
    months = params.actions.outcome_months
    ours, others = _of_this_trial(enrolments, params)
    over = [one for one in ours if add_months(one.day, months) <= as_of]
    frame = _outcomes(over, tables, params, as_of) if over else pd.DataFrame(columns=_COLUMNS)
    kinds = [(ALL_KINDS, frame), *((str(kind), part) for kind, part in frame.groupby("action"))]
    return {
        "as_of": as_of.isoformat(),
        "outcome_months": months,
        "enrolled": len(ours),
        "waiting": len(ours) - len(over),
        "others": others,
        "rows": [_row(kind, part, studied.get(kind), params) for kind, part in kinds],
    }


def _of_this_trial(enrolments: Sequence[Entry], params: Params) -> tuple[list[_Enrolled], int]:
    """Each account from its first quarter in the holdout as the settings have it, and how many entries are of others.

    Later quarters of an account tell nothing new: by then its arm has had its effect.
    """
    holdout, first = params.actions.holdout, dict[str, _Enrolled]()
    mark, chance, others = salt_mark(holdout.salt), round((1 - holdout.share) * _MILLIONTHS), 0
    for entry in enrolments:
        says: Mapping[str, Any] = entry.payload
        if (says["salt"], says["probability_millionths"]) != (mark, chance):
            others += 1
        elif entry.account_id is not None and entry.account_id not in first:
            day = date.fromisoformat(says["as_of"])
            first[entry.account_id] = _Enrolled(entry.account_id, says["action"], day, bool(says["is_withheld"]))
    return list(first.values()), others


_COLUMNS = ["account_id", "action", "is_withheld", "left", "done"]


def _outcomes(over: Sequence[_Enrolled], tables: Tables, params: Params, as_of: date) -> pd.DataFrame:
    """A row an account: its arm, whether it has left by the window's end, and whether its play was done."""
    months, budget = params.actions.outcome_months, params.budget
    ends = sorted({add_months(one.day, months) for one in over})
    arr = arr_by_account(tables, ends, known_by=as_of, rules=params.revenue, budget=budget)
    there = set(zip(arr["account_id"], pd.to_datetime(arr["instant"]).dt.date, strict=True))
    done = all_done(tables, min(one.day for one in over), as_of, budget)
    days: dict[tuple[str, str], list[date]] = {}
    for account, action, stamp in zip(done["account_id"], done["action"], done["done_on"], strict=True):
        days.setdefault((account, action), []).append(stamp.date())
    rows = [
        (
            one.account_id,
            one.action,
            one.is_withheld,
            (one.account_id, add_months(one.day, months)) not in there,
            any(_is_within(day, one.day) for day in days.get((one.account_id, one.action), ())),
        )
        for one in over
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _is_within(day: date, first: date) -> bool:
    return first <= day < first + timedelta(days=QUARTER_DAYS)


def _row(kind: str, frame: pd.DataFrame, studied: ActionEffect | None, params: Params) -> Row:
    left, done, withheld = (frame[name].to_numpy(dtype=bool) for name in ("left", "done", "is_withheld"))
    shown = trial_effect(left, done, withheld)
    decay = params.actions.decay if studied is None else studied.decay
    shift = _shift(shown, params.actions.outcome_months, decay)
    joined = None
    if shift is not None and studied is not None and studied.logit is not None and studied.logit_se is not None:
        joined = join(shift, (studied.logit, studied.logit_se), studied.allowance)
    return {
        "kind": kind,
        "offered": shown.offered,
        "withheld": shown.withheld,
        "intention_points": _points(shown.intention),
        "intention_se": _points(shown.intention_se),
        "take_up": shown.take_up,
        "effect_points": _points(shown.effect),
        "low": None if shown.interval is None else _points(shown.interval[0]),
        "high": None if shown.interval is None else _points(shown.interval[1]),
        "logit": shift and shift[0],
        "logit_se": shift and shift[1],
        "study_logit": None if studied is None else studied.logit,
        **_joined(joined),
        "text": _text(kind, shown, joined),
    }


def _shift(shown: TrialEffect, months: int, decay: float) -> tuple[float, float] | None:
    if shown.effect is None or shown.se is None or shown.churn_withheld is None:
        return None
    return as_log_odds(shown.effect, shown.se, shown.churn_withheld, months, decay)


def _joined(joined: Joined | None) -> Row:
    low, high = (None, None) if joined is None or joined.interval is None else joined.interval
    return {
        "joined_logit": None if joined is None else joined.shift,
        "joined_low": low,
        "joined_high": high,
        "weight_of_trial": None if joined is None else joined.weight_of_trial,
        "apart": None if joined is None else joined.apart,
        "p_value": None if joined is None else joined.p_value,
    }


def _text(kind: str, shown: TrialEffect, joined: Joined | None) -> str:
    """What the trial says of a kind, in a sentence or two."""
    arms = f"{kind}: {counted(shown.offered, 'account')} offered, {shown.withheld:,} withheld"
    if shown.effect is None or shown.interval is None:
        return f"{arms}; nothing can be told: {shown.reason}."
    low, high = (100 * bound for bound in shown.interval)
    points = f"{100 * shown.effect:+.1f} points of churn where the offer was taken up"
    text = f"{arms}; {points} (95 %: {low:+.1f} to {high:+.1f})."
    if joined is None:
        return text
    if joined.shift is None or joined.interval is None:
        return f"{text} The study of past actions says otherwise ({joined.apart:.1f} standard errors): trust the trial."
    low, high = joined.interval
    return (
        f"{text} With the study of past actions: {joined.shift:+.2f} on the log-odds (95 %: {low:+.2f} to {high:+.2f})."
    )


def _points(share: float | None) -> float | None:
    return None if share is None else 100 * share


def results_lines(content: Row) -> list[str]:
    """How many are through their window, then a line a kind."""
    over = content["enrolled"] - content["waiting"]
    lines = [
        f"{counted(content['enrolled'], 'account')} in the holdout, {over:,} of them through their "
        f"{counted(content['outcome_months'], 'month')}."
    ]
    if content["others"]:
        lines.append(f"Left out: {content['others']:,} enrolments of another salt or share.")
    return [*lines, *(str(row["text"]) for row in content["rows"])]
