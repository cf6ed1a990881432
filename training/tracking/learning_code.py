"""Which code a model was learned by: the room that learns, and every module of ours that it imports, to the last."""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEARNS = Path("training/learn")
_FLOORS = ("features", "models", "training")  # settings are not code: the recipe says which they were


def code_digest(root: Path | None = None) -> str:
    """Identifies the code that learns, by the text of its modules: by default that which runs, read once."""
    return _running_digest() if root is None else _digest(root)


@cache
def _running_digest() -> str:
    return _digest(ROOT)


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for module in sorted(learning_code(root)):
        digest.update(module.as_posix().encode() + (root / module).read_bytes())
    return digest.hexdigest()[:12]


def learning_code(root: Path = ROOT) -> set[Path]:
    """The modules that learning depends on, as read from the imports of each, wherever in it they stand."""
    waiting = [file.relative_to(root) for file in (root / LEARNS).glob("*.py")]
    modules: set[Path] = set()
    while waiting:
        module = waiting.pop()
        if module not in modules:
            modules.add(module)
            waiting.extend(_imported(root, module))
    return modules


def _imported(root: Path, module: Path) -> Iterator[Path]:
    """Modules of ours that a module imports, and the packages they stand in."""
    for node in _statements(ast.parse((root / module).read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield from _files(root, name.split("."))


def _statements(block: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Statements, and those within them; an import is never part of an expression."""
    for statement in block:
        yield statement
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(statement, inner, ()))


def _files(root: Path, parts: list[str]) -> Iterator[Path]:
    """The files of a dotted name: of each package on the way, and of the module at its end, if it is one."""
    if parts[0] in _FLOORS:
        for end in range(1, len(parts) + 1):
            place = Path(*parts[:end])
            yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if (root / file).is_file())
