"""Whether losses could have been avoided: each account is of one kind, and the kinds add up."""

from typing import Any

import pytest

from serving.kpis.avoidable_losses import KINDS, avoidability_of, by_avoidability

BEYOND_US = ("insolvency",)


@pytest.mark.parametrize(
    ("cause", "showed", "kind"),
    [
        ("price", ["value"], "warned"),
        ("price", "value, fit", "warned"),  # as it is published
        ("price", [], "unwarned"),
        ("price", "", "unwarned"),
        ("price", None, "unwarned"),  # no customer yet when signs were looked for
        ("insolvency", ["value"], "beyond us"),
        ("unknown", ["value"], "unknown"),
    ],
)
def test_each_loss_is_of_one_kind(cause: str, showed: Any, kind: str) -> None:
    assert avoidability_of({"cause": cause, "showed": showed}, BEYOND_US) == kind


def test_kinds_add_up_to_what_was_lost() -> None:
    events = [
        {"cause": "price", "showed": ["value"], "arr": 60.0},
        {"cause": "price", "showed": [], "arr": 30.0},
        {"cause": "insolvency", "showed": [], "arr": 10.0},
    ]
    rows = by_avoidability(events, BEYOND_US)
    assert [row["kind"] for row in rows] == list(KINDS)
    assert [(row["accounts"], row["arr_lost"], row["share"]) for row in rows] == [
        (1, 60.0, 0.6),
        (1, 30.0, 0.3),
        (1, 10.0, 0.1),
        (0, 0.0, 0.0),
    ]
    assert [row["share"] for row in by_avoidability([], BEYOND_US)] == [None] * 4
