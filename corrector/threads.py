"""One thread of linear algebra: sums in another order differ in their last bits, and a corrector must give the same
numbers in a worker (one thread), in a notebook and in a pool."""

from functools import lru_cache
from typing import Any


def one_thread() -> Any:
    """A context in which NumPy's and SciPy's BLAS use one thread."""
    return _controller().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  (its BLAS must be loaded to be found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
