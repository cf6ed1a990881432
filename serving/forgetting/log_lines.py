"""The audit log without who was erased: their ids are written over, letter by letter, where they stand.

So lines keep their length, and the service may go on appending to the file meanwhile.
"""

import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from features.forgetting.suppression import KINDS, Suppressed

BLANK = b"-"
MOST_PARTS = 60  # of an address: of more only single ones are looked at, and not several as one id
_TEXT = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_PART = re.compile(rb"[/?&= ]")
_QUOTED = re.compile(rb'\\"((?:[^"\\]|\\\\(?:\\["\\]|[^"\\]))*)')  # a text within a text, as a torn line holds them
_Span = tuple[int, int]


def forget_log(folder: Path, suppressed: Suppressed) -> int:
    """Write over the ids of who was erased in all months of the log; gives how many stood there."""

    @functools.lru_cache(maxsize=100_000)
    def spans(text: bytes) -> tuple[_Span, ...]:
        return tuple(_spans(text, lambda name: any(suppressed.holds(kind, name) for kind in KINDS)))

    return sum(_forget_month(file, spans) for file in sorted(folder.glob("*.jsonl")))


def _forget_month(file: Path, spans: Callable[[bytes], tuple[_Span, ...]]) -> int:
    count, at = 0, 0
    with file.open("r+b") as stream:
        for line in stream:
            for text in _TEXT.finditer(line):
                for start, end in spans(text[1]):
                    os.pwrite(stream.fileno(), BLANK * (end - start), at + text.start(1) + start)
                    count += 1
            at += len(line)
        os.fsync(stream.fileno())
    return count


def _spans(text: bytes, is_erased: Callable[[str], bool]) -> Iterator[_Span]:
    """Where a text of JSON names them: as a whole, as a part of an address, or in a line of the log that was torn."""
    yield from _spans_of_parts(text, is_erased)
    for inner in _QUOTED.finditer(text):
        for start, end in _spans_of_parts(inner[1], is_erased, depth=2):
            yield inner.start(1) + start, inner.start(1) + end


def _spans_of_parts(text: bytes, is_erased: Callable[[str], bool], depth: int = 1) -> Iterator[_Span]:
    """Where a text, or a part of it between what divides addresses, names them; it may be percent-encoded."""
    bounds = [0, *(place for part in _PART.finditer(text) for place in (part.start(), part.end())), len(text)]
    places = sorted(set(bounds))
    joined = combinations([*places[: MOST_PARTS - 1], places[-1]], 2)
    for start, end in sorted({(0, len(text)), *pairwise(places), *joined}):
        if any(is_erased(name) for name in _readings(text[start:end], depth)):
            yield start, end


def _readings(text: bytes, depth: int) -> set[str]:
    """What a part of a text of JSON may say, which is within so many texts."""
    name = text.decode("ascii", "replace")
    try:
        for _ in range(depth):
            name = str(json.loads(f'"{name}"'))
    except ValueError:  # a part that was cut within an escape
        return set()
    return {name, unquote(name), unquote_plus(name)}
