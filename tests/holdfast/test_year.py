"""A year in the life: the simulated company month by month through `holdfast run`, each night as it would have gone."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from features.revenue import add_months
from holdfast.app import app
from models.paths.bridge import STEPS
from params import load
from serving.desk.desk import Desk
from serving.service.api import create_app
from serving.service.guard import Guard

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("costly")]

END = date(2026, 1, 1)
SETTINGS = (
    "simulated.months=25",
    "model.learner=logistic",
    "model.min_churned=5",
    "model.horizon_months=6",
    "backtest.horizons=[3]",
    "forecast.draws=100",
    "forecast.cuts=[segment]",
    "promotion.retrain_months=2",
    "promotion.most_canary_change=1",
    "effects.every_months=0",
    "serving.rescored_months=1",
    "serving.access=anyone_is_admin",
    "threads=1",
)
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def settings(tmp_path: Path, attack: Any) -> list[str]:
    accounts = attack.size(160, 500)
    return [f"data_dir={tmp_path / 'data'}", f"simulated.accounts={accounts}", *SETTINGS]


@pytest.fixture
def verb(settings: list[str]) -> Run:
    """Runs a verb, and gives its JSON."""
    options = [part for setting in settings for part in ("--set", setting)]

    def run_verb(*arguments: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*arguments, "--json", *options])
        assert result.exit_code == 0, (arguments, result.stdout, result.stderr)
        content: dict[str, Any] = json.loads(result.stdout)
        return content

    return run_verb


def recorded(data_dir: Path) -> pd.DataFrame:
    with closing(sqlite3.connect(data_dir / "record.sqlite")) as connection:
        return pd.read_sql("SELECT * FROM record_run ORDER BY number", connection)


def bridge_of(data_dir: Path, day: date) -> pd.DataFrame:
    return pd.read_parquet(data_dir / "forecasts" / day.isoformat() / "forecast_bridge.parquet")


def forecast_of(data_dir: Path, day: date) -> pd.DataFrame:
    return pd.read_parquet(data_dir / "forecasts" / day.isoformat() / "account_forecast.parquet")


def test_a_year_month_by_month_leaves_a_record_scores_bridges_and_pages_that_agree(
    verb: Run, settings: list[str], attack: Any
) -> None:
    params = load(overrides=settings)
    days = [add_months(END, -back) for back in reversed(range(attack.size(3, 13)))]
    nights = [verb("run", "--as-of", day.isoformat()) for day in days]
    require_official_forecasts(params.data_dir, days, nights)
    require_bridges(params.data_dir, days)
    track = verb("ledger", "score")
    require_scores(verb, params.data_dir, track, days)
    require_pages(Desk(params), track)
    assert verb("ledger", "verify")["ok"]


def require_official_forecasts(data_dir: Path, days: list[date], nights: list[dict[str, Any]]) -> None:
    """One of each month, made at its time, by champions that changed, each served in its turn."""
    runs = recorded(data_dir)
    assert runs["as_of"].tolist() == runs["data_until"].tolist() == [day.isoformat() for day in days]
    assert set(runs["kind"]) == {"official"}
    assert (runs["trained_as_of"] <= runs["as_of"]).all()
    assert (pd.to_datetime(runs["as_of"]) - pd.to_datetime(runs["trained_as_of"])).dt.days.max() < 63
    assert runs["model_version"].astype(int).is_monotonic_increasing
    assert runs["model_version"].nunique() >= (len(days) + 1) // 2  # a training every second month
    steps = [{step["step"]: step for step in night["steps"]} for night in nights]
    assert [night["publish"]["result"]["model_version"] for night in steps] == runs["model_version"].tolist()
    assert all("not_served" not in night["publish"]["result"] for night in steps)


def require_bridges(data_dir: Path, days: list[date]) -> None:
    """Each begins at what the forecast before said of every account, and adds up to this one's, to the cent."""
    for before, day in pairwise(days):
        bridge, earlier = bridge_of(data_dir, day), forecast_of(data_dir, before)
        assert set(bridge["from_as_of"].dt.date) == {before}
        longest = earlier[earlier["horizon_months"] == earlier["horizon_months"].max()].set_index("account_id")
        assert set(bridge["account_id"]) == set(longest.index)
        said = longest["expected_arr"].reindex(bridge["account_id"]).to_numpy()
        assert abs(bridge["expected_before"].to_numpy() - said).max() < 0.006
        steps = bridge[[step.value for step in STEPS if step.value in bridge]]
        residual = bridge["expected_before"] + steps.sum(axis=1) - bridge["expected_now"]
        assert residual.abs().max() < 0.005
        versions = recorded(data_dir).set_index("as_of")["model_version"]
        if versions[before.isoformat()] == versions[day.isoformat()]:
            assert not steps[["market_level", "recalibration", "model_change"]].to_numpy().any()


def actual_nrr(data_dir: Path, day: date) -> tuple[float, str]:
    """NRR over the month after an official forecast, as it is on record, and the day it was known."""
    query = """SELECT actual / 1e6, known_on FROM record_actual JOIN record_outcome USING
        (run_number, horizon_months, edition) JOIN record_run ON number = run_number
        WHERE as_of = ? AND cut = 'total' AND metric = 'nrr' AND record_actual.horizon_months = 1 AND edition = 1"""
    with closing(sqlite3.connect(data_dir / "record.sqlite")) as connection:
        (row,) = connection.execute(query, [day.isoformat()]).fetchall()
    return float(row[0]), str(row[1])


def require_scores(verb: Run, data_dir: Path, track: dict[str, Any], days: list[date]) -> None:
    """Counts are honest, and an actual is what `holdfast nrr` gives."""
    assert track["official"] == len(days)
    (row,) = (
        row for row in track["rows"]
        if (row["cut"], row["metric"], row["horizon_months"]) == ("total", "nrr", 1)
    )  # fmt: skip
    assert row["forecasts"] == row["not_overlapping"] == len(days) - 2  # known a month and the grace later
    nrr, known_on = actual_nrr(data_dir, days[0])
    realised = verb("nrr", "--from", str(days[0]), "--to", str(add_months(days[0], 1)), "--known-by", known_on)
    assert realised["rows"][0]["nrr"] == pytest.approx(nrr, abs=1e-6)
    assert track["scored"] == sum(row["actuals"] for row in verb("ledger", "list")["runs"])


def require_pages(desk: Desk, track: dict[str, Any]) -> None:
    """The pages show the last night's figures and the record that the terminal shows."""
    service = create_app(desk)
    desk.following.look()
    client = TestClient(Guard(service, desk, service), base_url="http://127.0.0.1:3000", client=("127.0.0.1", 50000))
    page = client.get("/track-record")
    assert page.status_code == 200
    assert track["answer"][0] in page.text
    assert client.get("/api/track-record").json()["answer"] == track["answer"]
    home = client.get("/")
    assert home.status_code == 200
    assert END.isoformat() in home.text
