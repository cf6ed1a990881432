"""A rise of expected loss within a month, by hand, against the rises of the months that are on record."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from scipy.stats import norm

from params import load
from serving.alerts import rise_of_loss as rises
from serving.alerts.escalating import escalations_of, pass_up
from serving.alerts.rise_of_loss import most_risen, rise_of_loss, usual_rise
from serving.ledger.record import Record, open_record

MONTHS = [day.date() for day in pd.date_range("2025-05-01", "2026-01-01", freq="MS")]
SHARES = (0.100, 0.102, 0.101, 0.104, 0.103, 0.105, 0.104, 0.106, 0.300)  # the last one is today's: no part of usual
TODAY = pd.DataFrame(
    {"account_id": ["a", "b", "new"], "arr": [600.0, 300.0, 100.0], "churn_probability": [0.2, 0.1, 0.3]}
)  # 180 of 1,000
BEFORE = pd.DataFrame({"account_id": ["a", "b", "gone"], "arr": [600.0, 300.0, 50.0], "churn_probability": [0.1] * 3})


@pytest.fixture
def params(tmp_path: Path) -> Any:
    return load(overrides=[f"data_dir={tmp_path}", "threads=1"])


@pytest.fixture(autouse=True)
def _scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rises, "scores_between", lambda record, first, last: BEFORE if first == last else None)


def on_record(folder: Path, months: Any = None) -> Record:
    """Official forecasts of 1,000 of ARR, and others that must not be taken for them."""
    (folder / "figures").mkdir(exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{folder}/figures/record.sqlite", poolclass=sa.NullPool)
    runs, figures = [], []
    for number, (day, share) in enumerate(months or zip(MONTHS, SHARES, strict=True)):
        for other, (kind, metric, cut, horizon, loss) in enumerate(
            [
                ("official", "churned_arr", "total", 12, share),
                ("rerun", "churned_arr", "total", 12, 0.9),
                ("official", "churned_arr", "total", 3, 0.01),
                ("official", "nrr", "total", 12, 0.95),
                ("official", "churned_arr", "csm", 12, 0.5),
                ("official", "churned_arr", "total", 12, 0.7),  # withdrawn
            ]
        ):
            run = 10 * number + (other if other in (1, 5) else 0)
            runs.append((run, kind, day.isoformat(), 12))
            figures.append((run, cut, horizon, metric, "cents", round(loss * 100_000), 100_000))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE record_run (number, kind, as_of, horizon_months)")
        connection.exec_driver_sql(
            "CREATE TABLE record_figure (run_number, cut, horizon_months, metric, unit, mean, starting_arr_cents)"
        )
        connection.exec_driver_sql("CREATE TABLE record_withdrawal (run_number)")
        connection.exec_driver_sql("INSERT INTO record_run VALUES (?, ?, ?, ?)", sorted(set(runs)))
        connection.exec_driver_sql("INSERT INTO record_figure VALUES (?, ?, ?, ?, ?, ?, ?)", figures)
        withdrawn = [(run,) for run, *_ in set(runs) if run % 10 == 5]
        connection.exec_driver_sql("INSERT INTO record_withdrawal VALUES (?)", withdrawn)
    return Record(engine, None)  # type: ignore[arg-type]


def test_the_rise_since_the_month_began_is_held_against_earlier_months(params: Any, tmp_path: Path) -> None:
    rise = rise_of_loss(on_record(tmp_path), TODAY, date(2026, 1, 1), params)
    assert rise is not None
    earlier = np.diff(SHARES[:8])
    assert rise.measure.value == pytest.approx(0.180 - 0.106)
    assert rise.measure.limit == pytest.approx(usual_rise(earlier.tolist()))
    assert (rise.measure.what, rise.measure.is_whole) == ("expected_loss_rise_share", True)
    assert most_risen(rise, {"a": "Alpha"}) == [
        {"account_id": "a", "name": "Alpha", "arr_at_risk_rise": pytest.approx(60.0)},
        {"account_id": "new", "name": "new", "arr_at_risk_rise": pytest.approx(30.0)},
    ], "b rose by nothing, and one that is gone can lose no more"


def test_within_a_month_it_is_measured_from_its_first_day(params: Any, tmp_path: Path) -> None:
    rise = rise_of_loss(on_record(tmp_path), TODAY, date(2026, 1, 15), params)
    assert rise is not None
    assert rise.measure.value == pytest.approx(0.180 - 0.300)
    assert not rise.measure.is_whole


@pytest.mark.parametrize(
    ("months", "setting"),
    [
        (list(zip(MONTHS[-6:], SHARES[-6:], strict=True)), "alerts.escalate.loss_rose=true"),
        (list(zip(MONTHS[:-2], SHARES[:-2], strict=True)), "alerts.escalate.loss_rose=true"),
        (list(zip(MONTHS, SHARES, strict=True)), "alerts.escalate.loss_rose=false"),
    ],
    ids=["four rises", "no forecast of the month's start", "off"],
)
def test_without_enough_on_record_or_switched_off_nothing_is_said(tmp_path: Path, months: Any, setting: str) -> None:
    params = load(overrides=[f"data_dir={tmp_path}", setting])
    assert rise_of_loss(on_record(tmp_path, months), TODAY, date(2026, 1, 1), params) is None


def test_one_month_in_twenty_lies_above_the_limit_however_many_are_known() -> None:
    rng = np.random.default_rng(1)
    for number in (5, 12, 19, 40):
        draws = rng.normal(0.01, 0.02, (4000, number + 1))
        above = np.mean([row[-1] > (usual_rise(row[:-1]) or 0.0) for row in draws])
        assert 0.035 < above < 0.06, number
    assert usual_rise([0.01] * 4) is None
    assert usual_rise([-0.02] * 30) == 0.001, "less of expected loss is no rise"
    many = usual_rise(norm.ppf((np.arange(2000) + 0.5) / 2000))
    assert many == pytest.approx(norm.ppf(0.95), abs=0.01)


def test_it_stands_until_a_whole_month_stays_below(params: Any, tmp_path: Path) -> None:
    months = [*zip(MONTHS, (*SHARES[:8], 0.18), strict=True), (date(2026, 2, 1), 0.181)]
    figures = on_record(tmp_path, months)
    quiet = TODAY.assign(churn_probability=[0.2, 0.1, 0.31])
    stands = {}
    with open_record(params) as record:
        for as_of, now in ((MONTHS[-1], TODAY), (date(2026, 1, 20), quiet), (date(2026, 2, 1), quiet)):
            rise = rise_of_loss(figures, now, as_of, params)
            assert rise is not None
            pass_up(record, [rise.measure], (), as_of, params)
            stands[as_of] = [row["says"] for row in escalations_of(record, as_of, params)]
    said = "expected loss of all accounts rose by 7.4 points of ARR within a month; 19 months in 20 stay below "
    assert [[text.startswith(said) for text in texts] for texts in stands.values()] == [[True], [True], []]
