"""Revenue arithmetic against a slow loop that walks day by day, and the identities any figures must obey."""

from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import params
from features import revenue
from features.asof.clocks import NEVER
from features.asof.view import AsOf, day_number
from features.inputs.frames import tables_from_frames
from features.revenue.known_lines import lines_known, load
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from params import Budget

pytestmark = pytest.mark.slow

DAY_0 = date(2024, 1, 1)
OPEN = 10**6
EARLY, PAUSE = 90, 90
BUDGET = Budget(1, 0.5)
DAYS = {"starts": "starts_on", "ends": "ends_on", "ended": "ended_on", "notice": "notice_on", "signed": "signed_on"}
RATES = [(date(2023, 1, 1), 1.1), (date(2024, 2, 1), 1.2517), (date(2024, 5, 1), 0.93)]
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Line(NamedTuple):
    """A contract line in days since DAY_0."""

    contract_id: str
    account_id: str
    product: str | None
    center: str | None
    kind: str | None
    starts: int
    ends: int | None
    ended: int | None
    notice: int | None
    signed: int | None
    mrr: float
    currency: str | None
    seats: int | None


@st.composite
def contracts(draw: st.DrawFn) -> list[Line]:
    """Many accounts of a few lines each, on a coarse grid of days so that ends, starts and graces often meet."""
    random = Random(draw(st.integers(0, 10**9)))
    accounts = draw(st.integers(1, 30))
    return [random_line(f"c{number}", random, accounts) for number in range(7 * accounts)]


def random_line(contract_id: str, random: Random, accounts: int) -> Line:
    starts = 10 * random.randrange(16)
    return Line(
        contract_id=contract_id,
        account_id=f"a{random.randrange(accounts)}",
        product=random.choice([None, "p", "p", "q"]),
        center=random.choice([None, None, "x"]),
        kind=random.choice([None, "new", "renewal", "upsell", "cross_sell", "downsell", "price_change"]),
        starts=starts,
        ends=random.choice([None, *[starts + length for length in (0, 20, 30, 30, 60, 90)]]),
        ended=random.choice([None, None, None, starts, starts + 30, starts + 50]),
        notice=random.choice([None, None, None, starts + 15, starts + 40]),
        signed=random.choice([None, starts - 25, starts + 3]),
        mrr=random.choice([0.0, 0.01, 10.0, 33.33, 50.0]),
        currency=random.choice([None, "USD", "EUR"]),
        seats=random.choice([None, 5, 7]),
    )


def day(number: int | None) -> date | None:
    return None if number is None else DAY_0 + timedelta(days=number)


def store(lines: list[Line], folder: Path) -> Tables:
    contract_rows = pd.DataFrame(lines, dtype=object)
    days = contract_rows[list(DAYS)].map(day).rename(columns=DAYS)
    kept = contract_rows.drop(columns=list(DAYS)).rename(columns={"center": "buying_center"})
    frames = {
        "accounts": pd.DataFrame({"account_id": accounts_of(lines)}),
        "contracts": pd.concat([kept, days], axis=1),
        "fx_rates": pd.DataFrame(
            [(month, "EUR", rate) for month, rate in RATES], columns=["month", "currency", "rate"]
        ),
    }
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))


def accounts_of(lines: list[Line]) -> list[str]:
    return sorted({line.account_id for line in lines})


def rules(grace_days: int = 30, reactivation: str = "exclude") -> params.Revenue:
    return params.load().revenue.model_copy(update={"grace_days": grace_days, "reactivation": reactivation})


# The slow loop: what was known, whether a line is active on one day, ARR on one day.


def known(lines: list[Line], t: int) -> dict[str, list[Line]]:
    """By account, its lines as known before day t."""
    seen: dict[str, list[Line]] = {account: [] for account in accounts_of(lines)}
    for line in lines:
        if (line.starts if line.signed is None else line.signed) >= t:
            continue
        noticed = line.notice is not None and line.notice < t
        told = line.ended is not None and (line.ended < t or noticed or changed(line, lines, t))
        ended = line.ended if told else None
        seen[line.account_id].append(line._replace(ended=ended, notice=line.notice if noticed else None))
    return seen


def in_hindsight(lines: list[Line], u: int, known_by: int, grace: int) -> list[Line]:
    """An account's lines as they stood at day u, told by what is known before day known_by; also those that start
    within the grace after, which tell that what they follow ran on, and the ends within it."""
    seen = []
    for line in lines:
        signed = line.starts if line.signed is None else line.signed
        if signed < known_by and (line.starts <= u + grace or signed < u):
            noticed = line.notice is not None and line.notice < min(u, known_by)
            told = line.ended is not None and (line.ended < min(u, known_by) or noticed or changed(line, lines, u))
            heard = line.ended is not None and (line.ended < known_by or (line.notice or OPEN) < known_by)
            told |= heard and u < line.ended <= u + grace  # type: ignore[operator]
            seen.append(line._replace(ended=line.ended if told else None, notice=line.notice if noticed else None))
    return seen


def changed(line: Line, lines: list[Line], t: int) -> bool:
    """Whether a line ends on day t and one of its buying centre that starts then was signed before."""
    return line.ended == t and any(
        other.center == line.center and other.starts == t and other.signed is not None and other.signed < t
        for other in lines
        if other.account_id == line.account_id
    )


def is_later(line: Line, u: int) -> bool:
    """Whether nothing was known of a line before day u."""
    return line.starts >= u and (line.signed is None or line.signed >= u)


def runs_until(line: Line) -> int:
    return next(end for end in (line.ended, line.ends, OPEN) if end is not None)


def in_order(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (line.starts, -line.mrr, line.contract_id))


def replacing(line: Line, lines: list[Line], grace: int) -> Line | None:
    """The line of the same product and buying centre that replaces one while it runs."""
    return next(
        (other for other in in_order(lines) if could_replace(line, other) and has_spare(line, other, lines, grace)),
        None,
    )


def could_replace(line: Line, other: Line) -> bool:
    overlaps = (other.product, other.center) == (line.product, line.center) and (
        line.starts < other.starts < runs_until(line) and runs_until(other) > other.starts
    )
    outlasts = line.product is not None and (
        runs_until(other) > runs_until(line) and other.starts >= runs_until(line) - EARLY
    )
    return overlaps and (other.kind == "renewal" or outlasts)


def has_spare(line: Line, other: Line, lines: list[Line], grace: int) -> bool:
    """Whether a line that continues ended ones of its product has enough to spare to replace one that runs as well."""
    siblings = [each for each in lines if (each.product, each.center) == (other.product, other.center)]
    lasting = [each for each in siblings if each.starts < runs_until(each)]
    ended = [
        each
        for each in lasting
        if other.starts - grace <= runs_until(each) <= other.starts
        and not any(runs_until(each) <= before.starts < other.starts for before in lasting)
    ]
    if not ended:
        return True
    larger = [each for each in siblings if could_replace(each, other) and by_size(each) < by_size(line)]
    spare = round((other.mrr - sum(each.mrr for each in [*ended, *larger])) * 1e6)
    return spare >= round(line.mrr * 1e6) / 2


def by_size(line: Line) -> tuple[float, str]:
    return (-line.mrr, line.contract_id)


def stops(line: Line, lines: list[Line], grace: int) -> int:
    other = replacing(line, lines, grace)
    return other.starts if other else runs_until(line)


def runs_on(line: Line, lines: list[Line], grace: int) -> bool:
    """Whether silence after its end means grace."""
    if line.ended is not None or line.notice is not None or line.ends is None:
        return False
    return line.starts < line.ends and replacing(line, lines, grace) is None


def follows(lines: list[Line], grace: int) -> dict[str, Line]:
    """By line, the one that follows it, of an account's lines."""
    ended = [line for line in lines if replacing(line, lines, grace) is None and line.starts < runs_until(line) < OPEN]
    followed = {line.contract_id: other for line in lines if (other := replacing(line, lines, grace)) is not None}
    spare = {line.contract_id: line.mrr for line in lines}
    for other in lines:
        spare[other.contract_id] -= sum(line.mrr for line in lines if followed.get(line.contract_id) == other)

    def could(line: Line, other: Line) -> bool:
        begins = runs_until(line) <= other.starts <= runs_until(line) + grace
        lasts = stops(other, lines, grace) > other.starts
        return begins and lasts and other.contract_id != line.contract_id and other.center == line.center

    continued: dict[tuple[str | None, str | None, int], list[Line]] = {}
    for line in ended:
        own = [other for other in in_order(lines) if could(line, other) and other.product == line.product]
        if own:
            continued.setdefault((line.product, line.center, own[0].starts), []).append(line)
    has_own = {other.contract_id for other in followed.values()}
    for (product, center, starts), before in continued.items():
        together = [each for each in lines if (each.product, each.center, each.starts) == (product, center, starts)]
        after = sorted((each for each in together if stops(each, lines, grace) > starts), key=by_size)
        for place, line in enumerate(sorted(before, key=by_size)):
            followed[line.contract_id] = after[min(place, len(after) - 1)]
        rest = sum(line.mrr for line in before)
        for place, other in enumerate(after):
            taken = rest if place == len(after) - 1 else min(rest, other.mrr)
            spare[other.contract_id] -= taken
            rest -= taken
            has_own.add(other.contract_id)
    for other in in_order(lines):
        left = round(spare[other.contract_id] * 1e6)
        has_own |= {other.contract_id for line in ended if could(line, other) and other.product == line.product}
        replaces_all = other.kind in ("renewal", "downsell") and other.contract_id not in has_own
        for line in sorted(ended, key=by_size):
            if line.contract_id in followed or not could(line, other) or other.product == line.product:
                continue
            if (
                replaces_all
                or left >= round(line.mrr * 1e6) / 2
                or (other.currency == "EUR") != (line.currency == "EUR")
            ):
                followed[line.contract_id] = other
                left -= round(line.mrr * 1e6)
    return followed


def spells(lines: list[Line], grace: int, u: int = -OPEN) -> dict[str, int]:
    """Until when each of an account's lines is active, in what is known or, of hindsight, at day u."""
    followed, until = follows(lines, grace), {}
    for line in lines:
        other = followed.get(line.contract_id)
        if other is not None and other.starts >= runs_until(line):
            until[line.contract_id] = other.starts + (u != -OPEN and is_later(other, u))
        elif runs_on(line, lines, grace):
            until[line.contract_id] = runs_until(line) + grace
        else:
            until[line.contract_id] = told_off(line, lines, grace) or stops(line, lines, grace)
    return until


def told_off(line: Line, lines: list[Line], grace: int) -> int | None:
    """The day of the notice, where it came in the grace of a term that had run out."""
    ran_out = line.notice is not None and runs_on(line._replace(notice=None), lines, grace)
    return line.notice if ran_out and runs_until(line) <= line.notice < runs_until(line) + grace else None


def arr_on(lines: list[Line], u: int, grace: int, rate: float, hindsight: bool = False) -> int:
    """ARR in cents of an account's `lines`, each rounded once."""
    until = spells(lines, grace, u if hindsight else -OPEN)
    return sum(
        int(np.floor(12 * round(line.mrr * 1e6) * (rate if line.currency == "EUR" else 1.0) / 10000 + 0.5))
        for line in lines
        if line.starts <= u < until[line.contract_id] and not (hindsight and is_later(line, u))
    )


def rate_on(u: int) -> float:
    return [rate for month, rate in RATES if month <= DAY_0 + timedelta(days=u)][-1]


def number(instant: date) -> int:
    return (instant - DAY_0).days


@FEW
@given(lines=contracts(), grace=st.sampled_from([0, 10, 30]), t=st.integers(1, 200))
def test_line_states_are_those_of_the_slow_loop(lines: list[Line], grace: int, t: int, tmp_path: Path) -> None:
    tables = store(lines, tmp_path)
    asof = AsOf(tables, (DAY_0 + timedelta(days=t), DAY_0 + timedelta(days=t + 17)))
    with tables.connect(budget=BUDGET) as connection:
        load(connection, asof.frames())
        for statement in revenue.line_states(asof, rules(grace)):
            connection.execute(statement)
        states = connection.execute("SELECT * FROM line_states").df()
    for k, snapshot in enumerate((t, t + 17), start=1):
        seen = known(lines, snapshot)
        found = states[states["k"] == k].set_index("contract_id")
        assert sorted(found.index) == sorted(line.contract_id for own in seen.values() for line in own)
        for own in seen.values():
            for line in own:
                check_state(line, found.loc[line.contract_id], own, grace, snapshot)


def check_state(line: Line, state: "pd.Series[object]", seen: list[Line], grace: int, t: int) -> None:
    shift = day_number(DAY_0)
    until = spells(seen, grace)[line.contract_id]
    assert state["active_until"] == (NEVER if until == OPEN else until + shift)
    if line.ended is None and line.ends is None:
        assert pd.isna(state["term_ends"])
    else:
        assert state["term_ends"] == runs_until(line) + shift
    late = runs_on(line, seen, grace) and line.ends is not None and line.ends <= t < until
    assert state["overdue"] == late
    before = [other.mrr for other in seen if follows(seen, grace).get(other.contract_id) == line]
    assert round(np.nan_to_num(state["before_mrr_micros"])) == round(sum(before) * 1e6)


# On the day of the snapshot it is still taken for active, and in hindsight it never covered a day.
ENDED_AS_IT_STARTED = Line("c0", "a0", "p", None, None, 30, 60, 30, None, 5, 10.0, None, None)


# No grace follows a term that covered no day, whenever notice came.
TOLD_OFF_AFTER_NO_DAY = Line("c0", "a0", "p", None, None, 30, 30, None, 45, 3, 10.0, None, None)

# The order of what replaces a line on the last day that is known tells of the line's end, in hindsight too.
CHANGED_AT_ONCE = [
    Line("c0", "a0", "p", None, "new", 60, 150, None, None, 35, 50.0, None, None),
    Line("c1", "a0", None, None, "downsell", 60, 90, 60, None, 35, 33.33, None, None),
    Line("c2", "a0", "p", None, "new", 0, 60, None, None, None, 50.0, None, None),
]


# What is continued by an order of its own product leaves that little to replace others by, already before that day.
ENDED_FOR_ITS_OWN = [
    Line("c0", "a0", "q", None, "new", 0, 34, None, 20, None, 10.0, None, None),
    Line("c1", "a0", "p", None, "new", 0, 365, 64, None, None, 50.0, None, None),
    Line("c2", "a0", "p", None, "upsell", 64, 430, None, None, None, 54.0, None, None),
]


@FEW
@given(
    lines=contracts(),
    grace=st.sampled_from([0, 10, 30]),
    reactivation=st.sampled_from(["exclude", "include"]),
    known_by=st.integers(60, 260),
)
@example(lines=[ENDED_AS_IT_STARTED], grace=0, reactivation="exclude", known_by=63)
@example(lines=[TOLD_OFF_AFTER_NO_DAY], grace=30, reactivation="exclude", known_by=99)
@example(lines=ENDED_FOR_ITS_OWN, grace=30, reactivation="exclude", known_by=260)
@example(lines=CHANGED_AT_ONCE, grace=0, reactivation="exclude", known_by=60)
def test_cohort_paths_are_those_of_the_slow_loop(
    lines: list[Line], grace: int, reactivation: str, known_by: int, tmp_path: Path
) -> None:
    members = [(account, as_of) for as_of in (date(2024, 1, 31), date(2024, 3, 1)) for account in accounts_of(lines)]
    cohort = pd.DataFrame(members, columns=["account_id", "as_of"]).assign(arr=range(len(members)))
    paths = revenue.cohort_paths(
        store(lines, tmp_path),
        cohort.astype({"as_of": "datetime64[us]"}),
        months=5,
        known_by=DAY_0 + timedelta(days=known_by),
        rules=rules(grace, reactivation),
        budget=BUDGET,
    )
    own = {account: [line for line in lines if line.account_id == account] for account in accounts_of(lines)}
    expected = np.array([slow_path(own[account], as_of, grace, reactivation, known_by) for account, as_of in members])
    np.testing.assert_array_equal(paths.arr, np.column_stack([cohort["arr"], expected[:, 1:, 0]]))
    np.testing.assert_array_equal(paths.paused, expected[:, :, 1])
    np.testing.assert_array_equal(paths.subscriptions, expected[:, :, 2])


def test_lines_that_begin_together_do_not_bridge_the_break_before_them(tmp_path: Path) -> None:
    """Two windows over the same rows may order ties differently, which shows among many accounts only."""
    random, accounts = Random(117), 400
    lines = [random_line(f"c{number}", random, accounts) for number in range(7 * accounts)]
    known_by = DAY_0 + timedelta(days=96)
    with lines_known(store(lines, tmp_path), known_by=known_by, rules=rules(0), budget=BUDGET) as connection:
        spans = connection.execute("""
            SELECT account_id, starts, active_until FROM line_states WHERE mrr_micros > 0 AND starts < active_until
            UNION ALL SELECT * FROM pauses ORDER BY ALL""").fetchall()
        covered = connection.execute("SELECT * FROM coverage ORDER BY ALL").fetchall()
    unions: list[tuple[str, int, int]] = []
    for account, starts, until in spans:
        last = unions[-1] if unions else ("", 0, 0)
        if last[0] == account and starts <= last[2]:
            unions[-1] = (account, last[1], max(last[2], until))
        else:
            unions.append((account, starts, until))
    assert covered == unions


def subscriptions_on(lines: list[Line], u: int, grace: int) -> float:
    """How many products and buying centres are paid for; NaN where a line names neither."""
    until = spells(lines, grace, u)
    paid = {
        (line.product, line.center)
        for line in lines
        if line.mrr > 0 and line.starts <= u < until[line.contract_id] and not is_later(line, u)
    }
    return np.nan if (None, None) in paid else len(paid)


def customer_days(lines: list[Line], grace: int) -> tuple[set[int], set[int]]:
    """The days on which an account was a customer, and those of them on which it was paused."""
    until, followed = spells(lines, grace), follows(lines, grace)
    days = range(-60, 500)
    paid, chained = set(), set()
    for line in lines:
        end = until[line.contract_id]
        carries_on = line.mrr > 0 or line in followed.values()
        carries_on |= any(
            other.mrr > 0 and other.starts < line.starts and other.starts < until[other.contract_id]
            for other in lines
            if (other.product, other.center) == (line.product, line.center)
        )
        paid |= {u for u in days if line.mrr > 0 and line.starts <= u < end}
        chained |= {u for u in days if carries_on and line.starts <= u < end}
    paused, since = set(), None
    for u in days:
        if u in paid:
            since = u + 1
        elif since is not None and all(v in chained for v in range(since, u + 1)) and u < since + PAUSE:
            paused.add(u)
    return paid | paused, paused


def slow_path(
    own: list[Line], as_of: date, grace: int, reactivation: str, known_by: int
) -> list[tuple[float, bool, float]]:
    path, seen = [], [line for lines in known(own, known_by).values() for line in lines]
    customer, paused_days = customer_days(seen, grace)
    held = number(as_of) - 1 in customer or number(as_of) in customer
    for months in range(6):
        instant = number((pd.Timestamp(as_of) + pd.DateOffset(months=months)).date())
        unbroken = held and all(u in customer for u in range(number(as_of), instant))
        counts = unbroken or reactivation == "include"
        then = in_hindsight(own, instant, known_by, grace)
        cents = arr_on(then, instant, grace, rate_on(number(as_of)), hindsight=True) if counts else 0
        subscriptions = subscriptions_on(then, instant, grace) if counts else 0
        stays = unbroken and instant in customer
        paused = cents == 0 and instant in paused_days and (stays or reactivation == "include")
        settled = instant <= known_by - grace
        path.append((cents / 100, paused, subscriptions) if settled else (np.nan, False, np.nan))
    return path


@FEW
@given(
    lines=contracts(),
    grace=st.sampled_from([0, 30]),
    reactivation=st.sampled_from(["exclude", "include"]),
    start=st.integers(0, 150),
    length=st.integers(1, 100),
)
def test_movements_add_up_to_the_change_in_arr_to_the_cent(
    lines: list[Line], grace: int, reactivation: str, start: int, length: int, tmp_path: Path
) -> None:
    tables, setting = store(lines, tmp_path), rules(grace, reactivation)
    first, last, known_by = (DAY_0 + timedelta(days=start + more) for more in (0, length, length + 3))
    moved = revenue.movements(tables, start=first, end=last, known_by=known_by, rules=setting, budget=BUDGET)
    history = revenue.arr_by_account(tables, [first, last], known_by=known_by, rules=setting, budget=BUDGET)
    seen = known(lines, start + length + 3)
    for account, own in seen.items():
        before = arr_on(own, start, grace, rate_on(start))
        after = arr_on(own, start + length, grace, rate_on(start + length))
        amounts = moved.loc[moved["account_id"] == account, "amount"]
        arr = history[history["account_id"] == account].set_index("instant")["arr"]
        assert round(arr.get(pd.Timestamp(first), 0.0) * 100) == before
        assert round(arr.get(pd.Timestamp(last), 0.0) * 100) == after
        assert sum(round(amount * 100) for amount in amounts) == after - before
    assert (moved["amount"] != 0).all()
    signs = {"new": 1, "reactivation": 1, "upsell": 1, "cross_sell": 1, "contraction": -1, "pause": -1, "churn": -1}
    for name, sign in signs.items():
        assert (moved.loc[moved["movement"] == name, "amount"] * sign > 0).all()


@FEW
@given(lines=contracts(), reactivation=st.sampled_from(["exclude", "include"]), start=st.integers(0, 150))
def test_retention_obeys_its_identities(lines: list[Line], reactivation: str, start: int, tmp_path: Path) -> None:
    window = {
        "start": DAY_0 + timedelta(days=start),
        "end": DAY_0 + timedelta(days=start + 60),
        "known_by": DAY_0 + timedelta(days=start + 90),
        "rules": rules(30, reactivation),
    } | {"budget": BUDGET}
    tables = store(lines, tmp_path)
    total = revenue.retention(tables, **window)  # type: ignore[arg-type]
    parts = revenue.retention_by(tables, pd.Series({"a0": "east", "a1": "east", "a2": "west", "a3": None}), **window)  # type: ignore[arg-type]
    accounts = account_retention(tables, **window)  # type: ignore[arg-type]
    assert sum(part.accounts for part in parts.values()) == total.accounts == len(accounts)
    for name in ("starting_arr", "ending_arr"):
        assert sum(getattr(part, name) for part in parts.values()) == pytest.approx(getattr(total, name), abs=0.001)
    for figures in (total, *parts.values()):
        if figures.accounts:
            assert figures.nrr >= figures.grr <= 1
            assert 0 <= figures.logo_retention <= 1
    moved = revenue.movements(tables, **window)  # type: ignore[arg-type]
    inside = moved["account_id"].isin(accounts["account_id"]) & ~moved["movement"].isin(["reactivation", "currency"])
    change = moved.loc[inside, "amount"].sum()
    assert change == pytest.approx(total.ending_arr - total.starting_arr, abs=0.001)
    net_losses = -moved[inside].groupby("account_id")["amount"].sum().clip(upper=0).sum()
    lost = total.starting_arr * (1 - total.grr) if total.accounts else 0.0
    assert net_losses == pytest.approx(lost, abs=0.01)  # what GRR loses is losses less gains, account by account
