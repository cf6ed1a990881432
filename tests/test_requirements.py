"""The locks hold what the project declares: a version that satisfies it, with hashes, and no address of an index."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
IN_LOCK = ("dev", "postgres", "mcp", "effects")  # the extras that requirements.lock is made for; see `make lock`
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "mac": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
}
ENVIRONMENTS = [
    {"python_version": python, "python_full_version": f"{python}.1", **system}
    for python, system in product(("3.11", "3.12", "3.13"), SYSTEMS.values())
]
HASHES = re.compile(r"( --hash=sha256:[0-9a-f]{64})+")


class Entry(NamedTuple):
    """A package of a lock: its version with the places it is for, and the hashes of its files."""

    requirement: Requirement
    hashes: str

    @property
    def version(self) -> str:
        return next(iter(self.requirement.specifier)).version


def entries(lock: str) -> list[Entry]:
    """The packages of a lock; a line that continues the one before it belongs to it."""
    lines = re.sub(r"\\\n\s+", "", lock).splitlines()
    parts = [re.split(r"\s*(?=--hash)", line, maxsplit=1) for line in lines if line.strip()]
    return [Entry(Requirement(pinned), f" {''.join(hashes)}") for pinned, *hashes in parts]


def missing(declared: Iterable[str], lock: str) -> list[str]:
    """What is declared and not in the lock for every Python and system that the project supports."""
    locked = entries(lock)
    requirements = [*map(Requirement, declared)]
    requirements += [needed for requirement in requirements for needed in needs_of_extras(requirement)]
    return [
        f"{requirement} (Python {environment['python_version']}, {environment['sys_platform']})"
        for requirement in requirements
        for environment in ENVIRONMENTS
        if is_for(requirement, environment) and not is_locked(requirement, locked, environment)
    ]


def is_locked(requirement: Requirement, locked: Iterable[Entry], environment: dict[str, str]) -> bool:
    name = canonicalize_name(requirement.name)
    same = [e for e in locked if canonicalize_name(e.requirement.name) == name and is_for(e.requirement, environment)]
    return len(same) == 1 and requirement.specifier.contains(same[0].version, prereleases=True)


def is_for(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def needs_of_extras(requirement: Requirement) -> Iterator[Requirement]:
    """What the extras of a requirement need, such as `binary` of psycopg; known of what is installed here."""
    for name in requirement.extras:
        for needed in map(Requirement, metadata.requires(requirement.name) or ()):
            if needed.marker and "extra ==" in str(needed.marker) and needed.marker.evaluate({"extra": name}):
                yield Requirement(f"{needed.name}{needed.specifier}")


def inputs(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def declared_for(lock: str) -> list[str]:
    """What a lock has to hold: what pyproject.toml declares, and the `.in` file it is made from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    if lock == "requirements.lock":
        locked = [needed for name in IN_LOCK for needed in extras[name]]
        return [*project["dependencies"], *locked, *inputs("requirements-build.in")]
    if lock == "requirements-setup.lock":
        return ["uv"]
    name = lock.removeprefix("requirements-").removesuffix(".lock")
    return [*inputs(f"requirements-{name}.in"), *extras.get(name, [])]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda file: file.name)
def test_a_lock_holds_what_is_declared(lock: Path) -> None:
    absent = missing(declared_for(lock.name), lock.read_text(encoding="utf-8"))
    assert absent == [], "run `make lock` and commit the result"


def test_every_extra_is_in_a_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = {file.name.removeprefix("requirements-").removesuffix(".lock") for file in LOCKS}
    assert set(project["optional-dependencies"]) <= {*IN_LOCK, *own}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda file: file.name)
def test_a_lock_has_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"^\s*-[-\w]*(index|find-links|trusted)", text, re.M)
    assert "://" not in text
    for entry in entries(text):
        assert HASHES.fullmatch(entry.hashes), entry.requirement.name
        assert [specifier.operator for specifier in entry.requirement.specifier] == ["=="], entry.requirement


def test_locks_agree_on_what_more_than_one_holds() -> None:
    versions: dict[tuple[str, str], set[str]] = {}
    for lock in LOCKS:
        for entry in entries(lock.read_text(encoding="utf-8")):
            key = (canonicalize_name(entry.requirement.name), str(entry.requirement.marker or ""))
            versions.setdefault(key, set()).add(entry.version)
    assert [key for key, several in versions.items() if len(several) > 1] == []


LOCK = f"""\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{"a" * 64}
types-pyyaml==6.0.12 \\
    --hash=sha256:{"c" * 64}
uvloop==0.23.0 ; sys_platform != 'win32' \\
    --hash=sha256:{"d" * 64}
"""


@pytest.mark.parametrize(
    ("declared", "absent"),
    [
        ("numpy>=2.2", []),
        ("types_PyYAML", []),
        ("uvloop>=0.21; sys_platform != 'win32'", []),
        ("rich>=14", ["rich>=14 (Python 3.11, linux)", "rich>=14 (Python 3.13, win32)"]),
        ("uvloop>=0.21", ["uvloop>=0.21 (Python 3.12, win32)"]),
        ("numpy>=2.5", ["numpy>=2.5 (Python 3.11, linux)"]),
        ("numpy<2.5", ["numpy<2.5 (Python 3.12, darwin)"]),
    ],
)
def test_what_is_declared_and_not_locked_is_named(declared: str, absent: list[str]) -> None:
    named = missing([declared], LOCK)
    assert set(absent) <= set(named)
    assert bool(absent) == bool(named)


def test_an_extra_needs_its_own_packages() -> None:
    assert "psycopg-binary" in {needed.name for needed in needs_of_extras(Requirement("psycopg[binary]>=3.3"))}
