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
from features.revenue.known_lines import load
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from params import Budget

pytestmark = pytest.mark.slow

DAY_0 = date(2024, 1, 1)
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
        ended = line.ended if line.ended is not None and (line.ended < t or noticed) else None
        seen[line.account_id].append(line._replace(ended=ended, notice=line.notice if noticed else None))
    return seen


def in_hindsight(lines: list[Line], u: int, known_by: int) -> list[Line]:
    """An account's lines as they stood at day u, told by what is known before day known_by."""
    seen = []
    for line in lines:
        signed = line.starts if line.signed is None else line.signed
        if signed < known_by and (line.starts < u or signed < u):
            noticed = line.notice is not None and line.notice < min(u, known_by)
            ended = line.ended if line.ended is not None and (line.ended < min(u, known_by) or noticed) else None
            seen.append(line._replace(ended=ended, notice=line.notice if noticed else None))
    return seen


def runs_until(line: Line) -> int:
    return next(end for end in (line.ended, line.ends, 10**6) if end is not None)


def replaced_on(line: Line, lines: list[Line]) -> int:
    """When the same product and buying centre got another line."""
    starts = [
        other.starts
        for other in lines
        if (other.product, other.center) == (line.product, line.center)
        and other.starts > line.starts
        and runs_until(other) > other.starts
    ]
    return min(starts, default=10**6) if line.product is not None else 10**6


def stops(line: Line, lines: list[Line]) -> int:
    return min(runs_until(line), replaced_on(line, lines))


def runs_on(line: Line, lines: list[Line]) -> bool:
    """Whether silence after its end means grace."""
    if line.ended is not None or line.notice is not None or line.ends is None:
        return False
    return line.starts < line.ends <= replaced_on(line, lines)


def candidates(line: Line, lines: list[Line], grace: int, same_product: bool) -> list[Line]:
    assert line.ends is not None
    return [
        other
        for other in lines
        if other.contract_id != line.contract_id
        and other.center == line.center
        and (other.product == line.product) == same_product
        and line.ends <= other.starts <= line.ends + grace
        and stops(other, lines) > other.starts
    ]


def active(line: Line, u: int, lines: list[Line], grace: int, *, switches: bool = True) -> bool:
    """Whether one of an account's `lines` is active on day u."""
    if u < line.starts or u < stops(line, lines) or not runs_on(line, lines):
        return line.starts <= u < stops(line, lines)
    assert line.ends is not None
    if u >= line.ends + grace:
        return False
    renewals = candidates(line, lines, grace, same_product=True)
    if renewals:
        return all(u < renewal.starts for renewal in renewals)
    return not switches or all(
        u < other.starts
        for other in candidates(line, lines, grace, same_product=False)
        if other.kind not in ("upsell", "cross_sell") and not in_force_before(other, lines, grace)
    )


def in_force_before(line: Line, lines: list[Line], grace: int) -> bool:
    """Whether the same buying centre had the same product the day before the line starts."""
    return any(
        active(other, line.starts - 1, lines, grace, switches=False)
        for other in lines
        if (other.center, other.product) == (line.center, line.product)
    )


def arr_on(lines: list[Line], u: int, grace: int, rate: float) -> int:
    """ARR in cents of an account's `lines`, each rounded once."""
    return sum(
        int(np.floor(12 * round(line.mrr * 100) * (rate if line.currency == "EUR" else 1.0) + 0.5))
        for line in lines
        if active(line, u, lines, grace)
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
    days = range(line.starts - 1, line.starts + 150)
    for u in days:
        assert (state["starts"] <= u + shift < state["active_until"]) == active(line, u, seen, grace), u
    if line.ended is None and line.ends is None:
        assert (state["active_until"] == NEVER) == (replaced_on(line, seen) == 10**6)
        assert pd.isna(state["term_ends"])
    else:
        assert state["term_ends"] == runs_until(line) + shift
    late = runs_on(line, seen) and line.ends is not None and line.ends <= t and active(line, t, seen, grace)
    assert state["overdue"] == late


# On the day of the snapshot it is still taken for active, and in hindsight it never covered a day.
ENDED_AS_IT_STARTED = Line("c0", "a0", "p", None, None, 30, 60, 30, None, 5, 10.0, None, None)


@FEW
@given(
    lines=contracts(),
    grace=st.sampled_from([0, 10, 30]),
    reactivation=st.sampled_from(["exclude", "include"]),
    known_by=st.integers(60, 260),
)
@example(lines=[ENDED_AS_IT_STARTED], grace=0, reactivation="exclude", known_by=63)
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
    np.testing.assert_array_equal(paths.subscriptions, expected[:, :, 1])


def told_late(line: Line, u: int, lines: list[Line], grace: int) -> bool:
    """Whether a line ran on in its grace until notice of leaving came."""
    if line.ends is None or line.ended is not None or line.notice is None or line.ends > replaced_on(line, lines):
        return False
    return line.starts < line.ends <= u < line.notice < line.ends + grace


def subscriptions_on(lines: list[Line], u: int, grace: int) -> float:
    """How many products and buying centres are paid for; NaN where a line names neither."""
    paid = {(line.product, line.center) for line in lines if line.mrr > 0 and active(line, u, lines, grace)}
    return np.nan if (None, None) in paid else len(paid)


def slow_path(own: list[Line], as_of: date, grace: int, reactivation: str, known_by: int) -> list[tuple[float, float]]:
    path, seen = [], [line for lines in known(own, known_by).values() for line in lines]

    def covered(u: int) -> bool:
        return any(line.mrr > 0 and (active(line, u, seen, grace) or told_late(line, u, seen, grace)) for line in seen)

    held = covered(number(as_of) - 1) or covered(number(as_of))
    for months in range(6):
        instant = number((pd.Timestamp(as_of) + pd.DateOffset(months=months)).date())
        unbroken = held and all(covered(u) for u in range(number(as_of), instant))
        counts = unbroken or reactivation == "include"
        then = in_hindsight(own, instant, known_by)
        cents = arr_on(then, instant, grace, rate_on(number(as_of))) if counts else 0
        subscriptions = subscriptions_on(then, instant, grace) if counts else 0
        path.append((cents / 100, subscriptions) if instant <= known_by else (np.nan, np.nan))
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
    signs = {"new": 1, "reactivation": 1, "upsell": 1, "cross_sell": 1, "contraction": -1, "churn": -1}
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
