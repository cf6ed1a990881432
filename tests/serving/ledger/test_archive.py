"""The archive of an official forecast: enough to make it again, to see what changed since, to read books fairly."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from features.snapshots.snapshot_files import stored
from params import Record
from serving.forecast.batch import Forecast
from serving.ledger.archive import Archive, read_archive
from serving.ledger.record import open_record
from serving.ledger.record_tables import RUN

QUANTILES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]


def at_its_time(books: Any, as_of: date) -> Any:
    """The company when its data ended at a date and the champion had just been trained."""
    tables, champion = replace(books.world.tables, data_until=as_of), replace(books.world.champion, trained_as_of=as_of)
    return replace(books, world=replace(books.world, tables=tables, champion=champion))


def archived(books: Any, made: list[Forecast], folder: Path) -> list[Archive]:
    params = books.params.model_copy(update={"data_dir": folder, "record": Record(url=None, folder=None)})
    with open_record(params) as record:
        for one in made:
            at_its_time(books, one.as_of).record(record, one)
        with record.reading() as connection:
            digests = connection.execute(sa.select(RUN.c.archive).order_by(RUN.c.number)).scalars().all()
        return [read_archive(record, digest) for digest in digests]


@pytest.fixture(scope="module")
def archive(books: Any, official: Forecast, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return archived(books, [official], tmp_path_factory.mktemp("archive"))[0]


def test_the_snapshot_is_the_one_that_was_scored(archive: Archive, books: Any, official: Forecast) -> None:
    frame = stored(books.world.tables, [official.as_of], params=books.params).frame
    customers = frame[frame["arr"] > 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(archive.snapshot, customers, check_exact=True)
    hazards = books.world.champion.model.predict(archive.snapshot).hazards
    np.testing.assert_array_equal(hazards, books.world.champion.model.predict(customers).hazards)


def test_it_holds_rules_model_and_market_level(archive: Archive, books: Any) -> None:
    manifest = archive.manifest
    assert manifest["rules"]["revenue.grace_days"] == "30"
    assert manifest["model"] == {"version": "3", "digest": "digest"}
    prediction = books.world.champion.model.predict(archive.snapshot)
    level = prediction.luck.expected(6, gap_months=prediction.gap_months)
    np.testing.assert_allclose(np.array(manifest["market_level"]["churn"]) / 1e6, level[:, 0], atol=5e-7)


def test_lines_and_labels_are_those_known_then(archive: Archive, books: Any) -> None:
    contracts = books.world.company()["contracts"]
    assert len(archive.lines) == len(contracts)
    assert archive.lines["contract_id"].nunique() == contracts["contract_id"].nunique()
    sums = archive.lines.groupby("account_id")["mrr_micros"].sum() / 1_000_000
    pd.testing.assert_series_equal(sums, contracts.groupby("account_id")["mrr"].sum(), check_names=False)
    assert archive.labels.loc["a01"].to_dict() == {"region": "South", "csm": "Ben B.", "seller": "Zoë Z."}
    assert archive.labels.loc["a02", ["region", "seller"]].tolist() == ["(none)", "(none)"]


def test_a_contract_is_the_same_in_all_archives(books: Any, official: Forecast, tmp_path: Path) -> None:
    before = books.make(date(2025, 12, 1))
    earlier, later = archived(books, [before, official], tmp_path)
    assert set(earlier.lines["contract_id"]) < set(later.lines["contract_id"])
    assert set(earlier.lines["buying_center"]) <= set(later.lines["buying_center"])


def test_a_book_adds_up_its_accounts(archive: Archive, official: Forecast) -> None:
    books = archive.books
    assert books is not None
    assert set(books["role"]) == {"csm", "seller"}
    assert sorted(set(books["horizon_months"])) == [1, 3, 6]
    assert sorted(set(books.loc[books["role"] == "seller", "person"])) == ["(none)", "Ada A.", "Zoë Z."]
    rows = official.account_forecast.assign(person=official.account_forecast["account_id"].map(archive.labels["csm"]))
    sums = rows.groupby(["person", "horizon_months"])[["arr", "expected_arr"]].sum()
    mine = books[books["role"] == "csm"].set_index(["person", "horizon_months"])
    np.testing.assert_allclose(mine["starting_arr"], sums["arr"].loc[mine.index], atol=0.006)
    np.testing.assert_allclose(mine["expected_arr"], sums["expected_arr"].loc[mine.index], atol=0.006)


def test_a_book_has_luck_of_its_own_and_moves_with_the_level(archive: Archive, official: Forecast) -> None:
    """Its own luck leaves less open than all luck does, and is centred where the forecast is."""
    books = archive.books
    assert books is not None
    longest = books[(books["role"] == "csm") & (books["horizon_months"] == 6)].set_index("person")
    assert (np.diff(longest[QUANTILES].to_numpy(), axis=1) >= 0).all()
    assert longest["expected_arr"].between(longest["p05"], longest["p95"]).all()
    assert (longest["churn_slope"] < 0).all()
    assert (longest["expansion_slope"] >= 0).all()
    published = official.nrr_forecast.query("cut == 'csm' and horizon_months == 6 and metric == 'ending_arr'")
    width = (published["p95"] - published["p05"]).sum()
    assert (longest["p95"] - longest["p05"]).sum() < width


def test_a_revision_has_no_archive(books: Any, official: Forecast, another: Any, tmp_path: Path) -> None:
    params = books.params.model_copy(update={"data_dir": tmp_path})
    with open_record(params) as record:
        for made in (official, another(official, "again")):
            books.record(record, made)
        with record.reading() as connection:
            rows = connection.execute(sa.select(RUN.c.kind, RUN.c.archive).order_by(RUN.c.number)).all()
    assert [(kind, archive is not None) for kind, archive in rows] == [("official", True), ("revision", False)]
