"""Accounts are compared with those of their size, segment and place on the calendar, or wider where these are few."""

import json

import numpy as np
import pandas as pd

from models.reasons.peers import EVERYONE, FEWEST, Norms, means_by_group, medians_by_group, peers_of


def company(rows: list[tuple[float, str | None, int | None]]) -> pd.DataFrame:
    """Accounts by ARR, segment and days to the end of the term (None = no end date)."""
    as_of = pd.Timestamp("2025-01-01")
    ends = [pd.NaT if days is None else as_of + pd.Timedelta(days=days) for _, _, days in rows]
    return pd.DataFrame(
        {
            "as_of": as_of,
            "arr": [arr for arr, _, _ in rows],
            "segment": [segment for _, segment, _ in rows],
            "term_ends_on": pd.Series(ends, dtype="datetime64[s]"),
        }
    )


SMALL = [(1.0, "s", 30)] * 12
LARGE = [(100.0, "l", 300)] * 12
MIDDLE = [(10.0, "s", 30)] * 9 + [(10.0, "l", None)] * 3


def names(frame: pd.DataFrame) -> list[str]:
    peers = peers_of(frame)
    return [peers.names[place] for place in peers.places(frame)]


def test_the_narrowest_group_with_enough_accounts_is_taken() -> None:
    groups = names(company([*SMALL, *LARGE, *MIDDLE]))
    assert groups[0] == "segment s, smallest third by ARR, term over or ending within 90 days"
    assert groups[12] == "segment l, largest third by ARR, term ending in 6 to 12 months"
    assert groups[24] == "term over or ending within 90 days", f"fewer than {FEWEST} of its size"
    assert groups[-1] == EVERYONE, "three without end date are no group"


def test_an_account_at_a_signed_renewal_or_on_a_monthly_plan_has_peers_of_its_kind() -> None:
    frame = company(SMALL * 3).assign(presigned=[1.0] * 12 + [0.0] * 24, term_days=[365.0] * 24 + [30.0] * 12)
    groups = names(frame)
    assert [groups[place].rpartition(", ")[2] for place in (0, 12, 24)] == [
        "next renewal signed",
        "term over or ending within 90 days",
        "monthly plan",
    ]


def test_a_wide_group_counts_all_of_its_accounts() -> None:
    frame = company([*SMALL, *LARGE, *MIDDLE])
    peers = peers_of(frame)
    assert dict(zip(peers.names, peers.accounts, strict=True))["term over or ending within 90 days"] == 21
    assert peers.accounts[-1] == 36
    means = means_by_group(peers, frame, np.arange(36.0))
    assert means[-1] == 17.5
    assert means[peers.names.index("term over or ending within 90 days")] == np.r_[0:12, 24:33].mean()


def test_a_group_without_any_of_some_rows_has_the_mean_over_all_of_them() -> None:
    frame = company([*SMALL, *LARGE, *MIDDLE])
    peers = peers_of(frame)
    few = frame.iloc[:2]
    means = means_by_group(peers, few, np.array([1.0, 3.0]))
    assert means[peers.names.index("segment l, largest third by ARR, term ending in 6 to 12 months")] == 2.0


def test_medians_are_of_what_is_known() -> None:
    frame = company(SMALL).assign(n=[np.nan] * 3 + [1.0] * 4 + [5.0] * 5)
    peers = peers_of(frame)
    assert medians_by_group(peers, frame, ["n"], fewest=9)["n"].tolist() == [5.0] * len(peers.names)
    assert medians_by_group(peers, frame, ["n"], fewest=10)["n"].isna().all()


def test_norms_come_back_from_plain_data() -> None:
    values = {"churn": np.array([[0.1, 0.2]])}
    norms = Norms(values, values, values, values)
    again = Norms.from_data(json.loads(json.dumps(norms.as_data())))
    np.testing.assert_array_equal(again.effects["churn"], values["churn"])
