"""Loops compiled by numba, whose machine code is kept beside the source as Python keeps bytecode.

It is found again by the file's time and size, this numba and this processor. What one loop calls must stand in its own
file, since a change of another file would not be seen; a test holds them to it. Where nothing can be written, neither
there nor in the user's cache folder, loops are compiled once a process.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])
_SETTINGS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_njit: Any = numba.njit


def compiled(function: Function) -> Function:
    """Compiled at first use, with every operation in the order and precision in which it is written."""
    return compiled_with()(function)


def part_of_a_loop(function: Function) -> Function:
    """The same of what only compiled functions call: it is kept as a part of them, and compiles in less time."""
    part: Any = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_SETTINGS)(function)
    return cast(Function, part)


def compiled_with(**options: Any) -> Callable[[Function], Function]:
    """`compiled` with further options of `numba.njit`."""

    def compile_at_first_use(function: Function) -> Function:
        settings = {**_SETTINGS, "no_cfunc_wrapper": True, **options}
        try:
            loop: Any = _njit(cache=True, **settings)(function)
        except RuntimeError:  # no folder to keep machine code in
            loop = _njit(**settings)(function)
        return cast(Function, loop)

    return compile_at_first_use
