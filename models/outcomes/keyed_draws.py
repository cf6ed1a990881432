"""Random numbers that each have a key: seed, stream (an account, or the name of what is drawn), month, purpose, draw.

A number depends on its key alone, never on what was drawn before it. So an account lives the same futures whatever
other accounts, months or models there are, and two forecasts differ by what is known and not by their dice.

The generator is Philox 4x32 with ten rounds (Salmon and others 2011, "Parallel random numbers: as easy as 1, 2, 3"):
the seed is its key, and the counter holds draw // 4, month and purpose, and the stream; each counter gives four draws.
"""

import hashlib
from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from models.outcomes import future_loops

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Streams = NDArray[np.uint64]
Words = NDArray[np.uint32]


class Purpose(IntEnum):
    """What a number is drawn for. A new purpose takes a new number: the draws of the others stay as they are."""

    OUTCOME = future_loops.OUTCOME
    AMOUNT = future_loops.AMOUNT
    SHARED_LUCK = 3
    PARAMETER = 4
    RETURN = future_loops.RETURN


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
    future_loops.fill_places(key_of(seed), _codes(month, purpose, len(stream)), stream, draw, words)
    return _as_uniforms(words)


def normals(seed: int, stream: Streams, month: Ints | int, purpose: Purpose, *, draws: int) -> NDArray[np.float64]:
    """Standard normal numbers of each stream, shape (rows, draws); the parameters are those of `uniforms`."""
    return np.asarray(ndtri((_words(seed, stream, month, purpose, draws) + 0.5) / 2**32))


def _words(seed: int, stream: Streams, month: Ints | int, purpose: Purpose, draws: int) -> Words:
    words = np.empty((len(stream), -(-draws // 4), 4), dtype=np.uint32)
    future_loops.fill_rows(key_of(seed), _codes(month, purpose, len(stream)), stream, words)
    return words.reshape(len(stream), -1)[:, :draws]


def _as_uniforms(words: Words) -> Floats32:
    """The upper 24 bits: as many as single precision holds, so that none is rounded to 1."""
    return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def key_of(seed: int) -> Streams:
    """A seed as the two words of a key."""
    return np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], dtype=np.uint64)


def _codes(month: Ints | int, purpose: Purpose, rows: int) -> Streams:
    """Month and purpose as one counter word a row."""
    return np.broadcast_to(
        np.asarray(month, dtype=np.uint64) << np.uint64(future_loops.PURPOSE_BITS) | np.uint64(purpose), rows
    )
