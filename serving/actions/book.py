"""Who can be tended to, by whose hours, what must be done, and which plays are not allowed now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue.cut_labels import NO_LABEL
from features.revenue.renewals import MONTHLY_DAYS
from models.plans.hours import hours_of
from models.words import counted
from params_team import Actions
from serving.actions.kinds import Kinds
from serving.actions.on_record import Answered
from serving.forecast.account_conditions import Bools, meets
from serving.forecast.declared.acting_tables import POOLED
from serving.forecast.refusals import BadRequest

TECH = "tech"
CSM_ROLE = "csm"


@dataclass(frozen=True)
class Book:
    """The accounts, a row each in the order of the snapshot.

    Attributes
    ----------
    csm
        Whose book each is in; `NO_LABEL` where nobody's.
    hours_of
        Whose hours each takes: its CSM's, or `POOLED`.
    must_do
        Why it must be tended to; empty where it need not.
    allowed
        Which plays may be done now, shape (accounts, plays).
    done_lately
        Which plays may not since they were done, or were declined, not long ago; of the same shape.
    """

    csm: NDArray[np.object_]
    hours_of: NDArray[np.object_]
    must_do: NDArray[np.object_]
    allowed: Bools
    done_lately: Bools


def book_of(
    customers: pd.DataFrame,
    done: pd.DataFrame,
    kinds: Kinds,
    settings: Actions,
    as_of: date,
    answered: Answered | None = None,
    gone: Collection[str] = (),
) -> Book:
    """The book of the customers at a date.

    Parameters
    ----------
    customers
        Their snapshot rows.
    done
        What was done, as `features.kpis.care_done.last_done` gives it.
    kinds
        The plays.
    settings
        `actions` of the settings.
    as_of
        The date.
    answered
        What people did with recommendations; None if nothing is known of it.
    gone
        Who has left: their accounts take the pool's hours.

    Raises
    ------
    BadRequest
        A condition of `exclude` is on a column that there is not.
    """
    csm = _text(customers, "csm")
    pooled = (csm == NO_LABEL) | (_text(customers, "touch_model") == TECH) | pd.Series(csm).isin(gone).to_numpy()
    answered = answered or Answered.none()
    lately = _done_lately(customers["account_id"], _with_answers(done, answered), kinds, as_of)
    lately |= _held_back(customers["account_id"], answered, kinds, as_of)
    excluded = np.column_stack([_excluded(customers, kind.name, kind.play.exclude) for kind in kinds.kinds])
    return Book(
        csm, np.where(pooled, POOLED, csm), _must_do(customers, settings.must_do_days), ~lately & ~excluded, lately
    )


def hours_by_person(people: pd.DataFrame, book: Book, settings: Actions) -> dict[str, float]:
    """The hours a month of each CSM with accounts, of those without, and of the pool, by name.

    Parameters
    ----------
    people
        As `features.kpis.care_done.staff_hours` gives them.

    Raises
    ------
    BadRequest
        Hours of a CSM are missing, negative or zero.
    """
    told = people.set_index("name")["hours_per_month"] if len(people) else pd.Series(dtype=float)
    team = sorted({*book.hours_of, *people.loc[people["role"] == CSM_ROLE, "name"]} - {POOLED})
    hours = {name: told.get(name, np.nan) for name in team}
    wrong = [f"{name} ({value:g})" for name, value in hours.items() if not np.isnan(value) and value <= 0]
    if wrong:
        raise BadRequest(
            f"people.hours_per_month must be above 0: it is not for {_some(wrong)}. Give the hours, or leave the cell "
            "empty, so that actions.hours_per_month counts; who has left has a left_on."
        )
    missing = [name for name, value in hours.items() if np.isnan(value)]
    if missing and settings.hours_per_month is None:
        raise BadRequest(
            f"There are no hours for {_some(missing)}: give people.hours_per_month, or actions.hours_per_month for all."
        )
    default = settings.hours_per_month or 0.0
    return {
        **{name: default if np.isnan(value) else float(value) for name, value in hours.items()},
        POOLED: settings.pooled_hours_per_month,
    }


def hours_spent(
    book: Book, accounts: "pd.Series[str]", done: pd.DataFrame, answered: Answered, kinds: Kinds, as_of: date
) -> dict[str, float]:
    """The hours that plays of the calendar month have taken already, by whose hours they were.

    What people say they did counts as what the data tell; of both at once it counts once.

    Parameters
    ----------
    book, accounts
        The accounts, and their ids in the same order.
    done, answered, kinds, as_of
        As `book_of` takes them.
    """
    both = _with_answers(done, answered)
    both = both[both["done_on"] >= pd.Timestamp(as_of.replace(day=1))]
    place = {account: row for row, account in enumerate(accounts)}
    kind_of = {name: number for number, name in enumerate(kinds.names)}
    plays: dict[str, list[int]] = {}
    for account, action in zip(both["account_id"], both["action"], strict=True):
        if account in place and action in kind_of:
            plays.setdefault(str(book.hours_of[place[account]]), []).append(kind_of[action])
    return {name: hours_of(np.array(numbers), kinds.hours, kinds.seats) for name, numbers in plays.items()}


def _some(names: list[str], most: int = 5) -> str:
    """Some names, and how many there are beside them."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _text(customers: pd.DataFrame, column: str) -> NDArray[np.object_]:
    if column not in customers.columns:
        return np.full(len(customers), NO_LABEL, dtype=object)
    texts = customers[column].astype("object")
    return np.asarray(texts.where(texts.notna(), NO_LABEL), dtype=object)


def _must_do(customers: pd.DataFrame, days: int) -> NDArray[np.object_]:
    """Notice first, then what is overdue, then a renewal that is near and not signed; a plan by the month has none."""
    reasons = np.full(len(customers), "", dtype=object)
    ends = (customers["term_ends_on"] - customers["as_of"]).dt.days.to_numpy(dtype=float)
    overdue = np.nan_to_num(customers["overdue_days"].to_numpy(dtype=float))
    near = (ends >= 0) & (ends <= days) & ~(customers["presigned"].to_numpy(dtype=float) > 0)
    near &= ~(customers["term_days"].to_numpy(dtype=float) <= MONTHLY_DAYS)
    reasons[near] = [f"renews in {counted(int(left), 'day')}" for left in ends[near]]
    late = overdue > 0
    reasons[late] = [f"its term ran out {counted(int(gone), 'day')} ago" for gone in overdue[late]]
    reasons[customers["notice_given"].to_numpy(dtype=float) > 0] = "notice is given"
    return reasons


def _done_lately(accounts: "pd.Series[str]", done: pd.DataFrame, kinds: Kinds, as_of: date) -> Bools:
    """Which plays were done within their minimum gap, shape (accounts, plays)."""
    last = done.pivot(index="account_id", columns="action", values="done_on") if len(done) else pd.DataFrame()
    last = last.reindex(index=accounts, columns=kinds.names)
    days = last.astype("datetime64[us]").to_numpy().astype("datetime64[D]")
    gaps = np.array([kind.play.min_gap_days for kind in kinds.kinds])
    return np.asarray(~np.isnat(days) & ((np.datetime64(as_of) - days).astype(int) < gaps))


def _with_answers(done: pd.DataFrame, answered: Answered) -> pd.DataFrame:
    """What was done, with what people say they did and the data do not tell yet."""
    rows = [(account, action, pd.Timestamp(day)) for (account, action), day in answered.done.items()]
    both = pd.concat([done, pd.DataFrame(rows, columns=["account_id", "action", "done_on"])]) if rows else done
    return both.groupby(["account_id", "action"])["done_on"].max().reset_index()


def _held_back(accounts: "pd.Series[str]", answered: Answered, kinds: Kinds, as_of: date) -> Bools:
    """Which plays are not to be offered again yet, by what people answered."""
    held = {pair for pair, until in answered.held_back.items() if until > as_of}
    named = {account for account, _ in held}
    return np.array([[account in named and (account, kind) in held for kind in kinds.names] for account in accounts])


def _excluded(customers: pd.DataFrame, kind: str, conditions: tuple[str, ...]) -> Bools:
    """Who meets one of the conditions."""
    excluded = np.zeros(len(customers), dtype=bool)
    for condition in conditions:
        excluded |= meets(customers, condition, f"actions.kinds.{kind}.exclude")
    return excluded
