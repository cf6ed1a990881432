"""Ids in the place of names."""

from pathlib import Path

from params import load
from serving.ledger.record import open_record
from serving.ledger.subjects import names_by_id, subjects_of


def test_names_are_read_by_id_however_many_are_asked_for(tmp_path: Path) -> None:
    accounts = [f"a{n}" for n in range(1203)]
    with open_record(load(overrides=[f"data_dir={tmp_path}"])) as record:
        subjects = subjects_of(record, {"account_id": accounts})
        ids = {subjects.id_of("account_id", name): name for name in accounts[:1201]}
        with record.reading() as connection:
            assert names_by_id(connection, [*ids, "ff" * 16]) == ids
            assert names_by_id(connection, []) == {}
