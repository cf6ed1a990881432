import math

import pytest

from serving.desk.scoring import _say_notice_twice
from serving.wire.answers import Refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"notice_given": {0: 1.0}}, {"notice_given": {0: 1.0}, "notice_share": {0: 1.0}}),
        ({"notice_share": {0: 0.4, 2: 0.0}}, {"notice_given": {0: 1.0, 2: 0.0}, "notice_share": {0: 0.4, 2: 0.0}}),
        ({"notice_share": {1: math.nan}}, {"notice_given": {1: 0.0}, "notice_share": {1: math.nan}}),
        (
            {"notice_given": {0: 1.0}, "notice_share": {0: 0.4, 1: 1.0}},
            {"notice_given": {0: 1.0, 1: 1.0}, "notice_share": {0: 0.4, 1: 1.0}},
        ),
        ({"arr": {0: 5.0}}, {"arr": {0: 5.0}}),
    ],
)
def test_notice_and_its_share_follow_each_other(changes, said):
    _say_notice_twice(changes)
    assert _as_text(changes) == _as_text(said)


@pytest.mark.parametrize(("given", "share"), [(0.0, 0.4), (1.0, 0.0)])
def test_notice_that_contradicts_its_share_is_refused(given, share):
    changes = {"notice_given": {3: given}, "notice_share": {3: share}}
    with pytest.raises(Refused, match=r"accounts\.3\.changes\.notice_share: notice where notice_given says none"):
        _say_notice_twice(changes)


def _as_text(changes):
    """NaN is not equal to itself, its text is."""
    return {name: {row: repr(value) for row, value in rows.items()} for name, rows in changes.items()}
