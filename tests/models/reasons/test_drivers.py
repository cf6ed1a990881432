"""Reasons add up to the probability they explain, and read as sentences."""

import dataclasses
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit

from models.hazards.horizon import CALENDAR_INPUTS
from models.hazards.model_inputs import Input
from models.hazards.month_level import LEVEL_INPUT
from models.outcomes.contributions import Contributions, Decisions
from models.reasons.attribution import horizon_probability, path_effects
from models.reasons.background import background
from models.reasons.drivers import COLUMNS, drivers, effects_in_words, group_sums

BASE, SLOPE, INTERCEPT = -4.0, 1.1, 0.2
PEERS = "uses more than {value} of the other accounts"
SEATS = "uses more of its seats than {value} of the other accounts here"


def contributions(margin, names=None):
    margin = np.asarray(margin, dtype=float)
    names = names or tuple(f"x{i}" for i in range(margin.shape[2]))
    months = np.ones(margin.shape[1])
    return Contributions(tuple(names), margin, BASE, SLOPE * months, INTERCEPT * months)


def random_contributions(accounts=300, months=12, inputs=8, scale=0.5, seed=0):
    return contributions(np.random.default_rng(seed).normal(0, scale, (accounts, months, inputs)))


def describe(name, signal=None, unit="users", kind="number", meaning="Meaning", sentence="{value} units"):
    return Input(
        name=name,
        kind=kind,
        family="usage",
        signal=signal or name,
        unit=unit,
        meaning=meaning,
        sentence=sentence,
        categories=("large", "small") if kind == "category" else (),
    )


def frame(**columns):
    """Snapshot rows; a calendar with a term that ends in 45 days unless given."""
    rows = len(next(iter(columns.values())))
    calendar = {
        "account_id": [f"a{i}" for i in range(rows)],
        "as_of": [pd.Timestamp("2025-01-01")] * rows,
        "term_ends_on": [pd.Timestamp("2025-02-15")] * rows,
        "notice_given": [0] * rows,
        "notice_share": [0.0] * rows,
        "presigned": [0] * rows,
    }
    return pd.DataFrame(calendar | columns)


def explain_one(effect, item, outcome="churn", **columns):
    """The only reason of an account whose only input has a SHAP value in the first of two months."""
    found = contributions([[[effect], [0.0]]], (item.name,))
    table = drivers(found, [item], frame(**columns), outcome=outcome, top=3, currency="USD", reference=np.zeros(1))
    assert len(table) == 1
    return table.iloc[0]


def without_contributions(months):
    return 1 - (1 - expit(SLOPE * BASE + INTERCEPT)) ** months


@pytest.mark.parametrize("scale", [0.01, 0.5, 2.0])
@pytest.mark.parametrize("months", [1, 12])
def test_effects_add_up_to_the_probability_less_the_base(scale, months):
    found = random_contributions(scale=scale, months=months)
    gained = horizon_probability(found) - without_contributions(months)
    np.testing.assert_allclose(path_effects(found).sum(axis=1), gained, rtol=0, atol=1e-9)


def test_effects_against_the_average_add_up_to_the_probability_less_the_mean():
    found = random_contributions(accounts=300, inputs=3)
    items = [describe(f"x{i}") for i in range(3)]
    table = drivers(found, items, frame(x0=[1] * 300, x1=[2] * 300, x2=[3] * 300), outcome="churn", top=3)
    probability = horizon_probability(found)
    sums = table.groupby("account_id", sort=False)["effect"].sum().to_numpy()
    np.testing.assert_allclose(sums, probability - probability.mean(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.groupby("feature")["effect"].sum(), 0, atol=1e-9)


def test_one_month_and_one_input_get_the_whole_difference():
    found = contributions([[[2.0]], [[-1.0]], [[0.0]]])
    expected = expit(SLOPE * (BASE + np.array([2.0, -1.0, 0.0])) + INTERCEPT) - expit(SLOPE * BASE + INTERCEPT)
    np.testing.assert_allclose(path_effects(found)[:, 0], expected, atol=1e-12)


def test_effects_equal_a_slow_integral_along_the_path():
    found = random_contributions(accounts=3, months=4, inputs=5, scale=1.0)
    start = SLOPE * BASE + INTERCEPT

    def slow(account, feature):
        change = SLOPE * found.margin[account]

        def integrand(s):
            hazard = expit(start + s * change.sum(axis=1))
            return sum(change[m, feature] * hazard[m] * (1 - hazard).prod() for m in range(4))

        return quad(integrand, 0, 1, epsabs=1e-13)[0]

    expected = [[slow(account, feature) for feature in range(5)] for account in range(3)]
    np.testing.assert_allclose(path_effects(found), expected, atol=1e-12)


def test_an_input_without_contribution_has_no_effect_and_equal_inputs_equal_effects():
    margin = np.random.default_rng(0).normal(size=(4, 12, 3))
    margin[:, :, 1], margin[:, :, 2] = margin[:, :, 0], 0.0
    effects = path_effects(contributions(margin))
    np.testing.assert_allclose(effects[:, 0], effects[:, 1], rtol=1e-12)
    assert not effects[:, 2].any()


def test_accounts_are_explained_alike_whatever_their_company():
    found = random_contributions(accounts=600)
    alone = dataclasses.replace(found, margin=found.margin[512:513])
    np.testing.assert_allclose(path_effects(alone)[0], path_effects(found)[512], rtol=0, atol=1e-15)


def test_a_signal_is_one_reason_shown_by_its_strongest_input_in_its_direction():
    """Use: +0.9 - 0.5 + 0.2 in log-odds. Surveys: -0.3. The strongest input that goes the sum's way is shown."""
    found = contributions([[[-0.5, 0.9, 0.2, -0.3]]], ("logins", "users", "days", "nps"))
    items = [describe(name, "use") for name in ("logins", "users", "days")] + [describe("nps", "surveys")]
    rows = frame(logins=[1.0], users=[2.0], days=[3.0], nps=[4.0])
    table = drivers(found, items, rows, outcome="churn", top=5, reference=np.zeros(4))
    assert table[["rank", "signal", "feature", "value"]].values.tolist() == [
        [1, "use", "users", "2"],
        [2, "surveys", "nps", "4"],
    ]
    effects = path_effects(found)[0]
    by_signal = table.set_index("signal")["effect"]
    assert by_signal["use"] == pytest.approx(effects[:3].sum())
    assert by_signal["surveys"] == pytest.approx(effects[3])
    assert table["effect"].abs().is_monotonic_decreasing


def test_a_stronger_input_against_the_direction_of_its_signal_is_not_shown():
    found = contributions([[[-0.5, 0.4, 0.3]]], ("strong", "agrees", "weak"))
    items = [describe(name, "use") for name in ("strong", "agrees", "weak")]
    table = drivers(
        found, items, frame(strong=[1], agrees=[2], weak=[3]), outcome="churn", top=1, reference=np.zeros(3)
    )
    assert (table["effect"][0] > 0, table["feature"][0]) == (True, "agrees")


def test_the_strongest_input_of_a_lowering_signal_is_the_one_that_lowers_most():
    found = contributions([[[0.4, -0.6, -0.3]]], ("raises", "lowers", "weak"))
    items = [describe(name, "use") for name in ("raises", "lowers", "weak")]
    table = drivers(
        found, items, frame(raises=[1], lowers=[2], weak=[3]), outcome="churn", top=1, reference=np.zeros(3)
    )
    assert (table["effect"][0] < 0, table["feature"][0]) == (True, "lowers")


def test_ranks_go_by_size_whatever_the_sign():
    found = contributions([[[0.2, -0.9, 0.5]]], ("low", "high", "middle"))
    items = [describe(name) for name in ("low", "high", "middle")]
    table = drivers(found, items, frame(low=[1], high=[2], middle=[3]), outcome="churn", top=3, reference=np.zeros(3))
    assert table["feature"].tolist() == ["high", "middle", "low"]
    assert table["effect"].gt(0).tolist() == [False, True, True]


def test_ranks_count_from_one_for_each_account_and_stop_at_top():
    found = random_contributions(accounts=4, inputs=6)
    items = [describe(f"x{i}") for i in range(6)]
    columns = {f"x{i}": np.arange(4.0) for i in range(6)}
    table = drivers(found, items, frame(**columns), outcome="expansion", top=2)
    assert table["rank"].tolist() == [1, 2] * 4
    assert table["account_id"].tolist() == ["a0", "a0", "a1", "a1", "a2", "a2", "a3", "a3"]
    assert table["outcome"].unique().tolist() == ["expansion"]
    assert tuple(table.columns) == COLUMNS


def test_the_reference_may_be_that_of_a_whole_portfolio():
    found = random_contributions(accounts=50, inputs=2)
    items = [describe("x0"), describe("x1")]
    everyone = drivers(found, items, frame(x0=range(50), x1=range(50)), outcome="churn", top=2)
    one = dataclasses.replace(found, margin=found.margin[7:8])
    rows = frame(x0=[7], x1=[7]).assign(account_id="a7")
    alone = drivers(one, items, rows, outcome="churn", top=2, reference=path_effects(found).mean(axis=0))
    of_seven = everyone[everyone["account_id"] == "a7"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), of_seven, check_exact=False)


@pytest.mark.parametrize(
    ("effect", "outcome", "start"),
    [
        (1.0, "churn", "Raises churn risk by 2.8 points: "),
        (-1.0, "churn", "Lowers churn risk by 1.0 points: "),
        (1.0, "expansion", "Raises the chance of expansion by 2.8 points: "),
        (-1.0, "contraction", "Lowers the risk of contraction by 1.0 points: "),
        (0.001, "churn", "Raises churn risk by less than 0.1 points: "),
    ],
)
def test_the_text_begins_with_direction_and_size_in_points(effect, outcome, start):
    item = describe("users", sentence="{value} active users in the last 28 days")
    reason = explain_one(effect, item, outcome, users=[3.0])
    assert reason["text"] == f"{start}3 active users in the last 28 days"


def test_the_points_of_the_text_are_the_effect():
    reason = explain_one(1.0, describe("users"), users=[3.0])
    assert reason["effect"] == pytest.approx(0.0279, abs=0.0001)


@pytest.mark.parametrize(
    ("item", "seen", "value", "words"),
    [
        (describe("n", meaning="Newest use; missing if none"), np.nan, "", "not known: newest use (none)"),
        (describe("n", meaning="NPS answer, 0 to 10"), None, "", "not known: NPS answer, 0 to 10"),
        (describe("n", meaning="Phase of life: early, late"), np.nan, "", "not known: phase of life"),
        (describe("n", kind="category", sentence="segment {value}"), "small", "small", "segment small"),
        (describe("n", kind="category", sentence="segment {value}"), "never seen", "never seen", "segment never seen"),
        (describe("n", kind="category", meaning="Segment"), None, "", "not known: segment"),
        (describe("n", unit="share", sentence=PEERS), 0.999, "99.9%", "uses more than 99.9% of the other accounts"),
        (describe("n", unit="share", sentence=PEERS), 0.9999, "100%", "uses more than nearly all other accounts"),
        (describe("n", unit="share", sentence=PEERS), 1.0, "100%", "uses more than all other accounts"),
        (describe("n", unit="share", sentence=PEERS), 0.001, "0.1%", "uses more than 0.1% of the other accounts"),
        (describe("n", unit="share", sentence=PEERS), 0.00001, "0%", "uses more than very few other accounts"),
        (describe("n", unit="share", sentence=PEERS), 0.0, "0%", "uses no more than any other account"),
        (
            describe("n", unit="share", sentence=SEATS),
            0.0,
            "0%",
            "uses no more of its seats than any other account here",
        ),
        (
            describe("n", unit="share", sentence=SEATS),
            1.0,
            "100%",
            "uses more of its seats than all other accounts here",
        ),
        (describe("n", unit="share", sentence="{value} of seats used"), 0.456, "45.6%", "45.6% of seats used"),
        (describe("n", sentence="{value} tickets are open"), 1.0, "1", "1 ticket is open"),
        (describe("n", sentence="{value} tickets are open"), 0.0, "0", "0 tickets are open"),
        (describe("n", sentence="last used {value} days ago"), 1.0, "1", "last used 1 day ago"),
        (describe("n", sentence="used on {value} of the last 90 days"), 1.0, "1", "used on 1 of the last 90 days"),
        (describe("n", sentence="{value} times its own average"), 1.0, "1", "1 times its own average"),
    ],
)
def test_values_are_said_in_words(item, seen, value, words):
    reason = explain_one(1.0, item, n=[seen])
    assert (reason["value"], reason["text"].partition(": ")[2]) == (value, words)


@pytest.mark.parametrize(
    ("changes", "value", "words"),
    [
        ({}, "2025-02-15", "the term ends in 45 days, on 2025-02-15"),
        (
            {"notice_given": [1], "notice_share": [1.0]},
            "2025-02-15",
            "notice was given and the term ends in 45 days, on 2025-02-15",
        ),
        (
            {"notice_given": [1], "notice_share": [0.4]},
            "2025-02-15",
            "notice was given on 40% of ARR and the term ends in 45 days, on 2025-02-15",
        ),
        (
            {"notice_given": [1], "notice_share": [1.0], "presigned": [1]},
            "2025-02-15",
            "notice was given, the next renewal is signed and the term ends in 45 days, on 2025-02-15",
        ),
        ({"presigned": [1]}, "2025-02-15", "the next renewal is signed and the term ends in 45 days, on 2025-02-15"),
        ({"term_ends_on": [pd.NaT]}, "evergreen", "the contract has no end date"),
        ({"term_ends_on": [pd.Timestamp("2025-01-02")]}, "2025-01-02", "the term ends in 1 day, on 2025-01-02"),
        (
            {"term_ends_on": [pd.Timestamp("2024-12-31")]},
            "2024-12-31",
            "the renewal is 1 day overdue, since 2024-12-31",
        ),
        (
            {"term_ends_on": [pd.Timestamp("2024-12-20")]},
            "2024-12-20",
            "the renewal is 12 days overdue, since 2024-12-20",
        ),
    ],
)
@pytest.mark.parametrize("item", CALENDAR_INPUTS[:2], ids=lambda item: item.name)
def test_the_calendar_of_the_months_ahead_is_said_as_the_renewal_known_now(item, changes, value, words):
    reason = explain_one(1.0, item, **({"term_ends_on": [pd.Timestamp("2025-02-15")]} | changes))
    assert (reason["value"], reason["text"].partition(": ")[2]) == (value, words)


@pytest.mark.parametrize("accounts", [0, 2])
def test_a_model_without_contributions_gives_no_reasons_and_no_accounts_none(accounts):
    found, rows = contributions(np.zeros((accounts, 3, 1)), ("n",)), frame(n=[1.0] * accounts)
    table = drivers(found, [describe("n")], rows, outcome="churn", top=5)
    assert table.empty
    assert table.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(("account_id", "outcome", "group", "feature", "signal", "value", "text"), "str"),
        "rank": "int64",
        "display_rank": "int64",
        "leads": "int64",
        "effect": "float64",
    }


def test_refuses_inputs_or_rows_that_do_not_fit():
    found = contributions(np.zeros((2, 3, 1)), ("n",))
    with pytest.raises(ValueError, match=r"inputs must be those of the contributions.*'other'"):
        drivers(found, [describe("other")], frame(n=[1.0, 2.0]), outcome="churn", top=5)
    with pytest.raises(ValueError, match="frame has 1 rows, the contributions explain 2"):
        drivers(found, [describe("n")], frame(n=[1.0]), outcome="churn", top=5)


def test_reasons_of_a_fitted_model_sum_to_what_it_predicts(world, fitted):
    latest = world.frame[world.frame["as_of"] == world.frame["as_of"].max()].reset_index(drop=True)
    explained = fitted.contributions(latest, "churn")
    table = drivers(explained, fitted.all_inputs, latest, outcome="churn", top=99)
    probability = horizon_probability(explained)
    sums = table.groupby("account_id")["effect"].sum().reindex(latest["account_id"])
    np.testing.assert_allclose(sums, probability - probability.mean(), rtol=0, atol=1e-9)
    shown = fitted.predict(latest).event_probability("churn")[:, fitted.horizon_months - 1]
    np.testing.assert_allclose(probability, shown, atol=0.04, err_msg="all but the spread of shared luck is explained")


def test_the_sickest_accounts_are_told_that_it_raises_their_risk_and_the_healthiest_that_it_lowers_it(world, fitted):
    latest = world.frame[world.frame["as_of"] == world.frame["as_of"].max()].reset_index(drop=True)
    table = drivers(fitted.contributions(latest, "churn"), fitted.all_inputs, latest, outcome="churn", top=99)
    effect = table[table["signal"] == "health"].set_index("account_id")["effect"]
    health = latest.set_index("account_id")["health_score"].reindex(effect.index)
    assert effect[health < health.quantile(0.2)].mean() > 0
    assert effect[health > health.quantile(0.8)].mean() < 0


@pytest.mark.parametrize("scale", [0.01, 0.5, 2.0])
def test_what_the_end_of_a_term_decides_adds_up_too_and_is_put_down_to_it(scale):
    """In some months ARR has changed when the term ended, in a share of the futures: it shifts the log-odds there."""
    generator = np.random.default_rng(1)
    share = generator.uniform(size=(300, 12)) * (generator.uniform(size=(300, 12)) < 0.2)
    decisions = Decisions(share, np.where(share > 0, generator.normal(-3, 1, share.shape), 0))
    margin = generator.normal(0, scale, (300, 12, 3))
    plain = contributions(margin, ("x", LEVEL_INPUT, "y"))
    decided = replace(plain, decisions=decisions)
    gained = horizon_probability(decided) - without_contributions(12)
    np.testing.assert_allclose(path_effects(decided).sum(axis=1), gained, rtol=0, atol=1e-9)
    assert (path_effects(decided)[:, 1] < path_effects(plain)[:, 1]).mean() > 0.8
    by_month = 1 - expit(SLOPE * (BASE + margin.sum(axis=2)) + INTERCEPT)
    shifted = 1 - expit(SLOPE * (BASE + margin.sum(axis=2)) + INTERCEPT + decisions.shift)
    mean = (1 - share) * by_month + share * shifted
    np.testing.assert_allclose(horizon_probability(decided), 1 - mean.prod(axis=1), atol=1e-12)


def against_peers(effects, values, directions, **more):
    """Churn reasons of account a0 with inputs `logins` and `users` of one signal, whose eleven peers have 10 of each.

    `more` are the family of the inputs and the earlier snapshot.
    """
    items = [describe(name, "use", sentence="{value} " + name) for name in ("logins", "users")]
    items = [replace(item, family=more.get("family", "usage")) for item in items]
    rows = frame(logins=[values[0]] + [10.0] * 11, users=[values[1]] + [10.0] * 11).assign(arr=1.0)
    matrix = np.zeros((12, 2))
    matrix[0] = effects
    compared = background(items, rows, more.get("past"))
    ways = np.array(directions, dtype=float)
    table = effects_in_words(matrix, items, rows, outcome="churn", top=5, background=compared, directions=ways)
    return table.iloc[0]


def test_the_input_shown_is_one_whose_value_explains_the_effect():
    reason = against_peers([0.02, 0.01], [12.0, 3.0], [-1, -1])
    assert reason["text"] == "Raises churn risk by 3.0 points: 3 users (typical of its peers: 10)"
    assert reason["leads"] == 1


def test_an_input_too_weak_is_not_shown_in_place_of_a_strong_one_and_what_is_unusual_is_said_and_does_not_lead():
    reason = against_peers([0.04, 0.001], [12.0, 3.0], [-1, -1])
    assert reason["text"] == (
        "Raises churn risk by 4.1 points: 12 logins (typical of its peers: 10; unusual: more of it mostly lowers it)"
    )
    assert reason["leads"] == 0


def test_what_is_expected_of_an_input_by_the_model_alone_does_not_lead():
    """What a team does where the risk is high would read as if it raised it."""
    assert against_peers([0.02, 0.0], [3.0, 10.0], [-0.5, 0])["leads"] == 0
    assert against_peers([0.02, 0.0], [3.0, 10.0], [-1, 0])["leads"] == 1


def test_size_fit_and_calendar_do_not_lead():
    reason = against_peers([0.02, 0.0], [3.0, 10.0], [-1, 0], family="contract_history")
    assert (reason["group"], reason["leads"]) == ("contract", 0)


def test_a_past_that_tells_the_contrary_is_not_said():
    """Use rose from 1 to 3, and still lies below its peers': that it rose does not raise the risk."""
    past = pd.DataFrame({"account_id": ["a0"], "as_of": [pd.Timestamp("2024-10-01")], "logins": [1.0], "arr": [1.0]})
    rose = against_peers([0.02, 0.0], [3.0, 10.0], [-1, 0], past=past)
    assert rose["text"].endswith("3 logins (typical of its peers: 10)")
    fell = against_peers([0.02, 0.0], [3.0, 10.0], [-1, 0], past=past.assign(logins=20.0))
    assert fell["text"].endswith("3 logins (20 as of 2024-10-01; typical of its peers: 10)")


def test_an_account_without_arr_then_has_no_past():
    past = pd.DataFrame({"account_id": ["a0"], "as_of": [pd.Timestamp("2024-10-01")], "logins": [20.0], "arr": [0.0]})
    reason = against_peers([0.02, 0.0], [3.0, 10.0], [-1, 0], past=past)
    assert reason["text"].endswith("3 logins (typical of its peers: 10)")


def test_a_young_account_is_called_one_where_the_sentence_looks_further_back():
    item = describe("uses_90d", sentence="{value} uses in the last 90 days")
    rows = frame(uses_90d=[3.0] + [10.0] * 11).assign(arr=1.0, tenure_days=[40.0] + [400.0] * 11)
    matrix = np.zeros((12, 1))
    matrix[:2] = 0.02
    table = effects_in_words(matrix, [item], rows, outcome="churn", top=5, background=background([item], rows))
    young, old = table["text"]
    assert young.endswith("3 uses in the last 90 days (a customer for 40 days only; typical of its peers: 10)")
    assert old.endswith("10 uses in the last 90 days")


def test_people_are_shown_first_what_raises_and_can_be_acted_on():
    items = [describe("fit"), describe("users"), describe("logins"), describe("tasks")]
    items = [replace(items[0], family="contract_history"), *items[1:3], replace(items[3], family="csm_actions")]
    rows = frame(fit=[1.0] + [10.0] * 11, users=[3.0] + [10.0] * 11, logins=[30.0] + [10.0] * 11, tasks=[9.0] * 12)
    rows = rows.assign(arr=1.0)
    matrix = np.zeros((12, 4))
    matrix[0] = [0.3, 0.01, -0.05, 0.02]
    compared, ways = background(items, rows), np.array([-1.0, -1, -1, -1])
    table = effects_in_words(matrix, items, rows, outcome="churn", top=5, background=compared, directions=ways)
    shown = table.sort_values("display_rank")
    assert shown["feature"].tolist() == ["users", "logins", "fit", "tasks"]
    assert shown["group"].tolist() == ["customer", "customer", "contract", "team"]
    assert shown["leads"].tolist() == [1, 1, 0, 0]
    assert table["feature"].tolist() == ["fit", "logins", "tasks", "users"], "rank goes by size alone"
    np.testing.assert_allclose(group_sums(matrix[:1], items), [[-0.04, 0.02, 0.3]])


def test_notice_is_what_the_customer_did_and_leads():
    items = [CALENDAR_INPUTS[0], describe("users")]
    rows = frame(users=[3.0] + [10.0] * 11, notice_share=[1.0] + [0.0] * 11).assign(arr=1.0)
    matrix = np.zeros((12, 2))
    matrix[:2] = [0.7, 0.01]
    compared, ways = background(items, rows), np.array([0.0, -1.0])
    table = effects_in_words(matrix, items, rows, outcome="churn", top=5, background=compared, directions=ways)
    first = table[table["display_rank"] == 1].set_index("account_id")
    assert first.loc["a0", "text"].startswith("Raises churn risk by 70.0 points: notice was given and the term ends")
    assert (first.loc["a0", "leads"], first.loc["a1", "leads"]) == (1, 0)
