"""What letting end dates through would do, measured: much where they tell, nothing where there are none."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.leaks.overwritten import with_ends_let_through
from features.snapshots.store import build
from features.tables.checked import Tables
from params import Budget
from training.backtest.leak_cost import LeakCost, NotMeasured, leak_cost

UNTIL = date(2025, 1, 1)
ACCOUNTS = 240


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Tables]:
    """Open lines that stop on a random day, for half of the accounts, and nothing that foretells it."""

    def tables(*, accounts: dict[str, Any] | None = None, **lines: Any) -> Tables:
        rng = np.random.default_rng(4)
        names = [f"account {number:03}" for number in range(ACCOUNTS)]
        starts = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 300, ACCOUNTS), unit="D")
        stays = rng.random(ACCOUNTS) < 0.5
        ended = pd.Series(starts + pd.to_timedelta(rng.integers(200, 1100, ACCOUNTS), unit="D")).mask(stays)
        contracts = pd.DataFrame(
            {"contract_id": names, "account_id": names, "starts_on": starts, "ended_on": ended, "mrr": 100}
        )
        frames = {"accounts": pd.DataFrame({"account_id": names, **(accounts or {})})}
        frames["contracts"] = contracts.assign(**lines).dropna(axis="columns", how="all")
        return tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=UNTIL)

    return tables


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., LeakCost | NotMeasured]:
    def cost(tables: Tables, *settings: str) -> LeakCost | NotMeasured:
        return leak_cost(tables, params=params.load(None, [f"data_dir={tmp_path / 'data'}", *settings]))

    return cost


def test_an_end_that_tells_all_lifts_chance_to_certainty(
    made: Callable[..., Tables], measure: Callable[..., LeakCost | NotMeasured]
) -> None:
    cost = measure(made(), "threads=1")
    assert isinstance(cost, LeakCost)
    assert cost.honest_auc < 0.62  # the leavers' days are random: nothing honest foretells them
    assert cost.naive_auc > 0.97
    assert 0.3 < cost.low < cost.rise < cost.high
    assert f"from {cost.honest_auc:.2f} to {cost.naive_auc:.2f}" in str(cost)
    assert measure(made(), "threads=2") == cost


def test_what_leaks_already_is_left_out(made: Callable[..., Tables], tmp_path: Path) -> None:
    """With the outcome among the features there is nothing left to gain; without it there is."""
    tables = made()
    with tables.connect(budget=Budget(1, 0.5)) as connection:
        ended = connection.execute("SELECT account_id, ended_on FROM raw.contracts ORDER BY 1").df()["ended_on"]
    months = ((ended - pd.Timestamp("2021-01-01")).dt.days // 30).fillna(99)
    copied = {"segment": months.astype(int).map("month {:02}".format).to_numpy()}
    settings = params.load(None, [f"data_dir={tmp_path / 'data'}", "threads=1"])
    costs = {}
    for without in ((), ("segment",)):
        found = leak_cost(made(accounts=copied), params=settings, without=without)
        assert isinstance(found, LeakCost)
        costs[without] = found
    assert costs[()].honest_auc > costs["segment",].honest_auc + 0.1
    assert costs["segment",].rise > costs[()].rise


@pytest.mark.parametrize(
    ("lines", "settings", "reason"),
    [
        ({"ended_on": None}, [], "no line has an ended_on"),
        ({}, ["leaks.min_churned=300"], "left within 12 months, and leaks.min_churned is 300"),
        ({}, ["snapshots.first=2024-06-01"], "no snapshot has 12 months after it (leaks.cost_months)"),
    ],
)
def test_what_cannot_be_measured_says_why(
    made: Callable[..., Tables],
    measure: Callable[..., LeakCost | NotMeasured],
    lines: dict[str, Any],
    settings: list[str],
    reason: str,
) -> None:
    found = measure(made(**lines), *settings)
    assert isinstance(found, NotMeasured)
    assert str(found).startswith("What letting end dates through would cost was not measured: ")
    assert reason in str(found)


def test_the_copy_gives_the_end_away_and_the_original_does_not(made: Callable[..., Tables], tmp_path: Path) -> None:
    tables = made(ends_on=pd.Timestamp("2026-01-01"))
    copy = with_ends_let_through(tables, tmp_path / "copy.duckdb")
    assert copy is not None
    settings = params.load()
    ends = {}
    for name, source in (("honest", tables), ("naive", copy)):
        rules = {"revenue": settings.revenue, "settings": settings.snapshots, "budget": Budget(1, 0.5)}
        ends[name] = build(source, [date(2022, 1, 1)], **rules).frame.set_index("account_id")["term_ends_on"]
    with tables.connect(budget=Budget(1, 0.5)) as connection:
        contracts = connection.execute("SELECT account_id, ended_on FROM raw.contracts ORDER BY 1").df()
    truth = contracts.set_index("account_id")["ended_on"].fillna(pd.Timestamp("2026-01-01"))
    known = ends["honest"].index
    assert (ends["honest"] == pd.Timestamp("2026-01-01")).all()
    assert (ends["naive"][known] == truth[known]).all()
