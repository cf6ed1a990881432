"""The files of a run or of a model version, wherever its store keeps them."""

import posixpath
from pathlib import Path
from typing import Any

from features.tables.scratch import scratch_folder


class Artifacts:
    """Files below one location of the store, by their path in it.

    Parameters
    ----------
    location
        A path of this machine, or an address that MLflow knows.
    store_uri
        The store that the location is of: some of its files are reached through it.
    """

    def __init__(self, location: str, store_uri: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self._repository: Any = get_artifact_repository(location, tracking_uri=store_uri, registry_uri=store_uri)

    def holds(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return path in {item.path for item in self._repository.list_artifacts(posixpath.dirname(path) or None)}

    def read(self, path: str) -> bytes:
        """The content of a file."""
        with scratch_folder() as folder:
            return Path(self._repository.download_artifacts(path, dst_path=str(folder))).read_bytes()

    def read_folder(self, path: str) -> dict[str, bytes]:
        """The content of all files below a folder, by their path in it."""
        with scratch_folder() as copy:
            return contents_of(Path(self._repository.download_artifacts(path, dst_path=str(copy))))

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""
        with scratch_folder() as folder:
            file = folder / posixpath.basename(path)
            file.write_bytes(content)
            self._repository.log_artifact(str(file), posixpath.dirname(path) or None)

    def write_folder(self, folder: Path, path: str) -> None:
        """Write all files below a folder."""
        self._repository.log_artifacts(str(folder), path)


def contents_of(folder: Path) -> dict[str, bytes]:
    """The content of all files below a folder of this machine, by their path in it."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
