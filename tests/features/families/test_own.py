"""Features of the settings: each measure on a handful of rows, worked out by hand, and what is refused."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import params
from features.families import catalogue, kinds
from features.families.feature import Feature
from features.families.own import own_features
from features.families.parts import Measure, Stream
from features.snapshots.building import Snapshots, build
from features.tables.checked import Tables, text_of
from features.tables.sql import flag, one_of
from params import Budget, SettingsError

T = date(2024, 4, 1)
PAGE = Path(__file__).parents[3] / "docs" / "own-features.md"


def use(day: int, feature: str | None, user: str = "ann", quantity: float | None = 1, **more: Any) -> dict[str, Any]:
    return {"account_id": "a", "used_on": date(2024, 3, day), "feature": feature, "user_id": user,
            "quantity": quantity, "plan_tier": None} | more  # fmt: skip


ROWS: dict[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": "a", "plan": "Gold", "employees": 12.5}],
    "contracts": [{"contract_id": "1", "account_id": "a", "starts_on": date(2023, 1, 1), "mrr": 10}],
    "usage": [
        use(1, "Invite Sent", plan_tier="Pro"),
        use(2, " invite-sent", user="bob", quantity=2.5, plan_tier="pro "),
        use(3, "INVITE_SENT", quantity=0),  # a day's sum of no use
        use(3, "export", user="Ann", plan_tier="basic"),
        use(29, "invite sent", quantity=None),  # stands for 1
        use(29, None),
    ],
    "csm_actions": [
        {"account_id": "a", "acted_on": date(2024, 3, 5), "action": "call", "status": status}
        for status in ("done", None, "missed", "planned")
    ],
    "tickets": [
        {"account_id": "a", "opened_at": date(2024, 3, 9), "severity": severity, "minutes": minutes}
        for severity, minutes in (("High", 3.005), ("4", 10.0), ("low", None))
    ],
}


def declared(text: str) -> dict[str, params.OwnFeature]:
    return dict(params.load(None, [f"features={yaml.safe_load(text)}"]).features)


@pytest.fixture(scope="module")
def tables(store: Callable[..., Tables], tmp_path_factory: pytest.TempPathFactory) -> Tables:
    numbers = {"tickets": ("minutes",), "accounts": ("employees",)}
    return store(ROWS, tmp_path_factory.mktemp("own") / "tables.duckdb", numbers=numbers)


@pytest.fixture
def made(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Snapshots]:
    """Snapshots with the features of some settings and no others."""
    monkeypatch.setattr(catalogue, "FEATURES", ())
    used = params.load()

    def snapshots(text: str) -> Snapshots:
        rules = {"revenue": used.revenue, "settings": used.snapshots, "own": declared(text)}
        return build(tables, [T], **rules, budget=Budget(1, 0.5))

    return snapshots


VALUES = {
    "{table: usage, filter: {feature: Invite Sent}, window: 60}": 3,
    "{table: usage, filter: {feature: [Invite Sent, export]}, window: 60}": 4,
    "{table: usage, filter: {feature: {other_than: Invite Sent}}, window: 60}": 2,  # an empty one is another
    "{table: usage, filter: {feature: Invite Sent}, window: 3}": 1,  # the day 3 days ago counts
    "{table: usage, filter: {feature: Invite Sent}, window: 2}": 0,
    "{table: usage, filter: {feature: invite sent, user_id: ann}, window: 60}": 2,  # ids are as they are
    "{table: usage, filter: {quantity: {at_most: 0}}, window: 60}": 1,
    "{table: usage, filter: {quantity: [1, 2.5]}, window: 60}": 5,
    "{table: usage, filter: {quantity: {above: 1, below: 3}}, window: 60}": 1,
    "{table: usage, filter: {plan_tier: PRO}, window: 60}": 2,
    "{table: usage, measure: sum, column: quantity, filter: {feature: Invite Sent}, window: 60}": 4.5,
    "{table: tickets, measure: sum, column: minutes, window: 60}": 13.01,
    "{table: usage, measure: distinct, column: user_id, window: 60}": 3,
    "{table: usage, measure: distinct, column: feature, window: 60}": 2,
    "{table: usage, measure: distinct, column: plan_tier, window: 60}": 2,
    "{table: tickets, measure: distinct, column: minutes, window: 60}": 2,
    "{table: usage, measure: days, filter: {feature: Invite Sent}, window: 60}": 3,
    "{table: usage, measure: recency, filter: {feature: export}, window: 60}": 29,
    "{table: usage, measure: recency, filter: {feature: login}, window: 60}": math.nan,
    "{table: usage, measure: share, filter: {feature: Invite Sent}, window: 60}": 3 / 5,
    "{table: tickets, measure: share, filter: {severity: [high, 4]}, window: 60}": 2 / 3,
    "{table: tickets, filter: {minutes: {at_least: 3.01}}, window: 60}": 1,
    "{table: calls, window: 60}": None,
    "{table: usage, measure: trend, filter: {feature: Invite Sent}, window: 4}": -1.6,
    "{table: usage, measure: trend, column: quantity, filter: {feature: Invite Sent}, window: 4}": -1.6,
    "{table: csm_actions, window: 60}": 2,
    "{table: csm_actions, filter: {status: [missed, planned]}, window: 60}": 2,
    "{table: accounts, column: employees}": 12.5,
    "{table: accounts, column: plan}": "Gold",
}


@pytest.mark.parametrize("declaration", VALUES)
def test_what_a_declaration_measures(made: Callable[[str], Snapshots], declaration: str) -> None:
    found, expected = made(f"own: {declaration}"), VALUES[declaration]
    if expected is None:
        assert found.left_out == {"own": ("calls.called_on",)}
        return
    (value,) = found.frame["own"].tolist()
    assert value == (expected if isinstance(expected, str) else pytest.approx(expected, nan_ok=True))


def test_a_count_of_a_key_event_is_five_lines(made: Callable[[str], Snapshots]) -> None:
    """The first example of the page on features of one's own, as it stands there."""
    lines = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0].splitlines()
    assert len(lines) == 5
    found = made(yaml.safe_dump(yaml.safe_load("\n".join(lines))["features"]))
    assert found.frame["invites_28d"].tolist() == [1]
    (feature,) = found.features
    assert feature.meaning == "Rows of usage where feature is Invite Sent in the last 28 days"
    assert (feature.sentence, feature.signal) == ("{value} invites in the last 28 days", "invites")
    assert (feature.family, feature.unit, feature.kind) == ("usage", "rows", "number")


def test_every_example_of_the_page_is_a_feature(tables: Tables) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    features = [yaml.safe_load(example)["features"] for example in examples if example.startswith("features")]
    columns = dict(tables.columns) | {"accounts": ("account_id", "plan", "headcount")}
    more = replace(tables, columns=columns, numbers={"tickets": ("minutes",), "accounts": ("headcount",)})
    made = own_features(declared(yaml.safe_dump(features[1], sort_keys=False)), more)
    assert [feature.name for feature in made] == list(features[1])
    told = made[0]
    assert [feature.kind for feature in made[-2:]] == ["category", "number"]
    assert (told.sentence, told.signal, told.expected) == (
        "{value} colleagues invited in the last 28 days", "invitations", -1,
    )  # fmt: skip


def test_a_condition_on_words_in_a_measure_of_the_product(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that the engine shows as a key has its words beside it."""
    words = text_of("feature")
    stream = Stream("told", "usage", needs=("usage.used_on", "usage.feature"), columns=(words,))
    invites = Measure(stream, "invites", flag(one_of(words, "invite_sent")))
    feature = Feature(name="invites", family="usage", value=kinds.windowed_sum(invites, 60), unit="rows", meaning="m",
                      sentence="{value}", signal="s")  # fmt: skip
    monkeypatch.setattr(catalogue, "FEATURES", (feature,))
    used = params.load()
    found = build(tables, [T], revenue=used.revenue, settings=used.snapshots, budget=Budget(1, 0.5))
    assert found.frame["invites"].tolist() == [4]


REFUSED = {
    "{table: usgae, window: 1}": r"there is no table usgae. Did you mean usage\? Give one of usage, csm_actions, ",
    "{table: churn_events, window: 1}": "none can be of churn_events: it says who left, which is what is forecast",
    "{table: contracts, window: 1}": "none can be of contracts: contract lines are no events",
    "{table: usage}": "it needs a window: how many days it looks back",
    "{table: usage, measure: sum, window: 1}": "sum needs a column: of what",
    "{table: usage, column: feature, window: 1}": "count takes no column: conditions stand in filter",
    "{table: usage, measure: share, window: 1}": "a share needs a filter",
    "{table: usage, measure: trend, window: 1}": "a trend needs a window of two days at the least",
    "{table: usage, measure: attribute, window: 1}": "usage has rows and no attributes: give another measure",
    "{table: accounts, measure: count}": "accounts has attributes and no rows to measure the count of",
    "{table: accounts, column: plan, window: 3}": "an attribute is what it is at the snapshot: leave filter and",
    "{table: tickets, filter: {resolved_at: x}, window: 1}": r"tickets.resolved_at is filled in later than the "
    r"row's day \(opened_at\), so that it would show the future",
    "{table: goals, measure: distinct, column: achieved_on, window: 1}": "goals.achieved_on is filled in later",
    "{table: contacts, filter: {left_on: x}, window: 1}": "contacts.left_on is filled in later",
    "{table: usage, filter: {recorded_at: x}, window: 1}": "usage.recorded_at says whose a row is or when it was known",
    "{table: usage, filter: {used_on: x}, window: 1}": "usage.used_on is a date: the window says when",
    "{table: usage, measure: sum, column: feature, window: 1}": "usage.feature holds text, and a number is needed",
    "{table: usage, filter: {feature: {above: 3}}, window: 1}": "usage.feature holds text, and a number is needed",
    "{table: usage, filter: {quantity: many}, window: 1}": "'many' is no number, and quantity holds numbers",
    "{table: csm_actions, filter: {status: mised}, window: 1}": "status is never 'mised': it is one of done, missed, "
    r"planned; did you mean missed\?",
    '{table: usage, window: 1, sentence: "so many"}': "its sentence must hold {value} once and nothing else in braces",
    '{table: usage, window: 1, sentence: "{value} of {all}"}': "its sentence must hold {value} once",
}


@pytest.mark.parametrize("declaration", REFUSED)
def test_what_cannot_be_declared_is_named(tables: Tables, declaration: str) -> None:
    with pytest.raises(SettingsError, match=rf"^The settings cannot be used:\n  features\.own: {REFUSED[declaration]}"):
        own_features(declared(f"own: {declaration}"), tables)


def test_all_that_is_wrong_is_named_at_once(tables: Tables) -> None:
    text = "one: {table: usgae, window: 1}\ntwo: {table: usage}\nthree: {table: goals, filter: {achieved_on: x}}"
    with pytest.raises(SettingsError) as refused:
        own_features(declared(text), tables)
    assert [line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:]] == [
        "features.one", "features.two", "features.three", "features.three",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("usage_28d", "features.usage_28d: there is a feature of that name already"),
        ("plan", "features.plan: accounts has a column plan: give the feature another name"),
    ],
)
def test_a_name_that_is_taken_is_refused(tables: Tables, name: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        catalogue.select(tables, (), declared(f"{name}: {{table: usage, window: 28}}"))


def test_a_declared_feature_can_be_dropped_and_a_misspelt_one_is_named(tables: Tables) -> None:
    own = declared("invites_28d: {table: usage, filter: {feature: Invite Sent}, window: 28}")
    assert "invites_28d" not in [feature.name for feature in catalogue.select(tables, ["invites_28d"], own).features]
    with pytest.raises(SettingsError, match=r"no feature invite_28d; did you mean invites_28d\?"):
        catalogue.select(tables, ["invite_28d"], own)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("{own: {tabel: usage}}", r"features.own.tabel: no such setting; did you mean features.own.table\?"),
        ("{own: {table: usage, measure: cuont}}", r"features.own.measure: .* got 'cuont'; did you mean count\?"),
        ("{own: {table: usage, filter: {feature: }}}", "features.own.filter.feature: say what the cell must hold"),
        ("{own: {table: usage, filter: {feature: {atleast: 1}}}}", "features.own.filter.feature.atleast: no such"),
        ("{own: {table: usage, filter: SELECT 1}}", "features.own.filter: Input should be `key: value` pairs"),
        ("{own: {table: usage, window: 0}}", "features.own.window: Input should be greater than or equal to 1"),
        (
            "{Own Feature: {table: usage}}",
            "features.Own Feature: The name should be a small letter and then",
        ),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(setting: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        params.load(None, [f"features={setting}"])


def test_no_word_of_a_filter_is_taken_for_sql(made: Callable[[str], Snapshots]) -> None:
    found = made("""own: {table: usage, filter: {feature: "' OR '1' = '1"}, window: 60}""")
    assert found.frame["own"].tolist() == [0]
    assert isinstance(found.frame, pd.DataFrame)
