"""The holdout of recommendations: who is in it, who is withheld by lot, and what it costs and can show beforehand.

What is withheld is a recommendation, never care: what must be done is always planned, and tickets, notices and renewals
are seen to as ever. Who is eligible is fixed on a quarter's first night, near the cut of the hours, where plays are
worth least.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.effects.holdout import detectable_difference, lots
from models.plans.play_value import at_end
from models.words import counted
from params_team import Actions, Holdout
from serving.actions.on_record import AUTHOR
from serving.actions.planning import NO_PLAY, Plan
from serving.forecast.account_conditions import meets
from serving.journal.entries import ENROLMENT, Entry, Note, read, write
from serving.ledger.record import Record

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
NEAR_THE_CUT = (0.5, 1.5)  # of the hours that are left for what saves most: plays ranked there may be withheld
MONTHS_A_QUARTER = 3
ASSUMED_TAKE_UP = 0.5
_MILLIONTHS = 1_000_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """Who is in the holdout of a quarter, in the order of the accounts of a plan.

    Attributes
    ----------
    enrolled, is_withheld
        Shape (accounts,).
    action
        The play that each enrolled account was to get when the quarter began; empty of others.
    share
        The chance of being withheld.
    note
        Why there is none; empty if there is.
    """

    enrolled: Bools
    is_withheld: Bools
    action: NDArray[np.object_]
    share: float
    note: str = ""

    @classmethod
    def none(cls, accounts: int, note: str = "") -> "Trial":
        """Nobody is in a holdout."""
        nobody = np.zeros(accounts, dtype=bool)
        return cls(nobody, nobody, np.full(accounts, "", dtype=object), 0.0, note)

    @property
    def probability_of_assignment(self) -> Array:
        """The chance of being recommended what is planned, by design: never a matter of the ranking."""
        return np.where(self.enrolled, 1.0 - self.share, 1.0)


def quarter_of(day: date) -> date:
    """The first day of a day's calendar quarter."""
    return date(day.year, day.month - (day.month - 1) % MONTHS_A_QUARTER, 1)


def trial_of(plan: Plan, customers: pd.DataFrame, settings: Actions, as_of: date, enrolments: Sequence[Entry]) -> Trial:
    """The holdout of a date's quarter: as it is on record or, where it is not yet, as it begins now.

    Parameters
    ----------
    plan
        What would be recommended to everybody.
    customers
        Snapshot rows, in the order of the plan.
    settings
        `actions` of the settings.
    as_of
        The date.
    enrolments
        Those on record.
    """
    holdout, ids = settings.holdout, customers["account_id"]
    if holdout.share == 0:
        return Trial.none(len(ids))
    there = {
        entry.account_id: entry.payload
        for entry in enrolments
        if entry.payload["quarter"] == quarter_of(as_of).isoformat()
        and entry.payload["salt"] == salt_mark(holdout.salt)
    }
    if there:
        return _on_record(there, ids)
    trial = begun(plan, customers, settings)
    stake = arr_at_stake(plan, trial)[0]
    if stake > (holdout.acknowledged_arr or 0.0):
        return Trial.none(
            len(ids),
            f"The holdout has not begun: {stake:,.0f} of ARR a quarter is at stake, more than "
            f"actions.holdout.acknowledged_arr says. See `holdfast holdout`; all is recommended until then.",
        )
    return trial


def salt_mark(salt: str) -> str:
    """What of a salt may stand on record: which it was, and not what."""
    return hashlib.sha256(salt.encode()).hexdigest()[:12]


def _on_record(there: Mapping[str | None, Mapping[str, Any]], ids: "pd.Series[str]") -> Trial:
    says = [there.get(account) for account in ids]
    return Trial(
        np.array([each is not None for each in says]),
        np.array([each is not None and bool(each["is_withheld"]) for each in says]),
        np.array(["" if each is None else str(each["action"]) for each in says], dtype=object),
        1.0 - next(iter(there.values()))["probability_millionths"] / _MILLIONTHS,
    )


def begun(plan: Plan, customers: pd.DataFrame, settings: Actions) -> Trial:
    """The holdout as it would begin with a plan."""
    holdout, best = settings.holdout, _best_plays(plan)
    enrolled = eligible(plan, customers, holdout)
    withheld = enrolled & (lots(customers["account_id"], holdout.salt) < holdout.share)
    names = np.array([*plan.kinds.names, ""], dtype=object)
    return Trial(enrolled, withheld, np.where(enrolled, names[best], ""), holdout.share)


def eligible(plan: Plan, customers: pd.DataFrame, holdout: Holdout) -> Bools:
    """Who may be in it: near the cut of somebody's hours, and not excluded."""
    return np.asarray(_near_the_cut(plan) & ~np.any(list(excluded(plan, customers, holdout).values()), axis=0))


def excluded(plan: Plan, customers: pd.DataFrame, holdout: Holdout) -> dict[str, Bools]:
    """Who may not be in it, by why."""
    order = np.argsort(-plan.prediction.arr, kind="stable")
    largest = np.isin(np.arange(len(order)), order[: holdout.largest_accounts])
    conditions = {text: meets(customers, text, "actions.holdout.exclude") for text in holdout.exclude}
    return {"must be tended to": plan.book.must_do != "", "the largest accounts": largest, **conditions}


def _best_plays(plan: Plan) -> NDArray[np.int64]:
    """The play that each account is planned to get, else the one that saves most an hour; `NO_PLAY` where none does."""
    per_hour = np.nan_to_num(plan.value) / np.maximum(plan.kinds.hours, 1.0)
    best = np.where(per_hour.max(axis=1) > 0, per_hour.argmax(axis=1), NO_PLAY)
    return np.where(plan.play == NO_PLAY, best, plan.play)


def _near_the_cut(plan: Plan) -> Bools:
    """Whose play lies from half to one and a half times the cut, in the order of what saves most an hour."""
    best = _best_plays(plan)
    place = np.maximum(best, 0)
    seats = np.maximum(plan.kinds.seats, 1)
    hours = (plan.kinds.hours / seats)[place]
    worth = np.nan_to_num(plan.value)[np.arange(len(best)), place] / np.maximum(hours, 1e-9)
    near = np.zeros(len(best), dtype=bool)
    for name, left in plan.optional_hours().items():
        rows = np.flatnonzero(
            (plan.book.hours_of == name) & (best != NO_PLAY) & (plan.book.must_do == "") & (hours > 0)
        )
        rows = rows[np.argsort(-worth[rows], kind="stable")]
        reached = np.cumsum(hours[rows])
        cut = min(left, reached[-1]) if rows.size else 0.0  # where the hours hold all plays, the last is the cut
        near[rows] = (reached > NEAR_THE_CUT[0] * cut) & (reached <= NEAR_THE_CUT[1] * cut)
    return near


def arr_at_stake(plan: Plan, trial: Trial) -> tuple[float, float, float]:
    """ARR that a quarter of the holdout may cost at most, with its 80 % interval: a round of plays less each month.

    Others get the hours of whoever is withheld, so that it is the difference of the two plans.
    """
    rows, less = plan.rows(), plan.withholding(trial.is_withheld).rows()
    costs = [MONTHS_A_QUARTER * float(rows[name].sum() - less[name].sum()) for name in ("arr_saved", "low", "high")]
    low, high = sorted(costs[1:])
    return max(costs[0], 0.0), low, high


def holdout_plan(plan: Plan, customers: pd.DataFrame, settings: Actions, take_up: float | None) -> Row:
    """What a holdout would cost and could show, before it is switched on.

    Parameters
    ----------
    plan
        What would be recommended to everybody.
    customers, settings
        As `trial_of` takes them; of the settings `holdout.share` must be above 0.
    take_up
        The share of recommendations that were done, as the record tells; None if it does not.
    """
    holdout, trial = settings.holdout, begun(plan, customers, settings)
    months = settings.outcome_months
    enrolled = np.flatnonzero(trial.enrolled)
    gone = at_end(plan.prediction.under_expected_luck().rows(enrolled), months)[0] if enrolled.size else np.zeros(0)
    churn = float(gone.mean()) if enrolled.size else 0.0
    assumed = ASSUMED_TAKE_UP if take_up is None else take_up
    smallest = detectable_difference(holdout.share, int(trial.enrolled.sum()), churn, assumed)
    stake, low, high = arr_at_stake(plan, trial)
    points = plan.churn_points[np.arange(len(plan.play)), np.maximum(_best_plays(plan), 0)][trial.enrolled]
    return {
        "share": holdout.share,
        "outcome_months": months,
        "eligible": int(trial.enrolled.sum()),
        "withheld": int(trial.is_withheld.sum()),
        "arr_eligible": float(plan.prediction.arr[trial.enrolled].sum()),
        "arr_withheld": float(plan.prediction.arr[trial.is_withheld].sum()),
        "excluded": {why: int(who.sum()) for why, who in excluded(plan, customers, holdout).items()},
        "arr_at_stake": stake,
        "arr_at_stake_low": low,
        "arr_at_stake_high": high,
        "churn": churn,
        "take_up": assumed,
        "take_up_is_assumed": take_up is None,
        "detectable_points": 100 * smallest if np.isfinite(smallest) else None,
        "expected_points": -100 * float(points.mean()) if points.size else None,
        "kinds": {
            str(name): int(number) for name, number in pd.Series(trial.action[trial.enrolled]).value_counts().items()
        },
    }


def record_enrolments(record: Record, trial: Trial, ids: Iterable[str], settings: Actions, as_of: date) -> int:
    """Put a quarter's holdout on record, once; gives how many accounts were added."""
    quarter, mark = quarter_of(as_of).isoformat(), salt_mark(settings.holdout.salt)
    there = any(
        entry.payload["quarter"] == quarter and entry.payload["salt"] == mark for entry in read(record, ENROLMENT)
    )
    if there or not trial.enrolled.any():
        return 0
    chance = round((1.0 - trial.share) * _MILLIONTHS)
    about: dict[str, Any] = {
        "quarter": quarter,
        "as_of": as_of.isoformat(),
        "salt": mark,
        "probability_millionths": chance,
    }
    notes = [
        Note(ENROLMENT, AUTHOR, account, {**about, "action": str(action), "is_withheld": bool(withheld)})
        for account, enrolled, withheld, action in zip(
            ids, trial.enrolled, trial.is_withheld, trial.action, strict=True
        )
        if enrolled
    ]
    write(record, notes)
    return len(notes)


def plan_lines(told: Row, currency: str) -> list[str]:
    """What must be known before a holdout is switched on, and how it is."""
    smallest = told["detectable_points"]
    shown = "nothing: too few accounts" if smallest is None else f"{smallest:.1f} points of churn or more"
    expected = "" if told["expected_points"] is None else f" Expected of these plays: {told['expected_points']:+.1f}."
    seen = "assumed" if told["take_up_is_assumed"] else "as on record"
    return [
        f"A holdout of {told['share']:.0%}: {counted(told['eligible'], 'account')} near the cut of the hours, "
        f"{told['withheld']:,} of them withheld; {currency} {told['arr_withheld']:,.0f} of ARR.",
        f"At stake, at most: {currency} {told['arr_at_stake']:,.0f} of ARR a quarter "
        f"[{told['arr_at_stake_low']:,.0f}, {told['arr_at_stake_high']:,.0f}].",
        f"It can show {shown} within {counted(told['outcome_months'], 'month')}, on those who take the offer up "
        f"({told['take_up']:.0%}, {seen}), in 4 of 5 cases.{expected}",
        "Never in it: " + ", ".join(f"{why} ({number:,})" for why, number in told["excluded"].items()) + ".",
        "It withholds recommendations, never care: what must be done, tickets, notices and renewals go on as ever.",
        f"To switch it on: actions.holdout: {{share: {told['share']:g}, salt: <words of your own>, acknowledged_arr: "
        f"{np.ceil(told['arr_at_stake']):.0f}}}.",
    ]
