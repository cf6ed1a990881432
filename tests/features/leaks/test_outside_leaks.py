"""What the search for leaks says of data that nobody here wrote."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import params
from features.inputs.load import load_tables
from features.leaks import Leaks, find_leaks

ROOT = Path(__file__).parents[3]
OUTSIDE = Path(os.environ.get("HOLDFAST_OUTSIDE_DATA", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.usefixtures("costly"),
    pytest.mark.outside,
    pytest.mark.skipif(not OUTSIDE.is_dir(), reason=f"no outside data in {OUTSIDE} (set HOLDFAST_OUTSIDE_DATA)"),
]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Leaks]:
    def search(name: str, *more: str) -> Leaks:
        overrides = [f"source.path={OUTSIDE / name}", f"data_dir={tmp_path}", *more]
        chosen = params.load(ROOT / "docs" / "examples" / f"{name}.yaml", overrides)
        loaded = load_tables(chosen)
        return find_leaks(loaded.tables, loaded.report.warnings, params=chosen)

    return search


def test_churnsim_terms_give_nothing_away(look: Callable[..., Leaks]) -> None:
    found = look("churnsim_crm5")
    assert found.of_grade("leak") == ()
    assert [str(known) for known in found.known] == [
        "renewal overdue (2 of 2 left)",
        "a term that ends within 3 months, no notice (123 of 2,286 left)",
    ]


def test_the_playbooks_periods_end_when_their_customers_leave(look: Callable[..., Leaks]) -> None:
    """A period runs to the day the customer left: as a term's scheduled end it is the answer."""
    (leak,) = look("mrr_playbook").of_grade("leak")
    assert str(leak).startswith("contracts.ends_on: 31 of 33 snapshot rows with all its terms ending within 3 months")


def test_ravenstack_uses_before_it_buys(look: Callable[..., Leaks]) -> None:
    found = look("ravenstack")
    counts = {leak.place: (leak.rows, leak.of) for leak in found.found if leak.kind == "outside the contract"}
    assert counts == {"usage.used_on": (14_205, 24_979), "tickets.opened_at": (1_170, 2_000)}
    assert found.not_told[0] == "whether a column predicts too well: leaks.min_churned asks for 15 accounts that left"
    assert found.not_told[1].startswith("whether attributes or scheduled ends were set when customers left: 0 accounts")
