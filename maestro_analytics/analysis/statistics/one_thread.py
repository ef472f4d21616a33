"""Products of matrices on one thread.

OpenBLAS shares a product out to a thread for each core, and these wait for each other in a loop. The products here take
milliseconds, and where other cores are at work (the SQL of another answer, another program) the waiting costs more than
it gains: on 2 cores under a load of 8, `agent_scores` of 2 million grades took 9.4 s of processor time with two threads
and 2.7 s with one. numpy has no switch of its own for this; where it comes with another library nothing is changed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads")
_turn = Lock()
_inside = 0
_before: list[int] = []


@contextmanager
def one_thread() -> Iterator[None]:
    """Products of matrices use one thread until the last who asked for it is done; also a decorator."""
    global _inside
    with _turn:
        if not _inside:
            _before[:] = [get() for get, _ in _switches()]
            for _, put in _switches():
                put(1)
        _inside += 1
    try:
        yield
    finally:
        with _turn:
            _inside -= 1
            if not _inside:
                for threads, (_, put) in zip(_before, _switches(), strict=True):
                    put(threads)


@cache
def _switches() -> list[tuple[Any, Any]]:
    """How many threads numpy's and scipy's library use: the functions that say it and that change it."""
    found = []
    for module in ("numpy._core._multiarray_umath", "scipy.linalg._flapack"):
        library = ctypes.CDLL(import_module(module).__file__)
        for name in NAMES:
            if hasattr(library, name.format("set")):
                found.append((getattr(library, name.format("get")), getattr(library, name.format("set"))))
                break
    return found
