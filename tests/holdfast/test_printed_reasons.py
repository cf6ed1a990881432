"""What is printed of the reasons of a whole company: read back, sign and sentence agree and the points add up."""

import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

from features.families.catalogue import FEATURES

pytestmark = pytest.mark.usefixtures("costly")

TEXT = re.compile(r"(Raises|Lowers) .* by (?:less than 0\.1|[\d.]+) points: .*typical of its peers: ([^;)]+)")
EXPECTED = {feature.name: feature.expected for feature in FEATURES}


def number(text: str) -> float:
    """A printed figure: 1,234 and 45.6% and USD 7 and yes."""
    digits = re.sub(r"[^0-9.\-]", "", text)
    return {"yes": 1.0, "no": 0.0}.get(text) if text in ("yes", "no") else float(digits)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def printed(demo_data: tuple[Path, Result]) -> pd.DataFrame:
    """Every sentence that compares a value with what is typical, with what it says."""
    drivers = pd.read_parquet(demo_data[0] / "forecasts" / "latest" / "account_driver.parquet")
    compared = drivers[drivers["text"].str.contains("typical of its peers")]
    read = compared["text"].str.extract(TEXT)
    return compared.assign(
        way=read[0].map({"Raises": 1, "Lowers": -1}),
        more=(compared["value"].map(number) > read[1].map(number)) * 2 - 1,
        unusual=compared["text"].str.contains("unusual"),
    )


def test_no_sentence_contradicts_its_sign(printed: pd.DataFrame) -> None:
    """More of what is expected to raise churn raises it, and what acts otherwise says so."""
    assert len(printed) > 100
    way = printed["feature"].map(EXPECTED).fillna(0)
    churn = printed[(printed["outcome"] == "churn") & (way != 0)]
    agree = churn["way"] * churn["more"] == way[churn.index]
    pd.testing.assert_series_equal(agree, ~churn["unusual"], check_names=False)


def test_no_two_sentences_of_a_feature_contradict_each_other(printed: pd.DataFrame) -> None:
    usual = printed[~printed["unusual"]]
    ways = (usual["way"] * usual["more"]).groupby([usual["outcome"], usual["feature"]]).nunique()
    assert ways.max() == 1


def test_what_leads_is_explained_by_its_value(printed: pd.DataFrame, demo_data: tuple[Path, Result]) -> None:
    drivers = pd.read_parquet(demo_data[0] / "forecasts" / "latest" / "account_driver.parquet")
    leading = drivers[drivers["leads"] == 1]
    notice = leading["text"].str.contains("notice was given")
    assert set(leading.loc[~notice, "group"]) <= {"customer", "team"}
    assert leading["text"].str.contains("unusual|not known").sum() == 0
    assert not printed[printed["unusual"]]["leads"].any()


def test_points_add_up_to_the_account(demo_data: tuple[Path, Result]) -> None:
    peers = pd.read_parquet(demo_data[0] / "forecasts" / "latest" / "account_peers.parquet")
    effects = [f"{name}_effect" for name in ("customer", "team", "contract", "other")]
    total = peers["peer_probability"] + peers[effects].sum(axis=1)
    assert (total - peers["probability"]).abs().max() < 1e-9
