"""The journal: what people wrote stays as it was written, of whom and by whom, until somebody is erased."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.forgetting.suppression import ACCOUNT, suppress
from params import load
from serving.forecast.refusals import BadRequest
from serving.forgetting.record_names import forget_subjects
from serving.journal.calls import Call, contract_calls, note_of, written_calls
from serving.journal.entries import CALL, LONGEST_TEXT, Note, read, write
from serving.ledger.chain.head import noted_head
from serving.ledger.chain.verifying import verify
from serving.ledger.nights import nights, record_night
from serving.ledger.record import Record, open_record
from serving.ledger.record_tables import JOURNAL

AT = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
CHURN = Note(CALL, "Ada A.", "a1", {"outcome": "churn", "amount_cents": 0}, {"asked": "Ben B."}, "They told us.", True)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with open_record(load(overrides=[f"data_dir={tmp_path}"])) as record:
        yield record


def is_whole(record: Record) -> bool:
    return verify(record, {"the folder": noted_head(record)}, today=date(2026, 2, 1), kept_days=90).ok


def test_what_was_written_is_read_again_with_who_and_when(record: Record) -> None:
    assert write(record, [CHURN, Note(CALL, "Ben B.", "a2")], at=AT) == [1, 2]
    first, second = read(record, CALL)
    assert (first.author, first.account_id, first.payload, first.people, first.text) == (
        *("Ada A.", "a1", {"outcome": "churn", "amount_cents": 0}, {"asked": "Ben B."}, "They told us."),
    )
    assert (first.number, first.written_at, first.seen_model) == (1, "2026-01-05T12:30:00Z", True)
    assert (second.seen_model, second.text) == (None, "")
    assert read(record, CALL, account_ids=["a2"]) == [second]
    assert read(record, CALL, before="2026-01-05") == []
    assert is_whole(record)


def test_nothing_is_named_in_clear_outside_of_the_table_of_names(record: Record) -> None:
    write(record, [CHURN])
    with record.reading() as connection:
        text = repr(connection.execute(sa.select(JOURNAL)).all())
    assert not [name for name in ("Ada", "Ben", "a1'", "They told us") if name in text]


def test_entries_are_never_changed_and_a_newer_one_takes_the_place(record: Record) -> None:
    write(record, [CHURN])
    (number,) = write(record, [Note(CALL, "Ada A.", "a1", {"outcome": "renew"}, replaces=1)])
    assert [entry.superseded_by for entry in read(record, CALL)] == [number, None]
    for statement in ("UPDATE record_journal SET kind = 'x'", "DELETE FROM record_journal"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), record.writing() as connection:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("note", [Note(CALL, "Ben B.", "a1", replaces=1), Note(CALL, "Ada A.", "a2", replaces=1)])
def test_the_place_of_others_entries_is_not_taken(record: Record, note: Note) -> None:
    write(record, [CHURN])
    with pytest.raises(BadRequest, match="Entry 1 is none of yours"):
        write(record, [CHURN, note])
    assert len(read(record, CALL)) == 1, "all or none"
    assert is_whole(record)


def test_what_the_record_does_not_hold_is_refused(record: Record) -> None:
    with pytest.raises(BadRequest, match="no kind 'cal'"):
        write(record, [Note("cal", "Ada A.")])
    with pytest.raises(BadRequest, match="may have 500 characters, got 501"):
        write(record, [Note(CALL, "Ada A.", "a1", text="x" * (LONGEST_TEXT + 1))])
    with pytest.raises(TypeError, match="got share of type float"):
        write(record, [Note(CALL, "Ada A.", payload={"share": 0.5})])  # type: ignore[dict-item]
    assert write(record, []) == []


def test_own_words_go_with_the_account_that_is_erased(record: Record, tmp_path: Path) -> None:
    write(record, [CHURN, Note(CALL, "Ada A.", "a2", text="Stays.")])
    forget_subjects(record, suppress(load(overrides=[f"data_dir={tmp_path / 'list'}"]), ACCOUNT, "a1"))
    first, second = read(record, CALL)
    assert (first.account_id, first.text, first.author) == (None, "", "Ada A.")
    assert (second.account_id, second.text) == ("a2", "Stays.")
    assert is_whole(record)


def test_the_steps_of_a_night_are_on_record_without_names_places_and_floats(record: Record) -> None:
    result = {"rows": 3, "share": 0.25, "message": "account a1 has no ARR", "file": "/home/me", "list": [{"low": 1.5}]}
    steps = [{"step": "check", "status": "done", "seconds": 0.25, "result": result}]
    record_night(record, as_of="2026-01-01", began_at="2026-01-01T02:15:00+00:00", steps=steps)
    (step,) = nights(record, "check")
    kept = {"rows": 3, "share_millionths": 250_000, "list": [{"low_millionths": 1_500_000}]}
    assert (step["as_of"], step["status"], step["result"]) == ("2026-01-01", "done", kept)
    assert is_whole(record)


def test_a_final_call_says_why_and_is_told_from_others() -> None:
    with pytest.raises(BadRequest, match="A final call says why: give a reason"):
        note_of(Call("renew", is_final=True, reason=" "), author="Ada A.", account_id="a1", seen_model=True)
    final = note_of(Call("renew", is_final=True, reason="Signed."), author="A", account_id="a1", seen_model=True)
    other = note_of(Call("renew"), author="A", account_id="a1", seen_model=True)
    assert (final.payload["is_final"], other.payload["is_final"]) == (True, None)


def test_calls_become_rows_of_the_contract_by_the_moment_they_were_written(tmp_path: Path) -> None:
    """One replaced on the same day never stood at the beginning of a day; one replaced later did, until then."""
    settings = load(overrides=[f"data_dir={tmp_path}"])
    assert written_calls(settings) is None
    assert not list(tmp_path.iterdir()), "who only reads makes no record"
    call = Call("churn", 10.5, date(2026, 3, 1), "lost", 0.8, "They told us.")
    with open_record(settings) as record:
        for day, replaces in ((5, None), (5, 1), (7, 2)):
            note = note_of(call, author="Ada A.", account_id="a1", seen_model=True, replaces=replaces)
            write(record, [note], at=datetime(2026, 1, day, 23, 30, tzinfo=UTC))
        entries = read(record, CALL)
    rows = written_calls(settings)
    assert rows is not None
    assert rows.equals(contract_calls(entries))
    assert rows["call_id"].tolist() == ["journal-2", "journal-3"]
    first = rows.iloc[0].to_dict()
    assert (first["called_on"], first["recorded_at"]) == ("2026-01-05", "2026-01-05T23:30:00")
    assert (first["account_id"], first["called_by"], first["outcome"]) == ("a1", "Ada A.", "churn")
    assert (first["amount"], first["probability"], first["for_date"]) == (10.5, 0.8, "2026-03-01")
    assert "reason" not in rows
    assert "superseded_by" not in rows, "that would tell early what was written late"
