"""What accounts that alarm have in common, on tables: usage that fell in one region, and losses against the odds."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.parts_in_use import parts_in_use
from params import load
from serving.alerts import shared_cause
from serving.alerts.rule_scoring import Alerts
from serving.alerts.shared_cause import LOSSES, SCORES, SIGNALS, shared_causes
from serving.ledger.record import open_record

AS_OF = date(2026, 1, 1)
REGIONS = ("AMER", "APAC", "EMEA", "LATAM")
IDS = [f"a{n:03d}" for n in range(100)]
OFF = [f"alerts.rules.{name}.enabled=false" for name in load().alerts.rules]
FEW = "kind: risk, feature: active_users_28d, at_most: 2, leave: 3, says: x, playbook: renewal"
RULE = "alerts.rules.few_users={" + FEW + "}"


@pytest.fixture(scope="module")
def tables(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A hundred customers; in December the users of EMEA's fall away; the last ten of LATAM left in November."""
    rng = np.random.default_rng(1)
    ends = ["2025-11-15" if n >= 90 else "2027-01-01" for n in range(100)]
    region = [REGIONS[min(n // 25, 3)] for n in range(100)]
    contracts = {"contract_id": IDS, "account_id": IDS, "starts_on": pd.Timestamp("2024-01-01"), "mrr": 10.0}
    usage = [
        {"account_id": account, "used_on": day, "user_id": f"u{user}", "feature": "exports" if n % 2 else "alerts"}
        for n, account in enumerate(IDS)
        for day in pd.date_range("2025-06-02", "2025-12-30", freq="7D")
        for user in range(int(rng.integers(4, 9)) if region[n] != "EMEA" or day < pd.Timestamp("2025-12-01") else 1)
    ]
    frames = {
        "accounts": pd.DataFrame({"account_id": IDS, "name": IDS, "region": region}),
        "contracts": pd.DataFrame(contracts | {"ends_on": pd.to_datetime(ends)}),
        "usage": pd.DataFrame(usage),
    }
    return tables_from_frames(frames, tmp_path_factory.mktemp("causes") / "tables.duckdb", data_until=AS_OF)


def causes_of(tables: Any, folder: Path, chances: list[float]) -> list[Any]:
    params = load(overrides=[f"data_dir={folder}", *OFF, RULE])
    now = pd.DataFrame({"account_id": IDS, "arr": 120.0, "churn_probability": chances, "model_version": "1"})
    with open_record(params) as record:
        return shared_causes(tables, AS_OF, now, record, params)


def told(causes: list[Any]) -> list[tuple[str, Any]]:
    return [(cause.scan, cause.conditions) for cause in causes]


@pytest.mark.usefixtures("costly")
def test_a_region_whose_usage_fell_is_named(tables: Any, tmp_path: Path) -> None:
    causes = causes_of(tables, tmp_path, [0.1] * 100)
    assert told(causes) == [(SIGNALS, (("region", "EMEA"),))]
    assert set(causes[0].accounts) == set(IDS[50:75])
    content = causes[0].to_json()
    assert content["says"] == "Their leading signals got worse: region is EMEA"
    assert (content["accounts"], content["arr"], content["arr_at_risk"]) == (25, 3000.0, 300.0)
    assert (content["slice"], content["z"] > content["threshold"]) == ("region is EMEA", True)
    assert 0 < content["p_value"] <= 0.03
    made_at = pd.Timestamp("2026-01-02", tz="UTC")
    run = {"run_id": "r", "as_of": pd.Timestamp("2026-01-01"), "model_version": "1", "made_at": made_at}
    told_of = Alerts(date(2026, 1, 1), [], [], [content], ()).tables(run)
    (row,) = told_of["shared_cause"].to_dict("records")
    assert (row["rank"], row["slice"], row["accounts"]) == (1, "region is EMEA", 25)
    assert [row[name] for name in ("cut", "value", "second_cut", "second_value")] == ["region", "EMEA", "", ""]
    assert told_of["alert"].empty
    assert Alerts(date(2026, 1, 1), [], [], [], ()).tables(run)["shared_cause"].empty


def before(monkeypatch: pytest.MonkeyPatch, version: str = "1") -> None:
    """Forecasts on record that gave everybody about the same chances."""
    chances = np.random.default_rng(2).uniform(0.04, 0.06, 100)

    def on_record(record: Any, first: date, last: date, horizon_months: int | None = None) -> pd.DataFrame:
        day = "2025-10-01" if horizon_months else "2025-12-01"
        return pd.DataFrame(
            {"account_id": IDS, "as_of": day, "model_version": version, "churn_probability": chances, "arr": 120.0}
        )

    monkeypatch.setattr(shared_cause, "scores_between", on_record)


@pytest.mark.usefixtures("costly")
def test_scores_that_rose_and_losses_against_the_odds_are_named(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch)
    chances = np.random.default_rng(3).uniform(0.04, 0.06, 100)
    chances[:25] = 0.3
    causes = told(causes_of(tables, tmp_path, chances.tolist()))
    assert set(causes) == {
        (SIGNALS, (("region", "EMEA"),)),
        (SCORES, (("region", "AMER"),)),
        (LOSSES, (("region", "LATAM"),)),
    }


@pytest.mark.usefixtures("costly")
def test_what_another_model_says_otherwise_is_no_cause(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, version="0")
    chances = [0.3] * 25 + [0.05] * 75
    assert SCORES not in dict(told(causes_of(tables, tmp_path, chances)))


@pytest.mark.usefixtures("costly")
def test_parts_in_use_are_those_known_before_the_day(tables: Any) -> None:
    budget = load().budget
    rows = parts_in_use(tables, AS_OF, 90, budget)
    assert rows.groupby("part")["account_id"].nunique().to_dict() == {"alerts": 50, "exports": 50}
    assert parts_in_use(tables, date(2025, 6, 2), 90, budget).empty
