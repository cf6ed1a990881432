"""Names leave the record's one table of them; nothing on record changes, on SQLite and PostgreSQL alike."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.forgetting.suppression import ACCOUNT, suppress
from params import load
from serving.forecast.batch import Forecast
from serving.forgetting.record_names import forget_subjects, is_on_record
from serving.ledger.archive import read_archive
from serving.ledger.chain.head import noted_head
from serving.ledger.chain.verifying import verify
from serving.ledger.record import Record
from serving.ledger.record_tables import FIGURE, RUN, SUBJECT


def names(record: Record) -> set[tuple[str, str]]:
    with record.reading() as connection:
        return {(row.kind, row.name) for row in connection.execute(sa.select(SUBJECT))}


def test_an_account_leaves_with_its_name_and_its_people_stay(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Any, tmp_path: Path
) -> None:
    account = str(official.account_forecast["account_id"].iloc[0])
    suppressed = suppress(load(overrides=[f"data_dir={tmp_path / 'list'}"]), ACCOUNT, account)
    with open_one() as record:
        books.record(record, official)
        before, rows = names(record), [pandas_rows(record, table) for table in (RUN, FIGURE)]
        assert is_on_record(record, account)
        gone = forget_subjects(record, suppressed)
        after = names(record)
        assert not is_on_record(record, account)
        assert {kind for kind, _ in before - after} == {"account", "name"}
        assert ("account", account) in before - after
        assert len(before - after) == gone == 2
        assert {who for who in before if who[0] == "person"} <= after
        for table, then in zip((RUN, FIGURE), rows, strict=True):
            pd.testing.assert_frame_equal(pandas_rows(record, table), then)
        archive = read_archive(record, rows[0]["archive"].iloc[0])
        assert account not in set(archive.snapshot["account_id"])
        assert forget_subjects(record, suppressed) == 0
        verdict = verify(record, {"the folder": noted_head(record)}, today=date(2026, 2, 1), kept_days=90)
        assert verdict.first_broken == "", "the chain says who was erased, by id"
