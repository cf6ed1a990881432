"""The truth behind the simulated company: replayed by the same dynamics, and out of the product's reach."""

import ast
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.revenue import arr_by_account
from features.simulation import simulate, write_company
from features.simulation.history import live_through, start_company
from features.simulation.line_book import LineBook
from features.simulation.state import mrr_at
from features.simulation.truth import Truth, read_truth, replay, write_truth
from features.simulation.world import RULES
from params import Budget

pytestmark = pytest.mark.usefixtures("costly")

ROOT = Path(__file__).parents[3]
ENDS_ON, AS_OF = date(2026, 1, 1), date(2025, 1, 1)
TRUTH = "features.simulation.truth"


def imports(file: Path) -> set[str]:
    """Full names of all modules (and names) that a file imports, anywhere in it; also by import_module."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names |= {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return names


def test_only_the_command_line_benchmarks_and_tests_know_the_truth() -> None:
    places = (place for place in ROOT.iterdir() if place.is_dir() and not place.name.startswith((".", "build")))
    files = [file for place in places for file in place.rglob("*.py")]
    knowing = {file.relative_to(ROOT).as_posix() for file in files if TRUTH in imports(file)}
    assert {name for name in knowing if not name.startswith(("benchmarks/", "tests/"))} <= {"holdfast/data.py"}
    assert "tests/features/simulation/test_truth.py" in knowing, "the walk sees imports"


def test_nothing_of_the_product_sees_the_hidden_state() -> None:
    """Outside the simulation only its two public functions are used, and those give tables."""
    rooms = [file for room in ("features", "models", "training", "serving") for file in (ROOT / room).rglob("*.py")]
    for file in rooms:
        if "simulation" not in file.parts:
            seen = {name for name in imports(file) if name.startswith("features.simulation.")}
            assert seen <= {"features.simulation.write_company"}, file


@pytest.fixture(scope="module")
def truth() -> Truth:
    return replay(accounts=300, months=36, ends_on=ENDS_ON, seed=3, as_of=AS_OF, horizon_months=12, futures=200)


def test_the_truth_leaves_nothing_beside_the_tables(tmp_path: Path) -> None:
    write_company(tmp_path / "company", accounts=20, months=6, ends_on=ENDS_ON, seed=1)
    replay(accounts=20, months=6, ends_on=ENDS_ON, seed=1, as_of=ENDS_ON, horizon_months=2, futures=3)
    assert {file.suffix for file in (tmp_path / "company").iterdir()} == {".parquet"}
    assert "truth" not in {file.stem for file in (tmp_path / "company").iterdir()}


def test_the_same_replay_gives_the_same_truth_and_what_is_written_can_be_read(truth: Truth, tmp_path: Path) -> None:
    again = replay(accounts=300, months=36, ends_on=ENDS_ON, seed=3, as_of=AS_OF, horizon_months=12, futures=200)
    write_truth(tmp_path / "new" / "truth.json", again)
    read = read_truth(tmp_path / "new" / "truth.json")
    assert read.account_ids == truth.account_ids
    assert (read.as_of, read.horizons_months) == (AS_OF, tuple(range(1, 13)))
    for name in ("arr", "churn_probability", "expected_arr", "nrr", "grr", "logo_retention"):
        np.testing.assert_allclose(getattr(read, name), getattr(truth, name), atol=1e-6)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["truth.json"]


def test_the_figures_of_a_truth_fit_together(truth: Truth) -> None:
    n, horizons, futures = len(truth.account_ids), 12, 200
    assert truth.churn_probability.shape == truth.expected_arr.shape == (n, horizons)
    assert truth.nrr.shape == (futures, horizons)
    mixed = truth.churn_probability + truth.contraction_probability + truth.expansion_probability
    assert (mixed <= 1 + 1e-9).all()
    assert (np.diff(truth.churn_probability, axis=1) >= 0).all(), "who came back counts as gone"
    assert (truth.grr <= np.minimum(truth.nrr, 1) + 1e-12).all()
    np.testing.assert_allclose(truth.expected_arr.sum(axis=0) / truth.arr.sum(), truth.nrr.mean(axis=0))
    np.testing.assert_allclose(1 - truth.churn_probability.mean(axis=0), truth.logo_retention.mean(axis=0))
    assert truth.nrr[:, 11].std() > truth.nrr[:, 2].std() > 0, "the future gets wider"
    assert truth.churn_probability[:, 11].std() > 0.1, "accounts differ"


def test_the_cohort_is_what_the_tables_show_at_that_date(truth: Truth, tmp_path: Path) -> None:
    frames = simulate(accounts=300, months=36, ends_on=ENDS_ON, seed=3)
    kept = {name: frames[name] for name in ("accounts", "contracts", "fx_rates")}
    tables = tables_from_frames(kept, tmp_path / "tables.duckdb", data_until=ENDS_ON)
    rules = params.load().revenue
    shown = arr_by_account(tables, [AS_OF], known_by=AS_OF, rules=rules, budget=Budget(1, 0.5))
    assert tuple(shown["account_id"]) == truth.account_ids
    np.testing.assert_allclose(shown["arr"], truth.arr, rtol=0, atol=0.03)


def what_came(world: dict[str, object], seed: int, months: int, truth: Truth) -> np.ndarray:
    """MRR of the cohort at as_of and each month after, in the one future that came: `[month, account]`."""
    company, edges = start_company(**world, seed=seed, rules=RULES, line_book=LineBook())  # type: ignore[arg-type]
    mrr = []
    for month in range(months):
        live_through(company, edges, month, seed, LineBook())
        mrr.append(mrr_at(company.state, int(edges[month + 1])))
    path = np.array(mrr[-13:], dtype=float)
    path = path[:, path[0] > 0]
    assert path.shape[1] == len(truth.account_ids)
    covered: np.ndarray = np.cumprod(path > 0, axis=0) * path
    return covered


def test_what_came_lies_within_what_could_have_come() -> None:
    """Over worlds the rank of the real outcome among the futures is uniform, and churn as frequent as said."""
    world = {"accounts": 400, "months": 30, "ends_on": ENDS_ON}
    ranks, said, came = [], [], []
    for seed in range(6):
        truth = replay(**world, seed=seed, as_of=AS_OF, horizon_months=12, futures=80)  # type: ignore[arg-type]
        path = what_came(world, seed, 30, truth)
        nrr = (path[12] / path[0] * truth.arr).sum() / truth.arr.sum()
        ranks.append((truth.nrr[:, 11] < nrr).mean())
        said.append(truth.churn_probability[:, 11])
        came.append(path[12] == 0)
    assert sum(0.025 <= rank <= 0.975 for rank in ranks) >= 5
    assert 0.2 < np.mean(ranks) < 0.8
    probability, outcome = np.concatenate(said), np.concatenate(came)
    assert outcome.mean() == pytest.approx(probability.mean(), abs=0.03)
    high = probability > 0.4
    assert outcome[high].mean() == pytest.approx(probability[high].mean(), abs=0.12)


@pytest.mark.parametrize(
    ("as_of", "horizon_months", "futures", "message"),
    [
        (
            date(2025, 1, 2),
            12,
            10,
            "as_of is 2025-01-02: take a month boundary of the company, 2024-01-01 to 2026-01-01",
        ),
        (AS_OF, 0, 10, "horizon_months is 0 and futures is 10: both must be at least 1"),
        (AS_OF, 12, 0, "horizon_months is 12 and futures is 0: both must be at least 1"),
    ],
)
def test_a_truth_that_cannot_be_says_why(as_of: date, horizon_months: int, futures: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replay(
            accounts=20,
            months=24,
            ends_on=ENDS_ON,
            seed=1,
            as_of=as_of,
            horizon_months=horizon_months,
            futures=futures,
        )


def test_a_company_without_customers_has_no_truth() -> None:
    world = {"accounts": 1, "months": 24, "ends_on": ENDS_ON, "seed": 0}
    with pytest.raises(ValueError, match="no customers then; take a later date or more accounts"):
        replay(**world, as_of=date(2024, 1, 1), horizon_months=1, futures=1)  # type: ignore[arg-type]
