"""Differences within strata against statsmodels, how many stand, and error rates where the truth is known."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import survdiff
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from features.asof.view import day_number
from features.kpis.behaviours import BY_DAYS, choices, standing
from features.kpis.going_with import Following, confirmed, detectable_ratio, difference, leaving, one_sided

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


def test_who_leaves_is_compared_as_the_log_rank_test_does_within_strata() -> None:
    """statsmodels' stratified test of the same accounts; entered late, they count from then on only."""
    rng = np.random.default_rng(4)
    strata = rng.integers(0, 3, 400)
    above = rng.random(400) < np.where(strata == 1, 0.3, 0.6)
    until = 31 + rng.exponential(np.where(above, 600, 400)).astype(np.int64)
    left = until < 500
    until = np.minimum(until, 500)
    told = leaving(Following(np.full(400, 30), until, left, strata), above)
    assert told is not None
    statistic, p_value = survdiff(until, left.astype(int), above.astype(int), strata=strata)
    assert told.z**2 == pytest.approx(statistic)
    assert 2 * one_sided(abs(told.z)) == pytest.approx(p_value)
    assert told.z > 0
    assert told.leavings == left.sum()


def test_accounts_count_only_for_as_long_as_they_were_followed() -> None:
    """By hand: on day 40 one of three left, of which one was above; who entered on day 50 was not there yet."""
    above = np.array([True, False, False] * 10)
    entered = np.array([30] * 3 + [50] * 27)
    until = np.array([40, 60, 60] + [60] * 27)
    left = np.array([True] + [False] * 29)
    told = leaving(Following(entered, until, left, np.zeros(30, np.int64)), above)
    assert told is not None
    assert told.variance == pytest.approx(2 / 9)  # one of three drawn: 1/3 x 2/3
    assert told.z == pytest.approx(-(1 - 1 / 3) / np.sqrt(2 / 9))


def test_what_can_be_found_is_what_is_found_in_four_of_five() -> None:
    """Drawn companies with that ratio of rates of leaving: z passes the limit in about four of five."""
    rng = np.random.default_rng(8)
    followed = Following(np.zeros(600, np.int64), np.full(600, 365), np.zeros(600, np.bool_), np.zeros(600, np.int64))
    above = np.arange(600) < 300
    ratio = detectable_ratio(75 / 4, tried=1)  # about 75 leave: see below
    hits = []
    for _ in range(200):
        rates = np.where(above, ratio, 1.0) * 0.25 / 365 / (1 + ratio)  # as many leave whatever the ratio
        day = np.ceil(rng.exponential(1 / (2 * rates))).astype(np.int64)
        told = leaving(followed._replace(until=np.minimum(day, 365), left=day <= 365), above)
        assert told is not None
        hits.append((told.leavings, told.z > 1.281552))
    leavings, share = np.mean(hits, axis=0)
    assert leavings == pytest.approx(130, abs=12)
    assert share > 0.8  # more leave than the 75 that the ratio is for
    assert 2 * np.log(detectable_ratio(4 * 20, 5)) == pytest.approx(np.log(detectable_ratio(20, 5)))


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
    first_day = int(began.min())
    parts = []
    for number in range(8):
        chance = 1 / (1 + np.exp(-(planted * level if not number else np.zeros(accounts))))
        for day in BY_DAYS:
            users = rng.binomial(6, chance * day / 90)
            parts.append(pd.DataFrame({"account_id": names, "feature": f"f{number}", "by_day": day, "users": users}))
    rows = pd.concat(parts).assign(first_day=first_day)
    return frame, rows[rows["users"] > 0]


def found(seed: int, planted: float) -> set[str]:
    tried = choices(*company(seed, planted), AS_OF, 30)
    return {choice.feature for choice, stands in zip(tried, standing(tried), strict=True) if stands}


def test_accounts_that_began_before_a_thing_was_on_file_say_nothing_of_it() -> None:
    """They would seem to have had no user, and to stay: on file is only who had stayed until then."""
    accounts, users = company(1, planted=1.5)
    first_day = int(accounts["began"].quantile(0.3))
    users = users.assign(first_day=first_day)
    told = choices(accounts, users, AS_OF, 30)
    assert told == choices(accounts[accounts["began"] >= first_day], users, AS_OF, 30)
    assert told != choices(accounts, users.assign(first_day=0), AS_OF, 30)


@pytest.mark.usefixtures("costly")
def test_where_nothing_is_planted_little_is_confirmed_and_what_is_planted_is_found() -> None:
    """Of 40 companies: something is confirmed in a tenth at most; what goes with staying is found in four fifths."""
    nothing = [found(seed, planted=0.0) for seed in range(40)]
    assert sum(map(bool, nothing)) <= 8  # 4 expected, and 8 is the 97.5 % quantile of Binomial(40, 0.1)
    planted = [found(seed, planted=1.5) for seed in range(100, 140)]
    assert sum("f0" in names for names in planted) >= 32
