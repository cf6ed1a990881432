"""Differences within strata against statsmodels, how many stand, and error rates where the truth is known."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from features.asof.view import day_number
from features.kpis.behaviours import BY_DAYS, choices, standing
from features.kpis.going_with import confirmed, difference, one_sided

AS_OF = date(2026, 1, 1)


def test_the_difference_is_mantel_s_and_haenszel_s() -> None:
    rng = np.random.default_rng(1)
    strata = rng.choice(["a", "b", "c"], 300)
    above = rng.random(300) < np.where(strata == "a", 0.3, 0.6)
    kept = rng.random(300) < np.where(above, 0.9, 0.75) - 0.2 * (strata == "b")
    told = difference(kept, above, strata)
    assert told is not None
    tables = [
        [[np.sum(a & k), np.sum(a & ~k)], [np.sum(~a & k), np.sum(~a & ~k)]]
        for a, k in ((above[strata == name], kept[strata == name]) for name in "abc")
    ]
    theirs = StratifiedTable([np.array(table, dtype=float) for table in tables]).test_null_odds(correction=True)
    assert told.z**2 == pytest.approx(theirs.statistic)
    assert 2 * one_sided(abs(told.z)) == pytest.approx(theirs.pvalue)
    assert told.low < told.points < told.high
    gap = kept[above].mean() - kept[~above].mean()
    assert (told.above - told.below) == pytest.approx(gap)


def test_too_few_on_one_side_say_nothing() -> None:
    above = np.arange(100) < 9
    assert difference(np.ones(100, bool), above, np.full(100, "a")) is None
    assert difference(np.ones(100, bool), np.arange(100) < 50, np.full(100, "a")) is None  # nobody left


@pytest.mark.parametrize("seed", range(5))
def test_what_stands_is_benjamini_s_and_hochberg_s(seed: int) -> None:
    p = np.random.default_rng(seed).random(20) ** 3
    assert confirmed(p.tolist()) == multipletests(p, alpha=0.1, method="fdr_bh")[0].tolist()
    assert confirmed([]) == []


def company(seed: int, planted: float, accounts: int = 1000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts that stay as their hidden level says; `planted` is how much users of the first feature go with that."""
    rng = np.random.default_rng(seed)
    names = np.array([f"a{number}" for number in range(accounts)])
    level, began = rng.normal(size=accounts), day_number(AS_OF) - rng.integers(500, 1900, accounts)
    lives = rng.exponential(1500 * np.exp(0.8 * level))
    frame = pd.DataFrame(
        {"began": began, "until": began + 100 + lives.astype(int), "segment": rng.choice(["x", "y"], accounts)},
        index=pd.Index(names, name="account_id"),
    )
    frame["stratum"] = frame["segment"]
    parts = []
    for number in range(8):
        chance = 1 / (1 + np.exp(-(planted * level if not number else np.zeros(accounts))))
        for day in BY_DAYS:
            users = rng.binomial(6, chance * day / 90)
            parts.append(pd.DataFrame({"account_id": names, "feature": f"f{number}", "by_day": day, "users": users}))
    rows = pd.concat(parts)
    return frame, rows[rows["users"] > 0]


def found(seed: int, planted: float) -> set[str]:
    tried = choices(*company(seed, planted), AS_OF, 30)
    return {choice.feature for choice, stands in zip(tried, standing(tried), strict=True) if stands}


@pytest.mark.usefixtures("costly")
def test_where_nothing_is_planted_little_is_confirmed_and_what_is_planted_is_found() -> None:
    """Of 40 companies: something is confirmed in a tenth at most; what goes with staying is found in four fifths."""
    nothing = [found(seed, planted=0.0) for seed in range(40)]
    assert sum(map(bool, nothing)) <= 8  # 4 expected, and 8 is the 97.5 % quantile of Binomial(40, 0.1)
    planted = [found(seed, planted=1.5) for seed in range(100, 140)]
    assert sum("f0" in names for names in planted) >= 32
