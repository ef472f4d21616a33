"""Products of matrices on one thread.

OpenBLAS shares a product out to a thread for each core, and these wait for each other in a loop. The products here take
milliseconds, and where other cores are at work (the SQL of another answer, another program) the waiting costs more than
it gains: on 2 cores under a load of 8, `agent_scores` of 2 million grades took 9.4 s of processor time with two threads
and 2.7 s with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_turn = Lock()
_users = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Products of matrices use one thread until the last who asked for it is done; also a decorator.

    The limit is that of the process, so answers that run at the same time share it.
    """
    global _users, _limit
    with _turn:
        if not _users:
            _limit = libraries().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _turn:
            _users -= 1
            if not _users:
                _limit.restore_original_limits()


@cache
def libraries() -> ThreadpoolController:
    """The linear algebra of numpy and of scipy."""
    import scipy.linalg  # noqa: F401 - a library counts once it is loaded

    return ThreadpoolController()
