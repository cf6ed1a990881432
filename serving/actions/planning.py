"""The plan of a month: what must be done first, then what saves the most ARR within the hours that are left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months
from models.effects.action_effect import HARMFUL
from models.outcomes.prediction import Prediction
from models.plans.hours import Selection, hours_of, select_plays
from models.plans.play_value import PlayValues
from models.words import counted
from serving.actions.book import Book
from serving.actions.kinds import Kinds
from serving.forecast.declared.acting_tables import ANSWERS, DO, ESTIMATED, LEAVE_ALONE, NO_HOUR, NOTHING, POOLED

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_PLAY = -1
_CENT = 0.005  # a play that saves less than this saves nothing


@dataclass(frozen=True)
class _Share:
    """What is planned for the accounts of one person's hours: `rows` of the book, what must be done, and the rest."""

    rows: Ints
    hours: float
    must: Selection
    rest: Selection

    @property
    def play(self) -> Ints:
        """The play of each of the rows."""
        return np.where(self.must.play == NO_PLAY, self.rest.play, self.must.play)

    @property
    def hours_used(self) -> float:
        return self.must.hours_used + self.rest.hours_used


class Plan:
    """Which play is done for which account.

    Parameters
    ----------
    kinds
        The plays.
    book
        The accounts.
    hours
        Hours a month by person, the pool among them.
    spent
        Those of them that this month's plays took already, by person.
    withheld
        Who is recommended nothing but what must be done, shape (accounts,).
    prediction
        The accounts' hazards, in the order of the book.
    horizon_months
        At whose end what a play saves is looked at.
    decay
        What is left of a play's effect a month later.
    """

    def __init__(
        self,
        kinds: Kinds,
        book: Book,
        hours: Mapping[str, float],
        prediction: Prediction,
        *,
        horizon_months: int,
        decay: float,
        spent: Mapping[str, float] | None = None,
        withheld: NDArray[np.bool_] | None = None,
    ) -> None:
        self.withheld = np.zeros(len(book.csm), dtype=bool) if withheld is None else withheld
        self.kinds, self.book, self.hours, self.spent = kinds, book, hours, spent or {}
        self.prediction, self.horizon_months, self.decay = prediction, horizon_months, decay
        self._values = PlayValues(prediction, horizon_months=horizon_months, decay=decay)
        of_kinds = [self._values.of(kind.size) for kind in kinds.kinds]
        self.churn_points = np.column_stack([value.churn_points for value in of_kinds])
        self.value = np.column_stack([value.arr_saved for value in of_kinds])
        self._harmful = np.array([kind.verdict == HARMFUL for kind in kinds.kinds])
        self.value[~book.allowed | self._harmful] = np.nan
        self._shares = {name: self._share(name, float(limit)) for name, limit in hours.items()}

    def within(self, hours: Mapping[str, float]) -> "Plan":
        """What is planned within other hours."""
        return self._otherwise(hours, self.withheld)

    def withholding(self, withheld: NDArray[np.bool_]) -> "Plan":
        """What is planned where some are recommended nothing but what must be done."""
        return self._otherwise(self.hours, withheld)

    def _otherwise(self, hours: Mapping[str, float], withheld: NDArray[np.bool_]) -> "Plan":
        same: dict[str, Any] = {"horizon_months": self.horizon_months, "decay": self.decay, "spent": self.spent}
        return Plan(self.kinds, self.book, hours, self.prediction, **same, withheld=withheld)

    def optional_hours(self) -> dict[str, float]:
        """The hours of each that are left once what must be done is."""
        return {name: max(share.hours - share.must.hours_used, 0.0) for name, share in self._shares.items()}

    @cached_property
    def play(self) -> Ints:
        """The play of each account, a place in `kinds`; `NO_PLAY` where there is none."""
        play = np.full(len(self.value), NO_PLAY, dtype=np.int64)
        for share in self._shares.values():
            play[share.rows] = share.play
        return play

    @cached_property
    def must_do_play(self) -> Ints:
        """The play by which an account that must be tended to is: the best of those for one account alone.

        Where none saves anything, it is the shortest; `NO_PLAY` where nothing must or may be done.
        """
        value = self._tending
        must = (self.book.must_do != "") & (value.max(axis=1) > -np.inf)
        return np.where(must, self._best(value), NO_PLAY)

    @cached_property
    def _tending(self) -> Array:
        """What each play saves that takes hours, is for one account alone and does no harm, at least 0; else -inf."""
        harmless = np.array([kind.size.churn <= 0 for kind in self.kinds.kinds]) & ~self._harmful
        alone = (self.kinds.seats == 0) & (self.kinds.hours > 0) & harmless
        return np.where(self.book.allowed & alone, np.maximum(np.nan_to_num(self.value), 0), -np.inf)

    def _best(self, value: Array) -> Ints:
        """The play worth most in each row, of several the shortest."""
        shortest = np.argsort(self.kinds.hours, kind="stable")
        return np.asarray(shortest[np.argmax(value[:, shortest], axis=1)])

    def _tended(self, rows: Ints, limit: float) -> Selection:
        """What must be done, the largest ARR first, each by its best play that the hours left hold."""
        hours, left = self.kinds.hours, limit
        play = np.full(len(rows), NO_PLAY, dtype=np.int64)
        for place in np.argsort(-self.prediction.arr[rows], kind="stable"):
            fits = np.where(hours <= left, self._tending[rows[place]], -np.inf)
            if self.must_do_play[rows[place]] != NO_PLAY and fits.max() > -np.inf:
                play[place] = self._best(fits[None])[0]
                left -= hours[play[place]]
        return Selection(play, hours_of(play, hours, self.kinds.seats), 0.0)

    def _share(self, name: str, limit: float) -> _Share:
        """First what must be done, by ARR; then, for all other accounts, what saves most."""
        rows, limit = np.flatnonzero(self.book.hours_of == name), max(limit - self.spent.get(name, 0.0), 0.0)
        first = self._tended(rows, limit)
        left = np.where((self.must_do_play[rows] == NO_PLAY)[:, None], self.value[rows], np.nan)
        left[(left < _CENT) | self.withheld[rows][:, None]] = np.nan
        rest = select_plays(left, self.kinds.hours, self.kinds.seats, max(limit - first.hours_used, 0.0))
        return _Share(rows, limit, first, rest)

    def rows(self) -> pd.DataFrame:
        """A row an account, in the order of the book: the columns of `recommended_action` that a plan tells."""
        play, done = self.play, self.play != NO_PLAY
        place, every = np.maximum(play, 0), np.arange(len(play))
        low, high = self._interval(play)
        hours = self._hours_each(play)
        saved = np.where(done, np.nan_to_num(self.value[every, place]), 0.0)
        rows = pd.DataFrame(
            {
                "csm": self.book.hours_of,
                "book": self.book.csm,
                "answer": self._answers(),
                "action": np.where(done, np.array(self.kinds.names, dtype=object)[place], ""),
                "must_do": self.book.must_do,
                "hours": hours,
                "arr_saved": saved.round(2),
                "low": low.round(2),
                "high": high.round(2),
                "arr_saved_per_hour": np.divide(saved, hours, out=np.full_like(saved, np.nan), where=hours > 0),
                "evidence": np.where(done, np.array([k.evidence for k in self.kinds.kinds], dtype=object)[place], ""),
                "probability_of_assignment": 1.0,
            }
        )
        return rows.assign(rank=self._ranks(rows), why=self._reasons(rows))

    def capacity(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A row a CSM and the pool: hours, those spent and used, what one more would save, and who got which answer."""
        counts = {pair: len(part) for pair, part in rows.groupby(["csm", "answer"])}
        table = pd.DataFrame(
            {
                "csm": name,
                "hours": self.hours[name],
                "spent": round(self.spent.get(name, 0.0), 6),
                "used": round(share.hours_used, 6),
                "must_do_hours": round(share.must.hours_used, 6),
                "shadow_price": round(share.rest.shadow_price, 2),
                "accounts": len(share.rows),
                **{answer: counts.get((name, answer), 0) for answer in ANSWERS},
            }
            for name, share in self._shares.items()
            if name != POOLED or len(share.rows)
        )
        return table.sort_values("csm", key=lambda names: names.where(names != POOLED, "\U0010ffff"), ignore_index=True)

    def notes(self) -> tuple[str, ...]:
        """What whoever reads the plan should know."""
        empty = [name for name, share in self._shares.items() if not len(share.rows) and name != POOLED]
        late = int(((self.must_do_play != NO_PLAY) & (self.play == NO_PLAY)).sum())
        notes = [*self.kinds.notes]
        if not any(kind.evidence == ESTIMATED for kind in self.kinds.kinds):
            notes.append(
                "No effect of a play is estimated yet: what plays save is by the sizes that the settings assume."
            )
        if empty:
            notes.append(f"{counted(len(empty), 'CSM')} without an account that takes their hours: {', '.join(empty)}.")
        if late:
            notes.append(f"{counted(late, 'account')} must be tended to, and the hours do not suffice for them.")
        return tuple(notes)

    def definition(self, as_of: date, currency: str) -> str:
        """What the figures of a row mean."""
        end = add_months(as_of, self.horizon_months)
        return (
            f"ARR saved = ARR at {as_of} x what the play takes off the probability of having none at {end}, by the "
            f"account's own monthly hazards, plus what it adds to expected ARR by more expansion. A play shifts the "
            f"log-odds of the first month by its effect, and of each month after by {self._fading} times the one "
            f"before. 80 % interval: by what is known of the effect, not of the account's luck. {currency} a year."
        )

    @property
    def _fading(self) -> str:
        """What is left of plays a month later, in words."""
        decays = sorted({self.decay if kind.size.decay is None else kind.size.decay for kind in self.kinds.kinds})
        return " or ".join(f"{decay:g}" for decay in decays)

    def _interval(self, play: Ints) -> tuple[Array, Array]:
        """What the play of each account saves at either end of its effect's 80 % interval; 0 without one."""
        low, high = np.zeros(len(play)), np.zeros(len(play))
        for place, kind in enumerate(self.kinds.kinds):
            rows = np.flatnonzero(play == place)
            if not rows.size:
                continue
            values = PlayValues(self.prediction.rows(rows), horizon_months=self.horizon_months, decay=self.decay)
            for size, bound in ((kind.at_low, low), (kind.at_high, high)):
                bound[rows] = values.of(size).arr_saved
        return low, high

    def _hours_each(self, play: Ints) -> Array:
        """The hours of each account's play; those of sessions are shared evenly among who comes."""
        hours = np.zeros(len(play))
        for share in self._shares.values():
            for place, (each, seats) in enumerate(zip(self.kinds.hours, self.kinds.seats, strict=True)):
                rows = share.rows[share.play == place]
                sessions = -(-len(rows) // seats) if seats else len(rows)
                hours[rows] = each * sessions / max(len(rows), 1)
        return hours

    def _answers(self) -> NDArray[np.object_]:
        helps = (np.nan_to_num(self.value) >= _CENT).any(axis=1)
        answers = np.where(helps, NOTHING, LEAVE_ALONE).astype(object)
        answers[self.must_do_play != NO_PLAY] = NO_HOUR
        answers[self.play != NO_PLAY] = DO
        return answers

    def _ranks(self, rows: pd.DataFrame) -> Ints:
        """Places among the plays of the same hours: what must be done by ARR, then the most ARR saved per hour.

        What takes no hours comes last.
        """
        must = (self.must_do_play != NO_PLAY).astype(int)
        hours, saved = rows["hours"].to_numpy(), rows["arr_saved"].to_numpy()
        per_hour = np.divide(saved, hours, out=saved.copy(), where=hours > 0)
        worth = np.where(must > 0, self.prediction.arr, per_hour)
        order = np.lexsort([np.arange(len(rows)), -worth, hours == 0, -must])
        done = rows["answer"].to_numpy() == DO
        order = order[done[order]]
        ranks = np.zeros(len(rows), dtype=np.int64)
        ranks[order] = rows.iloc[order].groupby("csm").cumcount().to_numpy() + 1
        return ranks

    def _reasons(self, rows: pd.DataFrame) -> list[str]:
        return [self._reason(place, answer) for place, answer in enumerate(rows["answer"].tolist())]

    def _reason(self, row: int, answer: str) -> str:
        """Why an account gets its answer, in a sentence."""
        must, gone = str(self.book.must_do[row]), float(self._values.gone[row])
        risk = f"{gone:.0%} to leave within {counted(self.horizon_months, 'month')}"
        if answer == DO:
            kind, points = self.kinds.kinds[self.play[row]], 100 * self.churn_points[row, self.play[row]]
            what = f"{risk}; {kind.name.replace('_', ' ')} takes {points:.1f} points off ({kind.evidence})"
        elif answer == NO_HOUR:
            what = f"{risk}; no hour is left for what must be done"
        elif answer == NOTHING and self.withheld[row]:
            what = f"{risk}; no play is recommended for it this quarter"
        elif answer == NOTHING:
            what = f"{risk}; the hours save more elsewhere"
        else:
            what = f"{risk}; {self._why_left(row)}"
        return f"{must[:1].upper()}{must[1:]}; {what}." if must else f"{what[:1].upper()}{what[1:]}."

    def _why_left(self, row: int) -> str:
        if self.book.allowed[row].any():
            return "no play helps"
        return (
            "every play was done or declined lately" if self.book.done_lately[row].any() else "no play is meant for it"
        )
