"""The rolling backtest: which dates, what it may know, and that its figures are those that came."""

import dataclasses
import html
import json
import re
import shutil
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from features.tables.checked import Tables, open_tables
from features.tables.problems import SNAPSHOTS_STORED, BadInput
from models.scores.baselines import ACCOUNT_RIVALS, NRR_RIVALS
from params import Params
from training.backtest import rolling
from training.backtest.origin import OriginResult, prepare, try_origin
from training.learn import dataset as datasets
from training.learn.dataset import Dataset

ORIGIN = date(2025, 9, 1)  # what came within three months was settled by 2026-01-01


@pytest.mark.parametrize(
    ("snapshots", "min_months", "horizons", "origins", "every", "expected"),
    [
        # The last snapshot is number `snapshots - 1`; a horizon has come where origin + horizon is at most that.
        (40, 12, (3, 6, 12), 3, 2, [23, 25, 27]),
        (40, 12, (3, 6, 12), 1, 2, [27]),
        (40, 12, (12, 3), 2, 6, [21, 27]),
        # all that have enough before them
        (40, 12, (12,), 99, 5, [12, 17, 22, 27]),
        (25, 12, (12,), 99, 1, [11, 12]),
        # too little for the longest horizon alone: younger ones, of the shorter horizons
        (26, 12, (3, 12), 4, 2, [11, 13, 15, 17]),
        (20, 12, (3, 12), 99, 2, [11, 13, 15]),
        (14, 12, (1, 12), 9, 1, [11, 12]),
        (13, 12, (1, 12), 9, 1, [11]),
        (24, 12, (12,), 1, 1, [11]),
    ],
)
def test_origins_have_history_before_them_and_their_horizon_has_come(
    snapshots: int,
    min_months: int,
    horizons: tuple[int, ...],
    origins: int,
    every: int,
    expected: list[int],
    changed: Any,
    months: Any,
) -> None:
    params = changed(
        model={"min_months": min_months},
        backtest={"horizons": horizons, "origins": origins, "every_months": every},
    )
    dates = months(snapshots)
    assert rolling.choose_origins(dates, params) == [dates[position] for position in expected]


@pytest.mark.parametrize(("snapshots", "shortest"), [(12, 1), (15, 4), (0, 1)])
def test_too_little_history_for_one_origin_says_how_much_is_needed(
    snapshots: int, shortest: int, changed: Any, months: Any
) -> None:
    params = changed(model={"min_months": 12}, backtest={"horizons": (shortest, 12)})
    message = rf"there are {snapshots} monthly snapshots, and 12 \(model.min_months\) \+ {shortest} \(the shortest"
    with pytest.raises(BadInput, match=message) as refused:
        rolling.choose_origins(months(snapshots), params)
    assert SNAPSHOTS_STORED in str(refused.value)


@pytest.fixture(scope="module")
def tested(company: Tables, dataset: Dataset, small_params: Params) -> OriginResult:
    return try_origin(company, dataset, ORIGIN, params=small_params)


@pytest.fixture(scope="module")
def altered(company: Tables, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The company with all that became known from the origin on changed, and ends filled in on older lines."""
    database = tmp_path_factory.mktemp("altered") / "tables.duckdb"
    shutil.copy(company.database, database)
    with duckdb.connect(str(database)) as connection:
        for change in (
            "DELETE FROM contracts WHERE signed_on >= $origin AND hash(contract_id) % 2 = 0",
            "UPDATE contracts SET mrr = 3 * mrr, ends_on = ends_on + 200 WHERE signed_on >= $origin",
            "UPDATE contracts SET ended_on = $origin + 20 WHERE signed_on < $origin AND hash(account_id) % 4 = 0"
            " AND ended_on IS NULL AND coalesce(ends_on, $origin + 20) >= $origin + 20",
            "UPDATE usage SET quantity = 50 * quantity WHERE greatest(used_on, recorded_at) >= $origin",
            "DELETE FROM tickets WHERE opened_at >= $origin",
        ):
            connection.execute(change, {"origin": ORIGIN})
    return dataclasses.replace(open_tables(database), digest="altered")


def forecast_part(portfolio: pd.DataFrame) -> pd.DataFrame:
    """What was forecast, without what came and how far off it was."""
    return portfolio[[name for name in portfolio.columns if name != "actual" and "crps" not in name]]


def test_a_backtest_does_not_see_the_future(
    tested: OriginResult, altered: Tables, small_params: Params, dataset: Dataset, dataset_of: Any
) -> None:
    """What was forecast stays bit for bit the same; what came is another thing altogether."""
    elsewhere = dataset_of(altered, small_params)
    other = try_origin(altered, elsewhere, ORIGIN, params=small_params)
    came = ["churned", "expanded", "cross_sold"]
    pd.testing.assert_frame_equal(tested.accounts.drop(columns=came), other.accounts.drop(columns=came), rtol=0, atol=0)
    pd.testing.assert_frame_equal(forecast_part(tested.portfolio), forecast_part(other.portfolio), rtol=0, atol=0)
    assert {"logistic", "time_series", "segment_rates"} <= set(forecast_part(other.portfolio))
    assert (tested.accounts["churned"] != other.accounts["churned"]).mean() > 0.05
    assert (tested.portfolio["actual"] - other.portfolio["actual"]).abs().min() > 0.005


def test_a_model_that_saw_the_future_would_have_been_caught(
    tested: OriginResult, altered: Tables, small_params: Params, dataset_of: Any, monkeypatch: Any
) -> None:
    """The same forecast from labels as known today: it moves, so the test above can fail."""
    elsewhere = dataset_of(altered, small_params)
    honest = datasets.paths_of
    monkeypatch.setattr(datasets, "paths_of", lambda *rest, known_by, **named: honest(*rest, known_by=today, **named))
    today = elsewhere.as_of
    other = try_origin(altered, elsewhere, ORIGIN, params=small_params)
    assert (tested.accounts["churn_probability"] - other.accounts["churn_probability"]).abs().max() > 1e-4


def paths_by_account(dataset: Dataset, day: date) -> pd.DataFrame:
    rows = dataset.cohort(day)
    return pd.DataFrame(dataset.paths[rows], index=dataset.frame["account_id"][rows])


def test_what_came_is_what_the_paths_say(tested: OriginResult, dataset: Dataset) -> None:
    paths = paths_by_account(dataset, ORIGIN)
    for horizon, rows in tested.accounts.groupby("horizon_months"):
        before, after = paths[0], paths[horizon]
        assert rows["account_id"].tolist() == paths.index.tolist()
        assert rows["churned"].tolist() == (after == 0).astype(float).tolist()
        assert rows["expanded"].tolist() == (after > before * 1.001).astype(float).tolist()
        part = tested.portfolio[tested.portfolio["horizon_months"] == horizon].set_index("metric")
        assert part.loc["nrr", "actual"] == pytest.approx(after.sum() / before.sum())
        assert part.loc["grr", "actual"] == pytest.approx(np.minimum(before, after).sum() / before.sum())
        assert (part["accounts"] == len(paths)).all()
    assert sorted(tested.accounts["horizon_months"].unique()) == [1, 3]


def test_who_was_cross_sold_to_grew_by_more_products(tested: OriginResult, dataset: Dataset) -> None:
    rows = dataset.cohort(ORIGIN)
    sold = [
        [arr[m] > arr[m - 1] * 1.001 and streams[m] > streams[m - 1] and min(arr[:m]) > 0 for m in range(1, 4)]
        for arr, streams in zip(dataset.paths[rows], dataset.streams[rows], strict=True)
    ]
    for horizon, part in tested.accounts.groupby("horizon_months"):
        assert part["cross_sold"].tolist() == [float(any(months[:horizon])) for months in sold]
    assert tested.accounts["cross_sold"].nunique() == 2
    chance = tested.accounts["cross_sell_probability"]
    assert chance.between(0, 1, inclusive="left").all()
    assert (chance > 0).mean() > 0.95, "none but of those sure to leave at once"


def test_forecasts_are_probabilities_that_grow_with_the_horizon(tested: OriginResult) -> None:
    churn = tested.accounts.pivot(index="account_id", columns="horizon_months", values="churn_probability")
    assert churn.to_numpy().min() > 0
    assert churn.to_numpy().max() <= 1
    assert (churn[3] >= churn[1]).all()
    quantiles = tested.portfolio[["p05", "p10", "p25", "p50", "p75", "p90", "p95"]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_naive_forecasts_and_base_rates_come_from_the_past_alone(tested: OriginResult, dataset: Dataset) -> None:
    """NRR of the year before, as a monthly rate; churn of the newest cohort whose horizon had come and was settled."""
    nrr = tested.portfolio[tested.portfolio["metric"] == "nrr"].set_index("horizon_months")
    year = paths_by_account(dataset, date(2024, 8, 1))[[0, 12]].sum()
    for horizon in (1, 3):
        assert nrr.loc[horizon, "trailing_nrr"] == pytest.approx((year[12] / year[0]) ** (horizon / 12), rel=1e-3)
        assert nrr.loc[horizon, "everything_renews"] == 1
        cohort = paths_by_account(dataset, (pd.Timestamp(ORIGIN) - pd.DateOffset(months=horizon + 1)).date())
        rates = tested.accounts[tested.accounts["horizon_months"] == horizon]["churn_base"].unique()
        assert rates == pytest.approx([(cohort[horizon] == 0).mean()])


def test_a_horizon_that_has_not_come_is_left_out(company: Tables, dataset: Dataset, small_params: Params) -> None:
    late = try_origin(company, dataset, date(2025, 11, 1), params=small_params)
    assert late.accounts["horizon_months"].unique().tolist() == [1]
    assert late.portfolio["horizon_months"].unique().tolist() == [1]


def test_a_model_of_three_months_is_held_against_three_months_of_history(
    company: Tables, changed: Any, dataset_of: Any
) -> None:
    params = changed(model={"horizon_months": 3})
    short = try_origin(company, dataset_of(company, params), ORIGIN, params=params)
    assert sorted(short.accounts["horizon_months"].unique()) == [1, 3]
    assert short.portfolio.loc[short.portfolio["metric"] == "nrr", "trailing_nrr"].notna().all()


def origin_result(day: str, horizon: int, probability: list[float], churned: list[float]) -> OriginResult:
    accounts = pd.DataFrame(
        {
            "account_id": ["a", "b"],
            "origin": pd.Timestamp(day),
            "horizon_months": horizon,
            "churn_probability": probability,
            "churn_base": 0.5,
            "churn_segments": 0.25,
            "churned": churned,
            "expansion_probability": [0.5, 0.5],
            "expansion_base": 0.5,
            "expansion_segments": 0.5,
            "expanded": [0.0, 1.0],
        }
    )
    return OriginResult(date.fromisoformat(day), accounts, pd.DataFrame(), pd.DataFrame())


def test_scores_take_all_origins_together_and_pass_over_horizons_that_have_not_come() -> None:
    results = [
        origin_result("2025-01-01", 3, [0.9, 0.2], [1.0, 0.0]),
        origin_result("2025-02-01", 3, [0.9, 0.2], [0.0, 0.0]),
        origin_result("2025-02-01", 6, [0.3, 0.3], [1.0, 0.0]),
    ]
    found = rolling.scores(pd.concat([result.accounts for result in results]), (3, 6, 12))
    assert [(s.outcome, s.horizon_months, s.rows, s.events) for s in found] == [
        ("churn", 3, 4, 1), ("churn", 6, 2, 1), ("expansion", 3, 4, 2), ("expansion", 6, 2, 1),
    ]  # fmt: skip
    assert found[0].log_loss == pytest.approx(-np.log([0.9, 0.8, 0.1, 0.8]).mean())
    assert found[0].base_log_loss == pytest.approx(np.log(2))
    assert found[0].segment_log_loss == pytest.approx(-np.log([0.25, 0.75, 0.75, 0.75]).mean())


@pytest.fixture(scope="module")
def result(company: Tables, small_params: Params) -> rolling.BacktestResult:
    return rolling.backtest(company, params=small_params)


def test_the_backtest_covers_its_origins(result: rolling.BacktestResult) -> None:
    assert result.findings.origins == (date(2025, 7, 1), date(2025, 9, 1))
    counts = result.findings.portfolio.groupby(["metric", "horizon_months"]).size()
    assert counts.to_dict() == {("nrr", 1): 2, ("nrr", 3): 2, ("grr", 1): 2, ("grr", 3): 2}
    assert [(s.outcome, s.horizon_months) for s in result.findings.scores] == [
        ("churn", 1), ("churn", 3), ("expansion", 1), ("expansion", 3),
    ]  # fmt: skip


def test_the_backtest_has_no_other_forecast_than_its_origin_alone(
    result: rolling.BacktestResult, tested: OriginResult
) -> None:
    here = result.findings.accounts[result.findings.accounts["origin"] == pd.Timestamp(ORIGIN)].reset_index(drop=True)
    pd.testing.assert_frame_equal(here, tested.accounts)


def test_an_origin_that_was_tried_before_is_not_fitted_again(
    company: Tables, dataset: Dataset, small_params: Params, tested: OriginResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a demo's training has tried it, whose test is of the origin that a backtest of one takes."""
    monkeypatch.setattr(rolling, "prepare", lambda *_, **__: pytest.fail("the origin is there already"))
    assert rolling.choose_origins(dataset.settled_dates, _of_one_origin(small_params)) == [ORIGIN]
    findings = rolling.roll(company, dataset, [ORIGIN], params=small_params, tried=[tested])
    assert findings.origins == (ORIGIN,)
    pd.testing.assert_frame_equal(findings.accounts, tested.accounts)
    pd.testing.assert_frame_equal(findings.portfolio, tested.portfolio)


@pytest.mark.parametrize("change", [{"seed": 99}, {"model": {"trees": 3}}, {"backtest": {"horizons": (1,)}}])
def test_an_origin_that_was_tried_otherwise_is_tried_again(
    company: Tables, dataset: Dataset, small_params: Params, tested: OriginResult, change: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its forecasts would pass for those of these settings."""
    whole = small_params.model_dump()
    merged = {key: {**whole[key], **part} if isinstance(part, dict) else part for key, part in change.items()}
    params = Params.model_validate(whole | merged)
    monkeypatch.setattr(rolling, "prepare", lambda *_, **__: "the task")
    monkeypatch.setattr(
        rolling, "do_all", lambda tasks, _: [dataclasses.replace(tested, portfolio=pd.DataFrame()) for _ in tasks]
    )
    findings = rolling.roll(company, dataset, [ORIGIN], params=params, tried=[tested])
    assert findings.portfolio.empty, "it is the new one"


def _of_one_origin(params: Params) -> Params:
    return params.model_copy(update={"backtest": params.backtest.model_copy(update={"origins": 1})})


def test_the_backtest_tells_its_verdict_first_and_gives_machines_the_same(result: rolling.BacktestResult) -> None:
    assert result.lines()[0].startswith("TOO FEW FORECAST DATES"), "two origins tell no skill from luck"
    content = result.to_json()
    assert content["origins"] == ["2025-07-01", "2025-09-01"]
    assert content["run_id"] == result.record.run_id
    assert [row["auc"] for row in content["scores"]] == [score.auc for score in result.findings.scores]
    assert content["forecasts"][0]["origin"] == "2025-07-01"
    assert len(content["forecasts"]) == 8
    assert content["verdict"] == result.findings.verdict
    assert {row["rival"] for row in content["skill"] if row["outcome"] == "nrr"} == set(NRR_RIVALS)
    assert {row["rival"] for row in content["skill"] if row["outcome"] == "churn"} == set(ACCOUNT_RIVALS)
    json.dumps(content, allow_nan=False)


def test_the_report_lies_in_the_data_folder_with_its_tables(
    result: rolling.BacktestResult, small_params: Params
) -> None:
    folder = small_params.data_dir / "backtests" / "latest"
    assert result.page == folder / "report.html"
    assert result.lines()[-1] == f"Report: {folder / 'report.html'}"
    page = result.page.read_text(encoding="utf-8")
    assert result.findings.verdict[0] in html.unescape(page)
    assert not re.search(r"(src|href)=.(https?:)?//", page)
    stored = pd.read_parquet(folder / "skill.parquet")
    pd.testing.assert_frame_equal(stored, result.findings.tables["skill"])
    assert len(pd.read_csv(folder / "forecasts_by_cut.csv")) == len(result.findings.cuts)


def test_cuts_add_up_to_the_total(result: rolling.BacktestResult) -> None:
    by_region = result.findings.cuts[result.findings.cuts["cut"] == "region"]
    keys = ["origin", "horizon_months", "metric"]
    total = result.findings.portfolio.set_index(keys)["accounts"].sort_index()
    assert by_region.groupby(keys)["accounts"].sum().to_dict() == total.to_dict()


def test_origins_in_processes_of_their_own_give_the_same(
    company: Tables, dataset: Dataset, small_params: Params, result: rolling.BacktestResult
) -> None:
    tasks = [prepare(company, dataset, origin, params=small_params) for origin in result.findings.origins]
    found = rolling.gather(list(rolling.do_all(tasks, 2)), result.findings.snapshots, small_params)
    pd.testing.assert_frame_equal(found.accounts, result.findings.accounts, rtol=0, atol=0)
    pd.testing.assert_frame_equal(found.portfolio, result.findings.portfolio, rtol=0, atol=0)


def test_too_few_churned_accounts_stop_the_backtest(company: Tables, changed: Any) -> None:
    with pytest.raises(BadInput, match="at least 5000 are needed"):
        rolling.backtest(company, params=changed(model={"min_churned": 5000}))
