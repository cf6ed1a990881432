"""A model's bundle: written as a models-from-code pyfunc, and read only after its bytes were compared with its digest.

What is parsed unseen can do anything: of 40 single-bit flips of a booster's text 4 changed predictions in silence,
3 ended the process and one hung it for ever. So the digest is written down twice: with the version in the registry
(`bundle_digest`), and beside the bundle as `bundle.sha256`, which says of each file whether it is the one that was
registered, and which `sha256sum -c bundle.sha256` reads too.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.tables.scratch import scratch_folder
from training.tracking.artifacts import Artifacts, contents_of

if TYPE_CHECKING:
    from models.outcomes.outcome import OutcomeModel

MODEL = "model"  # the pyfunc's folder among the files of a run
BUNDLE = "artifacts/bundle"
SUMS = "bundle.sha256"
_NEEDED = ("lightgbm", "numba", "numpy", "pandas", "scikit-learn", "scipy")  # beside this project's own packages
_PYFUNC = Path(__file__).with_name("pyfunc_model.py")


class DamagedBundle(Exception):
    """Files of a bundle are missing, added, or not the ones that were registered; the message says which."""


def write_bundle(texts: Mapping[str, str], files: Artifacts) -> None:
    """Write a model's texts as a models-from-code pyfunc, and their sums beside them."""
    from mlflow.pyfunc import save_model

    with scratch_folder() as folder:
        bundle, saved = folder / Path(BUNDLE).name, folder / MODEL
        bundle.mkdir()
        for name, text in texts.items():
            (bundle / name).write_bytes(text.encode())
        save_model(
            saved,
            python_model=str(_PYFUNC),
            artifacts={bundle.name: str(bundle)},
            pip_requirements=[f"{package}=={version(package)}" for package in _NEEDED],
            signature=False,  # the bundle lists its own inputs, with types and categories
        )
        _name_from_within(saved / "MLmodel", bundle)
        (saved / SUMS).write_text(_sums_text(contents_of(bundle)), encoding="utf-8")
        files.write_folder(saved, MODEL)


def _name_from_within(description: Path, bundle: Path) -> None:
    """Name a model's files by where they lie in its folder; MLflow writes down where on this machine they came from."""
    text = description.read_text(encoding="utf-8")
    text = text.replace(str(bundle), BUNDLE).replace(str(_PYFUNC), _PYFUNC.name)
    description.write_text(text, encoding="utf-8")


def read_bundle(files: Artifacts, digest: str) -> dict[str, str]:
    """The texts of a registered model, once its bytes are known to be those of the digest it was registered with.

    Raises
    ------
    DamagedBundle
        They are not, or there is no digest to tell by.
    """
    if not digest:
        raise DamagedBundle("no digest was registered with it, so that nothing tells whether its files are whole")
    if not files.holds(BUNDLE):
        raise DamagedBundle("it holds no folder bundle")
    sums = files.read(SUMS) if files.holds(SUMS) else None  # versions registered before have none
    return verified(files.read_folder(BUNDLE), sums, digest)


def read_local_bundle(folder: Path) -> dict[str, str]:
    """The texts of a bundle on this machine, by the sums beside it.

    Raises
    ------
    DamagedBundle
        A file is not the one that was written, or the sums are missing.
    """
    sums = folder.parents[1] / SUMS
    if not sums.is_file():
        raise DamagedBundle(f"there is no {SUMS} to tell by whether its files are whole")
    return verified(contents_of(folder), sums.read_bytes())


def verified(contents: Mapping[str, bytes], sums: bytes | None, digest: str = "") -> dict[str, str]:
    """A bundle's texts, if its bytes are those that its sums and its digest speak of; nothing of it is parsed.

    Raises
    ------
    DamagedBundle
        They are not; the message names the files where the sums tell them.
    """
    if sums is not None:
        wrong = "; ".join(_differences(_sums_of(sums), contents))
        if wrong:
            raise DamagedBundle(wrong)
    try:
        texts = {name: content.decode() for name, content in contents.items()}
    except UnicodeDecodeError:
        raise DamagedBundle("a file of its bundle is no text, so it is damaged") from None
    if digest and digest != bundle_digest(texts):
        raise DamagedBundle(f"its bundle has the digest {bundle_digest(texts)}, and {digest} was registered")
    return texts


def bundle_digest(texts: Mapping[str, str]) -> str:
    """A digest of a bundle's texts: the same model, the same digest."""
    return hashlib.sha256(json.dumps(dict(texts), sort_keys=True).encode()).hexdigest()[:16]


def format_of(texts: Mapping[str, str]) -> int | None:
    """The format that a bundle says it has; None where it says none."""
    try:
        content: Any = json.loads(texts.get("model.json", ""))
    except ValueError:
        return None
    number = content.get("format") if isinstance(content, dict) else None
    return number if type(number) is int else None


def model_of(texts: Mapping[str, str], threads: int) -> "OutcomeModel":
    """The model of a bundle's texts.

    Raises
    ------
    DamagedBundle
        This version of Holdfast cannot make sense of them.
    """
    from models.outcomes.outcome import OutcomeModel

    try:
        return OutcomeModel.from_files(texts, threads=threads)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBundle(f"this version of Holdfast makes no sense of its bundle ({error})") from None


def _sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sums_text(contents: Mapping[str, bytes]) -> str:
    """The sums of a bundle's files as `sha256sum` writes them, for the folder above the bundle's."""
    return "".join(f"{_sum_of(content)}  {BUNDLE}/{name}\n" for name, content in contents.items())


def _sums_of(text: bytes) -> dict[str, str]:
    """The sum of each file of a bundle; what is no line of sums is a file that nobody has."""
    lines = (line.partition("  ") for line in text.decode(errors="replace").splitlines())
    return {place.removeprefix(f"{BUNDLE}/"): value for value, _, place in lines}


def _differences(sums: Mapping[str, str], contents: Mapping[str, bytes]) -> Iterator[str]:
    """What is wrong with a bundle's files, a sentence a file."""
    for name in sorted({*sums, *contents}):
        if name not in contents:
            yield f"its file {name} is missing"
        elif name not in sums:
            yield f"its file {name} was not registered"
        elif sums[name] != _sum_of(contents[name]):
            yield f"its file {name} is not the one that was registered"
