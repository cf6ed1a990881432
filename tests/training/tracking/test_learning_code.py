"""The code that learns: which modules are of it, and that nothing else changes its digest."""

import shutil
from pathlib import Path

import pytest

from training.tracking.learning_code import ROOT, code_digest, learning_code


@pytest.fixture(scope="module")
def checkout(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code."""
    copy = tmp_path_factory.mktemp("code")
    for floor in ("features", "models", "training", "serving"):
        shutil.copytree(ROOT / floor, copy / floor, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def before(checkout: Path) -> str:
    """The digest of the code as it is: where it lies does not matter."""
    digest = code_digest(checkout)
    assert digest == code_digest()
    return digest


@pytest.mark.parametrize(
    ("module", "learns"),
    [
        ("training/learn/tune.py", True),
        ("models/hazards/calibration.py", True),
        ("features/families/usage.py", True),
        ("features/asof/view.py", True),
        ("features/asof/__init__.py", True),
        ("features/asof/clocks.py", True),
        ("features/asof/knowledge.py", False),
        ("features/snapshots/script.py", False),
        ("features/simulation/world.py", False),
        ("models/reasons/drivers.py", False),
        ("models/scores/skill.py", False),
        ("training/report/html_page.py", False),
        ("serving/forecast/batch.py", False),
    ],
)
def test_a_byte_more_changes_the_digest_only_where_learning_depends_on_it(
    module: str, learns: bool, checkout: Path, before: str
) -> None:
    text = (checkout / module).read_bytes()
    (checkout / module).write_bytes(text + b"#")
    assert (code_digest(checkout) != before) is learns
    (checkout / module).write_bytes(text)


WORDS_ALONE = Path("features/families/declared/meanings.py")  # what declared features mean, for people


@pytest.mark.parametrize(
    ("room", "learns"),
    [
        *((f"training/{room}", room == "learn") for room in ("learn", "tracking", "report", "backtest")),
        *((f"models/{room}", room in ("hazards", "outcomes")) for room in ("hazards", "outcomes", "reasons", "scores")),
        ("features/families", True),
        *((f"features/{room}", False) for room in ("simulation", "inputs", "leaks")),
    ],
)
def test_rooms_are_of_it_wholly_or_not_at_all(room: str, learns: bool) -> None:
    modules = {file.relative_to(ROOT) for file in (ROOT / room).rglob("*.py")} - {WORDS_ALONE}
    assert modules & learning_code() == (modules if learns else set())


def test_a_module_that_learning_imports_from_now_on_is_of_it(checkout: Path, before: str) -> None:
    added, learner = checkout / "models" / "scores" / "fresh.py", checkout / "models" / "hazards" / "hazard.py"
    text = learner.read_text()
    added.write_text("A = 1\n")
    assert code_digest(checkout) == before, "nobody imports it"
    learner.write_text(f"{text}\n\ndef late() -> None:\n    from models.scores import fresh\n")
    imported = code_digest(checkout)
    added.write_text("A = 2\n")
    assert len({before, imported, code_digest(checkout)}) == 3
    learner.write_text(text)
    added.unlink()
