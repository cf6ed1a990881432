"""The body of a request as it is read: whole, or refused without being kept."""

import asyncio
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from serving.service import bodies
from serving.service.bodies import read_body
from serving.wire.answers import Refused

PART = 1000


class Sender:
    """Sends parts of a body, each of its own memory, and remembers how many of them were still held by the reader."""

    def __init__(self, parts: int) -> None:
        self.most_held, self._sizes = 0, iter([PART] * parts)
        self._sent: list[bytearray] = []

    async def __call__(self) -> MutableMapping[str, Any]:
        self.most_held = max(self.most_held, sum(sys.getrefcount(part) > 3 for part in self._sent))
        size = next(self._sizes, None)
        self._sent.append(bytearray(size or 0))
        return {"type": "http.request", "body": self._sent[-1], "more_body": size is not None}


def test_a_body_is_read_whole() -> None:
    assert asyncio.run(read_body(Sender(3), 3 * PART)) == bytes(3 * PART)


def test_no_part_of_a_body_that_is_too_large_is_kept() -> None:
    """However much comes after it was too large: the rest is read and dropped."""
    sender = Sender(50)
    with pytest.raises(Refused, match="A body may hold 5,000 bytes"):
        asyncio.run(read_body(sender, 5 * PART))
    assert sender.most_held <= 6


def test_one_that_never_ends_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_DRAINED", 20 * PART)
    sent: Iterator[int] = iter(range(10**6))

    async def receive() -> MutableMapping[str, Any]:
        next(sent)
        return {"type": "http.request", "body": bytes(PART), "more_body": True}

    with pytest.raises(Refused, match="A body may hold"):
        asyncio.run(read_body(receive, PART))
    assert next(sent) == 20


@pytest.mark.parametrize("parts", [0, 2])
def test_one_that_is_cut_off_is_refused(parts: int) -> None:
    left = iter([bytes(PART)] * parts)

    async def receive() -> MutableMapping[str, Any]:
        part = next(left, None)
        return (
            {"type": "http.disconnect"} if part is None else {"type": "http.request", "body": part, "more_body": True}
        )

    with pytest.raises(Refused, match="The body was cut off"):
        asyncio.run(read_body(receive, 10 * PART))
