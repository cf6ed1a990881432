"""One account on demand is its row of the batch."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features.engines import single
from features.families import catalogue
from features.inputs.frames import tables_from_frames
from features.snapshots.building import build
from features.snapshots.on_demand import LiveSnapshots, of_account
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from params import Budget

Rows = dict[str, list[dict[str, Any]]]
DATES = [date(2023, 3, 1), date(2023, 4, 1), date(2023, 10, 21), date(2024, 2, 29)]
FIRST, SECOND, THIRD, LAST = DATES


def test_one_account_on_demand_is_its_row_of_the_batch(
    company_tables: Any, settings: Callable[..., params.Params]
) -> None:
    batch = stored(company_tables, DATES, params=settings())
    some = batch.frame.iloc[::11]
    assert some["as_of"].nunique() == len(DATES)
    assert some["arr_peer_rank"].nunique() > 2
    for as_of, rows in some.groupby("as_of"):
        with LiveSnapshots(company_tables, as_of.date(), params=settings()) as live:
            for row in rows.index:
                one = live.of(rows.loc[row, "account_id"])
                expected = batch.frame.loc[[row]].reset_index(drop=True)
                pd.testing.assert_frame_equal(one.frame, expected, check_exact=True)
                assert one.features == batch.features


def small_company(database: Path, features: int) -> Tables:
    """Account `a` uses many product features, `b` three of them; its only contract line is there twice."""
    used = [("a", f"f{number}") for number in range(features)] + [("b", "f1"), ("b", "z1"), ("b", "z2")]
    frames = {
        "accounts": pd.DataFrame({"account_id": ["a", "b"]}),
        "contracts": pd.DataFrame(
            {"contract_id": ["1", "2", "2"], "account_id": ["a", "b", "b"], "starts_on": date(2023, 1, 1), "mrr": 10}
        ),
        "usage": pd.DataFrame(used, columns=["account_id", "feature"]).assign(used_on=date(2024, 2, 20), user_id="u"),
    }
    return tables_from_frames(frames, database, data_until=date(2024, 3, 2))


def test_an_account_on_demand_knows_more_product_features_than_rows_of_one_account_are_read(
    tmp_path: Path, settings: Callable[..., params.Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "MANY_ROWS", 20)
    with LiveSnapshots(small_company(tmp_path / "tables.duckdb", 30), LAST, params=settings()) as live:
        row = live.of("b").frame.iloc[0]
    assert (row["usage_28d"], row["features_used_28d"]) == (3, 3)


def test_a_contract_line_that_is_there_twice_counts_once_whatever_dates_are_made_together(
    tmp_path: Path, settings: Callable[..., params.Params]
) -> None:
    tables, used = small_company(tmp_path / "tables.duckdb", 1), settings()
    engine = {"revenue": used.revenue, "settings": used.snapshots, "budget": Budget(1, 0.5)}
    for dates in ([LAST], [THIRD, LAST]):
        frame = build(tables, dates, **engine).frame
        assert frame["arr"].tolist() == [120, 120] * len(dates)


def test_each_account_on_demand_and_its_ranks(
    company: Rows, company_tables: Any, settings: Callable[..., params.Params], small: None
) -> None:
    """One session gives the rows of each account asked for, not those of one asked for before."""
    batch = stored(company_tables, [THIRD], params=settings()).frame
    accounts = sorted({row["account_id"] for row in company["accounts"]})
    with LiveSnapshots(company_tables, THIRD, params=settings()) as live:
        for account in [*accounts, "nobody", accounts[0]]:
            expected = batch.loc[batch["account_id"] == account].reset_index(drop=True)
            pd.testing.assert_frame_equal(
                live.of(account).frame, expected, check_exact=True, check_dtype=bool(len(expected))
            )
        assert live.of("nobody").frame.empty
    assert of_account(company_tables, "nobody", THIRD, params=settings()).frame.empty


def test_an_account_with_very_many_rows_is_left_to_duckdb(
    company_tables: Any, settings: Callable[..., params.Params], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with few before and after it are not affected."""
    batch = stored(company_tables, [THIRD], params=settings()).frame
    with LiveSnapshots(company_tables, THIRD, params=settings()) as live:
        for account, many_rows in [("account 1", 30_000), ("account 2", 0), ("account 1", 0), ("account 2", 30_000)]:
            monkeypatch.setattr(single, "MANY_ROWS", many_rows)
            expected = batch.loc[batch["account_id"] == account].reset_index(drop=True)
            pd.testing.assert_frame_equal(live.of(account).frame, expected, check_exact=True)
            assert len(expected) == 1


def test_sums_of_more_than_64_bits_are_left_to_duckdb(
    company: Rows, checked: Callable[..., Any], settings: Callable[..., params.Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usage in bytes, say: its sum weighted by days, which the trend is made of, outgrows SQLite."""
    trend = tuple(feature for feature in catalogue.FEATURES if feature.name == "usage_trend_90d")
    monkeypatch.setattr(catalogue, "FEATURES", trend)
    row = {"account_id": "account 1", "user_id": "a", "feature": "b", "recorded_at": None, "quantity": 8e10}
    days = [row | {"used_on": THIRD - timedelta(days=ago)} for ago in range(1, 80)]
    tables = checked(company | {"usage": [*company["usage"], *days]})
    batch = stored(tables, [THIRD], params=settings()).frame
    expected = batch[batch["account_id"] == "account 1"].reset_index(drop=True)
    assert expected["usage_trend_90d"].notna().all()
    pd.testing.assert_frame_equal(
        of_account(tables, "account 1", THIRD, params=settings()).frame, expected, check_exact=True
    )


@pytest.mark.parametrize(
    ("as_of", "ranked_at"), [(date(2023, 4, 20), SECOND), (SECOND, SECOND), (date(2023, 2, 20), None)]
)
def test_ranks_between_stored_dates_are_among_the_peers_of_the_one_before(
    company_tables: Any, settings: Callable[..., params.Params], small: None, as_of: date, ranked_at: date | None
) -> None:
    batch = stored(company_tables, [FIRST, SECOND, THIRD], params=settings()).frame
    one = of_account(company_tables, "account 1", as_of, params=settings()).frame.iloc[0]
    peers = batch[(batch["as_of"] == pd.Timestamp(ranked_at or FIRST)) & (batch["segment"] == one["segment"])]
    others = peers.loc[peers["account_id"] != "account 1", "arr"]
    assert len(others) > 1
    expected = (others < one["arr"]).mean() if ranked_at else float("nan")
    assert one["arr_peer_rank"] == pytest.approx(expected, nan_ok=True)


def test_ranks_are_among_the_peers_of_the_same_data(
    company: Rows,
    company_tables: Any,
    checked: Callable[..., Any],
    settings: Callable[..., params.Params],
    small: None,
) -> None:
    """Of two stored pasts of a date, the one that this data set knows counts, not the one stored last."""
    batch = stored(company_tables, [LAST], params=settings()).frame
    dear = [
        row | {"mrr": row["mrr"] * (100 if row["account_id"] != "account 1" else 1)} for row in company["contracts"]
    ]
    stored(checked(company | {"contracts": dear}), [LAST], params=settings())
    for account in batch["account_id"]:
        one = of_account(company_tables, account, LAST, params=settings()).frame
        assert one["arr_peer_rank"].tolist() == pytest.approx(
            batch.loc[batch["account_id"] == account, "arr_peer_rank"].tolist(), nan_ok=True
        )


def test_a_rank_does_not_need_the_feature_it_ranks(
    company_tables: Any, settings: Callable[..., params.Params], small: None
) -> None:
    used = settings("snapshots.drop=[arr, usage_28d]")
    batch = stored(company_tables, [THIRD], params=used).frame
    assert batch["usage_peer_rank_28d"].nunique() > 1
    one = of_account(company_tables, "account 1", THIRD, params=used).frame
    pd.testing.assert_frame_equal(
        one, batch[batch["account_id"] == "account 1"].reset_index(drop=True), check_exact=True
    )
