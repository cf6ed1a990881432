"""The rooms and their doors: who may import whom, who may know MLflow, the clock, files and what was known when."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "models", "training", "serving")
MAY_IMPORT = {
    "features": {"features", "params"},
    "models": {"models", "params"},
    "training": {"features", "models", "training", "params"},
    "serving": {"features", "models", "serving", "params"},
    "params": set(),
    "holdfast": {"features", "models", "training", "serving", "params"},
}
OURS = set(MAY_IMPORT)
KNOW_MLFLOW = {
    "training/tracking.py",
    "training/registry.py",
    "training/pyfunc_model.py",
    "serving/record.py",
    "serving/registry.py",
}
FAMILIES = ("usage", "csm_actions", "engagement", "contract_history")
FILES_CLOCK_AND_STORES = {"os", "pathlib", "io", "shutil", "tempfile", "time", "random", "duckdb", "mlflow", "sqlite3"}
CLOCK = {"now", "today", "utcnow"}
PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
HEAVY = (
    "pandas",
    "numpy",
    "duckdb",
    "pydantic",
    "yaml",
    "lightgbm",
    "sklearn",
    "scipy",
    "mlflow",
    "shap",
    "matplotlib",
    "statsmodels",
    "optuna",
)


def sources() -> list[Path]:
    rooms = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return [ROOT / "params.py", ROOT / "holdfast.py", *rooms]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(file: Path) -> set[str]:
    """Top-level names of all modules a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else (node.module or "").split(".")[0])
    return names


def called(file: Path) -> Iterator[str]:
    """Names of what a file calls: `f` of `f()`, `a.b` of `a.b()`."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def texts(file: Path) -> Iterator[str]:
    """All string constants that are not docstrings, f-strings' parts among them."""
    tree = tree_of(file)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


all_sources = pytest.mark.parametrize("file", sources(), ids=name_of)


@all_sources
def test_imports_run_one_way(file: Path) -> None:
    room = name_of(file).removesuffix(".py").split("/")[0]
    assert imported(file) & (OURS | {"."}) <= MAY_IMPORT[room]


@all_sources
def test_mlflow_is_known_at_its_edges_only(file: Path) -> None:
    if name_of(file) not in KNOW_MLFLOW:
        assert "mlflow" not in imported(file)


@all_sources
def test_nothing_is_pickled(file: Path) -> None:
    assert not imported(file) & PICKLES


@all_sources
def test_only_the_command_line_ends_the_process(file: Path) -> None:
    if name_of(file) != "holdfast.py":
        assert not {"exit", "quit", "sys.exit", "os._exit"} & set(called(file))


@pytest.mark.parametrize("file", sorted((ROOT / "models").rglob("*.py")), ids=name_of)
def test_models_know_no_files_no_clock_no_store_and_no_global_randomness(file: Path) -> None:
    assert not imported(file) & FILES_CLOCK_AND_STORES
    calls = set(called(file))
    assert "open" not in calls
    assert not {call for call in calls if call.rsplit(".", 1)[-1] in CLOCK}
    legacy = {call for call in calls if call.startswith(("np.random.", "numpy.random."))}
    assert all(call.rsplit(".", 1)[-1][0].isupper() or call.endswith("default_rng") for call in legacy)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_know_neither_the_clock_nor_raw_tables_nor_each_other(family: str) -> None:
    """Time is cut in `features/asof.py`; a family reads what that hands it."""
    file = ROOT / "features" / f"{family}.py"
    assert not imported(file) & {"datetime", "time", "duckdb"}
    modules = {
        node.module for node in ast.walk(tree_of(file)) if isinstance(node, ast.ImportFrom) and node.module is not None
    }
    assert not modules & {f"features.{other}" for other in FAMILIES}
    for text in texts(file):
        assert "raw." not in text
        assert "recorded_at" not in text


@all_sources
def test_when_a_row_became_known_is_read_in_one_place(file: Path) -> None:
    """`recorded_at` may be read in, checked, searched for leaks, simulated or left out; `asof.py` alone uses it."""
    name = name_of(file)
    rooms = ("asof.py", "contract.py", "source", "check", "leaks/", "simulation/")
    allowed = tuple(f"features/{room}" for room in rooms)
    if not name.startswith(allowed):
        assert not [text for text in texts(file) if "recorded_at" in text and text != "recorded_at"]


@pytest.mark.parametrize("room", ["training", "models", "serving"])
def test_only_features_read_raw_tables(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        assert not [text for text in texts(file) if "FROM raw." in text or "JOIN raw." in text], name_of(file)


def test_tests_are_no_packages() -> None:
    """An `__init__.py` would make `import features` find tests/features."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_rooms_hold_code_only() -> None:
    """Artifacts go to the data folder, never beside the code."""
    pages = ROOT / "serving" / "pages"
    for room in ROOMS:
        left = {f.suffix for f in (ROOT / room).rglob("*") if f.is_file() and "__pycache__" not in f.parts}
        assert left == ({".py", ".html", ".css", ".svg"} if room == "serving" else {".py"}), room
    assert {f.parent.name for f in pages.rglob("*") if f.suffix in (".html", ".css", ".svg")} == {"templates", "static"}


@pytest.mark.parametrize(("module", "needs"), [("holdfast", []), ("training.registry", ["pydantic", "yaml"])])
def test_nothing_heavy_is_imported_before_it_is_needed(module: str, needs: list[str]) -> None:
    script = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == str(needs)


def test_imports_of_the_package_do_nothing(tmp_path: Path) -> None:
    """Importing makes no folder, sets up no logging and no tracking."""
    modules = [name_of(file).removesuffix(".py").replace("/", ".") for file in sources()]
    light = [m for m in modules if not m.startswith(("training", "models")) and "pyfunc" not in m]
    script = f"""
import importlib, logging, os
for module in {light!r}:
    importlib.import_module(module.removesuffix(".__init__"))
assert not logging.getLogger().handlers
print(sorted(os.listdir()))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"
