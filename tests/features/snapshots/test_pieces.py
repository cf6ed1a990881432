"""Rows that come a range of accounts at a time are handed out a snapshot at a time, in the order they came."""

from pathlib import Path

import pyarrow as pa

from features.snapshots.pieces import Pieces

Row = tuple[int, str, float | None]


def table(*rows: Row) -> pa.Table:
    k, account, value = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return pa.table({"k": pa.array(k, pa.int64()), "account_id": pa.array(account, pa.string()),
                     "value": pa.array(value, pa.float64())})  # fmt: skip


def test_pieces_are_put_together_again_by_snapshot(tmp_path: Path) -> None:
    with Pieces(tmp_path) as pieces:
        pieces.add(table((1, "a", 1.0), (1, "b", None), (3, "a", 3.0)))
        pieces.add(table())
        pieces.add(table((1, "c", 0.1), (2, "c", 0.2)))
        found = {k: pieces.of(k) for k in (3, 1, 2, 4)}
    assert found[1].equals(table((1, "a", 1.0), (1, "b", None), (1, "c", 0.1)))
    assert found[2].equals(table((2, "c", 0.2)))
    assert found[3].equals(table((3, "a", 3.0)))
    assert found[4].equals(table())


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    with Pieces(tmp_path) as pieces:
        pieces.add(table((1, "a", 1.0)))
        assert pieces.of(1).num_rows == 1
        assert not list(tmp_path.iterdir())
