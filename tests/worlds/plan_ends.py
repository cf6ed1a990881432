"""What is decided at the end of a term, as one decision with its outcomes, and each month by those on monthly plans."""

from typing import TYPE_CHECKING

import numpy as np

from tests.worlds import market_rules as rules
from tests.worlds.customers import (
    LAPSES,
    LATE,
    LEAVES,
    NEVER,
    NOTICE,
    SILENCE,
    STAYS,
    UNDECIDED,
    Customers,
    Flags,
    Floats,
    Whole,
    day_of_month,
    month_of,
    months_after,
    term_of,
)
from tests.worlds.line_log import DOWNSELL, PRICE_CHANGE, RENEWAL, UPSELL

if TYPE_CHECKING:
    from tests.worlds.passing_month import Month


def take_decisions(c: Customers, month: "Month") -> None:
    """Those near the end of their term decide now or wait; at the very end all decide, some by saying nothing.

    A plan that renews by itself is left by notice a month before, or not at all.
    """
    left = month_of(c.ends) - month.number
    open_now = (c.gone == NEVER) & ~c.monthly & (c.decision == UNDECIDED) & (left >= 0) & (left <= c.lead)
    early = month.chance(rules.DECIDES_EARLY, c) | (c.auto & (left == 1))
    now = open_now & (early | (left == 0))
    rise = month.market.rise[c.world] * ~month.chance(rules.RISE_WAIVED, c)
    leaves = month.chance(leaving_chance(c, rise), c) & ~(c.auto & (left == 0))
    silent = (left == 0) & ~c.auto
    lapses = leaves & silent & month.chance(rules.SILENT_IF_LEAVING[c.segment], c)
    late = ~leaves & silent & month.chance(rules.LATE_IF_STAYING[c.segment], c)
    outcome = np.select([lapses, leaves, late], [LAPSES, LEAVES, LATE], STAYS)
    c.decision[now] = outcome[now]
    _offer(c, month, now, rise)
    days_left = np.where(left == 0, c.ends - month.first, 28)
    day = month.first + (month.rng.random(len(c)) * days_left).astype(np.int64)
    delayed = c.ends + month.rng.integers(1, rules.GRACE_DAYS - 1, len(c))
    delayed += day_of_month(delayed) == 1
    c.starts[now & late] = delayed[now & late]
    _write_down(c, month, now, day)


def leaving_chance(c: Customers, rise: Floats) -> Floats:
    """Of a customer who decides now, by the hidden state."""
    shelf = np.clip(1 - c.demand / c.seats, 0, 1)
    score = rules.LEAVES[c.segment] + rules.BY_VALUE * c.value + rules.BY_SPONSOR * c.sponsor
    score += rules.BY_BUDGET * c.budget + rules.BY_RISE * rise + rules.BY_SHELF * shelf
    score += rules.BOTH_WEAK * ((c.value < -0.4) & (c.sponsor < 0))
    return 1 / (1 + np.exp(-score))


def _offer(c: Customers, month: "Month", now: Flags, rise: Floats) -> None:
    """What is renewed, if it is: seats by who uses them, the price by policy and bargaining, the add-on, the term."""
    wanted = np.ceil(c.demand * (1.04 + 0.08 * month.rng.random(len(c)))).astype(np.int64)
    shelf = 1 - c.demand / c.seats
    cuts = month.chance(1 / (1 + np.exp(0.9 - 0.8 * c.budget - 4 * (shelf - 0.15))), c) & (shelf > 0.10)
    seats = np.where(c.demand > c.seats, np.maximum(wanted, c.seats), np.where(cuts, wanted, c.seats))
    bargain = month.chance(0.3, c) & (c.budget > 0.6) & ~c.auto
    change = np.where(bargain, -month.rng.uniform(0.03, 0.15, len(c)), rise)
    keeps = ~month.chance(rules.ADDON_DROPPED * (1 + 1.5 * (c.value < -0.2)), c) | (c.decision == LATE)
    anew = month.chance(rules.NEW_TERM_CHANGES, c)
    c.next_seats[now] = np.maximum(np.minimum(seats, np.maximum(c.seats, wanted)), 2)[now]
    c.next_price[now] = np.maximum((c.price * (1 + change)).astype(np.int64), 1)[now]
    c.next_addon[now] = np.where(keeps, (c.addon * (1 + change)).astype(np.int64), 0)[now]
    c.next_term[now] = np.where(anew, term_of(c.segment, month.rng), c.term)[now]


def _write_down(c: Customers, month: "Month", now: Flags, day: Whole) -> None:
    """Renewals when they are signed, notices when they are given; silence leaves no trace."""
    if not month.log:
        return
    month.log.notice(c, which := np.flatnonzero(now & (c.decision == LEAVES)), day[which])
    dropped = np.flatnonzero(now & (c.decision == STAYS) & (c.addon > 0) & (c.next_addon == 0))
    month.log.notice(c, dropped, day[dropped], addon=True)
    which = np.flatnonzero(now & ((c.decision == STAYS) | (c.decision == LATE)))
    is_late = c.decision[which] == LATE
    starts = np.where(is_late, c.starts[which], c.ends[which])
    days = {
        "starts": starts,
        "ends": months_after(starts, c.next_term[which]),
        "signed": np.where(is_late, starts, day[which]),
    }
    prices, seats = c.next_price[which], c.next_seats[which]
    month.log.sign(c, which, kind=RENEWAL, mrr=prices * seats, seats=seats, price=prices, **days)
    none = np.zeros_like(which)
    month.log.sign(c, which, kind=RENEWAL, mrr=c.next_addon[which], seats=none, addon=True, **days)


def end_terms(c: Customers, month: "Month") -> None:
    """Terms that end this month: the decision comes to pass."""
    over = (c.gone == NEVER) & ~c.monthly & (month_of(c.ends) == month.number)
    leaves, lapses = over & (c.decision == LEAVES), over & (c.decision == LAPSES)
    c.gone[leaves], c.how[leaves] = c.ends[leaves], NOTICE
    c.gone[lapses], c.how[lapses] = c.ends[lapses] + rules.GRACE_DAYS, SILENCE
    lead = month.rng.choice(rules.LEAD_MONTHS, len(c))
    which = np.flatnonzero(over & (c.decision == STAYS))
    c.seats[which], c.price[which], c.addon[which] = c.next_seats[which], c.next_price[which], c.next_addon[which]
    c.core[which], c.term[which] = c.seats[which] * c.price[which], c.next_term[which]
    c.ends[which] = months_after(c.ends[which], c.term[which])
    c.decision[which], c.lead[which] = UNDECIDED, lead[which]


def pass_monthly_plans(c: Customers, month: "Month") -> None:
    """Monthly plans: whoever uses little and came lately leaves soonest; a few adjust seats or take a yearly term."""
    due = c.monthly & (c.gone == NEVER) & (month_of(c.ends) == month.number)
    leaves = month.chance(monthly_chance(c, month.first), c) & due
    notice = np.maximum(c.ends - month.rng.integers(1, 21, len(c)), month.first)
    stays, day = due & ~leaves, c.ends.copy()
    if month.log:
        month.log.notice(c, which := np.flatnonzero(leaves & ~c.evergreen), notice[which])
        month.log.stop(c, which := np.flatnonzero(leaves & c.evergreen), day[which])
    c.gone[leaves], c.how[leaves] = day[leaves], NOTICE
    kind = _adjust(c, month, stays)
    c.ends[stays] = months_after(day, c.term)[stays]
    if month.log:
        changed = stays & c.evergreen & (kind > 0)
        month.log.stop(c, which := np.flatnonzero(changed), day[which])
        which = np.flatnonzero((stays & ~c.evergreen) | changed)
        month.log.whole(c, which, kind=np.maximum(kind, RENEWAL)[which], starts=day[which], signed=day[which])


def monthly_chance(c: Customers, day: int) -> Floats:
    """Of a customer on a monthly plan to leave at the end of this month of it."""
    tenure_months = np.maximum(day - c.since, 0) / 30.4
    score = rules.MONTHLY_LEAVES + rules.MONTHLY_BY_TENURE * np.log1p(tenure_months)
    score += rules.MONTHLY_BY_USE * (np.clip(c.demand / c.seats, 0.2, 1.3) - 1)
    score += rules.MONTHLY_BY_VALUE * c.value + 0.35 * c.budget
    return 1 / (1 + np.exp(-score))


def _adjust(c: Customers, month: "Month", stays: Flags) -> Whole:
    """Seats, prices and terms of monthly plans that go on; the kind of the change, 0 where there is none."""
    wanted = np.maximum(np.ceil(1.05 * c.demand), 2).astype(np.int64)
    adjusts = stays & month.chance(rules.MONTHLY_ADJUSTS, c) & (wanted != c.seats)
    kind = np.where(adjusts, np.where(wanted > c.seats, UPSELL, DOWNSELL), 0)
    dearer = stays & (month.number % 12 == 0)
    c.seats[adjusts] = wanted[adjusts]
    c.price[dearer] = (c.price * (1 + month.market.rise[c.world])).astype(np.int64)[dearer]
    c.core[stays] = (c.seats * c.price)[stays]
    kind = np.where((kind == 0) & dearer, PRICE_CHANGE, kind)
    yearly = stays & month.chance(rules.MONTHLY_TO_TERM, c) & (month.first - c.since > 180)
    c.monthly[yearly], c.term[yearly] = False, 12
    return np.where(yearly, RENEWAL, kind)
