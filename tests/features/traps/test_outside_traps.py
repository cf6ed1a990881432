"""No trap is seen where none was laid: in the simulated company, and in data that nobody here wrote."""

import os
from pathlib import Path

import pytest

import params
from features.inputs.load import load_tables
from features.traps import SecondLook, second_look

ROOT = Path(__file__).parents[3]
OUTSIDE = Path(os.environ.get("HOLDFAST_OUTSIDE_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.usefixtures("costly")


def looked_at(*overrides: str, file: Path | None = None) -> SecondLook:
    chosen = params.load(file, overrides)
    return second_look(load_tables(chosen).tables, params=chosen)


@pytest.mark.parametrize("seed", [7, 8])
def test_no_false_alarm_in_a_simulated_company(tmp_path: Path, seed: int) -> None:
    size = ("simulated.accounts=160", "simulated.months=30")
    look = looked_at(f"data_dir={tmp_path}", f"seed={seed}", *size)
    assert look.warnings == ()
    assert look.revenue is not None
    assert look.revenue["accounts"] > 100


@pytest.mark.outside
@pytest.mark.skipif(not OUTSIDE.is_dir(), reason=f"no outside data in {OUTSIDE} (set HOLDFAST_OUTSIDE_DATA)")
@pytest.mark.parametrize(
    ("name", "year"),
    [("churnsim_crm5", (500, 0.9736, 0.9049)), ("mrr_playbook", (13, 0.0, 0.0))],
)
def test_no_false_alarm_outside(tmp_path: Path, name: str, year: tuple[int, float, float]) -> None:
    file = ROOT / "docs" / "examples" / f"{name}.yaml"
    look = looked_at(f"source.path={OUTSIDE / name}", f"data_dir={tmp_path}", file=file)
    assert look.warnings == ()
    assert look.revenue is not None
    accounts, *ratios = (look.revenue[key] for key in ("accounts_12m_ago", "nrr_12m", "grr_12m"))
    assert (accounts, *(round(ratio, 4) for ratio in ratios)) == year
