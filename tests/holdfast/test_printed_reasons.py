"""What is printed of the reasons of a whole company: read back, sign and sentence agree and the points add up."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

from benchmarks.reasons import contradictions, printed

SOUND = (
    ("churn", "usage_28d", -0.013, "Lowers churn risk by 1.3 points: 115 uses in the last 28 days (20 as of "
     "2025-10-01; typical of its peers: 12)"),
    ("churn", "usage_28d", 0.013, "Raises churn risk by 1.3 points: 115 uses in the last 28 days (typical of its "
     "peers: 12; unusual: more of it mostly lowers it)"),
    ("churn", "champions", 0.0004, "Raises churn risk by less than 0.1 points: 0 champions present (1 as of "
     "2025-10-01)"),
    ("churn", "usage_peer_rank_28d", 0.02, "Raises churn risk by 2.0 points: uses more than very few other accounts "
     "of its segment (typical of its peers: 46.7%)"),
    ("churn", "csm_actions_28d", 0.01, "Raises churn risk by 1.0 points: 2 CSM actions in the last 28 days (typical of "
     "its peers: 1)"),
)  # fmt: skip
WRONG = {
    "cannot be read back": ("churn", "usage_28d", 0.01, "Raises it (typical of its peers: 12)"),
    "sign or size of the points is not the effect's": (
        "churn", "usage_28d", 0.013, "Lowers churn risk by 1.3 points: 115 uses in the last 28 days"),
    "value and typical value read the same": (
        "churn", "champions", 0.01, "Raises churn risk by 1.0 points: 1 champion present (typical of its peers: 1)"),
    "value and earlier value read the same": (
        "churn", "champions", 0.01, "Raises churn risk by 1.0 points: 1 champion present (1 as of 2025-10-01)"),
    "acts against what is declared, and does not say so": (
        "churn", "champions", 0.01, "Raises churn risk by 1.0 points: 2 champions present (typical of its peers: 1)"),
    "acts one way here and the other way there": (
        "churn", "csm_actions_28d", -0.01, "Lowers churn risk by 1.0 points: 2 CSM actions in the last 28 days "
        "(typical of its peers: 1)"),
    "is called unusual and is not": (
        "churn", "champions", 0.01, "Raises churn risk by 1.0 points: 0 champions present (typical of its peers: 1; "
        "unusual: more of it mostly lowers it)"),
    "is told with a past that speaks for the contrary": (
        "churn", "champions", 0.01, "Raises churn risk by 1.0 points: 1 champion present (0 as of 2025-10-01; typical "
        "of its peers: 2)"),
}  # fmt: skip


def rows_of(*told: tuple[str, str, float, str]) -> pd.DataFrame:
    columns = ["outcome", "feature", "effect", "text"]
    return printed(pd.DataFrame(list(told), columns=columns).assign(leads=0))


def test_sound_sentences_are_read_as_they_are_meant() -> None:
    rows = rows_of(*SOUND)
    assert rows["now"].tolist() == [115, 115, 0, 0.01, 2]
    assert rows["typical"].fillna(-1).tolist() == [12, 12, -1, 46.7, 1]
    assert {check.what for check in contradictions(rows) if check.rows.any()} == set()


@pytest.mark.parametrize("what", WRONG)
def test_every_kind_of_contradiction_is_found(what: str) -> None:
    most = [SOUND[4]] * 3  # what is not declared goes by what most sentences say
    checks = {check.what: check.rows for check in contradictions(rows_of(*most, WRONG[what]))}
    assert checks[what].tolist() == [False, False, False, True]


@pytest.fixture(scope="module")
def drivers(costly: None, demo_data: tuple[Path, Result]) -> pd.DataFrame:
    return pd.read_parquet(demo_data[0] / "forecasts" / "latest" / "account_driver.parquet")


def test_no_sentence_of_the_demo_contradicts_itself(drivers: pd.DataFrame) -> None:
    rows = printed(drivers)
    assert (rows["typical"].notna() | rows["earlier"].notna()).sum() > 100
    wrong = {check.what: rows.loc[check.rows, "text"].tolist() for check in contradictions(rows) if check.rows.any()}
    assert wrong == {}


def test_what_leads_is_explained_by_its_value(drivers: pd.DataFrame) -> None:
    leading = drivers[drivers["leads"] == 1]
    notice = leading["text"].str.contains("notice was given")
    assert set(leading.loc[~notice, "group"]) <= {"customer", "team"}
    assert leading["text"].str.contains("unusual|not known").sum() == 0


@pytest.mark.usefixtures("costly")
def test_points_add_up_to_the_account(demo_data: tuple[Path, Result]) -> None:
    peers = pd.read_parquet(demo_data[0] / "forecasts" / "latest" / "account_peers.parquet")
    effects = [f"{name}_effect" for name in ("customer", "team", "contract", "other")]
    total = peers["peer_probability"] + peers[effects].sum(axis=1)
    assert (total - peers["probability"]).abs().max() < 1e-9
