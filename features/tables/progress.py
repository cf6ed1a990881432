"""Progress of long work: what is being done and how far it is, told to whoever asked to hear it."""

from typing import Protocol


class Progress(Protocol):
    """Hears what is being done; `total` is 0 where the end is not known."""

    def __call__(self, what: str, done: int = 0, total: int = 0, /) -> None:
        """Take note that `done` of `total` steps of `what` are behind."""


def silent(what: str, done: int = 0, total: int = 0, /) -> None:
    """Progress that nobody hears."""
