"""The output tables as declared: the contract's columns, the run's, and a definition with every figure."""

from pathlib import Path

import pandas as pd
import pytest

from docs.build import RENDERED
from models.paths import rollup
from serving.forecast.declared.column import Kind, OutColumn, OutTable, Place, names_of
from serving.forecast.declared.output_tables import (
    ACCOUNT_DRIVER,
    INTERVAL,
    METRICS,
    QUANTILES,
    TABLES,
    render_markdown,
)
from serving.forecast.declared.published_lists import LISTS

CONTRACT = {
    "account_forecast": (
        "account_id, horizon_months, arr, churn_probability, contraction_probability, expansion_probability, "
        "cross_sell_probability, expected_arr, arr_p10, arr_p50, arr_p90, arr_at_risk, first_leaving_probability, "
        "renews_on"
    ),
    "account_driver": ("account_id, outcome, rank, group, display_rank, leads, feature, value, effect, text"),
    "account_peers": (
        "account_id, outcome, peer_group, peers, peer_probability, customer_effect, team_effect, contract_effect, "
        "other_effect, probability"
    ),
    "nrr_forecast": (
        "cut, value, horizon_months, metric, mean, p05, p10, p25, p50, p75, p90, p95, starting_arr, accounts"
    ),
    "renewal_forecast": (
        "cut, value, month, from_day, until_day, available_to_renew, expected_renewed, renewal_rate, p10, p90, "
        "accounts_due"
    ),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_columns_are_the_contract_s_then_the_definition_then_the_run_s(name: str) -> None:
    run = ("definition", "run_id", "as_of", "model_version", "made_at")
    assert TABLES[name].names == (*CONTRACT[name].split(", "), *run)


def test_shape_orders_types_and_sorts() -> None:
    rows = {name: ["2", "1"] for name in ACCOUNT_DRIVER.names}
    rows |= {"as_of": ["2026-01-01"] * 2, "made_at": ["2026-01-01T00:00:00Z"] * 2, "surplus": ["x", "y"]}
    shaped = ACCOUNT_DRIVER.shape(pd.DataFrame(rows))
    assert tuple(shaped.columns) == ACCOUNT_DRIVER.names
    assert shaped["account_id"].tolist() == ["1", "2"]
    assert shaped["rank"].dtype == "int64"
    assert str(shaped["made_at"].dtype) == "datetime64[s, UTC]"


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="account_driver lacks text, made_at; every declared column must be given"):
        ACCOUNT_DRIVER.shape(
            pd.DataFrame({name: [] for name in ACCOUNT_DRIVER.names if name not in ("text", "made_at")})
        )


def test_the_markdown_lists_every_column() -> None:
    text = render_markdown()
    for table in TABLES.values():
        assert f"## {table.name}" in text
        for column in table:
            assert f"| {column.name} | {column.kind} |" in text


def test_the_committed_page_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "outputs.md"
    assert page.read_text(encoding="utf-8") == "".join(render() for render in RENDERED), "run `make docs`"


def test_the_metrics_declared_are_those_that_are_rolled_up() -> None:
    assert tuple(metric.name for metric in METRICS) == rollup.METRICS
    assert set(INTERVAL[:2]) < set(QUANTILES)


def test_people_s_tables_begin_and_end_as_declared_and_data_keep_their_order() -> None:
    columns = [OutColumn(name, Kind.TEXT, "", "", places=(Place.API, Place.PAGE)) for name in "abcde"]
    table = OutTable("t", "", ("a",), (*columns, OutColumn("hidden", Kind.TEXT, "", "")), ("d", "a"), ("b",))
    assert names_of(table.laid_out(Place.PAGE)) == ["d", "a", "c", "e", "b"]
    assert names_of(table.at(Place.API)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("place", "needs"), [(Place.PAGE, "PAGE needs API"), (Place.DOWNLOAD, "DOWNLOAD needs API"),
                         (Place.TERMINAL, "TERMINAL needs DATA")]
)  # fmt: skip
def test_a_place_cannot_show_what_its_source_does_not_hold(place: Place, needs: str) -> None:
    with pytest.raises(ValueError, match=f"kept is shown where it is not known: {needs}"):
        OutColumn("kept", Kind.SHARE, "share", "...", places=(place,))


@pytest.mark.parametrize("table", [*TABLES.values(), *LISTS.values()], ids=lambda table: table.name)
def test_a_mean_s_interval_is_wherever_the_mean_is_shown(table: OutTable) -> None:
    columns = {column.name: column for column in table}
    for column in table:
        for name in column.interval[:2] if column.interval else ():
            assert {place for place in column.places if place in (Place.API, Place.DATA)} <= set(columns[name].places)


def test_what_is_declared_is_what_is_rolled_up() -> None:
    assert tuple(metric.name for metric in METRICS) == rollup.METRICS
