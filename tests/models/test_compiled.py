"""Machine code that is kept must not outlive the source it was made of."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

import models

ROOT = Path(models.__file__).parent
LOOPS = {
    "models.hazards.shap_loops",
    "models.outcomes.future_loops",
    "models.paths.figure_loops",
    "models.paths.group_sums",
}
SUM = """
import numpy as np
from models.compiled import compiled
from models.paths.group_sums import add_rows

sums, one = np.zeros((1, 1, 2)), np.zeros((1, 1), dtype=np.int64)
add_rows(sums, 0, one, np.array([0]), np.ones((1, 2)), np.zeros(1), np.full(1, np.inf))
print(sums.sum(), sum(add_rows.stats.cache_hits.values()), add_rows.stats.cache_path)
"""


def compiled_of(module: str) -> dict[str, Any]:
    names = vars(importlib.import_module(module))
    return {name: one for name, one in names.items() if isinstance(one, Dispatcher)}


def test_all_modules_with_compiled_loops_are_looked_at() -> None:
    files = [file for file in ROOT.rglob("*.py") if "@compiled" in file.read_text(encoding="utf-8")]
    files += [file for file in ROOT.rglob("*.py") if "compiled_with(" in file.read_text(encoding="utf-8")]
    found = {".".join(file.relative_to(ROOT.parent).with_suffix("").parts) for file in files}
    assert found - {"models.compiled"} == LOOPS


@pytest.mark.parametrize("module", sorted(LOOPS))
def test_what_a_loop_calls_stands_in_its_own_file(module: str) -> None:
    """The file's time and size are all that tells kept code from outdated code."""
    assert compiled_of(module)
    assert {one.py_func.__module__ for one in compiled_of(module).values()} == {module}


def run(tmp_path: Path, **environment: str) -> list[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", SUM]
    said = subprocess.run(command, env=inherited | environment, cwd=ROOT.parent, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return said.stdout.split()


def test_the_next_process_finds_what_one_has_compiled(tmp_path: Path, costly: None) -> None:
    folder = str(tmp_path / "kept")
    assert run(tmp_path, NUMBA_CACHE_DIR=folder)[:2] == ["2.0", "0"]
    assert run(tmp_path, NUMBA_CACHE_DIR=folder)[:2] == ["2.0", "1"]


def test_where_nothing_can_be_kept_loops_are_compiled_all_the_same(tmp_path: Path, costly: None) -> None:
    only = "UserProvidedCacheLocator"  # which has no folder here
    assert run(tmp_path, NUMBA_CACHE_LOCATOR_CLASSES=only) == ["2.0", "0", "None"]
