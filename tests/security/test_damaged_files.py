"""Damaged files: a publication that is not what its name says is refused, and so is a bundle, file by file.

With every run of the tests a few, with `make attack` many.
"""

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.publication import publication_file
from training.tracking.champion import load_champion
from training.tracking.errors import UnreadableChampion

BUNDLE = "artifacts/bundle"
SUMS = "bundle.sha256"


def flip(content: bytes, numbers: random.Random) -> bytes:
    bit = numbers.randrange(len(content) * 8)
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def cut_off(content: bytes, numbers: random.Random) -> bytes:
    return content[: numbers.randrange(len(content))]


def zeros(content: bytes, numbers: random.Random) -> bytes:
    """A block of a disk that was never written; the first page of the file is never all zeros."""
    start = numbers.randrange(len(content) // 4096) * 4096 if numbers.random() < 0.8 else 0
    block = content[start : start + 4096].strip(b"\0")
    return content.replace(block, bytes(len(block)), 1) if block else bytes(4096) + content[4096:]


def more(content: bytes, numbers: random.Random) -> bytes:
    return content + numbers.randbytes(numbers.randrange(1, 10_000))


def swapped(content: bytes, numbers: random.Random) -> bytes:
    at = numbers.randrange(1, len(content))
    return content[at:] + content[:at]


def noise(content: bytes, numbers: random.Random) -> bytes:
    return numbers.randbytes(len(content))


Damage = Callable[[bytes, random.Random], bytes]
DAMAGES: tuple[Damage, ...] = (flip, cut_off, zeros, more, swapped, noise)


@pytest.fixture
def copy(place: Any, tmp_path: Path) -> Any:
    """The company in a folder of its own, that may be damaged."""
    shutil.copytree(place.params.data_dir, tmp_path / "data")
    params = place.params.model_copy(update={"data_dir": tmp_path / "data"})
    return dataclasses.replace(place, params=params)


def test_a_publication_damaged_in_any_way_is_refused(copy: Any, attack: Any) -> None:
    folder = publication_file.folder_of(copy.params.data_dir)
    first = publication_file.newest(folder)
    target = folder / first.name.replace("2026-01-01", "2026-02-01", 1)
    whole, numbers = first.read_bytes(), random.Random(59)
    target.write_bytes(whole)
    (folder / publication_file.CURRENT).write_text(target.name + "\n")
    assert publication_file.newest(folder) == target, "it would be taken if it were whole"
    for number in range(attack.size(len(DAMAGES), 10 * len(DAMAGES))):
        damage = DAMAGES[number % len(DAMAGES)]
        damaged = damage(whole, numbers)
        assert damaged != whole, damage.__name__
        target.write_bytes(damaged)
        assert publication_file.newest(folder) == first, (damage.__name__, number)
        attack.count("damaged publications, all refused")


def test_a_flipped_bit_in_any_file_of_a_model_is_refused_or_changes_nothing(copy: Any, attack: Any) -> None:
    """Files of the bundle and its sums are refused; what MLflow keeps beside them is not read for a forecast."""
    champion = load_champion(copy.params)
    model = copy.params.data_dir / "mlflow-artifacts" / champion.run_id / "artifacts" / "model"
    files = [file for file in sorted(model.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    assert {"churn.txt", "model.json", SUMS, "MLmodel"} <= {file.name for file in files}
    numbers = random.Random(40)
    for file in files:
        whole, of_bundle = file.read_bytes(), file.name == SUMS or BUNDLE in file.as_posix()
        for _ in range(attack.size(1, 40)):
            file.write_bytes(flip(whole, numbers))
            assert outcome(copy.params) == ("refused" if of_bundle else champion.digest), file.name
            attack.count(
                f"bit flips of {file.relative_to(model)}, " + ("all refused" if of_bundle else "nothing changed")
            )
        file.write_bytes(whole)
    assert outcome(copy.params) == champion.digest


def outcome(params: Any) -> str:
    """The digest of the champion that is read, or that it is refused."""
    try:
        return load_champion(params).digest
    except UnreadableChampion:
        return "refused"
