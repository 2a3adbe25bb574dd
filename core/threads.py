"""How many threads of linear algebra there are: sums in another order differ in their last bits, and a loop must give
the same numbers in a worker, in a notebook and in a pool, on few cores and on many."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

BRINGERS = frozenset({"numpy", "scipy.linalg", "sklearn.cluster", "torch"})
"""Modules that bring thread pools of their own."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within, NumPy's and SciPy's BLAS, OpenMP and torch use ``count`` threads, however many cores there are.

    What is imported within for the first time is not held back.
    """
    torch: Any = sys.modules.get("torch")
    known = hasattr(torch, "get_num_threads")  # another thread may be in the midst of importing it
    before = torch.get_num_threads() if known else 0
    with _controller(frozenset(BRINGERS & sys.modules.keys())).limit(limits=count):
        if known:
            torch.set_num_threads(count)  # MKL's too
        try:
            yield
        finally:
            if known:
                torch.set_num_threads(before)


@cache
def _controller(loaded: frozenset[str]) -> Any:
    """Finding the pools takes milliseconds: once for what is loaded by now."""
    del loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
