"""Scenario files, what they pull, and how it is marked."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.hazards.term_ends import TermEnds
from models.outcomes.after_change import AfterChange
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.simulate import PathSettings
from models.plans.futures import simulate_futures
from params import load
from serving.actions.applying import Ground, apply
from serving.actions.book import book_of
from serving.actions.kinds import usable_kinds
from serving.actions.planning import Plan
from serving.actions.scenario_file import PRESETS, Scenario, preset, read_scenario, scenario_of
from serving.actions.stress import target_of
from serving.forecast.refusals import BadRequest

AS_OF, MONTHS, ACCOUNTS = date(2026, 1, 1), 12, 6
SETTINGS = load().actions
PATHS = PathSettings(draws=400, seed=3, min_change=0.001)
LUCK = SharedLuck((LuckState((0.0,) * 6, tuple(map(tuple, np.zeros((6, 6)))), (0.4, 0.2, 0.1), (0.5,) * 3, 0.0),))


def prediction(luck: SharedLuck = LUCK) -> Prediction:
    """Six accounts of 1,000 whose terms end in the fourth month ahead."""
    hazards = np.zeros((ACCOUNTS, MONTHS, 3))
    hazards[:, :, 0] = 0.05
    end = np.zeros((ACCOUNTS, MONTHS), dtype=bool)
    end[:, 3] = True
    return Prediction(
        account=streams(range(ACCOUNTS)),
        first_month=12 * 2026,
        arr=np.full(ACCOUNTS, 1000.0),
        size=np.zeros(ACCOUNTS),
        hazards=hazards,
        pool_index=np.zeros((ACCOUNTS, MONTHS, 2), dtype=int),
        pools=(np.array([1.0]),),
        pool_names=("same",),
        luck=luck,
        gap_months=0,
        estimation=Estimation.none(1),
        cross_sell_share=np.full(ACCOUNTS, np.nan),
        decisions=AfterChange(TermEnds(end, np.zeros_like(end)), hazards),
    )


def ground(lost: pd.DataFrame | None = None, luck: SharedLuck = LUCK) -> Ground:
    customers = pd.DataFrame(
        {
            "account_id": [f"a{place}" for place in range(ACCOUNTS)],
            "as_of": pd.Timestamp(AS_OF),
            "term_ends_on": pd.Timestamp("2026-04-15"),
            "term_days": 365.0,
            "overdue_days": 0.0,
            "notice_given": 0.0,
            "presigned": 0.0,
            "csm": "Ada",
            "touch_model": "high",
            "segment": ["smb", "smb", "smb", "mid", "mid", "mid"],
        }
    )
    done = pd.DataFrame({"account_id": ["x"], "action": ["executive_call"], "done_on": [pd.Timestamp("2020-01-01")]})
    kinds = usable_kinds(SETTINGS, done, {})
    book = book_of(customers, done, kinds, SETTINGS, AS_OF)
    known = prediction(luck)
    plan = Plan(kinds, book, {"Ada": 4.0, "(pooled)": 1.0}, known, horizon_months=MONTHS, decay=SETTINGS.decay)
    quarters = pd.DataFrame(columns=["until", "accounts", "lost"]) if lost is None else lost
    return Ground(customers, known, plan, SETTINGS, PATHS, quarters)


def churned(scenario: Scenario) -> float:
    """Mean churned ARR in twelve months in which nothing is shared."""
    here = ground(luck=SharedLuck())
    portfolio, _ = apply(scenario, here, here.plan)
    futures = simulate_futures(portfolio.prediction, PATHS, months=MONTHS, growth=portfolio.growth)
    return float(futures.means["churned_arr"][-1])


def shifted(logit: float, hazard: float = 0.05) -> float:
    odds = hazard / (1 - hazard) * np.exp(logit)
    return float(odds / (1 + odds))


def test_the_base_changes_nothing() -> None:
    portfolio, marks = apply(PRESETS["base"], ground(), None)
    assert marks == ()
    assert portfolio.prediction.levers is None
    assert portfolio.growth is not None
    assert (portfolio.growth == 1).all()


def test_planned_plays_reach_the_accounts_they_are_for_from_their_month_on() -> None:
    plays = scenario_of({"actions": [{"kind": "executive_call", "where": "segment = smb", "month": 3}]})
    portfolio, (mark,) = apply(plays, ground(), ground().plan)
    levers = portfolio.prediction.levers
    assert levers is not None
    assert levers.shape[0, 0, :, 0] == pytest.approx([0.0, 0.0, *(0.9**m for m in range(10))])
    assert not levers.shape[0, 3:].any()
    assert levers.strength[0].mean() == pytest.approx(-0.25, abs=0.02)
    assert (mark.lever, mark.mark) == ("actions: executive_call", "assumed")
    assert "executive_call 3 times for 3 accounts" in mark.text


def test_what_is_recommended_is_done_again_as_its_gap_allows() -> None:
    """Four hours: two calls, each again after two months."""
    once, often = (scenario_of({"actions": how}) for how in ("this month", "recommended"))
    texts = [apply(one, ground(), ground().plan)[1][0].text for one in (once, often)]
    assert texts[0].startswith("executive_call 2 times for 2 accounts")
    assert texts[1].startswith("executive_call 12 times for 2 accounts")
    assert "add up is assumed" not in texts[0]
    assert texts[1].endswith("That repeated plays add up is assumed.")
    assert churned(often) < churned(once) < churned(PRESETS["base"])


def test_a_price_raises_arr_at_the_renewal_and_the_odds_of_leaving_then() -> None:
    prices = scenario_of({"prices": [{"change": 0.1, "accounts": ["a0", "a1"], "elasticity": [3, 3]}]})
    portfolio, (mark,) = apply(prices, ground(), None)
    growth, levers = portfolio.growth, portfolio.prediction.levers
    assert growth is not None
    assert levers is not None
    assert growth[0].tolist() == [1.0] * 3 + [pytest.approx(1.1)] * 9
    assert growth[2].tolist() == [1.0] * 12
    added = levers.shape[0, 0, :, 0] * levers.strength[0, 0]
    assert added == pytest.approx([0.0] * 3 + [0.3] + [0.0] * 8)
    assert mark.mark == "assumed"
    stays = (1 - shifted(0.3)) * 0.95**11
    assert churned(prices) == pytest.approx(2000 * (1 - stays) + 4000 * (1 - 0.95**12), rel=1e-5)


def test_a_market_is_worse_by_its_standard_deviations_for_its_months() -> None:
    market = scenario_of({"market": {"sd": 2, "months": 6}})
    portfolio, (mark,) = apply(market, ground(), None)
    assert portfolio.prediction.levers is not None
    assert portfolio.prediction.levers.shape[0, 0, 0] == pytest.approx([0.8, 0.4, -0.2])
    assert portfolio.prediction.levers.shape[0, 0, 6].tolist() == [0.0, 0.0, 0.0]
    assert mark.text.startswith("The market is 2 standard deviations worse than expected; one")


def test_the_worst_quarter_is_that_of_the_history() -> None:
    days = [date(2025, 4, 1), date(2025, 7, 1), date(2025, 10, 1)]
    lost = pd.DataFrame({"until": days, "accounts": [100, 100, 100], "lost": [2, 12, 4]})
    portfolio, (mark,) = apply(scenario_of({"market": {"worst_quarter": True}}), ground(lost), None)
    assert portfolio.prediction.levers is not None
    expected = np.log(0.12 / 0.88) - np.log(0.06 / 0.94)
    assert portfolio.prediction.levers.shape[0, 0, 0, 0] == pytest.approx(expected)
    assert "before 2025-07-01: 12.0% left, and 6.0% usually" in mark.text
    with pytest.raises(BadRequest, match="the history is too short to tell a bad quarter"):
        apply(scenario_of({"market": {"worst_quarter": True}}), ground(), None)


def test_accounts_can_be_forced() -> None:
    fates = scenario_of({"accounts": {"a0": "stay", "a1": {"outcome": "churn", "month": 2}}})
    assert churned(fates) == pytest.approx(1000 + 4000 * (1 - 0.95**12), rel=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"actions": [{"kind": "dinner"}]}, r"not known: dinner\. Here actions\.kinds has executive_call"),
        ({"accounts": {"a9": "churn"}}, r"accounts names accounts that have no ARR on the date, .*: a9"),
        ({"prices": [{"change": 0.1, "where": "segment = large"}]}, "no customer meets .* segment holds mid, smb"),
        ({"prices": [{"change": 0.1, "where": "segmnt = smb"}]}, r"Did you mean segment\?"),
        ({"actions": [{"kind": "executive_call", "month": 20}]}, "month 20 lies beyond the 12 months"),
        ({"accounts": {"a0": {"outcome": "churn", "month": 13}}}, "accounts: month 13 lies beyond the 12 months"),
    ],
)
def test_what_is_not_there_is_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        apply(scenario_of(content), ground(), ground().plan)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"markt": {}}, r"markt: there is no such key; did you mean market\?"),
        ({"market": {"sdd": 1}}, r"market\.sdd: there is no such key; did you mean sd\?"),
        ({"market": {}}, "market: say how the market differs"),
        ({"actions": "all"}, "actions: Input should be 'recommended' or 'this month'"),
        ({"prices": [{}]}, r"prices\.0\.change: is missing"),
        ({"prices": [{"change": 0.1, "elasticity": [3, 1]}]}, "give the lower end of the range first"),
        ({"accounts": {"a0": "leave"}}, "'churn' or 'stay'"),
        ({"hours": -1, "actions": "recommended"}, "hours: Input should be greater than 0, got -1"),
        ({"hours": 2.0}, "hours decide what is recommended"),
        ({"actions": [{"kind": "x", "accounts": ["a"], "where": "b = c"}]}, "give accounts or where, not both"),
    ],
)
def test_a_scenario_that_cannot_be_read_says_where(content: dict[str, object], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        scenario_of(content)


def test_files_and_presets(tmp_path: Path) -> None:
    file = tmp_path / "squeeze.yaml"
    file.write_text("market: {sd: 1}\naccounts: {a0: churn}\n", encoding="utf-8")
    assert read_scenario(file).name == "squeeze"
    assert read_scenario(file).accounts["a0"].month == 1
    for name, text in (("list.yaml", "- 1"), ("broken.yaml", "a: [")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(BadRequest, match=r"must hold|cannot be read"):
            read_scenario(tmp_path / name)
    with pytest.raises(BadRequest, match="No scenario file"):
        read_scenario(tmp_path / "absent.yaml")
    with pytest.raises(BadRequest, match=r"there is no such preset; .* Did you mean severe\?"):
        preset("sever")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"hours": -1, "actions": "recommended"}, "hours: Input should be greater than 0, got -1"),
        (
            {"actions": [{"kind": "x", "month": 40}]},
            "actions.0.month: Input should be less than or equal to 24, got 40",
        ),
        ({"actions": "recomended"}, "actions: Input should be 'recommended' or 'this month', got 'recomended'"),
    ],
)
def test_one_fault_is_one_line_whatever_else_the_value_might_have_been(content: dict[str, object], line: str) -> None:
    with pytest.raises(BadRequest) as refused:
        scenario_of(content)
    assert str(refused.value).startswith(f"The scenario cannot be used:\n  {line}")
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nrr", "the number must be above 0"),
        ("nrr=110", "nrr is a ratio, 1 = 100 %"),
        ("nr=1.1", r"write METRIC=NUMBER; .* Did you mean nrr\?"),
        ("grr=-1", "the number must be above 0"),
        ("nrr=nan", "the number must be above 0"),
    ],
)
def test_targets_that_cannot_be_read_are_refused(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        target_of(text)
