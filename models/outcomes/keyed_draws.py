"""Random numbers that each have a key: seed, stream (an account, or the name of what is drawn), month, purpose, draw.

A number depends on its key alone, never on what was drawn before it. So an account lives the same futures whatever
other accounts, months or models there are, and two forecasts differ by what is known and not by their dice.

The generator is Philox 4x32 with ten rounds (Salmon and others 2011, "Parallel random numbers: as easy as 1, 2, 3"):
the seed is its key, and the counter holds draw // 4, month and purpose, and the stream; each counter gives four draws.
"""

import hashlib
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Streams = NDArray[np.uint64]
Words = NDArray[np.uint32]
Function = TypeVar("Function", bound=Callable[..., Any])
_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_PURPOSE_BITS = 8


class Purpose(IntEnum):
    """What a number is drawn for. A new purpose takes a new number: the draws of the others stay as they are."""

    OUTCOME = 1
    AMOUNT = 2
    SHARED_LUCK = 3
    PARAMETER = 4
    RETURN = 5


def streams(names: Iterable[object]) -> Streams:
    """A 64-bit key of each name (BLAKE2b of its text): the same on every machine and in every process."""
    keys = [int.from_bytes(hashlib.blake2b(str(name).encode(), digest_size=8).digest(), "little") for name in names]
    return np.array(keys, dtype=np.uint64)


def uniforms(seed: int, stream: Streams, month: Ints | int, purpose: Purpose, *, draws: int) -> Floats32:
    """Numbers from 0 to below 1 of each stream.

    Parameters
    ----------
    seed
        The lowest 64 bits count.
    stream, month
        Of each row; the month, counted in 12 x year + month, may be one for all.
    purpose
        What they are for.
    draws
        How many of each row.

    Returns
    -------
    ndarray of shape (rows, draws)
    """
    return _as_uniforms(_words(seed, stream, month, purpose, draws))


def uniforms_at(seed: int, stream: Streams, month: Ints | int, purpose: Purpose, *, draw: Ints) -> Floats32:
    """The numbers of `uniforms` in one place of each row: column `draw` of it, shape (rows,)."""
    words = np.empty(len(stream), dtype=np.uint32)
    _fill_places(_key(seed), _codes(month, purpose, len(stream)), stream, draw, words)
    return _as_uniforms(words)


def normals(seed: int, stream: Streams, month: Ints | int, purpose: Purpose, *, draws: int) -> NDArray[np.float64]:
    """Standard normal numbers of each stream, shape (rows, draws); the parameters are those of `uniforms`."""
    return np.asarray(ndtri((_words(seed, stream, month, purpose, draws) + 0.5) / 2**32))


def _words(seed: int, stream: Streams, month: Ints | int, purpose: Purpose, draws: int) -> Words:
    words = np.empty((len(stream), -(-draws // 4), 4), dtype=np.uint32)
    _fill_rows(_key(seed), _codes(month, purpose, len(stream)), stream, words)
    return words.reshape(len(stream), -1)[:, :draws]


def _as_uniforms(words: Words) -> Floats32:
    """The upper 24 bits: as many as single precision holds, so that none is rounded to 1."""
    return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def _key(seed: int) -> Streams:
    return np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], dtype=np.uint64)


def _codes(month: Ints | int, purpose: Purpose, rows: int) -> Streams:
    """Month and purpose as one counter word a row."""
    return np.broadcast_to(np.asarray(month, dtype=np.uint64) << np.uint64(_PURPOSE_BITS) | np.uint64(purpose), rows)


def _compiled(function: Function) -> Function:
    """Compiled by numba at first use, once a process, without files on disk."""
    compiled: Any = numba.njit(nogil=True)(function)
    return cast(Function, compiled)


# All words are held in 64 bits, of which the lower 32 are in use, as numba widens what it computes.


@_compiled
def _philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, key: Streams
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """The four words of a counter."""
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1 = (product1 >> _HALF) ^ c1 ^ k0, product1 & _LOW
        c2, c3 = (product0 >> _HALF) ^ c3 ^ k1, product0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


@_compiled
def _fill_rows(key: Streams, code: Streams, stream: Streams, words: Words) -> None:
    """All words of each row; `words` has shape (rows, counters, 4)."""
    for row in range(words.shape[0]):
        for counter in range(words.shape[1]):
            block = _philox(np.uint64(counter), code[row], stream[row] & _LOW, stream[row] >> _HALF, key)
            for lane in range(4):
                words[row, counter, lane] = block[lane]


@_compiled
def _fill_places(key: Streams, code: Streams, stream: Streams, draw: Ints, words: Words) -> None:
    """The word of one draw of each row."""
    for row in range(words.size):
        counter = np.uint64(draw[row] >> 2)
        block = _philox(counter, code[row], stream[row] & _LOW, stream[row] >> _HALF, key)
        words[row] = block[draw[row] & 3]
