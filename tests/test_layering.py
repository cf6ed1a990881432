"""The rooms and their doors: who may import whom, who may know MLflow, the clock, files and what was known when."""

import ast
import contextlib
import functools
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("features", "models", "training", "serving")
PACKAGES = (*FLOORS, "holdfast")
# Each room, and the rooms that it may import: what is not listed is not allowed. `training` and `serving` on the left
# are the modules that stand outside of their rooms.
MAY_IMPORT: dict[str, set[str]] = {
    "params_reading": set(),
    "params_team": {"params_reading"},
    "params_outlets": {"params_team"},
    "params_signals": {"params_team"},
    "params": {"params_outlets", "params_reading", "params_signals", "params_team"},
    "features.tables": set(),
    "features.asof": {"features.tables"},
    "features.families": {"features.tables"},
    "features.engines": {"features.tables"},
    "features.revenue": {"features.tables", "features.asof"},
    "features.simulation": {"features.tables"},
    "features.snapshots": {
        *("features.tables", "features.asof", "features.families", "features.engines", "features.revenue"),
    },
    "features.forgetting": {"features.tables"},
    "features.inputs": {
        *("features.tables", "features.asof", "features.families", "features.engines", "features.simulation"),
        "features.forgetting",
    },
    "features.leaks": {"features.tables", "features.families", "features.revenue", "features.snapshots"},
    "features.kpis": {"features.tables", "features.asof", "features.families", "features.revenue"},
    "features.actions": {"features.tables", "features.asof"},
    "features.traps": {"features.tables", "features.revenue", "features.snapshots"},
    "models.words": set(),
    "models.compiled": set(),
    "models.hazards": {"models.words", "models.compiled"},
    "models.outcomes": {"models.words", "models.compiled", "models.hazards"},
    "models.paths": {"models.words", "models.compiled", "models.outcomes"},
    "models.plans": {"models.words", "models.outcomes", "models.paths"},
    "models.reasons": {"models.words", "models.hazards", "models.outcomes"},
    "models.books": set(),
    "models.slices": set(),
    "models.scores": {"models.words", "models.hazards"},
    "models.watch": {"models.words"},
    "models.effects": {"models.words", "models.hazards"},
    "training.learn": {"features", "models"},
    "training.tracking": {"features.tables", "models.outcomes"},
    "training.effects": {"features", "models", "training.learn", "training.report", "training.tracking"},
    "training.report": {"models", "training.learn", "training.tracking"},
    "training.backtest": {"features", "models", "training.learn", "training.report", "training.tracking"},
    "training.watch": {"features", "models", "training.learn", "training.tracking"},
    "training": {
        *("features", "models", "training"),
        *("training.learn", "training.tracking", "training.report", "training.backtest", "training.effects"),
        "training.watch",
    },
    "serving.forecast": {"features", "models", "training.tracking"},
    "serving.ledger": {"features", "models", "training.tracking", "serving.forecast"},
    "serving.journal": {"features", "serving.forecast", "serving.ledger"},
    "serving.actions": {
        *("features", "models", "training.tracking", "serving.forecast", "serving.ledger", "serving.journal"),
    },
    "serving.processes": {"features", "models", "training.tracking", "serving.forecast", "serving.actions"},
    "serving.track_record": {"features", "models", "serving.forecast", "serving.ledger", "serving.journal"},
    "serving.health": {
        *("features", "models", "training.tracking", "serving.forecast", "serving.ledger", "serving.journal"),
    },
    "serving.alerts": {
        *("features", "models", "training.tracking", "serving.forecast", "serving.ledger", "serving.journal"),
        "serving.health",
    },
    "serving.publication": {
        *("features", "models", "training.tracking", "serving.forecast", "serving.ledger", "serving.track_record"),
        *("serving.journal", "serving.health", "serving.kpis", "serving.scorecards"),
    },
    "serving.retention": {"features", "serving.forecast"},
    "serving.scorecards": {"features", "models", "serving.forecast", "serving.ledger"},
    "serving.kpis": {
        "features",
        "models.words",
        "models.outcomes",
        "models.paths",
        "serving.forecast",
        "serving.retention",
    },
    "serving.wire": {"features", "models", "serving.forecast"},
    "serving.access": {"features.tables", "serving.forecast", "serving.publication", "serving.wire"},
    "serving.desk": {
        *("features", "models", "serving.forecast", "serving.publication", "serving.wire", "serving.access"),
        *("serving.actions", "serving.alerts", "serving.health", "serving.journal", "serving.kpis", "serving.ledger"),
        "training.tracking",
    },
    "serving.pages": {
        *("features", "models", "serving.forecast", "serving.publication", "serving.wire", "serving.access"),
        *("serving.desk", "training.tracking"),
    },
    "serving.assistant": set(),
    "serving.outlets": {
        *("features.tables", "features.engines", "serving.alerts", "serving.forecast", "serving.ledger"),
        "serving.publication",
    },
    "serving.service": {
        "serving.assistant",
        *("models", "serving.forecast", "serving.publication", "serving.wire", "serving.access", "serving.desk"),
        *("serving.pages", "training.tracking", "features.tables"),
    },
    "serving.forgetting": {
        *("features", "models.words", "serving.forecast", "serving.publication", "serving.ledger", "serving.access"),
    },
    "holdfast": {"features", "models", "training", "serving"},
}
OURS = {*PACKAGES, "params", "params_outlets", "params_reading", "params_signals", "params_team"}
KNOWS_MLFLOW = "training.tracking"
FAMILIES = ("usage", "csm_actions", "success_plan", "engagement", "relationship", "contract_history")
FILES_CLOCK_AND_STORES = {"os", "pathlib", "io", "shutil", "tempfile", "time", "random", "duckdb", "mlflow", "sqlite3"}
CLOCK = {"now", "today", "utcnow"}
PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
LIGHT = ["pydantic", "yaml"]
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
    "rich",
)


def sources() -> list[Path]:
    rooms = [file for room in PACKAGES for file in sorted((ROOT / room).rglob("*.py"))]
    return [
        ROOT / "params.py",
        *(ROOT / f"params_{part}.py" for part in ("outlets", "reading", "signals", "team")),
        *rooms,
    ]


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


def room_of(module: str) -> str:
    """The room of a module: the folder below its floor; the floor itself where it stands in none."""
    floor, *rest = module.split(".")
    if floor in FLOORS and rest and f"{floor}.{rest[0]}" in MAY_IMPORT:
        return f"{floor}.{rest[0]}"
    return floor


def rooms_imported(file: Path) -> set[str]:
    """The rooms of ours that a file imports, anywhere in it."""
    modules = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole way"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {room_of(module) for module in modules if module.split(".")[0] in OURS}


def home_of(file: Path) -> str:
    return room_of(name_of(file).removesuffix(".py").removesuffix("/__init__").replace("/", "."))


@all_sources
def test_imports_run_one_way(file: Path) -> None:
    home = home_of(file)
    allowed = MAY_IMPORT.get(home, set()) | {home, "params", "params_signals", "params_team", "params_outlets"}
    for room in rooms_imported(file):
        assert room in allowed or room.split(".")[0] in allowed, f"{name_of(file)} may not import {room}"


def test_no_room_leads_back_to_itself() -> None:
    below = {room: {*rooms} - {room} for room, rooms in MAY_IMPORT.items()}
    for floor in FLOORS:
        below[floor] = below.get(floor, set()) | {room for room in MAY_IMPORT if room.startswith(f"{floor}.")}
    assert list(TopologicalSorter(below).static_order())


@pytest.mark.parametrize("floor", PACKAGES)
def test_every_room_says_what_it_is_for(floor: str) -> None:
    for folder in sorted({file.parent for file in (ROOT / floor).rglob("*.py")}):
        charter = ast.get_docstring(tree_of(folder / "__init__.py")) or ""
        assert charter.splitlines()[0].endswith("."), name_of(folder)
        assert folder == ROOT / floor or home_of(folder / "__init__.py") != floor, f"{name_of(folder)} has no rule"


@all_sources
def test_mlflow_is_known_at_one_edge_only(file: Path) -> None:
    if home_of(file) != KNOWS_MLFLOW:
        assert "mlflow" not in imported(file)


@all_sources
def test_nothing_is_pickled(file: Path) -> None:
    assert not imported(file) & PICKLES


@all_sources
def test_only_the_command_line_ends_the_process(file: Path) -> None:
    if name_of(file) != "holdfast/run.py":
        assert not {"exit", "quit", "sys.exit", "os._exit", "typer.Exit"} & set(called(file))


@pytest.mark.parametrize("file", sorted((ROOT / "models").rglob("*.py")), ids=name_of)
def test_models_know_no_files_no_clock_no_store_and_no_global_randomness(file: Path) -> None:
    assert not imported(file) & FILES_CLOCK_AND_STORES
    calls = set(called(file))
    assert "open" not in calls
    assert not {call for call in calls if call.rsplit(".", 1)[-1] in CLOCK}
    legacy = {call.partition("(")[0] for call in calls if call.startswith(("np.random.", "numpy.random."))}
    assert all(call.rsplit(".", 1)[-1][0].isupper() or call.endswith("default_rng") for call in legacy)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_know_neither_the_clock_nor_raw_tables_nor_each_other(family: str) -> None:
    """Time is cut in `features/asof/view.py`; a family reads what that hands it."""
    file = ROOT / "features" / "families" / f"{family}.py"
    assert not imported(file) & {"datetime", "time", "duckdb"}
    modules = {
        node.module for node in ast.walk(tree_of(file)) if isinstance(node, ast.ImportFrom) and node.module is not None
    }
    assert not modules & {f"features.families.{other}" for other in FAMILIES}
    for text in texts(file):
        assert "raw." not in text
        assert "recorded_at" not in text


@all_sources
def test_when_a_row_became_known_is_read_in_one_place(file: Path) -> None:
    """`recorded_at` may be read in, checked, searched for leaks, simulated or left out; `asof` alone uses it."""
    name = name_of(file)
    rooms = ("asof/", "tables/contract.py", "inputs/", "leaks/", "simulation/", "traps/")
    allowed = tuple(f"features/{room}" for room in rooms)
    if not name.startswith(allowed):
        assert not [text for text in texts(file) if "recorded_at" in text and text != "recorded_at"]


@pytest.mark.parametrize("room", ["training", "models", "serving"])
def test_only_features_read_raw_tables(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        assert not [text for text in texts(file) if "FROM raw." in text or "JOIN raw." in text], name_of(file)


LINES, MODULES, BODY = 400, 15, 30
MORE_MODULES = {"holdfast": 24}


def test_modules_rooms_and_functions_stay_small_enough_to_be_read() -> None:
    """Exceptions, if there are to be any, stand with their reason in docs/decisions/0010."""
    modules = [file for file in sources() if file.name != "__init__.py"]
    assert not [name_of(file) for file in modules if len(file.read_text(encoding="utf-8").splitlines()) > LINES]
    rooms = Counter(file.parent for file in modules)
    assert not [name_of(room) for room, count in rooms.items() if count > MORE_MODULES.get(name_of(room), MODULES)]
    assert not [f"{name_of(file)}: {name}" for file in modules for name, lines in bodies(file) if lines > BODY]


def bodies(file: Path) -> Iterator[tuple[str, int]]:
    """Each function with the number of lines of its body, its docstring apart."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1


def file_of(module: str) -> Path | None:
    """The file of a module of ours."""
    place = ROOT / module.replace(".", "/")
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def modules_imported(tree: ast.AST) -> Iterator[str]:
    """The modules of ours that some code imports: of `from a import b`, `a.b` where that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if file_of(name) else str(node.module) for name in whole)


def scripts(file: Path) -> Iterator[str]:
    """Code that stands in a text: a script that a test runs, the cells of a notebook."""
    if file.suffix == ".ipynb":
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        yield from ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        return
    yield from (text for text in texts(file) if "import " in text and "\n" in text)


def test_scripts_within_tests_and_notebooks_import_what_is_there() -> None:
    """Neither lint nor types look into a text."""
    files = [
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "benchmarks").glob("*.py"),
        *(ROOT / "notebooks").glob("*.ipynb"),
    ]
    for file in files:
        for script in scripts(file):
            with contextlib.suppress(SyntaxError):
                absent = {module for module in modules_imported(ast.parse(script)) if file_of(module) is None}
                assert not absent, name_of(file)


def test_the_bento_holds_all_that_its_code_imports() -> None:
    """Where it runs there is no checkout beside it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["bentoml"]["build"]["include"]
    inside = {file for pattern in patterns for file in ROOT.glob(pattern) if file.is_file()}
    for file in sorted(file for file in inside if file.suffix == ".py"):
        needed = {file_of(module) for module in modules_imported(tree_of(file))}
        assert not {name_of(other) for other in needed - inside if other is not None}, name_of(file)


def test_tests_are_no_packages() -> None:
    """An `__init__.py` would make `import features` find tests/features."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_rooms_hold_code_only() -> None:
    """Artifacts go to the data folder, never beside the code."""
    pages = ROOT / "serving" / "pages"
    for room in PACKAGES:
        left = {f.suffix for f in (ROOT / room).rglob("*") if f.is_file() and "__pycache__" not in f.parts}
        assert left == ({".py", ".html", ".css", ".svg", ".js"} if room == "serving" else {".py"}), room
    assert {f.parent.name for f in pages.rglob("*") if f.suffix in (".html", ".css", ".svg")} == {"templates", "static"}


@pytest.mark.usefixtures("costly")
@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("holdfast.app", []),
        ("params", LIGHT),
        ("training.tracking.errors", []),
        ("training.tracking.versions", LIGHT),
        ("training.tracking.champion", LIGHT),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(module: str, needs: list[str]) -> None:
    script = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == str(needs)


@pytest.mark.usefixtures("costly")
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
