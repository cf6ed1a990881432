"""Tables by cut: what is shown, what is left out, what is marked."""

import numpy as np
import pandas as pd
import pytest

from models.scores.portfolio import account_cut_table, cut_table


def cuts(value: str, accounts: int, actual: float) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=2, freq="MS")
    frame = pd.DataFrame({"cut": "region", "value": value, "origin": days, "horizon_months": 3, "metric": "nrr"})
    frame = frame.assign(accounts=accounts, actual=actual, mean=1.0, crps=0.02)
    return frame.assign(p25=0.99, p75=1.01, p10=0.98, p90=1.02, p05=0.97, p95=1.03)


def test_values_of_few_accounts_are_left_out() -> None:
    table = cut_table(pd.concat([cuts("North", 30, 1.015), cuts("South", 19, 1.5)]), fewest=20)
    (row,) = table.to_dict(orient="records")
    assert (row["value"], row["accounts"], row["origins"]) == ("North", 30, 2)
    assert (row["model_error"], row["model_crps"]) == pytest.approx((1.5, 2.0))
    assert (row["coverage_50"], row["coverage_80"], row["width_80"]) == pytest.approx((0, 1, 4))


def test_without_cuts_there_are_no_tables_by_cut() -> None:
    assert cut_table(pd.DataFrame(), fewest=1).empty
    assert account_cut_table(pd.DataFrame({"horizon_months": [3]}), fewest=1).empty


def rows(region: str, count: int, churned: int) -> pd.DataFrame:
    frame = pd.DataFrame({"account_id": [f"{region} {number}" for number in range(count)]})
    return frame.assign(
        origin=pd.Timestamp("2024-01-01"),
        horizon_months=3,
        cut_region=region,
        churn_probability=np.linspace(0.9, 0.1, count),
        churn_base=0.5,
        churned=(np.arange(count) < churned).astype(float),
        expansion_probability=0.2,
        expansion_base=0.2,
        expanded=0.0,
    )


def test_probabilities_by_cut_are_scored_and_marked_where_few_left() -> None:
    table = account_cut_table(pd.concat([rows("North", 40, 12), rows("South", 25, 3), rows("East", 4, 2)]), fewest=20)
    churn = table[table["outcome"] == "churn"].set_index("value")
    assert sorted(churn.index) == ["North", "South"]
    assert churn["events"].to_dict() == {"North": 12, "South": 3}
    assert churn["few"].to_dict() == {"North": False, "South": True}
    assert (churn["auc"] == 1).all()
    assert churn.loc["North", "calibration_gap"] == pytest.approx(0.5 - 0.3)
    expansion = table[table["outcome"] == "expansion"]
    assert expansion["auc"].isna().all()
    assert expansion["log_loss"].tolist() == pytest.approx([-np.log(0.8)] * 2)
