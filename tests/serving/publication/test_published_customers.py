"""What lists of customers come to, summed up where they lie."""

import sqlite3

import pytest

from serving.publication.published_customers import sums_of_whitespace

ROWS = [("a", "Chat", "csm", 100.0, 0.5), ("a", "seats", "csm", 30.0, None), ("b", "Chat", "seller", 200.0, 0.25)]


@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        ("", [], (3, 2, 100.0, 1, 30.0, ["Chat", "seats"])),
        ("WHERE owner_role = ?", ["seller"], (1, 1, 50.0, 0, 0.0, ["Chat"])),
        ("WHERE owner_role = ?", ["nobody"], (0, 0, 0.0, 0, 0.0, [])),
    ],
)
def test_whitespace_is_summed_up_as_its_rows_say(where: str, values: list[str], expected: tuple[object, ...]) -> None:
    with sqlite3.connect(":memory:") as db:
        db.row_factory = sqlite3.Row
        db.execute("CREATE TABLE whitespace (account_id, what, owner_role, arr, attach_rate)")
        db.executemany("INSERT INTO whitespace VALUES (?, ?, ?, ?, ?)", ROWS)
        sums = sums_of_whitespace(lambda query, marks: [dict(row) for row in db.execute(query, marks)], where, values)
    db.close()
    assert tuple(sums[name] for name in ("rows", "accounts", "worth", "seat_rows", "seats", "kinds")) == expected
